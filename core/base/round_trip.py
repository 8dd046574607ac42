"""Statements of one store, carried out in one round trip to the database; or, to be read, of all of
them.

Whose store it is and the statements go out together, are one transaction, and are answered
together. For the pages that are shown so often that each trip counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any, TypeVar, cast

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import (
    JSON,
    ColumnElement,
    bindparam,
    column,
    insert,
    literal_column,
    table,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.elements import DQLDMLClauseElement

from core.base import connections, tenancy
from core.base.asks import Ask
from core.base.connections import TimedConnection
from core.base.db import (
    PLATFORM,
    STORE,
    Model,
    NestedTransaction,
    db,
    in_transaction,
    note_commit,
)

M = TypeVar("M", bound=Model)


def ask(statement: DQLDMLClauseElement) -> Ask:
    """`statement` with its constants; its `bindparam`s are `given` later. To put it into words
    takes longer than to ask it: who asks often keeps it."""
    made = statement.compile(dialect=db.engines[STORE].dialect)
    whole = made.construct_expanded_state(made.params)
    return Ask(whole.statement, whole.parameters)


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
    return _read_as(STORE, store_id, asks)


def read_everything(asks: Sequence[Ask]) -> list[list[Any]]:
    """As `read`, of every store and as the platform's role: for work that may see all of it, and
    `NoStore` for other."""
    if not tenancy.sees_everything():
        raise tenancy.NoStore("this work does not see every store")
    return _read_as(PLATFORM, None, asks)


def read_of_platform(asks: Sequence[Ask]) -> list[list[Any]]:
    """As `read`, of what belongs to no store: for verbs `as_platform`, and `NoStore` for other
    work."""
    if not tenancy.is_platform():
        raise tenancy.NoStore("this work is not the platform's")
    return _read_as(PLATFORM, None, asks)


def write(asks: Sequence[Ask]) -> list[list[Any]]:
    """A whole use case of the current store in one exchange: the rows of each statement, committed.
    For one that decides nothing by what it reads. As the stores' role, and as `within`."""
    if in_transaction():
        raise NestedTransaction("these statements are a use case of their own")
    pooled = _taken()
    connection = pooled.driver_connection
    assert isinstance(connection, TimedConnection)
    store_id = tenancy.current_store_id()
    try:
        found = connection.ask_all([Ask(tenancy.TELL, tenancy.told(store_id)), *asks])
    except psycopg.Error as error:
        raise _as_elsewhere(asks, error, is_lost=connection.broken) from error
    finally:
        _give_back(pooled, connection)
    note_commit()
    return found[1:]


def within(asks: Sequence[Ask]) -> list[list[Any]]:
    """The rows of each statement, carried out in the open use case, in one exchange. Raises
    SQLAlchemy's errors, as other statements of it do."""
    if not in_transaction():
        raise RuntimeError("statements that write need an open use case")
    connection = db.session.connection()
    driver = connection.connection.driver_connection
    assert isinstance(driver, TimedConnection)
    try:
        return driver.ask_all(asks)
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise _as_elsewhere(asks, error, is_lost=driver.closed) from error


def adding(model: type[Model], values: Mapping[str, Any], **said: str) -> Ask:
    """The statement that adds a row, and gives it back with all its columns. `said` are columns
    by an expression of the database, which must be a constant of the program. What is not named
    is left to the database."""
    columns = model.__table__.c
    told = {
        name: Jsonb(value) if isinstance(columns[name].type, JSON) else value
        for name, value in values.items()
        if name not in said
    }
    return Ask(_insert(model, tuple(told), tuple(said.items())), told)


@cache
def _insert(
    model: type[Model], names: tuple[str, ...], said: tuple[tuple[str, str], ...]
) -> str:
    # without what its columns would be given here when nothing is said of them
    bare = table(model.__tablename__, *(column(one.name) for one in model.__table__.c))
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    values |= {name: literal_column(expression) for name, expression in said}
    asked = insert(bare).values(values).returning(*bare.c)
    return str(asked.compile(dialect=db.engines[STORE].dialect))


class NotRead(RuntimeError):
    """A column of a row that was read without it. No AttributeError: templates show nothing for
    one."""


def made(
    model: type[M], row: Any, names: Iterable[str] | None = None, prefix: str = ""
) -> M:
    """What `model` says of a row of its columns, or of those that are named where the row has
    more, there with a prefix. It belongs to no session and to no mapping: it is to be read, not
    changed."""
    one: M = object.__new__(_read_only(model))
    if names is None:
        one.__dict__ = row._asdict()
    else:
        one.__dict__ = {name: getattr(row, prefix + name) for name in names}
    return one


def labelled(
    model: type[Model], names: Iterable[str], prefix: str
) -> list[ColumnElement[Any]]:
    """Columns of a statement that has more than theirs, as `made` takes them."""
    return [model.__table__.c[name].label(prefix + name) for name in names]


@cache
def _read_only(model: type[M]) -> type[M]:
    """The properties and methods of `model` over plain attributes: what its mapping does at each
    look at a column takes longer than all else that a list does with it."""
    own = {
        name: one
        for name, one in vars(model).items()
        if isinstance(one, FunctionType | property) and not name.startswith("__")
    }
    columns = model.__mapper__.column_attrs.keys()

    def not_read(_one: object, name: str) -> Any:
        if name in columns:
            raise NotRead(f"{model.__name__}.{name} was not read")
        raise AttributeError(name)

    return cast(type[M], type(model.__name__, (), own | {"__getattr__": not_read}))


def _read_as(
    role: str | None, store_id: int | None, asks: Sequence[Ask]
) -> list[list[Any]]:
    try:
        with connections.not_pinged():
            pooled = _taken(role)
        return _read(pooled, store_id, asks)
    except _Lost:
        pooled = _taken(role)
    try:
        return _read(pooled, store_id, asks)
    except _Lost as lost:
        raise _as_elsewhere(asks, lost.error) from lost


def _taken(role: str | None = STORE) -> PoolProxiedConnection:
    """A connection of the role's pool. What the driver says of one that cannot be made is raised as
    SQLAlchemy raises it."""
    try:
        return db.engines[role].raw_connection()
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
    pooled: PoolProxiedConnection, store_id: int | None, asks: Sequence[Ask]
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
        _give_back(pooled, connection)


def _give_back(pooled: PoolProxiedConnection, connection: TimedConnection) -> None:
    if connection.broken:
        pooled.invalidate()
    else:
        pooled.close()


def _as_elsewhere(
    asks: Sequence[Ask], error: psycopg.Error, *, is_lost: bool = False
) -> Exception:
    """What SQLAlchemy would have raised."""
    return DBAPIError.instance(
        asks[0].statement,
        None,
        error,
        psycopg.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=db.engines[STORE].dialect,
    )


def _send(
    connection: TimedConnection, store_id: int | None, asks: Sequence[Ask]
) -> list[list[Any]]:
    tell = Ask(tenancy.TELL_TO_READ, tenancy.told(store_id))
    return connection.ask_all([tell, *asks])[1:]
