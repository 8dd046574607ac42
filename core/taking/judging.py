"""An attempt to pay, once the gateway was asked: opened, judged by its own record, given up.

`online.judge` decides what a record means, `deeds` does it, in one transaction. Nothing that
anybody else says moves anything.
"""

from __future__ import annotations

from core import online, orders
from core.base import clock, config
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case
from core.online import Asked, OnlinePayment, Verdict, Verified
from core.orders import Order
from core.taking import asking, deeds
from core.taking.deeds import tell
from core.taking.unwatched import expire


def opened(payment_id: int, access_code: str, url: str) -> None:
    """The gateway has made a page to pay at: its customer may be sent there."""
    with transaction():
        payment, order = lock_both(payment_id)
        if payment.state == "asked":
            deeds.watch_others(payment, order)
            payment.state, payment.opened_at = "open", clock.now()
            payment.access_code, payment.authorization_url = access_code, url
            order.version += 1


def not_opened(payment_id: int, why: str) -> None:
    """The gateway refuses to take this payment: nobody can pay at it, another attempt may."""
    with transaction():
        payment, order = lock_both(payment_id)
        if payment.state == "asked":
            payment.state, payment.failed_at = "failed", clock.now()
            tell(order, f"The gateway did not open a payment: {why}.")


def ask_anew(payment_id: int) -> None:
    """The gateway knows the reference and its page was never told to us: another attempt takes its
    place, and this one is watched on, since it may still be paid."""
    with transaction():
        payment, order = lock_both(payment_id)
        if payment.state != "asked":
            return
        payment.state = "watched"
        db.session.flush()
        if order.state == "awaiting_payment" and _may_be_replaced(order):
            online.ask(order)
            tell(
                order, "The answer of the gateway was lost: another payment is opened."
            )


def take(payment_id: int, found: Verified) -> Verdict:
    """Apply the gateway's own record of a payment, looked up just now. What was applied before
    changes nothing."""
    with transaction():
        payment, order = lock_both(payment_id)
        other = online.paying(order.id)
        asked = Asked(
            payment.reference,
            payment.mode,
            payment.amount_pesewas,
            is_paid=payment.state == "paid",
            awaits=order.state == "awaiting_payment",
            is_paid_by_other=other is not None and other.id != payment.id,
        )
        verdict = online.judge(asked, found)
        deeds.do(verdict, payment, order, found)
        return verdict


def end_of_time(payment_id: int) -> None:
    """An attempt was waited for long enough, and the gateway has just said that it is not paid.
    The order expires with its newest attempt; the attempt is watched on until its last look."""
    with transaction():
        payment, order = lock_both(payment_id)
        if payment.state in online.OPEN or payment.state == "failed":
            payment.state = "watched"
        newest = online.of_order(order.id)[0]
        if order.state == "awaiting_payment" and newest.id == payment.id:
            expire(order, "Expired: no payment came in time. Nothing was sent.")


def close(payment_id: int) -> None:
    """The last look of an attempt that was never paid."""
    with transaction():
        payment, _order = lock_both(payment_id)
        if payment.state in ("watched", "failed"):
            payment.state, payment.ended_at = "ended", clock.now()


def _may_be_replaced(order: Order) -> bool:
    """Whether an attempt whose page was lost is replaced by itself: as a customer's own try would
    be, and no longer than the order was to wait from its first one."""
    tries = online.of_order(order.id)
    in_time = clock.now() < online.expires_at(tries[-1].created_at)
    few = len(tries) < config.current().payment_tries
    return in_time and few and asking.may_be_asked(order)


@inside_use_case
def lock_both(payment_id: int) -> tuple[OnlinePayment, Order]:
    """A payment for an order, and that order, locked: the order first."""
    payment = online.locked_payment(payment_id)
    assert payment.order_id is not None
    return payment, orders.locked(payment.order_id)
