"""The agent's acts on an order: process it, cancel it, have it looked at again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from core import buying, catalog, clock, config, ledger, outbox
from core.audit import WORKER, Actor
from core.db import db, gave_way, limit_lock_waits, patiently, transaction
from core.orders import refusals, sourcing
from core.orders.advancing import move
from core.orders.codes import read_code
from core.orders.model import Order
from core.orders.placing import refuse_paused
from core.orders.states import AGENT_LABELS, WAIT_TEXT, WORK
from core.orders.timeline import log
from core.outbox import OutboxRow

IN_THE_WAY = "Somebody else is at this order just now, so nothing was changed. Press again in a moment."
"""A row of a selection whose lock nobody let go in time. The others of the selection are done all the same."""


@dataclass(frozen=True)
class RowResult:
    """What became of one order of a selection: `moved` by this very press, or `ok` because it was done already."""

    code: str
    ok: bool
    sentence: str
    moved: bool = False


def release(code: str, actor: Actor) -> Order:
    """Process a pending order: *queued*, the agent price held, a row in the outbox. One transaction.

    An order already released is returned as it is, so a second click or a second person changes nothing. What only
    keeps it from being bought now refuses nothing, since the customer may have paid: it goes in line and says why and
    since when. Raises `refusals.Refused`.
    """
    return _release(code, actor)[0]


def release_many(codes: Sequence[str], actor: Actor) -> list[RowResult]:
    """Process a selection, each order in a transaction of its own, in the order given. Never raises `Refused`."""
    return _one_by_one(codes, lambda code: _release(code, actor), "Sent.", "Already processed: {}.")


def cancel(code: str, actor: Actor) -> Order:
    """Cancel: a customer while *pending*, an agent while *pending* or *queued*; what was held goes back.

    An order already cancelled is returned as it is. Raises `refusals.Refused`.
    """
    allowed = ("pending", "awaiting_payment") if actor.kind == "customer" else ("pending", "awaiting_payment", "queued")
    return _cancel(code, actor, allowed)[0]


def cancel_many(codes: Sequence[str], actor: Actor) -> list[RowResult]:
    """Cancel a selection of *pending* orders, as `release_many` processes one. Never raises `Refused`.

    One that somebody has processed since it was ticked was paid for in somebody's eyes: it goes on.
    """
    return _one_by_one(
        codes, lambda code: _cancel(code, actor, ("pending",)), "Cancelled. Nothing was sent.", "Already cancelled."
    )


def request_look(code: str, actor: Actor) -> Order:
    """Have fulfilment look at an order (Re-check): now, or when asked again, `ring_gap_s` after the last look.

    One person's presses must not use up the calls of all stores. Raises `refusals.Refused` when there is nothing to
    look at.
    """
    with transaction():
        order = locked_by_code(code)
        row = outbox.of_order(order.id, lock=True)
        if row is None or order.state not in WORK | {"completed", "refunded"}:
            raise refusals.WrongState("There is nothing to check at the supplier for this order.")
        look_soon(order, row, actor)
        return order


def look_soon(order: Order, row: OutboxRow, actor: Actor) -> bool:
    """Make a locked order's locked row due, inside the open use case. False when that was asked for already."""
    due = clock.now()
    if row.rung_at is not None:
        if row.done_at is None and row.rung_at > (row.looked_at or row.created_at):
            return False  # and not looked at since
        due = max(due, (row.looked_at or row.rung_at) + clock.delta(config.current().ring_gap_s))
    log(order, actor, "recheck", f"{actor.name} asked for a check.")
    outbox.make_due(row, due)
    return True


