"""Statements of one store, read in one round trip to the database.

Transaction, whose store it is, the statements and the end go out together and are answered
together. For the few pages that are shown so often that each trip counts. A statement is prepared
when a connection meets it first, and named from then on.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.adapt import Transformer
from psycopg.pq.abc import PGresult
from sqlalchemy import Select
from sqlalchemy.exc import OperationalError
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
    and a tried one is asked.
    Raises SQLAlchemy's `OperationalError`, as other reads do.
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
        raise OperationalError(asks[0].statement, None, lost.error) from lost


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


class _Lost(Exception):
    """The connection is gone; what was asked may be asked again."""

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
    except psycopg.OperationalError as error:
        if connection.broken:
            raise _Lost(error) from error
        raise OperationalError(asks[0].statement, None, error) from error
    finally:
        if connection.broken:
            pooled.invalidate()
        else:
            pooled.close()


def _send(
    connection: TimedConnection, store_id: int, asks: Sequence[Ask]
) -> list[list[Any]]:
    told = {
        name: sql.quote(value, connection)
        for name, value in tenancy.told(store_id).items()
    }
    new = _without_plan(connection, asks)
    plans = connection.plans | new
    # inside the transaction, whose limits hold for what waits for a locked table too
    first = {one.statement: one for one in asks if one.statement in new}
    made = "".join(f"{_prepared(one, new)}; " for one in first.values())
    calls = "; ".join(_call(connection, one, plans) for one in asks)
    try:
        answers = connection.exchange(
            f"BEGIN READ ONLY; {tenancy.TELL % told}; {made}{calls}; COMMIT"
        )
        connection.plans.update(new)
    finally:
        if not connection.broken:
            connection.rollback()
    return [_rows(connection, answer) for answer in answers[2 + len(new) : -1]]


def _without_plan(connection: TimedConnection, asks: Sequence[Ask]) -> dict[str, str]:
    """Names for the statements that this connection meets for the first time."""
    wanted = dict.fromkeys(one.statement for one in asks)
    new = [statement for statement in wanted if statement not in connection.plans]
    first = connection.next_plan
    connection.next_plan += len(new)
    return {
        statement: f"makola_{number}" for number, statement in enumerate(new, first)
    }


def _prepared(one: Ask, names: Mapping[str, str]) -> str:
    numbered = {name: f"${number}" for number, name in enumerate(one.values, start=1)}
    return f"PREPARE {names[one.statement]} AS {one.statement % numbered}"


def _call(connection: TimedConnection, one: Ask, plans: Mapping[str, str]) -> str:
    given = ", ".join(sql.quote(value, connection) for value in one.values.values())
    return f"EXECUTE {plans[one.statement]}" + (f" ({given})" if given else "")


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
