"""Rows of the queue that change in place while the page is open: their state, never their position.

One request for a page, not one for a row: it names the orders still under way with a mark of what
each row says, and gets back the rows that say something else now, or nothing. Leaves what a row
says to `core.orders` and its template.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence

from flask import get_template_attribute, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from agent_portal import bp, standing
from agent_portal.auth import actor, may
from agent_portal.orders import NEWS_EVERY_S, OF_NEW, SHOWN_WHEN_FULL, TABS
from core import availability, orders
from core.base import clock, config, phones
from core.orders import Order, asides, marking
from core.orders.held_up import Held

PRESSED = "pressed"
"""In place of a tab: the results of a selection that was pressed."""
_MARK = re.compile(r"(-?[0-9]{1,18})(?:\.([0-9a-f]{1,4}))?")
_LONGEST = 24
"""Characters of one row in a question, with its comma."""
_MOST_ID = 2**63
"""More is no row of PostgreSQL's."""


@bp.get("/orders/rows")
def changed_rows() -> ResponseReturnValue:
    """The rows of `on` that say something else by now, as a tab or a list of results draws them;
    204 while all say the same."""
    most = max(config.current().page_size, config.current().process_many)
    seen = _seen(request.args.get("on", "")[: most * _LONGEST])
    found = orders.by_ids(list(seen))
    if found:
        held = orders.held_up.on_page(found, availability.now())
    else:
        held = {}
    changed = [
        order
        for order in found
        if _mark(order, held.get(order.code)) != seen.get(order.id)
    ]
    if not changed:
        return "", 204
    tab = request.args.get("tab", "")
    if tab not in TABS and tab != PRESSED:
        tab = ""
    return render_template(
        "portal/_changed_rows.html",
        changed=changed,
        going=any(order.release_at for order in found),
        rows=found,
        tab=tab,
        tabs=TABS,
        shown_when_full=SHOWN_WHEN_FULL,
        tab_of=orders.tab_of,
        counts=standing.counts(),
        held=held,
        choose=tab in ("", *OF_NEW) and may("cashier"),
        look=orders.agent_look,
    )


@bp.context_processor
def live() -> dict[str, object]:
    """For templates: how often rows are asked about, the marks of those still under way, and what
    many rows have the same."""
    return {
        "row_marks": _marks,
        "rows_ms": round(clock.seconds(NEWS_EVERY_S) * 1000),
        "chips": _chips,
        "why_aside": asides.why,
        "on_it": marking.on_it,
        "hold_reasons": list(asides.REASONS.items()),
        "me": lambda: actor().name,
    }


def _chips() -> dict[str, Markup]:
    """Each network's, as it is drawn."""
    draw = get_template_attribute("shared/badges.html", "network_chip")
    return {network: draw(network) for network in phones.NETWORKS}


def _marks(rows: Sequence[Order], held: Mapping[str, Held]) -> str:
    """Each row that is under way: its id, as what it is more than the one before, and its mark
    where that is another. Fifty rows in a hundred characters."""
    said, before, mark_before = [], 0, ""
    for order in rows:
        if order.is_final:
            continue
        mark = _mark(order, held.get(order.code))
        more = "" if mark == mark_before else f".{mark}"
        said.append(f"{order.id - before}{more}")
        before, mark_before = order.id, mark
    return ",".join(said)


def _seen(asked: str) -> dict[int, str]:
    """What `_marks` says, by id; nothing from the first row on that makes no sense."""
    seen, order_id, mark = {}, 0, ""
    for row in asked.split(","):
        found = _MARK.fullmatch(row)
        if found is None:
            break
        order_id += int(found[1])
        mark = found[2] or mark
        if not 0 < order_id < _MOST_ID:
            break
        seen[order_id] = mark
    return seen


def _mark(order: Order, held: Held | None) -> str:
    """A short mark of what a row shows. It changes when the order's state does and not with each
    look: a row drawn anew would move its ticks and buttons while somebody presses them."""
    if held:
        stands = f"{held.word} {bool(held.not_sent)}"
    else:
        stands = ""
    marks = f"{order.aside} {order.note} {marking.on_it(order)}"
    said = f"{order.state} {orders.agent_look(order).label} {stands} {marks}"
    return f"{zlib.crc32(said.encode()) & 0xFFFF:x}"