def _one_by_one(
    codes: Sequence[str], act: Callable[[str], tuple[Order, bool]], done: str, already: str
) -> list[RowResult]:
    """`act` on each order by itself: none is held up by another that is refused or locked."""
    results, before = [], None
    for code in list(dict.fromkeys(codes))[: config.current().process_many]:
        try:
            order, moved = patiently(partial(act, code))
        except refusals.Refused as refusal:
            results.append(RowResult(code, ok=False, sentence=refusal.sentence))
        except DBAPIError as error:
            if not gave_way(error):
                raise
            results.append(RowResult(code, ok=False, sentence=IN_THE_WAY))
            # One was waited for. A thread that waited so long for each of two hundred would be lost to everybody.
            before = before or (limit_lock_waits(config.current().lock_spent_s),)
        else:
            label = AGENT_LABELS[order.state]  # type: ignore[index]
            said = _in_line(order) or done if moved else already.format(label)
            results.append(RowResult(code, ok=True, sentence=said, moved=moved))
    if before is not None:
        limit_lock_waits(*before)
    return results


def _cancel(code: str, actor: Actor, allowed: Sequence[str]) -> tuple[Order, bool]:
    with transaction():
        order = locked_by_code(code)
        if order.state == "cancelled":
            return order, False
        if order.state not in allowed:
            raise refusals.WrongState(
                "This order has expired: nothing was sent, and there is nothing to cancel."
                if order.state == "expired"
                else "This order is already on its way and cannot be cancelled any more."
            )
        customer_text = "Cancelled" if order.in_doubt else "Cancelled. Nothing was sent."
        move(order, "cancelled", actor, f"Cancelled by {actor.name}.", customer_text=customer_text)
        row = outbox.of_order(order.id, lock=True)
        if row is not None:
            outbox.make_due(row)  # the job sees a final order and closes the row
        elif order.in_doubt:  # bought since the backup? then it is a case
            outbox.add("deliver_order", order_id=order.id, store_id=order.store_id)
        return order, True


def _release(code: str, actor: Actor) -> tuple[Order, bool]:
    with transaction():
        order = locked_by_code(code)
        if order.state in WORK or order.state in ("completed", "refunded"):
            return order, False
        if order.state != "pending":
            raise refusals.WrongState(f"This order is {AGENT_LABELS[order.state].lower()}: it cannot be processed.")  # type: ignore[index]
        now = buying.now()
        refuse_paused(order.network, now)
        sourcing.refuse(order, catalog.hold([order.bundle_id])[order.bundle_id])
        put_in_line(order, actor, f"{actor.name} confirmed the payment and processed it.", now)
        return order, True


def put_in_line(order: Order, actor: Actor, text: str, now: buying.Now) -> None:
    """A locked pending order goes in line: its agent price held, a row in the outbox, and why it must wait, if it must.

    `now` is what can be bought. Raises `InsufficientWallet`.
    """
    try:
        move(order, "queued", actor, text, customer_text="Payment confirmed")
    except ledger.InsufficientWallet as short:
        raise refusals.InsufficientWallet(short.needed_pesewas, short.available_pesewas, short.sentence) from short
    stop = now.holds_up(order.network, order.bundle_id)
    if stop is not None and stop.reason in WAIT_TEXT:  # the worker looks for itself, and may find otherwise
        order.wait_reason = stop.reason
        log(order, WORKER, "wait", f"Waiting: {WAIT_TEXT[stop.reason]}, since {clock.shown(stop.since)}.")
    outbox.add("deliver_order", order_id=order.id, store_id=order.store_id)


def _in_line(order: Order) -> str:
    """What a selection reads of an order that was put in line and cannot be sent now; empty for others."""
    waits = order.state == "queued" and order.wait_reason
    return f"In line. It waits: {WAIT_TEXT[waits]}." if waits else ""


def locked_by_code(code: str) -> Order:
    """The order of a typed code, its row locked inside the open use case. Raises `NoSuchOrder`."""
    plain = read_code(code)
    order = (
        db.session.scalar(select(Order).where(Order.code == plain).with_for_update(key_share=True)) if plain else None
    )
    if order is None:
        raise refusals.NoSuchOrder
    return order
