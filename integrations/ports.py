"""What Makola asks of a partner, and the shapes in which the answer comes back.

Decides the words between `fulfilment` and any supplier. Knows no HTTP and no database. Money is
integer pesewas, numbers are E.164, references are ours. Uncertainty is a value here, never an
exception: see `Unknown`, `NoAnswer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

StatusWord = Literal["pending", "processing", "completed", "failed", "refunded"]
"""A supplier's word for an order, translated. `failed` is soft: suppliers revive failed orders."""


@dataclass(frozen=True)
class PurchaseRequest:
    """One bundle for one number; name and capacity are the supplier's own words."""

    order_ref: str
    product_name: str
    capacity: str
    recipient_msisdn: str


@dataclass(frozen=True)
class Accepted:
    """The supplier has the order and answered for it."""

    status: StatusWord
    raw_status: str
    supplier_ref: str | None = None
    amount_pesewas: int | None = None
    balance_after_pesewas: int | None = None
    recipient: str | None = None
    """As the supplier echoed it; compare digits, not spelling."""
    order_ref: str | None = None
    needs_person: bool = False
    """The status word is unknown or partial: no change, and a person should look."""


@dataclass(frozen=True)
class Rejected:
    """A well-formed refusal: *this* call bought nothing. It proves nothing about earlier ones."""

    kind: Literal[
        "invalid",
        "catalogue",
        "duplicate_reference",
        "insufficient_balance",
        "credentials",
    ]
    """`catalogue`: what was to be bought is not sold, or not under this name and size."""
    code: str
    message: str
    required_pesewas: int | None = None
    balance_pesewas: int | None = None


@dataclass(frozen=True)
class NotSent:
    """Certainly nothing was bought: no connection was made, or the rate limit turned us away."""

    reason: str
    retry_after_s: float | None = None
    rate_limited: bool = False


@dataclass(frozen=True)
class Unknown:
    """Sent, and no trustworthy answer: it may or may not have been bought. Look the reference up;
    never resend.

    The reason `other_reference` says that the answer named an order that is not the one asked for.
    """

    reason: str
    about_catalogue: bool = False
    """It speaks of what is sold, in words that are not known: enough not to sell it, too little to
    prove anything."""


SubmitResult = Accepted | Rejected | NotSent | Unknown


@dataclass(frozen=True)
class Unnamed:
    """What else a record says that was asked for by our reference and does not name it: whose it is
    must be told by this."""

    product_name: str | None = None
    placed_at: datetime | None = None


@dataclass(frozen=True)
class Found:
    """The supplier's record of our reference."""

    order_ref: str
    status: StatusWord
    raw_status: str
    supplier_ref: str | None = None
    amount_pesewas: int | None = None
    recipient: str | None = None
    capacity: str | None = None
    failure_reason: str | None = None
    needs_person: bool = False
    unnamed: Unnamed | None = None
    """None when the record names our reference. Else it may be about any order: see
    `fulfilment.buying.interpret.is_about`."""


@dataclass(frozen=True)
class Absent:
    """A well-formed "not found" for this reference. One alone proves nothing."""

    order_ref: str


@dataclass(frozen=True)
class NoAnswer:
    """No information. `kind` says why, so that the caller may wait, alarm or use another road.

    The reasons `other_reference` and `not_found_of_other_reference` say that the answer named
    another reference.
    """

    kind: Literal[
        "unclear",
        "endpoint_gone",
        "rate_limited",
        "credentials",
        "unreachable",
        "broken",
    ]
    reason: str
    retry_after_s: float | None = None


LookupResult = Found | Absent | NoAnswer


@dataclass(frozen=True)
class Balance:
    """What our wallet holds, which may be below zero. `said` is the figure in cedis with every
    digit as it was sent."""

    balance_pesewas: int
    said: str = field(default="", compare=False)


@dataclass(frozen=True)
class Offer:
    """One product the supplier sells us. `cost_pesewas` is the price of our role, `capacity` the
    size as it is listed."""

    product_code: str
    product_name: str
    capacity: str
    mb: int
    validity: str
    cost_pesewas: int
    network: Literal["mtn", "telecel", "at"]


