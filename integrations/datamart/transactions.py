"""Data Mart's records of orders: the look-up by our reference, and the list.

Decides when an answer is about our order and when "not found" is a statement of the supplier. How
often absence must be seen before it is believed is left to fulfilment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from integrations import http
from integrations.datamart import envelope
from integrations.datamart.envelope import Envelope
from integrations.datamart.money import is_cedis, pesewas
from integrations.datamart.status import meaning
from integrations.ports import (
    Absent,
    Found,
    LookupResult,
    NoAnswer,
    TransactionRow,
    Unnamed,
)
from integrations.strict_json import optional_text, text

NOT_FOUND = "TRANSACTION_NOT_FOUND"


def lookup(reply: http.Reply, order_ref: str) -> LookupResult:
    """What the answer to a look-up of `order_ref` says about it."""
    answer = envelope.read(reply) if isinstance(reply, http.Answer) else None
    if not isinstance(answer, Envelope):
        return envelope.no_answer(reply)
    if answer.status == 404 and not answer.success and answer.code == NOT_FOUND:
        return _not_found(answer.error.get("reference"), order_ref)
    if not answer.is_ok or answer.data is None:
        return envelope.no_answer(reply)
    return _record(answer.data, order_ref)


def _not_found(named: object, order_ref: str) -> Absent | NoAnswer:
    """A statement of the supplier when it names our reference or none."""
    if named in (None, "") or envelope.same_reference(named, order_ref):
        return Absent(order_ref)
    if envelope.names_nobody(named, order_ref):
        return NoAnswer("unclear", "no_reference")
    return NoAnswer("unclear", "not_found_of_other_reference")


def _record(record: Mapping[str, Any], order_ref: str) -> Found | NoAnswer:
    named = record.get("reference")
    if envelope.same_reference(named, order_ref):
        return _found(record, order_ref)
    if not envelope.names_nobody(named, order_ref):
        return NoAnswer("unclear", "other_reference")
    if not isinstance(record.get("status"), str):
        return NoAnswer("unclear", "no_reference")
    return replace(_found(record, order_ref), unnamed=_unnamed(record))


def _found(record: Mapping[str, Any], order_ref: str) -> Found:
    said = meaning(record.get("status"))
    product = record.get("product")
    # flat in the older generation and the other APIs
    product = product if isinstance(product, dict) else record
    return Found(
        order_ref=order_ref,
        status=said.word,
        raw_status=said.raw,
        supplier_ref=optional_text(record.get("transaction_id"), 64),
        amount_pesewas=pesewas(record.get("amount"))
        if is_cedis(record.get("currency"))
        else None,
        recipient=optional_text(record.get("beneficiary"), 40),
        capacity=optional_text(product.get("capacity"), 40),
        # An old reason lingers on the wire after a failed order was queued again.
        failure_reason=optional_text(record.get("failure_reason"))
        if said.word == "failed"
        else None,
        needs_person=said.needs_person,
    )


def _unnamed(record: Mapping[str, Any]) -> Unnamed:
    product = record.get("product")
    name = product.get("name") if isinstance(product, dict) else None
    return Unnamed(optional_text(name, 60), _moment(record.get("created_at")))


def rows(reply: http.Reply, notes: list[str]) -> tuple[TransactionRow, ...] | NoAnswer:
    """The list. An empty one is no information: the published server answers it to everybody."""
    data = envelope.data_or_no_answer(reply)
    if isinstance(data, NoAnswer):
        return data
    listed = data.get("transactions")
    if not isinstance(listed, list):
        return NoAnswer("unclear", "no list of transactions")
    found = [
        _row(entry)
        for entry in listed
        if isinstance(entry, dict) and optional_text(entry.get("reference"))
    ]
    if len(found) < len(listed):
        notes.append(f"{len(listed) - len(found)} rows without a reference left out")
    return tuple(found)


def _row(entry: Mapping[str, Any]) -> TransactionRow:
    said = meaning(entry.get("status"))
    return TransactionRow(
        order_ref=text(entry.get("reference"), 64),
        raw_status=said.raw,
        status=said.word,
        amount_pesewas=pesewas(entry.get("amount")),
        recipient=optional_text(entry.get("beneficiary"), 40),
        capacity=optional_text(entry.get("capacity"), 40),
        created_at=_moment(entry.get("created_at")),
    )


def _moment(written: object) -> datetime | None:
    if not isinstance(written, str):
        return None
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo:
            return moment.astimezone(UTC)
        return moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
