"""What customers see at <store>.<domain>: the shelf, the review step, the order page with its
receipt, and tracking.

Decides how a customer's request is read and shown. Leaves what may be sold, at what price and in
which words an order explains itself to `core`; hosts, headers, limits and error pages to `edge`.
"""

from __future__ import annotations

from flask import Blueprint
from flask.blueprints import BlueprintSetupState

from storefront import theme

bp = Blueprint("storefront", __name__, subdomain="store")
bp.record_once(theme.register)

from storefront import (  # noqa: F401 - the views register themselves on bp
    checkout,
    finding,
    logo,
    offline,
    paying,
    pictures,
    prompting,
    receipt,
    review,
    telling,
    tracking,
    views,
)


@bp.record_once
def read_at_once(state: BlueprintSetupState) -> None:
    """Say which pages read their store together with what they show; and what draws a shop for
    the portal, as it would look."""
    state.app.extensions["shop_as"] = views.drawn_as
    state.app.extensions["reads_store"] = {
        "storefront.create_order": checkout.read_store,
        "storefront.show_review": review.read_store,
    }
