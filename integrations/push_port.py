"""What Makola asks of push services, and what may come of it. Knows no HTTP and no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Browser:
    """Where a notice goes: an address of a push service, and the browser's keys in base64url."""

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True)
class Message:
    """What is sent. Of two with one topic the push service keeps the newer for a browser that is
    away, for `keep_s` at most."""

    payload: bytes
    topic: str
    is_urgent: bool
    keep_s: int


@dataclass(frozen=True)
class Taken:
    """The push service has it."""


@dataclass(frozen=True)
class Gone:
    """The browser does not take notices at this address any more."""


@dataclass(frozen=True)
class Later:
    """Nothing is known to have been taken: try again, not before `after_s` when one is named."""

    reason: str
    after_s: float | None = None


@dataclass(frozen=True)
class Refused:
    """The push service does not take this from us."""

    reason: str


Handed = Taken | Gone | Later | Refused


class Push(Protocol):
    """Hands a notice to a push service. Never raises for what a push service does."""

    def send(self, browser: Browser, message: Message) -> Handed: ...
