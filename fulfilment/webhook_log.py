"""How much of what comes in as webhooks is kept: everything genuine, and of a flood a bounded
beginning.

Decides what is stored, and whether a signature counts as fresh. What is not kept is counted, and
rings like any other, because a ring costs no space and its look-ups are limited in `core.orders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from core.base import clock, config
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.supplier import webhook_events
from core.supplier.webhook_events import WebhookEvent

Kept = Literal["signed", "unsigned", "seen"]
"""What a ring by this event is worth: fresh words with a signature, words anybody could have
written, nothing new."""


@inside_use_case
def store(values: Mapping[str, Any], *, is_ours: bool) -> Kept:
    """Store one event, or only count it. `is_ours`: it names an order of ours."""
    known = _known(values)
    if known.has_this:
        webhook_events.keep(values)  # which counts it
        return "seen"
    signs = values["order_ref"] is not None and values["verified_by"] not in (
        None,
        "none",
    )
    fresh = signs and not known.has_these_words
    if is_ours:
        has_room = known.of_order < config.current().webhooks_kept_of_order
    else:
        has_room = _is_room_for_stranger(values)
    if (fresh or has_room) and not webhook_events.keep(values):
        return "seen"  # the same event came in at the same moment
    return "signed" if fresh else "unsigned"


class _Known(NamedTuple):
    """What the log holds already: this very event; a verified one with these words of this order;
    how many of the order.

    The signature covers the inner part alone: whoever holds one genuine body could send it for ever
    in new wrappings, and each would be an event of its own that rings at once. So only the first
    with these words counts as signed.
    """

    has_this: bool
    has_these_words: bool
    of_order: int


def _known(values: Mapping[str, Any]) -> _Known:
    of_order = WebhookEvent.order_ref == values["order_ref"]
    these_words = (
        of_order,
        WebhookEvent.raw_status.is_not_distinct_from(values["raw_status"]),
        WebhookEvent.verified_by == values["verified_by"],
    )
    query = select(
        select(WebhookEvent.id)
        .where(WebhookEvent.event_key == values["event_key"])
        .exists(),
        select(WebhookEvent.id).where(*these_words).exists(),
        select(func.count())
        .select_from(WebhookEvent)
        .where(of_order)
        .scalar_subquery(),
    )
    return _Known(*db.session.execute(query).one())


def _is_room_for_stranger(values: Mapping[str, Any]) -> bool:
    """Whether one more event of no order of ours may be kept: a flood of them cannot crowd out the
    others."""
    settings = config.current()
    count, together = _count_stranger(len(values["body"]))
    return (
        count <= settings.strangers_kept_in_hour
        and together <= settings.stranger_bytes_in_hour
    )


def _count_stranger(body_bytes: int) -> tuple[int, int]:
    """Count an event that names no order of ours on this hour's own line of the log.

    Returns how many there were in the hour and the bytes of their bodies, this one included.
    """
    hour = clock.now().replace(
        minute=0,
        second=0,
        microsecond=0,
    )
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
            set_={
                "times": WebhookEvent.times + 1,
                "headers": func.jsonb_build_object("bytes", together),
            },
        ).returning(WebhookEvent.times, WebhookEvent.headers)
    ).one()
    return times, headers["bytes"]
