"""Processing an order whose cost has risen, at the new cost, when the agent says so.

Decides how the press is read and answered. Leaves whether it may happen, and at what, to
`core.orders`.
"""

from __future__ import annotations

from functools import partial

from flask import request
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import needs
from agent_portal.pressing import press
from core import orders
from core.base.text_input import row_id


@bp.post("/orders/<code>/reprice")
@needs("cashier")
def process_at_new_cost(code: str) -> ResponseReturnValue:
    """Process one order at the cost the page showed; `accept` carries the loss the agent ticked.
    Pressed twice, it is processed once."""
    cost = row_id(request.form.get("cost")) or 0
    loss = row_id(request.form.get("accept")) or 0
    verb = partial(
        orders.process_at,
        agent_price_pesewas=cost,
        loss_pesewas=loss,
    )
    return press(
        verb,
        code,
        "{bundle} to {number} is in line. {cost} is set aside in your wallet.",
    )
