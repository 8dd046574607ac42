"""Earnings: what delivered orders brought, by day, week or month, by network and bundle, as a
picture and as the same table; and what is open with customers.

Decides how periods are named. What was earned is `core.earnings`', what is owed
`core.orders.owing`'s.
"""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from agent_portal import bars, bp
from agent_portal.sheet import Cell, Sheet, amount
from core import earnings, proof
from core.base import money, phones
from core.earnings import Earned, Period
from core.orders import owing

NAMES = {"day": "Days", "week": "Weeks", "month": "Months"}
NOW = {"day": "Today", "week": "This week", "month": "This month"}
HEAD = ("From", "To", "Orders", "Sales GHS", "Cost GHS", "Profit GHS")


@bp.get("/earnings")
def show_earnings() -> ResponseReturnValue:
    """Profit of the last days, weeks or months, and where it came from."""
    by, network = _asked()
    view = earnings.view(by, network)
    periods = list(reversed(view.periods))
    summary = (
        f"Profit of the last {len(periods)} {NAMES[by].lower()} as bars:"
        f" {money.cedis(view.total.profit_pesewas)} in all."
    )
    return render_template(
        "portal/earnings.html",
        by=by,
        network=network,
        view=view,
        lines=[(_name(one, by), one) for one in periods if one.earned.orders],
        ends=(_name(view.periods[0], by), NOW[by]),
        now=(NOW[by], periods[0].earned),
        bars=bars.draw([one.earned.profit_pesewas for one in view.periods], summary),
        tabs=[(name, _address(key, network), None) for key, name in NAMES.items()],
        here_by=_address(by, network),
        networks=[("All networks", _address(by), None)]
        + [
            (known.name, _address(by, key), None)
            for key, known in phones.NETWORKS.items()
        ],
        file=_address(by, network, "/earnings.csv"),
        owing=owing.owing(),
        standing=proof.standing_for_agents(),
    )


@bp.get("/earnings.csv")
def earnings_file() -> ResponseReturnValue:
    """The table of periods, and below it that of bundles, for a spreadsheet."""
    by, network = _asked()
    view = earnings.view(by, network)
    sheet = Sheet(*HEAD)
    for one in reversed(view.periods):
        sheet.row(one.first.isoformat(), one.last.isoformat(), *_cells(one.earned))
    sheet.row()
    sheet.row("Network", "Bundle", *HEAD[2:])
    for part in view.bundles:
        name = phones.NETWORKS[part.network].name
        sheet.row(name, part.size_text, *_cells(part.earned))
    return sheet.answer("earnings")


def _asked() -> tuple[str, str | None]:
    """What the address says; an odd one is read as days of all networks."""
    by, network = request.args.get("by", ""), request.args.get("network", "")
    return (
        by if by in NAMES else "day",
        network if network in phones.NETWORKS else None,
    )


def _address(by: str, network: str | None = None, path: str = "/earnings") -> str:
    return f"{path}?by={by}" + (f"&network={network}" if network else "")


def _name(one: Period, by: str) -> str:
    """`Mon 30 Nov`, `23 Nov – 29 Nov`, `November 2026`."""
    if by == "day":
        return f"{one.first:%a} {one.first.day} {one.first:%b}"
    if by == "week":
        return f"{one.first.day} {one.first:%b} – {one.last.day} {one.last:%b}"
    return f"{one.first:%B %Y}"


def _cells(earned: Earned) -> list[Cell]:
    return [
        earned.orders,
        amount(earned.sales_pesewas),
        amount(earned.cost_pesewas),
        amount(earned.profit_pesewas),
    ]
