"""The database session and the one way to write: `with transaction():`.

Decides when things are committed: one transaction per use case, opened by the verb, never nested,
never committed elsewhere. What a session may see, and as which of the two roles it connects, is
decided by `tenancy`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import (
    BigInteger,
    Connection,
    CursorResult,
    DateTime,
    Engine,
    Executable,
    MetaData,
    Text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from core.base import config

T = TypeVar("T")


class Model(DeclarativeBase):
    """Base of all tables. Constraint names are fixed so that migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
    }


STORE, PLATFORM = "store", None
"""Names of the two engines: each connects as a role of its own, whose rights stand in
`core.base.rights`."""
connects_as: ContextVar[str | None] = ContextVar("makola_connects_as", default=STORE)
"""The engine that new transactions of this work use. Set by `tenancy` alone."""


class _Session(FlaskSession):
    """One session, two roles: which one a transaction connects as is known before its first
    statement."""

    def get_bind(
        self, *_: Any, bind: Engine | Connection | None = None, **__: Any
    ) -> Engine | Connection:
        if bind is not None:
            return bind
        return db.engines[connects_as.get()]


db = SQLAlchemy(
    metadata=Model.metadata,
    session_options={"expire_on_commit": False, "class_": _Session},
)
"""Only `db.session` and the engines are used; tables inherit `Model`, so the extension stays
replaceable."""


_LOST = frozenset({"40P01", "40001"})
"""Deadlock, serialization failure: PostgreSQL undid everything, and the same act may well succeed
at once."""
_WAITED = "55P03"
"""Lock timeout: whoever waited the whole time for a lock does not wait for it again; the person is
told instead."""
_lock_limit_s: ContextVar[float | None] = ContextVar("makola_lock_limit", default=None)
_committed: ContextVar[int] = ContextVar("makola_committed", default=0)
"""Use cases committed by this thread of work; only ever compared with an earlier reading."""


class NestedTransaction(RuntimeError):
    """A verb that opens a transaction was called inside another one."""


class UnsavedChange(RuntimeError):
    """A loaded row was changed outside `transaction()`, where nothing would save it."""


@contextmanager
def transaction() -> Iterator[Session]:
    """One use case. Commits at the end, rolls back on any exception, then runs what `after_commit`
    collected.

    Ends an open read first, so that the transaction sees the present and its rows are freshly
    locked. Raises `NestedTransaction` when one is already open in this session, `UnsavedChange`
    when a row was changed outside one.
    """
    session = db.session()
    if session.info.get("writing"):
        raise NestedTransaction(
            "a use case is one transaction: do not call a verb that writes from inside another"
        )
    if session.dirty or session.new or session.deleted:
        raise UnsavedChange("a row was changed outside a use case")
    # what was read before stays readable, detached; what is read now is fresh
    session.close()
    session.info["writing"] = True
    session.info["after_commit"] = []
    session.info["held"] = {}
    try:
        yield session
        session.commit()
        note_commit()
    except BaseException:
        session.close()  # rolls back
        raise
    finally:
        session.info["writing"] = False
        session.info.pop("held", None)
        waiting = session.info.pop("after_commit", [])
    for act in waiting:
        act()


def note_commit() -> None:
    """A use case was committed: what this thread of work does now is not done again as a whole."""
    _committed.set(_committed.get() + 1)


@contextmanager
def joined_transaction() -> Iterator[Session]:
    """The open use case, or one of its own where none is open: for verbs that are parts of larger
    ones as well."""
    if in_transaction():
        yield db.session()
        return
    with transaction() as session:
        yield session


def held_rows() -> dict[Any, Any]:
    """What the open use case has locked so far, by whatever names it: a locked row need not be
    asked for twice."""
    held: dict[Any, Any] = db.session().info["held"]
    return held


def retry_on_conflict(act: Callable[[], T]) -> T:
    """Do `act`, and again from its beginning when it lost against another at the database.

    Only while it has committed nothing, at most `db_tries` times in all, none of them begun later
    than `db_patience_s` after the first. Then, and for every other error, a lock waited for in vain
    among them, what PostgreSQL said is raised.
    """
    settings = config.current()
    began = time.monotonic()
    for tries in range(1, settings.db_tries + 1):
        committed = _committed.get()
        try:
            return act()
        except DBAPIError as error:
            late = time.monotonic() - began > settings.db_patience_s
            if (
                _word(error) not in _LOST
                or _committed.get() != committed
                or tries == settings.db_tries
                or late
            ):
                raise
        end_read()
        time.sleep(random.uniform(0.5, 1.5) * settings.db_pause_s * 2**tries)
    raise AssertionError("the last try returns or raises")


def rows_changed(
    statement: Executable, values: Mapping[str, object] | None = None
) -> int:
    """Carry out one statement that writes. Returns how many rows it changed."""
    done = db.session.execute(statement, values)
    assert isinstance(done, CursorResult)
    return done.rowcount


def is_conflict(error: BaseException) -> bool:
    """Whether this is PostgreSQL's word that a statement lost against another transaction, not that
    it was wrong."""
    return _word(error) in _LOST | {_WAITED}


def limit_lock_waits(limit_s: float | None) -> float | None:
    """Transactions that this thread of work begins from now on wait at most so long for a lock;
    None: `lock_work_s`.

    Returns the limit that held until now.
    """
    before = _lock_limit_s.get()
    _lock_limit_s.set(limit_s)
    return before


def lock_limit_ms() -> int:
    """How long a transaction that begins now waits for a lock, as PostgreSQL's `lock_timeout` takes
    it."""
    limit_s = _lock_limit_s.get()
    return round((config.current().lock_work_s if limit_s is None else limit_s) * 1_000)


def _word(error: BaseException) -> str | None:
    """PostgreSQL's five characters for what went wrong."""
    if not isinstance(error, DBAPIError):
        return None
    return getattr(error.orig, "sqlstate", None)


def in_transaction() -> bool:
    """Whether a use case is open in this session."""
    return db.session.registry.has() and bool(db.session().info.get("writing"))


def after_commit(act: Callable[[], None]) -> None:
    """Run `act` once, after the open use case has been committed; never when it rolls back."""
    session = db.session()
    if not session.info.get("writing"):
        raise RuntimeError("after_commit needs an open transaction")
    session.info["after_commit"].append(act)


def end_read() -> None:
    """Give back the connection of a finished read, before something slow such as a call to a
    supplier.

    What was read stands also when the server has died meanwhile: a page that is ready must not
    become an error.
    """
    try:
        db.session.remove()
    except DBAPIError:
        # The dead connection has nothing to roll back, and the pool throws it away.
        db.session.registry.clear()
