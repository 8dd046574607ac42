"""The wallet: what is there, what is held, and every line that made it so.

Decides how the statement is shown and exported. Leaves each amount to `core.ledger`; nothing here
moves money.
"""

from __future__ import annotations

import csv
import io

from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue

from agent_portal import bp
from core import ledger, proof
from core.base import clock, config, money
from core.base.text_input import row_id
from core.ledger import StatementLine

CSV_PAGE = 500
CSV_PAGES = 40  # 20,000 lines a file; the last row says where the rest begins
RISKY = ("=", "+", "-", "@", "\t", "\r")
HEAD = ("Date", "Time", "What", "Order", "In GHS", "Out GHS", "Balance GHS", "Note")


@bp.get("/wallet")
def wallet() -> ResponseReturnValue:
    """Balance, held, the sum that proves them, and one page of the statement, newest first."""
    before = row_id(request.args.get("before"))
    size = config.current().page_size
    lines = ledger.statement(before_id=before, limit=size + 1)
    return render_template(
        "portal/wallet.html",
        wallet=ledger.wallet(),
        sums=ledger.sums(),
        lines=lines[:size],
        before=before,
        next_before=lines[size - 1].id if len(lines) > size else None,
        standing=proof.standing_for_agents(),
        need_pesewas=row_id(request.args.get("need")),
        fund_note=config.current().fund_note,
    )


@bp.get("/wallet.csv")
def statement_file() -> ResponseReturnValue:
    """The statement as a file for a spreadsheet: UTF-8 with its mark, newest first."""
    today = clock.now().astimezone(clock.ACCRA).date()
    return Response(
        "\N{ZERO WIDTH NO-BREAK SPACE}" + _csv(row_id(request.args.get("before"))),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{g.store.slug}-wallet-{today}.csv"'
        },
    )


def cell(text: str) -> str:
    """A cell a spreadsheet takes for text, never for a formula."""
    if text.startswith(RISKY):
        return f"'{text}"
    return text


def _csv(before: int | None) -> str:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(HEAD)
    for _ in range(CSV_PAGES):
        lines = ledger.statement(before_id=before, limit=CSV_PAGE)
        rows.writerows(_csv_row(line) for line in lines)
        if len(lines) < CSV_PAGE:
            return out.getvalue()
        before = lines[-1].id
    rows.writerow([f"Older lines follow: open /wallet.csv?before={before}"])
    return out.getvalue()


def _csv_row(line: StatementLine) -> list[str]:
    local = line.at.astimezone(clock.ACCRA)
    came = max(0, line.amount_pesewas)
    if line.amount_pesewas < 0:
        went = -line.amount_pesewas
    else:
        went = 0
    return [
        f"{local:%Y-%m-%d}",
        f"{local:%H:%M:%S}",
        line.kind_text,
        cell(line.order_code or ""),
        _plain(came) if came else "",
        _plain(went) if went else "",
        _plain(line.balance_pesewas),
        cell(line.note),
    ]


def _plain(pesewas: int) -> str:
    """An amount a spreadsheet reads as a number: no thousands separator."""
    return money.format_ghs(pesewas).replace(",", "")
