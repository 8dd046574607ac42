"""The shapes of what is asked of a payment gateway, and of what it answers.

Decides the words of `payments_port`. Knows no HTTP and no database. Money is integer pesewas. What
the gateway numbers (`gateway_id`) is text of digits: its ids have 64 bits. Its word for a state
stands translated beside the raw one; a word that is not known is translated to the state in which
nothing happens, with `needs_person`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

PaymentWord = Literal["paid", "failed", "waiting", "reversed"]
"""`failed` is soft: a failed payment may be paid later. `reversed` was paid before."""
RefundWord = Literal["open", "done", "failed", "needs_details"]
TransferWord = Literal["in_transit", "needs_owner", "paid", "failed", "reversed"]
"""`paid` is not the end: a paid transfer may be reversed days later."""
PromptStep = Literal[
    "paid", "failed", "waiting", "approve_on_phone", "enter_otp", "open_url", "not_ours"
]
"""`not_ours`: it asks for something that only cards and banks need."""
RefusalKind = Literal[
    "credentials",
    "invalid",
    "duplicate_reference",
    "insufficient_balance",
    "already_refunded",
    "starter_business",
    "recipient",
    "wrong_state",
    "not_found",
    "other",
]


@dataclass(frozen=True)
class Refused:
    """A well-formed refusal: *this* call did nothing. It proves nothing about earlier ones."""

    kind: RefusalKind
    code: str
    message: str
    next_step: str = ""


@dataclass(frozen=True)
class Prompt:
    """What the customer has to do now. Never a proof of money: that is `verify` alone."""

    reference: str
    step: PromptStep
    raw_status: str
    text: str = ""
    """What the network wants to be said to the customer."""
    url: str | None = None


@dataclass(frozen=True)
class Unclear:
    """Sent, and no trustworthy answer: it may or may not have been done. Ask for the reference."""

    reason: str
    prompt: Prompt | None = None
    """What the answer to a charge said all the same."""


@dataclass(frozen=True)
class NotFound:
    """A well-formed "not found". One alone proves nothing about what was just sent."""

    reference: str


@dataclass(frozen=True)
class PaymentRequest:
    """What a hosted page is asked to take. `channels` as the gateway calls them."""

    reference: str
    email: str
    amount_pesewas: int
    callback_url: str
    channels: tuple[str, ...] = ("mobile_money",)
    label: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Started:
    """The page to send the customer to. Nothing gives it a second time: keep it."""

    reference: str
    url: str
    access_code: str


@dataclass(frozen=True)
class ChargeRequest:
    """A prompt on one phone. `network` is ours: mtn, telecel or at."""

    reference: str
    email: str
    amount_pesewas: int
    msisdn: str
    network: Literal["mtn", "telecel", "at"]
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Payer:
    """Who paid, as far as the gateway tells; the whole number it does not."""

    bank: str = ""
    last4: str = ""
    account_name: str = ""


@dataclass(frozen=True)
class Payment:
    """The gateway's record of a payment. `amount_pesewas` is what was charged, which may be more
    than was asked for (`requested_pesewas`); `fees_pesewas` is None while nobody knows."""

    reference: str
    gateway_id: str | None
    status: PaymentWord
    raw_status: str
    amount_pesewas: int | None
    requested_pesewas: int | None
    currency: str
    is_live: bool | None
    """None when the record does not say of which world it is."""
    fees_pesewas: int | None
    channel: str
    gateway_response: str
    paid_at: datetime | None
    created_at: datetime | None
    payer: Payer = Payer()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Decoration: it comes back in any shape, and everything but an object is empty here."""
    needs_person: bool = False


@dataclass(frozen=True)
class RefundRequest:
    """The gateway knows no repeated refund: two requests are two refunds. `note` is the only field
    of ours that comes back."""

    payment_reference: str
    amount_pesewas: int
    note: str
    customer_note: str = ""


@dataclass(frozen=True)
class RefundAccount:
    """Where to send a refund that did not reach its payer; `bank_id` as `banks` numbers it."""

    account_number: str
    bank_id: str


@dataclass(frozen=True)
class Refund:
    gateway_id: str
    status: RefundWord
    raw_status: str
    amount_pesewas: int | None
    currency: str
    payment_id: str | None
    payment_reference: str | None
    note: str
    created_at: datetime | None
    expected_at: datetime | None = None
    needs_person: bool = False


@dataclass(frozen=True)
class Refunds:
    """Every refund of one payment. `is_whole` says that none was left out."""

    rows: tuple[Refund, ...]
    is_whole: bool = True


@dataclass(frozen=True)
class RecipientRequest:
    """Whom transfers may go to. `kind`: a phone's wallet or a bank account in Ghana."""

    kind: Literal["mobile_money", "ghipss"]
    name: str
    account_number: str
    bank_code: str


@dataclass(frozen=True)
class Recipient:
    code: str
    name: str
    account_number: str
    account_name: str
    bank_code: str
    is_active: bool


@dataclass(frozen=True)
class TransferRequest:
    """One payout. The same reference again is the same payout, never a second one."""

    reference: str
    amount_pesewas: int
    recipient_code: str
    reason: str


@dataclass(frozen=True)
class Transfer:
    reference: str
    gateway_id: str | None
    code: str | None
    status: TransferWord
    raw_status: str
    amount_pesewas: int | None
    currency: str
    recipient_code: str | None
    """None in the answer to the transfer itself, which names its recipient by another number."""
    fee_pesewas: int | None = None
    failure_reason: str = ""
    created_at: datetime | None = None
    needs_person: bool = False


@dataclass(frozen=True)
class Done:
    """The gateway did as it was asked and has no more to say."""

    message: str = ""


@dataclass(frozen=True)
class Holdings:
    """What may be paid out now, in GHS."""

    balance_pesewas: int


@dataclass(frozen=True)
class LedgerLine:
    gateway_id: str
    balance_pesewas: int | None
    difference_pesewas: int | None
    reason: str
    about: str
    """Transaction, Transfer, Refund, … as the gateway says."""
    about_id: str | None
    created_at: datetime | None


@dataclass(frozen=True)
class Bank:
    gateway_id: str
    name: str
    code: str
    kind: str
    is_active: bool


@dataclass(frozen=True)
class Holder:
    """Whose account it is, by the bank's or network's own word."""

    account_number: str
    account_name: str
