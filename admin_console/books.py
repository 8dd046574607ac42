"""The proof that the books sum to zero, and every account's balance in one table."""

from __future__ import annotations

from flask import render_template

from admin_console import bp, figures
from core import ledger


@bp.get("/books")
def show_books() -> str:
    return render_template(
        "console/books.html",
        books=ledger.books(),
        platform=ledger.platform_balances(),
        stores=figures.store_lines(),
    )
