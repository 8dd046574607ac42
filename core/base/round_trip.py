"""Statements of one store, read in one round trip to the database.

Transaction, whose store it is, the statements and the end go out together and are answered
together. For the few pages that are shown so often that each trip counts. A statement is prepared
when a connection meets it first, and named from then on.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq.abc import PGresult
from sqlalchemy import Select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import PoolProxiedConnection

from core.base import connections, tenancy
from core.base.connections import TimedConnection
from core.base.db import STORE, Model, db

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Ask:
    """One statement (psycopg's `%(name)s`) and its values, each of which it needs."""

    statement: str
    values: Mapping[str, Any]

    def given(self, **values: Any) -> Ask:
        """The same with these values in place of its own, as far as it has them."""
        taken = {name: values.get(name, own) for name, own in self.values.items()}
        return Ask(self.statement, taken)


def ask(statement: Select[Any]) -> Ask:
    """`statement` with its constants; its `bindparam`s are `given` later. To put it into words
    takes longer than to ask it: who asks often keeps it."""
    made = statement.compile(
        dialect=db.engines[STORE].dialect, compile_kwargs={"render_postcompile": True}
    )
    return Ask(str(made), made.params)


def read_row(store_id: int, statement: str, values: Mapping[str, Any]) -> Any | None:
    """The first row of one statement; None for no row. As `read`."""
    rows = read(store_id, [Ask(statement, values)])[0]
    return rows[0] if rows else None


def read(store_id: int, asks: Sequence[Ask]) -> list[list[Any]]:
    """The rows of each statement, as named tuples. Read as the stores' role, with `store_id` as
    the store of row-level security.

    Nothing asks the connection for a sign of life first. One that died in the pool is thrown away,
    and a tried one is asked; so is one whose plan a change of a table has made useless.
    Raises SQLAlchemy's errors, as other reads do.
    """
    try:
        with connections.not_pinged():
            pooled = _taken()
        return _read(pooled, store_id, asks)
    except _Lost:
        pooled = _taken()
    try:
        return _read(pooled, store_id, asks)
    except _Lost as lost:
        raise _as_elsewhere(asks, lost.error) from lost


def made(model: type[M], row: Any) -> M:
    """An object of `model` by a row of its columns. It belongs to no session: it is to be read, not
    changed."""
    one: M = model.__mapper__.class_manager.new_instance()
    one.__dict__.update(row._asdict())
    return one


def _taken() -> PoolProxiedConnection:
    """A connection of the pool. What the driver says of one that cannot be made is raised as
    SQLAlchemy raises it."""
    try:
        return db.engines[STORE].raw_connection()
    except psycopg.OperationalError as error:
        raise OperationalError("connect", None, error) from error


_PLAN_IS_OLD = ("0A000", "26000")
"""A kept plan gives other columns than it did; it is not there any more. A rollback forgets all."""


class _Lost(Exception):
    """The connection, or a plan of it, is gone; what was asked may be asked again."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(str(error))
        self.error = error


def _read(
    pooled: PoolProxiedConnection, store_id: int, asks: Sequence[Ask]
) -> list[list[Any]]:
    connection = pooled.driver_connection
    assert isinstance(connection, TimedConnection)
    try:
        return _send(connection, store_id, asks)
    except psycopg.Error as error:
        if connection.broken or error.sqlstate in _PLAN_IS_OLD:
            raise _Lost(error) from error
        raise _as_elsewhere(asks, error) from error
    finally:
        if connection.broken:
            pooled.invalidate()
        else:
            pooled.close()


def _as_elsewhere(asks: Sequence[Ask], error: psycopg.Error) -> Exception:
    """What SQLAlchemy would have raised."""
    return DBAPIError.instance(
        asks[0].statement,
        None,
        error,
        psycopg.Error,
        hide_parameters=True,
        dialect=db.engines[STORE].dialect,
    )


def _send(
    connection: TimedConnection, store_id: int, asks: Sequence[Ask]
) -> list[list[Any]]:
    """All of them in one exchange, each value bound. A plan that the connection does not have is
    made inside the transaction, whose limits hold for what waits for a locked table too."""
    tell = Ask(tenancy.TELL, tenancy.told(store_id))
    new = _without_plan(connection, [tell, *asks])
    plans = connection.plans | new
    pgconn = connection.pgconn
    calls = [partial(pgconn.send_query_params, b"BEGIN READ ONLY", None)]
    made: set[str] = set()
    places = []
    for one in (tell, *asks):
        name = plans[one.statement].encode()
        if one.statement in new and one.statement not in made:
            made.add(one.statement)
            calls.append(partial(pgconn.send_prepare, name, _numbered(one)))
        places.append(len(calls))
        calls.append(partial(pgconn.send_query_prepared, name, _bound(connection, one)))
    calls.append(partial(pgconn.send_query_params, b"COMMIT", None))
    try:
        answers = connection.together(calls)
        connection.plans.update(new)
    finally:
        if not connection.broken:
            connection.rollback()
    return [_rows(connection, answers[place]) for place in places[1:]]


def _without_plan(connection: TimedConnection, asks: Sequence[Ask]) -> dict[str, str]:
    """Names for the statements that this connection meets for the first time."""
    wanted = dict.fromkeys(one.statement for one in asks)
    new = [statement for statement in wanted if statement not in connection.plans]
    first = connection.next_plan
    connection.next_plan += len(new)
    return {
        statement: f"makola_{number}" for number, statement in enumerate(new, first)
    }


def _numbered(one: Ask) -> bytes:
    """The statement with PostgreSQL's own places for its values, in their order."""
    places = {name: f"${number}" for number, name in enumerate(one.values, start=1)}
    return (one.statement % places).encode()


def _bound(connection: TimedConnection, one: Ask) -> Sequence[Any]:
    values = list(one.values.values())
    return Transformer(connection).dump_sequence(values, [PyFormat.TEXT] * len(values))


def _rows(connection: TimedConnection, answer: PGresult) -> list[Any]:
    read = Transformer(connection)
    read.set_pgresult(answer)
    return read.load_rows(0, answer.ntuples, _row_type(_names(answer)))


def _names(answer: PGresult) -> tuple[str, ...]:
    names = (answer.fname(number) for number in range(answer.nfields))
    return tuple((name or b"").decode() for name in names)


@cache
def _row_type(names: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
    row: Any = namedtuple("Row", names)  # type: ignore[misc]
    make: Callable[[Sequence[Any]], Any] = row._make
    return make
