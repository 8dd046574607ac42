"""The wallet: what is there, what is held, every line that made it so, and what was asked for more.

Decides how the statement and requests for money are shown. Leaves each amount to `core.ledger`;
nothing here moves money.
"""

from __future__ import annotations

from flask import g, render_template, request
from flask.typing import ResponseReturnValue

from agent_portal import bp, fund_online
from agent_portal.auth import may
from agent_portal.statement import Asked, as_sheet
from core import fund_requests, ledger, orders, proof
from core.base import config, tenancy
from core.base.text_input import row_id


@bp.get("/wallet")
def wallet() -> ResponseReturnValue:
    """Balance, held, the sum that proves them, and one page of the statement, newest first."""
    kept = g.kept.take("/wallet/funding") if may("cashier") else None
    if kept is None:
        return page(fund_requests.Ask())
    # as it was typed; what is wrong with it is said when it is sent
    typed = fund_requests.Ask.parse(kept.get("amount", ""), kept.get("reference", ""))
    typed.problems.clear()
    return page(typed)


def page(ask: fund_requests.Ask) -> str:
    """The same, with what was typed to ask for money."""
    before = row_id(request.args.get("before"))
    asked = Asked.of(request.args)
    size = config.current().page_size
    within = asked.span() if asked.is_part else None
    lines = asked.lines(before, size + 1, within)
    online = fund_online.offered()
    # who never paid in online owes nothing of it
    owes = (
        orders.debts.sentence_now(tenancy.current_store_id())
        if online["newest"]
        else ""
    )
    return render_template(
        "portal/wallet.html",
        wallet=ledger.wallet(),
        sums=ledger.sums(),
        lines=lines[:size],
        asked=asked,
        within=within,
        kinds=[(kind, ledger.KIND_TEXT[kind]) for kind in ledger.CHOSEN_KINDS],
        before=before,
        next_before=lines[size - 1].id if len(lines) > size else None,
        standing=proof.standing_for_agents(),
        need_pesewas=row_id(request.args.get("need")),
        fund_note=config.current().fund_note,
        ask=ask,
        requests=fund_requests.newest(),
        online=online,
        owes=owes,
    )


@bp.get("/wallet.csv")
def statement_file() -> ResponseReturnValue:
    """The statement as a file for a spreadsheet: UTF-8 with its mark, newest first."""
    asked = Asked.of(request.args)
    return as_sheet(asked, row_id(request.args.get("before"))).answer("wallet")
