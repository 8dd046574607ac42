"""What Paystack holds for us and settles, and the banks and names it knows.

Decides how the answers read. What a balance means for payouts is left to others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from integrations import http
from integrations.payment_shapes import Bank, Holder, Holdings, LedgerLine, NotFound
from integrations.payments_port import TOO_MANY_PAGES, Rows, Settlement
from integrations.paystack import envelope, reading
from integrations.paystack.asking import PAGE
from integrations.paystack.envelope import Envelope
from integrations.paystack.payments import CURRENCY
from integrations.ports import NoAnswer
from integrations.strict_json import text

Row = TypeVar("Row")

MOST_PAGES = 400
"""A list of more pages than this, 20,000 rows, is not read to its end: that is said."""


def holdings(reply: http.Reply, now_s: float) -> Holdings | NoAnswer:
    """The balance in cedis. Another currency's, or none, is no information, never zero."""
    said = envelope.listed(reply, now_s)
    if isinstance(said, NoAnswer):
        return said
    ours = [
        row
        for row in said.data
        if isinstance(row, dict) and reading.currency(row) == CURRENCY
    ]
    amount = reading.signed_pesewas(ours[0].get("balance")) if len(ours) == 1 else None
    if amount is None:
        return NoAnswer("broken", "no one balance in GHS")
    return Holdings(amount)


def ledger(reply: http.Reply, now_s: float, page: int) -> Rows[LedgerLine] | NoAnswer:
    return rows(reply, now_s, _line, page)


def banks(reply: http.Reply, now_s: float) -> Rows[Bank] | NoAnswer:
    return rows(reply, now_s, _bank, None)


def settlements(
    reply: http.Reply, now_s: float, page: int
) -> Rows[Settlement] | NoAnswer:
    return rows(reply, now_s, _settlement, page)


def holder(
    reply: http.Reply, now_s: float, number: str
) -> Holder | NotFound | NoAnswer:
    """Whose account it is. No name must never be a dead end: networks are often silent."""
    said = envelope.found(reply, now_s, number)
    if isinstance(said, Envelope):
        data = reading.one(said.data) or {}
        name = text(data.get("account_name"), 120).strip()
        named = text(data.get("account_number"), 40)
        if not name:
            return NotFound(number)
        if named not in ("", number):
            return NoAnswer("unclear", "other_account")
        return Holder(number, name)
    answer = envelope.read(reply) if isinstance(reply, http.Answer) else None
    is_refusal = isinstance(answer, Envelope) and not answer.is_true
    if is_refusal and isinstance(reply, http.Answer) and reply.status in (400, 422):
        return NotFound(number)
    return said


def rows(
    reply: http.Reply,
    now_s: float,
    read: Callable[[Mapping[str, Any]], Row | None],
    page: int | None,
) -> Rows[Row] | NoAnswer:
    """Rows of a list in pages; `after` is the number of the next page. A list ends with a page that
    is short or empty, whatever it says of itself; a short one is followed while it names more."""
    said = envelope.listed(reply, now_s)
    if isinstance(said, NoAnswer):
        return said
    found = [read(row) for row in said.data if isinstance(row, dict)]
    kept = tuple(row for row in found if row is not None)
    left_out = len(said.data) - len(kept)
    if page is None or not said.data:
        return Rows(kept, None, left_out)
    pages = reading.pesewas(said.meta.get("pageCount")) or 0
    if len(said.data) < PAGE and page >= pages:
        return Rows(kept, None, left_out)
    if page >= MOST_PAGES:
        return NoAnswer("broken", TOO_MANY_PAGES)
    return Rows(kept, str(page + 1), left_out)


def _line(row: Mapping[str, Any]) -> LedgerLine | None:
    gateway_id = reading.gateway_id(row.get("id"))
    if gateway_id is None or reading.currency(row) != CURRENCY:
        return None
    return LedgerLine(
        gateway_id=gateway_id,
        balance_pesewas=reading.signed_pesewas(row.get("balance")),
        difference_pesewas=reading.signed_pesewas(row.get("difference")),
        reason=text(row.get("reason")),
        about=text(row.get("model_responsible"), 40),
        about_id=reading.gateway_id(row.get("model_row")),
        created_at=reading.moment(row, "createdAt", "created_at"),
    )


def _bank(row: Mapping[str, Any]) -> Bank | None:
    gateway_id = reading.gateway_id(row.get("id"))
    code = text(row.get("code"), 20)
    if gateway_id is None or not code or reading.currency(row) not in ("", CURRENCY):
        return None
    return Bank(
        gateway_id,
        text(row.get("name"), 80),
        code,
        text(row.get("type"), 40),
        reading.flag(row.get("active")),
    )


def _settlement(row: Mapping[str, Any]) -> Settlement | None:
    gateway_id = reading.gateway_id(row.get("id"))
    if gateway_id is None:
        return None
    return Settlement(
        gateway_id=gateway_id,
        raw_status=reading.word(row),
        currency=reading.currency(row),
        total_pesewas=reading.pesewas(row.get("total_amount")),
        effective_pesewas=reading.signed_pesewas(row.get("effective_amount")),
        fees_pesewas=reading.pesewas(row.get("total_fees")),
        deductions_pesewas=reading.pesewas(row.get("deductions")),
        settled_on=reading.moment(row, "settlement_date", "settled_at", "createdAt"),
    )
