"""Calls to one account of a partner's, each with a record of it left behind.

Decides how a call is made and what its record shows. What the answer means is decided by the
`judge` of each call; where records are kept is left to others.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from integrations import http
from integrations.masking import Mask
from integrations.ports import CallRecord, OnCall

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
    timeouts: http.Timeouts = field(kw_only=True)
    """Before `scale`."""


@dataclass(frozen=True, repr=False)
class Caller:
    """Base address, credentials and everything a call needs besides itself. `outcome_of` says in
    one word what came of it."""

    name: str
    outcome_of: Callable[[object], str]
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
            outcome = self.outcome_of(said)
            return said
        finally:
            if notes:
                log.warning(
                    "%s %s: %s",
                    self.name,
                    call.endpoint,
                    self.mask("; ".join(notes)),
                )
            if self.on_call is not None:
                duration_ms = round((time.monotonic() - began) * 1000)
                self.on_call(
                    self._record(
                        call, body, reply, outcome, started_at, duration_ms, notes
                    )
                )

    def put(self, url: str, file: bytes, timeouts: http.Timeouts) -> http.Reply:
        """A PDF, to an address that an answer named: without our credentials, and in no record,
        since whoever has the address may write there."""
        return http.send(
            "PUT",
            url,
            headers={"Content-Type": "application/pdf"},
            body=file,
            timeouts=_scaled(timeouts, self.scale),
            transport=self.transport,
        )

    def _send(self, call: Call, body: bytes | None) -> http.Reply:
        return http.send(
            call.method,
            self.base_url + call.path,
            headers=self.headers,
            body=body,
            timeouts=_scaled(call.timeouts, self.scale),
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
            supplier=self.name,
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


def _scaled(timeouts: http.Timeouts, scale: Callable[[float], float]) -> http.Timeouts:
    return http.Timeouts(*(scale(seconds) for seconds in astuple(timeouts)))
