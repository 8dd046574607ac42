"""Online payments of the store: what came in, what is on its way, what is held and when it is paid
out, each a list of its orders.

Decides how figures and lists are named and drawn. What came and what may be paid out is
`core.taking`'s and `core.payouts`'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flask import render_template, request
from flask.typing import ResponseReturnValue

from agent_portal import bars, bp
from core import catalog, online, orders, payouts, taking
from core.base import clock, config, money, phones, tenancy
from core.base.text_input import row_id
from core.online import Payout
from core.online.model import OPEN_PAYOUT
from core.online.paid_to import PayoutSchedule
from core.payouts.offering import Offer
from core.taking.by_day import Days
from core.taking.own_lists import Line

PATH = "/online-payments"
ATTEMPTS: dict[str, tuple[str, str]] = {
    "asked": ("Being opened", "waiting"),
    "open": ("Not paid yet", "waiting"),
    "watched": ("Watched", "moving"),
}
"""What a state of an attempt is called, and its icon."""
Find = Callable[[int, int | None, int], Sequence[Line]]


class List(NamedTuple):
    """One list: its name, what it says of itself, what is said when it is empty, and its rows."""

    name: str
    about: str
    empty: str
    rows: Find


LISTS: dict[str, List] = {
    "paid": List(
        "Paid online",
        "What customers paid for orders of yours, newest first.",
        "Nobody has paid online yet",
        taking.own_lists.paid,
    ),
    "waiting": List(
        "On the way",
        "Payments that customers have begun. One that is watched came too late for its order, or"
        " its customer pays another way: it is looked at for three days more.",
        "No payment is on its way",
        taking.own_lists.waiting,
    ),
    "held": List(
        "Held until delivery",
        "Paid, and not delivered yet: your profit is yours a day after delivery.",
        "No paid order is on its way",
        taking.own_lists.held,
    ),
    "fresh": List(
        "Free a day after delivery",
        "Delivered within the last day, each with your profit, less the fee of its payment.",
        "Nothing was delivered within the last day",
        taking.own_lists.fresh,
    ),
}


@bp.get(PATH)
def show_online_payments() -> ResponseReturnValue:
    """What came in by day, and how far it has come."""
    store_id = tenancy.current_store_id()
    days = taking.by_day.of_store(store_id)
    summary = (
        f"Paid online in the last {len(days.days)} days, as bars:"
        f" {money.cedis(days.total.taken_pesewas)} in all."
    )
    offer = payouts.offering.offer(store_id)
    return render_template(
        "portal/online_payments.html",
        is_on=online.is_on(store_id),
        days=days,
        lines=_lines(days),
        bars=bars.draw([one.taken_pesewas for one in days.days], summary),
        under_way=taking.own_lists.under_way(store_id),
        has=payouts.listing.money_of(store_id),
        offer=offer,
        when=_when(offer, payouts.mondays.schedule_of(store_id)),
        account=online.paid_to.account(store_id),
        going=_going(store_id),
    )


@bp.get(f"{PATH}/orders")
def list_online_payments() -> ResponseReturnValue:
    """The orders behind one figure; an odd name is read as what was paid."""
    which = request.args.get("of", "")
    which = which if which in LISTS else "paid"
    before = row_id(request.args.get("before", ""))
    size = config.current().page_size
    found = LISTS[which].rows(tenancy.current_store_id(), before, size + 1)
    shown = found[:size]
    here = f"{PATH}/orders?of={which}"
    return render_template(
        "portal/online_orders.html",
        which=which,
        list=LISTS[which],
        here_list=here,
        tabs=[
            (one.name, f"{PATH}/orders?of={key}", None) for key, one in LISTS.items()
        ],
        lines=[(line, _bundle(line), *_state(which, line)) for line in shown],
        first=here if before else None,
        older=f"{here}&before={shown[-1].id}" if len(found) > size else None,
    )


def _lines(days: Days) -> list[tuple[str, int, int]]:
    """The days on which somebody paid, the newest first: name, payments, pesewas."""
    return [
        (f"{one.day:%a} {one.day.day} {one.day:%b}", one.payments, one.taken_pesewas)
        for one in reversed(days.days)
        if one.payments
    ]


def _when(offer: Offer, schedule: PayoutSchedule | None) -> str:
    """When the next payout goes, in words."""
    if schedule is not None and schedule.weekly:
        return f"{clock.shown(schedule.next_at)}, by itself"
    return "Not yet" if offer.problem else "When you ask for it"


def _going(store_id: int) -> Payout | None:
    """The payout that is under way, if one is."""
    newest = payouts.listing.newest(store_id, 1)
    return newest[0] if newest and newest[0].state in OPEN_PAYOUT else None


def _state(which: str, line: Line) -> tuple[str, str]:
    if which == "waiting":
        return ATTEMPTS[line.state]
    state: orders.State = line.state  # type: ignore[assignment]
    return orders.AGENT_LABELS[state], orders.AGENT_ICONS[state]


def _bundle(line: Line) -> str:
    return f"{phones.NETWORKS[line.network].name} {catalog.size_text(line.mb)}"
