"""What the gateway's own record of a dispute means: whether it fits, and how it ended.

Nothing else moves money. That it took some is believed when the dispute's record and the payment's
both say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from core.disputes import deadline

PaymentIs = Literal["paid", "failed", "waiting", "reversed"]
End = Literal["won", "lost", "accepted", "auto_accepted"]
LONGEST = timedelta(days=60)
"""A deadline later than this is a slip of the wire: ours counts."""


class Record(Protocol):
    """A dispute as the gateway tells it; `integrations.payments_port.Dispute` fits."""

    @property
    def gateway_id(self) -> str: ...
    @property
    def status(self) -> Literal["needs_answer", "waiting", "pending", "resolved"]: ...
    @property
    def raw_status(self) -> str: ...
    @property
    def resolution(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def amount_pesewas(self) -> int | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def payment_reference(self) -> str | None: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def resolved_at(self) -> datetime | None: ...
    @property
    def created_at(self) -> datetime | None: ...
    @property
    def needs_person(self) -> bool: ...


@dataclass(frozen=True)
class About:
    """What is known here of the payment that a dispute is about."""

    reference: str
    charged_pesewas: int
    is_refunded_by_us: bool
    """Then a payment that was taken back proves nothing about a dispute."""
    was_contested: bool


def misfit(said: Record, about: About) -> str:
    """Why a record cannot be of this payment, in a sentence; empty when it can."""
    if said.payment_reference not in (None, about.reference):
        return f"It is of another payment: {said.payment_reference}."
    if said.currency != "GHS":
        return f"It is in {said.currency or 'no currency'}, not in GHS."
    if not said.amount_pesewas or said.amount_pesewas < 0:
        return "It names no amount."
    if said.amount_pesewas > about.charged_pesewas:
        return "It is of more than was paid."
    if said.needs_person:
        return f"Nobody here knows the word {said.raw_status or 'nothing'}."
    return ""


@dataclass(frozen=True)
class Held:
    """A record by which a person goes though it does not fit: of the payment, in its currency, and
    of no more than was paid."""

    gateway_id: str
    status: Literal["needs_answer", "waiting", "pending", "resolved"]
    raw_status: str
    resolution: str
    category: str
    amount_pesewas: int | None
    currency: str
    payment_reference: str | None
    due_at: datetime | None
    resolved_at: datetime | None
    created_at: datetime | None
    needs_person: bool


def is_of_another(said: Record, about: About) -> bool:
    """Whether the gateway's word is that it is of another payment."""
    return said.payment_reference not in (None, about.reference)


def held(said: Record, about: About) -> Record | None:
    """The gateway's word by which a person goes. Amounts that cannot be of the payment are all of
    it. None: it is of another payment, or nobody knows the word."""
    if not misfit(said, about):
        return said
    if is_of_another(said, about) or said.needs_person:
        return None
    named = said.amount_pesewas or 0
    fits = said.currency == "GHS" and 0 < named <= about.charged_pesewas
    return Held(
        said.gateway_id,
        said.status,
        said.raw_status,
        said.resolution,
        said.category,
        named if fits else about.charged_pesewas,
        "GHS",
        about.reference,
        said.due_at,
        said.resolved_at,
        said.created_at,
        needs_person=False,
    )


def end_of(
    said: Record, payment: PaymentIs, about: About, *, word_holds: bool = False
) -> End | None:
    """How a resolved dispute ended. None: what was taken is not seen at the payment yet, or nobody
    can tell. With `word_holds` a person goes by the dispute's own word, whatever the payment's
    is."""
    is_back = payment == "reversed"
    if said.resolution in ("auto-accepted", "merchant-accepted"):
        is_whole = said.amount_pesewas == about.charged_pesewas
        if not is_back and is_whole and not word_holds:
            return None
        if said.resolution == "auto-accepted":
            return "auto_accepted"
        return "lost" if about.was_contested else "accepted"
    if is_back and not about.is_refunded_by_us:
        return "lost"
    is_settled = word_holds or payment in ("paid", "reversed")
    return "won" if said.resolution == "declined" and is_settled else None


def due_of(said: Record, heard_at: datetime, hours: float) -> datetime:
    """Until when it is to be answered: as the gateway says, else so many working hours from its
    beginning."""
    begun = said.created_at or heard_at
    if said.due_at is not None and timedelta(0) <= said.due_at - begun <= LONGEST:
        return said.due_at
    return deadline.due_at(begun, hours)
