"""Connections to the database that wait for an answer only so long.

Decides how long anything waits for a server that is frozen or away, and what is asked of it besides
the statements themselves. What a session does over them is decided in `db`.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import IsolationLevel, generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import Engine, event

from core.base import asks, poolers
from core.base.asks import Ask, Plan
from core.base.cursors import Cursor

T = TypeVar("T")

FRESH_S = 1.0
"""A connection whose answer came so lately, and on which nothing has come since, needs no sign of
life: the next statement is one."""
PREPARE_AFTER = 2
"""How often a connection hears a statement before PostgreSQL is to keep its plan. Most threads of a
web process meet the same few dozen."""
PREPARED_MOST = 300
_BEGIN = Ask("BEGIN", {})
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
    sign_s: float | None = None
    """How long it waits for the first answer of a transaction, which is its sign of life."""
    heard_at: float = 0.0
    """When its last answer came, by the monotonic clock."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.cursor_factory = Cursor
        self.plans: dict[str, Plan] = {}
        """Statements of `ask_all` that this connection has planned."""
        self.next_plan = 0
        """No name is used twice: a plan may be kept although what came after it failed."""

    def begin(self, statement: str, values: Mapping[str, str]) -> None:
        """Begin a transaction with `statement`, in one exchange. Its values are bound, never
        written into it: what a statement says can be read by others of the same role, and in the
        server's log."""
        answer_s = self.answer_s
        self.answer_s = self.sign_s or answer_s
        try:
            self._begin(statement, values)
        except psycopg.errors.InvalidSqlStatementName:  # something has freed all plans
            self.rollback()
            self._begin(statement, values)
        finally:
            self.answer_s = answer_s

    def _begin(self, statement: str, values: Mapping[str, Any]) -> None:
        if self._is_plain():
            self.ask_all([_BEGIN, Ask(statement, values)])
        else:
            self.execute(statement, values)  # psycopg begins it as it was told to

    def _is_plain(self) -> bool:
        """Whether its next transaction is one like all others."""
        return (
            self.isolation_level in (None, IsolationLevel.READ_COMMITTED)
            and self.read_only is None
            and self.deferrable is None
            and not self.autocommit
        )

    def rollback(self) -> None:
        """As psycopg's, but what was prepared stays prepared after a transaction without an error:
        each read ends so, and nothing of ours makes or drops a table.
        """
        status = self.pgconn.transaction_status
        if status == TransactionStatus.IDLE:
            return
        if status == TransactionStatus.INTRANS:
            self.exchange("ROLLBACK")
            return
        failed = status == TransactionStatus.INERROR
        super().rollback()
        if failed and self.next_plan:
            self.plans.clear()
            self.exchange("DEALLOCATE ALL")

    def is_fresh(self) -> bool:
        """Whether it was heard a moment ago, and says nothing now: a server that ends a connection
        says so."""
        if time.monotonic() - self.heard_at > FRESH_S or self.closed:
            return False
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return not poll.poll(0)

    def ask_all(self, several: Sequence[Ask]) -> list[list[Any]]:
        """The rows of each statement, all sent at once, in the transaction that is open; with none
        open they are one by themselves. What comes after one that fails is not carried out.

        A statement that this connection meets for the first time is planned where it stands among
        them, so that what was said before it of locks and limits holds for its plan too.
        Raises psycopg's error of the first that failed.
        """
        plans: list[Plan] = []
        calls: list[Callable[[], None]] = []
        places: list[int] = []
        new: dict[str, Plan] = {}
        reader = Transformer(self)
        for one in several:
            plan = self.plans.get(one.statement) or new.get(one.statement)
            if plan is None:
                plan = new[one.statement] = self._new_plan()
                prepare = self.pgconn.send_prepare
                calls.append(partial(prepare, plan.name, asks.numbered(one)))
            plans.append(plan)
            places.append(len(calls))
            ask = self.pgconn.send_query_prepared
            calls.append(partial(ask, plan.name, asks.bound(reader, one)))
        try:
            answers = self.together(calls)
        except psycopg.Error:
            self._forget_plans(new)
            raise
        self.plans.update(new)
        return [
            asks.rows(reader, answers[place], plan)
            for place, plan in zip(places, plans, strict=True)
        ]

    def _new_plan(self) -> Plan:
        self.next_plan += 1
        return Plan(b"makola_%d" % self.next_plan)

    def _forget_plans(self, new: Mapping[str, Plan]) -> None:
        """After an error any plan may be the reason. In a transaction `rollback` forgets them."""
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            return
        close = self.pgconn.send_close_prepared
        names = [plan.name for plan in (*self.plans.values(), *new.values())]
        self.plans.clear()
        self.together([partial(close, name) for name in names])

    def exchange(self, statement: str) -> None:
        """Have one statement without values carried out."""
        with self.lock:
            self.pgconn.send_query(statement.encode())
            results = self.wait(generators.execute(self.pgconn))
        _raise_first(results)

    def together(self, calls: Iterable[Callable[[], None]]) -> list[PGresult]:
        """Send what `calls` send with `pgconn.send_…`, and wait once for all their answers, one for
        each. What comes after one that failed is not carried out. Raises psycopg's error of the
        first that failed."""
        with self.lock:
            self.pgconn.enter_pipeline_mode()
            is_over = False
            try:
                for call in calls:
                    call()
                self.pgconn.pipeline_sync()
                results = self.wait(_answers(self.pgconn))
                self.pgconn.exit_pipeline_mode()
                is_over = True
            finally:
                if not is_over:
                    # Its answers may come yet, and nobody would know to which questions.
                    self.pgconn.finish()
        _raise_first(results)
        return results

    def wait(
        self,
        gen: Generator[Any, Any, T],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> T:  # every answer of the server is awaited here
        try:
            answer = super().wait(
                gen, interval, self.answer_s if timeout is None else timeout
            )
            self.heard_at = time.monotonic()
            return answer
        except psycopg.OperationalError:
            if (
                timeout is None
                and self.pgconn.transaction_status == TransactionStatus.ACTIVE
            ):
                # Its answer may come yet, and nobody would know to which question.
                self.pgconn.finish()
            raise


def _answers(pgconn: PGconn) -> PQGen[list[PGresult]]:
    """The answers up to the end of a pipeline."""
    yield from generators.send(pgconn)
    results: list[PGresult] = []
    while True:
        result = yield from generators.fetch(pgconn)
        if result is None:
            continue  # the end of one statement's answer
        if result.status == ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)


def _raise_first(results: Iterable[PGresult]) -> None:
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise psycopg.errors.error_from_result(result)


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
            connection.answer_s, connection.sign_s = answer_s, ping_s
            connection.prepare_threshold = PREPARE_AFTER
            connection.prepared_max = PREPARED_MOST
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
        if _no_ping.get() or connection.is_fresh():
            return True
        connection.answer_s = ping_s
        try:
            return was_pinged(connection)
        finally:
            connection.answer_s = answer_s

    was_pinged = engine.dialect.do_ping
    engine.dialect.do_ping = ping  # type: ignore[method-assign, assignment]
    event.listen(engine, "do_connect", connect)
