"""Why a payment is not plainly paid, listed and settled: a table of named causes, and what becomes
of each.

Decides words and what happens. Which cause a payment has is decided in `comparing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Way = Literal["known", "itself", "ring", "ask"]
"""*known*: explained, nothing is left to do. *itself*: compared anew each day until it is gone.
*ring*: the same, and the gateway is asked about the payment, whose record decides. *ask*: a case,
one a cause and day."""


@dataclass(frozen=True)
class Cause:
    """A cause as people read it, what happens, and which kind of case asks a person."""

    name: str
    title: str
    becomes: str
    way: Way
    case: str = ""


CAUSES: dict[str, Cause] = {
    one.name: one
    for one in (
        Cause(
            "lost",
            "Paid at the gateway, reference of ours, not in our books",
            "A case: find whose it is, then give it back at the gateway.",
            "ask",
            "payments_lost",
        ),
        Cause(
            "not_there",
            "Paid by our books, unknown at the gateway",
            "A case.",
            "ask",
            "payments_unlisted",
        ),
        Cause(
            "not_paid_there",
            "Paid by our books, not paid at the gateway",
            "A case.",
            "ask",
            "payments_unlisted",
        ),
        Cause(
            "settled_unlisted",
            "In a settlement, and not in the gateway's list",
            "A case.",
            "ask",
            "payments_unlisted",
        ),
        Cause(
            "other_world",
            "Of the gateway's other world, test or live",
            "A case.",
            "ask",
            "payments_differ",
        ),
        Cause(
            "other_currency", "Another currency", "A case.", "ask", "payments_differ"
        ),
        Cause("other_amount", "Another amount", "A case.", "ask", "payments_differ"),
        Cause("other_fee", "Another fee", "A case.", "ask", "payments_differ"),
        Cause(
            "not_settled",
            "Not settled though its time is over",
            "A case.",
            "ask",
            "settlement_differs",
        ),
        Cause(
            "unheard",
            "Paid at the gateway, not seen here yet",
            "The gateway is asked about it, and its answer decides.",
            "ring",
        ),
        Cause(
            "taken_there",
            "Taken back at the gateway, not by us",
            "The gateway is asked about it; that opens a case.",
            "ring",
        ),
        Cause(
            "fee_late",
            "Its fee is known by now",
            "The gateway is asked about it, and the fee is booked.",
            "ring",
        ),
        Cause(
            "fee_unknown",
            "Its fee is not known yet",
            "Looked at again tomorrow.",
            "itself",
        ),
        Cause(
            "not_settled_yet",
            "Not settled yet",
            "Looked at again tomorrow.",
            "itself",
        ),
        Cause(
            "other_day",
            "Paid near midnight: counted on two days",
            "Nothing to do.",
            "known",
        ),
        Cause(
            "given_back", "Given back by a refund of ours", "Nothing to do.", "known"
        ),
        Cause("taken_back", "Taken back by a dispute", "Nothing to do.", "known"),
        Cause(
            "refused",
            "Unfit: not taken into our books",
            "It has a case of its own.",
            "known",
        ),
        Cause(
            "never_settled",
            "Of the test world, which settles nothing",
            "Nothing to do.",
            "known",
        ),
        Cause(
            "foreign",
            "Of another shop on the same account",
            "Left alone.",
            "known",
        ),
    )
}
"""In the order in which a person reads them: what asks first."""
