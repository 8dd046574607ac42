"""What the console shows of stores: their owners and wallets, and the movements of accounts. Reads
only.

Amounts are pesewas with the sign turned as pages show them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    and_,
    func,
    literal_column,
    select,
)

from core import earnings, ledger
from core.accounts.users import Membership, User
from core.base import clock
from core.base.db import db
from core.ledger import Account, Entry, Posting
from core.orders import Order, not_received
from core.orders.real import REAL
from core.stores import Store


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


def store_lines(stores: Sequence[Store]) -> list[StoreLine]:
    """These stores, each with its owners, its wallet and today's orders."""
    ids = [store.id for store in stores]
    balances: dict[tuple[int | None, str], int] = {
        (store_id, name): -balance
        for store_id, name, balance in db.session.execute(
            select(Account.store_id, Account.name, Account.balance_pesewas).where(
                Account.store_id.in_(ids)
            )
        )
    }
    owners: dict[int, list[str]] = {}
    for store_id, email in db.session.execute(
        select(Membership.store_id, User.email)
        .join(User, User.id == Membership.user_id)
        .where(Membership.role == "owner", Membership.store_id.in_(ids))
        .order_by(User.email)
    ):
        owners.setdefault(store_id, []).append(email)
    counts = dict(
        db.session.execute(
            select(Order.store_id, func.count())
            .where(Order.store_id.in_(ids), REAL)
            .where(Order.created_at >= clock.accra_midnight())
            .group_by(Order.store_id)
        ).all()
    )
    return [
        StoreLine(
            store,
            tuple(owners.get(store.id, ())),
            balances.get((store.id, "wallet"), 0),
            balances.get((store.id, "held"), 0),
            counts.get(store.id, 0),
        )
        for store in stores
    ]


@dataclass(frozen=True)
class NotReceivedRate:
    """Of one store in `not_received.RATE_OVER`: orders whose customers said that nothing came, and
    orders that were delivered."""

    reported: int
    delivered: int

    @property
    def per_thousand(self) -> int | None:
        """Reported of a thousand delivered; None while nothing was delivered."""
        if not self.delivered:
            return None
        return round(1_000 * self.reported / self.delivered)


def not_received_rate(store_id: int) -> NotReceivedRate:
    """How many of a store's deliveries were said not to have come."""
    since = (clock.now() - not_received.RATE_OVER).astimezone(clock.ACCRA).date()
    return NotReceivedRate(
        not_received.reported(store_id), earnings.delivered(store_id, since)
    )


@dataclass(frozen=True)
class Waiting:
    """A store that waits for the owner's word, and who asked."""

    slug: str
    name: str
    asked_at: datetime | None
    who: str
    log_in: str


def waiting(limit: int) -> list[Waiting]:
    """Those that wait for the owner's word, who waits longest first."""
    rows = db.session.execute(
        select(Store.slug, Store.name, Store.asked_at, User.name, User.email)
        .join(Membership, (Membership.store_id == Store.id))
        .join(User, User.id == Membership.user_id)
        .where(_waits(), Membership.role == "owner")
        .order_by(Store.asked_at, Store.id)
        .limit(limit)
    )
    return [Waiting(*row) for row in rows]


def many_waiting() -> int:
    """How many wait so."""
    found = db.session.scalar(select(func.count(Store.id)).where(_waits()))
    return int(found or 0)


def _waits() -> ColumnElement[bool]:
    """Found by the index of those that ever asked, a few among all stores."""
    return and_(Store.asked_at.is_not(None), Store.approval == "waiting")


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
    return _lines(_wallet(store_id), limit, -1)


@dataclass(frozen=True)
class Funding:
    """Money that somebody put into a wallet."""

    at: datetime
    amount_pesewas: int
    note: str
    who: str


def fundings(store_id: int, limit: int) -> list[Funding]:
    """The newest fundings of a store's wallet."""
    # its kind in words: a plan for any kind would not use the index of wallets
    ours = and_(
        Posting.store_id == store_id, Posting.kind == literal_column("'fund_wallet'")
    )
    newest = (Posting.at.desc(), Posting.id.desc())
    few = select(Posting).where(ours).order_by(*newest).limit(limit).subquery().c
    rows = db.session.execute(
        select(few.at, -Entry.amount_pesewas, few.note, few.actor_name)
        .join(Entry, Entry.posting_id == few.id)
        .where(Entry.account_id == _id_of(_wallet(store_id)))
        .order_by(few.at.desc(), few.id.desc())
    )
    return [Funding(*row) for row in rows]


def account_lines(name: str, limit: int) -> list[WalletLine]:
    """The newest movements of one of the platform's accounts, as its debit: + more, − less."""
    return _lines(and_(Account.store_id.is_(None), Account.name == name), limit, 1)


def _wallet(store_id: int) -> ColumnElement[bool]:
    return and_(Account.store_id == store_id, Account.name == "wallet")


def _lines(
    of_account: ColumnElement[bool],
    limit: int,
    sign: int,
) -> list[WalletLine]:
    # its lines first: joined as one they are sorted, however many there are
    entry = (
        select(Entry)
        .where(Entry.account_id == _id_of(of_account))
        .order_by(Entry.id.desc())
        .limit(limit)
        .subquery()
        .c
    )
    rows = db.session.execute(
        select(
            Posting, entry.id, entry.amount_pesewas, entry.balance_pesewas, Order.code
        )
        .join(Posting, Posting.id == entry.posting_id)
        .outerjoin(Order, Order.id == Posting.order_id)
        .order_by(entry.id.desc())
    )
    return [
        WalletLine(
            id_,
            posting.at,
            posting.kind,
            ledger.KIND_TEXT[posting.kind],
            code,
            sign * amount,
            sign * balance,
            posting.note,
            posting.actor_name,
        )
        for posting, id_, amount, balance, code in rows
    ]


def _id_of(account: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(Account.id).where(account).scalar_subquery()


def newest_wallet_entry(store_id: int) -> int:
    """The id of the newest movement of a store's wallet; 0 when there is none."""
    return int(
        db.session.scalar(
            select(func.max(Entry.id)).where(
                Entry.account_id == _id_of(_wallet(store_id))
            )
        )
        or 0
    )
