"""What a person's press does about the money of an online payment: it is owed back, a refund is
asked for, or it pays for what it was meant for. Under the locks of `acting`, which has its order's
row.
"""

from __future__ import annotations

from core import availability, online, orders, outbox, taking
from core.base.preconditions import inside_use_case
from core.cases import Case
from core.online import OnlinePayment, adopting, refund_lists, refunds
from core.online.refund_lists import Reason
from core.orders import anew, releasing
from core.settling.facts import ActionRefused, payment_of
from core.settling.press import Press, tell

_REASONS: dict[str, Reason] = {"paid_twice": "double", "paid_short": "short"}


@inside_use_case
def owe_back(press: Press) -> str:
    """A payment that pays no order is owed back, and goes back. Raises `ActionRefused`."""
    payment = _locked(press.facts.case)
    online.owe(payment, press.actor)
    if not online.due(payment.id):
        return "The gateway has given it back already: nothing is owed any more."
    return _goes_back(press, payment, "late")


@inside_use_case
def refund(press: Press) -> str:
    """All that is owed of a payment goes back. Raises `ActionRefused`."""
    payment = _locked(press.facts.case)
    reason = _REASONS.get(press.facts.case.kind) or refund_lists.reason_of(payment.id)
    return _goes_back(press, payment, reason)


@inside_use_case
def adopt_refund(press: Press) -> str:
    """A refund that somebody ordered at the gateway counts as given back. Raises
    `ActionRefused`."""
    payment = _locked(press.facts.case)
    try:
        adopting.adopt(payment, press.facts.case.seen, press.actor)
    except online.Unfit as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    online.ring(payment)
    _tell_payer(press)
    return f"{press.amount} counts as given back."


@inside_use_case
def book_taken(press: Press) -> str:
    """The payer has it back at the gateway, and nobody here ordered that. An order not bought yet
    is not bought any more. Raises `ActionRefused`."""
    payment, order = _locked(press.facts.case), press.order
    if order.state in ("pending", "queued") and payment.pays_order_id == order.id:
        said = "Cancelled: its payment was given back at the gateway."
        orders.advance(order.id, "cancelled", text=said, actor=press.actor)
        if press.facts.row is not None:
            outbox.make_due(press.facts.row)
    try:
        online.take_payment_back(payment, press.amount_pesewas, press.actor, press.note)
    except online.Unfit as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    order.version += 1
    tell(press, "the payer has the payment back at the gateway.")
    return f"{press.amount} is booked as taken back at the gateway."


@inside_use_case
def deliver(press: Press) -> str:
    """A late payment pays a new order of what it was meant for, which goes in line at once. The
    payment names that order, so there is one. Raises `ActionRefused`."""
    payment, old = _locked(press.facts.case), press.order
    fresh = anew.make(old, press.amount_pesewas, f"late-payment-{payment.id}")
    try:
        online.fulfil_late(payment, fresh)
    except online.Unfit as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    paid = f"Paid by {payment.reference}, which came late for {old.shown_code}."
    orders.advance(fresh.id, "pending", text=paid, actor=press.actor)
    try:
        releasing.put_in_line(
            fresh,
            press.actor,
            f"{press.actor.name} delivers it after all.",
            availability.now(),
        )
    except orders.OrderRefused as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    old.version += 1
    tell(press, f"the late payment pays a new order, {fresh.shown_code}.")
    return f"It pays a new order, {fresh.shown_code}, which is in line."


@inside_use_case
def expire(press: Press) -> str:
    """Nobody paid for an order, says a person who looked at the gateway: it waits no longer."""
    order = press.order
    taking.expire(order, "Expired: no payment came in time. Nothing was sent.")
    tell(press, "looked at the gateway: nobody has paid for it.")
    return "The order expired."


def _goes_back(press: Press, payment: OnlinePayment, reason: Reason) -> str:
    try:
        refunds.ask_by_hand(payment, reason, press.actor)
    except online.Unfit as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    online.ring(payment)
    _tell_payer(press)
    whom = "who paid" if press.facts.order is None else "the customer"
    return f"{press.amount} goes back to {whom} by the gateway."


def _tell_payer(press: Press) -> None:
    if press.facts.order is None:  # it was to go into a wallet
        return
    press.order.version += 1
    tell(press, "the customer's payment goes back to them.")


def _locked(case: Case) -> OnlinePayment:
    payment = payment_of(case)
    assert payment is not None
    return online.locked_payment(payment.id)
