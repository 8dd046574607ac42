"""Paying out: recipients, transfers, and the code that a person may have to give.

Decides what a record of a transfer says. When a payout may be asked for again is left to who asks:
the same reference is the same payout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from integrations import http
from integrations.payment_shapes import (
    Done,
    NotFound,
    Recipient,
    RecipientRequest,
    Refused,
    Transfer,
    TransferRequest,
    TransferWord,
    Unclear,
)
from integrations.payments_port import NotDone, RecipientResult, TransferResult
from integrations.paystack import envelope, reading
from integrations.paystack.envelope import Envelope
from integrations.paystack.payments import CURRENCY
from integrations.ports import NoAnswer
from integrations.strict_json import optional_text, text

WORDS: dict[str, TransferWord] = {
    "pending": "in_transit",
    "received": "in_transit",
    "otp": "needs_owner",
    "success": "paid",
    "failed": "failed",
    "abandoned": "failed",
    "blocked": "failed",
    "rejected": "failed",
    "reversed": "reversed",
}
_REFERENCE = re.compile(r"[a-z0-9_-]{16,50}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def unfit(request: TransferRequest) -> Refused | None:
    """A refusal of our own for what must never be sent: the alphabet is not that of payments."""
    if not _REFERENCE.fullmatch(request.reference):
        return Refused(
            "invalid",
            "BAD_REFERENCE",
            "A transfer's reference has 16 to 50 of a-z 0-9 - _ only.",
        )
    if not _CODE.fullmatch(request.recipient_code):
        return Refused("recipient", "BAD_RECIPIENT", "There is no such recipient.")
    if not 0 < request.amount_pesewas <= reading.MOST_PESEWAS:
        return Refused("invalid", "BAD_AMOUNT", "A transfer is more than nothing.")
    return None


def wire(request: TransferRequest) -> dict[str, Any]:
    """The body of a transfer. Without a currency it would be one in naira."""
    return {
        "source": "balance",
        "amount": request.amount_pesewas,
        "currency": CURRENCY,
        "recipient": request.recipient_code,
        "reference": request.reference,
        "reason": request.reason,
    }


def recipient_wire(request: RecipientRequest) -> dict[str, Any]:
    return {
        "type": request.kind,
        "name": request.name,
        "account_number": request.account_number,
        "bank_code": request.bank_code,
        "currency": CURRENCY,
    }


def recipient(
    reply: http.Reply, now_s: float, request: RecipientRequest
) -> RecipientResult:
    """The recipient; for an account that was known before, the one that there was."""
    said = envelope.acted(reply, now_s)
    if not isinstance(said, Envelope):
        return said
    data = reading.one(said.data) or {}
    code = text(data.get("recipient_code"), 64)
    details = reading.member(data, "details")
    number = text(details.get("account_number"), 40)
    if not _CODE.fullmatch(code):
        return Unclear("success_without_code")
    if number != request.account_number:
        return Unclear("other_account")
    return Recipient(
        code=code,
        name=text(data.get("name"), 120),
        account_number=number,
        account_name=text(details.get("account_name"), 120),
        bank_code=text(details.get("bank_code"), 20),
        is_active=reading.flag(data.get("active")),
    )


def taken(reply: http.Reply, now_s: float, reference: str) -> TransferResult:
    """What became of a transfer. A 404 proves nothing: the request may still be looked at."""
    said = envelope.acted(reply, now_s)
    if isinstance(said, Refused) and getattr(reply, "status", None) == 404:
        return Unclear("http_404")
    if not isinstance(said, Envelope):
        return said
    found = record(reading.one(said.data) or {})
    if found is None or found.reference != reference:
        return Unclear("other_reference")
    return found


def finalised(reply: http.Reply, now_s: float, code: str) -> TransferResult:
    said = envelope.acted(reply, now_s)
    if not isinstance(said, Envelope):
        return said
    found = record(reading.one(said.data) or {})
    if found is None or found.code != code:
        return Unclear("other_transfer")
    return found


def resent(reply: http.Reply, now_s: float) -> Done | NotDone:
    said = envelope.acted(reply, now_s)
    return Done(said.message) if isinstance(said, Envelope) else said


def one(
    reply: http.Reply, now_s: float, reference: str
) -> Transfer | NotFound | NoAnswer:
    said = envelope.found(reply, now_s, reference)
    if not isinstance(said, Envelope):
        return said
    found = record(reading.one(said.data) or {})
    if found is None or found.reference != reference:
        return NoAnswer("unclear", "other_reference")
    return found


def record(row: Mapping[str, Any]) -> Transfer | None:
    """A transfer as any answer writes it; None without a reference."""
    reference = text(row.get("reference"), 60)
    if not reference:
        return None
    raw = reading.word(row)
    whom = reading.member(row, "recipient")
    return Transfer(
        reference=reference,
        gateway_id=reading.gateway_id(row.get("id")),
        code=optional_text(row.get("transfer_code"), 64),
        status=WORDS.get(raw, "in_transit"),
        raw_status=raw,
        amount_pesewas=reading.pesewas(row.get("amount")),
        currency=reading.currency(row),
        recipient_code=optional_text(whom.get("recipient_code"), 64),
        fee_pesewas=reading.pesewas(row.get("fee_charged")),
        failure_reason=_why(row),
        created_at=reading.moment(row, "createdAt", "created_at"),
        needs_person=raw not in WORDS,
    )


def _why(row: Mapping[str, Any]) -> str:
    failures = row.get("failures")
    if isinstance(failures, str) and failures:
        return text(failures)
    return text(row.get("gateway_response"))
