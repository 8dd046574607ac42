"""What becomes of a dispute once the gateway was asked: how it stands and when to look again,
each in one transaction under the locks of order, payment and dispute. Its end is `ending`'s."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from core import online, orders, outbox
from core.audit import SYSTEM
from core.base import clock, config, money
from core.base.db import db, transaction
from core.base.language import later
from core.base.preconditions import inside_use_case
from core.disputes import deadline, ending, odd, rows
from core.disputes.ending import evidence
from core.disputes.judging import (
    About,
    PaymentIs,
    Record,
    due_of,
    end_of,
    held,
    is_of_another,
    misfit,
)
from core.disputes.model import OVER, DisputeAnswer
from core.disputes.rows import CASE, Found, ask_person, tell
from core.online import Dispute, OnlinePayment

_NOT_SENT = ("pending", "queued")


def take(dispute_id: int, said: Record, payment: PaymentIs | None) -> datetime | None:
    """Apply the gateway's record of a dispute, looked up just now, and of its payment when it is
    resolved (None: that did not answer). Returns when to look again; None: it is over."""
    with transaction():
        found = rows.locked_dispute(dispute_id)
        about = _about(found)
        if odd.is_let_go(found, said):
            return None
        if why := misfit(said, about):
            word = held(said, about) if found.dispute.word_holds else None
            if word is None:
                return _see_odd(found, said, about, why)
            said = word
        if found.dispute.state in OVER:
            return _see_after_end(found, said, payment, about)
        _note(found, said)
        if said.status == "resolved":
            return ending.resolve(found, said, payment, about)
        answer = rows.current_answer(dispute_id)
        if said.status == "waiting":
            _see_at_bank(found, answer)
        elif said.status == "needs_answer" and answer is not None:
            _see_unanswered(found, answer)
        return next_look(found.dispute, rows.current_answer(dispute_id))


@inside_use_case
def _see_odd(found: Found, said: Record, about: About, why: str) -> datetime | None:
    """It does not fit, and a person is asked; where the gateway's word holds that it is of another
    payment, it is none of ours."""
    dispute = found.dispute
    if dispute.word_holds and is_of_another(said, about):
        words = "By the gateway’s word it is of another payment: nothing of ours."
        odd.let_go(found, odd.said_of(said), words, SYSTEM)
        return None
    dispute.word_holds = False
    ask_person("dispute_odd", found, evidence(said, why))
    return clock.after(config.current().dispute_slow_s)


def names_of(dispute_id: int) -> tuple[str, str]:
    """By what the gateway knows a dispute and its payment."""
    dispute = db.session.get_one(Dispute, dispute_id)
    payment = db.session.get_one(OnlinePayment, dispute.payment_id)
    return str(dispute.gateway_id), payment.reference


def missing(dispute_id: int) -> datetime | None:
    """The gateway says that it knows no such dispute. Signed news of one that never was ends here,
    when it is said twice; its case stays for a person."""
    with transaction():
        found = rows.locked_dispute(dispute_id)
        dispute, now = found.dispute, clock.now()
        if dispute.state in OVER:
            return None
        gap = clock.delta(config.current().dispute_absence_s)
        since = dispute.missing_since
        if since is None or since > now:
            dispute.missing_since = now
            return now + gap
        if now - since < gap:
            return since + gap
        if dispute.word_holds:
            words = "By the gateway’s word there is no such dispute: nothing of ours."
            odd.let_go(found, {"gateway_says": "not found"}, words, SYSTEM)
            return None
        if dispute.state != "heard":
            ask_person("dispute_odd", found, {"gateway_says": "not found"})
            return clock.after(config.current().dispute_slow_s)
        dispute.state, dispute.ended_at = "unknown", now
        tell(found, "The gateway knows no such dispute. A person looks at it.")
        ask_person(CASE, found, {"gateway_says": "not found"})
        online.ring(found.payment)  # what is owed goes back once its case is closed
        return None


def next_look(dispute: Dispute, answer: DisputeAnswer | None) -> datetime:
    """When an open dispute is looked at again: now and then, and at the moment of each reminder and
    of its deadline; soon while its answer may be under way."""
    settings, now = config.current(), clock.now()
    if answer is not None and answer.state == "asked":
        return now  # proven absent: it is sent again
    is_under_way = answer is not None and answer.state == "submitting"
    moments = [
        clock.after(
            settings.refund_absence_s if is_under_way else settings.dispute_look_s
        )
    ]
    if dispute.due_at is not None and dispute.state in ("needs_answer", "answering"):
        moments += reminders_at(dispute)[dispute.reminded :]
        moments.append(dispute.due_at + clock.delta(settings.dispute_after_due_s))
    return min((moment for moment in moments if moment > now), default=now)


def reminders_at(dispute: Dispute) -> list[datetime]:
    """When the owner is told: at once, and before the deadline."""
    due = dispute.due_at
    if due is None:
        return []
    hours = [clock.seconds(each) for each in deadline.REMINDERS_H]
    return [dispute.made_at, *(deadline.before(due, each) for each in hours)]


def broken(dispute_id: int, error: str) -> None:
    """An error of ours keeps a dispute from being looked after: a person is told."""
    with transaction():
        ask_person("dispute_odd", rows.locked_dispute(dispute_id), {"error": error})


@inside_use_case
def _about(found: Found) -> About:
    dispute, payment = found.dispute, found.payment
    contested = select(DisputeAnswer.id).where(
        DisputeAnswer.dispute_id == dispute.id,
        DisputeAnswer.answer == "contest",
        DisputeAnswer.state.in_(("submitting", "taken")),
    )
    return About(
        payment.reference,
        payment.charged_pesewas or payment.amount_pesewas,
        online.is_refunded_by_us(payment.id)
        or bool(online.taken_of([payment.id]) and not dispute.taken_pesewas),
        db.session.scalar(contested.limit(1)) is not None,
    )


@inside_use_case
def _note(found: Found, said: Record) -> None:
    """What it says of itself; of one that is new, that it is there."""
    dispute, now = found.dispute, clock.now()
    dispute.missing_since, dispute.heard_at = None, now
    dispute.raw_status, dispute.resolution = said.raw_status[:40], said.resolution[:40]
    dispute.category = said.category or dispute.category
    dispute.opened_at = said.created_at or dispute.opened_at
    hours = clock.seconds(deadline.HOURS)
    dispute.due_at = due_of(said, dispute.made_at, hours)
    dispute.resolved_at = said.resolved_at
    dispute.amount_pesewas = said.amount_pesewas or dispute.amount_pesewas
    if dispute.state == "heard":
        dispute.state = "needs_answer"
        amount = money.cedis(dispute.amount_pesewas)
        until = clock.shown(dispute.due_at)
        tell(found, f"{amount} are disputed. It is to be answered by {until}.")
    _cancel_before_claim(found)


@inside_use_case
def _cancel_before_claim(found: Found) -> None:
    """An order that was not bought yet is not bought any more: its payer asks for the money, and
    whatever comes of that, it is owed back first."""
    order = found.order
    if order is None or order.state not in _NOT_SENT:
        return
    if found.payment.pays_order_id != order.id:
        return
    said = "Cancelled by itself: its payment is disputed, and nothing was bought yet."
    known = later("Not sent: the payment is disputed")
    orders.advance(order.id, "cancelled", text=said, customer_text=known, actor=SYSTEM)
    row = outbox.of_order(order.id, lock=True)
    if row is not None:
        outbox.make_due(row)  # the job sees a final order and closes the row


@inside_use_case
def _see_at_bank(found: Found, answer: DisputeAnswer | None) -> None:
    """The customer's bank has an answer: ours, or one that somebody gave in the dashboard."""
    if answer is not None and answer.state == "submitting":
        answer.state, answer.ended_at = "taken", clock.now()
    elif answer is not None and answer.state == "asked":
        answer.state, answer.ended_at = "dropped", clock.now()
    if found.dispute.state != "sent":
        found.dispute.state = "sent"
        tell(found, "Contested: the customer's bank decides now.")


