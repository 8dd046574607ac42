"""The books against a model of them: any sequence of money events, twice, out of order, cut off,
refused.

Hypothesis chooses what happens; real PostgreSQL books it through the ledger's own verbs; a model in
plain Python says what must be there after each step. An observer of its own connection reads what
was committed.

Here it runs as often as the time of the checks allows; `python -m pytest
tests/core/test_ledger_machine.py` with LEDGER_RUNS=300 in the environment is the long form.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import event as note_event
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.exc import DBAPIError

from core import catalog, ledger, orders, stores
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db, transaction
from core.ledger import InsufficientWallet

RUNS, STEPS = int(os.environ.get("LEDGER_RUNS", "25")), 50
SLUGS, ORDERS_EACH = ("ama", "kofi"), 3
PLATFORM = (
    "supplier_float",
    "in_flight",
    "margin",
    "price_variance",
    "bank",
    "write_off",
)
Legs = tuple[tuple[str, int], ...]
Account = tuple[int | None, str]

pesewas = st.integers(1, 60_000)
slug = st.sampled_from(SLUGS)
which = st.integers(0, ORDERS_EACH - 1)


class Cut(Exception):
    """The process dies here."""


@dataclass(frozen=True)
class Known:
    """What the books need to know of an order."""

    id: int
    store_id: int
    code: str


@dataclass(frozen=True)
class Event:
    """One posting asked for: its kind, what it moves, for which order, and which time of its kind
    it is."""

    kind: str
    legs: Legs
    order: Known | None = None
    store_id: int | None = None
    n: int = 1


class Model:
    """The books as they must be: balances, which events of an order happened, and what is
    refused."""

    def __init__(self, balances: dict[Account, int]) -> None:
        self.balances = dict(balances)
        self.done: set[tuple[int, str, int]] = set()
        self.postings = 0

    def count(self, order: Known, kind: str) -> int:
        return sum(
            1
            for order_id, done, _n in self.done
            if (order_id, done) == (order.id, kind)
        )

    def resolved(self, order: Known) -> bool:
        return any(self.count(order, kind) for kind in ("capture", "release"))

    def allows(self, event: Event) -> bool:
        after = self._after(event)
        negative = any(
            balance > 0
            for (_store, name), balance in after.items()
            if name in ("wallet", "held")
        )
        short = after[(None, "in_flight")] < 0
        if sum(amount for _name, amount in event.legs) != 0 or negative or short:
            return False
        if event.order is None:
            return True
        twice = (event.order.id, event.kind, event.n) in self.done
        return not twice and not (
            event.kind in ("capture", "release") and self.resolved(event.order)
        )

    def book(self, event: Event) -> None:
        self.balances = self._after(event)
        self.postings += 1
        if event.order is not None:
            self.done.add((event.order.id, event.kind, event.n))

    def _after(self, event: Event) -> dict[Account, int]:
        after, store_id = (
            dict(self.balances),
            event.order.store_id if event.order else event.store_id,
        )
        for name, amount in event.legs:
            after[(store_id if name in ("wallet", "held") else None, name)] += amount
        return after


class Bench:
    """The real books, put back to their beginning between runs, and the observer."""

    def __init__(self, superuser_url: str) -> None:
        self.observer = psycopg.connect(superuser_url, autocommit=True)
        self.orders = {
            name: [self._order(name, number) for number in range(ORDERS_EACH)]
            for name in SLUGS
        }
        self.store_ids = {
            name: found[0].store_id for name, found in self.orders.items()
        }
        self._empty = (
            "SET session_replication_role = replica; DELETE FROM entries; DELETE FROM postings;"
            " DELETE FROM audit; UPDATE accounts SET balance_pesewas = 0; SET"
            " session_replication_role = origin"
        )

    def empty(self) -> dict[Account, int]:
        """Books without a line. Returns every account's balance."""
        tenancy.clear()
        db.session.remove()
        self.observer.execute(self._empty)
        found = self.observer.execute(
            "SELECT store_id, name, balance_pesewas FROM accounts"
        ).fetchall()
        return {(store_id, name): balance for store_id, name, balance in found}

    def seen(self) -> tuple[int, int, int, dict[Account, tuple[int, int]]]:
        """Committed now: the sum of all entries, postings, postings off balance; each account's
        balance and its sum."""
        rows = self.observer.execute(
            "SELECT a.store_id, a.name, a.balance_pesewas, coalesce(e.total, 0)::bigint FROM"
            " accounts a LEFT JOIN (SELECT account_id, sum(amount_pesewas) AS total FROM entries"
            " GROUP BY 1) e ON e.account_id = a.id"
        ).fetchall()
        total, postings, off = self.observer.execute(
            "SELECT (SELECT coalesce(sum(amount_pesewas), 0) FROM entries)::bigint, (SELECT"
            " count(*) FROM postings), (SELECT count(*) FROM (SELECT 1 FROM entries GROUP BY"
            " posting_id HAVING sum(amount_pesewas) <> 0) AS x)"
        ).fetchone() or (0, 0, 0)
        return (
            total,
            postings,
            off,
            {
                (store_id, name): (balance, sum_)
                for store_id, name, balance, sum_ in rows
            },
        )

    def history_holds(self) -> bool:
        """Whether every entry carries the balance after it, counted along its account's own
        entries."""
        row = self.observer.execute(
            "SELECT bool_and(balance_pesewas = running) FROM (SELECT balance_pesewas,"
            " sum(amount_pesewas) OVER (PARTITION BY account_id ORDER BY id) AS running FROM"
            " entries) AS x"
        ).fetchone()
        return row is None or row[0] in (None, True)

    def resolved_twice(self) -> int:
        row = self.observer.execute(
            "SELECT count(*) FROM (SELECT 1 FROM postings WHERE kind IN ('capture', 'release') AND"
            " order_id IS NOT NULL GROUP BY order_id HAVING count(*) > 1) AS x"
        ).fetchone()
        return int(row[0]) if row else 0

    @staticmethod
    def _order(name: str, number: int) -> Known:
        store = stores.by_slug(name)
        assert store is not None
        with tenancy.inside(store.id):
            made = orders.place(
                bundle_id=catalog.shelf()[0].bundle_id,
                recipient_msisdn=f"+23324700000{number}",
                idempotency_key=f"ledger-machine-{number:04}",
            ).order
            return Known(made.id, made.store_id, made.code)


