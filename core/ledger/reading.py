"""Reading the books: wallets, the platform's accounts and the proof that they sum to
zero."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, text

from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.base.tenancy import current_store_id
from core.ledger.model import CREDIT_ACCOUNTS, Account, Entry, Posting

WithLegs = tuple[Posting, list[tuple[str, int]]]
"""A posting with its legs (account, signed pesewas)."""
KIND_TEXT = {
    "fund_wallet": "Wallet funded",
    "take_back": "Taken back",
    "hold": "Held for an order",
    "release": "Back in the wallet",
    "capture": "Delivered",
    "fund_float": "Float funded",
    "commit": "Bought at the supplier",
    "supplier_refund": "Supplier gave back",
    "write_off": "Written off",
    "float_difference": "Difference of the float accepted",
    "rounding": "Rounding",
    "pay_in": "Paid online",
    "fee_found": "Fee of a payment found",
    "owe": "Owed back to the customer",
    "fee_to_agent": "Fee of a payment, borne by the agent",
    "give_back": "Given back after delivery",
    "refund_done": "Refunded to the customer",
    "refund_returned": "Refund came back",
    "refund_by_transfer": "Refunded by a transfer",
    "reversed": "Payment taken back",
    "loss_to_agent": "Loss of a payment, borne by the agent",
    "fund_online": "Funded online",
    "fund_reversed": "Online funding taken back",
    "settlement": "Settled to the bank",
    "gateway_difference": "Difference of the gateway accepted",
    "top_up": "Gateway balance topped up",
    "payout_requested": "Payout asked for",
    "payout_paid": "Paid out",
    "payout_returned": "Payout back in the earnings",
    "payout_reversed": "Payout came back",
}


@dataclass(frozen=True)
class Wallet:
    """A store's prepaid money with us, in pesewas, signs turned: free to use, and held for orders
    under way."""

    available_pesewas: int
    held_pesewas: int


@dataclass(frozen=True)
class Sums:
    """Everything that ever came into a wallet and went out of it, in pesewas."""

    in_pesewas: int
    out_pesewas: int

    @property
    def left_pesewas(self) -> int:
        """What must be in the wallet if no line is missing."""
        return self.in_pesewas - self.out_pesewas


@dataclass(frozen=True)
class Books:
    """The proof: the sum of all entries (0), how many there are, and what does not fit (both
    empty)."""

    total_pesewas: int
    entries: int
    postings: int
    unbalanced: tuple[int, ...]
    drifted: tuple[str, ...]

    @property
    def hold(self) -> bool:
        return self.total_pesewas == 0 and not self.unbalanced and not self.drifted


def wallet() -> Wallet:
    """The wallet of the current store."""
    return wallet_of(current_store_id())


def wallet_of(store_id: int) -> Wallet:
    """The wallet of a store this work may see."""
    return wallet_by(db.session.execute(accounts_of(store_id)))


def accounts_of(store_id: int | ColumnElement[int]) -> Select[str, int]:
    """The accounts of a store, which `wallet_by` reads."""
    return select(Account.name, Account.balance_pesewas).where(
        Account.store_id == store_id
    )


def wallet_by(rows: Iterable[Any]) -> Wallet:
    """A wallet by the rows of `accounts_of`."""
    balances = {row.name: row.balance_pesewas for row in rows}
    return Wallet(-balances.get("wallet", 0), -balances.get("held", 0))


def sums() -> Sums:
    """What came into the wallet of the current store and went out of it, as kept with each
    posting: that these are the sums of its lines is a rule of the proof."""
    # a credit account: what comes in is on its credit side
    row = db.session.execute(
        select(Account.credits_pesewas, Account.debits_pesewas).where(
            Account.store_id == current_store_id(), Account.name == "wallet"
        )
    ).one()
    return Sums(row.credits_pesewas, row.debits_pesewas)


@needs_across_stores
def platform_balances() -> dict[str, int]:
    """The platform's accounts, signs turned for credit accounts."""
    return balances_by(db.session.execute(platform_accounts()))


def platform_accounts() -> Select[str, int]:
    """The platform's accounts, which `balances_by` reads."""
    return select(Account.name, Account.balance_pesewas).where(
        Account.store_id.is_(None)
    )


def balances_by(rows: Iterable[Any]) -> dict[str, int]:
    """As `platform_balances`, by the rows of `platform_accounts`."""
    return {
        name: -balance if name in CREDIT_ACCOUNTS else balance for name, balance in rows
    }