@dataclass(frozen=True)
class LeftOut:
    """A product of the supplier's list that is not offered: its name there, and why."""

    product: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The supplier's whole list: what it sells us, and what was left out of it."""

    offers: tuple[Offer, ...]
    left_out: tuple[LeftOut, ...] = ()
    missing: int = 0
    """By its own count the list has so many products more than came."""


@dataclass(frozen=True)
class Account:
    name: str
    role: str
    status: str
    balance_pesewas: int | None
    request_count: int | None
    webhook_url: str
    signature_enabled: bool | None
    supported_networks: tuple[str, ...] = ()


@dataclass(frozen=True)
class CapacityLine:
    """One size and the products that have it, as `GET /v1/capacities` groups them."""

    capacity: str
    products: tuple[tuple[str, str, int], ...]
    """(product name, validity, cost in pesewas)"""


@dataclass(frozen=True)
class TransactionRow:
    order_ref: str
    raw_status: str
    status: StatusWord
    amount_pesewas: int | None
    recipient: str | None
    capacity: str | None
    created_at: datetime | None


@dataclass(frozen=True)
class BulkLine:
    order_ref: str
    result: SubmitResult


@dataclass(frozen=True)
class BulkResult:
    """One envelope of several purchases. A line the answer does not name is `Unknown`."""

    lines: tuple[BulkLine, ...]
    balance_after_pesewas: int | None = None


@dataclass(frozen=True)
class WebhookNews:
    """What a webhook body says, which is a hint and no proof. All fields may be missing."""

    event: str
    order_ref: str | None
    status: StatusWord | None
    raw_status: str | None
    verified_by: str | None
    """The verification mode that held, or None. An unverified body only rings."""


@dataclass(frozen=True)
class CallRecord:
    """One request and its answer, secrets and numbers already masked, bodies cut to 8 KiB."""

    supplier: str
    endpoint: str
    """The name of the call: purchase, bulk, status, balance, products, ..."""
    method: str
    path: str
    order_refs: tuple[str, ...]
    request_body: str
    http_status: int | None
    response_body: str
    outcome: str
    """One word for the reader: ok, refused, not_sent, unknown, no_answer. A call cut short is
    unknown."""
    started_at: datetime
    duration_ms: int
    note: str = ""
    """What else the reader should know: why no answer came, which products of a list were left
    out."""


OnCall = Callable[[CallRecord], None]


class Supplier(Protocol):
    """One account at one supplier. No method raises for what the wire does; each answers with a
    value.

    `submit_bulk` is one call, never repeated. A line is `NotSent` for `batch_refused` when another
    line had the whole batch refused, `bulk_moved` when the endpoint is elsewhere and the next call
    goes there, `no_bulk` when there is none. An empty `transactions` is no information.
    `set_webhook`: True when the supplier's own test event arrived, False when the address is saved
    only. `test_webhook`: True when an event was sent off, False when no address is set.
    """

    name: str

    def submit(self, request: PurchaseRequest) -> SubmitResult: ...
    def submit_bulk(
        self, requests: Sequence[PurchaseRequest], bulk_ref: str
    ) -> BulkResult: ...
    def status(self, order_ref: str) -> LookupResult: ...
    def balance(self) -> Balance | NoAnswer: ...
    def offers(self) -> Listing | NoAnswer: ...
    def capacities(self) -> tuple[CapacityLine, ...] | NoAnswer: ...
    def account(self) -> Account | NoAnswer: ...
    def transactions(
        self, page: int = 1, limit: int = 20
    ) -> tuple[TransactionRow, ...] | NoAnswer: ...
    def statistics(self, period: str = "7days") -> Mapping[str, Any] | NoAnswer: ...
    def set_webhook(self, url: str) -> bool | NoAnswer: ...
    def test_webhook(self) -> bool | NoAnswer: ...
    def read_event(self, body: bytes, headers: Mapping[str, str]) -> WebhookNews: ...
