"""The permit with which this program writes people, roles, memberships and log-ins, and nobody else
does.

Statements of the ORM on those tables carry a word signed for their very connection; a trigger of
the database asks for it. So a statement that was smuggled in, or a stolen password of the database,
promotes nobody and plants no log-in.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, event, text
from sqlalchemy.orm import ORMExecuteState, Session

from core.base import poolers, signed
from core.base.rights import PEOPLE_TABLES


@event.listens_for(Session, "before_flush")
def permit_flush(session: Session, _context: Any, _instances: Any) -> None:
    if any(
        row.__table__.name in PEOPLE_TABLES
        for row in (*session.new, *session.dirty, *session.deleted)
    ):
        _permit(session)


@event.listens_for(Session, "do_orm_execute")
def permit_statement(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        mapper = state.bind_mapper
        table = mapper.local_table if mapper is not None else None
        if isinstance(table, Table) and table.name in PEOPLE_TABLES:
            _permit(state.session)


def _permit(session: Session) -> None:
    """Give this connection the signed permit to write people and log-ins, until its transaction
    ends."""
    connection = session.connection()
    pid = poolers.named_pid(connection)
    connection.execute(
        text("SELECT set_config('makola.permit', :mac, true)"),
        {"mac": signed.mac(f"people:{pid}")},
    )
