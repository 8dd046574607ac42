"""What customers do about a payment: try again, come back from the gateway's page. And a webhook's
ring. None of it proves anything; each has the gateway asked."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError

from core import availability, catalog, online, orders
from core.audit import CUSTOMER
from core.base import clock, config
from core.base.db import db, transaction
from core.base.language import say
from core.base.preconditions import inside_use_case, needs_across_stores
from core.online import OnlinePayment
from core.orders import Order, releasing
from core.orders.refusals import NotPaidOnline, WrongState
from core.orders.timeline import log
from core.stores import Store


def try_again(code: str, after: int) -> Order:
    """Its customer tries again to pay, seeing attempt number `after`: a new attempt with a
    reference of its own, which takes the place of the old one once it is open. Pressed twice, it is
    one. Raises `orders.OrderRefused`."""
    try:
        return _try_again(code, after)
    except IntegrityError:
        return _try_again(code, after)  # of two at once the other one made it


def _try_again(code: str, after: int) -> Order:
    with transaction():
        order = releasing.locked_by_code(code)
        if not may_begin(order, after):
            return order
        online.ask(order)
        order.version += 1
        log(order, CUSTOMER, "payment", "Tried again to pay online.")
        return order


@inside_use_case
def may_begin(order: Order, after: int) -> bool:
    """Whether a new attempt may be begun for a locked order, whose customer saw number `after` as
    the newest (0: none). False: this press came before, or another attempt may be on a phone.
    Raises `orders.OrderRefused`."""
    if order.state != "awaiting_payment":
        raise WrongState(say("This order does not wait for a payment any more."))
    tries = online.of_order(order.id)
    newest = tries[0].id if tries else 0
    if newest != after or not all(is_over(one) for one in tries[:1]):
        return False
    if len(tries) >= config.current().payment_tries:
        raise WrongState(
            say(
                "This order was tried to be paid too often. Cancel it, or let it expire, and"
                " order again."
            )
        )
    if not may_be_asked(order):
        raise NotPaidOnline
    return True


def may_try(tries: Sequence[OnlinePayment]) -> bool:
    """Whether an order may be tried once more to be paid; its attempts are given newest first."""
    is_free = all(is_over(one) for one in tries[:1])
    return len(tries) < config.current().payment_tries and is_free


def is_over(payment: OnlinePayment) -> bool:
    """Whether its customer may leave this attempt for another: it failed, or no prompt of it can
    be on a phone any more."""
    if payment.state in online.OPEN:
        age = clock.now() - online.prompts.began_at(payment)
        is_old = age >= clock.delta(config.current().payment_again_s)
        return is_old and payment.state == "open"
    return True


def may_be_asked(order: Order) -> bool:
    """Whether money may be asked for this order now: by the rules of its placing, it can be
    bought."""
    now, bundle = availability.now(), catalog.by_id(order.bundle_id)
    store = db.session.get_one(Store, order.store_id)
    can_buy = now.everything is None and orders.held_up.may_pay(order, now, bundle)
    return can_buy and store.is_open and online.is_on(store.id)


@needs_across_stores
@inside_use_case
def ring(reference: str) -> bool:
    """A signed webhook named this reference: have the gateway asked. False when it is none of
    ours."""
    payment = online.by_reference(reference)
    if payment is None:
        return False
    online.ring(payment)
    return True


def returned(order: Order, reference: str) -> None:
    """A customer came back from the gateway's page, with a reference in the address that proves
    nothing: have the gateway asked about this attempt, or else the newest."""
    if not order.paid_online:
        return
    with transaction():
        tries = online.of_order(order.id)
        named = [one for one in tries if one.reference == reference] or tries[:1]
        for payment in named:
            if payment.state not in ("paid", "refused", "ended"):
                online.ring(payment, by_anybody=True)