class Books(RuleBasedStateMachine):
    """Two stores, three orders each. A rule asks for one event; the model says whether it may
    happen."""

    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(self.bench.empty())
        self.last: Event | None = None

    # What happens

    @rule(name=slug, amount=pesewas)
    def deposit(self, name: str, amount: int) -> None:
        store_id = self.bench.store_ids[name]
        with tenancy.across_stores():
            ledger.fund_wallet(store_id, amount, "deposit", SYSTEM)
        self._booked(
            Event(
                "fund_wallet",
                (("bank", amount), ("wallet", -amount)),
                store_id=store_id,
            )
        )

    @rule(name=slug, amount=pesewas)
    def take_back(self, name: str, amount: int) -> None:
        store_id = self.bench.store_ids[name]
        with tenancy.across_stores():
            try:
                ledger.take_back(store_id, amount, "a mistake", SYSTEM)
            except ledger.BadFunding:
                assert amount > -self.model.balances[(store_id, "wallet")]
                return
        self._booked(
            Event(
                "take_back", (("wallet", amount), ("bank", -amount)), store_id=store_id
            )
        )

    @rule(amount=st.integers(-50, 50).filter(bool))
    def rounding(self, amount: int) -> None:
        self._ask(
            Event(
                "rounding", (("supplier_float", amount), ("price_variance", -amount))
            ),
            lambda: ledger.rounding(amount, "", SYSTEM),
        )

    @rule(amount=st.integers(-5_000, 20_000).filter(bool))
    def fund_float(self, amount: int) -> None:
        self._ask(
            Event("fund_float", (("supplier_float", amount), ("bank", -amount))),
            lambda: ledger.fund_float(amount, "", SYSTEM),
        )

    @rule(name=slug, number=which, amount=pesewas)
    def hold(self, name: str, number: int, amount: int) -> None:
        order = self.bench.orders[name][number]
        self._ask(
            Event("hold", (("wallet", amount), ("held", -amount)), order),
            lambda: ledger.hold(order, amount, SYSTEM),
        )

    @rule(name=slug, number=which, amount=pesewas)
    def commit(self, name: str, number: int, amount: int) -> None:
        order = self.bench.orders[name][number]
        n = self.model.count(order, "commit") + 1
        legs = (("in_flight", amount), ("supplier_float", -amount))
        self._ask(
            Event("commit", legs, order, n=n),
            lambda: ledger.commit(order, amount, n, SYSTEM),
        )

    @rule(
        name=slug,
        number=which,
        price=pesewas,
        cost=pesewas,
        charged=st.integers(0, 60_000),
    )
    def capture(
        self, name: str, number: int, price: int, cost: int, charged: int
    ) -> None:
        order = self.bench.orders[name][number]
        legs = (
            ("held", price), ("in_flight", -charged), ("margin", cost - price), ("price_variance",
            charged - cost)
        )  # fmt: skip
        self._ask(
            Event("capture", legs, order),
            lambda: ledger.capture(
                order,
                agent_price_pesewas=price,
                cost_pesewas=cost,
                charged_pesewas=charged,
                actor=SYSTEM,
            ),
        )

    @rule(name=slug, number=which)
    def settle_as_held(self, name: str, number: int) -> None:
        """The usual road, which chance alone would hardly find: capture exactly what is held and in
        flight."""
        order = self.bench.orders[name][number]
        held = -self.model.balances[(order.store_id, "held")]
        in_flight = self.model.balances[(None, "in_flight")]
        if held and in_flight:
            self.capture(name, number, held, in_flight, in_flight)

    @rule(name=slug, number=which, amount=pesewas, all_of_it=st.booleans())
    def release(self, name: str, number: int, amount: int, all_of_it: bool) -> None:
        order = self.bench.orders[name][number]
        if all_of_it:
            amount = -self.model.balances[(order.store_id, "held")] or amount
        self._ask(
            Event("release", (("held", amount), ("wallet", -amount)), order),
            lambda: ledger.release(order, amount, SYSTEM),
        )

    @rule(name=slug, number=which, amount=pesewas, given_up=st.booleans())
    def supplier_refund_or_write_off(
        self, name: str, number: int, amount: int, given_up: bool
    ) -> None:
        order = self.bench.orders[name][number]
        kind = "write_off" if given_up else "supplier_refund"
        n = self.model.count(order, kind) + 1
        to = "write_off" if given_up else "supplier_float"
        verb = ledger.write_off if given_up else ledger.supplier_refund
        self._ask(
            Event(kind, ((to, amount), ("in_flight", -amount)), order, n=n),
            lambda: verb(order, amount, n, SYSTEM, note=""),
        )

    @precondition(lambda self: self.last is not None and self.last.order is not None)
    @rule()
    def the_same_once_more(self) -> None:
        """A late job, a second click, a message delivered twice: the very same event again."""
        assert self.last is not None and self.last.order is not None
        assert not self.model.allows(self.last)
        self._post(self.last)

    @rule(name=slug, number=which, amount=pesewas, lost=st.integers(1, 5))
    def off_balance(self, name: str, number: int, amount: int, lost: int) -> None:
        """A bug of ours that would lose a pesewa."""
        order = self.bench.orders[name][number]
        self._post(
            Event(
                "commit",
                (("in_flight", amount), ("supplier_float", lost - amount)),
                order,
                n=99,
            )
        )

    @rule(
        name=slug,
        number=which,
        amount=pesewas,
        connection_dies=st.sampled_from([False, False, False, True]),
    )
    def crash(self, name: str, number: int, amount: int, connection_dies: bool) -> None:
        """The process, or its connection, dies after everything was written and before the
        commit."""
        order = self.bench.orders[name][number]
        event = Event("hold", (("wallet", amount), ("held", -amount)), order)
        allowed = self.model.allows(event)
        with (
            self._inside(event),
            pytest.raises((Cut, InsufficientWallet, DBAPIError)) as end,
            transaction() as session,
        ):
            ledger.hold(order, amount, SYSTEM)
            assert allowed
            if connection_dies:
                session.connection().invalidate()
            raise Cut
        assert (end.type is Cut) == allowed

    # What must hold after each of them

    @invariant()
    def what_is_committed_is_what_the_model_says(self) -> None:
        total, postings, off_balance, accounts = self.bench.seen()
        assert total == 0
        assert off_balance == 0
        assert postings == self.model.postings
        assert {
            account: balance for account, (balance, _sum) in accounts.items()
        } == self.model.balances
        assert {
            account: sum_ for account, (_balance, sum_) in accounts.items()
        } == self.model.balances
        assert all(
            balance <= 0
            for (_store, name), balance in self.model.balances.items()
            if name in ("wallet", "held")
        )

    def teardown(self) -> None:
        assert self.bench.history_holds()
        assert self.bench.resolved_twice() == 0
        with tenancy.across_stores():
            assert ledger.books().hold

    def _ask(self, event: Event, verb: Callable[[], Any]) -> None:
        """Do it through the ledger's own verb; it must be refused exactly when the model says
        so."""
        allowed = self.model.allows(event)
        try:
            with self._inside(event), transaction():
                verb()
        except (InsufficientWallet, DBAPIError) as refusal:
            assert not allowed, event
            note_event(f"{event.kind} refused: {type(refusal).__name__}")
        else:
            assert allowed, event
            self._booked(event)

    def _post(self, event: Event) -> None:
        """Ask for what no verb would be asked for: it must be refused."""
        with (
            self._inside(event),
            pytest.raises((InsufficientWallet, DBAPIError)),
            transaction(),
        ):
            ledger.post(event.kind, event.legs, SYSTEM, order=event.order, n=event.n)  # type: ignore[arg-type]

    def _booked(self, event: Event) -> None:
        note_event(f"{event.kind} booked")
        self.model.book(event)
        self.last = event

    @contextmanager
    def _inside(self, event: Event) -> Iterator[None]:
        """In the event's store, as a request or job would be; what is the platform's is done across
        stores."""
        with (
            tenancy.inside(event.order.store_id)
            if event.order
            else tenancy.across_stores()
        ):
            yield


@pytest.mark.timeout(1_200)
@pytest.mark.slow(seconds=20)
def test_the_books_are_what_a_model_of_them_says(
    app: Flask, postgres: dict[str, str]
) -> None:
    with app.app_context():
        Books.bench = Bench(postgres["super"])
        try:
            run_state_machine_as_test(
                Books,
                settings=settings(
                    max_examples=RUNS,
                    stateful_step_count=STEPS,
                    deadline=None,
                    print_blob=True,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            tenancy.clear()
            db.session.remove()
            Books.bench.observer.close()
