"""Payouts as pages show them: what a store could have, what is on its way, and what each payout was
drawn from; and for the platform's people who waits for their word.

A payout takes from the earnings of one store, which are the profits of delivered orders and what
was taken from them later. So its lines are what came into the earnings between the payout before it
and itself; what was left then is *from before*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, func, select, text

from core.base import clock, config
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.catalog import Setting
from core.ledger import Account
from core.online import Payout, PayoutAccount, payable
from core.online.model import OPEN_PAYOUT
from core.payouts import stopping
from core.payouts.accounts import is_followed
from core.stores import Store

NEWEST = 30
LINES = 200
"""Of a payout on its page; its file has all."""
LINES_IN_FILE = 20_000
BARS = 12


@dataclass(frozen=True)
class Money:
    """What a store has earned online and not been paid, in pesewas, by how far it has come."""

    payable_pesewas: int
    """May be paid out now; below nothing when a late reversal took more."""
    fresh_pesewas: int
    """Delivered, and not long enough ago."""
    pending_pesewas: int
    """Paid by customers and not delivered yet."""
    under_way_pesewas: int
    """Asked for, with the fees."""


@dataclass(frozen=True)
class Line:
    """One thing that came into the earnings, or left them. An order's has its `code`."""

    at: datetime
    kind: str
    pesewas: int
    code: str = ""
    network: str = ""
    mb: int = 0


@dataclass(frozen=True)
class Drawn:
    """What a payout was drawn from. `before_pesewas` was left by the payout before it;
    `left_pesewas` by this one. `many` counts all lines, of which `lines` are the first."""

    lines: Sequence[Line]
    many: int
    before_pesewas: int
    came_pesewas: int
    left_pesewas: int


@dataclass(frozen=True)
class ForPeople:
    """What waits for a person of the platform: payouts, numbers; and since when all are stopped."""

    payouts: int
    numbers: int
    stopped_since: datetime | None


@dataclass(frozen=True)
class Listed:
    """A payout and its store."""

    payout: Payout
    store: Store


def money_of(store_id: int) -> Money:
    """What one store has earned online and not been paid."""
    rows = db.session.execute(
        select(Account.name, Account.balance_pesewas).where(
            Account.store_id == store_id,
            Account.name.in_(("earnings", "earnings_pending", "payouts_open")),
        )
    )
    has = {name: -int(balance) for name, balance in rows}
    free = payable(store_id)
    return Money(
        free,
        has.get("earnings", 0) - free,
        has.get("earnings_pending", 0),
        has.get("payouts_open", 0),
    )


def newest(store_id: int, limit: int = NEWEST) -> Sequence[Payout]:
    """A store's payouts, the newest first."""
    query = select(Payout).where(Payout.store_id == store_id)
    return db.session.scalars(query.order_by(Payout.id.desc()).limit(limit)).all()


def one(store_id: int, payout_id: int) -> Payout | None:
    """A payout of this store."""
    return db.session.scalar(
        select(Payout).where(Payout.store_id == store_id, Payout.id == payout_id)
    )


def drawn(payout: Payout, limit: int = LINES) -> Drawn:
    """What a payout was drawn from, the newest first."""
    values = {
        "payout": payout.id,
        "store": payout.store_id,
        "subject": payout.subject,
        "until": payout.earned_until or payout.requested_at,
        "most": limit,
    }
    rows = db.session.execute(_LINES, values).all()
    many, came = (int(rows[0].many), int(rows[0].came)) if rows else (0, 0)
    return Drawn(
        [_line(row) for row in rows],
        many,
        payout.payable_pesewas - came,
        came,
        payout.payable_pesewas - payout.whole_pesewas,
    )


@needs_across_stores
def waiting(limit: int) -> list[Listed]:
    """Payouts of all stores that are not over, those that wait for a person first."""
    rows = db.session.execute(
        select(Payout, Store)
        .join(Store, Store.id == Payout.store_id)
        .where(Payout.state.in_(OPEN_PAYOUT))
        .order_by(Payout.state.not_in(("requested", "needs_owner")), Payout.id)
        .limit(limit)
    )
    return [Listed(payout, store) for payout, store in rows]


