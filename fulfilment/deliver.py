"""Getting a released order delivered: buy it once, then ask until the supplier has settled it.

One call of `deliver` does one step and says when to look again. Buying needs a claim, committed before the call; after
that only a look-up of our own reference decides (reliability.md §1). What moves exist is decided in `core.orders`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from core import catalog, clock, config, orders, supply
from core.db import db, end_read
from core.orders import Claim, News, Order
from core.outbox import Lease
from fulfilment import balance, link, news, rungs
from fulfilment.outcome import Outcome
from integrations.ports import (
    Absent,
    Accepted,
    Found,
    LookupResult,
    NoAnswer,
    NotSent,
    PurchaseRequest,
    Rejected,
    SubmitResult,
    Supplier,
    Unknown,
)

_TURN_AGAIN_S = 1
_BACKOFF_S = (5, 15, 30, 60)


def deliver(lease: Lease, supplier: Supplier) -> Outcome:
    """Handler of `deliver_order`: one step for the order of this row, in its store."""
    assert lease.order_id is not None
    order = _read(lease.order_id)
    if order.state != "queued" and order.attempt == 0:
        return Outcome(None)  # cancelled before anything was sent
    due = _buy(order, supplier) if order.state == "queued" else _look(order, supplier)
    orders.note_next(order.id, due)
    return Outcome(due)


def _buy(order: Order, supplier: Supplier) -> datetime | None:
    """Try to buy a queued order. Every reason not to is written on the order, with the moment of the next try."""
    if order.network in catalog.paused_networks():
        return _wait(order, "paused", clock.after(60))
    closed = link.closed()
    if closed is not None:
        return _wait(order, closed.reason, closed.until)
    with link.wallet_turn() as turn:
        if not turn:
            return clock.jittered(_TURN_AGAIN_S)
        if balance.too_low_for(order.cost_pesewas, supplier):
            return _wait(order, "float", clock.after(config.current().low_float_wait_s))
        closed = link.closed()  # once more: whoever had the turn before may have found the line dead
        if closed is not None:
            return _wait(order, closed.reason, closed.until)
        pause = supply.take_call("purchase")
        if pause:
            return clock.now() + timedelta(seconds=pause)
        claim = orders.claim(order.id)
        if claim is None:
            return clock.now()  # somebody else moved it: look at its new state
        return _send(claim, supplier)


def _send(claim: Claim, supplier: Supplier) -> datetime | None:
    """Make the one purchase call of a claim. This is the only place in the tree that buys."""
    request = PurchaseRequest(claim.order_ref, claim.product_name, claim.capacity, claim.recipient_msisdn)
    if _read(claim.order_id).ever_unknown:
        settled = _look_before_resend(claim, supplier)
        if settled is not None:
            return settled
    end_read()
    if not claim.may_send:
        orders.mark_unknown(claim.order_id, claim.attempt, "this worker was held up too long to send safely")
        return rungs.next_look(_read(claim.order_id))
    try:
        result = supplier.submit(request)
    except BaseException as interruption:  # the job's time limit, or a stop: sent or not, nobody knows
        orders.mark_unknown(claim.order_id, claim.attempt, type(interruption).__name__)
        raise
    return _record(claim, result, supplier)


def _ask(claim: Claim, supplier: Supplier) -> LookupResult:
    """A look-up in the middle of a claim, noted on the timeline."""
    end_read()
    result = supplier.status(claim.order_ref)
    orders.note_look(claim.order_id, _in_words(result))
    return result


def _look_before_resend(claim: Claim, supplier: Supplier) -> datetime | None:
    """Absence was proven, yet a resend is the most dangerous call there is: ask once more. None: still absent, send."""
    pause = supply.take_call("other")
    if pause:
        due = clock.now() + timedelta(seconds=pause)
        return _back_in_line(claim, "rate", "No call left to check before sending again.", due)
    match _ask(claim, supplier):
        case Found() as found:
            order = _read(claim.order_id)
            return _take_answer(order, news.of_found(order, found)) or clock.now()
        case Absent():
            return None
        case NoAnswer() as silence:
            return _back_in_line(
                claim,
                "supplier_unreachable",
                f"Not sent again yet: the check before it had no answer ({silence.kind}).",
                clock.jittered(_BACKOFF_S[-1]),
            )


def _record(claim: Claim, result: SubmitResult, supplier: Supplier) -> datetime | None:
    """Write down what the answer to a purchase means, and say when to look again."""
    order = _read(claim.order_id)
    match result:
        case Accepted():
            link.answered()
            return _take_answer(order, news.of_accepted(order, result))
        case NotSent():
            if result.rate_limited:
                due, reason = link.told_to_wait(result.retry_after_s), "rate"
            else:
                link.unreachable()
                due, reason = (
                    clock.jittered(_BACKOFF_S[min(claim.attempt, len(_BACKOFF_S)) - 1]),
                    "supplier_unreachable",
                )
            return _back_in_line(claim, reason, f"Not sent ({result.reason}); nothing was bought.", due)
        case Rejected(kind="credentials"):
            due = link.refused_credentials()
            return _back_in_line(claim, "credentials", "The supplier refuses our credentials; nothing was bought.", due)
        case Rejected() if order.ever_unknown:
            # Balance is checked before duplicates there: a refusal proves nothing about an earlier, unclear attempt.
            orders.mark_unknown(claim.order_id, claim.attempt, f"{result.code} after an unclear attempt")
            return rungs.next_look(_read(claim.order_id))
        case Rejected(kind="insufficient_balance"):
            link.answered()
            due = clock.after(config.current().low_float_wait_s)
            return _back_in_line(claim, "float", "The supplier says the float is too low; nothing was bought.", due)
        case Rejected(kind="duplicate_reference"):
            link.answered()
            return _settle_duplicate(claim, supplier)
        case Rejected():
            link.answered()
            said = News(raw_status=result.code, failure_reason=result.message)
            orders.advance(
                claim.order_id,
                "refunded",
                attempt=claim.attempt,
                news=said,
                text=f"The supplier refused it ({result.code}: {result.message}). It never had it; the money is back.",
                customer_text="It could not be sent",
            )
            return rungs.next_look(_read(claim.order_id))
        case Unknown():
            link.unclear()
            orders.mark_unknown(claim.order_id, claim.attempt, result.reason)
            return rungs.next_look(_read(claim.order_id))


def _settle_duplicate(claim: Claim, supplier: Supplier) -> datetime | None:
    """The reference exists at the supplier though no attempt of ours was unclear: ours after all, or a stranger's."""
    if supply.take_call("other") == 0.0:
        match _ask(claim, supplier):
            case Found() as found:
                return _take_answer(_read(claim.order_id), news.of_found(_read(claim.order_id), found))
            case Absent():
                if orders.renew_reference(claim.order_id, claim.attempt, orders.new_order_ref()):
                    return clock.now()
            case NoAnswer():
                pass
    orders.mark_unknown(claim.order_id, claim.attempt, "the reference exists already")
    return rungs.next_look(_read(claim.order_id))


