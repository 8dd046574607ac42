"""Statements as they go to PostgreSQL, several at a time, each with a plan its connection keeps.

Decides how a statement and its values are put for the wire, and what comes back. When they are sent
is decided in `connections`, as whom in `tenancy` and `round_trip`.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from psycopg.abc import Transformer as Reader
from psycopg.adapt import PyFormat
from psycopg.pq.abc import PGresult

Maker = Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class Ask:
    """One statement (psycopg's `%(name)s`) and its values, each of which it needs."""

    statement: str
    values: Mapping[str, Any]

    def given(self, **values: Any) -> Ask:
        """The same with these values in place of its own, as far as it has them."""
        taken = {name: values.get(name, own) for name, own in self.values.items()}
        return Ask(self.statement, taken)


@dataclass
class Plan:
    """What a connection keeps of a statement: the name of its plan, and how its rows are made."""

    name: bytes
    make: Maker | None = None


def numbered(one: Ask) -> bytes:
    """The statement with PostgreSQL's own places for its values, in their order."""
    places = {name: f"${number}" for number, name in enumerate(one.values, start=1)}
    return (one.statement % places).encode()


def bound(reader: Reader, one: Ask) -> Sequence[Any]:
    """The values as they are sent."""
    values = list(one.values.values())
    return reader.dump_sequence(values, [PyFormat.TEXT] * len(values))


def rows(reader: Reader, answer: PGresult, plan: Plan) -> list[Any]:
    """The rows of an answer, as named tuples."""
    if not answer.nfields:
        return []
    if plan.make is None:
        plan.make = _row_type(_names(answer))
    reader.set_pgresult(answer)
    return reader.load_rows(0, answer.ntuples, plan.make)


def _names(answer: PGresult) -> tuple[str, ...]:
    names = (answer.fname(number) for number in range(answer.nfields))
    return tuple((name or b"").decode() for name in names)


@cache
def _row_type(names: tuple[str, ...]) -> Maker:
    # a column without a name of its own is told by its place
    row: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]
    make: Maker = row._make
    return make
