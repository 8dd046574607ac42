"""An attempt to pay into a store's wallet, once the gateway was asked: as `judging` for orders.

A wallet waits for ever, so money that comes late, or twice by two attempts, is in it all the same.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import update

from core import online
from core.audit import SYSTEM
from core.base import clock
from core.base.db import db, transaction
from core.online import Asked, OnlinePayment, Verdict, Verified
from core.stores import Store
from core.taking import deeds, funding


def opened(payment_id: int, access_code: str, url: str) -> None:
    """The gateway has made a page to pay at; who was to pay at another one is led to this."""
    with transaction():
        payment = online.locked_payment(payment_id)
        if payment.state != "asked":
            return
        db.session.execute(
            update(OnlinePayment)
            .where(
                OnlinePayment.store_id == payment.store_id,
                OnlinePayment.purpose == "wallet",
                OnlinePayment.state == "open",
                OnlinePayment.id != payment.id,
            )
            .values(state="watched")
        )
        payment.state, payment.opened_at = "open", clock.now()
        payment.access_code, payment.authorization_url = access_code, url


def not_opened(payment_id: int, _why: str) -> None:
    """The gateway refuses to take this payment."""
    with transaction():
        payment = online.locked_payment(payment_id)
        if payment.state == "asked":
            payment.state, payment.failed_at = "failed", clock.now()


def ask_anew(payment_id: int) -> None:
    """The gateway knows the reference and its page was never told to us: another attempt takes its
    place, and this one is watched on, since it may still be paid."""
    with transaction():
        payment = online.locked_payment(payment_id)
        if payment.state != "asked":
            return
        payment.state = "watched"
        db.session.flush()
        store = db.session.get_one(Store, payment.store_id)
        in_time = clock.now() < online.expires_at(payment.created_at)
        if in_time and funding.why_not(store) is None and funding.has_tries(store.id):
            online.ask_for_wallet(store.id, payment.amount_pesewas)


def take(payment_id: int, found: Verified) -> Verdict:
    """Apply the gateway's own record of a payment, looked up just now. What was applied before
    changes nothing."""
    with transaction():
        payment = online.locked_payment(payment_id)
        asked = Asked(
            payment.reference,
            payment.mode,
            payment.amount_pesewas,
            is_paid=payment.state == "paid",
            awaits=True,
            is_paid_by_other=False,
        )
        verdict = online.judge(asked, found)
        if deed := _DEEDS.get(verdict):
            deed(payment, found)
        return verdict


def end_of_time(payment_id: int) -> None:
    """An attempt was waited for long enough: it is watched on until its last look."""
    with transaction():
        payment = online.locked_payment(payment_id)
        if payment.state in online.OPEN or payment.state == "failed":
            payment.state = "watched"


def close(payment_id: int) -> None:
    """The last look of an attempt that was never paid."""
    with transaction():
        payment = online.locked_payment(payment_id)
        if payment.state in ("watched", "failed"):
            payment.state, payment.ended_at = "ended", clock.now()


def take_back(payment_id: int, taken_pesewas: int | None) -> None:
    """The gateway's own record says that it took a payment back, so much in all; None: all of it.
    What is in the wallet must not be spent meanwhile, so nobody is waited for."""
    with transaction():
        payment = online.locked_payment(payment_id)
        if payment.funded_at is None:
            return
        left = online.left_of_funding(payment)
        whole = payment.charged_pesewas or 0
        more = left if taken_pesewas is None else taken_pesewas - (whole - left)
        if more > 0:
            online.take_funding_back(payment, min(more, left), SYSTEM)


def _accept(payment: OnlinePayment, found: Verified) -> None:
    charged, fees = deeds.noted(payment, found)
    online.fund(payment, charged, fees, SYSTEM)


def _fail(payment: OnlinePayment, _found: Verified) -> None:
    if payment.state in online.OPEN:
        payment.state, payment.failed_at = "failed", clock.now()


def _come_short(payment: OnlinePayment, found: Verified) -> None:
    charged, fees = deeds.noted(payment, found)
    online.pay_in(payment, charged, fees, SYSTEM)
    online.owe(payment, SYSTEM)
    deeds.ask_person("paid_short", payment, None, found)


def _refuse(payment: OnlinePayment, found: Verified) -> None:
    """No money of ours: nothing is booked."""
    if payment.state != "refused":
        payment.state, payment.ended_at = "refused", clock.now()
        deeds.ask_person("paid_unfit", payment, None, found)


def _see_reversed(payment: OnlinePayment, found: Verified) -> None:
    """Of what is in the wallet `take_back` is said next; the rest is as of orders."""
    if payment.state == "paid":
        deeds.know(payment, found)
    if payment.funded_at is None and not deeds.has_refund(payment):
        deeds.ask_person("payment_reversed", payment, None, found)


def _see_odd(payment: OnlinePayment, found: Verified) -> None:
    deeds.ask_person("payment_odd", payment, None, found)


_DEEDS: dict[Verdict, Callable[[OnlinePayment, Verified], None]] = {
    "accept": _accept,
    "known": deeds.know,
    "failed": _fail,
    "short": _come_short,
    "unfit": _refuse,
    "reversed": _see_reversed,
    "unreadable": _see_odd,
}
"""*late* and *double* are not said of a wallet, which waits for any money."""
