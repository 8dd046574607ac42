"""The owner's side, at admin.<domain>: everything across stores, and the few acts only the platform
may do.

Decides what a person of the platform sees and may press. Calls no supplier: its buttons leave a
line in the outbox and show the answer when fulfilment has brought it.
"""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("console", __name__, subdomain="admin")

from admin_console import (  # noqa: F401 - the views register themselves on bp
    admitting,
    approvals,
    audit,
    auth,
    books,
    calls,
    cases,
    catalog_pages,
    disputes,
    funding,
    gateway_days,
    online,
    online_file,
    orders,
    overview,
    payment_story,
    payouts,
    people,
    refunds,
    stores,
    supplier,
    words,
)
