"""One account at Paystack: its key, its addresses, and the two ways to ask it.

Decides how long a call may take, what each is sent with, and what its record shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from integrations import http
from integrations.calls import Call, Caller
from integrations.masking import Mask
from integrations.payment_shapes import Refused, Unclear
from integrations.payments_port import Span
from integrations.paystack import addresses, webhook
from integrations.ports import NoAnswer, NotSent, OnCall

NAME = "paystack"
READ = http.Timeouts(connect=5, read=30, write=10, pool=5, total=45)
LONG = http.Timeouts(connect=5, read=60, write=10, pool=5, total=75)
"""Seconds, before `scale`: what reads, and what charges or pays out."""
PAGE = 50
HIDDEN_MEMBERS = (
    *("otp", "access_code", "authorization_url", "authorization_code", "signature"),
    *("signedUrl", "account_number", "account_name", "first_name", "last_name"),
    *("email", "customer_email", "customer_name", "customer_phone", "phone"),
    *("delivery_address", "mobile_money_number", "ip_address", "name", "bin", "last4"),
)
"""What no record of a call shows: keys to money, and whose it is."""

T = TypeVar("T")


class Account:
    """Holds no connection and no state; safe to share between threads.

    `on_call` hears of every call, also of one that was cut short; it must not raise. Raises
    `ValueError` at once for an address, or for a key that is not of `mode`.
    """

    def __init__(
        self,
        secret_key: str,
        *,
        mode: str,
        on_call: OnCall | None,
        clock: Callable[[], datetime],
        base_url: str = addresses.REAL,
        previous_key: str = "",
        transport: http.Transport | None = None,
        scale: Callable[[float], float] = lambda seconds: seconds,
    ) -> None:
        base_url = (base_url or addresses.REAL).rstrip("/")
        http.check_url(base_url)
        for key in filter(None, (secret_key, previous_key)):
            if not re.fullmatch(rf"sk_{re.escape(mode)}_[!-~]+", key, re.ASCII):
                raise ValueError(f"the key is not one of mode {mode}")
        if not secret_key:
            raise ValueError("there is no secret key")
        headers = {
            "Authorization": f"Bearer {secret_key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        mask = Mask((secret_key, previous_key), HIDDEN_MEMBERS)
        self._caller = Caller(
            NAME, _outcome, base_url, headers, mask, on_call, clock, scale, transport
        )
        self._addresses = addresses.Addresses(base_url)
        self._keys = webhook.Keys(secret_key, previous_key)

    def _get(
        self,
        endpoint: str,
        path: str,
        judge: Callable[[http.Reply, float], T],
        reference: str = "",
    ) -> T:
        return self._ask(Call(endpoint, "GET", path, timeouts=READ), judge, reference)

    def _send(
        self,
        endpoint: str,
        path: str,
        body: Mapping[str, Any],
        judge: Callable[[http.Reply, float], T],
        reference: str = "",
        *,
        method: str = "POST",
        timeouts: http.Timeouts = READ,
    ) -> T:
        call = Call(endpoint, method, path, body, timeouts=timeouts)
        return self._ask(call, judge, reference)

    def _ask(
        self, call: Call, judge: Callable[[http.Reply, float], T], reference: str
    ) -> T:
        if reference:
            call = replace(call, order_refs=(reference,))
        return self._caller.ask(
            call, lambda reply: judge(reply, self._caller.clock().timestamp())
        )


def segment(value: str) -> str:
    """A value of ours as one part of a path. `.` and `..` would walk it even when they are encoded,
    so they become what no object is called."""
    return quote(value, safe="", errors="replace") if value.strip(".") else "%00"


def query(span: Span, **more: str | int | None) -> str:
    """Which rows of a list are asked for."""
    asked: dict[str, str | int | None] = {
        "perPage": PAGE,
        "from": _iso(span.since),
        "to": _iso(span.until),
        "status": span.status,
        **more,
    }
    return urlencode({name: value for name, value in asked.items() if value})


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z") if at else None


def _outcome(said: object) -> str:
    """One word for the reader of the call log."""
    for kind, word in (
        (Refused, "refused"),
        (NotSent, "not_sent"),
        (Unclear, "unknown"),
        (NoAnswer, "no_answer"),
    ):
        if isinstance(said, kind):
            return word
    return "ok"
