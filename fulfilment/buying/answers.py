"""What an answer of the supplier does to an order: the answer to a purchase, and the answer to a
look-up.

`close` writes one answer down in one transaction, lease and next check included. Which word means
what is decided in `interpret`, which moves exist in `core.orders`; the state of the line to the
supplier is kept by `supplier_link`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from core import leases, orders
from core.base import clock, config
from core.base.db import after_commit, end_read, retry_on_conflict, transaction
from core.leases import Lease
from core.orders import Claim, News, Order
from core.supplier import supply
from fulfilment import catalog_sync
from fulfilment.buying import balance, interpret, schedule
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

BACKOFF_S = (5, 15, 30, 60)
STRANGER = ("other_reference", "not_found_of_other_reference")
"""Reasons of an `Unknown` or `NoAnswer` whose answer named a reference that is not the one asked
about."""


def close(
    lease: Lease,
    order_id: int,
    act: Callable[[], datetime | None],
    *,
    news_read: bool = True,
) -> Outcome:
    """One answer, or one reason to wait, in one transaction: what `act` does to the order, when to
    check again, the lease.

    `act` returns that moment, and is done again from its beginning when the database asks for it.
    """

    def once() -> Outcome:
        with transaction():
            orders.locked(order_id)  # before its row, as everybody takes these two
            due = act()
            orders.note_next(order_id, due)
            kept = leases.finish(lease, due, news_read=news_read)
        return Outcome(due, kept=kept)

    return retry_on_conflict(once)


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
    if isinstance(result, Rejected) and result.kind in (
        "insufficient_balance",
        "duplicate_reference",
    ):
        order = read(claim.order_id)
        if result.kind == "insufficient_balance":
            balance.note_short(order)
        elif not order.ever_unknown and supply.take_call("other") == 0.0:
            looked = look_up(order, supplier)
    return close(
        lease, claim.order_id, lambda: _take_purchase(claim, result, again, looked)
    )


def read(order_id: int) -> Order:
    """An order as it is now, in a read that is over at once."""
    end_read()
    return orders.by_id(order_id)


def _take_purchase(
    claim: Claim,
    result: SubmitResult,
    again: datetime | None,
    looked: LookupResult | None,
) -> datetime | None:
    """What the answer to a purchase does to the order, inside the open use case.

    `looked`: what the supplier's record said after it refused the reference as a duplicate.
    """
    order = orders.locked(claim.order_id)
    if _is_about_catalogue(result):
        catalog_sync.note_refused(order)
    match result:
        case Accepted():
            return take(order, interpret.of_accepted(order, result))
        case NotSent(rate_limited=True):
            return back_in_line(
                claim, "rate", f"Not sent ({result.reason}); nothing was bought.", again
            )
        case NotSent():
            reason = "supplier_unreachable" if again is not None else None
            due = (
                None
                if again is None
                else clock.jittered(BACKOFF_S[min(claim.attempt, len(BACKOFF_S)) - 1])
            )
            return back_in_line(
                claim, reason, f"Not sent ({result.reason}); nothing was bought.", due
            )
        case Rejected(kind="credentials"):
            text = "The supplier refuses our credentials; nothing was bought."
            return back_in_line(claim, "credentials", text, again)
        case Rejected() if order.ever_unknown:
            # Balance is checked before duplicates there: a refusal proves nothing about an earlier,
            # unclear attempt.
            return unclear(claim, f"{result.code} after an unclear attempt")
        case Rejected(kind="insufficient_balance"):
            due = clock.after(config.current().low_float_wait_s)
            return back_in_line(
                claim,
                "float",
                "The supplier says the float is too low; nothing was bought.",
                due,
            )
        case Rejected(kind="duplicate_reference"):
            return _settle_duplicate(claim, looked)
        case Rejected(kind="catalogue") if orders.buy_other(
            claim.order_id, claim.attempt
        ):
            return clock.now()
        case Rejected():
            orders.advance(
                claim.order_id,
                "refunded",
                attempt=claim.attempt,
                news=News(raw_status=result.code, failure_reason=result.message),
                text=(
                    f"The supplier refused it ({result.code}: {result.message}). It never had it;"
                    " the money is back."
                ),
                customer_text="It could not be sent",
            )
            return schedule.next_check(order)
        case Unknown():
            _ask_about_stranger(claim.order_id, result)
            return unclear(claim, result.reason)


def _is_about_catalogue(result: SubmitResult) -> bool:
    """Whether the supplier says that it does not sell what was asked for; this proves nothing about
    the order."""
    if isinstance(result, Rejected):
        return result.kind == "catalogue"
    return isinstance(result, Unknown) and result.about_catalogue


def unclear(claim: Claim, reason: str) -> datetime | None:
    """The attempt has no trustworthy answer: only a look-up decides from now on."""
    orders.mark_unknown(claim.order_id, claim.attempt, reason)
    return schedule.next_check(orders.locked(claim.order_id))


def take_look(order_id: int, result: LookupResult) -> datetime | None:
    """What the answer to a look-up does to the order, inside the open use case."""
    order = orders.locked(order_id)
    is_gone = isinstance(result, NoAnswer) and result.kind == "endpoint_gone"
    times_gone = orders.note_look(order_id, in_words(result), gone=is_gone)
    match result:
        case Found():
            return take(order, interpret.of_found(order, result))
        case Absent():
            return _take_absence(order)
        case NoAnswer():
            return _take_silence(order, result, times_gone)


def _take_silence(order: Order, silence: NoAnswer, times_gone: int) -> datetime | None:
    if order.state == "submitting" and order.absent_since is not None:
        orders.forget_absence(order.id)
    _ask_about_stranger(order.id, silence)
    was_submitting = order.state == "submitting"
    interpret.believe_signed_webhook(order, times_gone)
    due = schedule.next_check(order)
    if due is None:
        return clock.jittered(BACKOFF_S[-1]) if order.in_doubt else None
    if was_submitting and silence.kind in ("broken", "unclear", "unreachable"):
        # Silence is no information, and somebody has paid: the next check may be half an hour away.
        return min(due, clock.jittered(BACKOFF_S[-1]))
    return due


def take(order: Order, verdict: interpret.Verdict) -> datetime | None:
    """Apply a verdict to a locked order, open the cases it calls for, say when to check next.
    Inside the open use case."""
    for kind, evidence in verdict.cases:
        orders.raise_case(order.id, kind, evidence)
    if verdict.move is not None:
        orders.advance(
            order.id,
            verdict.move,
            text=verdict.text,
            customer_text=verdict.customer_text,
            news=verdict.news,
        )
        if verdict.news.money_back:
            after_commit(balance.note_money_back)
    elif verdict.wrong_order and order.state == "submitting":
        orders.mark_unknown(
            order.id, order.attempt, "the answer is about another order"
        )
        orders.forget_absence(order.id)
    catalog_sync.note_charge(order, verdict.news.amount_pesewas)
    return schedule.next_check(order)


def back_in_line(
    claim: Claim, reason: str | None, text: str, due: datetime | None
) -> datetime:
    """The claim certainly bought nothing: *queued* again until `due` (default now), with the reason
    people read."""
    moved = orders.advance(
        claim.order_id, "queued", attempt=claim.attempt, text=text, wait_reason=reason
    )
    return due if moved and due is not None else clock.now()


def look_up(order: Order, supplier: Supplier) -> LookupResult:
    """The supplier's record of an order. One that names no reference, and cannot be told to be this
    order's, is no answer."""
    end_read()
    result = supplier.status(order.order_ref)
    if isinstance(result, Found) and not interpret.is_about(order, result):
        return NoAnswer("unclear", "no_reference")
    return result


