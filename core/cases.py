"""Cases: what only a person can settle, with the evidence.

Sits below `orders`, because the state machine itself opens cases when news contradicts a final
state. An open case of one kind exists once per subject; repeated news adds to its evidence. What
may be done about each kind is decided in `settling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core import audit
from core.audit import Actor
from core.base import clock, phones
from core.base.db import Model, db
from core.base.preconditions import inside_use_case
from core.base.tenancy import StoreOrPlatformScoped

KINDS = {
    "contradiction": "The supplier's news contradicts a finished order",
    "late_success": "The supplier delivers an order whose money went back",
    "unknown_too_long": "No clear answer from the supplier for too long",
    "never_fulfilled": "The supplier accepted it long ago and has not delivered it",
    "resend_limit": "Proven absent, but already sent again as often as it may be",
    "wrong_answer": "The supplier's answer does not fit the order",
    "unknown_word": "The supplier used a status word nobody has seen",
    "supplier_money": "The order failed and the supplier's money has not been seen to come back",
    "unexpected_charge": "The supplier took money that no order of ours explains",
    "float_funded": "The supplier's balance rose: was the float funded?",
    "unknown_reference": "The supplier signed news about a reference that is not ours",
    "broken": "An error of ours keeps this order from moving",
    "restored": "The records were restored from a backup: what came after it is missing",
    "amount_differs": "The supplier charged another amount than its price",
    "books_broken": "The proof of the books failed",
    "rounding": "Rounding adds up: more than GH₵ 1 in one day",
    "told_unanswered": "A store does not answer a customer who says they have paid",
    "not_received": "A store does not answer a customer whose data has not come",
    "paid_late": "An online payment came after its order was over",
    "paid_twice": "An order was paid online twice",
    "paid_short": "An online payment is of another amount than was asked",
    "paid_unfit": "An online payment is of another currency, or of the gateway's other world",
    "payment_reversed": "The gateway took an online payment back and no refund of ours did it",
    "refund_failed": "A refund did not go through, and its money is still owed",
    "refund_details": "A refund cannot reach its payer: ask them where to send it",
    "refund_poor": "There is no money at the gateway to refund from",
    "refund_strange": "The gateway has a refund that is not ours",
    "refund_late": "A refund is on its way for too long: ask the gateway where it is",
    "payment_unwatched": "An order may have been paid online and there is no gateway to ask",
    "funding_reversed": "A wallet funding was taken back, and the store owes a part of it",
    "payment_broken": "An error of ours keeps an online payment from being looked up",
    "payment_disputed": "Somebody disputes an online payment: answer in time",
    "dispute_unknown": "Somebody disputes a payment at the gateway that is not ours",
    "dispute_odd": "What the gateway says of a dispute does not fit what we know",
    "payment_odd": "The gateway says something of a payment that nobody here can read",
    "payout_differs": "The gateway's record of a payout is not what we asked for",
    "payout_contradicts": "The gateway's news contradicts a payout that is over",
    "payout_needs_owner": "The gateway asks for a code before it pays out",
    "payout_slow": "A payout is on its way for too long",
    "payout_broken": "An error of ours keeps a payout from moving",
    "payouts_refused": "The gateway takes no payouts of ours",
    "gateway_balance": "The gateway's balance is not what our books say",
    "payments_lost": "The gateway took payments with references of ours that our books lack",
    "payments_unlisted": "Our books have payments as paid that the gateway does not list",
    "payments_differ": "The gateway's list says something else of payments than our books",
    "settlement_differs": "What the gateway settled is not what it says, or not there in time",
}
JUDGED_ONCE = frozenset(
    {
        *("contradiction", "late_success", "wrong_answer", "unknown_word"),
        *("amount_differs", "payments_lost", "payments_unlisted", "payments_differ"),
        "settlement_differs",
    }
)
"""Cases of news: once a person has settled one, the very same news does not ask again. The others
come back for as long as their cause stands."""
_MOST_EVIDENCE = 20
_POSTINGS = "posting_ids"


class Case(Model, StoreOrPlatformScoped):
    __tablename__ = "cases"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "order_id"], ["orders.store_id", "orders.id"]
        ),
        Index(
            "uq_cases_open",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None]
    kind: Mapped[str]
    subject: Mapped[str]
    title: Mapped[str]
    evidence: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    opened_at: Mapped[datetime] = mapped_column(default=clock.now)
    closed_at: Mapped[datetime | None]
    resolution: Mapped[str | None]
    closed_by: Mapped[str | None]
    action: Mapped[str | None]
    """What was done to settle it; None when it was closed with words alone."""

    @property
    def posting_ids(self) -> list[int]:
        """The postings made to settle it: its last piece of evidence says which."""
        return [id_ for entry in self.evidence for id_ in entry.get(_POSTINGS, [])]

    @property
    def seen(self) -> list[dict[str, Any]]:
        """What was seen, each with its moment under `at`; without what settled it."""
        return [entry for entry in self.evidence if _POSTINGS not in entry]


@inside_use_case
def open_case(
    kind: str,
    subject: str,
    evidence: dict[str, Any],
    *,
    store_id: int | None = None,
    order_id: int | None = None,
) -> Case:
    """Open a case, or add to the one already open for this kind and subject."""
    evidence = phones.hide(evidence)
    entry = {"at": clock.now().isoformat(), **evidence}
    case = db.session.scalar(
        select(Case)
        .where(Case.kind == kind, Case.subject == subject, Case.closed_at.is_(None))
        .with_for_update()
    )
    if case is None:
        case = Case(
            kind=kind,
            subject=subject,
            title=KINDS[kind],
            evidence=[entry],
            store_id=store_id,
            order_id=order_id,
        )
        db.session.add(case)
        db.session.flush()
    elif len(case.evidence) < _MOST_EVIDENCE and evidence not in [
        _without_time(old) for old in case.evidence
    ]:
        case.evidence = [*case.evidence, entry]
    return case


def is_open(kind: str, subject: str) -> bool:
    """Whether a person is already asked about this."""
    return bool(db.session.scalar(select(some_open(kind, subject))))


def some_open(kind: str, subject: str) -> ColumnElement[bool]:
    """`is_open`, in a statement."""
    return (
        select(Case.id)
        .where(Case.kind == kind, Case.subject == subject, Case.closed_at.is_(None))
        .exists()
    )


def judged_before(kind: str, subject: str, evidence: dict[str, Any]) -> bool:
    """Whether a person has settled a case about this very news already."""
    if kind not in JUDGED_ONCE:
        return False
    query = select(Case).where(
        Case.kind == kind, Case.subject == subject, Case.closed_at.is_not(None)
    )
    evidence = phones.hide(evidence)
    return any(
        evidence == _without_time(entry)
        for case in db.session.scalars(query)
        for entry in case.seen
    )


@inside_use_case
def close_row(
    case: Case,
    resolution: str,
    actor: Actor,
    *,
    action: str | None = None,
    posting_ids: Sequence[int] = (),
) -> None:
    """Close a locked case: how in words, by which action, and which postings it made."""
    case.closed_at = clock.now()
    case.resolution = phones.hide(resolution.strip())[:1_000]
    case.closed_by = actor.name
    case.action = action
    if posting_ids:
        case.evidence = [
            *case.evidence,
            {"at": case.closed_at.isoformat(), _POSTINGS: list(posting_ids)},
        ]
    audit.write(
        actor,
        "close_case",
        f"case:{case.id}",
        {"kind": case.kind, "action": action, "resolution": case.resolution},
    )


def by_id(case_id: int) -> Case | None:
    return db.session.scalar(select(Case).where(Case.id == case_id))


def open_cases(
    limit: int,
    after: int | None = None,
    kind: str | None = None,
) -> list[Case]:
    """Open cases, oldest first; with `after`, those that came after that one; with `kind`, those of
    it."""
    query = select(Case).where(Case.closed_at.is_(None)).order_by(Case.id).limit(limit)
    if after is not None:
        query = query.where(Case.id > after)
    return list(
        db.session.scalars(query if kind is None else query.where(Case.kind == kind))
    )


def open_counts() -> dict[str, int]:
    """How many cases of each kind are open, in the order of `KINDS`; kinds without one are left
    out."""
    rows = db.session.execute(
        select(Case.kind, func.count())
        .where(Case.closed_at.is_(None))
        .group_by(Case.kind)
    ).all()
    counts = {row[0]: row[1] for row in rows}
    return {
        kind: counts[kind]
        for kind in (*KINDS, *sorted(set(counts) - set(KINDS)))
        if kind in counts
    }


def settled_cases(limit: int) -> list[Case]:
    """Closed cases, the newest settled first."""
    query = (
        select(Case)
        .where(Case.closed_at.is_not(None))
        .order_by(Case.closed_at.desc(), Case.id.desc())
    )
    return list(db.session.scalars(query.limit(limit)))


def of_order(order_id: int) -> list[Case]:
    return list(
        db.session.scalars(
            select(Case).where(Case.order_id == order_id).order_by(Case.id)
        )
    )


def of_kind(order_id: int, kind: str) -> list[Case]:
    """An order's cases of one kind, open and closed, oldest first."""
    return [case for case in of_order(order_id) if case.kind == kind]


def open_of_kind(kind: str) -> list[Case]:
    return list(
        db.session.scalars(
            select(Case)
            .where(Case.kind == kind, Case.closed_at.is_(None))
            .order_by(Case.id)
        )
    )


def last_settled_at(actions: Sequence[str]) -> datetime | None:
    """When a case was last settled by one of these actions."""
    return db.session.scalar(
        select(func.max(Case.closed_at)).where(Case.action.in_(actions))
    )


def _without_time(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "at"}
