"""Payments: messages are pasted and matched with orders, a person decides about those that are not
sure, and all matched orders are processed with one question.

Decides how a paste and a press are read and answered. What a message says, and what it may pay, is
`core.payments`'; processing itself is `agent_portal.selecting`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, needs
from agent_portal.selecting import not_begun, selected
from core import ledger, onboarding, orders, payments
from core.base import config, phones, text_input
from core.base.refusal import Refusal
from core.payments import Outcome

PATH = "/payments"
SLOW_DOWN = (
    "Messages were pasted very often from where you are. Wait a minute and press again."
)


@bp.get("/payments")
def show_payments() -> ResponseReturnValue:
    """The field to paste into, what is matched, and what waits for a person."""
    kept = g.kept.take(f"{PATH}(/process)?")
    pasted = kept.get("messages", "") if kept else ""
    came_to = kept.get("came_to", "") if kept else ""
    return _page(pasted, came_to, kept=kept is not None)


@bp.post("/payments")
@needs("cashier")
def paste_messages() -> ResponseReturnValue:
    """Read pasted messages and match what is sure. The same messages once more change nothing."""
    pasted = request.form.get("messages", "")
    came_to = text_input.one_line(request.form.get("came_to", ""))
    if "slow_down_s" in g:
        said = {"messages": SLOW_DOWN}
        page = _page(pasted, came_to, errors=said)
        return page, 429, {"Retry-After": str(g.slow_down_s)}
    errors = {}
    if not pasted.strip():
        errors["messages"] = "Paste at least one message first."
    try:
        phones.parse(came_to)
    except phones.BadNumber as bad:
        errors["came_to"] = bad.sentence
    try:
        onboarding.needs_approval(g.store)
    except onboarding.NeverApproved as refusal:
        errors = {"messages": refusal.sentence}
    if errors:
        return _page(pasted, came_to, errors=errors), 422
    outcome = payments.paste(pasted, came_to, actor())
    if not outcome.unread and not outcome.left:
        flash(_told(outcome))
        return redirect(url_for(".show_payments"), 303)
    still = "\n\n".join((*outcome.unread, *outcome.left))
    return _page(still, came_to, outcome=outcome, said=_told(outcome))


@bp.post("/payments/process")
@needs("cashier")
def ask_to_process() -> ResponseReturnValue:
    """Ask once, with count and sum; the answer goes to `selecting.process_many`."""
    codes, problem = selected()
    back = url_for(".show_payments")
    if problem:
        return not_begun("Nothing was sent", problem, back)
    found = orders.by_codes(codes)
    if not found:
        abort(404)
    new = [one for one in found if one.state == "pending" and one.release_at is None]
    if not new:
        return not_begun(
            "Nothing was sent",
            "None of these orders waits any more: somebody has processed or cancelled them.",
            back,
        )
    return render_template(
        "portal/payments_check.html",
        orders=new,
        left_out=len(codes) - len(new),
        back=back,
        price_pesewas=sum(one.price_pesewas for one in new),
        cost_pesewas=sum(one.agent_price_pesewas for one in new),
        wallet=ledger.wallet(),
    )


@bp.get("/payments/process")
def process_home() -> ResponseReturnValue:
    """A reload of the address at which it is asked."""
    return redirect(url_for(".show_payments"), 303)


@bp.post("/payments/<message_id>/match")
@needs("cashier")
def match_message(message_id: str) -> ResponseReturnValue:
    """A person says which order a message pays. Pressed twice it is said once."""
    code = text_input.one_line(request.form.get("order", ""))
    return _press(
        lambda: payments.accept(_id(message_id), code, actor()),
        "Matched. The order can be processed now.",
    )


@bp.post("/payments/<message_id>/put-away")
@needs("cashier")
def put_message_away(message_id: str) -> ResponseReturnValue:
    """A person says that a message is for no order."""
    return _press(
        lambda: payments.put_away(_id(message_id), actor()),
        "Put away: it is for no order.",
    )


@bp.post("/payments/<message_id>/take-back")
@needs("cashier")
def take_message_back(message_id: str) -> ResponseReturnValue:
    """What was said of a message was a mistake: it waits again."""
    return _press(
        lambda: payments.take_back(_id(message_id), actor()),
        "Taken back: the message waits again.",
    )


def _press(verb: Callable[[], object], said: str) -> ResponseReturnValue:
    """Do it and lead back to the page, which says what was done, or why nothing was."""
    try:
        verb()
    except payments.NoSuchMessage:
        abort(404)
    except Refusal as refusal:
        flash(f"Nothing was changed. {refusal.sentence}", "stopped")
    else:
        flash(said)
    return redirect(url_for(".show_payments"), 303)


def _id(text: str) -> int:
    return text_input.row_id(text) or abort(404)


def _told(outcome: Outcome) -> str:
    """`12 messages read: 9 matched, 3 for you to decide, 2 known before.`"""
    read = outcome.new + outcome.seen
    said = [f"{_count(read, 'message')} read", f"{outcome.matched} matched"]
    if outcome.seen:
        said.append(f"{outcome.seen} known before")
    return ", ".join(said) + "."


def _count(many: int, what: str) -> str:
    return f"{many} {what}{'' if many == 1 else 's'}"


def _page(
    pasted: str = "",
    came_to: str = "",
    *,
    errors: dict[str, str] | None = None,
    outcome: Outcome | None = None,
    **more: Any,
) -> str:
    most = config.current().process_many
    matched = payments.matched(most)
    sure = [one for one in matched if one.is_sure]
    number = came_to or payments.usual_number()
    return render_template(
        "portal/payments.html",
        pasted=pasted,
        came_to=_shown(number),
        errors=errors or {},
        outcome=outcome,
        matched=matched,
        sure=sure,
        sure_pesewas=sum(one.order.price_pesewas for one in sure),
        undecided=payments.undecided(),
        open_count=payments.open_count(),
        lately=payments.lately(),
        providers=payments.PROVIDERS,
        most=most,
        most_messages=payments.MOST,
        **more,
    )


def _shown(number: str) -> str:
    """A number in groups; what is none stays as it was typed."""
    try:
        return phones.show(phones.parse(number))
    except phones.BadNumber:
        return number
