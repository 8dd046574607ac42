"""What the console counts and adds up across stores. Reads only; every rule behind the numbers
lives in core.

Days are cut at Accra midnight; amounts are pesewas with the sign turned as pages show them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select, text
from sqlalchemy.orm import aliased

from admin_console.chart import Point
from core import catalog, ledger, orders
from core.accounts.users import Membership, User
from core.base import clock, config
from core.base.db import db
from core.cases import Case
from core.ledger import Account, Entry, Posting
from core.orders import Order
from core.stores import Store
from core.supplier.balances import BalanceRead

BURN_H = 6
"""The float's burn rate is that of the last so many hours: short enough to know a busy evening from
a night."""
STEPS = 160
"""The books' line in the float chart has at most so many steps."""


@dataclass(frozen=True)
class Day:
    """The orders since Accra midnight. `sales_pesewas`: what customers pay for those not called off
    or given back."""

    orders: int
    sales_pesewas: int
    completed: int
    refunded: int

    @property
    def success_percent(self) -> str | None:
        """Of the orders that ended today, those that were delivered; None while none has ended."""
        ended = self.completed + self.refunded
        return None if ended == 0 else f"{self.completed * 1000 // ended / 10:g}"


@dataclass(frozen=True)
class Burn:
    """How fast the float goes down, and when it would be empty at that pace; None when nothing was
    bought."""

    per_hour_pesewas: int
    empty_at: datetime | None

    @property
    def lasts_days(self) -> int:
        """Whole days until empty; 0 when nothing was bought."""
        return 0 if self.empty_at is None else (self.empty_at - clock.now()).days


@dataclass(frozen=True)
class StoreLine:
    store: Store
    owners: tuple[str, ...]
    wallet_pesewas: int
    held_pesewas: int
    orders_today: int


@dataclass(frozen=True)
class WalletLine:
    id: int
    at: datetime
    kind: str
    kind_text: str
    order_code: str | None
    amount_pesewas: int
    balance_pesewas: int
    note: str
    who: str


def today() -> Day:
    midnight = clock.accra_midnight()
    ended_well = and_(Order.state == "completed", Order.final_at >= midnight)
    given_back = and_(Order.state == "refunded", Order.final_at >= midnight)
    lost = ("cancelled", "expired", "refunded")
    row = db.session.execute(
        select(
            func.count().filter(Order.created_at >= midnight),
            func.coalesce(
                func.sum(Order.price_pesewas).filter(
                    Order.created_at >= midnight, Order.state.not_in(lost)
                ),
                0,
            ),
            func.count().filter(ended_well),
            func.count().filter(given_back),
        ).where(or_(Order.created_at >= midnight, Order.final_at >= midnight))
    ).one()
    return Day(*(int(value) for value in row))


def stuck() -> ColumnElement[bool]:
    """Orders that do not move as they should: late, without a clear answer, or failed and
    watched."""
    settings, now = config.current(), clock.now()
    return or_(
        and_(
            Order.state.in_(("queued", "submitting")),
            Order.queued_at < now - clock.delta(settings.late_queued_s),
        ),
        and_(
            Order.state == "processing",
            Order.processing_at < now - clock.delta(settings.late_processing_s),
        ),
        and_(Order.state == "submitting", Order.unknown_since.is_not(None)),
        Order.state == "failed",
    )


def stuck_count() -> int:
    return int(
        db.session.scalar(select(func.count()).select_from(Order).where(stuck())) or 0
    )


def burn(float_pesewas: int) -> Burn:
    """From the purchases of the last `BURN_H` hours, less what came back. A charge that is no price
    counts as its cost."""
    since = clock.now() - timedelta(hours=BURN_H)
    amount, cost = Entry.amount_pesewas, Order.cost_pesewas
    real = case(
        (func.abs(amount) >= catalog.MISTAKEN * cost, func.sign(amount) * cost),
        else_=amount,
    )
    spent = db.session.scalar(
        select(func.coalesce(-func.sum(real), 0))
        .join(Account, Account.id == Entry.account_id)
        .join(Posting, Posting.id == Entry.posting_id)
        .join(Order, Order.id == Posting.order_id)
        .where(
            Account.name == "supplier_float",
            Posting.kind.in_(("commit", "supplier_refund")),
            Posting.at >= since,
        )
    )
    per_hour = max(int(spent or 0), 0) // BURN_H
    if per_hour == 0 or float_pesewas <= 0:
        return Burn(per_hour, None)
    hours = min(float_pesewas / per_hour, 24 * 365)
    return Burn(per_hour, clock.now() + timedelta(hours=hours))


def float_points(start: datetime, end: datetime) -> list[Point]:
    """Our float account through a span of time: its balance at the start, or its first posting if
    there was none yet, then after each step, oldest first.
    """
    before = db.session.scalar(
        text(
            "SELECT e.balance_pesewas FROM entries e JOIN accounts a ON a.id = e.account_id JOIN"
            " postings p ON p.id = e.posting_id WHERE a.name = 'supplier_float' AND p.at < :start"
            " ORDER BY e.id DESC LIMIT 1"
        ),
        {"start": start},
    )
    opened = None if before is not None else _first_posting(start, end)
    first = [] if before is None else [Point(start, int(before))]
    if opened is not None:
        first, start = [opened], opened.at
    rows = db.session.execute(
        text(
            "SELECT DISTINCT ON (step) p.at, e.balance_pesewas, floor(extract(epoch FROM p.at -"
            " :start) / :step_s) AS step FROM entries e JOIN accounts a ON a.id = e.account_id JOIN"
            " postings p ON p.id = e.posting_id WHERE a.name = 'supplier_float' AND p.at > :start"
            " AND p.at <= :end ORDER BY step, e.id DESC"
        ),
        {
            "start": start,
            "end": end,
            "step_s": max((end - start).total_seconds() / STEPS, 1),
        },
    )
    return first + [Point(at, int(balance)) for at, balance, _ in rows]


