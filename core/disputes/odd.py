"""A dispute that does not fit what we know, and the word of a person about it: that the gateway's
holds as it is looked up anew, or that the dispute is nothing of ours. Until then nothing of its
payment is refunded; afterwards it is, or not, by what the dispute then says.

Decides which word can be given. What the gateway's word means is `judging.held`'s.
"""

from __future__ import annotations

from typing import Any

from core import online, outbox
from core.audit import Actor
from core.base import clock, phones
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.cases import Case
from core.disputes import ending, rows
from core.disputes.judging import Record
from core.disputes.model import KIND, OVER, BadAnswer
from core.disputes.rows import Found, tell
from core.online import Dispute

SUBJECT = "dispute:"
_SAID = ("gateway_says", "resolution", "its_amount_pesewas", "currency", "its_payment")


@inside_use_case
def lock(subject: str) -> Found | None:
    """The dispute that a case is about, its payment and order, locked before the case. None of a
    case about something else."""
    if not subject.startswith(SUBJECT):
        return None
    return rows.locked_dispute(int(subject.removeprefix(SUBJECT)))


def refuse_over(subject: str) -> None:
    """Raise `BadAnswer` where a person's word would decide nothing any more."""
    number = subject.removeprefix(SUBJECT)
    dispute = db.session.get(Dispute, int(number)) if number.isdecimal() else None
    if dispute is None or dispute.state in OVER:
        raise BadAnswer("This dispute is over. Close the case with words.")


def refuse_answered(subject: str) -> None:
    """The same where an answer of ours may be on its way."""
    refuse_over(subject)
    answer = rows.current_answer(int(subject.removeprefix(SUBJECT)))
    if answer is not None and answer.state != "asked":
        raise BadAnswer(
            "An answer of ours was given to this dispute: it is ours. Let the gateway’s word hold."
        )


@inside_use_case
def hold_word(found: Found, actor: Actor) -> None:
    """The gateway's word holds, as it is looked up now."""
    found.dispute.word_holds = True
    said = f"{actor.name} says that the gateway’s word holds. It is asked again."
    tell(found, said, actor)
    if not rows.ring(found.dispute.id):
        outbox.add(KIND, found.dispute.id, store_id=found.dispute.store_id)


@inside_use_case
def disown(found: Found, case: Case, actor: Actor) -> None:
    """It is nothing of ours, as the gateway told of it last by its case, which the caller closes.
    When the gateway tells something else of it, it goes on."""
    words = f"{actor.name} says that this dispute is nothing of ours."
    seen = case.seen[-1] if case.seen else {}
    said = {name: seen.get(name) for name in _SAID}
    let_go(found, said, words, actor, besides=case.id)


@inside_use_case
def let_go(
    found: Found, said: dict[str, Any], words: str, actor: Actor, *, besides: int = 0
) -> None:
    """It ends, and keeps its payment from nothing any more. Its cases are closed but `besides`."""
    dispute = found.dispute
    dispute.state, dispute.ended_at = "unknown", clock.now()
    dispute.disowned, dispute.word_holds = said, False
    answer = rows.current_answer(dispute.id)
    if answer is not None and answer.state == "asked":
        answer.state, answer.ended_at = "dropped", clock.now()
    db.session.flush()
    tell(found, words, actor)
    ending.close_cases(found, words, actor, besides=besides)
    online.ring(found.payment)  # what is owed goes back now


@inside_use_case
def is_let_go(found: Found, said: Record) -> bool:
    """Whether the gateway still says what it said when it was let go. Something else takes it up
    again."""
    dispute = found.dispute
    if dispute.disowned is None:
        return False
    if dispute.disowned == said_of(said):
        return True
    dispute.disowned, dispute.state, dispute.ended_at = None, "heard", None
    tell(found, "The gateway says something else of it by now: it is taken up again.")
    return False


def said_of(said: Record) -> dict[str, Any]:
    """What a record says, as a case's evidence keeps it."""
    whole = phones.hide(ending.evidence(said, ""))
    return {name: whole.get(name) for name in _SAID}