def _look(order: Order, supplier: Supplier) -> datetime | None:
    """Ask the supplier for our reference and apply the answer."""
    pause = supply.take_call("other")
    if pause:
        return clock.now() + timedelta(seconds=pause)
    end_read()
    result = supplier.status(order.order_ref)
    gone = orders.note_look(
        order.id, _in_words(result), gone=isinstance(result, NoAnswer) and result.kind == "endpoint_gone"
    )
    due = _apply_look(_read(order.id), result, gone)
    if isinstance(result, NoAnswer) and result.kind == "rate_limited" and due is not None:
        due = max(due, link.told_to_wait(result.retry_after_s))
    return due


def _apply_look(order: Order, result: LookupResult, gone: int) -> datetime | None:
    match result:
        case Found():
            return _take_answer(order, news.of_found(order, result))
        case Absent():
            return _take_absence(order)
        case NoAnswer():
            if order.state == "submitting" and order.absent_since is not None:
                orders.forget_absence(order.id)
            if result.kind == "credentials":
                link.refused_credentials()
            news.believe_signed_webhook(order, gone)
            return rungs.next_look(_read(order.id))


def _in_words(result: LookupResult) -> str:
    match result:
        case Found():
            return f"it says “{result.raw_status}”"
        case Absent():
            return "it does not know the reference"
        case NoAnswer():
            return f"no answer ({result.kind.replace('_', ' ')})"


def _take_answer(order: Order, told: news.Told) -> datetime | None:
    """Apply a supplier's word to an order by the table in `news`, open the cases it calls for, say when to look next."""
    for kind, evidence in told.cases:
        orders.raise_case(order.id, kind, evidence)
    if told.move is not None:
        orders.advance(order.id, told.move, text=told.text, customer_text=told.customer_text, news=told.news)
    elif told.wrong_order and order.state == "submitting":
        orders.mark_unknown(order.id, order.attempt, "the answer is about another order")
        orders.forget_absence(order.id)
    return rungs.next_look(_read(order.id))


def _take_absence(order: Order) -> datetime | None:
    if order.state in ("refunded", "cancelled"):
        return rungs.next_look(order)  # its money went back: not to know it is what should be
    if order.state != "submitting":
        since = order.processing_at or order.failed_since
        if since is not None and clock.now() - since > clock.delta(config.current().grace_s):
            orders.raise_case(order.id, "wrong_answer", {"said": "not found", "state": order.state})
        return rungs.next_look(order)
    verdict = orders.note_absent(order.id)
    if verdict == "proven":
        return clock.now() if orders.requeue_absent(order.id) else clock.after(3_600)
    if verdict == "first":
        return clock.after(config.current().absence_gap_s)
    return rungs.next_look(_read(order.id))


def _back_in_line(claim: Claim, reason: str, text: str, due: datetime) -> datetime:
    moved = orders.advance(claim.order_id, "queued", attempt=claim.attempt, text=text, wait_reason=reason)
    return due if moved else clock.now()


def _wait(order: Order, reason: str, due: datetime) -> datetime:
    orders.wait(order.id, reason)
    return due


def _read(order_id: int) -> Order:
    end_read()
    return db.session.scalars(select(Order).where(Order.id == order_id)).one()
