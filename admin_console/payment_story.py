"""One online payment with all that is known of it, from every log.

Decides what stands beside what. What a payment is and what hangs on it comes from `core.taking`.
"""

from __future__ import annotations

from datetime import datetime

from flask import abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from admin_console import bp, payouts, refunds
from admin_console.online import ENDS, STATES
from core import ledger, taking
from core.base import money
from core.orders import Moment
from core.supplier import records, webhook_events
from core.taking.story import Story

REFUND_STATES = {
    **refunds.STATE,
    "done": ("done", "Gone back"),
    "failed": ("stopped", "Failed"),
    "returned": ("returned", "Came back to us"),
}
DISPUTE_STATES = {
    "needs_answer": ("stopped", "Needs an answer"),
    "sent": ("moving", "With the gateway"),
    "won": ("done", "Won"),
    "lost": ("returned", "Lost"),
    "accepted": ("returned", "Accepted"),
}
"""How states of refunds and disputes look and read."""


@bp.get("/payments/<reference>")
def show_payment(reference: str) -> ResponseReturnValue:
    found = taking.story.of(reference)
    if found is None:
        upper = taking.story.of(reference.upper())
        if upper is None:
            abort(404, "There is no payment with this reference. Check it, or search.")
        return redirect(url_for(".show_payment", reference=reference.upper()), 301)
    payout = found.payout
    return render_template(
        "console/payment.html",
        story=found,
        payment=found.payment,
        shop=found.store,
        state=STATES[found.payment.state],
        end=ENDS[found.end],
        states=STATES,
        moments=_moments(found),
        refund_states=REFUND_STATES,
        reasons=refunds.REASON,
        dispute_states=DISPUTE_STATES,
        payout_state=payouts.STATES[payout.state] if payout else None,
        calls=records.calls(search=reference),
        events=webhook_events.of_order(reference),
        postings=found.postings,
        kind_text=ledger.KIND_TEXT,
    )


def _moments(found: Story) -> list[Moment]:
    """What happened to the money, oldest first, as far as its own rows say."""
    payment, payout = found.payment, found.payout
    asked = f"{money.cedis(payment.amount_pesewas)} asked for."
    paid = f"{money.cedis(payment.charged_pesewas or 0)} paid."
    told: list[tuple[datetime | None, str, str]] = [
        (payment.created_at, "waiting", asked),
        (payment.opened_at, "waiting", "Its page was opened."),
        (payment.failed_at, "stopped", "The gateway said that it failed."),
        (payment.paid_at, "done", paid),
        (payment.funded_at, "done", "It went into the wallet."),
        (found.delivered_at, "done", "Its order was delivered: the profit is earned."),
    ]
    for refund in found.refunds:
        back = money.cedis(refund.amount_pesewas)
        told.append((refund.asked_at, "moving", f"{back} is to go back."))
        told.append(
            (refund.sent_at, "moving", f"The gateway was asked to send {back} back.")
        )
        told.append((refund.ended_at, *_end_of(refund.state, back)))
    for dispute in found.disputes:
        disputed = f"{money.cedis(dispute.amount_pesewas)} disputed."
        told.append((dispute.made_at, "stopped", disputed))
        words = DISPUTE_STATES[dispute.state][1].lower()
        told.append((dispute.ended_at, "done", f"The dispute is over: {words}."))
    if payout is not None:
        told.append((payout.paid_at, "done", "The payout with its profit was paid."))
    if payment.paid_at is None:
        told.append(
            (payment.ended_at, "stopped", "It was looked at for the last time.")
        )
    happened = [(at, kind, text) for at, kind, text in told if at is not None]
    happened.sort(key=lambda one: one[0])
    return [Moment(at, "Makola", text, kind) for at, kind, text in happened]


def _end_of(state: str, back: str) -> tuple[str, str]:
    if state == "failed":
        return "stopped", f"{back} did not go back."
    if state == "returned":
        return "returned", f"{back} went back and came to us again."
    return "done", f"{back} went back."
