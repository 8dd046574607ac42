"""One process: its connections, who among them has waited too long, and its threads.

Decides who goes when there are too many. Leaves bytes to `wire` and the life of the process to
`worker`.
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING

import structlog

import http_server
from http_server import Head, Ready, Refusal, Renewal, Rules, WsgiApp
from http_server.pool import Caller, Pool
from http_server.reader import Request
from http_server.wire import BUSY, CLOSING, IDLE, NEW, Connection

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger("http_server")


class Office:
    """Everything the connections of one process share. Used on the loop only."""

    def __init__(
        self,
        app: WsgiApp,
        rules: Rules,
        address: tuple[str, int],
        threads: int,
        spooled: int,
    ) -> None:
        self.rules = rules
        self.is_stopping = False
        self.date = b""
        self.loop = asyncio.get_running_loop()
        self.pool = Pool(threads, http_server.QUEUE)
        self.side = Pool(1, http_server.QUEUE)
        self.caller = Caller(app, *address)
        self.connections: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}  # the longest first
        self._held_bytes = 0
        self._slots = spooled
        self.tell_date()

    # Connections

    def joined(self, connection: Connection) -> None:
        self.connections.add(connection)
        if len(self.connections) > http_server.CONNECTIONS:
            self.longest_gives_way()

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection, wait_s: float) -> None:
        """It waits for its other end, at most so long."""
        self._waiting.pop(connection, None)
        if not connection.is_gone:
            self._waiting[connection] = None
        connection.deadline = self.loop.time() + wait_s

    def stops_waiting(self, connection: Connection) -> None:
        self._waiting.pop(connection, None)

    def hold(self, connection: Connection, more_bytes: int) -> None:
        """What is kept of its bodies and untaken answers grew or shrank. When all is too much,
        others give way."""
        # it may have given way meanwhile
        more_bytes = max(more_bytes, -connection.held_bytes)
        self._held_bytes += more_bytes
        connection.held_bytes += more_bytes
        if more_bytes <= 0 or self._held_bytes <= http_server.HELD_BYTES:
            return
        for one in [
            one for one in self._waiting if one.held_bytes and one is not connection
        ]:
            if self._held_bytes <= http_server.HELD_BYTES:
                return
            self.hold(one, -one.held_bytes)
            one.give_way()

    def longest_gives_way(self) -> None:
        one = next(
            (one for one in self._waiting if one.phase != CLOSING), None
        ) or next(iter(self._waiting), None)
        if one is not None:
            self._waiting.pop(one)
            one.give_way()

    def look_at_deadlines(self) -> None:
        now = self.loop.time()
        for one in [one for one in self._waiting if one.deadline <= now]:
            one.expire()

    def refused(
        self, refusal: Refusal, headers: list[tuple[bytes, bytes]], peer_address: str
    ) -> None:
        """Write down what was refused to whom; `headers` are those that have come so far."""
        address = self.rules.address(headers, peer_address)
        log.info(
            "refused",
            status=refusal.status,
            why=refusal.sentence or None,
            address=address,
        )

    # Requests

    def give(
        self,
        connection: Connection,
        request: Request,
        renewal: Renewal | None,
    ) -> bool:
        """Have the program answer, if `renewal` does not; False when too many requests wait for a
        thread."""
        if request.head.path in self.rules.alone:
            pool = self.side
        else:
            pool = self.pool
        is_head = request.head.method == "HEAD"

        def work() -> None:
            ready = self.caller.answer(request, connection.peer, renewal)
            self._on_loop(
                connection.send,
                ready,
                is_head,
                request.is_last,
            )

        who = self.rules.address(request.head.headers, connection.peer[0])
        return pool.give(work, who, is_dear=self.rules.is_dear(request.head))

    def send_soon(self, connection: Connection, request: Request, ready: Ready) -> None:
        """In the loop's next turn: who sends many requests in a row lets others in between."""
        connection.phase = BUSY
        self.stops_waiting(connection)
        is_head = request.head.method == "HEAD"
        self.loop.call_soon(connection.send, ready, is_head, request.is_last)

    def ask_for_log_in(self, connection: Connection, head: Head) -> None:
        def work() -> None:
            self._on_loop(connection.log_in_is, self._is_logged_in(connection, head))

        if not self.pool.give(
            work, self.rules.address(head.headers, connection.peer[0])
        ):
            connection.refuse(Refusal(503))

    def take_slot(self) -> bool:
        if self._slots == 0:
            return False
        self._slots -= 1
        return True

    def slot_is_free(self) -> None:
        self._slots += 1

    def _is_logged_in(self, connection: Connection, head: Head) -> bool:
        try:
            return self.rules.is_logged_in(self.caller.environ(head, connection.peer))
        except Exception:
            log.exception("the log-in could not be looked at")
            return False

    def _on_loop(self, call: Callable[..., None], *words: bool | Ready) -> None:
        try:
            self.loop.call_soon_threadsafe(call, *words)
        except RuntimeError:  # the loop is closed: the process ends
            pass

    # The process

    def tell_date(self) -> None:
        self.date = f"Date: {formatdate(usegmt=True)}\r\n".encode()

    def stop(self) -> None:
        """Take nothing new; connections go when their request is answered."""
        self.is_stopping = True
        for one in list(self._waiting):
            if one.phase in (NEW, IDLE, CLOSING):
                one.transport.close()
