"""What the simulation reads of our books and orders to judge them. Amounts in pesewas.

What is asked at each event comes from the journal's rows; what is asked seldom is read over a
connection of its own, that of a superuser, so that no rule of the roles and no policy between
stores hides anything from the checks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from flask import Flask

from core import ledger
from core.audit import SYSTEM
from core.base import db, tenancy
from core.orders import Order
from integrations.ports import Supplier
from tests.proofs import mutants, sim_seams
from tests.proofs.sim_journal import Journal, Listener, Row
from tests.proofs.sim_profile import LONG_AGO


class Store:
    """One store's orders and the platform's books."""

    def __init__(
        self, app: Flask, connection: psycopg.Connection[Any], journal: Journal
    ) -> None:
        self._app, self._connection, self._journal = app, connection, journal
        (self.store_id,) = self._one("SELECT id FROM stores")
        self._paid: Counter[int] = Counter()
        self._open_rows: dict[int, Row] = {}
        self._due: tuple[datetime | None] | None = None
        self._newest_read, self._asked = 0, LONG_AGO
        app.extensions["redis"] = sim_seams.FakeValkey()
        journal.begin(connection)
        self._accounts, self._orders = journal.rows["accounts"], journal.rows["orders"]
        self._postings = journal.rows["postings"]
        self.listen("entries", self._hear_entry)
        self.listen("outbox", self._hear_outbox)

    def serve(self, supplier: Supplier) -> None:
        """Whoever calls the supplier now calls this one."""
        self._app.extensions["supplier"] = supplier

    @contextmanager
    def process(self) -> Iterator[None]:
        """Where a process works: the application's context, with a session of its own."""
        with self._app.app_context():
            yield

    def place(self, orders: list[Row]) -> list[int]:
        """Make pending orders. Returns their ids."""
        bundles = dict(
            self._connection.execute("SELECT mb, id FROM bundles").fetchall()
        )
        with (
            self._app.app_context(),
            tenancy.across_stores(),
            db.transaction() as session,
        ):
            made = [
                Order(
                    store_id=self.store_id,
                    idempotency_key=f"sim-{row['code']}",
                    validity="30 days",
                    bundle_id=bundles[row["mb"]],
                    **row,
                )
                for row in orders
            ]
            session.add_all(made)
            session.flush()
            ids = [order.id for order in made]
        return ids

    def listen(self, table: str, listener: Listener) -> None:
        """Tell `listener` of every row of `table` that is committed. See `sim_journal.Listener`."""
        self._journal.listen(table, listener)

    def fund_wallet(self, pesewas: int) -> None:
        """The agent paid money in."""
        with self._app.app_context(), tenancy.across_stores():
            ledger.fund_wallet(self.store_id, pesewas, "paid in", SYSTEM)

    def fund_float(self, pesewas: int) -> None:
        """The owner paid money in at the supplier and says so."""
        with self._app.app_context(), tenancy.across_stores(), db.transaction():
            ledger.fund_float(pesewas, "announced", SYSTEM)

    def plant_unbalanced(self) -> None:
        """Try to write half a posting, as a superuser. The database must refuse it."""
        self._journal.hear(self._connection)
        mutants.insert_unbalanced(self._connection)
        self._connection.execute("UNLISTEN *")
        self._journal.tell()

    def compare(self) -> None:
        """Raise `sim_journal.Missed` when a commit was not told."""
        self._journal.compare(self._connection)

    # Of the journal

    def _hear_entry(self, _before: Row | None, after: Row) -> None:
        order_id = self._postings[after["posting_id"]]["order_id"]
        if (
            order_id is not None
            and self._accounts[after["account_id"]]["name"] == "supplier_float"
        ):
            self._paid[order_id] -= after["amount_pesewas"]

    def _hear_outbox(self, _before: Row | None, after: Row) -> None:
        self._due = None
        if after["done_at"] is None:
            self._open_rows[after["id"]] = after
        else:
            self._open_rows.pop(after["id"], None)
        # The newest by its number: the clock may have been set back.
        if after["kind"] == "refresh_balance" and after["id"] > self._newest_read:
            self._newest_read = after["id"]
            self._asked = datetime.fromisoformat(after["created_at"])

    def orders(self) -> list[Row]:
        return list(self._orders.values())

    def order(self, order_id: int) -> Row:
        return self._orders[order_id]

    def state_of(self, code: str) -> str:
        return next(
            str(row["state"]) for row in self._orders.values() if row["code"] == code
        )

    def paid(self, order_id: int) -> int:
        """What the supplier keeps of our money for this order, by our books."""
        return self._paid[order_id]

    def count_postings(self, order_id: int, kind: str) -> int:
        rows = self._postings.values()
        return sum(row["kind"] == kind and row["order_id"] == order_id for row in rows)

    def float_pesewas(self) -> int:
        rows = self._accounts.values()
        return next(
            int(row["balance_pesewas"])
            for row in rows
            if row["name"] == "supplier_float"
        )

    def next_due(self) -> datetime | None:
        """When the next row of the outbox may be taken. None when none is open."""
        if self._due is None:
            rows = self._open_rows.values()
            # Texts of one zone: they sort as the moments do.
            moments = [max(row["due_at"], row["lease_until"] or "") for row in rows]
            self._due = (datetime.fromisoformat(min(moments)) if moments else None,)
        return self._due[0]

    def newest_read_asked(self) -> datetime:
        return self._asked

    # Read when asked

    def orders_in_cases(self) -> set[int]:
        found = self._all("SELECT order_id FROM cases WHERE closed_at IS NULL")
        return {order_id for (order_id,) in found}

    def funding_seen(self) -> tuple[int, int] | None:
        """The open question whether the float was funded: its id, and by how much the balance is
        more than expected."""
        found = self._all(
            "SELECT c.id, coalesce(s.break_pesewas, 0) FROM cases c CROSS JOIN supplier_state s "
            "WHERE c.kind = 'float_funded' AND c.closed_at IS NULL"
        )
        return found[0] if found else None  # type: ignore[return-value]

    def buying_is_stopped(self) -> bool:
        return bool(
            self._all(
                "SELECT FROM cases WHERE kind = 'unexpected_charge' AND closed_at IS NULL"
            )
        )

    def paid_in_by(self, name: str) -> int:
        """What this person said was paid in at the supplier."""
        (found,) = self._one(
            "SELECT coalesce(sum(e.amount_pesewas), 0)::bigint FROM entries e "
            "JOIN postings p ON p.id = e.posting_id AND p.actor_name = %s "
            "JOIN accounts a ON a.id = e.account_id AND a.name = 'supplier_float'",
            name,
        )
        return int(found)

    def rounded_pesewas(self) -> int:
        """What was booked as rounding: + gained, − lost."""
        (found,) = self._one(
            "SELECT coalesce(sum(e.amount_pesewas), 0)::bigint FROM entries e "
            "JOIN postings p ON p.id = e.posting_id AND p.kind = 'rounding' "
            "JOIN accounts a ON a.id = e.account_id AND a.name = 'supplier_float'"
        )
        return int(found)

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values or None).fetchall()

    def _one(self, query: str, *values: Any) -> tuple[Any, ...]:
        return self._all(query, *values)[0]
