"""One payout at the gateway: the claim before each call, and what each answer means.

A payout has one reference from the moment it is asked for, and the gateway knows it by that alone.
So it may be asked for again, and is never asked for under another. After an answer that proves
nothing only the look-up of that reference decides; that it is unknown there is proven by two such
answers, long enough after the claim and apart from each other.

Each function here is one transaction; the call lies between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select

from core import cases, outbox
from core.audit import SYSTEM
from core.base import clock, config
from core.base.db import db, joined_transaction, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.online import (
    Payout,
    locked,
    payout_returned,
)
from core.outbox import OutboxRow
from core.payouts import stopping
from core.payouts.asking import KIND
from core.payouts.records import (
    AT_GATEWAY,
    Record,
    next_look,
    next_watch,
    take,
    tell,
)
from core.stores import Store

OUR_SIDE = frozenset({"credentials", "insufficient_balance", "starter_business"})
"""Refusals that say nothing about this payout: all wait until a person has seen to it."""
_WAITS_S = 300
"""A payout that may not go now is looked at again after this; a press wakes it."""
Act = Literal["send", "look", "wait"]


@dataclass(frozen=True)
class Step:
    """What is to be done about a payout now: `send` it, `look` its reference up, or `wait` until
    `due_at`; None there: nothing is left to do."""

    act: Act
    reference: str = ""
    amount_pesewas: int = 0
    recipient_code: str = ""
    due_at: datetime | None = None


def next_step(payout_id: int) -> Step:
    """What to do; a payout that is to be sent is claimed by this, before the call."""
    with transaction():
        found = locked(Payout, payout_id)
        if found.state in ("requested", "cancelled"):
            return Step("wait")
        if found.state != "approved":
            return Step("look", found.reference)
        if _may_not_go(found):
            return Step("wait", due_at=clock.after(_WAITS_S))
        found.state, found.sent_at = "submitting", clock.now()
        found.missing_since = None
        code = found.recipient_code or ""
        return Step("send", found.reference, found.amount_pesewas, code)


def took(payout_id: int, said: Record) -> datetime | None:
    """The gateway took the transfer. Returns when to look again, as all of these do."""
    with transaction():
        found = locked(Payout, payout_id)
        if found.state != "submitting":
            return clock.now()  # a look was faster: another one says how it stands
        return take(found, said)


def refused(payout_id: int, kind: str, message: str) -> datetime | None:
    """The gateway refused the call: it did nothing. Of `OUR_SIDE` the caller tells a person
    (`tell_none_goes`)."""
    with transaction():
        found = locked(Payout, payout_id)
        if found.state != "submitting" or kind == "duplicate_reference":
            return clock.now()  # the look-up says how it stands
        if kind in OUR_SIDE:
            found.state, found.sent_at = "approved", None
            return clock.after(config.current().payout_parked_s)
        payout_returned(found, "rejected", SYSTEM)
        found.words = f"The gateway did not take it: {message}"[:200]
        return None


@needs_across_stores
def tell_none_goes(code: str, message: str) -> None:
    """One case, however many payouts meet it."""
    with transaction():
        said = {"gateway_says": message, "code": code}
        cases.open_case("payouts_refused", "payouts", said)


def not_sent(payout_id: int) -> datetime | None:
    """The call never left: it may be made again."""
    with transaction():
        found = locked(Payout, payout_id)
        if found.state == "submitting":
            found.state, found.sent_at = "approved", None
        return clock.after(config.current().payout_ladder_s[1])


def unclear(payout_id: int) -> datetime | None:
    """The call, or a look, got no trustworthy answer: nothing moves."""
    with transaction():
        found = locked(Payout, payout_id)
        found.missing_since = None  # two that follow each other prove an absence
        return next_look(found)


def looked(payout_id: int, said: Record) -> datetime | None:
    """The look-up found it."""
    with transaction():
        found = locked(Payout, payout_id)
        found.missing_since = None
        return take(found, said)


def missing(payout_id: int) -> datetime | None:
    """The look-up says that there is none of this reference."""
    with transaction():
        return _missing(locked(Payout, payout_id))


@needs_across_stores
def ring(reference: str) -> bool:
    """Have a payout looked at now, also one that is over: the gateway says there is news of it.
    False when the reference is not one of ours. A use case, or a part of one."""
    with joined_transaction() as session:
        found = session.scalar(select(Payout).where(Payout.reference == reference))
        if found is None:
            return False
        newest = (
            select(OutboxRow)
            .where(OutboxRow.kind == KIND, OutboxRow.subject_id == found.id)
            .order_by(OutboxRow.id.desc())
            .limit(1)
            .with_for_update()
        )
        row = session.scalar(newest)
        if row is not None:
            outbox.make_due(row)
        return row is not None


def broken(payout_id: int, error: str) -> None:
    """An error of ours keeps it from moving: a person is told, and it is looked at again."""
    with transaction():
        tell(locked(Payout, payout_id), "payout_broken", {"error": error})


@inside_use_case
def _may_not_go(found: Payout) -> bool:
    if stopping.stopped() is not None:
        return True
    status = db.session.scalar(select(Store.status).where(Store.id == found.store_id))
    return status == "suspended"


@inside_use_case
def _missing(found: Payout) -> datetime | None:
    """The gateway does not know the reference. Only of one that no call of ours can still bring
    there does that say something, when it is said twice."""
    settings = config.current()
    if found.state != "submitting":
        if found.state in AT_GATEWAY or found.state == "paid":
            tell(found, "payout_differs", {"gateway_says": "not found"})
            return next_look(found) if found.state in AT_GATEWAY else next_watch(found)
        return None
    now = clock.now()
    assert found.sent_at is not None
    if now < found.sent_at + clock.delta(settings.grace_s):
        return next_look(found)
    gap = clock.delta(settings.payout_absence_gap_s)
    if found.missing_since is None or found.missing_since > now:
        found.missing_since = now
        return now + gap
    if now - found.missing_since < gap:
        return found.missing_since + gap
    found.state, found.missing_since = "approved", None  # to be sent, as it was
    return now
