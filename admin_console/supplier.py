"""The supplier's balance beside our float account, the state of the link, and the button that asks it again.

Decides the words for the difference of the two. The balance shown is always the last stored answer with its age:
only fulfilment calls the supplier.
"""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import asked, bp, figures
from admin_console.auth import needs
from core import clock, config, ledger, money, outbox, supply
from core.audit import Actor
from core.supply import BalanceRead

READS = 20


@bp.get("/supplier")
def show_supplier() -> str:
    return render_template("console/supplier.html", **_panel(asked.of_request()))


@bp.get("/supplier/panel")
def supplier_panel() -> str | tuple[str, int]:
    """The same panel as in the page, asked for by it while a refresh runs; 204 while there is nothing new to say."""
    errand = asked.of_request() or abort(404)
    if asked.nothing_new(errand):
        return "", 204
    return render_template("console/_supplier_panel.html", **_panel(errand))


@bp.post("/supplier/refresh")
@needs("supplier")
def refresh_balance() -> Response:
    row = outbox.ask("refresh_balance", Actor.of_login(current_user))
    return redirect(url_for(".show_supplier", asked=row.id), 303)


def difference(said_pesewas: int | None, float_pesewas: int, in_doubt: tuple[int, int]) -> tuple[str, str]:
    """How the supplier's balance and our books compare, as (kind of note, sentence).

    `in_doubt` is (orders sent without an answer yet, what they may have cost): the supplier may hold less by that.
    """
    if said_pesewas is None:
        return "waiting", "The supplier has not told us its balance yet. Press “Refresh balance”."
    orders, doubt_pesewas = in_doubt
    gap = said_pesewas - float_pesewas
    if gap == 0:
        return "done", "They agree: the supplier and our books say the same."
    if gap > 0:
        return "waiting", (
            f"The supplier holds {money.cedis(gap)} more than our books. Either the float was funded, or money came "
            "back for an order that we have not seen returned."
        )
    less = f"The supplier holds {money.cedis(-gap)} less than our books."
    if -gap <= doubt_pesewas:
        many = f"{orders} orders were" if orders != 1 else "One order was"
        return "moving", (
            f"{less} {many} sent and not yet answered for, which may have cost up to {money.cedis(doubt_pesewas)}: "
            "that explains it."
        )
    return "stopped", f"{less} Something was charged there that our books do not have. Look at the calls and the cases."


def _compared(read: BalanceRead | None, said_pesewas: int | None, float_pesewas: int) -> tuple[str, str]:
    """The last answer beside our books as they stood when it came: what was bought since is no difference."""
    if read is None or read.balance_pesewas != said_pesewas:
        return difference(said_pesewas, float_pesewas, figures.in_doubt_pesewas())
    kind, sentence = difference(read.balance_pesewas, read.float_pesewas, figures.in_doubt_pesewas())
    if read.verdict == "fits" and read.balance_pesewas > read.float_pesewas:
        kind = "moving"
        sentence = "The supplier holds more by what it may have given back for failed orders: that explains it."
    moved = float_pesewas - read.float_pesewas
    if moved:
        sentence += f" That was at its last answer; our books have moved by {money.cedis(moved)} since."
    return kind, sentence


def _panel(errand: asked.Errand | None) -> dict[str, Any]:
    link, platform, settings, now = supply.state(), ledger.platform_balances(), config.current(), clock.now()
    window = clock.delta(settings.rate_window_s)
    used = sum(1 for moment in (*link.purchase_calls, *link.other_calls) if now - window < moment <= now + window)
    reads = supply.balance_reads(READS)
    kind, sentence = _compared(reads[0] if reads else None, link.last_balance_pesewas, platform["supplier_float"])
    return {
        "errand": errand,
        "link": link,
        "platform": platform,
        "burn": figures.burn(platform["supplier_float"]),
        "kind": kind,
        "sentence": sentence,
        "stale": link.last_balance_at is not None and now - link.last_balance_at > clock.delta(3_600),
        "breaker_open": link.breaker_open_until is not None and link.breaker_open_until > now,
        "closed": link.closed_until is not None and link.closed_until > now,
        "calls_used": used,
        "settings": settings,
        "reads": reads,
        "health": outbox.health(),
    }