def postings_of(order_id: int) -> list[WithLegs]:
    """An order's postings with their legs (account, signed pesewas), oldest first; a store sees its
    own legs only."""
    ids = db.session.scalars(select(Posting.id).where(Posting.order_id == order_id))
    return list(legs_of(ids.all()).values())


def postings_hung_on(subjects: Collection[str], order_id: int | None) -> list[WithLegs]:
    """The same of what hangs on these subjects, or on an order."""
    of: ColumnElement[bool] = Posting.subject.in_(subjects)
    if order_id is not None:
        of = or_(of, Posting.order_id == order_id)
    return list(
        legs_of(db.session.scalars(select(Posting.id).where(of)).all()).values()
    )


@needs_across_stores
def in_flight_of(order_id: int) -> int:
    """What the supplier holds for one order by our books, in pesewas."""
    found = db.session.scalar(
        select(func.sum(Entry.amount_pesewas))
        .join(Account, Account.id == Entry.account_id)
        .join(Posting, Posting.id == Entry.posting_id)
        .where(Posting.order_id == order_id, Account.name == "in_flight")
    )
    return int(found or 0)


def legs_of(posting_ids: Collection[int]) -> dict[int, WithLegs]:
    """Postings by id, each with its legs (account, signed pesewas)."""
    postings = db.session.scalars(
        select(Posting).where(Posting.id.in_(posting_ids)).order_by(Posting.id)
    ).all()
    found: dict[int, WithLegs] = {}
    for posting in postings:
        found[posting.id] = (posting, [])
    rows = db.session.execute(
        select(Entry.posting_id, Account.name, Entry.amount_pesewas)
        .join(Account, Account.id == Entry.account_id)
        .where(Entry.posting_id.in_(found))
        .order_by(Entry.id)
    )
    for posting_id, name, amount in rows:
        _posting, legs = found[posting_id]
        legs.append((name, amount))
    return found


@needs_across_stores
def books() -> Books:
    """Prove the books: every posting sums to zero, every cached balance is the sum of its entries.

    Reads everything in one snapshot, so run it by timer or on demand, not on every page.
    """
    session = db.session
    total, entries = session.execute(
        text("SELECT coalesce(sum(amount_pesewas), 0), count(*) FROM entries")
    ).one()
    postings = session.execute(text("SELECT count(*) FROM postings")).scalar_one()
    unbalanced = session.execute(
        text(
            "SELECT posting_id FROM entries GROUP BY posting_id HAVING sum(amount_pesewas) <> 0"
            " ORDER BY 1 LIMIT 20"
        )
    ).scalars()
    drifted = session.execute(
        text(
            "SELECT a.name || coalesce(' of store ' || a.store_id, '') FROM accounts a LEFT JOIN"
            " (SELECT account_id, sum(amount_pesewas) AS total FROM entries GROUP BY account_id) e"
            " ON e.account_id = a.id WHERE a.balance_pesewas <> coalesce(e.total, 0) ORDER BY 1"
            " LIMIT 20"
        )
    ).scalars()
    return Books(
        int(total),
        entries,
        postings,
        tuple(unbalanced),
        tuple(drifted),
    )


@needs_across_stores
def held_total() -> int:
    """All money held for orders under way, in pesewas: of the stores that have one, since the
    proof of the books says that no other store holds any."""
    return int(db.session.scalar(text(HELD)) or 0)


HELD = (
    "SELECT coalesce(-sum(balance_pesewas), 0) AS pesewas FROM accounts WHERE name = 'held'"
    " AND store_id IN (SELECT store_id FROM orders WHERE state IN"
    " ('queued', 'submitting', 'processing', 'failed'))"
)
"""The statement of `held_total`."""


@needs_across_stores
def stores_total() -> tuple[int, int]:
    """What is in all wallets, and held of all stores, in pesewas. Reads every account: for the page
    that shows the books."""
    row = db.session.execute(
        text(
            "SELECT coalesce(-sum(balance_pesewas) FILTER (WHERE name = 'wallet'), 0),"
            " coalesce(-sum(balance_pesewas) FILTER (WHERE name = 'held'), 0)"
            " FROM accounts WHERE store_id IS NOT NULL"
        )
    ).one()
    return int(row[0]), int(row[1])
