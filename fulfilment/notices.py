"""The handler that tells a device of its store's notices.

Decides what goes over the wire and what an answer means for the row of the outbox, which lives as
long as its device. What is said is `core.notices.sending`'s.
"""

from __future__ import annotations

import json

import structlog
from flask.globals import app_ctx

from core import notices
from core.base import clock
from core.leases import Lease
from core.notices.sending import Ready
from fulfilment.outcome import Outcome
from integrations.ports import Supplier
from integrations.push_port import Browser, Gone, Later, Message, Push, Refused

log = structlog.get_logger("notices")

KEEP_S = 4 * 3_600
"""A browser that is away for longer is not told: by then it is no news."""


def tell(lease: Lease, _begun: None, _supplier: Supplier) -> Outcome:
    """Tell one device what is new, with no transaction open during the call."""
    ready = notices.sending.ready(lease.subject_id)
    if ready is None:
        return Outcome(None)
    if ready.shown is None:
        return Outcome(notices.sending.told(ready, was_sent=False))
    push: Push = app_ctx.app.extensions["push"]
    device = ready.device
    handed = push.send(
        Browser(device.endpoint, device.p256dh, device.auth), _message(ready)
    )
    if isinstance(handed, Gone):
        log.info("a device is gone", device=device.id)
        notices.sending.gone(ready)
        return Outcome(None)
    if isinstance(handed, Later | Refused):
        log.warning("a notice was not taken", device=device.id, why=handed.reason)
        after_s = handed.after_s if isinstance(handed, Later) else None
        is_refused = isinstance(handed, Refused)
        return Outcome(notices.sending.not_taken(ready, after_s, is_refused=is_refused))
    return Outcome(notices.sending.told(ready, was_sent=True))


def _message(ready: Ready) -> Message:
    shown = ready.shown
    assert shown is not None
    said = {
        "title": shown.title,
        "body": shown.body,
        "href": shown.href,
        "tag": shown.topic,
        "at": int(clock.now().timestamp()),
    }
    payload = json.dumps(said, ensure_ascii=False).encode()
    keep_s = int(clock.seconds(KEEP_S))
    return Message(payload, shown.topic, shown.is_urgent, keep_s)
