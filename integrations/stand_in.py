"""A stand-in behind the supplier port, for test orders: answers like a supplier and buys nothing.

Has no account, no wire and no memory. What a supplier would remember, when an order was sent and
how it is to end, is told it anew each time; so it answers the same after any crash. An import
contract keeps every client of the wire out of here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from integrations.ports import (
    Absent,
    Accepted,
    Account,
    Balance,
    BulkResult,
    CapacityLine,
    Found,
    Listing,
    LookupResult,
    NoAnswer,
    PurchaseRequest,
    Rejected,
    StatusWord,
    SubmitResult,
    TransactionRow,
    WebhookNews,
)

_NOTHING = NoAnswer("broken", "stand_in")
_REFUSED = "The network does not take this number (test)"


@dataclass(frozen=True)
class Known:
    """The one order it has: `sent_at`, when a purchase of it began, or None. `ending`: `delivered`,
    `failed` or `refused`."""

    order_ref: str
    ending: str
    sent_at: datetime | None


class StandIn:
    """A supplier of one order that never was. It holds it as *pending* for a third of `lasts`, as
    *processing* until that is over, and then as it ends; one that fails is given back a `lasts`
    later."""

    name = "stand_in"

    def __init__(self, known: Known, now: datetime, lasts: timedelta) -> None:
        self._known = known
        self._now = now
        self._lasts = lasts

    def submit(self, request: PurchaseRequest) -> SubmitResult:
        if self._known.ending == "refused":
            return Rejected("invalid", "TEST_REFUSED", _REFUSED)
        return Accepted(
            "pending",
            "pending",
            recipient=request.recipient_msisdn,
            order_ref=request.order_ref,
        )

    def status(self, order_ref: str) -> LookupResult:
        known = self._known
        if order_ref != known.order_ref or known.sent_at is None:
            return Absent(order_ref)
        if known.ending == "refused":
            return Found(order_ref, "refunded", "refunded", failure_reason=_REFUSED)
        word = self._word(self._now - known.sent_at)
        reason = "No reason: this is a test" if word in ("failed", "refunded") else None
        return Found(order_ref, word, word, failure_reason=reason)

    def _word(self, age: timedelta) -> StatusWord:
        if age < self._lasts / 3:
            return "pending"
        if age < self._lasts:
            return "processing"
        if self._known.ending == "delivered":
            return "completed"
        return "failed" if age < 2 * self._lasts else "refunded"

    def submit_bulk(
        self, requests: Sequence[PurchaseRequest], bulk_ref: str
    ) -> BulkResult:
        raise NotImplementedError("a test order goes alone")

    def balance(self) -> Balance | NoAnswer:
        return _NOTHING

    def offers(self) -> Listing | NoAnswer:
        return _NOTHING

    def capacities(self) -> tuple[CapacityLine, ...] | NoAnswer:
        return _NOTHING

    def account(self) -> Account | NoAnswer:
        return _NOTHING

    def transactions(
        self, page: int = 1, limit: int = 20
    ) -> tuple[TransactionRow, ...] | NoAnswer:
        return _NOTHING

    def statistics(self, period: str = "7days") -> Mapping[str, Any] | NoAnswer:
        return _NOTHING

    def set_webhook(self, url: str) -> bool | NoAnswer:
        return _NOTHING

    def test_webhook(self) -> bool | NoAnswer:
        return _NOTHING

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> WebhookNews:
        return WebhookNews("", None, None, None, None)
