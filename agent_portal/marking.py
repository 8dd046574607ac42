"""What a store's people mark on an order for one another: on hold, a note, "I am on it".

Decides how a press is read and answered; the rules are `core.orders.marking`'s.
"""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import needs
from agent_portal.pressing import press
from core.base import text_input
from core.orders import marking


@bp.post("/orders/<code>/hold")
@needs("cashier")
def hold(code: str) -> ResponseReturnValue:
    """Put a new order on hold with a reason, or take it off (`off`)."""
    if "off" in request.form:
        return press(marking.take_off, code, "{bundle} to {number} is off hold.")
    reason = request.form.get("reason", "")
    return press(
        lambda code, actor: marking.set_aside(code, reason, actor),
        code,
        "{bundle} to {number} is on hold: nobody processes it until it is taken off.",
    )


@bp.post("/orders/<code>/note")
@needs("cashier")
def note(code: str) -> ResponseReturnValue:
    """Keep a note on an order; an empty one takes it away."""
    text = text_input.one_line(request.form.get("note", ""), marking.LONGEST_NOTE)
    return press(
        lambda code, actor: marking.write_note(code, text, actor),
        code,
        "Noted for {bundle} to {number}." if text else "The note is gone.",
    )


@bp.post("/orders/<code>/take")
@needs("cashier")
def take(code: str) -> ResponseReturnValue:
    """Say "I am on it", or that no more (`off`)."""
    if "off" in request.form:
        return press(
            marking.let_go_of, code, "You are not on {bundle} to {number} any more."
        )
    seen = request.form.get("seen", "")
    return press(
        lambda code, actor: marking.take_on(code, actor, seen),
        code,
        "You are on {bundle} to {number}: the others see it in the queue.",
    )
