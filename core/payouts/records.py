"""What a record of the gateway's means for a payout: which posting it makes, which case it opens,
and when to look again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from core import cases
from core.audit import SYSTEM
from core.base import clock, config, money
from core.base.preconditions import inside_use_case
from core.online import (
    Payout,
    payout_paid,
    payout_returned,
    payout_reversed,
)

AT_GATEWAY = ("submitting", "needs_owner", "in_transit")
IN_TRANSIT = ("in_transit", "needs_owner")
OTP = (
    "The gateway asks the owner of Makola for a code before it pays. Nothing was lost: it is paid,"
    " or comes back to your earnings, once that is done."
)
OTP_FOR_OWNER = (
    "Transfers ask for a code (OTP). Switch that off in the gateway's dashboard, or give the code"
    " there; without one this payout ends after half an hour and its earnings are free again."
)


class Record(Protocol):
    """A transfer as the gateway tells it; `integrations.payment_shapes.Transfer` fits."""

    @property
    def reference(self) -> str: ...
    @property
    def code(self) -> str | None: ...
    @property
    def status(self) -> str: ...
    @property
    def raw_status(self) -> str: ...
    @property
    def amount_pesewas(self) -> int | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def recipient_code(self) -> str | None: ...
    @property
    def fee_pesewas(self) -> int | None: ...
    @property
    def failure_reason(self) -> str: ...
    @property
    def needs_person(self) -> bool: ...


@inside_use_case
def take(found: Payout, said: Record) -> datetime | None:
    """A record of the gateway's. It counts when it is of this payout's amount and recipient."""
    if not _is_this(found, said):
        tell(found, "payout_differs", _evidence(said))
        return next_look(found)
    found.transfer_code = said.code or found.transfer_code
    if said.needs_person:
        tell(found, "payout_differs", _evidence(said))
    if found.state in AT_GATEWAY:
        return _move(found, said)
    if found.state == "paid":
        if said.status == "reversed":
            payout_reversed(found, SYSTEM)
            found.words = _came_back(said)
            return None
        if said.status == "failed":
            tell(found, "payout_contradicts", _evidence(said))
        return next_watch(found)
    _judge_after_end(found, said)
    return None


@inside_use_case
def _move(found: Payout, said: Record) -> datetime | None:
    if said.status == "in_transit":
        found.state, found.words = "in_transit", ""
        if found.sent_at and clock.now() - found.sent_at > clock.delta(
            config.current().payout_slow_s
        ):
            tell(found, "payout_slow", _evidence(said))
        return next_look(found)
    if said.status == "needs_owner":
        if found.state != "needs_owner":
            found.state, found.words = "needs_owner", OTP
        tell(found, "payout_needs_owner", {"what": OTP_FOR_OWNER})
        return next_look(found)
    if said.status == "failed":
        is_no = said.raw_status in ("rejected", "blocked")
        payout_returned(found, "rejected" if is_no else "failed", SYSTEM)
        why = said.failure_reason or said.raw_status
        found.words = f"It was not paid: {why}. Your earnings are free again."[:200]
        return None
    payout_paid(found, SYSTEM)
    found.words = ""
    if said.fee_pesewas not in (None, found.fee_pesewas):
        tell(found, "payout_differs", _evidence(said))
    if said.status == "reversed":
        payout_reversed(found, SYSTEM)
        found.words = _came_back(said)
        return None
    return next_watch(found)


@inside_use_case
def _judge_after_end(found: Payout, said: Record) -> None:
    """News of one that is over for us: its earnings are free again, so money that went all the
    same is a person's to settle."""
    gone = ("paid",) if found.state == "reversed" else ("paid", *IN_TRANSIT)
    if said.status in gone:
        tell(found, "payout_contradicts", _evidence(said))


def _is_this(found: Payout, said: Record) -> bool:
    """The answer to the transfer itself names its recipient by another number: None there."""
    return (
        said.reference == found.reference
        and said.amount_pesewas == found.amount_pesewas
        and said.currency in ("", "GHS")
        and said.recipient_code in (None, found.recipient_code)
    )


def next_look(found: Payout) -> datetime | None:
    """By the ladder, counted from the claim; then every last step of it."""
    if found.state == "paid":
        return next_watch(found)
    if found.state not in (*AT_GATEWAY, "approved"):
        return None
    ladder, now = config.current().payout_ladder_s, clock.now()
    since = found.sent_at or now
    for step in ladder:
        at = since + clock.delta(step)
        if at > now:
            return at
    return now + clock.delta(ladder[-1])


def next_watch(found: Payout) -> datetime | None:
    assert found.paid_at is not None
    for step in config.current().payout_watch_s:
        at: datetime = found.paid_at + clock.delta(step)
        if at > clock.now() + timedelta(seconds=1):
            return at
    return None


def _came_back(said: Record) -> str:
    why = said.failure_reason or "the network gave it back"
    amount = money.cedis(said.amount_pesewas or 0)
    return f"{amount} came back: {why}. It is in your earnings again."[:200]


def _evidence(said: Record) -> dict[str, object]:
    return {
        "gateway_says": said.raw_status,
        "amount_pesewas": said.amount_pesewas,
        "fee_pesewas": said.fee_pesewas,
        "recipient_code": said.recipient_code,
        "reason": said.failure_reason,
    }


@inside_use_case
def tell(found: Payout, kind: str, evidence: dict[str, object]) -> None:
    cases.open_case(
        kind,
        found.subject,
        {"reference": found.reference, "payout_is": found.state, **evidence},
        store_id=found.store_id,
    )
