"""Which store this piece of work may see, and as which role of the database it asks.

Two layers. The ORM adds `store_id = :current` to every statement on a `StoreScoped` table and
refuses foreign rows at flush; PostgreSQL's policies do the same to whatever goes round the ORM.
With no store set the first raises and the second shows nothing. Who opens which store is decided by
the edge and by `fulfilment.jobs`.

Seeing every store is a right of the platform's role and no setting: the store's role has no policy
that would let it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from sqlalchemy import BigInteger, ForeignKey, bindparam, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import (
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.orm.interfaces import CriteriaOption

from core.base import db as database
from core.base import signed

P = ParamSpec("P")
T = TypeVar("T")


class NoStore(RuntimeError):
    """A store's table was asked for with no store set."""


class ForeignRow(RuntimeError):
    """A row of another store was about to be written."""


class ScopeDuringWrite(RuntimeError):
    """The store was about to change inside an open use case."""


@dataclass(frozen=True)
class _Scope:
    store_id: int | None
    everything: bool = False
    engine: str | None = database.STORE


_NOTHING = _Scope(None)
_scope: ContextVar[_Scope] = ContextVar("makola_scope", default=_NOTHING)


class StoreScoped:
    """Mixin of tables that belong to a store. Platform rows, where a table has them, carry NULL."""

    store_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("stores.id"), index=False
    )


class StoreOrPlatformScoped(StoreScoped):
    """Mixin of tables that also hold the platform's own rows: those have `store_id` NULL and no
    store sees them."""

    store_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("stores.id"), nullable=True
    )  # type: ignore[assignment]


def use(store_id: int, *, as_platform: bool = False) -> None:
    """Work for this store from now on: in a request of it as the store's role, in a job
    `as_platform`."""
    _enter(
        _Scope(store_id, engine=database.PLATFORM if as_platform else database.STORE)
    )


def clear() -> None:
    """Forget the store: at the end of each request and job, and before the next begins."""
    _enter(_NOTHING)


def current_store_id() -> int:
    """The store set. Raises `NoStore` when there is none."""
    store_id = _scope.get().store_id
    if store_id is None:
        raise NoStore("no store is set for this work: see core/base/tenancy.py")
    return store_id


def sees_everything() -> bool:
    """Whether `across_stores` is open."""
    return _scope.get().everything


def is_platform() -> bool:
    """Whether this work connects as the platform's role, not as a store's."""
    return _scope.get().engine == database.PLATFORM


@contextmanager
def inside(store_id: int) -> Iterator[None]:
    """Enter one store as the platform: for a job, whose outbox row names it, and for commands. Both
    layers stand."""
    with _swapped(_Scope(store_id, engine=database.PLATFORM)):
        yield


@contextmanager
def across_stores() -> Iterator[None]:
    """See every store. Only for `core.orders.ring`, fulfilment/ and admin_console/ (and the edge);
    a test greps."""
    with _swapped(_Scope(None, everything=True, engine=database.PLATFORM)):
        yield


def as_platform(verb: Callable[P, T]) -> Callable[P, T]:
    """For verbs about what belongs to no store (people and log-ins, the supplier, switches): work
    as the platform, whoever calls. The stores' role has no right there. Inside an open use case the
    caller must be the platform already.
    """

    @wraps(verb)
    def outside(*args: P.args, **kwargs: P.kwargs) -> T:
        if is_platform():
            return verb(*args, **kwargs)
        with _swapped(_Scope(None, engine=database.PLATFORM)):
            return verb(*args, **kwargs)

    return outside


@contextmanager
def _swapped(scope: _Scope) -> Iterator[None]:
    before = _scope.get()
    _enter(scope)
    try:
        yield
    finally:
        _enter(before)


def _enter(scope: _Scope) -> None:
    if scope == _scope.get():
        return
    if database.in_transaction():
        raise ScopeDuringWrite("the store cannot change inside an open use case")
    # its transaction carries the old setting, and may be of the other role
    database.end_read()
    _scope.set(scope)
    database.connects_as.set(scope.engine)


