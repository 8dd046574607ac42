"""One connection: where it is, how long it may be there, and in which order its requests are
answered.

Leaves reading to `reader` and the program to `pool`. Everything here runs on the loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import http_server
from http_server import Head, Ready, Refusal, Renewal
from http_server.reader import Reader, Request

if TYPE_CHECKING:
    from http_server.office import Office

NEW, IDLE, HEAD, BODY, ASKING, BUSY, SENDING, CLOSING = range(8)
"""No byte yet, between requests, in a head, in a body, its log-in being looked at, its request with
a thread, its answer with the reader, answered for the last time."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST = b"Connection: close\r\n"


class Connection(asyncio.Protocol):
    """A socket between its first byte and its last."""

    __slots__ = (
        "deadline",
        "has_slot",
        "held_bytes",
        "is_eof",
        "is_gone",
        "is_paused",
        "office",
        "peer",
        "phase",
        "reader",
        "sending_bytes",
        "transport",
        "waiting",
    )

    def __init__(self, office: Office) -> None:
        self.office = office
        self.phase = NEW
        self.deadline = 0.0
        self.held_bytes = self.sending_bytes = 0
        self.waiting: deque[Request | Refusal] = deque()
        self.is_eof = self.is_gone = self.is_paused = self.has_slot = False
        self.reader = Reader(self)

    # What the loop says

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.peer = transport.get_extra_info("peername") or ("", 0)
        # then `pause_writing` tells that the reader has not taken all
        transport.set_write_buffer_limits(0)
        self.wait(NEW, http_server.HEAD_S)
        self.office.joined(self)

    def data_received(self, data: bytes) -> None:
        if self.phase in (NEW, IDLE):
            self.wait(HEAD, http_server.HEAD_S)
        self.reader.feed(data)

    def eof_received(self) -> bool:
        """The sender is done. What it is owed it still gets; a request cut off here is refused."""
        self.is_eof = True
        if self.phase in (BODY, ASKING):
            self.refuse(Refusal(400, http_server.CUT_OFF))
        return self.phase in (BUSY, SENDING)

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_gone = True
        self.reader.forget()
        self.drop_waiting()
        self.office.hold(self, -self.held_bytes)
        self.give_slot_back()
        self.office.left(self)

    def pause_writing(self) -> None:
        self.sending_bytes = self.transport.get_write_buffer_size()
        self.wait(SENDING, http_server.SEND_S)
        self.office.hold(self, self.sending_bytes)

    def resume_writing(self) -> None:
        self.office.hold(self, -self.sending_bytes)
        self.sending_bytes = 0
        if self.phase == SENDING:
            self.go_on()

    # What the reader says

    def body_comes(self, head: Head, needs_log_in: bool) -> None:
        """A head is whole and may be followed by a body."""
        # an earlier request is under way, and its answer comes first
        if self.phase in (
            BUSY,
            SENDING,
        ):
            if needs_log_in:
                self.refuse(Refusal(413))  # no browser sends that ahead
            return
        self.wait(BODY, http_server.BODY_S)
        if needs_log_in:
            self.ask_for_log_in(head)
        else:
            self.invite()

    def came(self, request: Request | Refusal) -> None:
        """Something to answer: now, or after what came before it."""
        if self.phase in (ASKING, BUSY, SENDING):
            self.waiting.append(request)
            self.pause()
            if len(self.waiting) > http_server.PIPELINED:
                self.reader.is_deaf = True
        elif isinstance(request, Refusal):
            self.answer_refusal(request)
        else:
            self.begin(request)

    def refuse(self, refusal: Refusal) -> None:
        """Answer so after all that came before, and listen no more."""
        if self.phase == ASKING:  # nothing came before, and what came is not wanted
            self.drop_waiting()
            self.phase = BODY
        self.reader.forget()
        self.came(refusal)

    # Bodies that only a live log-in may send

    def ask_for_log_in(self, head: Head) -> None:
        """Nothing more is read before it is known."""
        if not self.office.take_slot():
            self.refuse(Refusal(503))
            return
        self.has_slot = True
        self.reader.spool()
        self.wait(ASKING, http_server.BODY_S)
        self.pause()
        self.office.ask_for_log_in(self, head)

    def log_in_is(self, live: bool) -> None:
        """The answer to `ask_for_log_in`."""
        if self.is_gone or self.phase != ASKING:
            return
        if not live:
            self.refuse(Refusal(413))
            return
        self.wait(BODY, http_server.BODY_S)
        self.resume()
        self.invite()
        if self.waiting:  # the rest had come with the head
            self.came(self.waiting.popleft())

    def give_slot_back(self) -> None:
        if self.has_slot:
            self.has_slot = False
            self.office.slot_is_free()

    # Answering

    def begin(self, request: Request) -> None:
        stored = self.stored(request.head)
        self.let_go(request)
        if isinstance(stored, Ready):
            self.office.send_soon(self, request, stored)
        elif self.office.give(self, request, stored):
            self.phase = BUSY
            self.office.stops_waiting(self)
        else:
            request.close()
            self.reader.forget()
            self.answer_refusal(Refusal(503))

    def stored(self, head: Head) -> Ready | Renewal | None:
        """An answer that is kept ready, so that no thread is needed, or one that must be looked
        at."""
        stored = self.office.rules.stored
        if stored is None or head.method not in ("GET", "HEAD"):
            return None
        return stored(head)

    def send(self, ready: Ready, is_head: bool, is_last: bool) -> None:
        """The answer of the request under way."""
        self.give_slot_back()
        if self.transport.is_closing():
            self.drop_waiting()
            return
        if not self.waiting and (self.is_eof or self.office.is_stopping):
            is_last = True
        self.reader.is_deaf = self.reader.is_deaf or is_last
        last = LAST if is_last else b""
        body = b"" if is_head else ready.body
        self.write(ready.head, last, self.office.date, b"\r\n", body)
        if self.phase == BUSY:  # else the reader has not taken it all yet
            self.go_on()

    def answer_refusal(self, refusal: Refusal) -> None:
        ready = self.office.rules.refusal(refusal)
        self.office.refused(refusal, self.reader.headers, str(self.peer[0]))
        self.give_slot_back()
        self.reader.is_deaf = True
        self.drop_waiting()
        if self.transport.is_closing():
            return
        self.phase = BUSY
        self.write(ready.head, LAST, self.office.date, b"\r\n", ready.body)
        if self.phase == BUSY:
            self.go_on()

    def write(self, *parts: bytes) -> None:
        self.transport.write(b"".join(parts))

    def go_on(self) -> None:
        """The answer is with the reader: what comes next?"""
        if self.waiting:
            self.phase = IDLE
            self.came(self.waiting.popleft())
            return
        self.resume()
        if self.reader.is_deaf:
            self.close()
        elif self.reader.head is not None:
            self.wait(BODY, http_server.BODY_S)
            self.invite()
        elif self.reader.head_bytes:
            self.wait(HEAD, http_server.HEAD_S)
        else:
            self.wait(IDLE, http_server.IDLE_S)

    def invite(self) -> None:
        """Tell a sender who waits for it that the body may come."""
        head = self.reader.head
        if head is None or not head.waits_for_word or self.reader.received:
            return
        if not self.transport.is_closing():
            self.transport.write(CONTINUE)

    def close(self) -> None:
        """This was all. A sender in full flow is heard a moment longer, or it would not get to read
        why."""
        self.wait(CLOSING, http_server.LINGER_S)
        if self.is_eof:
            self.transport.close()
            return
        try:
            self.transport.write_eof()
        except OSError:  # the other end is gone already
            self.transport.abort()

    # Waiting

    def expire(self) -> None:
        """The deadline has passed."""
        if self.phase in (HEAD, BODY, ASKING):
            self.refuse(Refusal(408))
        elif self.phase in (SENDING, CLOSING):
            self.transport.abort()
        else:
            self.transport.close()

    def give_way(self) -> None:
        """Too many are here, and this one has waited longest."""
        if self.phase in (HEAD, BODY, ASKING):
            self.refuse(Refusal(503))
            self.transport.close()
        else:
            self.transport.abort() if self.phase == SENDING else self.transport.close()

    def wait(self, phase: int, wait_s: float) -> None:
        self.phase = phase
        self.office.waits(self, wait_s)

    def drop_waiting(self) -> None:
        for request in self.waiting:
            if isinstance(request, Request):
                self.let_go(request)
                request.close()
        self.waiting.clear()

    def let_go(self, request: Request) -> None:
        """Its body is not this connection's any more."""
        if isinstance(request.body, bytes):
            self.office.hold(self, -len(request.body))

    def pause(self) -> None:
        if not self.is_paused:
            self.is_paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.is_paused and not self.is_gone:
            self.is_paused = False
            self.transport.resume_reading()