@needs_across_stores
def for_people() -> ForPeople:
    """The same in figures, in one statement."""
    asks = Payout.state.in_(("requested", "needs_owner"))
    row = db.session.execute(
        select(
            select(func.count()).select_from(Payout).where(asks).scalar_subquery(),
            select(func.count())
            .select_from(PayoutAccount)
            .where(PayoutAccount.state == "asked", ~is_followed())
            .scalar_subquery(),
            select(Setting.value).where(Setting.key == stopping.KEY).scalar_subquery(),
        )
    ).one()
    payouts, numbers, stop = row
    since = datetime.fromisoformat(stop["since"]) if stop else None
    return ForPeople(int(payouts), int(numbers), since)


@needs_across_stores
def ended(limit: int) -> list[Listed]:
    """Payouts of all stores that are over, the newest first."""
    rows = db.session.execute(
        select(Payout, Store)
        .join(Store, Store.id == Payout.store_id)
        .where(Payout.state.not_in(OPEN_PAYOUT))
        .order_by(Payout.id.desc())
        .limit(limit)
    )
    return [Listed(payout, store) for payout, store in rows]


@needs_across_stores
def by_id(payout_id: int) -> Listed | None:
    """One payout of any store."""
    row = db.session.execute(
        select(Payout, Store)
        .join(Store, Store.id == Payout.store_id)
        .where(Payout.id == payout_id)
    ).first()
    return Listed(*row) if row else None


@needs_across_stores
def paid_today() -> int:
    """What all stores were paid out today in Accra, with fees."""
    found = db.session.scalar(
        select(func.sum(Payout.amount_pesewas + Payout.fee_pesewas)).where(
            Payout.paid_at >= clock.accra_midnight()
        )
    )
    return int(found or 0)


def fresh_until() -> datetime:
    """When what was delivered just now may be paid out."""
    return clock.after(config.current().earnings_wait_s)


def _line(row: Row[*tuple[object, ...]]) -> Line:
    return Line(
        row.at,
        row.kind,
        int(row.pesewas),
        row.code or "",
        row.network or "",
        row.mb or 0,
    )


_LINES = text(
    """
    WITH before AS (
      SELECT p.id, coalesce(p.earned_until, p.requested_at) AS earned_until FROM payouts p
      WHERE p.store_id = :store AND p.id < :payout
        AND p.state NOT IN ('failed', 'rejected', 'cancelled')
      ORDER BY p.id DESC LIMIT 1
    ), account AS (
      SELECT id FROM accounts WHERE store_id = :store AND name = 'earnings'
    ), asked AS (
      SELECT e.id, b.subject FROM postings b JOIN entries e ON e.posting_id = b.id
      WHERE b.kind = 'payout_requested' AND e.account_id = (SELECT id FROM account)
        AND b.subject IN (:subject, (SELECT 'payout:' || id FROM before))
    ), came AS (
      SELECT b.at, b.kind, -e.amount_pesewas AS pesewas, b.order_id, e.id FROM entries e
      JOIN postings b ON b.id = e.posting_id
      WHERE e.account_id = (SELECT id FROM account) AND b.store_id = :store
        AND CASE WHEN b.kind = 'capture'
          THEN b.at <= :until
            AND b.at > coalesce((SELECT earned_until FROM before), '-infinity')
          ELSE b.kind NOT IN ('payout_requested', 'payout_returned')
            AND e.id < (SELECT id FROM asked WHERE subject = :subject)
            AND e.id > coalesce((SELECT id FROM asked WHERE subject <> :subject), 0) END
    )
    SELECT c.at, c.kind, c.pesewas, o.code, o.network, o.mb,
      count(*) OVER () AS many, sum(c.pesewas) OVER () AS came
    FROM came c LEFT JOIN orders o ON o.id = c.order_id AND o.store_id = :store
    ORDER BY c.at DESC, c.id DESC LIMIT :most
    """
)
"""Entries of one account follow each other by their ids, since each is written under its lock. A
delivery is in the payout after its wait is over."""
