"""Calls to one Data Mart account, each with a record of it left behind.

Decides how long a call may take and what its record shows. What the answer means is decided by the
`judge` of each call; where records are kept is left to others.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from integrations import http
from integrations.datamart.masking import Mask
from integrations.ports import (
    BulkResult,
    CallRecord,
    NoAnswer,
    NotSent,
    OnCall,
    Rejected,
    Unknown,
)

# Seconds, before `scale`. The supplier sleeps when idle and needs about 50 s to wake; a forwarding
# one waits 30 s more for the network. A purchase must end before the job that makes it (120 s).
CONNECT_S = 10.0
READ_PURCHASE_S = 90.0
READ_S = 60.0
WRITE_S = 10.0
POOL_S = 10.0
TOTAL_PURCHASE_S = 110.0
TOTAL_S = 80.0

SUPPLIER = "datamart"

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request of ours, before it is sent. `order_refs` says whose it is, for the record."""

    endpoint: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    order_refs: tuple[str, ...] = ()
    read_s: float = READ_S
    total_s: float = TOTAL_S


@dataclass(frozen=True, repr=False)
class Caller:
    """Base address, credentials and everything a call needs besides itself."""

    base_url: str
    headers: Mapping[str, str]
    mask: Mask
    on_call: OnCall | None
    clock: Callable[[], datetime]
    scale: Callable[[float], float]
    transport: http.Transport | None

    def ask(
        self, call: Call, judge: Callable[[http.Reply], T], notes: Sequence[str] = ()
    ) -> T:
        """Make the call and record it, however it ends; what is not the wire's doing flies on.
        `judge` may fill `notes`."""
        body = (
            None
            if call.body is None
            else json.dumps(call.body, separators=(",", ":")).encode()
        )
        started_at = self.clock()
        began = time.monotonic()
        reply: http.Reply | None = None
        outcome = "unknown"
        try:
            reply = self._send(call, body)
            said = judge(reply)
            outcome = outcome_of(said)
            return said
        finally:
            if notes:
                log.warning(
                    "datamart %s: %s", call.endpoint, self.mask("; ".join(notes))
                )
            if self.on_call is not None:
                duration_ms = round((time.monotonic() - began) * 1000)
                self.on_call(
                    self._record(
                        call, body, reply, outcome, started_at, duration_ms, notes
                    )
                )

    def _send(self, call: Call, body: bytes | None) -> http.Reply:
        return http.send(
            call.method,
            self.base_url + call.path,
            headers=self.headers,
            body=body,
            timeouts=http.Timeouts(
                connect=self.scale(CONNECT_S),
                read=self.scale(call.read_s),
                write=self.scale(WRITE_S),
                pool=self.scale(POOL_S),
                total=self.scale(call.total_s),
            ),
            transport=self.transport,
        )

    def _record(
        self,
        call: Call,
        body: bytes | None,
        reply: http.Reply | None,
        outcome: str,
        started_at: datetime,
        duration_ms: int,
        notes: Sequence[str],
    ) -> CallRecord:
        answered = reply if isinstance(reply, http.Answer) else None
        if reply is None:
            notes = ("cut short before an answer", *notes)
        elif not isinstance(reply, http.Answer):
            notes = (reply.reason, *notes)
        return CallRecord(
            supplier=SUPPLIER,
            endpoint=call.endpoint,
            method=call.method,
            path=self.mask(call.path),
            order_refs=call.order_refs,
            request_body=self.mask(body or b""),
            http_status=answered.status if answered else None,
            response_body=self.mask(answered.body if answered else b""),
            outcome=outcome,
            started_at=started_at,
            duration_ms=duration_ms,
            note=self.mask("; ".join(notes)),
        )


def outcome_of(said: object) -> str:
    """One word for the reader of the call log; of a bulk purchase the most worrying of its
    lines."""
    if isinstance(said, BulkResult):
        words = {outcome_of(line.result) for line in said.lines}
        return next(
            word for word in ("unknown", "not_sent", "refused", "ok") if word in words
        )
    if isinstance(said, Rejected):
        return "refused"
    if isinstance(said, NotSent):
        return "not_sent"
    if isinstance(said, Unknown):
        return "unknown"
    if isinstance(said, NoAnswer):
        return "no_answer"
    return "ok"
