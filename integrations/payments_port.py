"""What Makola asks of a payment gateway: one method an act, and all that may come of it.

Decides the words between Makola and any gateway. Knows no HTTP and no database. Uncertainty is a
value here, never an exception. What acts answers with what was taken, `Refused`, `NotSent` or
`Unclear`; what only reads with what was found, `NotFound` or `NoAnswer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, Literal, Protocol, TypeVar

from integrations.payment_shapes import (
    Bank,
    ChargeRequest,
    Done,
    Holder,
    Holdings,
    LedgerLine,
    NotFound,
    Payment,
    PaymentRequest,
    Prompt,
    Recipient,
    RecipientRequest,
    Refund,
    RefundAccount,
    RefundRequest,
    Refunds,
    Refused,
    Started,
    Transfer,
    TransferRequest,
    Unclear,
)
from integrations.ports import NoAnswer, NotSent

Row = TypeVar("Row")
NotDone = Refused | NotSent | Unclear
"""What may come of an act that was not taken, or is not known to be."""

DisputeWord = Literal["needs_answer", "waiting", "pending", "resolved"]
"""`waiting`: the customer's bank has our answer. `pending`: nothing happens."""
StartResult = Started | NotDone
ChargeResult = Prompt | NotDone
RefundResult = Refund | NotDone
RecipientResult = Recipient | NotDone
TransferResult = Transfer | NotDone
PaymentResult = Payment | NotFound | NoAnswer


TOO_MANY_PAGES = "too_many_pages"
"""Why a list has no answer whose end did not come within the pages that are read."""


@dataclass(frozen=True)
class Rows(Generic[Row]):
    """Some rows of a list, in the gateway's order. `after` asks for the next ones, None at the end.
    `left_out` counts rows that could not be read."""

    rows: tuple[Row, ...]
    after: str | None = None
    left_out: int = 0


@dataclass(frozen=True)
class Span:
    """Which rows of a list: created from `since` up to `until`, with this raw status."""

    since: datetime | None = None
    until: datetime | None = None
    status: str = ""


ALL = Span()


@dataclass(frozen=True)
class Settlement:
    gateway_id: str
    raw_status: str
    currency: str
    total_pesewas: int | None
    effective_pesewas: int | None
    """What reached the bank: total less fees less deductions."""
    fees_pesewas: int | None
    deductions_pesewas: int | None
    settled_on: datetime | None


@dataclass(frozen=True)
class Dispute:
    gateway_id: str
    status: DisputeWord
    raw_status: str
    resolution: str
    category: str
    amount_pesewas: int | None
    currency: str
    payment_id: str | None
    payment_reference: str | None
    due_at: datetime | None
    resolved_at: datetime | None
    created_at: datetime | None
    needs_person: bool = False


DisputeResult = Dispute | NotFound | NoAnswer


@dataclass(frozen=True)
class Upload:
    """Where a file of evidence is to be PUT, and by which name it is named afterwards."""

    url: str
    file_name: str


@dataclass(frozen=True)
class Evidence:
    """What is said to a dispute. All but the address and the date must be there."""

    customer_email: str
    customer_name: str
    customer_phone: str
    service_details: str
    delivery_address: str = ""
    delivery_date: date | None = None


@dataclass(frozen=True)
class Resolution:
    """`accept` gives back `refund_pesewas`; `decline` sends what was uploaded and said."""

    answer: Literal["accept", "decline"]
    message: str
    refund_pesewas: int
    file_name: str
    evidence_id: str = ""


@dataclass(frozen=True)
class PaymentNews:
    """What a webhook says to look up. It moves nothing: only the answer to the look-up counts.

    `signed_by` None: it is not the gateway's, and nothing of it was read.
    """

    signed_by: Literal["current", "previous"] | None
    event: str = ""
    look_up: Literal["payment", "refunds", "transfer", "dispute", "nothing"] = "nothing"
    reference: str | None = None
    """Of the payment (also a refund's and a dispute's) or of the transfer."""
    gateway_id: str | None = None
    is_live: bool | None = None
    same_as: str = ""
    """Two webhooks with the same text here are one and the same news."""


class Payments(Protocol):
    """One account at one gateway. No method raises for what the wire does; each makes one call, is
    never repeated, and answers with a value.

    A transfer may be asked for again under its own reference, a refund never: see
    `RefundRequest`. `pending_charge` and `submit_otp` say what the customer has to do; whether
    money came says `verify` alone. `refunds_of` takes the payment's number, not its reference.
    """

    name: str

    def initialise(self, request: PaymentRequest) -> StartResult: ...
    def verify(self, reference: str) -> PaymentResult: ...
    def charge(self, request: ChargeRequest) -> ChargeResult: ...
    def submit_otp(self, reference: str, otp: str) -> ChargeResult: ...
    def pending_charge(self, reference: str) -> Prompt | NotFound | NoAnswer: ...
    def payment(self, gateway_id: str) -> PaymentResult: ...
    def payments(
        self, span: Span = ALL, after: str | None = None
    ) -> Rows[Payment] | NoAnswer: ...

    def refund(self, request: RefundRequest) -> RefundResult: ...
    def refund_again(self, gateway_id: str, account: RefundAccount) -> RefundResult: ...
    def refund_record(self, gateway_id: str) -> Refund | NotFound | NoAnswer: ...
    def refunds_of(self, payment_id: str) -> Refunds | NoAnswer: ...

    def recipient(self, request: RecipientRequest) -> RecipientResult: ...
    def transfer(self, request: TransferRequest) -> TransferResult: ...
    def verify_transfer(self, reference: str) -> Transfer | NotFound | NoAnswer: ...
    def finalise_transfer(self, transfer_code: str, otp: str) -> TransferResult: ...
    def resend_otp(self, transfer_code: str) -> Done | NotDone: ...

    def holdings(self) -> Holdings | NoAnswer: ...
    def ledger(self, page: int = 1) -> Rows[LedgerLine] | NoAnswer: ...
    def banks(self, kind: str = "mobile_money") -> Rows[Bank] | NoAnswer: ...
    def holder(
        self, account_number: str, bank_code: str
    ) -> Holder | NotFound | NoAnswer: ...

    def settlements(
        self, span: Span = ALL, page: int = 1
    ) -> Rows[Settlement] | NoAnswer: ...
    def settled_payments(
        self, settlement_id: str, page: int = 1
    ) -> Rows[Payment] | NoAnswer: ...

    def disputes(
        self, span: Span = ALL, after: str | None = None
    ) -> Rows[Dispute] | NoAnswer: ...
    def dispute(self, gateway_id: str) -> DisputeResult: ...
    def dispute_upload(self, gateway_id: str, file_name: str) -> Upload | NotDone: ...
    def dispute_evidence(self, gateway_id: str, said: Evidence) -> str | NotDone: ...
    def put_file(self, where: Upload, file: bytes) -> str | NotDone: ...
    def resolve_dispute(
        self, gateway_id: str, answer: Resolution
    ) -> Dispute | NotDone: ...

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> PaymentNews: ...
