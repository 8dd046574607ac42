"""Giving money back: what is written, and what answers and lists say of refunds.

Decides what a record of a refund says. That there is no second refund is left to who asks: the wire
knows no repeated one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from integrations import http
from integrations.payment_shapes import (
    NotFound,
    Refund,
    RefundAccount,
    RefundRequest,
    Refunds,
    RefundWord,
    Refused,
    Unclear,
)
from integrations.payments_port import RefundResult
from integrations.paystack import envelope, reading
from integrations.paystack.envelope import Envelope
from integrations.paystack.payments import CURRENCY, is_reference
from integrations.ports import NoAnswer
from integrations.strict_json import text

WORDS: dict[str, RefundWord] = {
    "pending": "open",
    "processing": "open",
    "processed": "done",
    "failed": "failed",
    "needs-attention": "needs_details",
}
PAGE = 100


def unfit(request: RefundRequest) -> Refused | None:
    if not is_reference(request.payment_reference):
        return Refused("invalid", "BAD_REFERENCE", "No payment has this reference.")
    if not 0 < request.amount_pesewas <= reading.MOST_PESEWAS:
        return Refused("invalid", "BAD_AMOUNT", "A refund is more than nothing.")
    return None


def unfit_account(account: RefundAccount) -> Refused | None:
    if not re.fullmatch(r"[0-9]{8,20}", account.account_number, re.ASCII):
        return Refused("invalid", "BAD_NUMBER", "An account number has digits only.")
    if reading.gateway_id(account.bank_id) is None:
        return Refused("invalid", "BAD_BANK", "A bank is named by its number.")
    return None


def wire(request: RefundRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "transaction": request.payment_reference,
        "amount": request.amount_pesewas,
        "currency": CURRENCY,
        "merchant_note": request.note,
    }
    if request.customer_note:
        body["customer_note"] = request.customer_note
    return body


def account_wire(account: RefundAccount) -> dict[str, Any]:
    return {
        "refund_account_details": {
            "currency": CURRENCY,
            "account_number": account.account_number,
            "bank_id": account.bank_id,
        }
    }


def taken(reply: http.Reply, now_s: float, request: RefundRequest) -> RefundResult:
    """The refund that this request made. One that cannot be told from another's is `Unclear`."""
    said = envelope.acted(reply, now_s)
    if not isinstance(said, Envelope):
        return said
    refund = record(reading.one(said.data) or {})
    if refund is None:
        return Unclear("success_without_id")
    if refund.payment_reference not in (None, request.payment_reference):
        return Unclear("other_payment")
    if refund.amount_pesewas not in (None, request.amount_pesewas):
        return Unclear("other_amount")
    return refund


def again(reply: http.Reply, now_s: float, gateway_id: str) -> RefundResult:
    said = envelope.acted(reply, now_s)
    if not isinstance(said, Envelope):
        return said
    refund = record(reading.one(said.data) or {})
    if refund is None or refund.gateway_id != gateway_id:
        return Unclear("other_refund")
    return refund


def one(
    reply: http.Reply, now_s: float, gateway_id: str
) -> Refund | NotFound | NoAnswer:
    said = envelope.found(reply, now_s, gateway_id)
    if not isinstance(said, Envelope):
        return said
    refund = record(reading.one(said.data) or {})
    if refund is None or refund.gateway_id != gateway_id:
        return NoAnswer("unclear", "other_refund")
    return refund


def of_payment(reply: http.Reply, now_s: float, payment_id: str) -> Refunds | NoAnswer:
    """The refunds of one payment. Rows that name another are left out; a row that cannot be read,
    or a list longer than a page, makes the list not whole."""
    said = envelope.listed(reply, now_s)
    if isinstance(said, NoAnswer):
        return said
    read = [record(row) for row in said.data if isinstance(row, dict)]
    kept = tuple(row for row in read if row is not None)
    total = reading.pesewas(said.meta.get("total"))
    counted = len(said.data) < PAGE if total is None else total <= len(said.data)
    return Refunds(
        tuple(row for row in kept if row.payment_id in (None, payment_id)),
        is_whole=counted and len(kept) == len(said.data),
    )


def record(row: Mapping[str, Any]) -> Refund | None:
    """A refund as an answer or a list writes it; None without an id."""
    gateway_id = reading.gateway_id(row.get("id"))
    if gateway_id is None:
        return None
    raw = reading.word(row).replace("_", "-")
    payment = reading.member(row, "transaction")
    named = payment.get("reference") or row.get("transaction_reference")
    payment_id = payment.get("id") if payment else row.get("transaction")
    return Refund(
        gateway_id=gateway_id,
        status=WORDS.get(raw, "open"),
        raw_status=raw,
        amount_pesewas=reading.pesewas(row.get("amount")),
        currency=reading.currency(row),
        payment_id=reading.gateway_id(payment_id),
        payment_reference=text(named, 100) or None,
        note=text(row.get("merchant_note")),
        created_at=reading.moment(row, "createdAt", "created_at"),
        expected_at=reading.moment(row, "expected_at", "expectedAt"),
        needs_person=raw not in WORDS,
    )
