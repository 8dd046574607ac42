"""What a customer tells the store about their order: "I have paid", and "it has not come".

Each has a page of its own, so that news of the order never takes away what is being typed. Decides
how the forms are read; what may be told, and when, is decided in `core.orders.telling` and
`core.orders.not_received`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import g, make_response, redirect, render_template, request
from werkzeug.datastructures import MultiDict

from core import orders
from core.base import clock, phones, text_input
from core.base.language import later, say
from core.base.sms import message
from core.orders import Order, not_received, telling
from storefront import bp, device
from storefront.addresses import own
from storefront.own_order import Answer, for_its_device, say_refused

_TIME = re.compile(
    r"([0-9]{1,2})(?:[ .:h]?([0-9]{2}))?\s*([ap])?\.?m?\.?", re.IGNORECASE
)
_TRANSACTION = re.compile(r"[A-Za-z0-9./-]{4,40}")
_A_CLOCK_MAY_BE_FAST = timedelta(minutes=10)


@dataclass(frozen=True)
class PaidForm:
    """ "I have paid" as it was typed; `payment` is None while something cannot be used."""

    time_text: str
    payer_text: str = ""
    transaction_text: str = ""
    payment: telling.Payment | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, posted: MultiDict[str, str]) -> PaidForm:
        """Read a posted form; never raises. `errors` has a sentence for each field that cannot be
        used."""
        time_text = text_input.one_line(posted.get("time", ""), 20)
        payer = text_input.one_line(posted.get("payer", ""), telling.LONGEST_PAYER)
        transaction = text_input.one_line(posted.get("transaction", ""), 60)
        errors: dict[str, str] = {}
        paid_at = moment_of(time_text)
        if paid_at is None:
            errors["time"] = say("Write the time as on a clock, like 10:04.")
        if not payer and not transaction:
            errors["payer"] = say("Say from which number, or in which name, you paid.")
        if transaction and not _TRANSACTION.fullmatch(transaction):
            errors["transaction"] = say(
                "A transaction id has 4 to 40 letters and digits and no spaces. Leave it empty if"
                " you do not have it."
            )
        payment = None
        if paid_at is not None and not errors:
            payment = telling.Payment(paid_at, _as_number(payer), transaction)
        return cls(time_text, payer, transaction, payment, errors)


def moment_of(typed: str) -> datetime | None:
    """The last moment at which a clock in Accra showed this time, `10:04`, `1004`, `10.04 pm` or
    `9pm`; empty means now. In whole minutes, so that two presses tell one time. None when it is
    no time."""
    now = clock.now()
    if not typed:
        return now.replace(second=0, microsecond=0)
    found = _TIME.fullmatch(typed)
    if found is None:
        return None
    hour, minute, half = int(found[1]), int(found[2] or 0), (found[3] or "").lower()
    if not (1 <= hour <= 12 if half else found[2]):
        return None
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or minute > 59:
        return None
    local = now.astimezone(clock.ACCRA)
    moment = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if moment > now + _A_CLOCK_MAY_BE_FAST:
        moment -= timedelta(days=1)
    return moment


def _as_number(payer: str) -> str:
    """A number in our own spelling; a name as it is."""
    try:
        return phones.show(phones.parse(payer)).replace("\N{NO-BREAK SPACE}", " ")
    except phones.BadNumber:
        return payer


_PAID_ELSEWHERE = later(
    "Only the phone or computer that placed this order can say here that it is paid. You can also"
    " tell %(store)s in a message."
)
_MISSED_ELSEWHERE = later(
    "Only the phone or computer that placed this order can say here that it has not come. You can"
    " also tell %(store)s in a message."
)
_NOT_TOLD = later("Not told")


@bp.get("/orders/<code>/paid")
@for_its_device(_NOT_TOLD, _PAID_ELSEWHERE)
def show_paid(order: Order) -> Answer:
    if not telling.may_tell(order):
        return _to(order)
    now = clock.now().astimezone(clock.ACCRA)
    return _paid_page(order, PaidForm(f"{now:%H:%M}"))


@bp.post("/orders/<code>/paid")
@for_its_device(_NOT_TOLD, _PAID_ELSEWHERE)
def tell_paid(order: Order) -> Answer:
    """Say that the order is paid: when, from whom, and the transaction."""
    form = PaidForm.parse(request.form)
    if form.payment is None:
        return _paid_page(order, form)
    try:
        telling.tell(order.code, form.payment)
    except orders.OrderRefused as refusal:
        say_refused(order, refusal.sentence)
    return _to(order)


def _to(order: Order) -> Answer:
    return redirect(own(f"/orders/{order.code}"), 303)


def _paid_page(order: Order, form: PaidForm) -> Answer:
    return _page("storefront/paid.html", order, form.errors, form=form)


@bp.get("/orders/<code>/not-received")
@for_its_device(_NOT_TOLD, _MISSED_ELSEWHERE)
def show_not_received(order: Order) -> Answer:
    if not not_received.may_report(order):
        return _to(order)
    return _not_received_page(order, {}, {})


@bp.post("/orders/<code>/not-received")
@for_its_device(_NOT_TOLD, _MISSED_ELSEWHERE)
def tell_not_received(order: Order) -> Answer:
    """Say that the data has not come, and what the balance shows."""
    typed = {
        "balance": request.form.get("balance", "")[:20],
        "words": text_input.one_line(
            request.form.get("words", ""), not_received.LONGEST_WORDS
        ),
        "contact": text_input.one_line(
            request.form.get("contact", ""), not_received.LONGEST_CONTACT
        ),
    }
    if typed["balance"] not in not_received.BALANCES:
        why = {"balance": say("Choose what the balance of the phone shows.")}
        return _not_received_page(order, typed, why)
    try:
        not_received.report(order.code, **typed)
    except orders.OrderRefused as refusal:
        say_refused(order, refusal.sentence)
    return _to(order)


def _not_received_page(
    order: Order, typed: dict[str, str], errors: dict[str, str]
) -> Answer:
    return _page(
        "storefront/not_received.html",
        order,
        errors,
        typed=typed,
        balances={key: say(text) for key, text in not_received.BALANCES.items()},
    )


def _page(
    template: str, order: Order, errors: dict[str, str], **inputs: object
) -> Answer:
    device.bind_session(g.store.id)
    page = render_template(
        template,
        order=order,
        errors=errors,
        network_name=phones.NETWORKS[order.network].name,
        chat_text=message("Hello, about my order %(code)s.", code=order.shown_code),
        **inputs,
    )
    response = make_response(page, 422 if errors else 200)
    response.headers["Cache-Control"] = "no-store"
    return response
