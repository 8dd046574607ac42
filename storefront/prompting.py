"""Paying online by a prompt on a phone: which phone is asked, what its owner is to do, and the code
that some networks give first.

Decides what is shown and how the forms are read. No call is made here: a worker asks the phone. The
code stands in no address, and no page shows it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import Response, g, make_response, redirect, render_template, request
from werkzeug.datastructures import MultiDict

from core import online, orders, taking
from core.base import phones, text_input
from core.base.language import later, say
from core.online import OnlinePayment, Payer
from core.orders import Order
from storefront import bp, device
from storefront.addresses import own
from storefront.own_order import Answer, for_its_device, say_refused

SOON_S, REFRESH_S = 2, 5
_LONGEST = 40
_ELSEWHERE = (
    later("Not asked"),
    later(
        "Only the phone or computer that placed this order can have a phone asked here. %(store)s"
        " can help too."
    ),
)
MENUS = {"mtn": later("Nothing there? Dial *170#, then My Wallet, then My Approvals.")}
"""Where what waits for approval is found, by network; others have their own MoMo menu."""
_MENU = later(
    "Nothing there? Look in the MoMo menu of your network for what waits for approval."
)
SENTENCES = {
    "asked": later("One moment: your network is being asked to send it."),
    "approve_on_phone": later(
        "Approve it there with your MoMo PIN, within three minutes."
    ),
    "waiting": later("Your network is working on it. Approve what comes on the phone."),
    "checked": later("One moment: your network looks at the code."),
    "unknown": later(
        "We do not know yet whether it was sent. If it comes, approve it: the order is paid once."
    ),
}
"""By what is known of the prompt."""


@dataclass(frozen=True)
class PromptForm:
    """Whose phone is to be asked, as it was typed; `payer` is None while something cannot be
    used."""

    number_text: str = ""
    network: str = ""
    """Empty: the one that the number's first digits hint at."""
    payer: Payer | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, posted: MultiDict[str, str]) -> PromptForm:
        """Read a posted form; never raises. `errors` has a sentence for each field that cannot be
        used."""
        typed = text_input.one_line(posted.get("number", ""), _LONGEST)
        network = posted.get("network", "")[:_LONGEST]
        errors: dict[str, str] = {}
        number = None
        try:
            number = phones.parse(typed)
        except phones.BadNumber:
            errors["number"] = say(
                "This is no number that can be asked. Type the ten digits of the MoMo number that"
                " pays, like 024 123 4567."
            )
        if network not in ("", *phones.NETWORKS):
            errors["network"] = say("Choose a network from the list.")
        payer = None
        if number is not None and not errors:
            payer = Payer(number, network or phones.network_of(number) or "mtn")
        return cls(typed, network, payer, errors)


@bp.get("/orders/<code>/prompt")
@for_its_device(*_ELSEWHERE)
def show_prompt(order: Order) -> Answer:
    """What to do on the phone that is asked; else which phone it shall be, with `?again` also when
    one was asked that gave no answer."""
    tries = online.of_order(order.id)
    newest = tries[0] if tries else None
    may_try = _may_ask(order) and taking.may_try(tries)
    is_asked = newest is not None and _is_asked(newest)
    if order.state != "awaiting_payment" or not (is_asked or may_try):
        return _to(order)
    if newest is not None and is_asked and not (may_try and "again" in request.args):
        return _asked_page(order, newest, may_try=may_try)
    number = "" if order.is_masked else phones.show(order.recipient_msisdn)
    return _form_page(order, newest, PromptForm(number.replace("\xa0", " ")))


@bp.post("/orders/<code>/prompt")
@for_its_device(*_ELSEWHERE)
def ask_phone(order: Order) -> Answer:
    """Have a phone asked; `after` is the newest attempt that the page showed."""
    form = PromptForm.parse(request.form)
    newest = next(iter(online.of_order(order.id)), None)
    if form.payer is None:
        return _form_page(order, newest, form)
    try:
        taking.prompts.ask(order.code, _after(), form.payer)
    except orders.OrderRefused as refused:
        errors = {"": refused.sentence}
        return _form_page(
            order, newest, PromptForm(form.number_text, form.network, None, errors)
        )
    return redirect(own(f"/orders/{order.code}/prompt"), 303)


@bp.post("/orders/<code>/voucher")
@for_its_device(*_ELSEWHERE)
def give_voucher(order: Order) -> Answer:
    """The code that the network gave to the owner of the phone."""
    try:
        taking.prompts.give_voucher(order, _after(), request.form.get("voucher", ""))
    except taking.prompts.BadVoucher as bad:
        newest = next(iter(online.of_order(order.id)), None)
        if newest is not None and _wants_code(newest):
            return _asked_page(order, newest, {"voucher": bad.sentence})
    except orders.OrderRefused as refused:
        say_refused(order, refused.sentence)
        return _to(order)
    return redirect(own(f"/orders/{order.code}/prompt"), 303)


def _is_asked(payment: OnlinePayment) -> bool:
    """Whether its phone is asked now, or may be."""
    return payment.way == "prompt" and payment.state in online.OPEN


def _may_ask(order: Order) -> bool:
    return online.prompts.are_on() and taking.may_be_asked(order)


def _after() -> int:
    after = request.form.get("after", "")
    return int(after) if after.isdecimal() and len(after) < _LONGEST else 0


def _wants_code(payment: OnlinePayment) -> bool:
    return payment.prompt_step == "enter_otp" and payment.voucher is None


def _asked_page(
    order: Order,
    payment: OnlinePayment,
    errors: dict[str, str] | None = None,
    *,
    may_try: bool = False,
) -> Response:
    """It loads itself again, but for the time in which somebody types."""
    assert payment.payer_number is not None and payment.payer_network is not None
    step = payment.prompt_step or "asked"
    wants_code = _wants_code(payment)
    known = "checked" if payment.voucher is not None else step
    approves = step in ("approve_on_phone", "waiting", "unknown")
    page = _page(
        "storefront/prompted.html",
        order,
        errors or {},
        payment=payment,
        number=phones.mask(payment.payer_number),
        network=payment.payer_network,
        wants_code=wants_code,
        sentence=say(SENTENCES.get(known, SENTENCES["waiting"])),
        menu=say(MENUS.get(payment.payer_network, _MENU)) if approves else "",
        may_try=may_try,
    )
    if not wants_code:
        again_s = (
            SOON_S if step == "asked" or payment.voucher is not None else REFRESH_S
        )
        to = own(f"/orders/{order.code}/prompt")
        page.headers["Refresh"] = f"{again_s};url={to}"
    return page


def _form_page(
    order: Order, newest: OnlinePayment | None, form: PromptForm
) -> Response:
    return _page(
        "storefront/prompt.html",
        order,
        form.errors,
        form=form,
        after=newest.id if newest is not None else 0,
        has_failed=newest is not None and newest.state == "failed",
        networks=phones.NETWORKS,
    )


def _page(
    template: str, order: Order, errors: dict[str, str], **inputs: object
) -> Response:
    device.bind_session(g.store.id)
    page = render_template(
        template,
        order=order,
        errors=errors,
        network_name=phones.NETWORKS[order.network].name,
        **inputs,
    )
    response = make_response(page, 422 if errors else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def _to(order: Order) -> Answer:
    return redirect(own(f"/orders/{order.code}"), 303)
