"""Payouts of all stores: what waits for a person, numbers to look at, and the stop for all.

Decides what a person sees before they decide. Two people where two are needed, and every amount, is
`core.payouts`'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp
from admin_console.auth import needs
from core import online, payouts
from core.audit import Actor
from core.base import clock, config, money
from core.base.text_input import one_line, row_id
from core.payouts import BadPayout, NoSuchPayout
from core.payouts.listing import Listed

ENDED = 20
MOST_BOOKED = 100_000_000
"""Pesewas at a time: a million cedis."""
STATES: dict[str, tuple[str, str]] = {
    "requested": ("Needs your word", "waiting"),
    "approved": ("To be sent", "waiting"),
    "submitting": ("Being sent", "moving"),
    "needs_owner": ("Wants a code", "stopped"),
    "in_transit": ("On its way", "moving"),
    "paid": ("Paid", "done"),
    "failed": ("Not paid", "returned"),
    "rejected": ("Not taken", "returned"),
    "reversed": ("Came back", "returned"),
    "cancelled": ("Cancelled", "returned"),
}


@bp.get("/payouts")
def list_payouts() -> str:
    return _page()


@bp.get("/payouts/<payout_id>")
def show_payout(payout_id: str) -> str:
    return _one(_of(payout_id))


@bp.post("/payouts/<payout_id>/approve")
@needs("fund")
def approve_payout(payout_id: str) -> Response | tuple[str, int]:
    """One person's yes; the second, of another person, sends it."""
    found = _of(payout_id)
    try:
        said = payouts.deciding.approve(found.payout.id, _actor())
    except BadPayout as refusal:
        return _one(_of(payout_id), {"approve": refusal.sentence}), 422
    amount = money.cedis(found.payout.amount_pesewas)
    if said == "first":
        flash(f"Noted. {amount} go once another person says yes.", "waiting")
    elif said == "approved":
        flash(f"{amount} go to {found.store.name} in a moment.")
    else:
        flash("You have said so already. Nothing was changed.", "waiting")
    return redirect(url_for(".list_payouts"), 303)


@bp.post("/payouts/<payout_id>/refuse")
@needs("fund")
def refuse_payout(payout_id: str) -> Response | tuple[str, int]:
    """Call it off; the agent reads why, and the earnings are free again."""
    found = _of(payout_id)
    words = one_line(request.form.get("words", ""))
    try:
        payouts.deciding.refuse(found.payout.id, words, _actor())
    except BadPayout as refusal:
        problems = {refusal.field or "words": refusal.sentence}
        return _one(_of(payout_id), problems, words), 422
    flash(f"Called off. {found.store.name} reads why.")
    return redirect(url_for(".list_payouts"), 303)


@bp.post("/payouts/numbers/<account_id>/accept")
@needs("fund")
def accept_number(account_id: str) -> Response | tuple[str, int]:
    """The number is the agent's."""
    return _of_number(
        lambda: payouts.accounts.accept(row_id(account_id) or abort(404), _actor()),
        "The number is good.",
    )


@bp.post("/payouts/numbers/<account_id>/refuse")
@needs("fund")
def refuse_number(account_id: str) -> Response | tuple[str, int]:
    """It is not; the agent reads why."""
    words = one_line(request.form.get("words", ""))
    return _of_number(
        lambda: payouts.accounts.turn_down(
            row_id(account_id) or abort(404), words, _actor()
        ),
        "Refused. The agent reads why.",
    )


@bp.post("/payouts/stop")
@needs("fund")
def stop_payouts() -> Response | tuple[str, int]:
    """Nothing is paid out any more, for any store."""
    why = one_line(request.form.get("why", ""))
    try:
        payouts.stopping.stop(why, _actor())
    except BadPayout as refusal:
        return _page({"why": refusal.sentence}, why), 422
    flash("Stopped: nothing is paid out until you let it go on.", "stopped")
    return redirect(url_for(".list_payouts"), 303)


@bp.post("/payouts/go")
@needs("fund")
def go_on_with_payouts() -> Response:
    """Payouts go on; what waited is sent."""
    if payouts.stopping.go_on(_actor()):
        flash("Payouts go on.")
    else:
        flash("They go on already. Nothing was changed.", "waiting")
    return redirect(url_for(".list_payouts"), 303)


@bp.post("/payouts/book")
@needs("fund")
def book_at_gateway() -> Response | tuple[str, int]:
    """Money that moved between our bank and the gateway; the same form twice is booked once."""
    kind: Literal["top_up", "settlement"] = (
        "settlement" if request.form.get("kind") == "settlement" else "top_up"
    )
    typed = one_line(request.form.get("amount", ""), 40)
    form_id = row_id(request.form.get("form_id")) or 0
    try:
        pesewas = money.parse_ghs(typed)
        if not form_id or not 0 < pesewas <= MOST_BOOKED:
            raise BadPayout("Type an amount above zero, like 500.00.", "amount")
        is_new = payouts.holdings.book(kind, form_id, pesewas, _actor())
    except (money.BadAmount, BadPayout, online.Unfit) as refusal:
        return _page(
            {"amount": refusal.sentence}, typed={"amount": typed, "kind": kind}
        ), 422
    said = f"Booked: {money.cedis(pesewas)}."
    flash(said if is_new else "This was booked already. Nothing was added.")
    return redirect(url_for(".list_payouts"), 303)


def _of_number(decide: Callable[[], bool], done: str) -> Response | tuple[str, int]:
    try:
        is_new = decide()
    except NoSuchPayout:
        abort(404)
    except BadPayout as refusal:
        return _page({"words": refusal.sentence}), 422
    flash(done if is_new else "That was said already. Nothing was changed.")
    return redirect(url_for(".list_payouts"), 303)


def _actor() -> Actor:
    return Actor.of_login(current_user)


def _of(payout_id: str) -> Listed:
    return payouts.listing.by_id(row_id(payout_id) or abort(404)) or abort(404)


def _page(
    problems: dict[str, str] | None = None,
    why: str = "",
    typed: dict[str, str] | None = None,
) -> str:
    size = config.current().page_size
    return render_template(
        "console/payouts.html",
        stop=payouts.stopping.stopped(),
        waiting=payouts.listing.waiting(size),
        ended=payouts.listing.ended(ENDED),
        numbers=payouts.accounts.asked(size),
        today_pesewas=payouts.listing.paid_today(),
        by_itself_pesewas=config.current().payout_by_itself_pesewas,
        may_hold=payouts.holdings.expected(),
        states=STATES,
        problems=problems or {},
        why=why,
        typed=typed or {},
        by_hand=payouts.holdings.may_book_settlements(),
        form_id=round(clock.now().timestamp() * 1_000_000),
    )


def _one(found: Listed, problems: dict[str, str] | None = None, words: str = "") -> str:
    return render_template(
        "console/payout.html",
        payout=found.payout,
        shop=found.store,
        drawn=payouts.listing.drawn(found.payout),
        state=STATES[found.payout.state],
        is_first=found.payout.first_id == current_user.user.id,
        problems=problems or {},
        words=words,
    )