@inside_use_case
def _see_unanswered(found: Found, answer: DisputeAnswer) -> None:
    """It still waits for an answer. One that may have been sent was not, when that is seen twice,
    some time apart, the first time so long after the sending."""
    if answer.state != "submitting":
        return
    now, gap = clock.now(), clock.delta(config.current().refund_absence_s)
    assert answer.sent_at is not None
    if now - answer.sent_at < gap:
        return
    if answer.absent_at is None or answer.absent_at > now:
        answer.absent_at = now
    elif now - answer.absent_at >= gap:
        answer.state, answer.sent_at, answer.absent_at = "asked", None, None


@inside_use_case
def _see_after_end(
    found: Found, said: Record, payment: PaymentIs | None, about: About
) -> datetime | None:
    """News of one that is over here. One that the gateway did not know goes on, and one that was
    won and was taken up again, or lost after all."""
    dispute = found.dispute
    if dispute.state == "unknown":
        dispute.state, dispute.ended_at = "heard", None
        _note(found, said)
        return clock.now()
    if dispute.state != "won" or payment is None:
        return None
    if said.status == "resolved" and end_of(said, payment, about) in (None, "won"):
        return None
    tell(found, "It was won, and the gateway has taken it up again.")
    dispute.state, dispute.ended_at = "heard", None
    if said.status == "resolved":
        return ending.resolve(found, said, payment, about)
    _note(found, said)
    ask_person(CASE, found, {"gateway_says": said.raw_status})
    return clock.now()
