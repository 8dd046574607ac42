"""The webhooks that came: the raw bytes of each, who signed it, and what became of it.

Stores and reads. How much of a flood is kept is decided in `fulfilment.webhook_log`, what news
means in `fulfilment`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, Table, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, config
from core.base.db import Model, db
from core.base.preconditions import inside_use_case
from core.base.tenancy import as_platform


class WebhookEvent(Model):
    """The raw bytes of a webhook, as it came, and what became of it."""

    __tablename__ = "webhook_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    event_key: Mapped[str] = mapped_column(unique=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    event: Mapped[str]
    order_ref: Mapped[str | None] = mapped_column(index=True)
    raw_status: Mapped[str | None]
    status: Mapped[str | None]
    verified_by: Mapped[str | None]
    times: Mapped[int] = mapped_column(default=1)
    result: Mapped[str] = mapped_column(default="stored")

    @property
    def body_text(self) -> str:
        return self.body.decode("utf-8", "replace")


def event_key(
    event: str,
    order_ref: str | None,
    raw_status: str | None,
    body: bytes,
) -> str:
    """What makes two webhooks the same event: name, reference, status and content (the contract has
    no event id)."""
    return hashlib.sha256(
        b"\x1f".join(
            [
                event.encode(),
                (order_ref or "").encode(),
                (raw_status or "").encode(),
                body,
            ]
        )
    ).hexdigest()


@inside_use_case
def keep(values: Mapping[str, Any]) -> bool:
    """Store an event. False when the same one was already here; it is counted."""
    times = db.session.execute(_KEEP, {"received_at": clock.now(), **values})
    return bool(times.scalar_one() == 1)


@inside_use_case
def count_together(event_key: str, body_bytes: int, what: str) -> tuple[int, int]:
    """Count an event, whose body is not kept, on a line of its own for all of its kind. Returns
    how many there were, and the bytes of their bodies, this one included."""
    line = {
        "event_key": event_key,
        "event": what,
        "result": "all those of this hour",
        "received_at": clock.now(),
        "body": b"",
        "headers": {"bytes": body_bytes},
    }
    times, headers = db.session.execute(_COUNT, line).one()
    return times, headers["bytes"]


_EVENTS = WebhookEvent.__table__
assert isinstance(_EVENTS, Table)
_ADD = insert(_EVENTS)
_ONCE_MORE = _EVENTS.c.times + 1
_KEEP = _ADD.on_conflict_do_update(
    index_elements=[_EVENTS.c.event_key],
    set_={"times": _ONCE_MORE, "result": "seen before"},
).returning(_EVENTS.c.times)
_TOGETHER = (
    _EVENTS.c.headers["bytes"].as_integer()
    + _ADD.excluded.headers["bytes"].as_integer()
)
_COUNT = _ADD.on_conflict_do_update(
    index_elements=[_EVENTS.c.event_key],
    set_={"times": _ONCE_MORE, "headers": func.jsonb_build_object("bytes", _TOGETHER)},
).returning(_EVENTS.c.times, _EVENTS.c.headers)


@as_platform
def newest(
    before_id: int | None = None, limit: int | None = None
) -> list[WebhookEvent]:
    """The webhook log, newest first."""
    query = (
        select(WebhookEvent)
        .order_by(WebhookEvent.id.desc())
        .limit(limit or config.current().page_size)
    )
    return list(
        db.session.scalars(
            query if before_id is None else query.where(WebhookEvent.id < before_id)
        )
    )


@as_platform
def of_order(order_ref: str) -> list[WebhookEvent]:
    return list(
        db.session.scalars(
            select(WebhookEvent)
            .where(WebhookEvent.order_ref == order_ref)
            .order_by(WebhookEvent.id)
        )
    )


@as_platform
def verified_completion(order_ref: str) -> WebhookEvent | None:
    """A webhook that says this order was completed and whose signature covers its words; one that
    came with the shared token alone does not count."""
    return db.session.scalar(
        select(WebhookEvent).where(
            WebhookEvent.order_ref == order_ref,
            WebhookEvent.status == "completed",
            WebhookEvent.verified_by.not_in(
                ("static_token", "none")
            ),  # NULL, unsigned, is not in either
        )
    )
