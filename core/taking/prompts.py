"""A prompt on a phone: asked for by its customer, claimed before the call, and what the phone's
owner is to do by the gateway's answer. Money comes in by its look-up alone (`judging`).

The claim is committed before the call, and nothing here ever takes it back but the proof that
nothing was sent; so no crash, no slow answer and no second worker asks a phone twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from core import online
from core.audit import CUSTOMER
from core.base import clock, config
from core.base.db import transaction
from core.base.in_store import as_platform_in_store
from core.base.language import say
from core.base.tenancy import current_store_id
from core.online import OnlinePayment, Payer, prompts
from core.orders import Order, releasing
from core.orders.refusals import OrderRefused, WrongState
from core.orders.timeline import log
from core.taking import asking, deeds
from core.taking.judging import lock_both

LONGEST_WORDS = 300
_VOUCHER = re.compile(r"[A-Za-z0-9]{4,12}", re.ASCII)


class BadVoucher(OrderRefused):
    """A typed code cannot be one. `sentence` says what can."""


@dataclass(frozen=True)
class Claimed:
    """What the call needs that asks a phone; whoever holds it makes that call, or proves that it
    was not made."""

    number: str
    network: str


def ask(code: str, after: int, payer: Payer) -> Order:
    """The customer of an order wants this phone asked, seeing attempt number `after` (0: none yet).
    Pressed twice, it is one. Raises `orders.OrderRefused`."""
    if not prompts.are_on():
        raise WrongState(
            say(
                "Prompts on the phone are not possible now. Use the payment page instead."
            )
        )
    try:
        return _ask(code, after, payer)
    except IntegrityError:
        return _ask(code, after, payer)  # of two at once the other one made it


def _ask(code: str, after: int, payer: Payer) -> Order:
    with transaction():
        order = releasing.locked_by_code(code)
        if not asking.may_begin(order, after):
            return order
        if prompts.had_enough(payer):
            raise WrongState(
                say(
                    "This phone was asked very often within the hour. Use another number, or the"
                    " payment page."
                )
            )
        online.ask(order, payer)
        order.version += 1
        log(order, CUSTOMER, "payment", "Asked for a prompt on the phone that pays.")
        return order


def give_voucher(order: Order, after: int, typed: str) -> None:
    """The customer of the current store's order types the code that the network gave them. It is
    taken to the gateway by a worker, and kept until then alone. Raises `orders.OrderRefused`."""
    voucher = re.sub(r"[\s-]", "", typed)[:40]
    if not _VOUCHER.fullmatch(voucher):
        raise BadVoucher(
            say("A code has 4 to 12 digits. Type it as your phone shows it.")
        )
    _keep_voucher(current_store_id(), order.code, after, voucher)


@as_platform_in_store
def _keep_voucher(_store_id: int, code: str, after: int, voucher: str) -> None:
    """The stores' role may write nothing of a payment once it was asked for."""
    with transaction():
        order = releasing.locked_by_code(code)
        payment = next(iter(online.of_order(order.id)), None)
        if payment is None or payment.id != after or payment.voucher is not None:
            return
        is_asked = payment.state == "open" and payment.prompt_step == "enter_otp"
        if order.state != "awaiting_payment" or not is_asked:
            raise WrongState(
                say("No code is asked for now. Look at what this page says.")
            )
        if payment.voucher_tries >= config.current().voucher_tries:
            raise WrongState(say("Too many codes were tried. Try again to pay."))
        payment.voucher, payment.voucher_at = voucher, clock.now()
        payment.voucher_tries += 1
        order.version += 1
        online.ring(payment)


def claim(payment_id: int) -> Claimed | None:
    """Its phone may be asked, by this caller alone, under this reference once and for all. None:
    it was claimed before, and only looking says what came of it."""
    with transaction():
        payment, order = lock_both(payment_id)
        waits = order.state == "awaiting_payment"
        if payment.state != "asked" or payment.prompted_at is not None or not waits:
            return None
        payment.prompted_at = clock.now()
        assert payment.payer_number is not None and payment.payer_network is not None
        return Claimed(payment.payer_number, payment.payer_network)


def not_sent(payment_id: int) -> None:
    """Proven: the call of this claim reached nobody. The phone may be asked after all."""
    with transaction():
        payment, _order = lock_both(payment_id)
        if payment.state == "asked":
            payment.prompted_at = None


def came(payment_id: int, step: str, words: str = "") -> None:
    """The gateway says what the owner of the phone is to do, or nobody knows (*unknown*). From now
    on its customer is at this attempt, and its number is forgotten."""
    with transaction():
        payment, order = lock_both(payment_id)
        if payment.state not in online.OPEN or payment.prompted_at is None:
            return
        if payment.state == "asked":
            deeds.watch_others(payment, order)
            payment.state, payment.opened_at = "open", clock.now()
            order.version += 1
        _forget(payment)
        words = words.strip()[:LONGEST_WORDS]
        if (payment.prompt_step, payment.prompt_words) != (step, words):
            payment.prompt_step, payment.prompt_words = step, words
            order.version += 1


def failed(payment_id: int, why: str) -> None:
    """The gateway gave this prompt up: it is on no phone any more. A late success still counts, and
    another attempt may be made."""
    with transaction():
        payment, order = lock_both(payment_id)
        if payment.state in online.OPEN:
            payment.state, payment.failed_at = "failed", clock.now()
            _forget(payment)
            deeds.tell(
                order, f"The prompt did not go through{f': {why}' if why else ''}."
            )


def take_voucher(payment_id: int) -> str | None:
    """The code that was typed, to be sent once; from now on nobody has it but the caller. None:
    another has taken it, or it is too old."""
    with transaction():
        payment, order = lock_both(payment_id)
        voucher, at = payment.voucher, payment.voucher_at
        payment.voucher = payment.voucher_at = None
        kept = clock.delta(config.current().voucher_kept_s)
        if voucher is None or at is None or payment.state != "open":
            return None
        if clock.now() - at > kept or order.state != "awaiting_payment":
            return None
        payment.prompt_step = "unknown"
        order.version += 1
        return voucher


def voucher_not_sent(payment_id: int) -> None:
    """Proven: the code reached nobody. It is asked for again, and this try was none."""
    with transaction():
        payment, order = lock_both(payment_id)
        if payment.state == "open" and payment.prompt_step == "unknown":
            payment.prompt_step = "enter_otp"
            payment.voucher_tries -= 1
            order.version += 1


def _forget(payment: OnlinePayment) -> None:
    assert payment.payer_number is not None
    payment.payer_number = prompts.masked(payment.payer_number)
