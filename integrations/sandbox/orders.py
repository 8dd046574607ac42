"""Orders: buying one, finding one, and moving its status with the money that goes with it.

Decides what each move does to the wallet. Envelopes, faults and webhooks are left to the callers.
"""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import asdict, dataclass, replace

from integrations.sandbox.store import Store, insert, move_money

GIVEN_BACK = ("failed", "reversed")
"""States an order is revived from: leaving them may charge the wallet again."""


class InsufficientBalance(Exception):
    """The wallet holds less than the price. Carries the amounts in pesewas."""

    def __init__(self, required_pesewas: int, current_pesewas: int) -> None:
        super().__init__("insufficient balance")
        self.required_pesewas = required_pesewas
        self.current_pesewas = current_pesewas


class DuplicateReference(Exception):
    """Somebody, not always this account, has used the reference."""


class UnknownOrder(LookupError):
    """No order of this account has that reference."""


@dataclass(frozen=True)
class Purchase:
    """What is to be bought, checked already. `capacity` and `beneficiary` keep the caller's
    spelling."""

    reference: str
    product_name: str
    product_code: str
    capacity: str
    validity: str
    beneficiary: str
    amount_pesewas: int


@dataclass(frozen=True)
class Order:
    """One order. `paid_pesewas` is what the wallet is out of pocket for it now; times in epoch
    seconds."""

    id: int
    transaction_id: str
    account_id: int
    reference: str
    product_name: str
    product_code: str
    capacity: str
    validity: str
    beneficiary: str
    amount_pesewas: int
    paid_pesewas: int
    status: str
    created_at: float
    changed_at: float
    visible_at: float
    completed_at: float | None
    failure_reason: str | None


@dataclass(frozen=True)
class Move:
    """A finished change of status."""

    order: Order
    old_status: str
    refunded_pesewas: int = 0
    charged_pesewas: int = 0

    @property
    def changed(self) -> bool:
        return self.order.status != self.old_status


def check(
    store: Store,
    account_id: int,
    purchase: Purchase,
    *,
    dedupe: bool,
) -> None:
    """Balance first, then the reference, as the supplier does. Raises InsufficientBalance or
    DuplicateReference."""
    balance_pesewas = store.account(account_id).balance_pesewas
    if balance_pesewas < purchase.amount_pesewas:
        raise InsufficientBalance(purchase.amount_pesewas, balance_pesewas)
    if dedupe and is_taken(store, purchase.reference):
        raise DuplicateReference(purchase.reference)


def buy(
    store: Store,
    account_id: int,
    purchase: Purchase,
    *,
    dedupe: bool = True,
    lookup_lag_s: float = 0.0,
) -> Order:
    """Charge the wallet and write the order, in one transaction. Raises as `check` does."""
    now = store.clock.now()
    with store.change() as db:
        check(store, account_id, purchase, dedupe=dedupe)
        values = {
            **asdict(purchase),
            "transaction_id": f"{int(now):08x}{secrets.token_hex(8)}",
            "account_id": account_id,
            "paid_pesewas": purchase.amount_pesewas,
            "status": "pending",
            "created_at": now,
            "changed_at": now,
            "visible_at": now + lookup_lag_s if lookup_lag_s else 0.0,
            "completed_at": None,
            "failure_reason": None,
        }
        order_id = insert(db, "orders", values)
        move_money(
            db,
            account_id,
            "charge",
            "purchase",
            purchase.reference,
            -purchase.amount_pesewas,
            now,
        )
    return Order(id=order_id, **values)


def is_taken(store: Store, reference: str) -> bool:
    """References are unique across all resellers."""
    return bool(
        store.rows("SELECT 1 FROM orders WHERE reference = ? LIMIT 1", reference)
    )


def find(
    store: Store, account_id: int, reference: str, *, hidden: bool = False
) -> Order | None:
    """The oldest order of this account with that reference; `hidden` also finds those not yet
    visible."""
    visible_by = 1e18 if hidden else store.clock.now()
    found = store.rows(
        "SELECT * FROM orders WHERE account_id = ? AND reference = ? AND visible_at <= ? ORDER BY"
        " id LIMIT 1",
        account_id,
        reference,
        visible_by,
    )
    if found:
        return Order(**found[0])
    return None


def newest(
    store: Store, account_id: int, *, limit: int, offset: int = 0
) -> list[Order]:
    """Newest first."""
    found = store.rows(
        "SELECT * FROM orders WHERE account_id = ? ORDER BY id DESC LIMIT ? OFFSET ?",
        account_id,
        limit,
        offset,
    )
    return [Order(**row) for row in found]


def due(
    store: Store, status: str, changed_before: float, *, limit: int = 200
) -> list[Order]:
    """Orders of any account that have had this status since before that time, oldest first."""
    found = store.rows(
        "SELECT * FROM orders WHERE status = ? AND changed_at <= ? ORDER BY changed_at, id LIMIT ?",
        status,
        changed_before,
        limit,
    )
    return [Order(**row) for row in found]


def move(
    store: Store,
    order: Order,
    status: str,
    *,
    refund: bool | None = None,
    reason: str = "Could not be delivered by the network",
    charge_again: str = "if_refunded",
    reason_lingers: bool = False,
    cause: str = "admin",
) -> Move:
    """Give the order another status, with its money effect; the same status again changes nothing.

    `refund=None` follows the supplier: a reversal and a successful order that failed are refunded,
    a pending or sent order failed by hand is not. Raises ValueError when a revived order cannot be
    paid.
    """
    now = store.clock.now()
    with store.change() as db:
        old = _reload(db, order.id)
        if old.status == status:
            return Move(old, status)
        charged = _charge_again(old, status, charge_again)
        refunded = _refund(old, status, refund)
        if charged:
            move_money(
                db, old.account_id, "charge", "requeue", old.reference, -charged, now
            )
        if refunded:
            move_money(
                db, old.account_id, "refund", cause, old.reference, refunded, now
            )
        new = replace(
            old,
            status=status,
            changed_at=now,
            paid_pesewas=old.paid_pesewas + charged - refunded,
            completed_at=now if status in ("successful", "completed") else None,
            failure_reason=(
                reason
                if status == "failed"
                else old.failure_reason
                if reason_lingers
                else None
            ),
        )
        db.execute(
            "UPDATE orders SET status = ?, changed_at = ?, paid_pesewas = ?, completed_at = ?,"
            " failure_reason = ? WHERE id = ?",
            (
                new.status,
                new.changed_at,
                new.paid_pesewas,
                new.completed_at,
                new.failure_reason,
                new.id,
            ),
        )
    return Move(new, old.status, refunded, charged)


def _charge_again(old: Order, status: str, rule: str) -> int:
    if old.status not in GIVEN_BACK or status in GIVEN_BACK:
        return 0
    if rule == "always" or old.paid_pesewas < old.amount_pesewas:
        return old.amount_pesewas
    return 0


def _refund(old: Order, status: str, refund: bool | None) -> int:
    if status not in GIVEN_BACK:
        return 0
    if refund is None:
        refund = status == "reversed" or old.status in ("successful", "completed")
    return old.paid_pesewas if refund else 0


def _reload(db: sqlite3.Connection, order_id: int) -> Order:
    row = db.execute("SELECT * FROM orders WHERE id = ?", (order_id,)).fetchone()
    if row is None:
        raise UnknownOrder(order_id)
    return Order(**row)
