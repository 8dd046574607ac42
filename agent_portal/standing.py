"""What cannot be bought now, for the notes on top of an agent's pages. The answer is `core.buying`'s."""

from __future__ import annotations

from typing import Any

from core import buying, catalog, orders


def notes() -> dict[str, Any]:
    """The inputs of `_pauses.html`: the answer, why nothing can be sent in the agent's words, and what is sold out.

    `sold_out` is (line of this store's shelf, since when); the shelf is read only when something is.
    """
    now = buying.now()
    shelf = catalog.shelf() if now.short else []
    sold_out = [(line, now.short[line.bundle_id]) for line in shelf if line.bundle_id in now.short]
    return {"now": now, "why": orders.WAIT_TEXT[now.line.reason] if now.line else "", "sold_out": sold_out}
