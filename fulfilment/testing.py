"""Playing a test order to its end: the road of `buying.steps`, with a stand-in in the supplier's
place and without its budget, its link, its float and its wallet's turn.

The handler is given the real supplier and never touches it. The claim is a claim, the call that
buys is `purchase.call`, and what an answer means is `interpret`'s: what differs is whom it asks.
"""

from __future__ import annotations

from datetime import datetime

from core import orders
from core.base import clock
from core.base.language import later
from core.base.preconditions import inside_use_case, needs_across_stores
from core.leases import Lease
from core.orders import Claim, News, Order, testing
from fulfilment.buying import applying, interpret, purchase
from fulfilment.outcome import Outcome
from integrations.ports import Accepted, Found, Rejected, SubmitResult, Supplier
from integrations.stand_in import Known, StandIn


@needs_across_stores
@inside_use_case
def begin(lease: Lease) -> Order:
    """The test order of this row."""
    return orders.by_id(lease.subject_id)


def play(lease: Lease, order: Order, _supplier: Supplier) -> Outcome:
    """Handler of `play_test_order`: one step, in its store."""
    if not order.is_test:
        raise ValueError("a real order is not played")
    if order.state == "pending":
        return Outcome(orders.let_go(order.id))
    if order.state == "queued":
        return _buy(lease, order)
    if order.state in orders.WORK:
        return _look(lease, order)
    return Outcome(None)


def stand_in(order: Order) -> StandIn:
    """The stand-in, which knows what a supplier would know of this order now."""
    known = Known(order.order_ref, order.test_ending or "", order.submitted_at)
    return StandIn(known, clock.now(), clock.delta(testing.PLAYED_S))


def _buy(lease: Lease, order: Order) -> Outcome:
    claim = orders.claim_test(order.id)
    if claim is None:
        return Outcome(clock.now())
    called = purchase.call([claim], stand_in(order))
    if called is None:
        return applying.close(lease, order.id, lambda: _next(orders.locked(order.id)))
    return applying.close(lease, order.id, lambda: _take_purchase(claim, called[0][0]))


@inside_use_case
def _take_purchase(claim: Claim, result: SubmitResult) -> datetime | None:
    order = orders.locked(claim.order_id)
    if isinstance(result, Accepted):
        _take(order, interpret.of_accepted(order, result))
    elif isinstance(result, Rejected):
        orders.advance(
            order.id,
            "refunded",
            attempt=claim.attempt,
            news=News(raw_status=result.code, failure_reason=result.message),
            text=f"Test: the stand-in refused it ({result.message}).",
            customer_text=later("It could not be sent"),
        )
    return _next(order)


def _look(lease: Lease, order: Order) -> Outcome:
    """Also after a worker died in its call: then the stand-in has what was claimed."""
    found = stand_in(order).status(order.order_ref)

    def act() -> datetime | None:
        held = orders.locked(order.id)
        if isinstance(found, Found):
            _take(held, interpret.of_found(held, found))
        return _next(held)

    return applying.close(lease, order.id, act)


@inside_use_case
def _take(order: Order, verdict: interpret.Verdict) -> None:
    if verdict.move is not None:
        orders.advance(
            order.id,
            verdict.move,
            text=f"Test: {verdict.text[:1].lower()}{verdict.text[1:]}",
            customer_text=verdict.customer_text,
            news=verdict.news,
        )


def _next(order: Order) -> datetime | None:
    """None when it is over: nothing is watched after that."""
    return None if order.is_final else clock.after(testing.LOOK_S)
