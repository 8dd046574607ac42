"""Counts what a piece of work asks of the database: statements, commits, and reads of one table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event

from core.base import connections, round_trip, tenancy
from core.base.asks import Ask
from core.base.db import PLATFORM, STORE, db

OF_EACH_TRANSACTION = {"BEGIN", tenancy.TELL, tenancy.TELL_TO_READ}
"""What goes out with whatever is asked."""


@dataclass
class Cost:
    """What was counted so far."""

    statements: list[str] = field(default_factory=list)
    commits: int = 0

    def reads_of(self, table: str) -> int:
        """SELECTs of this table's own rows."""
        return sum(
            bool(re.match(rf"SELECT {table}\.id\b", said)) for said in self.statements
        )


@contextmanager
def counted() -> Iterator[Cost]:
    """Count on both engines while the block runs, and what goes past them in one exchange. The
    wallet's lock, on a connection of its own, counts too."""
    cost = Cost()
    ask_all, note = connections.TimedConnection.ask_all, round_trip.note_commit

    def asked(connection: Any, several: Sequence[Ask]) -> Any:
        texts = (one.statement for one in several)
        cost.statements.extend(
            text for text in texts if text not in OF_EACH_TRANSACTION
        )
        return ask_all(connection, several)

    def noted() -> None:
        cost.commits += 1
        note()

    def statement(_connection: Any, _cursor: Any, said: str, *_more: Any) -> None:
        cost.statements.append(said)

    def commit(_connection: Any) -> None:
        cost.commits += 1

    heard = {"before_cursor_execute": statement, "commit": commit}
    engines = [db.engines[name] for name in (STORE, PLATFORM)]
    for engine in engines:
        for name, hear in heard.items():
            event.listen(engine, name, hear)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connections.TimedConnection, "ask_all", asked)
            patch.setattr(round_trip, "note_commit", noted)
            yield cost
    finally:
        for engine in engines:
            for name, hear in heard.items():
                event.remove(engine, name, hear)
