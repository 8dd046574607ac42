"""How much of what comes in as webhooks is kept: everything genuine, and of a flood a bounded
beginning.

Decides what is stored, and whether a signature counts as fresh. What is not kept is counted, and
rings like any other, because a ring costs no space and its look-ups are limited in `core.orders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from sqlalchemy import bindparam, func, literal, select

from core.base import clock, config
from core.base.db import db
from core.base.preconditions import inside_use_case, needs_across_stores
from core.orders import Order
from core.supplier import webhook_events
from core.supplier.webhook_events import WebhookEvent

Kept = Literal["signed", "unsigned", "seen"]
"""What a ring by this event is worth: fresh words with a signature, words anybody could have
written, nothing new."""


class Known(NamedTuple):
    """The order an event names, if it is one of ours; and what the log holds already: this very
    event; a verified one with these words of this order; how many of the order.

    The signature covers the inner part alone: whoever holds one genuine body could send it for ever
    in new wrappings, and each would be an event of its own that rings at once. So only the first
    with these words counts as signed.
    """

    order: Order | None
    has_this: bool
    has_these_words: bool
    of_order: int


_OF_ORDER = WebhookEvent.order_ref == bindparam("order_ref")
_KNOWN = select(
    Order,
    select(WebhookEvent.id)
    .where(WebhookEvent.event_key == bindparam("event_key"))
    .exists(),
    select(WebhookEvent.id)
    .where(
        _OF_ORDER,
        WebhookEvent.raw_status.is_not_distinct_from(bindparam("raw_status")),
        WebhookEvent.verified_by == bindparam("verified_by"),
    )
    .exists(),
    select(func.count()).select_from(WebhookEvent).where(_OF_ORDER).scalar_subquery(),
).select_from(
    select(literal(1))
    .subquery()
    .outerjoin(Order, Order.order_ref == bindparam("order_ref"))
)


@needs_across_stores
def known_of(values: Mapping[str, Any]) -> Known:
    """What is known of one event, in one statement."""
    asked = ("event_key", "order_ref", "raw_status", "verified_by")
    return Known(
        *db.session.execute(_KNOWN, {name: values[name] for name in asked}).one()
    )


@inside_use_case
def store(values: Mapping[str, Any], known: Known) -> Kept:
    """Store one event, or only count it."""
    if known.has_this:
        webhook_events.keep(values)  # which counts it
        return "seen"
    signs = values["order_ref"] is not None and values["verified_by"] not in (
        None,
        "none",
    )
    fresh = signs and not known.has_these_words
    if known.order is not None:
        has_room = known.of_order < config.current().webhooks_kept_of_order
    else:
        has_room = _is_room_for_stranger(values)
    if (fresh or has_room) and not webhook_events.keep(values):
        return "seen"  # the same event came in at the same moment
    return "signed" if fresh else "unsigned"


def _is_room_for_stranger(values: Mapping[str, Any]) -> bool:
    """Whether one more event of no order of ours may be kept: a flood of them cannot crowd out the
    others."""
    settings = config.current()
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    count, together = webhook_events.count_together(
        f"strangers {hour.isoformat()}",
        len(values["body"]),
        "events of no order of ours",
    )
    return (
        count <= settings.strangers_kept_in_hour
        and together <= settings.stranger_bytes_in_hour
    )
