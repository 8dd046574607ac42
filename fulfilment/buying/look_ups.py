"""Asking the supplier for our reference, and what its answer does to the order.

The state of the line to the supplier is kept by `supplier_link`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from core import orders
from core.base import clock, config
from core.base.db import end_read
from core.base.preconditions import inside_use_case
from core.leases import Lease
from core.orders import Claim, Order
from core.supplier import supply
from fulfilment.buying import applying, interpret, schedule
from fulfilment.outcome import Outcome
from integrations.ports import (
    Absent,
    Found,
    LookupResult,
    NoAnswer,
    Supplier,
)


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
    """Look once more before an order whose absence was proven is sent again. Returns None when it
    is still absent and may be sent.

    Takes a call from the budget unless `has_call`.
    """
    pause_s = 0.0 if has_call else supply.take_call("purchase")
    if pause_s:
        due = clock.now() + timedelta(seconds=pause_s)
        text = "No call left to check before sending again."
        return applying.close(
            lease,
            claim.order_id,
            lambda: applying.back_in_line(claim, "rate", text, due),
        )
    result = look_up(applying.read(claim.order_id), supplier)
    if isinstance(result, Absent):
        orders.note_look(claim.order_id, in_words(result))
        return None
    return applying.close(
        lease, claim.order_id, lambda: _take_look_of_claim(claim, result)
    )


def _take_look_of_claim(claim: Claim, result: Found | NoAnswer) -> datetime:
    order = orders.locked(claim.order_id)
    orders.note_look(claim.order_id, in_words(result))
    if isinstance(result, Found):
        return applying.take(order, interpret.of_found(order, result)) or clock.now()
    applying.ask_about_stranger(claim.order_id, result)
    return applying.back_in_line(
        claim,
        "supplier_unreachable",
        f"Not sent again yet: the check before it had no answer ({result.kind}).",
        clock.jittered(applying.BACKOFF_S[-1]),
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


@inside_use_case
def take_look(
    order_id: int, result: LookupResult, rung_at: datetime | None = None
) -> datetime | None:
    """What the answer to a look-up does to the order. `rung_at`: when somebody last asked for
    it."""
    order = orders.locked(order_id)
    is_gone = isinstance(result, NoAnswer) and result.kind == "endpoint_gone"
    times_gone = orders.note_look(order_id, in_words(result), gone=is_gone)
    match result:
        case Found():
            return applying.take(order, interpret.of_found(order, result))
        case Absent():
            return _take_absence(order)
        case NoAnswer():
            return _take_silence(order, result, times_gone, rung_at)


def _take_silence(
    order: Order,
    silence: NoAnswer,
    times_gone: int,
    rung_at: datetime | None,
) -> datetime | None:
    if order.state == "submitting" and order.absent_since is not None:
        orders.forget_absence(order.id)
    applying.ask_about_stranger(order.id, silence)
    was_submitting = order.state == "submitting"
    interpret.believe_signed_webhook(order, times_gone)
    if silence.kind == "endpoint_gone":
        due = schedule.next_check(order)  # no answer will come, whoever asks
    else:
        due = schedule.next_check_after_silence(order, rung_at)
    if due is None:
        if order.in_doubt:
            return clock.jittered(applying.BACKOFF_S[-1])
        return None
    if was_submitting and silence.kind in ("broken", "unclear", "unreachable"):
        # Silence is no information, and somebody has paid: the next check may be half an hour away.
        return min(due, clock.jittered(applying.BACKOFF_S[-1]))
    return due


def _take_absence(order: Order) -> datetime | None:
    if order.state in ("refunded", "cancelled"):
        # its money went back: not to know it is what should be
        return schedule.next_check(order)
    if order.state != "submitting":
        if _should_be_known(order):
            orders.raise_case(
                order.id, "wrong_answer", {"said": "not found", "state": order.state}
            )
        return schedule.next_check(order)
    verdict = orders.note_absent(order.id)
    if verdict == "proven":
        if orders.requeue_absent(order.id):
            return schedule.next_check(order)
        return clock.after(3_600)
    if verdict == "first":
        return clock.after(config.current().absence_gap_s)
    return schedule.next_check(order)


def _should_be_known(order: Order) -> bool:
    """Whether the supplier said that it has the order, and has had time to list it."""
    since = order.processing_at or order.failed_since
    if since is None:
        return False
    return clock.now() - since > clock.delta(config.current().grace_s)
