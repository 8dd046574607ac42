"""What agents see, at portal.<domain>: log in, the queue of orders, prices, the wallet.

Decides how an agent asks and reads the answer. Leaves every rule about money, states and prices to
`core`.
"""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("portal", __name__, subdomain="portal")
from agent_portal import (  # noqa: F401  (views register themselves on `bp`)
    address,
    auth,
    bulk_prices,
    cancelling,
    changes,
    choosing,
    confirming,
    customers,
    days,
    earnings,
    fund_online,
    funding,
    giving_back,
    home,
    hours,
    joining,
    lists,
    live_rows,
    logo,
    marking,
    news,
    notices,
    online_payments,
    opening,
    order_page,
    orders,
    own_store,
    pay_online,
    payments,
    payouts,
    people,
    pressing,
    price_history,
    prices,
    repricing,
    selecting,
    sharing,
    shelf_order,
    sign_up,
    telling,
    trying,
    walk_in,
    wallet,
    which_store,
)
