"""What the answer to a purchase does to an order.

Which word means what is decided in `interpret`, which moves exist in `core.orders`; the state of
the line to the supplier is kept by `supplier_link`.
"""

from __future__ import annotations

from datetime import datetime

from core import orders
from core.base import clock, config
from core.base.language import later
from core.base.preconditions import inside_use_case
from core.leases import Lease
from core.orders import Claim, News, Order
from core.supplier import supply
from fulfilment import catalog_sync
from fulfilment.buying import applying, balance, interpret, look_ups, schedule
from fulfilment.outcome import Outcome
from integrations.ports import (
    Absent,
    Accepted,
    Found,
    LookupResult,
    NoAnswer,
    NotSent,
    Rejected,
    SubmitResult,
    Supplier,
    Unknown,
)


def close_purchase(
    lease: Lease,
    claim: Claim,
    result: SubmitResult,
    supplier: Supplier,
    again: datetime | None,
) -> Outcome:
    """Write down what the answer to a purchase means. `again` is when the line lets a refused
    purchase try once more."""
    looked = None
    if isinstance(result, Rejected):
        if result.kind == "insufficient_balance":
            balance.note_short(applying.read(claim.order_id))
        elif result.kind == "duplicate_reference":
            looked = _look_at_duplicate(claim, supplier)
    return applying.close(
        lease, claim.order_id, lambda: _take_purchase(claim, result, again, looked)
    )


def _look_at_duplicate(claim: Claim, supplier: Supplier) -> LookupResult | None:
    """The supplier's record of a reference that it refused as a duplicate; None when nobody may
    ask now, or an attempt was unclear and a later look-up decides."""
    order = applying.read(claim.order_id)
    if order.ever_unknown or supply.take_call("other") > 0.0:
        return None
    return look_ups.look_up(order, supplier)


@inside_use_case
def _take_purchase(
    claim: Claim,
    result: SubmitResult,
    again: datetime | None,
    looked: LookupResult | None,
) -> datetime | None:
    """What the answer to a purchase does to the order.

    `looked`: what the supplier's record said after it refused the reference as a duplicate.
    """
    order = orders.locked(claim.order_id)
    if _is_about_catalogue(result):
        catalog_sync.note_refused(order)
    match result:
        case Accepted():
            return applying.take(order, interpret.of_accepted(order, result))
        case NotSent():
            return _take_unsent(claim, result, again)
        case Rejected():
            return _take_refusal(order, claim, result, again, looked)
        case Unknown():
            applying.ask_about_stranger(claim.order_id, result)
            return applying.unclear(claim, result.reason)


def _take_unsent(
    claim: Claim, result: NotSent, again: datetime | None
) -> datetime | None:
    text = f"Not sent ({result.reason}); nothing was bought."
    if result.rate_limited:
        return applying.back_in_line(claim, "rate", text, again)
    if again is None:
        return applying.back_in_line(claim, None, text, None)
    steps = applying.BACKOFF_S
    due = clock.jittered(steps[min(claim.attempt, len(steps)) - 1])
    return applying.back_in_line(claim, "supplier_unreachable", text, due)


def _take_refusal(
    order: Order,
    claim: Claim,
    result: Rejected,
    again: datetime | None,
    looked: LookupResult | None,
) -> datetime | None:
    if result.kind == "credentials":
        text = "The supplier refuses our credentials; nothing was bought."
        return applying.back_in_line(claim, "credentials", text, again)
    if order.ever_unknown:
        # Balance is checked before duplicates there: a refusal proves nothing about an earlier,
        # unclear attempt.
        return applying.unclear(claim, f"{result.code} after an unclear attempt")
    if result.kind == "insufficient_balance":
        text = "The supplier says the float is too low; nothing was bought."
        due = clock.after(config.current().low_float_wait_s)
        return applying.back_in_line(claim, "float", text, due)
    if result.kind == "duplicate_reference":
        return _settle_duplicate(claim, looked)
    if result.kind == "catalogue" and orders.buy_other(claim.order_id, claim.attempt):
        return clock.now()
    return _refund(order, claim, result)


def _refund(
    order: Order,
    claim: Claim,
    result: Rejected,
) -> datetime | None:
    orders.advance(
        claim.order_id,
        "refunded",
        attempt=claim.attempt,
        news=News(raw_status=result.code, failure_reason=result.message),
        text=(
            f"The supplier refused it ({result.code}: {result.message}). It never had it;"
            " the money is back."
        ),
        customer_text=later("It could not be sent"),
    )
    return schedule.next_check(order)


def _is_about_catalogue(result: SubmitResult) -> bool:
    """Whether the supplier says that it does not sell what was asked for; this proves nothing about
    the order."""
    if isinstance(result, Rejected):
        return result.kind == "catalogue"
    return isinstance(result, Unknown) and result.about_catalogue


def _settle_duplicate(claim: Claim, looked: LookupResult | None) -> datetime | None:
    """The reference exists at the supplier though no attempt of ours was unclear: ours after all,
    or a stranger's."""
    order = orders.locked(claim.order_id)
    if looked is not None:
        orders.note_look(claim.order_id, look_ups.in_words(looked))
    match looked:
        case Found():
            return applying.take(order, interpret.of_found(order, looked))
        case Absent():
            if orders.renew_reference(
                claim.order_id, claim.attempt, orders.new_order_ref()
            ):
                return clock.now()
        case NoAnswer():
            applying.ask_about_stranger(claim.order_id, looked)
    return applying.unclear(claim, "the reference exists already")
