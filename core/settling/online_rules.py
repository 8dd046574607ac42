"""Whether an action on a case of an online payment is legal now, and how much it would move. Part
of `legality`."""

from __future__ import annotations

from core import cases, online, orders
from core.online import adopting, refund_lists
from core.orders import anew
from core.settling.facts import ActionRefused, Facts, NotYet, order_of, payment_of


def owe_back(facts: Facts) -> int:
    payment = payment_of(facts.case)
    if payment is None or payment.state != "paid":
        raise ActionRefused("This payment is not in the books: nothing came in of it.")
    if payment.is_used or payment.owed_pesewas:
        raise ActionRefused(
            "This payment pays an order, or is owed back already. Close the case with words."
        )
    return payment.worth_pesewas


def deliver(facts: Facts) -> int:
    worth = owe_back(facts)
    payment = payment_of(facts.case)
    assert payment is not None
    if online.taken_of([payment.id]):
        raise ActionRefused(
            "The gateway has taken this money back. See to what is owed instead."
        )
    is_asked_about = any(
        cases.is_open(kind, payment.subject) for kind in online.TAKEN_BACK
    )
    if is_asked_about or online.is_disputed(payment.id):
        raise ActionRefused(
            "The payer may get this money back by the gateway. Settle that case first."
        )
    try:
        anew.refuse(order_of(facts), worth, worth - (payment.fees_pesewas or 0))
    except orders.NotBuyable as stopped:
        raise NotYet(stopped.sentence) from stopped
    except orders.OrderRefused as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    return worth


def expire(facts: Facts) -> None:
    if order_of(facts).state != "awaiting_payment":
        raise ActionRefused(
            "The order waits for no payment any more. Close the case with words."
        )
    if online.is_configured():
        raise ActionRefused(
            "The gateway is asked again, and the order ends by itself. Close the case with words."
        )


def refund(facts: Facts) -> int:
    payment = payment_of(facts.case)
    owed = online.due(payment.id) if payment is not None else 0
    if payment is None or not owed:
        raise ActionRefused("Nothing is owed back of this payment any more.")
    if refund_lists.is_under_way(payment.id):
        raise ActionRefused(
            "A refund of this payment is under way. Wait until it is over."
        )
    return owed


def adopt_refund(facts: Facts) -> int:
    try:
        return adopting.fit(payment_of(facts.case), facts.case.seen).amount_pesewas
    except adopting.MayBeOnItsWay as refusal:
        raise NotYet(refusal.sentence) from refusal
    except online.Unfit as refusal:
        raise ActionRefused(refusal.sentence) from refusal


def book_taken(facts: Facts) -> int:
    """All of it that nothing of ours explains: the gateway says *reversed* of a whole payment."""
    payment = payment_of(facts.case)
    if payment is None or payment.state != "paid" or payment.funded_at is not None:
        raise ActionRefused(
            "This is no payment of an order in the books. Close the case with words."
        )
    if online.is_disputed(payment.id):
        raise NotYet("A dispute of it is open: its end is booked by itself.")
    if refund_lists.is_under_way(payment.id):
        raise NotYet("A refund of it is under way: its end is booked by itself.")
    left = online.left(payment)
    if not left:
        raise ActionRefused(
            "All of it is booked as given or taken back. Close the case with words."
        )
    return left
