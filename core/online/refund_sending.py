"""Whether a refund may be sent now, and what is known of a sending: written down before the call,
certainly not sent, or proven absent."""

from __future__ import annotations

from core.audit import SYSTEM
from core.base import clock, config
from core.base.db import db, transaction
from core.online import refund_cases
from core.online.model import GatewayRefund, OnlinePayment
from core.online.paying_back import ask_refund
from core.online.refund_rows import is_held_back, locked_refund
from core.online.standing import due


def begin_sending(refund_id: int) -> bool:
    """Written down before the call: from now on it may have been sent. False when it is not to be
    sent any more."""
    with transaction():
        refund = locked_refund(refund_id)
        if refund.state not in ("requested", "submitting"):
            return False
        payment = db.session.get_one(OnlinePayment, refund.payment_id)
        if is_held_back(payment):
            refund.state = "requested"  # what was under way is proven absent by now
            return False
        if refund.amount_pesewas > due(payment.id):
            _withdraw(payment, refund)
            return False
        refund.state, refund.sent_at, refund.absent_at = (
            "submitting",
            clock.now(),
            None,
        )
        return True


def may_go(refund_id: int) -> bool:
    """Whether so much is still owed, and no dispute keeps it back."""
    with transaction():
        refund = locked_refund(refund_id)
        payment = db.session.get_one(OnlinePayment, refund.payment_id)
        is_owed = refund.amount_pesewas <= due(payment.id)
        return is_owed and not is_held_back(payment)


def _withdraw(payment: OnlinePayment, refund: GatewayRefund) -> None:
    """Never sent, and less is owed by now: the gateway has taken a part of it. The rest is asked
    for anew."""
    refund.state, refund.ended_at = "failed", clock.now()
    db.session.flush()
    if owed := due(payment.id):
        ask_refund(payment, owed, refund.reason, SYSTEM)


def certainly_not_sent(refund_id: int, why: str, *, is_poor: bool = False) -> None:
    """The gateway did nothing: it waits to be sent. `is_poor`: there is no money at the gateway to
    take it from, which a person should see."""
    with transaction():
        refund = locked_refund(refund_id)
        if refund.state != "submitting":
            return
        refund.state = "requested"
        if is_poor:
            refund_cases.ask("refund_poor", refund, why)


def note_absent(refund_id: int) -> bool:
    """The gateway's whole list does not have it. True when that proves that it was not sent: seen
    twice, `refund_absence_s` apart, the first time so long after the sending."""
    with transaction():
        refund = locked_refund(refund_id)
        now, gap = clock.now(), clock.delta(config.current().refund_absence_s)
        assert refund.sent_at is not None
        if refund.state != "submitting" or now - refund.sent_at < gap:
            return False
        if refund.absent_at is None:
            refund.absent_at = now
            return False
        return now - refund.absent_at >= gap
