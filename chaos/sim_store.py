"""What the simulation reads of our books and orders to judge them: from its own database, or from PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from chaos import sim_tables, sim_texts
from chaos.sim_memory import Session
from core import db, ledger
from core.audit import SYSTEM
from core.cases import Case
from core.catalog import Bundle
from core.ledger import Account, Entry, Posting
from core.orders import Order
from core.outbox import OutboxRow
from core.supply import SUPPLIER, SupplierState
from integrations.ports import Supplier

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NOT_ASKED_FOR = ("sync_catalogue", "prove_books")
"""What the relay asks for by the timer and no run is about: done long ago, and not due again (`sim_profile.settings`)."""
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
    def count_postings(self, order_id: int, kind: str) -> int: ...
    def float_pesewas(self) -> int: ...
    def next_due(self) -> datetime | None: ...
    def newest_read_asked(self) -> datetime: ...
    def funding_seen(self) -> tuple[int, int] | None: ...
    def buying_is_stopped(self) -> bool: ...
    def paid_in_by(self, name: str) -> int: ...
    def open_session(self) -> Any: ...


class MemoryStore:
    """The rows of the simulation's own database."""

    store_id = 1

    def __init__(self) -> None:
        self.database = sim_tables.fresh(sim_texts.texts())
        self.session = Session(self.database)
        self._orders = self.database.all(Order)
        self._outbox = self.database.all(OutboxRow)
        self._accounts = self.database.all(Account)
        self._moments: tuple[datetime | None, datetime] | None = None

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
        self._moments = None

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
        table = self.database.by_class[OutboxRow]
        for kind in NOT_ASKED_FOR:
            self.database.numbers[table] += 1
            number = self.database.numbers[table]
            self._outbox[number] = table.filled({"id": number, "kind": kind, "due_at": LONG_AGO, "done_at": LONG_AGO})
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

    def count_postings(self, order_id: int, kind: str) -> int:
        return sum(row["kind"] == kind for row in self.database.of(Posting, order_id))

    def postings_of(self, order_id: int) -> list[tuple[str, int]]:
        return sorted((row["kind"], row["n"]) for row in self.database.of(Posting, order_id))

    def float_pesewas(self) -> int:
        return int(self._account("supplier_float")["balance_pesewas"])

    def balances(self) -> dict[str, int]:
        return {row["name"]: row["balance_pesewas"] for row in self._accounts.values()}

    def next_due(self) -> datetime | None:
        return self._outbox_moments()[0]

    def newest_read_asked(self) -> datetime:
        return self._outbox_moments()[1]

    def _outbox_moments(self) -> tuple[datetime | None, datetime]:
        if self._moments is None:
            due, asked = [], LONG_AGO
            for row in self._outbox.values():
                if row["kind"] == "refresh_balance":
                    asked = row["created_at"]  # ids rise, and rows stay in their order
                if row["done_at"] is None:
                    lease = row["lease_until"]
                    due.append(row["due_at"] if lease is None else max(row["due_at"], lease))
            self._moments = (min(due, default=None), asked)
        return self._moments

    def funding_seen(self) -> tuple[int, int] | None:
        """The open question whether the float was funded: its id, and by how much the balance is more than expected."""
        link = self.database.all(SupplierState).get(SUPPLIER)
        for row in self.database.all(Case).values():
            if row["kind"] == "float_funded" and row["closed_at"] is None and link is not None:
                return row["id"], link["break_pesewas"] or 0
        return None

    def buying_is_stopped(self) -> bool:
        return any(
            row["kind"] == "unexpected_charge" and row["closed_at"] is None for row in self.database.all(Case).values()
        )

    def paid_in_by(self, name: str) -> int:
        """What this person said was paid in at the supplier."""
        postings = {row["id"] for row in self.database.all(Posting).values() if row["actor_name"] == name}
        account = self._account("supplier_float")
        return sum(
            row["amount_pesewas"] for row in self.database.of(Entry, account["id"]) if row["posting_id"] in postings
        )

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
