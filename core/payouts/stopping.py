"""Whether anything is paid out now: a person of the platform stops it and lets it go on; it stops
by itself when the gateway's balance is not what our books say (`holdings`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from core import audit
from core.audit import Actor
from core.base import clock, text_input
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.catalog import Setting
from core.outbox import OutboxRow, make_due
from core.payouts.refusing import BadPayout

KEY = "payouts_stopped"
OUTSIDE = "gateway_outside"
"""Since when the gateway's balance is not what it may be (`holdings`)."""
SENTENCE = "Nothing is paid out at the moment, for any store. Your earnings stay."
SHORTEST_WORDS = 3


@dataclass(frozen=True)
class Stop:
    """Since when nothing is paid out, who said so and why."""

    since: datetime
    by: str
    why: str


def stopped() -> Stop | None:
    """None while payouts go on."""
    found = db.session.scalar(select(Setting.value).where(Setting.key == KEY))
    if found is None:
        return None
    since, by, why = (str(found[name]) for name in ("since", "by", "why"))
    return Stop(datetime.fromisoformat(since), by, why)


@needs_across_stores
def stop(why: str, actor: Actor) -> bool:
    """Pay nothing out until somebody says so. False when that stands already. Raises
    `BadPayout`."""
    why = text_input.one_line(why, 200)
    if len(why) < SHORTEST_WORDS:
        raise BadPayout("Say why: it stands on this page until payouts go on.", "why")
    with transaction():
        return put_down(why, actor)


@inside_use_case
def put_down(why: str, actor: Actor) -> bool:
    """`stop`, in an open use case."""
    value = {"since": clock.now().isoformat(), "by": actor.name, "why": why}
    made = db.session.scalar(
        insert(Setting)
        .values(key=KEY, value=value)
        .on_conflict_do_nothing()
        .returning(Setting.key)
    )
    if made is not None:
        audit.write(actor, "stop_payouts", "platform", {"reason": why})
    return made is not None


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
