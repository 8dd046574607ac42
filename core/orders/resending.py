"""A claimed order that was certainly not bought goes back in line, under the same reference or a
new one, or is bought from another offer; after too many tries a person decides."""

from __future__ import annotations

from core.audit import WORKER, Actor
from core.base import config
from core.base.db import joined_transaction
from core.base.language import later
from core.base.preconditions import inside_use_case
from core.orders import sourcing
from core.orders.advancing import locked, move
from core.orders.model import Order
from core.orders.timeline import open_case


def requeue_absent(order_id: int) -> bool:
    """Absence is proven: back to *queued* for the same reference, unless it was sent again as often
    as it may be.

    What it asked for the supplier may not sell any more: then another offer is bought in its place,
    else its money goes back. No attempt is unresolved, so this is the refusal whose record was
    lost. False when a person must decide: the case is opened here.
    """
    settings = config.current()
    with joined_transaction():
        order = locked(order_id)
        if order.state != "submitting" or order.absent_since is None:
            return True
        most = (
            settings.max_proven_resends
            if settings.supplier_dedupes
            else settings.max_unproven_resends
        )
        is_spent = order.resends >= most
        if sourcing.was_refused(order):
            source = sourcing.hold([order])[order.bundle_id]
            if is_spent or sourcing.why_not(order, source.bundle):
                text = (
                    "The supplier does not sell it under that name now, and it never had the order;"
                    " the money is back."
                )
                move(
                    order,
                    "refunded",
                    WORKER,
                    text,
                    customer_text=later("It could not be sent"),
                )
                return True
        if is_spent:
            open_case(
                order,
                "resend_limit",
                {"attempt": order.attempt, "resends": order.resends},
            )
            return False
        queue_again(
            order,
            WORKER,
            "Proven absent at the supplier. It is sent again under the same reference.",
        )
        return True


@inside_use_case
def queue_again(order: Order, actor: Actor, text: str) -> None:
    """A locked *submitting* order that was certainly not bought goes back in line under the same
    reference. It counts as once unclear from now on, so that it is looked up once more right before
    it is sent, and no refusal of that purchase proves anything."""
    order.resends += 1
    order.ever_unknown = True
    order.unknown_since = order.absent_since = order.claimed_at = order.lease_until = (
        None
    )
    move(order, "queued", actor, text)


def renew_reference(order_id: int, attempt: int, order_ref: str) -> bool:
    """The reference belongs to another reseller: take a new one and queue again. Only when no
    attempt was ever unclear."""
    with joined_transaction():
        order = locked(order_id)
        if (
            order.state != "submitting"
            or order.attempt != attempt
            or order.ever_unknown
        ):
            return False
        old = order.order_ref
        order.order_ref = order_ref
        order.claimed_at = order.lease_until = None
        move(
            order,
            "queued",
            WORKER,
            f"Reference …{old[-4:]} is another reseller's. A new one is used.",
        )
        return True


def buy_other(order_id: int, attempt: int) -> bool:
    """The supplier refused the offer of this attempt as unknown: queue again when another may be
    bought for the bundle.

    False when there is none at its price, or an attempt was ever unclear.
    """
    with joined_transaction():
        order = locked(order_id)
        if (
            order.state != "submitting"
            or order.attempt != attempt
            or order.ever_unknown
        ):
            return False
        refused = sourcing.wording(order)
        source = sourcing.hold([order])[order.bundle_id]
        if (
            sourcing.why_not(order, source.bundle)
            or not sourcing.settle(order, source)
            or sourcing.wording(order) == refused
        ):
            return False
        order.claimed_at = order.lease_until = None
        move(
            order,
            "queued",
            WORKER,
            "The supplier does not sell it under that name now. Another offer is bought.",
        )
        return True
