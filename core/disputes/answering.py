"""Answering a dispute: a person says what, the worker of payments sends it, once.

An answer is written down before it is sent and claimed before the call. After silence only the
gateway's record of the dispute decides (`taking_in`): it waits for an answer still, or has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from core import audit
from core.audit import SYSTEM, Actor
from core.base import clock, money
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case
from core.disputes import evidence, rows
from core.disputes.model import Answer, BadAnswer, DisputeAnswer
from core.disputes.rows import CASE, Found, ask_person, tell
from core.online import locked

MOST_WORDS = 300
DEFAULT_WORDS = {
    "accept": "We accept this dispute.",
    "contest": "The data was delivered. The evidence says when and how.",
}


@dataclass(frozen=True)
class Sending:
    """An answer that is to be sent now."""

    answer_id: int
    gateway_id: str
    answer: Answer
    amount_pesewas: int
    words: str
    pack: dict[str, Any]
    evidence_id: str | None
    file_name: str | None


def give(dispute_id: int, answer: Answer, words: str, actor: Actor) -> None:
    """A person's answer. What is sent to contest is fixed with it. Raises `BadAnswer` and
    `NoSuchDispute`."""
    with transaction() as session:
        found = rows.locked_dispute(dispute_id)
        dispute = found.dispute
        refuse(found)
        if answer == "contest":
            dispute.evidence = evidence.generated(found)
        before = session.scalar(
            select(func.max(DisputeAnswer.n)).where(
                DisputeAnswer.dispute_id == dispute_id
            )
        )
        amount = dispute.amount_pesewas if answer == "accept" else 0
        session.add(
            DisputeAnswer(
                store_id=dispute.store_id,
                dispute_id=dispute_id,
                n=(before or 0) + 1,
                answer=answer,
                amount_pesewas=amount,
                words=words.strip()[:MOST_WORDS] or DEFAULT_WORDS[answer],
                asked_by=actor.name,
            )
        )
        dispute.state = "answering"
        said = "contested" if answer == "contest" else "accepted"
        tell(
            found,
            f"{actor.name} {said} the dispute of {money.cedis(dispute.amount_pesewas)}.",
            actor,
        )
        detail = {"amount_pesewas": dispute.amount_pesewas, "words": words}
        audit.write(actor, f"{answer}_dispute", dispute.subject, detail)
        rows.ring(dispute_id)


@inside_use_case
def refuse(found: Found) -> None:
    """Raise `BadAnswer` when no answer can be given to a locked dispute now."""
    state = found.dispute.state
    if state == "heard":
        raise BadAnswer(
            "The gateway is asked about this dispute just now. Look again in a minute."
        )
    if state in ("answering", "sent"):
        raise BadAnswer("This dispute has its answer: nothing was changed.")
    if state != "needs_answer":
        raise BadAnswer("This dispute is over: it takes no answer any more.")


def next_answer(dispute_id: int) -> Sending | None:
    """The answer that is to be sent now; none while one may be under way."""
    with transaction():
        found = rows.locked_dispute(dispute_id)
        given = rows.current_answer(dispute_id)
        dispute = found.dispute
        if given is None or given.state != "asked" or dispute.state != "answering":
            return None
        return Sending(
            given.id,
            str(dispute.gateway_id),
            given.answer,  # type: ignore[arg-type]
            given.amount_pesewas,
            given.words,
            dict(dispute.evidence),
            given.evidence_id,
            given.file_name,
        )


def prepared(answer_id: int, *, evidence_id: str = "", file_name: str = "") -> None:
    """What is sent before the answer itself is there. Sent again it would do no harm."""
    with transaction():
        given = locked(DisputeAnswer, answer_id)
        if given.state == "asked":
            given.evidence_id = evidence_id or given.evidence_id
            given.file_name = file_name or given.file_name


def claim(answer_id: int) -> bool:
    """Written down before the call: from now on it may have been sent. False when it is not to be
    sent."""
    with transaction():
        given = locked(DisputeAnswer, answer_id)
        if given.state != "asked":
            return False
        given.state, given.sent_at, given.absent_at = "submitting", clock.now(), None
        return True


def not_sent(answer_id: int) -> None:
    """The call never left: it may be made again."""
    with transaction():
        given = locked(DisputeAnswer, answer_id)
        if given.state == "submitting":
            given.state, given.sent_at = "asked", None


def took(answer_id: int) -> None:
    """The gateway took the answer. What comes of it its record says."""
    with transaction():
        given = locked(DisputeAnswer, answer_id)
        if given.state == "submitting":
            given.state, given.ended_at = "taken", clock.now()


def refused(dispute_id: int, answer_id: int, why: str) -> None:
    """The gateway refused the answer, which did nothing: a person gives another one."""
    with transaction():
        found = rows.locked_dispute(dispute_id)
        given = locked(DisputeAnswer, answer_id)
        if given.state not in ("asked", "submitting"):
            return
        given.state, given.ended_at, given.said = "refused", clock.now(), why[:200]
        if found.dispute.state == "answering":
            found.dispute.state = "needs_answer"
        tell(found, f"The gateway did not take the answer: {why}", SYSTEM)
        ask_person(CASE, found, {"gateway_says": why})


def newest(dispute_id: int) -> DisputeAnswer | None:
    """The newest answer, also one that was refused."""
    return db.session.scalar(
        select(DisputeAnswer)
        .where(DisputeAnswer.dispute_id == dispute_id)
        .order_by(DisputeAnswer.n.desc())
        .limit(1)
    )
