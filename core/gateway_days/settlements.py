"""What the gateway settled, in our books: the part of a settlement that is of our payments went
from the gateway to our bank, once all its payments are read.

Decides how much is booked, and when a person is asked. Where settlements go, to the bank or into
the gateway's own balance, is the owner's setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, not_, or_, select

from core import cases, online
from core.audit import SYSTEM
from core.base import clock, config
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.cases import Case
from core.catalog import Setting
from core.gateway_days import differing, lines
from core.gateway_days.lines import Listed
from core.online import OnlinePayment
from core.online.accepting import CURRENCY
from core.online.listed import GatewayLine, GatewaySettlement

BY_HAND = "settled_by_hand"
"""The setting that says until when a person booked settlements, before they were read."""
DONE = "success"
_FIRST_PAUSE = timedelta(hours=1)
_LONGEST_PAUSE = timedelta(days=1)
CASE = "settlement_differs"


@dataclass(frozen=True)
class Inside:
    """The sum of a settlement's payments, and what of it reached us of payments that are not in our
    books."""

    charged_pesewas: int
    foreign_pesewas: int
    ours_pesewas: int
    """What was to reach us of payments in our books."""


@inside_use_case
def next_unread() -> GatewaySettlement | None:
    """A settlement that went through and is not closed: its payments are read next. One that cannot
    be read waits until its next try, and comes after the others, the oldest try first."""
    next_one = (
        select(GatewaySettlement)
        .where(_is_open(), ~_rests())
        .order_by(
            GatewaySettlement.try_at.nulls_first(),
            GatewaySettlement.settled_at,
            GatewaySettlement.id,
        )
        .limit(1)
    )
    while (found := db.session.scalar(next_one)) is not None:
        if not (why := unreadable(found)):
            break
        put_off(found.id, why)
    return found


@needs_across_stores
def has_try_due(since: datetime) -> bool:
    """Whether one of since then that could not be read is to be tried again now."""
    due = select(GatewaySettlement.id).where(
        _is_open(),
        ~_rests(),
        GatewaySettlement.try_at.is_not(None),
        GatewaySettlement.settled_at >= since,
    )
    return bool(db.session.scalar(select(due.exists())))


def unreadable(settlement: GatewaySettlement) -> str:
    """Why nobody can say what a settlement brought, in a sentence; empty when it says so."""
    if settlement.currency != CURRENCY:
        named = settlement.currency or "no currency"
        return f"It is in {named}, not in {CURRENCY}."
    if settlement.effective_pesewas is None:
        return "What it brought cannot be read."
    return ""


@inside_use_case
def put_off(settlement_id: int, why: str) -> None:
    """It cannot be read now: a person is told, and it is tried again, from its first page, after
    pauses that grow."""
    settlement = _locked(settlement_id)
    if settlement.closed_at is not None:
        return
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(settlement.tries, 10))
    settlement.tries += 1
    settlement.try_at, settlement.next_page = clock.now() + pause, 1
    _ask(settlement, {"what": f"{why} It is tried again by itself."})
    db.session.flush()


@needs_across_stores
def take_page(
    settlement_id: int, page: int, found: list[Listed], next_page: int | None
) -> None:
    """Keep a page of a settlement's payments; with the last one the settlement is booked. A page
    that was taken already changes nothing."""
    with transaction():
        settlement = _locked(settlement_id)
        if settlement.closed_at is not None or settlement.next_page != page:
            return
        lines.keep(found, settlement_id=settlement.id)
        settlement.next_page = next_page or 0
        db.session.flush()
        if not settlement.next_page:
            _close(settlement)


@needs_across_stores
def is_any() -> bool:
    """Whether the gateway has ever settled anything."""
    return bool(db.session.scalar(select(select(GatewaySettlement.id).exists())))


@inside_use_case
def tell_failed() -> None:
    """A settlement that failed, or whose word nobody knows, is for a person."""
    known = (DONE, "processing", "pending")
    odd = select(GatewaySettlement).where(
        GatewaySettlement.closed_at.is_(None),
        GatewaySettlement.raw_word.not_in(known),
    )
    for one in db.session.scalars(odd):
        _ask(one, {"gateway_says": one.raw_word})


def _is_open() -> ColumnElement[bool]:
    return GatewaySettlement.closed_at.is_(None) & (GatewaySettlement.raw_word == DONE)


def _rests() -> ColumnElement[bool]:
    """Until its next try; no clock that was set back keeps it for more than two long pauses."""
    now = clock.now()
    is_later = GatewaySettlement.try_at > now
    return func.coalesce(
        is_later & (GatewaySettlement.try_at <= now + 2 * _LONGEST_PAUSE), False
    )


@inside_use_case
def _locked(settlement_id: int) -> GatewaySettlement:
    return db.session.scalars(
        select(GatewaySettlement)
        .where(GatewaySettlement.id == settlement_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _close(settlement: GatewaySettlement) -> None:
    inside = _inside(settlement.id)
    reached = settlement.effective_pesewas or 0
    ours = max(0, reached - inside.foreign_pesewas)
    settlement.went = _way(settlement, ours)
    settlement.closed_at = clock.now()
    if settlement.went == "by_hand":
        settlement.explained_pesewas = max(0, settlement.deductions_pesewas or 0)
    if settlement.went == "bank":
        settlement.booked_pesewas = ours
    if settlement.went in ("bank", "nowhere") and settlement.currency == CURRENCY:
        settlement.ours_pesewas = inside.ours_pesewas
        differing.explain()  # before accounts are locked
    if settlement.went == "bank":
        online.settlement(settlement.id, ours, SYSTEM)
    if not _adds_up(settlement, inside) or settlement.open_pesewas:
        _ask(settlement, _evidence(settlement, inside))
    elif settlement.tries:
        _close_case(settlement)


def _evidence(settlement: GatewaySettlement, inside: Inside) -> dict[str, Any]:
    seen: dict[str, Any] = {
        "settled_pesewas": settlement.effective_pesewas,
        "said_pesewas": settlement.total_pesewas,
        "inside_pesewas": inside.charged_pesewas,
        "currency": settlement.currency,
    }
    if settlement.open_pesewas:
        seen["ours_pesewas"] = settlement.ours_pesewas
        seen["explained_pesewas"] = settlement.explained_pesewas
        seen["booked_pesewas"] = settlement.booked_pesewas
        seen["differs_pesewas"] = settlement.open_pesewas
    return seen


def _way(settlement: GatewaySettlement, ours_pesewas: int) -> str:
    if ours_pesewas <= 0 or settlement.currency != CURRENCY:
        return "nowhere"
    if config.current().paystack_settles_to == "balance":
        return "balance"
    by_hand = db.session.get(Setting, BY_HAND)
    if by_hand is not None:
        until = datetime.fromisoformat(str(by_hand.value["until"]))
        if settlement.settled_at <= until:
            return "by_hand"
    return "bank"


def _adds_up(settlement: GatewaySettlement, inside: Inside) -> bool:
    """Whether the settlement says of itself what its payments and its parts say."""
    parts = (
        settlement.total_pesewas,
        settlement.fees_pesewas,
        settlement.deductions_pesewas,
        settlement.effective_pesewas,
    )
    if None in parts or settlement.currency != CURRENCY:
        return False
    total, fees, deductions, effective = (part or 0 for part in parts)
    is_whole = effective == total - fees - deductions
    return is_whole and effective >= 0 and inside.charged_pesewas == total


def _inside(settlement_id: int) -> Inside:
    charged = func.coalesce(GatewayLine.charged_pesewas, 0)
    # a fee that this list lacks may be in our books
    fees = func.coalesce(GatewayLine.fees_pesewas, OnlinePayment.fees_pesewas, 0)
    net = charged - fees
    # one of ours that is not heard of yet will be: what is settled of it is ours
    is_foreign = or_(OnlinePayment.id.is_(None), OnlinePayment.state == "refused")
    row = db.session.execute(
        select(
            func.coalesce(func.sum(charged), 0),
            func.coalesce(func.sum(net).filter(is_foreign), 0),
            func.coalesce(func.sum(net).filter(not_(is_foreign)), 0),
        )
        .select_from(GatewayLine)
        .outerjoin(OnlinePayment, OnlinePayment.reference == GatewayLine.reference)
        .where(GatewayLine.settlement_id == settlement_id)
    ).one()
    return Inside(int(row[0]), int(row[1]), int(row[2]))


def _ask(settlement: GatewaySettlement, seen: dict[str, Any]) -> None:
    subject = _subject(settlement)
    evidence = {"settlement": settlement.gateway_id, **seen}
    if not cases.judged_before(CASE, subject, evidence):
        cases.open_case(CASE, subject, evidence)


@inside_use_case
def _close_case(settlement: GatewaySettlement) -> None:
    asked = select(Case).where(
        Case.kind == CASE,
        Case.subject == _subject(settlement),
        Case.closed_at.is_(None),
    )
    for case in db.session.scalars(asked.with_for_update()):
        cases.close_row(case, "It was read after all, and booked.", SYSTEM)


def _subject(settlement: GatewaySettlement) -> str:
    return f"{differing.SUBJECT}{settlement.gateway_id}"
