"""The shelf in the agent's own order: what stands first, what is recommended.

Decides how a press is read. Leaves what may stand where to `core.catalog.arranging`.
"""

from __future__ import annotations

import re
from itertools import groupby

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, needs
from core import catalog
from core.base.phones import NETWORKS
from core.base.text_input import row_id

_PUT = re.compile(r"([0-9]{1,12})\.([0-9]{1,6})")


@bp.get("/prices/arrange")
def shelf_order() -> ResponseReturnValue:
    """What customers see, in their order, with the presses that change it."""
    placed = catalog.arrangement()
    return render_template(
        "portal/shelf_order.html",
        shelves=[
            (network, list(lines))
            for network, lines in groupby(placed, key=lambda one: one.network)
        ],
        by_hand=catalog.by_hand(),
        most=catalog.MOST_FEATURED,
    )


@bp.post("/prices/arrange")
@needs("owner")
def arrange_shelf() -> ResponseReturnValue:
    """One press: a bundle to a place, recommended or not, or a network by size again."""
    at = None
    try:
        at = _press()
    except catalog.NotArranged as refusal:
        flash(f"Nothing was changed. {refusal.sentence}", "stopped")
    return redirect(url_for(".shelf_order", _anchor=at), 303)


def _press() -> str | None:
    """Do it and say it; returns where on the page to go on."""
    form = request.form
    network = form.get("by_size")
    if network in NETWORKS:
        if catalog.arrange_by_size(network, actor()):
            flash(f"{NETWORKS[network].name} is in order of size again.")
        return f"n-{network}"
    if chosen := _PUT.fullmatch(form.get("put", "")):
        bundle, place = map(int, chosen.groups())
        if name := catalog.put(bundle, place, actor()):
            flash(f"{name} moved.")
        return f"b-{bundle}"
    for word, featured in (("feature", True), ("unfeature", False)):
        if found := row_id(form.get(word)):
            if name := catalog.feature(found, featured, actor()):
                told = (
                    "recommended now, and stands first"
                    if featured
                    else "not recommended any more"
                )
                flash(f"{name} is {told}.")
            return f"b-{found}"
    return None
