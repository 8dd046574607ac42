"""Getting a released order delivered: buy it once, then ask until the supplier has settled it.

One call of `deliver` does one step and says when to check again. Each step is three things: `begin`
inside the transaction that gives the lease, a call with no transaction open, and one transaction
that writes the answer down (`applying.close`). Buying needs a claim, committed before the call;
after that only a look-up of our own reference decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core import cases, leases, orders, reconcile
from core.base import clock, config, tenancy
from core.base.db import end_read, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.leases import Lease
from core.orders import Claim, Order
from core.reconcile import Standing
from core.supplier import supply
from core.supplier.budget import Share
from fulfilment.buying import (
    answers,
    applying,
    balance,
    bulk,
    look_ups,
    purchase,
    schedule,
    supplier_link,
)
from fulfilment.outcome import Outcome
from integrations.ports import Supplier

_TURN_AGAIN_S = 1
_SOURCE_AGAIN_S = 60
_BROKEN_AGAIN_S = 300
"""An order whose network is paused, or that waits for the network's list, or its price, looks again
after this."""


@dataclass(frozen=True)
class Begun:
    """The order as the job found it. `stop`: why it must not be bought now (a key of
    `orders.WAIT_TEXT`). `pause_s`: no call is left to look it up for so many seconds."""

    order: Order
    stop: str | None = None
    pause_s: float = 0.0


@dataclass(frozen=True)
class Wait:
    """Buying has to wait: until when, and why (a key of `orders.WAIT_TEXT`); None when the
    reason is not for people to read."""

    until: datetime
    reason: str | None = None


@dataclass(frozen=True)
class Claims:
    """Orders claimed for one call, and the leases of those that came along."""

    claims: list[Claim]
    leases: dict[int, Lease]
    stores: dict[int, int]
    link_was_in_order: bool = False
    """No answer had anything to clear away before this call."""


@needs_across_stores
@inside_use_case
def begin(lease: Lease) -> Begun:
    """Read the order, and take the call of a look-up, with the lease in one transaction."""
    found = orders.find(lease.subject_id)
    order = found.order
    if order.state in ("pending", "queued") or _was_never_sent(order):
        return Begun(order, found.stop)
    share: Share = "news" if lease.news_at is not None else "other"
    return Begun(order, pause_s=supply.take_call(share))


def deliver(lease: Lease, begun: Begun, supplier: Supplier) -> Outcome:
    """Handler of `deliver_order`: one step for the order of this row, in its store."""
    order = begun.order
    if order.is_test:
        raise ValueError("a test order is played, never bought")
    if order.state == "pending":
        return Outcome(orders.let_go(order.id))
    if order.state == "queued":
        return _buy(lease, begun, supplier)
    if _was_never_sent(order):
        return Outcome(None)
    if begun.pause_s:
        return _look_later(lease, order, clock.now() + timedelta(seconds=begun.pause_s))
    return _look(lease, order, supplier)


def _was_never_sent(order: Order) -> bool:
    """Whether the supplier cannot know of it: it was cancelled before anything was sent."""
    return order.state != "queued" and order.attempt == 0 and not order.in_doubt


def _look_later(lease: Lease, order: Order, due: datetime) -> Outcome:
    """No call is left to ask about this order. News that waits is said on its pages."""

    def act() -> datetime:
        if lease.news_at is not None:
            orders.wait_for_turn(order.id)
        return due

    return applying.close(lease, order.id, act, news_read=False)


def _look(lease: Lease, order: Order, supplier: Supplier) -> Outcome:
    """Ask the supplier for our reference and apply the answer. The call is taken already."""
    result = look_ups.look_up(order, supplier)
    not_before = supplier_link.note_look(result)

    def act() -> datetime | None:
        due = look_ups.take_look(order.id, result, lease.rung_at)
        if due is None or not_before is None:
            return due
        return max(due, not_before)

    return applying.close(lease, order.id, act)


def _buy(lease: Lease, begun: Begun, supplier: Supplier) -> Outcome:
    """Try to buy a queued order. Every reason not to is written on the order, with the moment of
    the next try."""
    order = begun.order
    if order.in_doubt:
        return applying.close(lease, order.id, lambda: orders.ask_first(order.id))
    if begun.stop is not None:
        return _wait(lease, order, Wait(clock.after(_SOURCE_AGAIN_S), begun.stop))
    end_read()  # nothing is held open while this waits for its turn
    with supplier_link.wallet_turn() as turn:
        if not turn:
            return _wait(lease, order, Wait(clock.jittered(_TURN_AGAIN_S)))
        with tenancy.across_stores():
            found = _claim(order, supplier)
        if isinstance(found, Wait):
            return _wait(lease, order, found)
        if found.leases:
            return _send_together(lease, order, found, supplier)
        if found.claims:
            return _send(lease, order, found, supplier)
        is_broken = cases.is_open("broken", f"order:{order.id}")
        return Outcome(clock.after(_BROKEN_AGAIN_S) if is_broken else clock.now())


def _wait(lease: Lease, order: Order, wait: Wait) -> Outcome:
    def act() -> datetime:
        if wait.reason is not None:
            orders.wait(order.id, wait.reason)
        return wait.until

    return applying.close(lease, order.id, act)


@needs_across_stores
def _claim(order: Order, supplier: Supplier) -> Wait | Claims:
    """Claim the order, in the wallet's turn, with those that go in one call with it; or why not
    now.

    With the look right before a resend both calls are taken or none: none is spent on finding that
    the other is not left.
    """
    claimed = _claim_at_once(order) if config.current().bulk == "off" else None
    if claimed is not None:
        return claimed
    found = reconcile.standing()
    closed = supplier_link.closed(found)
    if closed is not None:
        return Wait(closed.until, closed.reason)
    if balance.too_low_for(order.cost_pesewas, supplier, found):
        balance.note_short(order)
        return Wait(clock.after(config.current().low_float_wait_s), "float")
    now = balance.told_since(found)
    if balance.older_goes_first(order, now):
        return Wait(clock.jittered(_TURN_AGAIN_S))
    if now is not found:
        # the balance was read just now, and may have found a charge nobody can explain
        closed = supplier_link.closed(now)
        if closed is not None:
            return Wait(closed.until, closed.reason)
    companions = bulk.companions(order, supplier, now)
    if companions:
        return _claim_together(order, companions)
    with transaction():
        return _claim_alone(order, now)


def _claim_at_once(order: Order) -> Wait | Claims | None:
    """The claim of an order alone; None when something is to be asked or decided before."""
    with transaction():
        found = reconcile.held_standing()
        if found is None or found.some_wait or supplier_link.closed(found) is not None:
            return None
        pays = balance.pays(order.cost_pesewas, found)
        return _claim_alone(order, found) if pays else None


@inside_use_case
def _claim_alone(order: Order, found: Standing) -> Wait | Claims:
    pause_s = supply.take_call("purchase", 2 if order.ever_unknown else 1)
    if pause_s:
        return _no_call(order, pause_s)
    claims = orders.claim_together([order.id])
    return Claims(claims, {}, {}, found.link.is_in_order)


def _claim_together(order: Order, companions: Sequence[Order]) -> Wait | Claims:
    pause_s = supply.take_call("purchase")
    if pause_s:
        return _no_call(order, pause_s)
    held: dict[int, Lease] = {
        one.subject_id: one for one in leases.take_rows([one.id for one in companions])
    }
    claims = orders.claim_together([order.id, *held])
    return Claims(claims, held, {one.id: one.store_id for one in (order, *companions)})


def _no_call(order: Order, pause_s: float) -> Wait:
    return Wait(
        clock.now() + timedelta(seconds=pause_s), "rate" if order.ever_unknown else None
    )


def _send(
    lease: Lease,
    order: Order,
    found: Claims,
    supplier: Supplier,
) -> Outcome:
    """Make the one purchase call of a claim. For an order that was ever unclear a look-up's call is
    taken already."""
    claim = found.claims[0]
    if claim.was_unknown:
        settled = look_ups.look_before_resend(
            lease, claim, supplier, has_call=order.ever_unknown
        )
        if settled is not None:
            return settled
    called = purchase.call([claim], supplier)
    if called is None:
        return applying.close(
            lease, order.id, lambda: schedule.next_check(orders.locked(order.id))
        )
    results, balance_after_pesewas = called
    again = supplier_link.note_purchase(results, was_in_order=found.link_was_in_order)
    outcome = answers.close_purchase(lease, claim, results[0], supplier, again)
    balance.note_answered(results, balance_after_pesewas, supplier)
    return outcome


def _send_together(
    lease: Lease, order: Order, found: Claims, supplier: Supplier
) -> Outcome:
    """Make one call for claims of any store, and write down each line's answer in its own store.

    Returns when to check `order` again; the rows of the others are closed by their own leases. A
    line whose lease was lost meanwhile keeps what the other job decided.
    """
    claims = found.claims
    held = {**found.leases, order.id: lease}
    with tenancy.across_stores():
        called = purchase.call(claims, supplier) if claims else None
    again = supplier_link.note_purchase(called[0]) if called else None
    outcome = Outcome(clock.now())
    for number, claim in enumerate(claims):
        own = held.pop(claim.order_id)
        with tenancy.inside(found.stores[claim.order_id]):
            if called:
                said = answers.close_purchase(
                    own, claim, called[0][number], supplier, again
                )
            else:
                said = applying.close(
                    own,
                    claim.order_id,
                    lambda: schedule.next_check(orders.locked(claim.order_id)),  # noqa: B023 - called at once
                )
        if claim.order_id == order.id:
            outcome = said
    if called:
        balance.note_answered(*called, supplier)
    held.pop(order.id, None)
    with tenancy.across_stores():
        for left_out in held.values():
            leases.finish(left_out, clock.now())
    return outcome
