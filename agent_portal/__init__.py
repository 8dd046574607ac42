"""What agents see, at portal.<domain>: log in, the queue of orders, prices, the wallet.

Decides how an agent asks and reads the answer. Leaves every rule about money, states and prices to
`core`.
"""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("portal", __name__, subdomain="portal")
from agent_portal import (  # noqa: F401  (views register themselves on `bp`)
    auth,
    cancelling,
    changes,
    confirming,
    giving_back,
    home,
    lists,
    live_rows,
    opening,
    order_page,
    orders,
    payments,
    pressing,
    prices,
    repricing,
    selecting,
    sharing,
    sign_up,
    telling,
    walk_in,
    wallet,
)
