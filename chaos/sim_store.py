"""What the simulation reads of our books and orders to judge them: from its own database, or from PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from typing import Any, Protocol

from chaos import sim_tables
from chaos.sim_memory import Session
from core import db, ledger
from core.audit import SYSTEM
from core.cases import Case
from core.catalog import Bundle
from core.ledger import Account, Entry, Posting
from core.orders import Order
from core.outbox import OutboxRow
from integrations.ports import Supplier

Row = dict[str, Any]
Listeners = dict[type, Callable[[Row | None, Row], None]]


class Store(Protocol):
    """One view for both databases. Amounts in pesewas."""

    session: Any
    store_id: int

    def seed(self, orders: list[Row], bundles: list[Row]) -> list[int]: ...
    def serve(self, supplier: Supplier) -> None: ...
    def listen(self, listeners: Listeners) -> None: ...
    def wrote(self) -> None: ...
    def open_books(self, float_pesewas: int, wallet_pesewas: int) -> None: ...
    def fund_float(self, pesewas: int) -> None: ...
    def plant_unbalanced(self) -> None: ...
    def process(self) -> AbstractContextManager[None]: ...
    def state_of(self, code: str) -> str: ...
    def orders(self) -> list[Row]: ...
    def order(self, order_id: int) -> Row: ...
    def orders_in_cases(self) -> set[int]: ...
    def paid(self, order_id: int) -> int: ...
    def float_pesewas(self) -> int: ...
    def next_due(self) -> datetime | None: ...
    def may_be_back(self) -> int: ...
    def open_session(self) -> Any: ...


class MemoryStore:
    """The rows of the simulation's own database."""

    store_id = 1

    def __init__(self) -> None:
        self.database = sim_tables.fresh()
        self.session = Session(self.database)
        self._orders = self.database.all(Order)
        self._outbox = self.database.all(OutboxRow)
        self._accounts = self.database.all(Account)
        self._next_due: tuple[datetime | None] | None = None

    def open_session(self) -> Session:
        return Session(self.database)

    def process(self) -> AbstractContextManager[None]:
        return nullcontext()

    def serve(self, supplier: Supplier) -> None:
        """`sim_seams.FakeApp` finds it in the world."""

    def listen(self, listeners: Listeners) -> None:
        for cls, tell in listeners.items():
            self.database.tell[self.database.by_class[cls]].append(tell)
        self.database.tell[self.database.by_class[OutboxRow]].append(self._forget_due)

    def _forget_due(self, _before: Row | None, _after: Row) -> None:
        self._next_due = None

    def wrote(self) -> None:
        """A transaction is over; the listeners know more."""

    def open_books(self, float_pesewas: int, wallet_pesewas: int) -> None:
        self.fund_float(float_pesewas)
        ledger.fund_wallet(self.store_id, wallet_pesewas, "paid in", SYSTEM)

    def fund_float(self, pesewas: int) -> None:
        fund_float(pesewas)

    def plant_unbalanced(self) -> None:
        with suppress(sim_tables.RuleBroken):
            plant_unbalanced(self.store_id)

    def seed(self, orders: list[Row], bundles: list[Row]) -> list[int]:
        """Pending orders of one store, what they are of, and the store's accounts."""
        for cls, rows in ((Order, orders), (Bundle, bundles)):
            table = self.database.by_class[cls]
            for row in rows:
                extra = {"store_id": self.store_id} if cls is Order else {"offer_id": 1, "validity": "30 days"}
                self.database.rows[table][row["id"]] = table.filled(row | extra)
        table = self.database.by_class[Account]
        for name in ("wallet", "held"):
            number = len(self._accounts) + 1
            self._accounts[number] = table.filled(
                {"id": number, "name": name, "store_id": self.store_id, "balance_pesewas": 0}
            )
        self.database.numbers[table] = len(self._accounts)
        self._by_code = {row["code"]: row["id"] for row in orders}
        return [row["id"] for row in orders]

    def state_of(self, code: str) -> str:
        return str(self._orders[self._by_code[code]]["state"])

    def orders(self) -> list[Row]:
        return list(self._orders.values())

    def order(self, order_id: int) -> Row:
        return self._orders[order_id]

    def orders_in_cases(self) -> set[int]:
        return {row["order_id"] for row in self.database.all(Case).values() if row["closed_at"] is None}

    def cases_of(self, order_id: int) -> list[str]:
        return sorted(row["kind"] for row in self.database.of(Case, f"order:{order_id}"))

    def paid(self, order_id: int) -> int:
        postings = {row["id"] for row in self.database.of(Posting, order_id)}
        account = self._account("supplier_float")
        return -sum(
            row["amount_pesewas"] for row in self.database.of(Entry, account["id"]) if row["posting_id"] in postings
        )

    def postings_of(self, order_id: int) -> list[tuple[str, int]]:
        return sorted((row["kind"], row["n"]) for row in self.database.of(Posting, order_id))

    def float_pesewas(self) -> int:
        return int(self._account("supplier_float")["balance_pesewas"])

    def balances(self) -> dict[str, int]:
        return {row["name"]: row["balance_pesewas"] for row in self._accounts.values()}

    def next_due(self) -> datetime | None:
        if self._next_due is None:
            self._next_due = (self._earliest(),)
        return self._next_due[0]

    def _earliest(self) -> datetime | None:
        moments = [
            row["due_at"] if row["lease_until"] is None else max(row["due_at"], row["lease_until"])
            for row in self._outbox.values()
            if row["done_at"] is None
        ]
        return min(moments, default=None)

    def may_be_back(self) -> int:
        """`reconcile._may_be_back`, whose SQL is PostgreSQL's own."""
        waiting = {
            row["order_id"]
            for row in self.database.all(Case).values()
            if row["kind"] == "supplier_money" and row["closed_at"] is None
        }
        total = 0
        for row in self._orders.values():
            if row["state"] == "failed" or row["id"] in waiting:
                kinds = [kind for kind, _n in self.postings_of(row["id"])]
                if kinds.count("commit") > kinds.count("supplier_refund"):
                    total += row["charged_pesewas"] or 0
        return total

    def _account(self, name: str) -> Row:
        return next(row for row in self._accounts.values() if row["name"] == name)


def fund_float(pesewas: int) -> None:
    """The owner paid money in at the supplier and says so."""
    with db.transaction():
        ledger.fund_float(pesewas, "announced", SYSTEM)


def plant_unbalanced(store_id: int) -> None:
    """Try to write a posting that does not sum to zero. The database must refuse it."""
    with db.transaction():
        ledger.post("fund_wallet", [("bank", 5), ("wallet", -4)], SYSTEM, store_id=store_id)
