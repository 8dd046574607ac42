"""A dispute of an order's payment, as its agent reads it. Answering it is the platform's."""

from __future__ import annotations

from dataclasses import dataclass

from core import disputes
from core.base import money
from core.orders import Order


@dataclass(frozen=True)
class Words:
    icon: str
    title: str
    sentence: str


_OPEN = (
    "Makola answers it. Nothing is asked of you; the payment is not refunded meanwhile."
)
_WORDS = {
    "heard": Words("waiting", "The payment is disputed", _OPEN),
    "needs_answer": Words("waiting", "The payment is disputed", _OPEN),
    "answering": Words("moving", "The payment is disputed", _OPEN),
    "sent": Words(
        "moving",
        "The payment is disputed",
        "Makola contested it. The customer’s bank decides within days.",
    ),
    "won": Words("done", "The dispute was won", "The payment stays."),
    "lost": Words("stopped", "The dispute was lost", "{} went back to who paid."),
    "accepted": Words("returned", "The payment went back", "{} went back to who paid."),
    "auto_accepted": Words(
        "returned",
        "The payment went back",
        "{} went back to who paid: the dispute was not answered in time.",
    ),
}


def words_of(order: Order) -> Words | None:
    """What the agent is told; None where nothing was disputed."""
    dispute = disputes.listing.newest_of_order(order)
    found = _WORDS.get(dispute.state) if dispute is not None else None
    if dispute is None or found is None:
        return None
    amount = money.cedis(dispute.taken_pesewas or dispute.amount_pesewas)
    return Words(found.icon, found.title, found.sentence.format(amount))