TELL = (
    "SELECT set_config('makola.store', %(store)s, true) AS store, "
    # here, because it costs no round trip of its own
    "set_config('lock_timeout', %(lock_ms)s, true) AS lock_ms"
)
"""The first statement of each transaction: which store, and how long to wait for a lock."""
TELL_TO_READ = f"{TELL}, set_config('transaction_read_only', 'on', true) AS reads"
"""The same for what only reads."""


@event.listens_for(Session, "after_begin")
def _tell_postgres(
    _session: Session,
    _transaction: Any,
    connection: Any,
) -> None:
    """Feed row-level security, for this transaction only: a session-level setting would leak
    through the pool.

    Signed, so that a statement that was smuggled in cannot name another store: see migrations,
    `makola_store`.
    """
    driver = connection.connection.driver_connection
    try:
        driver.begin(TELL, told(_scope.get().store_id))
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise DBAPIError.instance(
            "BEGIN",
            None,
            error,
            psycopg.Error,
            connection_invalidated=driver.closed,
            dialect=connection.dialect,
        ) from error


def told(store_id: int | None) -> dict[str, str]:
    """What `TELL` takes: a store, signed for the database, or none; and the limit of waiting that
    holds now."""
    store = ""
    if store_id is not None:
        store = f"{store_id}.{signed.mac(f'store:{store_id}')}"
    return {"store": store, "lock_ms": str(database.lock_limit_ms())}


def _store_tables() -> tuple[type[StoreScoped], ...]:
    found: list[type[StoreScoped]] = []
    waiting = list(StoreScoped.__subclasses__())
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if hasattr(cls, "__table__"):
            found.append(cls)
    return tuple(found)


@event.listens_for(Session, "do_orm_execute")
def scope_statement(state: ORMExecuteState) -> None:
    """The first layer: every ORM SELECT, UPDATE and DELETE on a store's table is cut to the current
    store."""
    if _scope.get().everything or state.is_column_load or not state.is_orm_statement:
        return
    if state.is_select or state.is_update or state.is_delete:
        said = state.statement
        if said not in _cut:
            _cut[said] = said.options(_OF_THE_STORE)
        state.statement = _cut[said]


class _OfTheStore(CriteriaOption):
    """`store_id = :current` for every store's table, whichever a statement names: one option, since
    each statement is compared with earlier ones by its options. Which store is current is asked
    when it is carried out."""

    __slots__ = ()
    _traverse_internals = []  # noqa: RUF012 - as its base; all of its kind are the same

    def process_compile_state(self, compile_state: Any) -> None:
        self.get_global_criteria(compile_state.global_attributes)

    def process_compile_state_replaced_entities(
        self, compile_state: Any, mapper_entities: Any
    ) -> None:
        self.process_compile_state(compile_state)

    def get_global_criteria(self, attributes: dict[Any, Any]) -> None:
        current = bindparam(
            "makola_store_id", callable_=current_store_id, type_=BigInteger()
        )
        for table in _store_tables():
            is_current = table.store_id == current
            one = with_loader_criteria(table, is_current, include_aliases=True)
            one.get_global_criteria(attributes)


_OF_THE_STORE = _OfTheStore()
_cut: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""A statement → the same for the current store. One that is kept is cut once."""


@event.listens_for(Session, "before_flush")
def stamp_flush(session: Session, _context: Any, _instances: Any) -> None:
    """New rows get the current store. A row without one in a table that has platform rows stays the
    platform's."""
    if _scope.get().everything:
        return
    for row in session.new:
        if isinstance(row, StoreScoped) and not isinstance(row, StoreOrPlatformScoped):
            owner: int | None = row.store_id
            if owner is None:
                row.store_id = current_store_id()


@event.listens_for(Session, "before_flush")
def refuse_foreign_flush(
    session: Session,
    _context: Any,
    _instances: Any,
) -> None:
    """Rows of another store are refused before they reach the database."""
    if _scope.get().everything:
        return
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, StoreScoped) and row.store_id not in (
            None,
            current_store_id(),
        ):
            raise ForeignRow(
                f"{type(row).__name__} of store {row.store_id} in the work of store"
                f" {current_store_id()}"
            )
