"""Payouts by themselves: each Monday at nine in Accra, for the stores that want it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from core import audit
from core.audit import SYSTEM, Actor
from core.base import clock
from core.base.db import db, transaction
from core.base.in_store import as_platform_in_store
from core.base.preconditions import needs_across_stores
from core.online import PayoutSchedule
from core.payouts import asking, stopping
from core.payouts.offering import offer
from core.payouts.refusing import BadPayout, needs_second_step

HOUR = 9
"""In Accra, on Mondays."""


@as_platform_in_store
def schedule(store_id: int, weekly: bool, actor: Actor) -> bool:
    """Pay out each Monday by itself, or no longer. False when it stands so. Raises `BadPayout`."""
    needs_second_step(actor)
    with transaction() as session:
        asking.turn(store_id)
        found = schedule_of(store_id)
        if found is None:
            found = PayoutSchedule(
                store_id=store_id, weekly=False, next_at=clock.now(), changed_by=""
            )
            session.add(found)
        if found.weekly == weekly:
            return False
        found.weekly, found.changed_by, found.words = weekly, actor.name, ""
        found.next_at = next_monday(clock.now())
        word = "weekly_payouts_on" if weekly else "weekly_payouts_off"
        audit.write(actor, word, f"store:{store_id}")
        return True


def schedule_of(store_id: int) -> PayoutSchedule | None:
    """What a store has said of its Mondays; None when it never did."""
    return db.session.scalar(
        select(PayoutSchedule).where(PayoutSchedule.store_id == store_id)
    )


def next_monday(now: datetime) -> datetime:
    """The next Monday at nine in Accra after a moment."""
    day = clock.accra_midnight(now)
    days = (7 - day.astimezone(clock.ACCRA).weekday()) % 7
    found = day + timedelta(days=days, hours=HOUR)
    return found if found > now else found + timedelta(days=7)


@needs_across_stores
def ask_weekly(limit: int = 50) -> int:
    """Ask for the payouts whose Monday has come. Where nothing can be paid out the store reads why
    and the next week is waited for; while all stand still, so do these. Returns how many."""
    if stopping.stopped() is not None:
        return 0
    due = (
        select(PayoutSchedule.store_id)
        .where(PayoutSchedule.weekly, PayoutSchedule.next_at <= clock.now())
        .order_by(PayoutSchedule.next_at)
        .limit(limit)
    )
    return sum(_ask_weekly(store_id) for store_id in db.session.scalars(due).all())


def _ask_weekly(store_id: int) -> bool:
    try:
        return _ask(store_id)
    except (
        BadPayout
    ):  # what was there has just become less: looked at again in a minute
        return False


def _ask(store_id: int) -> bool:
    with transaction() as session:
        asking.turn(store_id)
        found = session.get_one(PayoutSchedule, store_id, populate_existing=True)
        if not found.weekly or found.next_at > clock.now():
            return False  # another relay was here
        found.next_at = next_monday(clock.now())
        found.words = ""
        what = offer(store_id, "weekly")
        if what.problem:
            found.words = what.problem
            return False
        asking.place(store_id, "weekly", what.amount_pesewas, SYSTEM)
        return True
