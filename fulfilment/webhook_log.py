"""How much of what comes in as webhooks is kept: everything genuine, and of a flood a bounded beginning.

Decides what is stored, and whether a signature counts as fresh. What is not kept is counted, and rings like any
other, because a ring costs no space and its look-ups are limited in `core.orders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from core import orders
from core.base import clock, config
from core.base.db import db
from core.supplier import supply
from core.supplier.supply import WebhookEvent

Kept = Literal["signed", "unsigned", "seen"]
"""What a ring by this event is worth: fresh words with a signature, words anybody could have written, nothing new."""


def store(values: Mapping[str, Any]) -> Kept:
    """Store one event inside the open use case, or only count it. Needs `across_stores`."""
    if _seen_again(values["event_key"]):
        return "seen"
    fresh = _says_something_new(values)
    if (fresh or _has_room(values["order_ref"], len(values["body"]))) and not supply.keep_webhook(values):
        return "seen"  # the same event came in at the same moment
    return "signed" if fresh else "unsigned"


def _says_something_new(values: Mapping[str, Any]) -> bool:
    """Whether this is the first verified event with these words of this order.

    The signature covers the inner part alone: whoever holds one genuine body could send it for ever in new wrappings,
    and each would be an event of its own that rings at once.
    """
    if values["order_ref"] is None or values["verified_by"] in (None, "none"):
        return False
    said = select(WebhookEvent.id).where(
        WebhookEvent.order_ref == values["order_ref"],
        WebhookEvent.raw_status.is_not_distinct_from(values["raw_status"]),
        WebhookEvent.verified_by == values["verified_by"],
    )
    return db.session.scalar(said.limit(1)) is None


def _has_room(order_ref: str | None, body_bytes: int) -> bool:
    """Whether one more event may be kept. A flood about no order of ours, or about one, cannot crowd out the others."""
    settings = config.current()
    if order_ref is not None and orders.is_ours(order_ref):
        kept = select(func.count()).select_from(WebhookEvent).where(WebhookEvent.order_ref == order_ref)
        return (db.session.scalar(kept) or 0) < settings.webhooks_kept_of_order
    count, together = _count_stranger(body_bytes)
    return count <= settings.strangers_kept_in_hour and together <= settings.stranger_bytes_in_hour


def _seen_again(event_key: str) -> bool:
    """Count an event that is here already. False when it is not."""
    found = db.session.execute(
        update(WebhookEvent)
        .where(WebhookEvent.event_key == event_key)
        .values(times=WebhookEvent.times + 1, result="seen before")
    )
    return bool(found.rowcount)  # type: ignore[attr-defined]


def _count_stranger(body_bytes: int) -> tuple[int, int]:
    """Count an event that names no order of ours on this hour's own line of the log.

    Returns how many there were in the hour and the bytes of their bodies, this one included.
    """
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    line = insert(WebhookEvent).values(
        event_key=f"strangers {hour.isoformat()}",
        event="events of no order of ours",
        result="all those of this hour",
        received_at=clock.now(),
        body=b"",
        headers={"bytes": body_bytes},
        times=1,
    )
    together = WebhookEvent.headers["bytes"].as_integer() + body_bytes
    times, headers = db.session.execute(
        line.on_conflict_do_update(
            index_elements=[WebhookEvent.event_key],
            set_={"times": WebhookEvent.times + 1, "headers": func.jsonb_build_object("bytes", together)},
        ).returning(WebhookEvent.times, WebhookEvent.headers)
    ).one()
    return times, headers["bytes"]
