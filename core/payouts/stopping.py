"""A person of the platform stops all payouts and lets them go on; they stop by themselves when the
gateway's balance is not what our books say (`holdings`), and in a restored database."""

from __future__ import annotations

from sqlalchemy import delete, select

from core import audit
from core.audit import Actor
from core.base import text_input
from core.base.db import transaction
from core.base.preconditions import needs_across_stores
from core.catalog import Setting
from core.online.stopped import KEY, Stop, stop_payouts, stopped
from core.outbox import OutboxRow, make_due
from core.payouts.refusing import BadPayout

__all__ = ["KEY", "OUTSIDE", "SENTENCE", "Stop", "go_on", "stop", "stopped"]

OUTSIDE = "gateway_outside"
"""Since when the gateway's balance is not what it may be (`holdings`)."""
SENTENCE = "Nothing is paid out at the moment, for any store. Your earnings stay."
SHORTEST_WORDS = 3


@needs_across_stores
def stop(why: str, actor: Actor) -> bool:
    """Pay nothing out until somebody says so. False when that stands already. Raises
    `BadPayout`."""
    why = text_input.one_line(why, 200)
    if len(why) < SHORTEST_WORDS:
        raise BadPayout("Say why: it stands on this page until payouts go on.", "why")
    with transaction():
        return stop_payouts(why, actor)


@needs_across_stores
def go_on(actor: Actor) -> bool:
    """Payouts go on, and those that waited are sent. False when nothing stood still."""
    with transaction() as session:
        gone = session.scalar(
            delete(Setting).where(Setting.key == KEY).returning(Setting.key)
        )
        if gone is None:
            return False
        waiting = select(OutboxRow).where(
            OutboxRow.kind == "send_payout", OutboxRow.done_at.is_(None)
        )
        for row in session.scalars(waiting.order_by(OutboxRow.id).with_for_update()):
            make_due(row)
        # what was outside is looked at anew: twice again, before it stops again
        session.execute(delete(Setting).where(Setting.key == OUTSIDE))
        audit.write(actor, "resume_payouts", "platform")
        return True
