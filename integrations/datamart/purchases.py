"""One purchase at Data Mart: what we write, and what the answer proves.

Decides between accepted, refused, certainly not bought, and unknown. Only a closed list of refusals
proves that a call bought nothing; every other answer is unknown and left to the look-up of the
reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from integrations import http
from integrations.datamart import envelope
from integrations.datamart.envelope import Envelope, Foreign
from integrations.datamart.money import is_cedis, pesewas, signed_pesewas
from integrations.datamart.status import meaning_at_purchase
from integrations.ports import (
    Accepted,
    NotSent,
    PurchaseRequest,
    Rejected,
    SubmitResult,
    Unknown,
)
from integrations.strict_json import optional_text, text

# Contract 4.5 and 4.6: these are answered before any debit. The same code is 404 for one purchase
# and 400 in bulk.
REFUSALS: dict[
    str, Literal["invalid", "catalogue", "duplicate_reference", "insufficient_balance"]
] = {
    "MISSING_CAPACITY": "invalid",
    "MISSING_PRODUCT_NAME": "invalid",
    "MISSING_BENEFICIARY": "invalid",
    "INVALID_PHONE_NUMBER": "invalid",
    "INVALID_CAPACITY_FORMAT": "catalogue",
    "PRODUCT_NOT_FOUND": "catalogue",
    "CAPACITY_NOT_AVAILABLE": "catalogue",
    "PRODUCT_LOOKUP_ERROR": "catalogue",
    "PRICING_UNAVAILABLE": "catalogue",
    "INVALID_ORDERS": "invalid",
    "EXCEEDS_LIMIT": "invalid",
    "INSUFFICIENT_BALANCE": "insufficient_balance",
    "DUPLICATE_REFERENCE": "duplicate_reference",
}

_THING = re.compile(
    r"\b(product|bundle|package|plan|offer|capacity|size|item|pricing|price)s?\b"
)
_LACKS = re.compile(
    r"\b(not|no|un\w+|in(valid|active)|disabled|discontinued|removed|deleted|paused|missing)\b"
)

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,64}")
# the supplier reads it as a search pattern: no signs, no single letter
_PRODUCT = re.compile(r"[A-Za-z0-9_ -]{2,60}")
# as listed, spaces too
_CAPACITY = re.compile(r" *[0-9]+(\.[0-9]+)? *(MB|GB) *", re.IGNORECASE | re.ASCII)
_MSISDN = re.compile(r"(?:\+233|233|0)([0-9]{9})")


def unfit(request: PurchaseRequest) -> Rejected | None:
    """A refusal of our own for what must never be sent: without a reference, for instance, the
    supplier invents one."""
    if not _REFERENCE.fullmatch(request.order_ref):
        return Rejected(
            "invalid", "BAD_REFERENCE", "The order has no reference that can be sent."
        )
    if not is_sendable_name(request.product_name):
        return Rejected(
            "catalogue",
            "BAD_PRODUCT_NAME",
            "The product name is not one of the supplier's.",
        )
    if not is_sendable_capacity(request.capacity):
        return Rejected(
            "catalogue", "BAD_CAPACITY", "The size must be text such as 5GB."
        )
    if not _MSISDN.fullmatch(request.recipient_msisdn):
        return Rejected("invalid", "BAD_RECIPIENT", "The number is not one of Ghana's.")
    return None


def is_sendable_name(product_name: str) -> bool:
    """Whether a purchase may name this product. Asked of the list too: what is not sent must not be
    sold."""
    return _PRODUCT.fullmatch(product_name) is not None


def is_sendable_capacity(capacity: str) -> bool:
    """Whether a purchase may say this size."""
    return _CAPACITY.fullmatch(capacity) is not None


def wire(request: PurchaseRequest) -> dict[str, str]:
    """The body of one purchase; call `unfit` first. No quantity, no callback: both are hazards of
    the wire."""
    return {
        "capacity": request.capacity,
        "product_name": request.product_name,
        "beneficiary_number": local_number(request.recipient_msisdn),
        "reference": request.order_ref,
    }


def local_number(msisdn: str) -> str:
    """`+233241234567` → `0241234567`, the only spelling all generations accept; anything else as it
    is."""
    match = _MSISDN.fullmatch(msisdn)
    if match:
        return f"0{match[1]}"
    return msisdn


def result(reply: http.Reply, request: PurchaseRequest) -> SubmitResult:
    """What the answer to one purchase proves."""
    said = judge(reply)
    if not isinstance(said, Envelope):
        return said
    if said.data is None:
        return Unknown("success_without_data")
    reference = said.data.get("reference")
    if not envelope.same_reference(reference, request.order_ref):
        if not envelope.names_nobody(reference, request.order_ref):
            return Unknown("other_reference")
        # then it is ours only by our number
        if not _names(said.data.get("beneficiary"), request.recipient_msisdn):
            return Unknown("no_reference")
    return accepted(said.data, request.order_ref)


def accepted(row: Mapping[str, Any], order_ref: str) -> Accepted:
    """The supplier's line about an order it took, whose reference is known to be `order_ref`."""
    said = meaning_at_purchase(row.get("status"))
    in_cedis = is_cedis(row.get("currency"))
    return Accepted(
        status=said.word,
        raw_status=said.raw,
        supplier_ref=optional_text(row.get("transaction_id"), 64),
        amount_pesewas=pesewas(row.get("amount")) if in_cedis else None,
        balance_after_pesewas=signed_pesewas(row.get("balance_after"))
        if in_cedis
        else None,
        recipient=optional_text(row.get("beneficiary"), 40),
        order_ref=order_ref,
        needs_person=said.needs_person,
    )


