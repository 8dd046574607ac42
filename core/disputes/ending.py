"""The end of a dispute: what the gateway took is booked once, its cases are closed, and what is
still owed to the payer goes back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from core import cases, online
from core.audit import SYSTEM, Actor
from core.base import clock, config, money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.cases import Case
from core.disputes import evidence as pack
from core.disputes import rows
from core.disputes.judging import About, End, PaymentIs, Record, end_of
from core.disputes.rows import CASE, Found, ask_person, tell

ENDS: dict[str, str] = {
    "won": "The dispute was won: the payment stays.",
    "lost": "The dispute was lost: the gateway took {amount}.",
    "accepted": "The dispute was accepted: the gateway gave {amount} back.",
    "auto_accepted": "Auto-accepted: nobody answered the dispute in time, and the gateway took"
    " {amount}.",
}


@inside_use_case
def resolve(
    found: Found, said: Record, payment: PaymentIs | None, about: About
) -> datetime | None:
    """The gateway says that it is over. Returns when to look again; None: it is booked."""
    settings = config.current()
    is_missed = found.payment.state != "paid" and payment not in (None, "reversed")
    word_holds = found.dispute.word_holds
    if payment is not None and (word_holds or not is_missed):
        end = end_of(said, payment, about, word_holds=word_holds)
        if end is not None:
            _end(found, end, said)
            return None
    since = said.resolved_at or found.dispute.made_at
    if word_holds or clock.now() - since > clock.delta(settings.dispute_odd_s):
        found.dispute.word_holds = False  # it says nothing by which we could go
        why = f"It is over, and its payment is {payment or 'not to be seen'}."
        ask_person("dispute_odd", found, evidence(said, why))
        return clock.after(settings.dispute_slow_s)
    if payment is None:
        return clock.after(settings.payment_away_s)
    if is_missed:
        online.ring(found.payment)  # what came in is booked before what was taken
        return clock.after(settings.payment_refused_s)
    return clock.after(settings.dispute_look_s)


@inside_use_case
def _end(found: Found, end: End, said: Record) -> None:
    dispute, payment = found.dispute, found.payment
    _close_answer(dispute.id, end)
    words = ENDS[end].format(amount=money.cedis(dispute.amount_pesewas))
    dispute.state, dispute.ended_at = end, clock.now()
    dispute.evidence = pack.kept(dispute.evidence)
    taken = 0 if end == "won" else _left_to_book(found)
    if taken and payment.state != "paid":
        # it came and went before we saw it: the books know of neither
        tell(found, f"{words} Its payment was never seen here, so nothing is booked.")
        ask_person("dispute_odd", found, evidence(said, "Its payment is not booked."))
        return
    if taken:
        note = f"{words} Dispute {dispute.gateway_id}, {said.resolution or 'resolved'}."
        if payment.funded_at is not None:
            online.take_disputed_funding(payment, dispute, taken, SYSTEM, note)
        else:
            online.reverse(dispute, taken, SYSTEM, note)
            _bear(found)
    tell(found, words)
    close_cases(found, words)
    online.ring(payment)  # what is still owed goes back now


def _left_to_book(found: Found) -> int:
    """What it took that is in no books yet: other disputes of the payment, and the look at a wallet
    payment, may have come first. Never more than was paid."""
    payment, amount = found.payment, found.dispute.amount_pesewas
    if payment.funded_at is not None:
        return max(0, min(amount, online.unbooked_of_funding(payment)))
    whole = payment.charged_pesewas or payment.amount_pesewas
    return max(0, min(amount, whole - online.taken_of([payment.id]).get(payment.id, 0)))


@inside_use_case
def close_cases(
    found: Found, words: str, actor: Actor = SYSTEM, *, besides: int = 0
) -> None:
    """Those of this dispute; that of its payment while no other dispute of it is open."""
    mine = (Case.kind == "dispute_odd") & (Case.subject == found.dispute.subject)
    if not online.is_disputed(found.payment.id):
        mine |= (Case.kind == CASE) & (Case.subject == found.payment.subject)
    open_ones = (
        select(Case)
        .where(Case.closed_at.is_(None), Case.id != besides, mine)
        .order_by(Case.id)
        .with_for_update()
    )
    for case in db.session.scalars(open_ones).all():
        cases.close_row(case, words, actor)


@inside_use_case
def _close_answer(dispute_id: int, end: End) -> None:
    """One that was not seen to be taken came too late, or did this."""
    answer = rows.current_answer(dispute_id)
    if answer is None or answer.state == "taken":
        return
    is_ours = answer.state == "submitting" and end != "auto_accepted"
    answer.state = "taken" if is_ours else "dropped"
    answer.ended_at = clock.now()


@inside_use_case
def _bear(found: Found) -> None:
    """By the owner's setting the agent bears what was lost, once the order is over."""
    order, payment = found.order, found.payment
    if config.current().dispute_loss_bearer != "agent" or order is None:
        return
    if payment.pays_order_id != order.id or not order.is_final:
        return
    lost = online.loss_of(payment, order)
    if lost > 0:
        online.loss_to_agent(payment, lost, SYSTEM, order)
        tell(found, f"The store bears it: {money.cedis(lost)} from its earnings.")


def evidence(said: Record, why: str) -> dict[str, object]:
    return {
        "what": why,
        "gateway_says": said.raw_status,
        "resolution": said.resolution,
        "its_amount_pesewas": said.amount_pesewas,
        "currency": said.currency,
        "its_payment": said.payment_reference,
    }
