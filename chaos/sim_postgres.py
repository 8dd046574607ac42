"""The same runs on PostgreSQL: the shipped functions with their real queries, rows, locks and triggers.

Only the machine is replaced then (`sim_seams`), so a seed that ends alike here and in memory shows that the simulation's
database answers as the real one does. Slow: for a few seeds with few orders.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
from flask import Flask
from psycopg.rows import dict_row
from sqlalchemy.exc import DBAPIError

from chaos import sim_seams, sim_store
from chaos.sim_store import Listeners, Row
from core import db, ledger, tenancy
from core.audit import SYSTEM
from core.catalog import Bundle
from core.orders import Order
from core.outbox import OutboxRow
from integrations.ports import Supplier

if TYPE_CHECKING:
    from collections.abc import Iterator


class _NoSession:
    """An actor's session is its application context's here."""

    def close(self) -> None: ...


class PostgresStore:
    """The rows of a migrated and seeded database, read over a connection of its own that sees all stores."""

    session = _NoSession()

    def __init__(self, app: Flask, super_url: str, store_id: int) -> None:
        self.app, self.store_id = app, store_id
        self._before = dict(app.extensions)
        app.extensions["redis"] = sim_seams.FakeValkey()
        self._connection: psycopg.Connection[Row] = psycopg.connect(super_url, autocommit=True, row_factory=dict_row)
        self._due: tuple[datetime | None] | None = None
        self._asked: datetime | None = None
        self._at_first = self.balances()

    def close(self) -> None:
        self._connection.close()
        self.app.extensions.update(self._before)

    def serve(self, supplier: Supplier) -> None:
        self.app.extensions["supplier"] = supplier

    def open_session(self) -> _NoSession:
        return self.session

    @contextmanager
    def process(self) -> Iterator[None]:
        with self.app.app_context():
            yield

    def listen(self, listeners: Listeners) -> None:
        """Nobody tells what a commit wrote: here only the end of a run is looked at, and what reaches the supplier."""

    def wrote(self) -> None:
        """A transaction is over."""
        self._due = self._asked = None

    def seed(self, orders: list[Row], bundles: list[Row]) -> list[int]:
        with self._writing() as session:
            offer_id = self._one("SELECT min(id) AS found FROM supplier_offers")
            real = [Bundle(offer_id=offer_id, validity="simulated", **_without(row, "id")) for row in bundles]
            session.add_all(real)
            session.flush()
            made = [
                Order(
                    store_id=self.store_id,
                    idempotency_key=f"sim-{row['code']}",
                    validity="simulated",
                    bundle_id=real[row["bundle_id"] - 1].id,
                    **_without(row, "id", "bundle_id"),
                )
                for row in orders
            ]
            session.add_all(made)
            session.add_all(
                OutboxRow(kind=kind, due_at=sim_store.LONG_AGO, done_at=sim_store.LONG_AGO)
                for kind in sim_store.NOT_ASKED_FOR
            )
            session.flush()
            self.ids = [order.id for order in made]
        return self.ids

    def open_books(self, float_pesewas: int, wallet_pesewas: int) -> None:
        with self._writing():
            ledger.fund_float(float_pesewas - self._at_first["supplier_float"], "so much", SYSTEM)
            more = wallet_pesewas + self._at_first["wallet"]  # a credit account: what is there is negative
            ledger.post("fund_wallet", [("bank", more), ("wallet", -more)], SYSTEM, store_id=self.store_id)

    def fund_float(self, pesewas: int) -> None:
        with self.app.app_context(), tenancy.across_stores():
            sim_store.fund_float(pesewas)

    def plant_unbalanced(self) -> None:
        with self.app.app_context(), tenancy.inside(self.store_id), suppress(DBAPIError):
            sim_store.plant_unbalanced(self.store_id)

    def orders(self) -> list[Row]:
        return self._rows("SELECT * FROM orders WHERE id = ANY(%s) ORDER BY id", self.ids)

    def order(self, order_id: int) -> Row:
        return self._rows("SELECT * FROM orders WHERE id = %s", order_id)[0]

    def state_of(self, code: str) -> str:
        return str(self._one("SELECT state AS found FROM orders WHERE code = %s", code))

    def orders_in_cases(self) -> set[int]:
        return {row["order_id"] for row in self._rows("SELECT order_id FROM cases WHERE closed_at IS NULL")}

    def cases_of(self, order_id: int) -> list[str]:
        rows = self._rows("SELECT kind FROM cases WHERE order_id = %s", order_id)
        return sorted(row["kind"] for row in rows)

    def postings_of(self, order_id: int) -> list[tuple[str, int]]:
        rows = self._rows("SELECT kind, n FROM postings WHERE order_id = %s", order_id)
        return sorted((row["kind"], row["n"]) for row in rows)

    def paid(self, order_id: int) -> int:
        return int(
            self._one(
                "SELECT coalesce(-sum(e.amount_pesewas), 0) AS found FROM entries e "
                "JOIN postings p ON p.id = e.posting_id AND p.order_id = %s "
                "JOIN accounts a ON a.id = e.account_id AND a.name = 'supplier_float'",
                order_id,
            )
        )

    def float_pesewas(self) -> int:
        return self.balances()["supplier_float"]

    def balances(self) -> dict[str, int]:
        """The platform's accounts and this store's."""
        rows = self._rows(
            "SELECT name, balance_pesewas FROM accounts WHERE store_id IS NULL OR store_id = %s", self.store_id
        )
        return {row["name"]: row["balance_pesewas"] for row in rows}

    def next_due(self) -> datetime | None:
        if self._due is None:
            found = self._one("SELECT min(greatest(due_at, lease_until)) AS found FROM outbox WHERE done_at IS NULL")
            self._due = (found,)
        return self._due[0]

    def newest_read_asked(self) -> datetime:
        if self._asked is None:
            rows = self._rows("SELECT created_at FROM outbox WHERE kind = 'refresh_balance' ORDER BY id DESC LIMIT 1")
            self._asked = rows[0]["created_at"] if rows else sim_store.LONG_AGO
        return self._asked

    def funding_seen(self) -> tuple[int, int] | None:
        rows = self._rows(
            "SELECT c.id, coalesce(s.break_pesewas, 0) AS more FROM cases c CROSS JOIN supplier_state s "
            "WHERE c.kind = 'float_funded' AND c.closed_at IS NULL"
        )
        return (rows[0]["id"], rows[0]["more"]) if rows else None

    def buying_is_stopped(self) -> bool:
        return bool(
            self._one("SELECT count(*) AS found FROM cases WHERE kind = 'unexpected_charge' AND closed_at IS NULL")
        )

    def paid_in_by(self, name: str) -> int:
        return int(
            self._one(
                "SELECT coalesce(sum(e.amount_pesewas), 0) AS found FROM entries e "
                "JOIN postings p ON p.id = e.posting_id AND p.actor_name = %s "
                "JOIN accounts a ON a.id = e.account_id AND a.name = 'supplier_float'",
                name,
            )
        )

    def count_postings(self, order_id: int, kind: str) -> int:
        return sum(found == kind for found, _n in self.postings_of(order_id))

    def _writing(self) -> AbstractContextManager[Any]:
        return _all_of(self.app.app_context(), tenancy.across_stores(), db.transaction)

    def _rows(self, query: str, *values: Any) -> list[Row]:
        return self._connection.execute(query, values or None).fetchall()  # type: ignore[call-overload, no-any-return]

    def _one(self, query: str, *values: Any) -> Any:
        return self._rows(query, *values)[0]["found"]


@contextmanager
def _all_of(context: Any, scope: Any, begin: Any) -> Iterator[Any]:
    with context, scope, begin() as session:
        yield session


def _without(row: Row, *names: str) -> Row:
    return {name: value for name, value in row.items() if name not in names}
