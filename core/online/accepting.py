"""Whether a payment that the gateway knows is the one that was asked for: one pure rule, of what we
asked and what the gateway's own record says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CURRENCY = "GHS"
Word = Literal["paid", "failed", "waiting", "reversed"]
Verdict = Literal[
    "accept",
    "known",
    "wait",
    "failed",
    "late",
    "double",
    "short",
    "unfit",
    "reversed",
    "unreadable",
]
"""*accept*: it pays its order. *known*: booked before. *late*, *double*, *short*: money came in
that pays nothing. *unfit*: of another currency or world, so that none came in. *unreadable*: a
person looks."""


@dataclass(frozen=True)
class Verified:
    """The gateway's record of a payment, as it was looked up. Amounts in pesewas; `mode` None when
    it does not say of which world it is."""

    reference: str
    word: Word
    raw_word: str
    currency: str
    mode: str | None
    charged_pesewas: int | None
    requested_pesewas: int | None
    fees_pesewas: int | None
    gateway_id: int | None = None
    channel: str = ""
    reason: str = ""
    """The gateway's sentence, why it failed."""
    is_odd: bool = False
    """It used a word for its state that nobody has seen."""


@dataclass(frozen=True)
class Asked:
    """What an attempt asked for, and how its order stands."""

    reference: str
    mode: str
    amount_pesewas: int
    is_paid: bool
    """Whether this very attempt is in the books."""
    awaits: bool
    """Whether its order waits for a payment."""
    is_paid_by_other: bool


def judge(asked: Asked, found: Verified) -> Verdict:
    """What becomes of an attempt by a record that was looked up. All of the rule, or a person."""
    if found.reference != asked.reference or found.is_odd:
        return "unreadable"
    if found.word != "paid":
        return _NOT_PAID[found.word]
    if asked.is_paid:
        return "known"
    return _trouble(asked, found) or _use(asked)


def _trouble(asked: Asked, found: Verified) -> Verdict | None:
    """What keeps money that was paid from being what was asked for."""
    if found.currency != CURRENCY or found.mode != asked.mode:
        return "unfit"
    if not found.charged_pesewas:
        return "unreadable"
    requested = found.requested_pesewas
    if requested is None:
        requested = found.charged_pesewas
    is_whole = found.charged_pesewas >= asked.amount_pesewas
    return None if requested == asked.amount_pesewas and is_whole else "short"


def _use(asked: Asked) -> Verdict:
    """What whole money is good for, by how the order stands."""
    if asked.is_paid_by_other:
        return "double"
    return "accept" if asked.awaits else "late"


_NOT_PAID: dict[Word, Verdict] = {
    "waiting": "wait",
    "failed": "failed",
    "reversed": "reversed",
}
