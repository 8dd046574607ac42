"""One statement of a store, read in one round trip to the database.

Transaction, whose store it is, the statement and the end go out together and are answered
together. For the few pages that are shown so often that each trip counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import PoolProxiedConnection

from core.base import connections, tenancy
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
    connection: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
    try:
        return _send(connection, store_id, statement, values)
    except psycopg.OperationalError as error:
        if connection.broken:
            raise _Lost(error) from error
        raise OperationalError(statement, None, error) from error
    finally:
        if connection.broken or connection.autocommit:
            # one that commits each statement by itself must reach nobody
            pooled.invalidate()
        else:
            pooled.close()


def _send(
    connection: psycopg.Connection[Any],
    store_id: int,
    statement: str,
    values: Mapping[str, Any],
) -> Any | None:
    # else psycopg would begin a transaction of its own, and wait for it
    connection.autocommit = True
    try:
        with (
            connection.pipeline(),
            connection.cursor(row_factory=namedtuple_row) as read,
        ):
            connection.execute("BEGIN READ ONLY")
            connection.execute(tenancy.TELL, tenancy.told(store_id))
            read.execute(statement, values)
            connection.execute("ROLLBACK")
            return read.fetchone()
    finally:
        if not connection.broken:
            # what failed has skipped the ROLLBACK above: the pool would hand on a connection that
            # commits each statement by itself
            connection.rollback()
            connection.autocommit = False
