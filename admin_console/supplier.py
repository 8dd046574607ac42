"""The supplier's balance beside our float account, the state of the link, and the button that asks
it again.

The balance shown is always the last stored answer with its age: only fulfilment calls the supplier.
The words for the difference are in `comparison`, the sum of it in `balance_steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import abort, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import (
    balance_steps,
    bp,
    comparison,
    figures,
    overview,
    progress_panel,
)
from admin_console.auth import needs
from core import availability, ledger, orders, outbox, reconcile
from core.audit import Actor
from core.base import clock, config
from core.supplier import balances, supply
from core.supplier.balances import BalanceRead

READS = 20


@bp.get("/supplier")
def show_supplier() -> str:
    return render_template(
        "console/supplier.html", **_panel(progress_panel.of_request())
    )


@bp.get("/supplier/panel")
def supplier_panel() -> str | tuple[str, int]:
    """The same panel as in the page, asked for by it while a refresh runs; 204 while there is
    nothing new to say."""
    progress = progress_panel.of_request() or abort(404)
    if progress_panel.nothing_new(progress):
        return "", 204
    return render_template("console/_supplier_panel.html", **_panel(progress))


@bp.post("/supplier/refresh")
@needs("supplier")
def refresh_balance() -> Response:
    row = outbox.request("refresh_balance", Actor.of_login(current_user))
    return redirect(url_for(".show_supplier", asked=row.id), 303)


def _as_sent(link: supply.SupplierState) -> str | None:
    """The last figure with every digit, if it is not the whole pesewas that stand beside it."""
    said = link.last_balance_said
    if said is not None and Decimal(said) * 100 != link.last_balance_pesewas:
        return said
    return None


def _panel(progress: progress_panel.Progress | None) -> dict[str, Any]:
    link = supply.state()
    platform = ledger.platform_balances()
    now = clock.now()
    reads = balances.newest(READS)
    counted_pesewas = reconcile.countable_pesewas(link)
    return {
        "progress": progress,
        "link": link,
        "platform": platform,
        "counted_pesewas": counted_pesewas,
        "burn": figures.burn(counted_pesewas),
        "still": overview.stands_still(availability.now()),
        "stale": _is_before(link.last_balance_at, now - clock.delta(3_600)),
        "buying_stopped": reconcile.buying_stopped(),
        "breaker_open": _is_ahead(link.breaker_open_until, now),
        "why_paused": orders.WAIT_TEXT.get(
            link.breaker_reason or "", link.breaker_reason
        ),
        "closed": _is_ahead(link.closed_until, now),
        "calls_used": _calls_used(link, now),
        "settings": config.current(),
        "reads": reads,
        "as_sent": _as_sent(link),
        "rounding_pesewas": reconcile.rounding_today(link),
        "health": outbox.health(),
        **_beside_our_books(link, reads, platform["supplier_float"]),
    }


def _is_ahead(until: datetime | None, now: datetime) -> bool:
    return until is not None and until > now


def _is_before(moment: datetime | None, limit: datetime) -> bool:
    return moment is not None and moment < limit


def _calls_used(link: supply.SupplierState, now: datetime) -> int:
    """Calls of the last window; one from a clock that was ahead counts too."""
    window = clock.delta(config.current().rate_window_s)
    calls = (*link.purchase_calls, *link.other_calls)
    return sum(1 for moment in calls if now - window < moment <= now + window)


def _beside_our_books(
    link: supply.SupplierState, reads: Sequence[BalanceRead], float_pesewas: int
) -> dict[str, Any]:
    """The supplier's last answer beside our books: the kind of note, its sentence, and the sum."""
    last = reads[0] if reads else None
    booked_pesewas = reconcile.booked_for(last) if last else 0
    kind, sentence = comparison.compared(
        last, link.last_balance_pesewas, float_pesewas, booked_pesewas
    )
    if kind == "done" and link.balance_failed_at is not None:
        kind = "waiting"
        sentence = f"{sentence} That was its last answer that could be read."
    if last:
        steps = balance_steps.steps(last, float_pesewas, booked_pesewas)
    else:
        steps = []
    return {
        "kind": kind,
        "sentence": sentence,
        "steps": steps,
    }
