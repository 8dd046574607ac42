"""Payouts: what was earned online and how far it has come, asking for it, and where it goes.

Decides how forms are read and answered, and the words of states. What may be paid out, and every
amount, is `core.payouts`'.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from agent_portal import bp, payout_chart
from agent_portal.auth import actor, may, needs
from agent_portal.sheet import Sheet, amount
from core import catalog, ledger, online, payouts
from core.accounts import second_steps
from core.base import clock, money, phones, tenancy
from core.base.text_input import one_line, row_id
from core.online import Payout
from core.payouts import BadPayout, NoSuchPayout
from core.payouts.listing import LINES_IN_FILE, Line, Money

PATH = "/payouts"
STATES: dict[str, tuple[str, str]] = {
    "requested": ("Waits for Makola", "waiting"),
    "approved": ("Goes out in a moment", "waiting"),
    "submitting": ("Being sent", "moving"),
    "needs_owner": ("Waits for Makola", "waiting"),
    "in_transit": ("On its way", "moving"),
    "paid": ("Paid", "done"),
    "failed": ("Not paid", "stopped"),
    "rejected": ("Not paid", "stopped"),
    "reversed": ("Came back", "returned"),
    "cancelled": ("Cancelled", "returned"),
}
"""What a state is called, and its icon."""
LINE_TEXT = {
    "capture": "Delivered",
    "fee_to_agent": "Fee of a payment",
    "give_back": "Given back after delivery",
    "loss_to_agent": "Loss of a payment",
    "payout_reversed": "A payout came back",
}


@bp.get(PATH)
def show_payouts() -> ResponseReturnValue:
    """What there is, what is on its way, and where it goes."""
    kept = g.kept.take(f"{PATH}/number") if may("owner") else None
    return _page(kept or {}, {})


@bp.post(PATH)
@needs("owner")
def ask_payout() -> ResponseReturnValue:
    """Ask for the amount that the page has shown. Pressed twice it is one payout."""
    asked = row_id(request.form.get("amount")) or 0
    try:
        made = payouts.asking.ask(tenancy.current_store_id(), asked, actor())
    except BadPayout as refusal:
        return _page({}, {"ask": refusal.sentence}), 422
    if made.state == "approved":
        flash(f"{money.cedis(made.amount_pesewas)} are on their way in a moment.")
    else:
        flash(f"{money.cedis(made.amount_pesewas)} wait for two people of Makola.")
    return redirect(url_for(".show_payouts"), 303)


@bp.post(f"{PATH}/number")
@needs("owner")
def name_payout_number() -> ResponseReturnValue:
    """Have earnings go to another number from now on."""
    typed = one_line(request.form.get("number", ""), 40)
    network = one_line(request.form.get("network", ""), 20)
    kept = {"number": typed, "network": network}
    try:
        is_new = payouts.accounts.name_number(
            tenancy.current_store_id(), typed, network, actor()
        )
    except phones.BadNumber as refusal:
        return _page(kept, {"number": refusal.sentence}), 422
    except BadPayout as refusal:
        field = refusal.field if refusal.field == "network" else "number"
        return _page(kept, {field: refusal.sentence}), 422
    if is_new:
        flash("The number is being checked with its network. Look again in a minute.")
    else:
        flash("Your earnings go to this number already. Nothing was changed.")
    return redirect(url_for(".show_payouts", _anchor="number"), 303)


@bp.get(f"{PATH}/number")
@bp.get(f"{PATH}/schedule")
def payouts_home() -> ResponseReturnValue:
    """A reload of the address that a form was refused at."""
    return redirect(url_for(".show_payouts"), 303)


@bp.post(f"{PATH}/schedule")
@needs("owner")
def schedule_payouts() -> ResponseReturnValue:
    """Each Monday by itself, or no longer."""
    weekly = request.form.get("weekly") == "1"
    try:
        payouts.mondays.schedule(tenancy.current_store_id(), weekly, actor())
    except BadPayout as refusal:
        return _page({}, {"schedule": refusal.sentence}), 422
    flash("Each Monday at 09:00." if weekly else "No longer by itself.")
    return redirect(url_for(".show_payouts"), 303)


@bp.get(f"{PATH}/<payout_id>")
def show_payout(payout_id: str) -> ResponseReturnValue:
    """One payout and the orders that it was drawn from."""
    return _one(_of(payout_id))


@bp.get(f"{PATH}/<payout_id>.csv")
def payout_file(payout_id: str) -> ResponseReturnValue:
    """The same for a spreadsheet, whole."""
    found = _of(payout_id)
    drawn = payouts.listing.drawn(found, LINES_IN_FILE)
    sheet = Sheet("When", "What", "Order", "Bundle", "Earned GHS")
    for line in drawn.lines:
        code = _code(line.code)
        sheet.row(
            line.at.isoformat(), _text(line), code, _bundle(line), amount(line.pesewas)
        )
    sheet.row()
    sheet.row("", "From before", "", "", amount(drawn.before_pesewas))
    sheet.row("", "Fee", "", "", amount(-found.fee_pesewas))
    sheet.row("", "Paid out", "", "", amount(-found.amount_pesewas))
    sheet.row("", "Left", "", "", amount(drawn.left_pesewas))
    return sheet.answer(f"payout-{found.id}")


@bp.post(f"{PATH}/<payout_id>/cancel")
@needs("owner")
def cancel_payout(payout_id: str) -> ResponseReturnValue:
    """Take back what was not sent. Pressed twice it is said once."""
    found = _of(payout_id)
    try:
        payouts.asking.cancel(tenancy.current_store_id(), found.id, actor())
    except NoSuchPayout:
        abort(404)
    except BadPayout as refusal:
        flash(refusal.sentence, "stopped")
    else:
        flash("Cancelled: your earnings are free again.")
    return redirect(url_for(".show_payout", payout_id=found.id), 303)


def _of(payout_id: str) -> Payout:
    store_id = tenancy.current_store_id()
    id_ = row_id(payout_id) or abort(404)
    return payouts.listing.one(store_id, id_) or abort(404)


def _page(typed: Mapping[str, str], problems: dict[str, str]) -> str:
    store_id = tenancy.current_store_id()
    has = payouts.listing.money_of(store_id)
    made = payouts.listing.newest(store_id)
    account = online.paid_to.account(store_id)
    return render_template(
        "portal/payouts.html",
        is_on=online.is_on(store_id),
        has=has,
        is_empty=not (made or account or any(sum_ for _, sum_ in _parts(has))),
        far=payout_chart.draw(_parts(has), _summary(has)),
        offer=payouts.offering.offer(store_id),
        account=account,
        schedule=payouts.mondays.schedule_of(store_id),
        monday=payouts.mondays.next_monday(clock.now()),
        made=made,
        states=STATES,
        networks_to_choose=[
            ("", "As the number says"),
            *((key, one.name) for key, one in phones.NETWORKS.items()),
        ],
        has_second_step=second_steps.is_on(current_user.user.id),
        typed=typed,
        problems=problems,
    )


def _one(found: Payout) -> str:
    drawn = payouts.listing.drawn(found)
    return render_template(
        "portal/payout.html",
        payout=found,
        drawn=drawn,
        lines=[(line, _text(line), _bundle(line)) for line in drawn.lines],
        state=STATES[found.state],
    )


def _parts(has: Money) -> list[tuple[str, int]]:
    return [
        ("far-free", has.payable_pesewas),
        ("far-fresh", has.fresh_pesewas),
        ("far-pending", has.pending_pesewas),
        ("far-going", has.under_way_pesewas),
    ]


def _summary(has: Money) -> str:
    return (
        f"Your earnings: {money.cedis(max(0, has.payable_pesewas))} free now,"
        f" {money.cedis(max(0, has.fresh_pesewas))} free a day after delivery,"
        f" {money.cedis(has.pending_pesewas)} held until delivery,"
        f" {money.cedis(has.under_way_pesewas)} on the way to you."
    )


def _text(line: Line) -> str:
    return LINE_TEXT.get(line.kind) or ledger.KIND_TEXT.get(line.kind, line.kind)


def _bundle(line: Line) -> str:
    if not line.network:
        return ""
    return f"{phones.NETWORKS[line.network].name} {catalog.size_text(line.mb)}"


def _code(code: str) -> str:
    return f"{code[:4]}-{code[4:8]}-{code[8:]}" if code else ""
