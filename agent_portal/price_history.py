"""What became of the store's prices, newest first; of all bundles, or of one.

Leaves what is kept of a change to `core.catalog.history`.
"""

from __future__ import annotations

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue

from agent_portal import bp
from core import catalog
from core.base import config
from core.base.phones import NETWORKS
from core.base.text_input import row_id


@bp.get("/prices/history")
def price_history() -> ResponseReturnValue:
    """One page of changes: who, when, from what to what, and what was left of it."""
    before = row_id(request.args.get("before"))
    bundle = None
    if "bundle" in request.args:
        bundle = catalog.by_id(row_id(request.args["bundle"]) or 0) or abort(404)
    size = config.current().page_size
    lines = catalog.price_history(
        size + 1, before_id=before, bundle_id=bundle.id if bundle else None
    )
    name = ""
    if bundle is not None:
        name = f"{NETWORKS[bundle.network].name} {catalog.size_text(bundle.mb)}"
    return render_template(
        "portal/price_history.html",
        lines=lines[:size],
        bundle=bundle,
        name=name,
        before=before,
        next_before=lines[size - 1].move.id if len(lines) > size else None,
    )
