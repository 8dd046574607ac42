"""One notice to one push service, and what its answer means.

Which push services may be called is decided by whoever keeps their addresses
(`core.notices.devices`) and asked again here; a name that leads to no public address is not called.
No redirect is followed, no proxy of the environment taken (`integrations.http`).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from integrations import http
from integrations.http import Answer, NotConnected, Timeouts
from integrations.push_port import (
    Browser,
    Gone,
    Handed,
    Later,
    Message,
    Refused,
    Taken,
)

TIMEOUTS = Timeouts(connect=5, read=8, write=8, pool=5, total=12)
MAX_BYTES = 16 * 1024
"""Of an answer, of which nothing but the status is read."""
Looker = Callable[[str], list[str]]


def looked_up(host: str) -> list[str]:
    """The addresses of a host; none when it has none."""
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(address[0]) for *_, address in found]


class WebPush:
    """Sends with one key pair. `may_call` says whether an address is one of a push service;
    `transport` and `look` are for tests."""

    def __init__(
        self,
        pair: str,
        contact: str,
        may_call: Callable[[str], bool],
        clock: Callable[[], datetime],
        *,
        transport: http.Transport | None = None,
        look: Looker = looked_up,
    ) -> None:
        self._pair = pair
        self._contact = contact
        self._may_call = may_call
        self._clock = clock
        self._transport = transport
        self._look = look

    def send(self, browser: Browser, message: Message) -> Handed:
        # here, since nothing but a job that sends needs what these need
        from integrations.webpush import keys, sealing, signing

        try:
            http.check_url(browser.endpoint)
        except ValueError:
            return Gone()
        if not self._may_call(browser.endpoint):
            return Gone()
        if not self._is_public(browser.endpoint):
            return Later("no public address")
        try:
            body = sealing.seal(message.payload, browser.p256dh, browser.auth)
            said = signing.authorization(
                self._pair,
                browser.endpoint,
                self._contact,
                self._clock().timestamp(),
            )
        except sealing.BadBrowserKey:
            return Gone()
        except keys.BadKey as bad:
            return Later(f"MAKOLA_PUSH_KEY: {bad}")
        reply = http.send(
            "POST",
            browser.endpoint,
            headers={
                "Authorization": said,
                "Content-Encoding": "aes128gcm",
                "Content-Type": "application/octet-stream",
                "TTL": str(message.keep_s),
                "Topic": message.topic,
                "Urgency": "high" if message.is_urgent else "normal",
            },
            body=body,
            timeouts=TIMEOUTS,
            transport=self._transport,
            max_bytes=MAX_BYTES,
        )
        return _meant(reply)

    def _is_public(self, endpoint: str) -> bool:
        """Between this look and the call the name may come to mean another address; whoever is
        there then has no certificate for it."""
        found = self._look(urlsplit(endpoint).hostname or "")
        return bool(found) and all(
            ipaddress.ip_address(one.partition("%")[0]).is_global for one in found
        )


def _meant(reply: http.Reply) -> Handed:
    if isinstance(reply, NotConnected):
        return Later(reply.reason)
    if not isinstance(reply, Answer):
        return Later(reply.reason)
    status = reply.status
    if 200 <= status < 300:
        return Taken()
    if status in (404, 410):
        return Gone()
    if status == 429 or status >= 500:
        return Later(f"HTTP {status}", _after_s(reply.headers.get("retry-after", "")))
    return Refused(f"HTTP {status}")


def _after_s(said: str) -> float | None:
    """Seconds; a date is not read, the ladder goes on as without one."""
    return float(said) if said.isascii() and said.isdigit() and len(said) < 7 else None
