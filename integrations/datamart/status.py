"""Data Mart's status words and what they mean to us.

Decides the translation, here and nowhere else. What a state may do to money is left to the order.
An unknown word means "no change, and a person should look"; it never means failed.
"""

from __future__ import annotations

from dataclasses import dataclass

from integrations.ports import StatusWord
from integrations.strict_json import text

# vendor code: the order model of the published servers. vendor docs: the API page. developer API:
# the other API of the same vendor, whose words leak through a forwarding server. clients: seen in
# code of other resellers. ours: inference.
WORDS: dict[str, StatusWord] = {
    "pending": "pending",  # vendor code, docs: bought, nobody has touched it
    "created": "pending",  # vendor code: suffix of the event transaction.created
    "queued": "pending",  # developer API: bulk
    "waiting": "pending",  # developer API: needs manual approval
    "sent": "processing",  # vendor code: exported to the network's portal
    "submitted": "processing",  # vendor code: state of a portal batch
    "processing": "processing",  # vendor code: in the model, no route sets it
    "accepted": "processing",  # developer API database
    "on": "processing",  # developer API database
    "exported": "processing",  # ours
    "successful": "completed",  # vendor code, docs: perhaps a timer, so it is watched
    "success": "completed",  # clients
    "completed": "completed",  # vendor code: written by the forwarding generation
    "complete": "completed",  # clients
    "delivered": "completed",  # developer API database
    "done": "completed",  # ours
    "failed": "failed",  # vendor code, docs: soft, admins re-queue failed orders
    "error": "failed",  # clients
    "rejected": "failed",  # clients
    "cancelled": "failed",  # clients
    "canceled": "failed",  # clients
    "reversed": "refunded",  # vendor code: in the model, no route sets it
    "refunded": "refunded",  # developer API
    "refund": "refunded",  # developer API database
    "partial": "processing",  # clients: for a person
}
FOR_A_PERSON = frozenset({"partial"})


@dataclass(frozen=True)
class Meaning:
    """`word` is ours, `raw` theirs as it was written."""

    word: StatusWord
    raw: str
    needs_person: bool = False


def meaning(raw: object) -> Meaning:
    """What the supplier's record of an order says."""
    if not isinstance(raw, str):
        return Meaning("processing", "", needs_person=True)
    word = known(raw)
    shown = text(raw, 60)
    if word is None:
        return Meaning("processing", shown, needs_person=True)
    return Meaning(word, shown, raw.strip().lower() in FOR_A_PERSON)


def meaning_at_purchase(raw: object) -> Meaning:
    """What an answer to a purchase says. Accepting is not delivering.

    The forwarding generation writes `completed` there for "accepted upstream", so it reads as
    processing. A purchase that is accepted and failed at once contradicts itself: a person looks,
    and the next look-up decides.
    """
    said = meaning(raw)
    if said.word == "completed":
        return Meaning("processing", said.raw, said.needs_person)
    if said.word in ("failed", "refunded"):
        return Meaning("processing", said.raw, needs_person=True)
    return said


def known(raw: str) -> StatusWord | None:
    """Our word for theirs, or None for a word that is not in the table."""
    return WORDS.get(raw.strip().lower())
