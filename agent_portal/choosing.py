"""Many orders of the queue at once: the filter's form, all that it lets through as one press, and
as a file.

Decides how a filter is asked for, and what a press on all of it names. Leaves which orders a filter
lets through to `core.orders`, and the press itself to `selecting` and `cancelling`.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, standing
from agent_portal.auth import actor
from agent_portal.orders import OF_NEW, TABS
from agent_portal.sheet import Cell, Sheet, amount
from core import catalog, orders, queue_view
from core.base import clock, phones, tenancy, text_input
from core.orders import Order, asides, filtering, marking

CSV_PAGE = 500
CSV_PAGES = 40  # 20,000 orders a file; the last row says where the rest begins
HEAD = (
    "Date", "Time", "Order", "Pay code", "Number", "Network", "Size", "Name", "Price GHS",
    "Cost GHS", "Profit GHS", "State", "Payment", "On hold", "With", "Note",
)  # fmt: skip


@bp.get("/orders/filter")
def filter_form() -> ResponseReturnValue:
    """The filter of one tab, as a form whose answer is the queue's address."""
    tab = _tab()
    return render_template(
        "portal/filter.html",
        tab=tab,
        tabs=TABS,
        only=filtering.read(request.args),
        networks=[(key, one.name) for key, one in phones.NETWORKS.items()],
        sizes=_sizes(),
        ages=[(key, f"older than {words}") for key, words in filtering.AGES.items()],
        paid=list(filtering.PAID.items()),
        hold=list(filtering.HOLD.items()),
        people=[(name, name) for name in marking.people()],
    )


@bp.get("/orders/all")
def all_of_them() -> ResponseReturnValue:
    """All new orders that a filter lets through: how many, what they cost, what is left out; one
    press for the first of them."""
    tab = _tab()
    only = filtering.read(request.args)
    if tab not in OF_NEW:
        return redirect(url_for(".queue", tab=tab, **only.asked), 303)
    stands, found = queue_view.together(
        tenancy.current_store_id(), tab, only, actor().name
    )
    standing.keep(stands)
    return render_template(
        "portal/all.html",
        tab=tab,
        tabs=TABS,
        only=only,
        found=found,
        kinds=_kinds(found.first),
        free_pesewas=stands.free_pesewas,
        looked_at=filtering.LOOKED_AT,
        back=url_for(".queue", tab=tab, **only.asked),
        again=request.full_path.rstrip("?"),
    )


@bp.get("/orders.csv")
def orders_file() -> ResponseReturnValue:
    """The orders of a tab and filter, or of a search, for a spreadsheet: UTF-8 with its mark."""
    return _sheet().answer("orders")


def _tab() -> str:
    tab = request.args.get("tab", "new")
    return tab if tab in TABS else "new"


def _sizes() -> list[tuple[int, str]]:
    """What the store sells and sold lately is on its shelf: each size once."""
    sizes = sorted({line.mb for line in catalog.price_table()})
    return [(mb, catalog.size_text(mb)) for mb in sizes]


def _kinds(found: list[Order]) -> list[tuple[str, int, int]]:
    """Bundles of what is pressed, each with how many and what they cost."""
    by_bundle = lambda order: (order.network, order.mb, order.bundle_text)
    return [
        (text, len(same), sum(order.agent_price_pesewas for order in same))
        for (*_, text), some in groupby(sorted(found, key=by_bundle), key=by_bundle)
        if (same := list(some))
    ]


def _sheet() -> Sheet:
    sheet = Sheet(*HEAD)
    search = text_input.one_line(request.args.get("q", ""), orders.LONGEST_PASTED)
    tab, only = _tab(), filtering.read(request.args)
    before = text_input.row_id(request.args.get("before"))
    store_id = tenancy.current_store_id()
    for _ in range(CSV_PAGES):
        if search:
            page = orders.search(search, before, CSV_PAGE)
        else:
            page = queue_view.listed(store_id, tab, before, only, CSV_PAGE)
        for order in page.orders:
            # without test orders: whoever sums a column sums what was sold
            if not order.is_test:
                sheet.row(*_cells(order))
        if page.next_before is None:
            return sheet
        before = page.next_before
    asked: dict[str, Any] = {"q": search} if search else {"tab": tab, **only.asked}
    rest = url_for(".orders_file", **asked, before=before)
    sheet.row(f"More orders follow: open {rest}")
    return sheet


def _cells(order: Order) -> list[Cell]:
    local = order.created_at.astimezone(clock.ACCRA)
    paid = "found" if order.confirmed_at else "said" if order.told_at else ""
    return [
        f"{local:%Y-%m-%d}",
        f"{local:%H:%M:%S}",
        order.shown_code,
        order.pay_code or "",
        phones.show(order.recipient_msisdn).replace("\N{NO-BREAK SPACE}", " "),
        phones.NETWORKS[order.network].name,
        order.size_text,
        order.customer_name,
        *map(amount, (order.price_pesewas, order.agent_price_pesewas)),
        amount(order.profit_pesewas),
        orders.agent_look(order).label,
        paid,
        asides.why(order) if order.aside else "",
        order.taken_by or "",
        order.note or "",
    ]