def judge(reply: http.Reply) -> Envelope | Rejected | NotSent | Unknown:
    """What single and bulk answers have in common; a success is handed back to be read.

    The router's own 404 is `NotSent`: it ran no handler, so nothing was bought, and the order is
    not at fault, so it is no refusal of it. The same holds for the rate limiter, which stands
    before the handlers.
    """
    if isinstance(reply, http.NotConnected):
        return NotSent(reply.reason)
    if isinstance(reply, http.Lost):
        return Unknown(reply.reason)
    answer = envelope.read(reply)
    if isinstance(answer, Envelope) and answer.success:
        if answer.is_ok:
            return answer
        return Unknown(f"http_{answer.status}_success")
    if answer.status == 429:
        return NotSent(
            "http_429", retry_after_s=envelope.retry_after(reply), rate_limited=True
        )
    if isinstance(answer, Foreign):
        return Unknown(f"http_{answer.status}_{answer.reason}")
    if answer.refuses_us:
        return Rejected(
            "credentials", answer.code or f"HTTP_{answer.status}", answer.message
        )
    if answer.is_endpoint_gone:
        return NotSent("endpoint_gone")
    if _is_known_refusal(answer):
        return refused(answer)
    return _unclear(answer)


def _is_known_refusal(answer: Envelope) -> bool:
    return 400 <= answer.status < 500 and answer.code in REFUSALS


def _unclear(answer: Envelope) -> Unknown:
    """A failure in the supplier's own words that proves nothing."""
    if answer.code == "PROVIDER_ERROR":
        # refunded there, but the network may still deliver
        return Unknown("provider_error")
    is_refusal = 400 <= answer.status < 500
    said = f"{answer.code} {answer.message}"
    return Unknown(
        f"http_{answer.status}_{answer.code or 'no_code'}",
        about_catalogue=is_refusal and speaks_of_catalogue(said),
    )


def _names(beneficiary: object, msisdn: str) -> bool:
    digits = re.sub(r"\D", "", text(beneficiary, 40))
    return len(digits) >= 9 and digits[-9:] == msisdn[-9:]


def speaks_of_catalogue(words: str) -> bool:
    """Whether a refusal says that something is not sold. Never a proof: only reason enough not to
    sell it."""
    said = re.sub(r"[\W_]+", " ", words).lower()
    return (
        bool(_THING.search(said) and _LACKS.search(said))
        or "out of stock" in said
        or "sold out" in said
    )


def refused(answer: Envelope) -> Rejected:
    """The refusal in `answer`, whose code must be in `REFUSALS`."""
    return Rejected(
        kind=REFUSALS[answer.code],
        code=answer.code,
        message=answer.message,
        required_pesewas=pesewas(answer.error.get("required_amount")),
        balance_pesewas=signed_pesewas(answer.error.get("current_balance")),
    )
