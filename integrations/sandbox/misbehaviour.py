"""Carrying out the faults that met one request: wait, answer nonsense, or lose the connection.

Decides what each fault does before and after the endpoint has worked. Which faults meet is decided
in `faults.py`.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.wrappers import Request, Response

from integrations.sandbox import faults, figures, spellings, strangers, wire
from integrations.sandbox.faults import Fault
from integrations.sandbox.state import Sandbox

SOCKET = "sandbox.socket"
"""Environ key under which a server that can misuse its socket leaves a handle (see
`sockets.py`)."""
LOG = "sandbox.log"
"""Environ key for words the server adds to its log line."""

_LOST = {"drop": "close", "reset": "reset", "short_body": "short_body"}
_BAD_GATEWAY = (
    "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1>"
    "<p>This service is currently unavailable.</p></body></html>"
)
_ERROR_500 = {
    "purchase": ("Error processing purchase", "PROCESSING_ERROR"),
    "bulk": ("Error processing bulk purchase", "BULK_PROCESSING_ERROR"),
    "bulk_alias": ("Error processing bulk purchase", "BULK_PROCESSING_ERROR"),
    "status": ("Failed to retrieve transaction", "TRANSACTION_ERROR"),
    "balance": ("Failed to retrieve balance", "BALANCE_ERROR"),
    "account": ("Failed to retrieve account", "ACCOUNT_ERROR"),
    "products": ("Failed to retrieve products", "PRODUCT_ERROR"),
    "capacities": ("Failed to retrieve capacities", "CAPACITY_ERROR"),
    "webhook": ("Failed to update webhook", "WEBHOOK_ERROR"),
}


class Misconduct:
    """The faults of one request, and the means to carry them out."""

    def __init__(
        self,
        sandbox: Sandbox,
        request: Request,
        endpoint: str,
        reference: str | None,
        met: list[Fault],
    ) -> None:
        self.faults = met
        self._sandbox = sandbox
        self._endpoint = "bulk" if endpoint == "bulk_alias" else endpoint
        self._reference = reference
        self._socket: Any = request.environ.get(SOCKET)
        self._charged_to: Counter[bool] = Counter()
        words = request.environ.setdefault(LOG, {})
        words.update({"reference": reference, "faults": [fault.fault for fault in met]})

    def at_the_gate(self) -> Response | None:
        """The answer of a fault that never lets the request in, after any delay."""
        for fault in self.faults:
            if fault.fault == "delay":
                self._wait("before", fault.fault, fault.duration_s)
        chosen = next(
            (fault for fault in self.faults if fault.fault in faults.GATE), None
        )
        if chosen is None:
            return None
        return self._turn_away(chosen)

    def before(self) -> None:
        """Hold a request that is past the door, before its endpoint works."""
        for fault in self.faults:
            if fault.fault == "hold_before":
                self._wait(
                    "before",
                    fault.fault,
                    fault.seconds or self._sandbox.knobs.hold_cap_s,
                )
                gone = self._sandbox.knobs.abandon_on_disconnect and self._client_gone()
                if gone or self._sandbox.holds.stopping:
                    raise Abandoned

    def after(self, work: Callable[[], Response]) -> Response:
        """Do the work, then spoil its answer as planned."""
        try:
            response = work()
        except Abandoned:
            return self.lose("close")
        if self._charged_to:
            time.sleep(self._sandbox.knobs.answer_s)
        for fault in self.faults:
            if fault.fault in faults.FIGURES:
                figures.spoil(self._sandbox.store, response, fault)
            if fault.fault in faults.EDITED:
                wire.edit(response, fault.members or {})
        spoils = faults.AFTER | faults.SPELLED
        chosen = next((fault for fault in self.faults if fault.fault in spoils), None)
        if chosen is None:
            return response
        return self._spoil(response, chosen)

    @contextmanager
    def on_record(self) -> Iterator[None]:
        """List this request, if it buys, as being worked on; at the end keep a record if its client
        is gone by then."""
        if self._endpoint not in ("purchase", "bulk") or self._socket is None:
            yield
            return
        port = self._socket.peer_port
        self._sandbox.buying[port] = {
            "reference": self._reference,
            "since": time.time(),
            "peer_port": port,
        }
        try:
            yield
            self._note_abandoned()
        finally:
            del self._sandbox.buying[port]

    def note_charge(self) -> None:
        """Money was taken for this request: remember whether its client still waited."""
        self._charged_to[self._client_gone()] += 1

    def _note_abandoned(self) -> None:
        if not self._client_gone():
            return
        if self._charged_to[True]:
            stage = "before"
        elif self._charged_to[False]:
            stage = "after"
        else:
            stage = "uncharged"
        record = {
            "at": time.time(),
            "endpoint": self._endpoint,
            "reference": self._reference,
            "stage": stage,
            "faults": [fault.fault for fault in self.faults],
            "peer_port": self._socket.peer_port,
        }
        self._sandbox.abandoned.append(record)

    def lose(self, kind: str) -> Response:
        """Close the connection without a whole answer; where no socket is at hand, raise
        instead."""
        if self._socket is None:
            raise self._sandbox.dropped(kind)
        self._socket.misuse(kind)
        return Response(status=500)

    def _turn_away(self, fault: Fault) -> Response:
        name = fault.fault
        if name in ("drop_before", "reset_before"):
            return self.lose(_LOST[name.removesuffix("_before")])
        if name == "html_502":
            return wire.plain(502, _BAD_GATEWAY)
        if name == "empty_503":
            return Response(status=503)
        if name == "text_429":
            wait_s = math.ceil(fault.duration_s)
            headers = {
                "X-RateLimit-Limit": str(self._sandbox.knobs.rate_limit),
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(math.ceil(self._sandbox.clock.now()) + wait_s),
                "Retry-After": str(wait_s),
            }
            return wire.plain(429, "API rate limit exceeded", **headers)
        if name == "http_401":
            return wire.short_failure(401, "Invalid API key")
        if name == "refused":
            return wire.failure(
                self._sandbox.clock,
                fault.status or 400,
                "Refused",
                str(fault.says or "REFUSED"),
            )
        if name in strangers.ANSWERS:
            return strangers.ANSWERS[name]()
        if name == "http_500_auth":
            return wire.short_failure(500, "API authentication error")
        return self._error_500()

    def _spoil(self, response: Response, fault: Fault) -> Response:
        name = fault.fault
        if name in faults.SPELLED:
            return spellings.respell(response, name)
        if name in ("drop_after", "reset_after", "short_body"):
            return self._lose_part_of(response, _LOST[name.removesuffix("_after")])
        if name in ("hold_after", "hang_after"):
            return self._hold(response, fault)
        if name == "trickle":
            if self._socket is not None:
                self._socket.misuse("trickle", fault.duration_s)
            return response
        if name == "truncated_json":
            whole = response.get_data()
            response.set_data(whole[: max(len(whole) // 2, 1)])
            return response
        return self._in_place_of_the_answer(name)

    def _hold(self, response: Response, fault: Fault) -> Response:
        """Wait with the answer in hand; one that hangs is never given."""
        seconds = fault.seconds or self._sandbox.knobs.hold_cap_s
        hangs = fault.fault == "hang_after"
        self._wait("after", fault.fault, seconds, leave_when_gone=hangs)
        if hangs or self._sandbox.holds.stopping:
            return self.lose("close")
        return response

    def _in_place_of_the_answer(self, name: str) -> Response:
        if name == "html_200_after":
            return wire.plain(200, "<html><body><p>OK</p></body></html>")
        if name == "html_502_after":
            return wire.plain(502, _BAD_GATEWAY)
        if name == "empty_503_after":
            return Response(status=503)
        return wire.failure(
            self._sandbox.clock, 500, "Internal server error", "INTERNAL_ERROR"
        )

    def _lose_part_of(self, response: Response, kind: str) -> Response:
        if kind == "short_body" and self._socket is not None:
            self._socket.misuse(kind)
            return response
        return self.lose(kind)

    def _error_500(self) -> Response:
        message, code = _ERROR_500.get(
            self._endpoint, ("Internal server error", "INTERNAL_ERROR")
        )
        return wire.failure(
            self._sandbox.clock,
            500,
            message,
            code,
            details="connection to the database timed out",
        )

    def _wait(
        self, stage: str, name: str, seconds: float, *, leave_when_gone: bool = False
    ) -> None:
        if name == "delay" and self._endpoint not in ("purchase", "bulk"):
            time.sleep(seconds)
            return
        self._sandbox.holds.wait(
            self._endpoint,
            self._reference,
            stage,
            name,
            seconds,
            self._client_gone,
            leave_when_gone=leave_when_gone,
        )

    def _client_gone(self) -> bool:
        return self._socket is not None and bool(self._socket.client_gone())


class Abandoned(Exception):
    """The client went away before anything was done, and the supplier noticed."""
