"""Telling the platform's owners of a dispute that waits for its answer: when it comes, a working
day and six working hours before its end. By a message where they confirmed an address, and always
in its case and timeline.

A reminder is noted before it is handed on: one that is lost on the way is not repeated, the next
one comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import select

from core.accounts.confirmations import Confirmation
from core.accounts.users import User
from core.base import clock, config, messages, money
from core.base.db import db, transaction
from core.base.messages import Kind
from core.disputes import rows
from core.disputes.rows import CASE, ask_person, tell
from core.disputes.taking_in import reminders_at

log = structlog.get_logger("disputes")


@dataclass(frozen=True)
class Reminder:
    """A text, and to whom it goes: how, and the address."""

    text: str
    to: tuple[tuple[Kind, str], ...]


def due(dispute_id: int) -> Reminder | None:
    """The reminder whose moment has come, noted as given; None when there is none. Of several that
    were missed the last one is given."""
    with transaction():
        found = rows.locked_dispute(dispute_id)
        dispute = found.dispute
        if dispute.state != "needs_answer" or dispute.due_at is None:
            return None
        now = clock.now()
        passed = sum(moment <= now for moment in reminders_at(dispute))
        if passed <= dispute.reminded or now >= dispute.due_at:
            return None
        dispute.reminded = passed
        until = clock.shown(dispute.due_at)
        said = f"Answer by {until}, or {money.cedis(dispute.amount_pesewas)} are lost."
        tell(found, f"The owner was reminded. {said}", in_order=False)
        ask_person(CASE, found, {"reminder": said})
        page = f"{config.current().address('admin')}/disputes/{dispute.id}"
        return Reminder(f"Makola: a payment is disputed. {said} {page}", _owners())


def send(reminder: Reminder) -> None:
    """Hand it on, with no use case open. Who cannot be reached reads it in the console."""
    for kind, address in reminder.to:
        try:
            messages.send(kind, address, reminder.text)
        except messages.NotSent:
            log.warning("an owner could not be reminded of a dispute", kind=kind)


def _owners() -> tuple[tuple[Kind, str], ...]:
    """One confirmed address of each owner, by SMS sooner than by e-mail."""
    if not messages.can_send():
        return ()
    found = db.session.execute(
        select(Confirmation.user_id, Confirmation.kind, Confirmation.address)
        .join(User, User.id == Confirmation.user_id)
        .where(
            User.platform_role == "owner",
            User.removed_at.is_(None),
            Confirmation.confirmed_at.is_not(None),
        )
        .order_by(Confirmation.user_id, Confirmation.kind)
    )
    kinds: dict[str, Kind] = {"phone": "phone", "email": "email"}
    chosen = {row.user_id: (kinds[row.kind], row.address) for row in found}
    return tuple(chosen.values())