def look_before_resend(
    lease: Lease, claim: Claim, supplier: Supplier, *, has_call: bool = False
) -> Outcome | None:
    """Absence was proven, yet a resend is the most dangerous call there is: ask once more. None:
    still absent, send.

    Takes a call from the budget unless `has_call`.
    """
    pause_s = 0.0 if has_call else supply.take_call("purchase")
    if pause_s:
        due = clock.now() + timedelta(seconds=pause_s)
        text = "No call left to check before sending again."
        return close(
            lease, claim.order_id, lambda: back_in_line(claim, "rate", text, due)
        )
    result = look_up(read(claim.order_id), supplier)
    if isinstance(result, Absent):
        orders.note_look(claim.order_id, in_words(result))
        return None
    return close(lease, claim.order_id, lambda: _take_look_of_claim(claim, result))


def _take_look_of_claim(claim: Claim, result: Found | NoAnswer) -> datetime:
    order = orders.locked(claim.order_id)
    orders.note_look(claim.order_id, in_words(result))
    if isinstance(result, Found):
        return take(order, interpret.of_found(order, result)) or clock.now()
    _ask_about_stranger(claim.order_id, result)
    return back_in_line(
        claim,
        "supplier_unreachable",
        f"Not sent again yet: the check before it had no answer ({result.kind}).",
        clock.jittered(BACKOFF_S[-1]),
    )


def in_words(result: LookupResult) -> str:
    """What a look-up said, for the timeline."""
    match result:
        case Found():
            return f"it says “{result.raw_status}”"
        case Absent():
            return "it does not know the reference"
        case NoAnswer():
            return f"no answer ({result.kind.replace('_', ' ')})"


def _ask_about_stranger(order_id: int, silence: Unknown | NoAnswer) -> None:
    """An answer that named another reference than ours is no information, and a person should see
    it."""
    if silence.reason in STRANGER:
        orders.raise_case(
            order_id, "wrong_answer", {"said": "the answer was about another reference"}
        )


def _settle_duplicate(claim: Claim, looked: LookupResult | None) -> datetime | None:
    """The reference exists at the supplier though no attempt of ours was unclear: ours after all,
    or a stranger's."""
    order = orders.locked(claim.order_id)
    if looked is not None:
        orders.note_look(claim.order_id, in_words(looked))
    match looked:
        case Found():
            return take(order, interpret.of_found(order, looked))
        case Absent():
            if orders.renew_reference(
                claim.order_id, claim.attempt, orders.new_order_ref()
            ):
                return clock.now()
        case NoAnswer():
            _ask_about_stranger(claim.order_id, looked)
    return unclear(claim, "the reference exists already")


def _take_absence(order: Order) -> datetime | None:
    if order.state in ("refunded", "cancelled"):
        # its money went back: not to know it is what should be
        return schedule.next_check(order)
    if order.state != "submitting":
        since = order.processing_at or order.failed_since
        if since is not None and clock.now() - since > clock.delta(
            config.current().grace_s
        ):
            orders.raise_case(
                order.id, "wrong_answer", {"said": "not found", "state": order.state}
            )
        return schedule.next_check(order)
    verdict = orders.note_absent(order.id)
    if verdict == "proven":
        return (
            schedule.next_check(order)
            if orders.requeue_absent(order.id)
            else clock.after(3_600)
        )
    if verdict == "first":
        return clock.after(config.current().absence_gap_s)
    return schedule.next_check(order)
