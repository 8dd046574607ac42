"""Getting a released order delivered: buy it once, then ask until the supplier has settled it.

One call of `deliver` does one step and says when to look again. Buying needs a claim, committed before the call; after
that only a look-up of our own reference decides (reliability.md §1). The call itself is in `purchase`, what answers mean
in `answers`, which moves exist in `core.orders`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from core import catalog, orders, outbox
from core.base import clock, config, tenancy
from core.orders import Order
from core.outbox import Lease
from core.supplier import supply
from fulfilment.buying import answers, balance, bulk, purchase, schedule, supplier_link
from fulfilment.outcome import Outcome
from integrations.ports import NoAnswer, Supplier

_TURN_AGAIN_S = 1
_SOURCE_AGAIN_S = 60
"""An order that waits for the network's list, or its price, looks again after this."""


def deliver(lease: Lease, supplier: Supplier) -> Outcome:
    """Handler of `deliver_order`: one step for the order of this row, in its store."""
    assert lease.order_id is not None
    order = answers.read(lease.order_id)
    if order.state == "pending":
        return Outcome(orders.let_go(order.id))
    if order.state != "queued" and order.attempt == 0 and not order.in_doubt:
        return Outcome(None)  # cancelled before anything was sent
    if order.state == "queued":
        due = _buy(order, supplier)
    else:
        pause = supply.take_call("news" if lease.news_at is not None else "other")
        if pause:
            return _look_later(lease, order, clock.now() + timedelta(seconds=pause))
        due = _look(order, supplier)
    orders.note_next(order.id, due)
    return Outcome(due)


def _look_later(lease: Lease, order: Order, due: datetime) -> Outcome:
    """No call is left to ask about this order. News that waits is said on its pages."""
    if lease.news_at is not None:
        orders.wait_for_turn(order.id)
    orders.note_next(order.id, due)
    return Outcome(due, news_read=False)


def _buy(order: Order, supplier: Supplier) -> datetime | None:
    """Try to buy a queued order. Every reason not to is written on the order, with the moment of the next try."""
    if order.in_doubt:
        orders.ask_first(order.id)
        return clock.now()
    if order.network in catalog.paused_networks():
        return _wait(order, "paused", clock.after(60))
    unsold = orders.look_at_source(order)
    if unsold is not None:
        return _wait(order, unsold, clock.after(_SOURCE_AGAIN_S))
    closed = supplier_link.closed()
    if closed is not None:
        return _wait(order, closed.reason, closed.until)
    with supplier_link.wallet_turn() as turn:
        if not turn:
            return clock.jittered(_TURN_AGAIN_S)
        if balance.too_low_for(order.cost_pesewas, supplier):
            balance.note_short(order)
            return _wait(order, "float", clock.after(config.current().low_float_wait_s))
        if balance.older_goes_first(order):
            return clock.jittered(_TURN_AGAIN_S)
        closed = supplier_link.closed()  # once more: whoever had the turn before may have found the line dead
        if closed is not None:
            return _wait(order, closed.reason, closed.until)
        companions = bulk.companions(order, supplier)
        # With the look right before a resend, both or none: no call is spent on finding that the other is not left.
        pause = supply.take_call("purchase", 2 if order.ever_unknown else 1)
        if pause and order.ever_unknown:
            return _wait(order, "rate", clock.now() + timedelta(seconds=pause))
        if pause:
            return clock.now() + timedelta(seconds=pause)
        if companions:
            return _send_together(order, companions, supplier)
        return _send(order, supplier)


def _send(order: Order, supplier: Supplier) -> datetime | None:
    """Claim one order and make its one purchase call. For one that was ever unclear a look-up's call is taken already."""
    claim = orders.claim(order.id)
    if claim is None:
        return clock.now()  # somebody else moved it: look at its new state
    if answers.read(claim.order_id).ever_unknown:
        settled = answers.look_before_resend(claim, supplier, has_call=order.ever_unknown)
        if settled is not None:
            return settled
    called = purchase.call([claim], supplier)
    if called is None:
        return schedule.next_check(answers.read(claim.order_id))
    results, balance_after_pesewas = called
    due = answers.take_purchase(claim, results[0], supplier, supplier_link.note_purchase(results))
    balance.note_answered(results, balance_after_pesewas, supplier)
    return due


def _send_together(order: Order, companions: Sequence[Order], supplier: Supplier) -> datetime | None:
    """Claim several orders of any store, make one call for all, and write down each line's answer in its own store.

    Returns when to look at `order` again; the rows of the others are put off by their own leases. A line whose lease
    was lost meanwhile keeps what the other job decided.
    """
    stores = {one.id: one.store_id for one in (order, *companions)}
    with tenancy.across_stores():
        leases = {lease.order_id: lease for lease in outbox.take_rows([one.id for one in companions])}
        claims = orders.claim_together([order.id, *filter(None, leases)])
        called = purchase.call(claims, supplier) if claims else None
    again = supplier_link.note_purchase(called[0]) if called else None
    due: dict[int, datetime | None] = {}
    for number, claim in enumerate(claims):
        with tenancy.inside(stores[claim.order_id]):
            if called:
                due[claim.order_id] = answers.take_purchase(claim, called[0][number], supplier, again)
            else:
                due[claim.order_id] = schedule.next_check(answers.read(claim.order_id))
            orders.note_next(claim.order_id, due[claim.order_id])
    if called:
        balance.note_answered(*called, supplier)
    with tenancy.across_stores():
        for order_id, lease in leases.items():
            outbox.finish(lease, due.get(order_id or 0, clock.now()))
    return due.get(order.id, clock.now())


def _look(order: Order, supplier: Supplier) -> datetime | None:
    """Ask the supplier for our reference and apply the answer. The call is taken already."""
    result = answers.look_up(order, supplier)
    gone = orders.note_look(
        order.id, answers.in_words(result), gone=isinstance(result, NoAnswer) and result.kind == "endpoint_gone"
    )
    due = answers.take_look(answers.read(order.id), result, gone)
    if isinstance(result, NoAnswer) and result.kind == "rate_limited" and due is not None:
        due = max(due, supplier_link.told_to_wait(result.retry_after_s))
    return due


def _wait(order: Order, reason: str, due: datetime) -> datetime:
    orders.wait(order.id, reason)
    return due
