"""Each day of Accra three ways: our online payments, the gateway's list, what it settled; and the
owner's files.

Decides how a day reads and is drawn, and how days are typed. What a difference is called and what
becomes of it is `core.gateway_days`'.
"""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp, day_bars
from admin_console.auth import needs
from admin_console.sheet import Sheet
from core import gateway_days
from core.audit import Actor
from core.base import clock
from core.base.text_input import one_line, row_id
from core.gateway_days import exporting, listing, tallying
from core.online.listed import GatewayDay

SHOWN = 31
SETTLEMENTS = 10
PAGE, PAGES = 500, 40
"""20,000 rows a file; the last one says where the rest begins."""
ODD_DAY = "Type a day like 2026-11-30."
WENT = {
    "bank": ("done", "Booked to the bank"),
    "balance": ("done", "In the gateway’s balance"),
    "by_hand": ("done", "Booked by a person"),
    "nowhere": ("returned", "Nothing of ours in it"),
    None: ("moving", "Under way"),
}
WAYS = {
    "ask": ("stopped", "Asks you"),
    "ring": ("moving", "Asked about"),
    "itself": ("waiting", "Waits"),
    "known": ("done", "Explained"),
}
HEAD = (
    *("Reference", "What", "Ours GHS", "Gateway GHS", "Settled GHS", "Our fee GHS"),
    *("Gateway fee GHS", "Paid by us", "Paid there"),
)


@bp.get("/payments/days")
def list_days() -> str:
    """The newest days, and the newest settlements."""
    days = listing.newest(_day(request.args.get("before", "")), SHOWN)
    most = max((max(day_bars.columns(one)) for one in days), default=0)
    return render_template(
        "console/gateway_days.html",
        days=[(one, _stands(one), _drawn(one, most)) for one in days],
        older=days[-1].day if len(days) == SHOWN else None,
        settlements=listing.settlements(SETTLEMENTS),
        went=WENT,
    )


@bp.get("/payments/days/<day>")
def show_day(day: str) -> str:
    found = _found(day)
    columns = day_bars.columns(found)
    return render_template(
        "console/gateway_day.html",
        day=found,
        stands=_stands(found),
        bars=[
            day_bars.draw((one,), max(columns), place)
            for place, one in enumerate(columns)
        ],
        shares=listing.shares(found),
        ways=WAYS,
    )


@bp.get("/payments/days/<day>.csv")
def export_day(day: str) -> Response:
    """Every payment of a day with all three, judged as things stand now."""
    found = _found(day)
    sheet = Sheet(*HEAD)
    for line in tallying.every(found.day, PAGES):
        ours, theirs, judged = line.row.ours, line.row.theirs, line.judged
        cause = judged.cause
        sheet.add(
            (
                line.row.reference,
                gateway_days.CAUSES[cause].title if cause else "Fits",
                judged.ours_pesewas,
                judged.theirs_pesewas,
                judged.settled_pesewas,
                ours.fees_pesewas if ours else None,
                theirs.fees_pesewas if theirs else None,
                ours.paid_at if ours else None,
                theirs.paid_at if theirs else None,
            )
        )
    return sheet.answer(f"payments-{found.day}")


@bp.post("/payments/days/<day>/again")
@needs("books")
def compare_day_again(day: str) -> Response:
    """Read the gateway's lists once more for a day."""
    wanted = _day(day) or abort(404)
    try:
        gateway_days.ask_anew(wanted, Actor.of_login(current_user))
    except gateway_days.NotYet as refusal:
        flash(f"Nothing was changed: {refusal.sentence}", "stopped")
        return redirect(url_for(".list_days"), 303)
    flash("The gateway’s lists are read again. It takes a minute.", "moving")
    return redirect(url_for(".show_day", day=wanted), 303)


@bp.get("/payments/export")
@needs("books")
def show_export() -> str:
    today = clock.now().astimezone(clock.ACCRA).date()
    return _export_page(str(today.replace(day=1)), str(today))


@bp.get("/payments/export.csv")
@needs("books")
def export_payments() -> Response | tuple[str, int]:
    """A file of some days, both included."""
    typed = {name: one_line(request.args.get(name, ""), 40) for name in ("from", "to")}
    first, last = _day(typed["from"]), _day(typed["to"])
    problems = {
        name: ODD_DAY
        for name, found in (("from", first), ("to", last))
        if found is None
    }
    if first and last and first > last:
        problems["from"] = "The first day is after the last one. Change one."
    what = request.args.get("what", "")
    if what not in exporting.FILES:
        problems["what"] = "Choose what the file is to hold."
    if problems or first is None or last is None:
        return _export_page(typed["from"], typed["to"], what, problems), 422
    after = row_id(request.args.get("after")) or 0
    return _file(what, first, last, after).answer(f"{what}-{first}-{last}")  # type: ignore[arg-type]


def _file(what: exporting.What, first: date, last: date, after: int) -> Sheet:
    sheet = Sheet(*exporting.FILES[what].head)
    for _ in range(PAGES):
        rows = exporting.page(what, first, last, after, PAGE)
        for row in rows:
            sheet.add(tuple(row[1:]))
        if len(rows) < PAGE:
            return sheet
        after = rows[-1][0]
    asked = urlencode({"what": what, "from": first, "to": last, "after": after})
    sheet.row(f"More rows follow: open /payments/export.csv?{asked}")
    return sheet


def _export_page(
    first: str, last: str, what: str = "", problems: dict[str, str] | None = None
) -> str:
    return render_template(
        "console/payments_export.html",
        files=[(name, one.title) for name, one in exporting.FILES.items()],
        first=first,
        last=last,
        what=what,
        problems=problems or {},
    )


def _found(day: str) -> GatewayDay:
    wanted = _day(day)
    return (listing.by_day(wanted) if wanted else None) or abort(404)


def _day(typed: str) -> date | None:
    """A day as an address has it; None for anything else."""
    try:
        found = date.fromisoformat(typed) if len(typed) == 10 else None
    except ValueError:
        return None
    return found if found and 2000 < found.year < 9000 else None


def _stands(day: GatewayDay) -> tuple[str, str]:
    """How a day stands, as (kind of badge, words)."""
    if day.done_at is None:
        return "moving", "Being read"
    ways = {gateway_days.CAUSES[name].way for name in day.causes}
    if "ask" in ways:
        return "stopped", "Asks you"
    if ways & {"ring", "itself"}:
        return "waiting", "Waits"
    return "done", "All fits"


def _drawn(day: GatewayDay, most_pesewas: int) -> object:
    return day_bars.draw(day_bars.columns(day), most_pesewas)
