"""A test order, made by the store's owner: which bundle, and how it is to end.

Decides how the form is read and asked again. Leaves what a test order is to `core.orders.testing`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, may, needs
from core import catalog, orders
from core.base import clock
from core.base.text_input import row_id
from core.orders import testing

PATH = "/test-order"
_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
_LOST = "Your log-in had ended. What you had chosen is here again: look it over, then press."


@dataclass
class Wish:
    """The form: what was chosen, and what is wrong with it, by field."""

    bundle: str = ""
    ending: str = "delivered"
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, form: Mapping[str, str]) -> Wish:
        """What a form says, with a sentence for each field that cannot be used."""
        ending = form.get("ending", "")
        wish = cls(form.get("bundle", "")[:20], ending[:20])
        if _KEY.fullmatch(form.get("key", "")):
            wish.key = form["key"]
        if row_id(wish.bundle) is None:
            wish.problems["bundle"] = "Choose a bundle from the list."
        if ending not in testing.ENDINGS:
            wish.problems["ending"] = "Choose how it is to end."
        return wish

    @property
    def order_key(self) -> str:
        """Of the one order that this form can become; with a stroke, as no customer's."""
        return f"test/{self.key}"


@bp.get(PATH)
def show_test_order() -> ResponseReturnValue:
    """The form and the newest test orders; what was chosen when a log-in ended stands in it."""
    kept = g.kept.take(PATH) if may("owner") else None
    if kept is None:
        return _page(Wish())
    wish = Wish.of(kept)
    wish.problems = {}
    return _page(wish, lost=_LOST)


@bp.post(PATH)
@needs("owner")
def make_test_order() -> ResponseReturnValue:
    """Make it. Pressed twice it is one order."""
    wish = Wish.of(request.form)
    bundle_id = row_id(wish.bundle)
    if wish.problems or bundle_id is None:
        return _page(wish), 422
    try:
        made = testing.make(bundle_id, wish.ending, wish.order_key, actor())
    except orders.OrderRefused as refusal:
        wish.problems["bundle"] = refusal.sentence
        return _page(wish), 422
    flash(
        "Made: a test order. Process it as you would a real one."
        if made.created
        else "Made before: this is that test order."
    )
    return redirect(url_for(".show_order", code=made.order.code), 303)


def _page(wish: Wish, lost: str = "") -> str:
    left = testing.MOST_A_DAY - testing.made_since(clock.accra_midnight())
    return render_template(
        "portal/test_order.html",
        wish=wish,
        lost=lost,
        sold=catalog.shelf(),
        endings=testing.ENDINGS,
        made=testing.newest(),
        left=max(left, 0),
        most=testing.MOST_A_DAY,
        look=orders.agent_look,
    )
