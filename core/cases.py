"""Cases: what only a person can settle, with the evidence.

Sits below `orders`, because the state machine itself opens cases when news contradicts a final state. An open case of
one kind exists once per subject; repeated news adds to its evidence.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core import audit, clock
from core.audit import Actor
from core.db import Model, db, transaction
from core.tenancy import StoreOrPlatformScoped

KINDS = {
    "contradiction": "The supplier's news contradicts a finished order",
    "unknown_too_long": "No clear answer from the supplier for a day",
    "never_fulfilled": "The supplier accepted it a day ago and has not delivered it",
    "resend_limit": "Proven absent, but already sent again as often as it may be",
    "wrong_answer": "The supplier's answer does not fit the order",
    "unknown_word": "The supplier used a status word nobody has seen",
    "supplier_money": "The order failed and the supplier's money has not been seen to come back",
    "float_break": "The supplier's balance differs from our books",
    "float_funded": "The supplier's balance rose: was the float funded?",
    "broken": "An error of ours keeps this order from moving",
    "amount_differs": "The supplier charged another amount than its price",
}
_MOST_EVIDENCE = 20


class Case(Model, StoreOrPlatformScoped):
    __tablename__ = "cases"
    __table_args__ = (
        ForeignKeyConstraint(["store_id", "order_id"], ["orders.store_id", "orders.id"]),
        Index("uq_cases_open", "kind", "subject", unique=True, postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None]
    kind: Mapped[str]
    subject: Mapped[str]
    title: Mapped[str]
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    opened_at: Mapped[datetime] = mapped_column(default=clock.now)
    closed_at: Mapped[datetime | None]
    resolution: Mapped[str | None]
    closed_by: Mapped[str | None]
    action: Mapped[str | None]
    """What was done to settle it; None when it was closed with words alone."""


def open_case(
    kind: str, subject: str, evidence: dict[str, Any], *, store_id: int | None = None, order_id: int | None = None
) -> Case:
    """Open a case inside the open use case, or add to the one already open for this kind and subject."""
    entry = {"at": clock.now().isoformat(), **evidence}
    case = db.session.scalar(
        select(Case).where(Case.kind == kind, Case.subject == subject, Case.closed_at.is_(None)).with_for_update()
    )
    if case is None:
        case = Case(
            kind=kind, subject=subject, title=KINDS[kind], evidence=[entry], store_id=store_id, order_id=order_id
        )
        db.session.add(case)
        db.session.flush()
    elif len(case.evidence) < _MOST_EVIDENCE and evidence not in [_without_time(old) for old in case.evidence]:
        case.evidence = [*case.evidence, entry]
    return case


def is_open(kind: str, subject: str) -> bool:
    """Whether a person is already asked about this."""
    query = select(Case.id).where(Case.kind == kind, Case.subject == subject, Case.closed_at.is_(None))
    return db.session.scalar(query) is not None


def close(case_id: int, resolution: str, actor: Actor) -> Case | None:
    """Close a case with the words of the person who settled it. None when there is no such open case."""
    with transaction() as session:
        case = session.scalar(select(Case).where(Case.id == case_id, Case.closed_at.is_(None)).with_for_update())
        if case is None:
            return None
        close_row(case, resolution, actor)
        return case


def close_row(case: Case, resolution: str, actor: Actor) -> None:
    """Close a locked case inside the open use case."""
    case.closed_at, case.resolution, case.closed_by = clock.now(), resolution.strip()[:1_000], actor.name
    audit.write(actor, "close_case", f"case:{case.id}", {"kind": case.kind, "resolution": case.resolution})


def open_cases(limit: int) -> list[Case]:
    """Open cases, oldest first."""
    return list(db.session.scalars(select(Case).where(Case.closed_at.is_(None)).order_by(Case.id).limit(limit)))


def of_order(order_id: int) -> list[Case]:
    return list(db.session.scalars(select(Case).where(Case.order_id == order_id).order_by(Case.id)))


def _without_time(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "at"}
