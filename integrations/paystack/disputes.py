"""Disputes: what they say, where evidence goes, and how one is answered.

Decides what a record of a dispute says. Whether to accept or contest is a person's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from integrations import http
from integrations.payment_shapes import Refused, Unclear
from integrations.payments_port import (
    Dispute,
    DisputeResult,
    DisputeWord,
    Evidence,
    NotDone,
    Resolution,
    Rows,
    Upload,
)
from integrations.paystack import envelope, reading
from integrations.paystack.addresses import Addresses
from integrations.paystack.envelope import Envelope
from integrations.ports import NoAnswer, NotSent
from integrations.strict_json import text

WORDS: dict[str, DisputeWord] = {
    "awaiting-merchant-feedback": "needs_answer",
    "awaiting-bank-feedback": "waiting",
    "pending": "pending",
    "resolved": "resolved",
    "archived": "resolved",
}
_ANSWERS = {"accept": "merchant-accepted", "decline": "declined"}
_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", re.ASCII)


def unfit_file(file_name: str) -> Refused | None:
    if not _FILE.fullmatch(file_name):
        return Refused(
            "invalid", "BAD_FILE", "A file's name has letters, digits, . _ -."
        )
    return None


def unfit_evidence(said: Evidence) -> Refused | None:
    needed = (
        said.customer_email,
        said.customer_name,
        said.customer_phone,
        said.service_details,
    )
    if not all(value.strip() for value in needed):
        return Refused(
            "invalid", "BAD_EVIDENCE", "Evidence names customer and service."
        )
    return None


def unfit_answer(answer: Resolution) -> Refused | None:
    if not 0 <= answer.refund_pesewas <= reading.MOST_PESEWAS:
        return Refused("invalid", "BAD_AMOUNT", "Nothing less than nothing goes back.")
    return None


def evidence_wire(said: Evidence) -> dict[str, Any]:
    body = {
        "customer_email": said.customer_email,
        "customer_name": said.customer_name,
        "customer_phone": said.customer_phone,
        "service_details": said.service_details,
    }
    if said.delivery_address:
        body["delivery_address"] = said.delivery_address
    if said.delivery_date is not None:
        body["delivery_date"] = said.delivery_date.isoformat()
    return body


def answer_wire(answer: Resolution) -> dict[str, Any]:
    body: dict[str, Any] = {
        "resolution": _ANSWERS[answer.answer],
        "message": answer.message,
        "refund_amount": answer.refund_pesewas,
        "uploaded_filename": answer.file_name,
    }
    if answer.evidence_id:
        body["evidence"] = answer.evidence_id
    return body


def one(reply: http.Reply, now_s: float, gateway_id: str) -> DisputeResult:
    said = envelope.found(reply, now_s, gateway_id)
    if not isinstance(said, Envelope):
        return said
    found = record(reading.one(said.data) or {})
    if found is None or found.gateway_id != gateway_id:
        return NoAnswer("unclear", "other_dispute")
    return found


def rows(reply: http.Reply, now_s: float) -> Rows[Dispute] | NoAnswer:
    said = envelope.listed(reply, now_s)
    if isinstance(said, NoAnswer):
        return said
    found = [record(row) for row in said.data if isinstance(row, dict)]
    kept = tuple(row for row in found if row is not None)
    return Rows(kept, reading.after(said.meta), len(said.data) - len(kept))


def upload(reply: http.Reply, now_s: float, addresses: Addresses) -> Upload | NotDone:
    said = envelope.acted(reply, now_s)
    if not isinstance(said, Envelope):
        return said
    data = reading.one(said.data) or {}
    url = text(data.get("signedUrl"), 4000)
    name = text(data.get("fileName"), 200)
    if not name or not addresses.may_take_files(url):
        return Unclear("no_address_for_files")
    return Upload(url, name)


def put(reply: http.Reply, file_name: str) -> str | NotDone:
    """What came of a file that was put where evidence goes; its store says nothing in words."""
    if isinstance(reply, http.NotConnected):
        return NotSent(reply.reason)
    if isinstance(reply, http.Answer) and 200 <= reply.status < 300:
        return file_name
    return Unclear("file_not_taken")


def evidence(reply: http.Reply, now_s: float) -> str | NotDone:
    said = envelope.acted(reply, now_s)
    if not isinstance(said, Envelope):
        return said
    found = reading.gateway_id((reading.one(said.data) or {}).get("id"))
    return found or Unclear("success_without_id")


def resolved(reply: http.Reply, now_s: float, gateway_id: str) -> Dispute | NotDone:
    said = envelope.acted(reply, now_s)
    if not isinstance(said, Envelope):
        return said
    found = record(reading.one(said.data) or {})
    if found is None or found.gateway_id != gateway_id:
        return Unclear("other_dispute")
    return found


def record(row: Mapping[str, Any]) -> Dispute | None:
    """A dispute as any answer writes it; its own `transaction_reference` is always empty."""
    gateway_id = reading.gateway_id(row.get("id"))
    if gateway_id is None:
        return None
    raw = reading.word(row)
    payment = reading.member(row, "transaction")
    return Dispute(
        gateway_id=gateway_id,
        status=WORDS.get(raw, "pending"),
        raw_status=raw,
        resolution=reading.word(row, "resolution"),
        category=text(row.get("category"), 40),
        amount_pesewas=reading.pesewas(row.get("refund_amount")),
        currency=reading.currency(row),
        payment_id=reading.gateway_id(payment.get("id")),
        payment_reference=text(payment.get("reference"), 100) or None,
        due_at=reading.moment(row, "dueAt", "due_at"),
        resolved_at=reading.moment(row, "resolvedAt", "resolved_at"),
        created_at=reading.moment(row, "createdAt", "created_at"),
        needs_person=raw not in WORDS,
    )
