"""The agent's acts on an order: process it, cancel it, have it looked at again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from core import availability, catalog, ledger, online, outbox
from core.audit import WORKER, Actor
from core.base import clock, config
from core.base.db import db, transaction
from core.base.language import later, say
from core.base.preconditions import inside_use_case
from core.orders import asides, debts, refusals, sourcing
from core.orders.advancing import move
from core.orders.codes import read_code
from core.orders.model import Order
from core.orders.placing import refuse_paused
from core.orders.states import AGENT_LABELS, WAIT_TEXT
from core.orders.timeline import log
from core.outbox import OutboxRow


def release(code: str, actor: Actor) -> Order:
    """Process a pending order: *queued*, the agent price held, a row in the outbox. One
    transaction.

    An order already released is returned as it is, so a second click or a second person changes
    nothing. What only keeps it from being bought now refuses nothing, since the customer may have
    paid: it goes in line and says why and since when. Raises `refusals.OrderRefused`.
    """
    return release_anew(code, actor)[0]


def cancel(code: str, actor: Actor) -> Order:
    """Cancel: a customer while *pending*, an agent while *pending* or *queued*; what was held goes
    back.

    An order already cancelled is returned as it is. Raises `refusals.OrderRefused`.
    """
    return cancel_anew(code, actor)[0]


def request_look(code: str, actor: Actor) -> Order:
    """Have fulfilment look at an order (Re-check): now, or when asked again, `ring_gap_s` after the
    last look.

    One person's presses must not use up the calls of all stores. Raises `refusals.OrderRefused`
    when there is nothing to look at.
    """
    with transaction():
        order = locked_by_code(code)
        row = outbox.of_order(order.id, lock=True)
        if row is None or not order.may_be_rechecked:
            raise refusals.WrongState(
                "There is nothing to check at the supplier for this order."
            )
        look_soon(order, row, actor)
        return order


@inside_use_case
def look_soon(order: Order, row: OutboxRow, actor: Actor) -> bool:
    """Make a locked order's locked row due. False when that was asked for already."""
    due = clock.now()
    if row.rung_at is not None:
        if row.done_at is None and row.rung_at > (row.looked_at or row.created_at):
            return False  # and not looked at since
        due = max(
            due,
            (row.looked_at or row.rung_at) + clock.delta(config.current().ring_gap_s),
        )
    log(order, actor, "recheck", f"{actor.name} asked for a check.")
    outbox.make_due(row, due)
    return True


def cancel_anew(
    code: str,
    actor: Actor,
    *,
    only_new: bool = False,
) -> tuple[Order, bool]:
    """`cancel`, and whether it was this call that did it. With `only_new`, one in line goes on."""
    with transaction():
        order = locked_by_code(code)
        if order.state == "cancelled":
            return order, False
        goes_on = only_new and order.state != "pending"
        if goes_on or not order.may_be_cancelled_by(actor.kind):
            raise refusals.WrongState(
                say(
                    "This order has expired: nothing was sent, and there is nothing to cancel."
                )
                if order.state == "expired"
                else say(
                    "This order is already on its way and cannot be cancelled any more."
                )
            )
        customer_text = (
            later("Cancelled")
            if order.in_doubt
            else later("Cancelled. Nothing was sent.")
        )
        move(
            order,
            "cancelled",
            actor,
            f"Cancelled by {actor.name}.",
            customer_text=customer_text,
        )
        row = outbox.of_order(order.id, lock=True)
        if row is not None:
            outbox.make_due(row)  # the job sees a final order and closes the row
        elif order.in_doubt:  # bought since the backup? then it is a case
            outbox.add("deliver_order", order.id, store_id=order.store_id)
        return order, True


def release_anew(code: str, actor: Actor) -> tuple[Order, bool]:
    """`release`, and whether it was this call that did it."""
    with transaction():
        order = locked_by_code(code)
        if order.was_processed:
            return order, False
        now = availability.now()
        refuse(order, now)
        put_in_line(
            order, actor, f"{actor.name} confirmed the payment and processed it.", now
        )
        return order, True


def refuse(order: Order, now: availability.Now) -> None:
    """Raise `refusals.OrderRefused` when a locked order may not be released; `now` is what can be
    bought."""
    if order.state != "pending":
        label = AGENT_LABELS[order.state].lower()
        raise refusals.Over(f"This order is {label}: it cannot be processed.")
    _refuse_kept_back(order)
    if order.is_test:
        return  # nothing is bought for it
    refuse_paused(order.network, now)
    sourcing.refuse(order, catalog.hold([order.bundle_id])[order.bundle_id])


def put_in_line(
    order: Order,
    actor: Actor,
    text: str,
    now: availability.Now,
) -> None:
    """A locked pending order goes in line: its agent price held, a row in the outbox, and why it
    must wait, if it must.

    `now` is what can be bought. Raises `OnHold` and `StoreOwes`, whatever road led here, and
    `InsufficientWallet`.
    """
    _refuse_kept_back(order)
    if actor.kind == "agent":
        order.taken_by, order.taken_at = actor.name, clock.now()
    estimate = now.to_keep(order.network, order.bundle_id)
    if estimate is not None and not order.is_test:
        order.estimate_minutes = estimate.minutes
    try:
        move(
            order,
            "queued",
            actor,
            text,
            customer_text=later("Payment confirmed"),
        )
    except ledger.InsufficientWallet as short:
        raise refusals.InsufficientWallet(
            short.needed_pesewas, short.available_pesewas, short.sentence
        ) from short
    except online.Unfit as unfit:
        raise refusals.WrongState(unfit.sentence) from unfit
    stop = now.holds_up(order.network, order.bundle_id)
    if (
        stop is not None and stop.reason in WAIT_TEXT and not order.is_test
    ):  # the worker looks for itself, and may find otherwise
        order.wait_reason = stop.reason
        log(
            order,
            WORKER,
            "wait",
            f"Waiting: {WAIT_TEXT[stop.reason]}, since {clock.shown(stop.since)}.",
        )
    have_looked_at(order)


def _refuse_kept_back(order: Order) -> None:
    """What keeps an order back that the supplier has nothing to do with."""
    asides.refuse(order)
    debts.refuse(order)


@inside_use_case
def have_looked_at(order: Order, at: datetime | None = None) -> None:
    """Make the row of a locked order due at `at` (default now); add it when there is none."""
    row = outbox.of_order(order.id, lock=True)
    if row is None:
        kind: outbox.Kind = "play_test_order" if order.is_test else "deliver_order"
        outbox.add(kind, order.id, store_id=order.store_id, due_at=at)
    else:
        outbox.make_due(row, at)


def in_line(order: Order) -> str:
    """What a selection reads of an order that was put in line and cannot be sent now; empty for
    others."""
    waits = order.state == "queued" and order.wait_reason
    return f"In line. It waits: {WAIT_TEXT[waits]}." if waits else ""


@inside_use_case
def locked_by_code(code: str) -> Order:
    """An order of the current store, its row locked. Raises `refusals.NoSuchOrder`."""
    plain = read_code(code)
    order = (
        db.session.scalar(
            select(Order).where(Order.code == plain).with_for_update(key_share=True)
        )
        if plain
        else None
    )
    if order is None:
        raise refusals.NoSuchOrder
    return order
