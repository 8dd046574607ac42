"""Saying that a customer has their money back, and taking that back.

Decides how the press is read and answered. Leaves who is owed money to `core.orders.giving_back`.
"""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import needs
from agent_portal.pressing import press
from core import orders


@bp.post("/orders/<code>/give-back")
@needs("cashier")
def give_back(code: str) -> ResponseReturnValue:
    """The customer has the money, or nothing is owed. Pressed twice it is said once."""
    how = request.form.get("how", "")
    give = lambda code, actor: orders.giving_back.give(code, how, actor)
    return press(
        give,
        code,
        "Written down for {bundle} to {number}. The customer reads it on the"
        " order\N{RIGHT SINGLE QUOTATION MARK}s page.",
    )


@bp.post("/orders/<code>/give-back/undo")
@needs("cashier")
def take_back(code: str) -> ResponseReturnValue:
    """That was a mistake: the order is in Give back again."""
    return press(
        orders.giving_back.take_back,
        code,
        "Taken back: {bundle} to {number} is in Give back again.",
    )
