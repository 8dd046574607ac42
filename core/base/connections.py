"""Connections to the database that wait for an answer only so long.

Decides how long anything waits for a server that is frozen or away. What a session does over them
is decided in `db`.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Engine, event

from core.base import poolers

T = TypeVar("T")
_no_ping: ContextVar[bool] = ContextVar("makola_no_ping", default=False)


@contextmanager
def not_pinged() -> Iterator[None]:
    """Connections that the pool gives out meanwhile are not asked for a sign of life: for who can
    ask again when one turns out to be dead."""
    before = _no_ping.set(True)
    try:
        yield
    finally:
        _no_ping.reset(before)


class TimedConnection(psycopg.Connection[Any]):
    """A connection that waits for an answer only so long.

    A server that is frozen keeps its sockets alive: no timeout of the server's own and none of TCP
    ends a wait then.
    """

    answer_s: float | None = None

    def wait(
        self,
        gen: Generator[Any, Any, T],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> T:  # every answer of the server is awaited here
        try:
            return super().wait(
                gen, interval, self.answer_s if timeout is None else timeout
            )
        except psycopg.OperationalError:
            if (
                timeout is None
                and self.pgconn.transaction_status
                == psycopg.pq.TransactionStatus.ACTIVE
            ):
                # Its answer may come yet, and nobody would know to which question.
                self.pgconn.finish()
            raise


def limit_waits(engine: Engine, *, answer_s: float, ping_s: float) -> None:
    """Have every connection of `engine` give up on an answer after `answer_s`, and on a sign of
    life after `ping_s`.

    While nobody could connect, one thread tries and the others are refused at once: pages of a
    process must not all wait for the same dead server.
    """
    trying = threading.Lock()
    is_down = threading.Event()

    def connect(
        _dialect: Any,
        _record: Any,
        words: list[Any],
        options: dict[str, Any],
    ) -> TimedConnection:
        is_alone = trying.acquire(blocking=False)
        try:
            if is_down.is_set() and not is_alone:
                raise psycopg.OperationalError(
                    "the database did not answer a moment ago"
                )
            connection = TimedConnection.connect(*words, **options)
            connection.answer_s = answer_s
            poolers.refuse_connection(
                connection, f"The database's address of {connection.info.user}"
            )
            is_down.clear()
            return connection
        except psycopg.OperationalError:
            is_down.set()
            raise
        finally:
            if is_alone:
                trying.release()

    def ping(connection: Any) -> bool:
        if _no_ping.get():
            return True
        connection.answer_s = ping_s
        try:
            return was_pinged(connection)
        finally:
            connection.answer_s = answer_s

    was_pinged = engine.dialect.do_ping
    engine.dialect.do_ping = ping  # type: ignore[method-assign, assignment]
    event.listen(engine, "do_connect", connect)
