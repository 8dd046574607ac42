"""What cannot be bought now, for the notes on top of an agent's pages. The answer is
`core.availability`'s."""

from __future__ import annotations

from typing import Any

from core import availability, catalog, orders


def notes() -> dict[str, Any]:
    """The inputs of `_pauses.html`: the answer, why nothing can be sent in the agent's words, and
    what is sold out.

    `sold_out` is of this store's shelf, which is read only when something is.
    """
    now = availability.now()
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
