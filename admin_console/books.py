"""The last proof of the books, the proofs before it, and every account's balance in one table.

Decides what is said of a proof and its age. Proving is done by fulfilment, hourly and when the
button is pressed.
"""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp, progress_panel, proof_strip, store_figures
from admin_console.auth import needs
from core import ledger, online, outbox, payouts, proof, reconcile, store_list
from core.audit import Actor
from core.base import clock, config
from core.supplier import supply

SHOWN = 10
"""The newest proofs in the table; those that failed stay in it for as long as they are drawn."""
VARIANCE_LINES = 10
"""So many of the newest postings that moved the price variance are listed."""
STRIP_H = 48
STRIP_PROOFS = 200
"""More proofs than one an hour come from the button; so many at most are drawn."""


@bp.get("/books")
def show_books() -> str:
    platform = ledger.platform_balances()
    shown = store_list.page(config.current().page_size)
    wallets_pesewas, held_pesewas = ledger.stores_total()
    return render_template(
        "console/books.html",
        platform=platform,
        lines=store_figures.store_lines(shown),
        wallets_pesewas=wallets_pesewas,
        held_pesewas=held_pesewas,
        there_pesewas=sum(
            pesewas
            for name, pesewas in platform.items()
            if name not in ledger.CREDIT_ACCOUNTS
        ),
        owed_pesewas=platform["margin"] + wallets_pesewas + held_pesewas,
        variance=store_figures.account_lines("price_variance", VARIANCE_LINES),
        rounding_pesewas=reconcile.rounding_today(supply.state()),
        has_payouts=online.platform_is_on() or bool(payouts.listing.ended(1)),
        **_panel(progress_panel.of_request()),
    )


@bp.get("/books/panel")
def books_panel() -> str | tuple[str, int]:
    """The proofs as in the page, asked for by it while one runs; 204 while there is nothing new to
    say."""
    progress = progress_panel.of_request() or abort(404)
    if progress_panel.nothing_new(progress):
        return "", 204
    return render_template("console/_proof_panel.html", **_panel(progress))


@bp.post("/books/prove")
@needs("books")
def prove_books() -> Response:
    row = outbox.request("prove_books", Actor.of_login(current_user))
    return redirect(url_for(".show_books", asked=row.id), 303)


def _panel(progress: progress_panel.Progress | None) -> dict[str, Any]:
    proofs = proof.newest(STRIP_PROOFS)
    failed = sum(not one.ok for one in proofs)
    summary = (
        f"The proofs of the last {STRIP_H} hours as bars: {failed or 'none'} of the {len(proofs)}"
        " newest failed."
    )
    return {
        "progress": progress,
        "standing": proof.standing(),
        "proofs": [
            one for place, one in enumerate(proofs) if place < SHOWN or not one.ok
        ],
        "strip": (
            proof_strip.draw(proofs, clock.now(), STRIP_H, summary)
            if len(proofs) > 1
            else None
        ),
    }
