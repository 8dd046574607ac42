"""Taking money: what is written for a payment or a prompt, and what their answers say.

Decides what a record of a payment says. Whether it is the payment that was asked for (amount,
currency, world) is left to others, who know what they asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from integrations import http
from integrations.payment_shapes import (
    ChargeRequest,
    NotFound,
    Payer,
    Payment,
    PaymentRequest,
    PaymentWord,
    Prompt,
    PromptStep,
    Refused,
    Started,
    Unclear,
)
from integrations.payments_port import ChargeResult, NotDone, PaymentResult, Rows
from integrations.paystack import envelope, reading
from integrations.paystack.addresses import Addresses
from integrations.paystack.envelope import Envelope
from integrations.ports import NoAnswer
from integrations.strict_json import text

LEAST_PESEWAS = 10
CURRENCY = "GHS"
PROVIDERS = {"mtn": "mtn", "telecel": "vod", "at": "atl"}
WORDS: dict[str, PaymentWord] = {
    "success": "paid",
    "failed": "failed",
    "reversed": "reversed",
    "abandoned": "waiting",  # before the customer has seen the page, too
    "ongoing": "waiting",
    "pending": "waiting",
    "processing": "waiting",
    "queued": "waiting",
}
STEPS: dict[str, PromptStep] = {
    "success": "paid",
    "failed": "failed",
    "timeout": "failed",
    "pay_offline": "approve_on_phone",
    "send_otp": "enter_otp",
    "open_url": "open_url",
    "send_pin": "not_ours",
    "send_phone": "not_ours",
    "send_birthday": "not_ours",
    "send_address": "not_ours",
}
_REFERENCE = re.compile(r"[A-Za-z0-9.=-]{1,100}", re.ASCII)
_EMAIL = re.compile(r"[^\s@\x00-\x1f]{1,64}@[^\s@\x00-\x1f]{1,190}")
_MSISDN = re.compile(r"\+233([0-9]{9})", re.ASCII)


def unfit(request: PaymentRequest | ChargeRequest) -> Refused | None:
    """A refusal of our own for what must never be sent."""
    if not is_reference(request.reference):
        return _bad("BAD_REFERENCE", "A reference has letters, digits and - . = only.")
    if not _EMAIL.fullmatch(request.email):
        return _bad("BAD_EMAIL", "Every payment needs an e-mail address.")
    if not LEAST_PESEWAS <= request.amount_pesewas <= reading.MOST_PESEWAS:
        return _bad("BAD_AMOUNT", f"The least that can be paid is {LEAST_PESEWAS} Gp.")
    if isinstance(request, ChargeRequest) and not _MSISDN.fullmatch(request.msisdn):
        return _bad("BAD_NUMBER", "The number is not one of Ghana's.")
    return None


def is_reference(reference: str) -> bool:
    """Whether it can be a payment's; `..` could walk an address."""
    return bool(_REFERENCE.fullmatch(reference)) and reference.strip(".") != ""


def page_wire(request: PaymentRequest) -> dict[str, Any]:
    """The body that asks for a hosted page; call `unfit` first."""
    body: dict[str, Any] = {
        "email": request.email,
        "amount": request.amount_pesewas,
        "currency": CURRENCY,
        "reference": request.reference,
        "callback_url": request.callback_url,
        "channels": list(request.channels),
        "metadata": json.dumps(dict(request.metadata), separators=(",", ":")),
    }
    if request.label:
        body["label"] = request.label
    return body


def prompt_wire(request: ChargeRequest) -> dict[str, Any]:
    """The body that asks for a prompt on a phone; call `unfit` first."""
    return {
        "email": request.email,
        "amount": request.amount_pesewas,
        "currency": CURRENCY,
        "reference": request.reference,
        "metadata": json.dumps(dict(request.metadata), separators=(",", ":")),
        "mobile_money": {
            "phone": f"0{request.msisdn.removeprefix('+233')}",
            "provider": PROVIDERS[request.network],
        },
    }


def started(
    reply: http.Reply, now_s: float, reference: str, addresses: Addresses
) -> Started | NotDone:
    """The page that was made for this reference, or what became of the wish."""
    said = envelope.acted(reply, now_s)
    if not isinstance(said, Envelope):
        return said
    data = reading.one(said.data) or {}
    url = text(data.get("authorization_url"), 2000)
    code = text(data.get("access_code"), 100)
    if data.get("reference") != reference:
        return Unclear("other_reference")
    if not code or not addresses.may_lead_to(url):
        return Unclear("no_page")
    return Started(reference, url, code)


