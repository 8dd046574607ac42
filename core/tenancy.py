"""Which store this piece of work may see: the ORM scope and the setting that feeds row-level security.

Two walls. The ORM adds `store_id = :current` to every statement on a `StoreScoped` table and refuses foreign rows at
flush; PostgreSQL's policies do the same to whatever goes round the ORM. With no store set the first raises and the
second shows nothing. Who opens which store is decided by the door and by `fulfilment.jobs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, bindparam, event, text
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, mapped_column, with_loader_criteria

from core import db as database
from core.db import db


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


_NOTHING = _Scope(None)
_scope: ContextVar[_Scope] = ContextVar("makola_scope", default=_NOTHING)

on_acting: Callable[[int, str], None] | None = None
"""Writes the audit line of `acting_in`. Set by `core.audit`, which sits above this module."""


class StoreScoped:
    """Mixin of tables that belong to a store. Platform rows, where a table has them, carry NULL."""

    store_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("stores.id"), index=False)


def use(store_id: int) -> None:
    """Work for this store from now on, in this request or job."""
    _enter(_Scope(store_id))


def clear() -> None:
    """Forget the store: at the end of each request and job, and before the next begins."""
    _enter(_NOTHING)


def current_store_id() -> int:
    """The store set. Raises `NoStore` when there is none."""
    store_id = _scope.get().store_id
    if store_id is None:
        raise NoStore("no store is set for this work: see core/tenancy.py")
    return store_id


def sees_everything() -> bool:
    """Whether `across_stores` is open."""
    return _scope.get().everything


@contextmanager
def acting_in(store_id: int, reason: str) -> Iterator[None]:
    """Work in one store from outside it (console, CLI, seeds). Leaves an audit line with `reason`."""
    if on_acting is not None:
        on_acting(store_id, reason)
    with _swapped(_Scope(store_id)):
        yield


@contextmanager
def inside(store_id: int) -> Iterator[None]:
    """Enter the store an outbox row names, for the length of one job."""
    with _swapped(_Scope(store_id)):
        yield


@contextmanager
def across_stores() -> Iterator[None]:
    """See every store. Only for `core.orders.ring`, fulfilment/ and admin_console/ (and their door); a test greps."""
    with _swapped(_Scope(None, everything=True)):
        yield


@contextmanager
def widened() -> Iterator[None]:
    """Let the statements of an open use case touch platform rows too, at the database only. For `ledger.post`."""
    session = db.session()
    session.execute(text("SELECT set_config('makola.scope', 'all', true)"))
    yield
    # Not in a finally: after a failed statement the transaction is dead and its settings die with it.
    session.execute(text("SELECT set_config('makola.scope', :scope, true)"), {"scope": _scope_word(_scope.get())})


class StoreOrPlatformScoped(StoreScoped):
    """Mixin of tables that also hold the platform's own rows: those have `store_id` NULL and no store sees them."""

    store_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("stores.id"), nullable=True)  # type: ignore[assignment]


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
    database.end_read()  # its transaction carries the old setting
    _scope.set(scope)


def _scope_word(scope: _Scope) -> str:
    return "all" if scope.everything else ""


def _required_store_id() -> int:
    return current_store_id()


@event.listens_for(Session, "after_begin")
def _tell_postgres(session: Session, _transaction: Any, connection: Any) -> None:
    """Feed row-level security, for this transaction only: a session-level setting would leak through the pool."""
    scope = _scope.get()
    connection.execute(
        text(
            "SELECT set_config('makola.store', :store, true), set_config('makola.scope', :scope, true), "
            "set_config('lock_timeout', :lock_ms, true)"  # here, because it costs no round trip of its own
        ),
        {
            "store": "" if scope.store_id is None else str(scope.store_id),
            "scope": _scope_word(scope),
            "lock_ms": str(database.lock_limit_ms()),
        },
    )


def _store_tables() -> list[type[StoreScoped]]:
    found: list[type[StoreScoped]] = []
    waiting = list(StoreScoped.__subclasses__())
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if hasattr(cls, "__table__"):
            found.append(cls)
    return found


@event.listens_for(Session, "do_orm_execute")
def scope_statement(state: ORMExecuteState) -> None:
    """The first wall: every ORM SELECT, UPDATE and DELETE on a store's table is cut to the current store."""
    if _scope.get().everything or state.is_column_load or not state.is_orm_statement:
        return
    if state.is_select or state.is_update or state.is_delete:
        state.statement = state.statement.options(
            *(
                with_loader_criteria(
                    cls,
                    cls.store_id == bindparam("makola_store_id", callable_=_required_store_id, type_=BigInteger()),
                    include_aliases=True,
                )
                for cls in _store_tables()
            )
        )


@event.listens_for(Session, "before_flush")
def stamp_flush(session: Session, _context: Any, _instances: Any) -> None:
    """New rows get the current store. A row without one in a table that has platform rows stays the platform's."""
    if _scope.get().everything:
        return
    for row in session.new:
        if isinstance(row, StoreScoped) and not isinstance(row, StoreOrPlatformScoped):
            owner: int | None = row.store_id
            if owner is None:
                row.store_id = current_store_id()


@event.listens_for(Session, "before_flush")
def refuse_foreign_flush(session: Session, _context: Any, _instances: Any) -> None:
    """Rows of another store are refused before they reach the database."""
    if _scope.get().everything:
        return
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, StoreScoped) and row.store_id not in (None, current_store_id()):
            raise ForeignRow(f"{type(row).__name__} of store {row.store_id} in the work of store {current_store_id()}")
