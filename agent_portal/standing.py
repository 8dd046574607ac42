"""What several places of an agent's page say: how many orders wait, and what cannot be bought now.
The answers are `core.orders`' and `core.availability`'s."""

from __future__ import annotations

from typing import Any

from flask import g

from core import availability, catalog, orders
from core.availability import Now
from core.queue_view import Standing


def counts() -> dict[str, int]:
    """How many orders each tab holds, counted once for a page that says it in several places."""
    if "tab_counts" not in g:
        g.tab_counts = orders.tab_counts()
    found: dict[str, int] = g.tab_counts
    return found


def free_pesewas() -> int:
    """What one more press may take from the wallet, asked once for a page."""
    if "free_pesewas" not in g:
        g.free_pesewas = orders.free_pesewas()
    found: int = g.free_pesewas
    return found


def keep(stands: Standing) -> None:
    """For the rest of this request: what was read together with a page."""
    g.tab_counts = stands.counts
    g.free_pesewas = stands.free_pesewas


def notes(now: Now | None = None) -> dict[str, Any]:
    """The inputs of `_pauses.html`: the answer, why nothing can be sent in the agent's words, and
    what is sold out. `now`: what can be bought, when it was read already.

    `sold_out` is of this store's shelf, which is read only when something is.
    """
    now = now or availability.now()
    if now.short and not now.link:
        shelf = catalog.shelf()
    else:
        shelf = []
    sold_out = availability.sold_out(
        now, ((line.bundle_id, line.network, line.size_text) for line in shelf)
    )
    return {
        "now": now,
        "why": orders.WAIT_TEXT[now.link.reason] if now.link else "",
        "sold_out": sold_out,
    }
