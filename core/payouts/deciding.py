"""The word of the platform's people on a payout that is too large to go by itself: two different
persons, one after the other; and no, to any that has not gone."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select

from core import audit, outbox
from core.audit import Actor
from core.base import clock, money, text_input
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.online import Payout, locked
from core.payouts.asking import KIND, call_off
from core.payouts.refusing import BadPayout, NoSuchPayout

SHORTEST_WORDS = 3
LONGEST_WORDS = 200


@needs_across_stores
def approve(payout_id: int, actor: Actor) -> Literal["first", "approved", "already"]:
    """One person's yes. The second, of another person, sends it. Raises `NoSuchPayout`,
    `BadPayout`."""
    with transaction():
        found = _locked(payout_id)
        if found.state != "requested":
            if found.approved_id == actor.user_id and found.approved_id is not None:
                return "already"
            raise BadPayout(f"This payout is {found.state} now. Nothing was changed.")
        if found.first_id is None:
            found.first_by, found.first_id = actor.name, actor.user_id
            found.first_at = clock.now()
            _write(found, "approve_payout_first", actor)
            return "first"
        if found.first_id == actor.user_id:
            raise BadPayout(
                f"You said yes already. {money.cedis(found.amount_pesewas)} needs the word of two"
                " people: ask another of yours."
            )
        found.state = "approved"
        found.approved_by, found.approved_id = actor.name, actor.user_id
        found.approved_at = clock.now()
        outbox.add(KIND, found.id, store_id=found.store_id)
        _write(found, "approve_payout", actor)
        return "approved"


@needs_across_stores
def refuse(payout_id: int, words: str, actor: Actor) -> bool:
    """No, also to one that was approved and has not gone. The agent reads why. False when it was
    cancelled already. Raises `NoSuchPayout`, `BadPayout`."""
    words = text_input.one_line(words, LONGEST_WORDS)
    if len(words) < SHORTEST_WORDS:
        raise BadPayout("Say why: the agent reads it.", "words")
    with transaction():
        found = _locked(payout_id)
        if found.state == "cancelled":
            return False
        call_off(found, words, actor)
        return True


@inside_use_case
def _locked(payout_id: int) -> Payout:
    if db.session.scalar(select(Payout.id).where(Payout.id == payout_id)) is None:
        raise NoSuchPayout
    return locked(Payout, payout_id)


def _write(found: Payout, action: str, actor: Actor) -> None:
    detail = {"amount_pesewas": found.amount_pesewas, "reference": found.reference}
    audit.write(actor, action, f"store:{found.store_id}", detail)
