"""An order for somebody at the counter: number, bundle, name if they like.

Decides how the form is read and asked again. Leaves whether it may be ordered, and at what price,
to `core.orders.place`, as for an order of the shop.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, standing
from agent_portal.auth import access_no, actor, may, needs
from agent_portal.pressing import REFUSED
from core import availability, orders
from core.base import phones, text_input
from core.base.phones import NETWORKS
from core.batches import offered, placing
from core.batches.offered import Offered
from core.batches.reading import LONGEST_NAME
from core.orders import Order

SOURCE = "walk_in"
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_CHOICE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
LONGEST_TYPED = 200
AGAIN = "Nothing was ordered yet."
LOST = (
    "Your log-in had ended. What you had typed is here again: look it over, then press."
)


@dataclass
class WalkIn:
    """The form: what was typed, what it means, and what is wrong or must be asked, by field."""

    typed: str = ""
    choice: str = ""
    name: str = ""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    is_meant: bool = False
    """The questions were read and the order is wanted all the same."""
    recipient_msisdn: str = ""
    bundle_id: int = 0
    price_seen_pesewas: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    questions: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, form: Mapping[str, str]) -> WalkIn:
        """What a form says, with a sentence for each field that cannot be used."""
        found = cls(
            typed=form.get("number", "")[:LONGEST_TYPED],
            choice=form.get("bundle", "")[:LONGEST_TYPED],
            name=text_input.one_line(form.get("name", ""), LONGEST_NAME),
            is_meant="meant" in form,
        )
        if _KEY.fullmatch(form.get("key", "")):
            found.key = form["key"]
        try:
            found.recipient_msisdn = phones.parse(found.typed)
        except phones.BadNumber as bad:
            found.problems["number"] = bad.sentence
        chosen = _CHOICE.fullmatch(found.choice)
        if chosen is None:
            found.problems["bundle"] = "Choose a bundle from the list."
        else:
            found.bundle_id, found.price_seen_pesewas = map(int, chosen.groups())
        return found

    @property
    def order_key(self) -> str:
        """Of the one order that this form can become: another number or bundle is another one."""
        said = f"{self.key}/{self.recipient_msisdn}/{self.bundle_id}"
        # with a stroke, which the key of a customer has not
        return f"walk-in/{hashlib.sha256(said.encode()).hexdigest()[:40]}"


@bp.get("/orders/new")
def show_walk_in() -> ResponseReturnValue:
    """The empty form; or with what was typed when a log-in had ended."""
    kept = g.kept.take("/orders/new") if may("cashier") else None
    if kept is None:
        return _page(WalkIn())
    form = WalkIn.of(kept)
    form.problems = {}
    return _page(form, LOST)


@bp.post("/orders/new")
@needs("cashier")
def place_walk_in() -> ResponseReturnValue:
    """Place the order, and process it when that was pressed. Pressed twice it is one order."""
    return placed_or_asked(WalkIn.of(request.form))


def placed_or_asked(form: WalkIn) -> ResponseReturnValue:
    """What a form becomes: the order, or the form again with what is wrong or to be asked."""
    if form.problems:
        return _page(form), 422
    if not form.is_meant:
        form.questions = _network_question(form)
        if form.questions:
            return _page(form), 422
    try:
        placed = orders.place(
            bundle_id=form.bundle_id,
            recipient_msisdn=form.recipient_msisdn,
            idempotency_key=form.order_key,
            price_seen_pesewas=form.price_seen_pesewas,
            repeat_confirmed=form.is_meant,
            source=SOURCE,
            customer_name=form.name,
            actor=actor(),
        )
    except orders.RepeatAsked as asked:
        form.questions = [placing.words_of(asked)]
        return _page(form), 422
    except orders.OrderRefused as refusal:
        form.choice = ""  # its price may have moved: it is chosen anew
        return _page(form, placing.words_of(refusal)), 422
    return _placed(placed)


def _placed(placed: orders.Placed) -> ResponseReturnValue:
    order = placed.order
    here = redirect(url_for(".show_order", code=order.code, _anchor="said"), 303)
    if not placed.created:
        flash("Placed before: this is that order. Nothing was ordered twice.")
    if placed.created and request.form.get("then") == "process":
        return _processed(order)
    if placed.created:
        flash("Placed. Process it once you have the money.")
    return here


def _processed(order: Order) -> ResponseReturnValue:
    try:
        orders.process(order.code, actor(), access_no())
    except orders.OrderRefused as refusal:
        needs_funds = isinstance(refusal, orders.InsufficientWallet)
        said = f"The order is placed and was not processed. {refusal.sentence}"
        session[REFUSED] = [order.code, said, needs_funds]
        return redirect(url_for(".show_order", code=order.code, _anchor=REFUSED), 303)
    return redirect(url_for(".show_order", code=order.code), 303)


def _network_question(form: WalkIn) -> list[str]:
    """A number can have been moved to another network, so it is asked and never refused."""
    hint = phones.network_of(form.recipient_msisdn)
    chosen = [one for one in _sold() if one.bundle_id == form.bundle_id]
    if not hint or not chosen or chosen[0].network == hint:
        return []
    number = phones.show(form.recipient_msisdn)
    looks = (
        f"{number} looks like {NETWORKS[hint].name}, and you chose {chosen[0].text}."
    )
    return [f"{looks} A bundle of the wrong network may be lost."]


def _sold() -> list[Offered]:
    return [one for same in offered.shelf().values() for one in same]


def _page(form: WalkIn, refusal: str = "") -> str:
    now = availability.now()
    sold = _sold()
    stopped = {one.bundle_id: offered.why_not(one, now) for one in sold}
    return render_template(
        "portal/walk_in.html",
        form=form,
        refusal=refusal,
        again=AGAIN,
        sold=sold,
        stopped=stopped,
        nothing=offered.why_nothing(now),
        longest_name=LONGEST_NAME,
        **standing.notes(now),
    )
