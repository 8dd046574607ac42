"""The store's side of what customers tell: that a payment is not there, and an answer about data
that has not come.

Decides how a press is read and answered; the rules are `core.orders.telling`'s and
`core.orders.not_received`'s.
"""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import needs
from agent_portal.pressing import press
from core.base import text_input
from core.orders import not_received, telling


@bp.post("/orders/<code>/not-found")
@needs("cashier")
def payment_not_found(code: str) -> ResponseReturnValue:
    """The payment that the customer told is not there."""
    return press(
        telling.note_not_found,
        code,
        "Written down for {bundle} to {number}. The customer reads that the payment is not there.",
    )


@bp.post("/orders/<code>/answer")
@needs("cashier")
def answer(code: str) -> ResponseReturnValue:
    """Answer a customer whose data has not come."""
    how = request.form.get("how", "")
    words = text_input.one_line(
        request.form.get("words", ""), not_received.LONGEST_WORDS
    )
    return press(
        lambda code, actor: not_received.answer(code, how, words, actor),
        code,
        "The customer of {bundle} to {number} reads your answer.",
    )
