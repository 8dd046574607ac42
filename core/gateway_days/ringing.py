"""The rings of days: payments that the gateway is asked about because of a day, one after another,
so that customers who pay now have the line of payments."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from core import online
from core.base import clock
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.online import OnlinePayment
from core.online.listed import GatewayDay

A_MINUTE = 30
"""Days, all together, have so many payments looked at in a minute."""
_GAP = timedelta(minutes=1) / A_MINUTE
_FARTHEST = timedelta(days=1)
"""No moment later than this is taken for the last one: a clock was set back."""


@inside_use_case
def ring(day: GatewayDay, payment_ids: list[int]) -> None:
    """Have these payments looked at, each a little after the one before, whichever day rang that.
    What is looked at by then anyway takes no place."""
    if not payment_ids:
        return
    at = _next_moment()
    for payment_id in payment_ids:
        if online.ring_at(db.session.get_one(OnlinePayment, payment_id), at):
            day.rung_until = at
            at += _GAP


def _next_moment() -> datetime:
    now = clock.now()
    last = db.session.scalar(
        select(func.max(GatewayDay.rung_until)).where(
            GatewayDay.rung_until <= now + _FARTHEST
        )
    )
    return max(now, last + _GAP) if last is not None else now
