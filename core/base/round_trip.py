"""One statement of a store, read in one round trip to the database.

Transaction, whose store it is, the statement and the end go out together and are answered
together. For the few pages that are shown so often that each trip counts. The statement is
prepared when a connection meets it first, and named from then on.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import psycopg
from psycopg import sql
from psycopg.adapt import Transformer
from psycopg.pq.abc import PGresult
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import PoolProxiedConnection

from core.base import connections, tenancy
from core.base.connections import TimedConnection
from core.base.db import STORE, db


def read_row(store_id: int, statement: str, values: Mapping[str, Any]) -> Any | None:
    """The first row of `statement` (psycopg's `%(name)s`), as a named tuple; None for no row. Read
    as the stores' role, with `store_id` as the store of row-level security.

    Nothing asks the connection for a sign of life first. One that died in the pool is thrown away,
    and a tried one is asked.
    Raises SQLAlchemy's `OperationalError`, as other reads do.
    """
    try:
        with connections.not_pinged():
            pooled = _taken()
        return _read(pooled, store_id, statement, values)
    except _Lost:
        pooled = _taken()
    try:
        return _read(pooled, store_id, statement, values)
    except _Lost as lost:
        raise OperationalError(statement, None, lost.error) from lost


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
    pooled: PoolProxiedConnection,
    store_id: int,
    statement: str,
    values: Mapping[str, Any],
) -> Any | None:
    connection = pooled.driver_connection
    assert isinstance(connection, TimedConnection)
    try:
        return _send(connection, store_id, statement, values)
    except psycopg.OperationalError as error:
        if connection.broken:
            raise _Lost(error) from error
        raise OperationalError(statement, None, error) from error
    finally:
        if connection.broken:
            pooled.invalidate()
        else:
            pooled.close()


def _send(
    connection: TimedConnection,
    store_id: int,
    statement: str,
    values: Mapping[str, Any],
) -> Any | None:
    plan = connection.plans.get(statement) or _prepare(connection, statement, values)
    given = ", ".join(sql.quote(value, connection) for value in values.values())
    told = {
        name: sql.quote(value, connection)
        for name, value in tenancy.told(store_id).items()
    }
    try:
        answers = connection.exchange(
            f"BEGIN READ ONLY; {tenancy.TELL % told}; EXECUTE {plan}"
            f"{f' ({given})' if given else ''}; COMMIT"
        )
    finally:
        if not connection.broken:
            connection.rollback()
    return _first_row(connection, answers[2])


def _prepare(
    connection: TimedConnection, statement: str, values: Mapping[str, Any]
) -> str:
    """Have this connection keep the plan of `statement`, whose values it will be given in the order
    of `values`."""
    plan = f"makola_{len(connection.plans)}"
    numbered = {name: f"${number}" for number, name in enumerate(values, start=1)}
    connection.exchange(f"PREPARE {plan} AS {statement % numbered}")
    connection.plans[statement] = plan
    return plan


def _first_row(connection: TimedConnection, answer: PGresult) -> Any | None:
    read = Transformer(connection)
    read.set_pgresult(answer)
    rows = read.load_rows(0, min(answer.ntuples, 1), _row_type(_names(answer)))
    return rows[0] if rows else None


def _names(answer: PGresult) -> tuple[str, ...]:
    names = (answer.fname(number) for number in range(answer.nfields))
    return tuple((name or b"").decode() for name in names)


@cache
def _row_type(names: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
    row: Any = namedtuple("Row", names)  # type: ignore[misc]
    make: Callable[[Sequence[Any]], Any] = row._make
    return make