def payment(reply: http.Reply, now_s: float, reference: str) -> PaymentResult:
    """The record of the payment with this reference."""
    said = _record(reply, now_s, reference)
    if isinstance(said, Payment) and said.reference != reference:
        return NoAnswer("unclear", "other_reference")
    return said


def payment_by_id(reply: http.Reply, now_s: float, gateway_id: str) -> PaymentResult:
    said = _record(reply, now_s, gateway_id)
    if isinstance(said, Payment) and said.gateway_id != gateway_id:
        return NoAnswer("unclear", "other_payment")
    return said


def rows(reply: http.Reply, now_s: float) -> Rows[Payment] | NoAnswer:
    """One part of a list of payments."""
    said = envelope.listed(reply, now_s)
    if isinstance(said, NoAnswer):
        return said
    read = [record(row) for row in said.data if isinstance(row, dict)]
    kept = tuple(row for row in read if row is not None)
    return Rows(kept, reading.after(said.meta), len(said.data) - len(kept))


def record(row: Mapping[str, Any]) -> Payment | None:
    """A payment as verify, a list or a webhook writes it; None without a reference."""
    reference = row.get("reference")
    if not isinstance(reference, str) or not reference:
        return None
    raw = reading.word(row)
    payer = reading.member(row, "authorization")
    metadata = row.get("metadata")
    return Payment(
        reference=text(reference, 100),
        gateway_id=reading.gateway_id(row.get("id")),
        status=WORDS.get(raw, "waiting"),
        raw_status=raw,
        amount_pesewas=reading.pesewas(row.get("amount")),
        requested_pesewas=reading.pesewas(row.get("requested_amount")),
        currency=reading.currency(row),
        is_live=reading.is_live(row),
        fees_pesewas=reading.pesewas(row.get("fees")),
        channel=text(row.get("channel"), 40),
        gateway_response=text(row.get("gateway_response")),
        paid_at=reading.moment(row, "paid_at", "paidAt"),
        created_at=reading.moment(row, "created_at", "createdAt", "transaction_date"),
        payer=Payer(
            text(payer.get("bank"), 60),
            text(payer.get("last4"), 8),
            text(payer.get("account_name"), 120),
        ),
        metadata=metadata if isinstance(metadata, dict) else {},
        needs_person=raw not in WORDS,
    )


def charged(
    reply: http.Reply, now_s: float, reference: str, *, of_otp: bool = False
) -> ChargeResult:
    """What the customer has to do now. A refusal that comes with `data` was worked on: for a code
    that was wrong it says that the charge is dead, for a new charge it proves nothing."""
    said = envelope.acted(reply, now_s)
    if isinstance(said, Envelope):
        prompt = _prompt(said, reference)
        return prompt or Unclear("other_reference")
    answer = envelope.read(reply) if isinstance(reply, http.Answer) else None
    if not isinstance(said, Refused) or not isinstance(answer, Envelope):
        return said
    if said.kind in ("credentials", "duplicate_reference"):
        return said
    if not reading.one(answer.data):
        return said
    prompt = _prompt(answer, reference)
    if prompt is not None and of_otp and prompt.step == "failed":
        return prompt
    return Unclear(f"http_{answer.http_status}_with_data", prompt)


def pending(
    reply: http.Reply, now_s: float, reference: str
) -> Prompt | NotFound | NoAnswer:
    said = envelope.found(reply, now_s, reference)
    if not isinstance(said, Envelope):
        return said
    return _prompt(said, reference) or NoAnswer("unclear", "other_reference")


def _record(reply: http.Reply, now_s: float, asked: str) -> PaymentResult:
    said = envelope.found(reply, now_s, asked)
    if not isinstance(said, Envelope):
        return said
    row = reading.one(said.data)
    if row is None:
        return NoAnswer("unclear", "success_without_data")
    return record(row) or NoAnswer("unclear", "no_reference")


def _prompt(said: Envelope, reference: str) -> Prompt | None:
    """What `data` says of the charge, or None when it is not about this one."""
    data = reading.one(said.data) or {}
    if data.get("reference") != reference:
        return None
    raw = reading.word(data)
    url = text(data.get("url"), 2000)
    return Prompt(
        reference=reference,
        step=STEPS.get(raw, "waiting"),
        raw_status=raw,
        text=text(data.get("display_text") or data.get("message"), 300),
        url=url if re.match(r"https?://[!-~]+\Z", url) else None,
    )


def _bad(code: str, message: str) -> Refused:
    return Refused("invalid", code, message)
