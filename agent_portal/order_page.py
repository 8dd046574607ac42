"""The page of one order, and the part of it that keeps itself new.

Leaves what an order's state means to `core.orders`.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from flask import g, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, disputed, history
from agent_portal.pressing import REFUSED, order_of
from core import availability, orders, payments
from core.base import phones
from core.orders import Order, not_received, telling
from core.orders.held_up import Held

ANSWERS = [("", "In my own words")] + [
    (how, words.removeprefix("The store answered: ").capitalize())
    for how, words in not_received.ANSWERS.items()
]


@bp.get("/orders/<code>")
def show_order(code: str) -> ResponseReturnValue:
    """Everything about one order; after a press that was refused, why, once; after one that came
    after its log-in had ended, what was chosen.
    """
    order = order_of(code)
    orders.watch(order)
    kept = g.kept.take(rf"/orders/{order.code}/(give-back|reprice|answer|note|hold)")
    return render_template(
        "portal/order.html", kept=kept, **_as_refused(order), **_live(order)
    )


@bp.get("/orders/<code>/status")
def order_status(code: str) -> ResponseReturnValue:
    """The live part of the order page: 204 while what it was drawn from has not changed."""
    order = order_of(code)
    orders.watch(order)
    seen = {
        name: request.args.get(name, mark) for name, mark in drawn_from(order).items()
    }
    if "v" in request.args and seen == drawn_from(order):
        return "", 204
    return render_template(
        "portal/_order_live.html",
        oob=True,
        **_live(order),
    )


def _as_refused(order: Order) -> dict[str, object]:
    """The sentence of a press that was refused, for this order's page, once; empty when there is
    none or it is about another order."""
    found = session.get(REFUSED)
    if not found or found[0] != order.code:
        return {}
    session.pop(REFUSED)
    return {"refusal": found[1], "needs_funds": found[2]}


def drawn_from(order: Order) -> dict[str, str]:
    """What the live part was drawn from: version, interval of asking, what stands in its way."""
    every_s = orders.next_poll_s(order)
    held = orders.held_up.for_agent(order, availability.now())
    mark = ""
    if held != Held():
        said = f"{held.sentence} {held.not_sent}"
        mark = f"{zlib.crc32(said.encode()):x}"
    return {
        "v": str(order.version),
        "s": "" if every_s is None else f"{every_s:g}",
        "c": mark,
    }


def _live(order: Order) -> dict[str, object]:
    held = orders.held_up.for_agent(order, availability.now())
    new_cost = orders.price_now(order)
    if (
        new_cost is not None and not order.aside
    ):  # it can be processed, at another price: the page asks
        held = replace(held, sentence="")
    status = url_for(".order_status", code=order.code)
    report = not_received.last_of(order) if order.missing_since else None
    return {
        "order": order,
        "words": orders.agent_words(order, held),
        "cannot": held.sentence,
        "person": orders.person_words(order),
        "moments": history.of(order),
        "new_cost_pesewas": new_cost,
        "every_s": orders.next_poll_s(order),
        "may_say_not_found": telling.may_note_not_found(order),
        "payer": _grouped(order.told_payer or ""),
        "messages": payments.of_order(order),
        "report": report,
        "dispute": disputed.words_of(order),
        "reach": _grouped(report.contact) if report else "",
        "answers": ANSWERS,
        "balances": not_received.BALANCES,
        "usual_by": _usual_by(order),
        "how": orders.giving_back.HOW,
        "nothing": orders.giving_back.NOTHING,
        "status_url": f"{status}?{urlencode(drawn_from(order))}",
    }


def _grouped(typed: str) -> str:
    """What a customer typed, in the groups of every other number where it is one."""
    try:
        return phones.show(phones.parse(typed))
    except phones.BadNumber:
        return typed


def _usual_by(order: Order) -> datetime | None:
    """When its customer expects it by the estimate it was given, while it is under way."""
    if order.state not in orders.WORK or order.estimate_minutes is None:
        return None
    return orders.estimates.due_at(order)