def _first_posting(start: datetime, end: datetime) -> Point | None:
    row = db.session.execute(
        text(
            "SELECT p.at, e.balance_pesewas FROM entries e JOIN accounts a ON a.id = e.account_id"
            " JOIN postings p ON p.id = e.posting_id WHERE a.name = 'supplier_float' AND p.at >="
            " :start AND p.at <= :end ORDER BY e.id LIMIT 1"
        ),
        {"start": start, "end": end},
    ).one_or_none()
    return None if row is None else Point(row.at, int(row.balance_pesewas))


def balance_points(start: datetime, end: datetime) -> list[BalanceRead]:
    """The supplier's answers about our balance in a span of time, oldest first."""
    query = (
        select(BalanceRead)
        .where(BalanceRead.at >= start, BalanceRead.at <= end)
        .order_by(BalanceRead.id)
    )
    return list(db.session.scalars(query))


def store_lines() -> list[StoreLine]:
    """Every store by name, with its owners, its wallet and today's orders."""
    wallet, held = aliased(Account), aliased(Account)
    rows = db.session.execute(
        select(Store, wallet.balance_pesewas, held.balance_pesewas)
        .outerjoin(wallet, and_(wallet.store_id == Store.id, wallet.name == "wallet"))
        .outerjoin(held, and_(held.store_id == Store.id, held.name == "held"))
        .order_by(Store.name)
    ).all()
    owners: dict[int, list[str]] = {}
    for store_id, email in db.session.execute(
        select(Membership.store_id, User.email)
        .join(User, User.id == Membership.user_id)
        .where(Membership.role == "owner")
        .order_by(User.email)
    ):
        owners.setdefault(store_id, []).append(email)
    counts = dict(
        db.session.execute(
            select(Order.store_id, func.count())
            .where(Order.created_at >= clock.accra_midnight())
            .group_by(Order.store_id)
        ).all()
    )
    return [
        StoreLine(
            store,
            tuple(owners.get(store.id, ())),
            -(free or 0),
            -(kept or 0),
            counts.get(store.id, 0),
        )
        for store, free, kept in rows
    ]


def people_of(store_id: int) -> Sequence[tuple[str, str, str]]:
    """The people of a store: (name, e-mail, role)."""
    rows = db.session.execute(
        select(User.name, User.email, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.store_id == store_id)
        .order_by(Membership.role, User.name)
    )
    return [(name, email, role) for name, email, role in rows]


def wallet_lines(store_id: int, limit: int = 20) -> list[WalletLine]:
    """The newest movements of a store's wallet: + came in, − went out."""
    return _lines(
        and_(Account.store_id == store_id, Account.name == "wallet"), limit, -1
    )


def account_lines(name: str, limit: int) -> list[WalletLine]:
    """The newest movements of one of the platform's accounts, as its debit: + more, − less."""
    return _lines(and_(Account.store_id.is_(None), Account.name == name), limit, 1)


def _lines(of_account: ColumnElement[bool], limit: int, sign: int) -> list[WalletLine]:
    rows = db.session.execute(
        select(
            Posting, Entry.id, Entry.amount_pesewas, Entry.balance_pesewas, Order.code
        )
        .join(Entry, Entry.posting_id == Posting.id)
        .join(Account, Account.id == Entry.account_id)
        .outerjoin(Order, Order.id == Posting.order_id)
        .where(of_account)
        .order_by(Entry.id.desc())
        .limit(limit)
    )
    return [
        WalletLine(
            id_, posting.at, posting.kind, ledger.KIND_TEXT[posting.kind], code, sign * amount,
            sign * balance,
            posting.note, posting.actor_name,
        )
        for posting, id_, amount, balance, code in rows
    ]  # fmt: skip


def store_names() -> dict[int, Store]:
    """Stores by id, for the store column of lists."""
    return {store.id: store for store in db.session.scalars(select(Store))}


def open_case_count() -> int:
    return int(
        db.session.scalar(
            select(func.count()).select_from(Case).where(Case.closed_at.is_(None))
        )
        or 0
    )


def newest_wallet_entry(store_id: int) -> int:
    """The id of the newest movement of a store's wallet; 0 when there is none."""
    return int(
        db.session.scalar(
            select(func.max(Entry.id))
            .join(Account, Account.id == Entry.account_id)
            .where(Account.store_id == store_id, Account.name == "wallet")
        )
        or 0
    )


def codes_of(order_ids: Iterable[int | None]) -> dict[int, str]:
    """Order codes by id, for links from cases."""
    wanted = [order_id for order_id in order_ids if order_id is not None]
    if not wanted:
        return {}
    rows = db.session.execute(select(Order.id, Order.code).where(Order.id.in_(wanted)))
    return {row.id: row.code for row in rows}


def state_counts() -> dict[str, int]:
    """How many orders are in each state now, of those not final."""
    open_states = [state for state in orders.STATES if state not in orders.FINAL]
    rows = db.session.execute(
        select(Order.state, func.count().label("orders"))
        .where(Order.state.in_(open_states))
        .group_by(Order.state)
    )
    return {row.state: row.orders for row in rows}
