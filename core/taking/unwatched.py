"""Orders that wait for a payment which nobody looks after: one without any attempt, and all of them
while there is no gateway to ask (its key was taken away).

What nobody could have paid expires by itself. What may have been paid is kept for a person: only
the gateway knows, and it cannot be asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, func, select

from core import online, orders
from core.audit import SYSTEM
from core.base import clock, config
from core.base.db import transaction
from core.base.language import later
from core.base.preconditions import inside_use_case, needs_across_stores
from core.cases import Case
from core.online import OnlinePayment
from core.orders import Order
from core.orders.timeline import open_case

KIND = "payment_unwatched"


@needs_across_stores
def end_unasked() -> int:
    """End what waits past its time, oldest first, at most `relay_batch`. Returns how many expired.
    Where there is a gateway, an order with an attempt is ended by that one's own look."""
    settings = config.current()
    is_asked = exists().where(OnlinePayment.order_id == Order.id)
    is_told = exists().where(
        Case.kind == KIND,
        Case.subject == func.concat("order:", Order.id),
        Case.closed_at.is_(None),
    )
    late = (
        select(Order)
        .where(
            Order.state == "awaiting_payment",
            Order.created_at < clock.now() - clock.delta(settings.pay_expires_s),
            ~is_asked if online.is_configured() else ~is_told,
        )
        .order_by(Order.created_at)
        .limit(settings.relay_batch)
        .with_for_update(key_share=True, skip_locked=True)
    )
    with transaction() as session:
        return sum(_end(order) for order in session.scalars(late).all())


@inside_use_case
def expire(order: Order, text: str) -> None:
    """A locked order waits for its payment no longer."""
    orders.advance(
        order.id,
        "expired",
        text=text,
        customer_text=later("Expired: nothing was sent"),
        actor=SYSTEM,
    )


def may_be_paid(tries: Sequence[OnlinePayment]) -> bool:
    """Whether anybody could have paid at one of these: its page was told to us, or its phone may
    have been asked. A page whose address nobody has takes no money."""
    return any(
        one.opened_at is not None
        or one.prompted_at is not None
        or one.state not in ("asked", "failed")
        for one in tries
    )


def _end(order: Order) -> bool:
    """Whether this locked order expired."""
    # looked at anew: one may have been asked for since this order was found
    tries = online.of_order(order.id)
    if tries and online.is_configured():
        return False
    if tries and clock.now() < online.expires_at(tries[0].created_at):
        return False
    if may_be_paid(tries):
        evidence = {"payments": [one.reference for one in tries]}
        open_case(order, KIND, evidence)
        return False
    expire(order, "Expired: no payment was asked for in time. Nothing was sent.")
    return True
