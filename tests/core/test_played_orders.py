"""Test orders: who may have how many, what the database refuses of them, and that nothing real
counts them."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from admin_console import figures, store_figures
from core import (
    audit,
    catalog,
    day_summary,
    ledger,
    notices,
    orders,
    payments,
    store_list,
)
from core.audit import Actor
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.orders import Order, estimates, minding, owing, testing
from core.orders.real import RECIPIENT
from core.payments import judging
from core.proof import rules
from core.reconcile import renewing, suspects
from core.reconcile.doubts import doubts
from core.supplier import records, supply
from edge import metric_figures
from tests.support.claims import claim_one
from tests.support.messages import received

AMA = Actor("agent", "Ama")
InStore = Callable[[str, Callable[[], Any]], Any]
_keys = itertools.count(1)


def make(ending: str = "delivered", key: str = "", bundle_id: int = 0) -> Order:
    """A test order of the current store."""
    return testing.make(
        bundle_id or catalog.shelf()[0].bundle_id,
        ending,
        key or f"test/{next(_keys):020}",
        AMA,
    ).order


def bring(order: Order, *states: str) -> None:
    """Process it, and have it moved as its worker would."""
    orders.release(order.code, AMA)
    if not states:
        return
    assert orders.claim_test(order.id) is not None
    for state in states:
        assert orders.advance(order.id, state, text="-")  # type: ignore[arg-type]


class TestMaking:
    def test_it_is_a_pending_order_without_pay_code_and_of_nobody_s_number(
        self, as_store: InStore
    ) -> None:
        order = as_store("ama", make)
        assert (order.state, order.is_test, order.test_ending) == (
            "pending",
            True,
            "delivered",
        )
        assert order.pay_code is None and order.recipient_msisdn == RECIPIENT
        assert order.order_ref.startswith("TEST-")

    def test_a_store_that_is_closed_or_hidden_makes_one_too(
        self, superuser: Any, as_store: InStore
    ) -> None:
        superuser.execute("UPDATE stores SET status = 'closed', approval = 'waiting'")
        assert as_store("ama", make).is_test

    def test_the_same_key_is_the_same_order_and_one_line_of_the_audit(
        self, as_store: InStore, in_store: InStore, context: Flask
    ) -> None:
        first = as_store("ama", lambda: make(key="test/twice"))
        again = as_store("ama", lambda: make(key="test/twice"))
        assert first.id == again.id
        with tenancy.across_stores():
            lines = [one for one in audit.recent(50) if one.action == "make_test_order"]
        assert [one.detail["ending"] for one in lines] == ["delivered"]

    def test_no_more_than_so_many_a_day_whoever_presses_at_once(
        self, superuser: Any, as_store: InStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(testing.MOST_A_DAY - 1):
            as_store("ama", make)
        refused: list[str] = []
        both_counted, count = threading.Barrier(2), testing.made_since

        def counted(moment: Any) -> int:
            found = count(moment)
            with contextlib.suppress(threading.BrokenBarrierError):
                both_counted.wait(0.5)  # the other cannot come while this one counts
            return found

        def one() -> None:
            try:
                as_store("ama", make)
            except orders.OrderRefused as refusal:
                refused.append(refusal.sentence)

        with monkeypatch.context() as patch:
            patch.setattr(testing, "made_since", counted)
            both = [threading.Thread(target=one) for _ in range(2)]
            for thread in both:
                thread.start()
            for thread in both:
                thread.join()
        assert len(refused) == 1 and "10 test orders today" in refused[0]
        assert as_store("kofi", make).is_test, "each store by itself"
        superuser.execute(
            "UPDATE orders SET created_at = created_at - interval '1 day'"
        )
        assert as_store("ama", make).is_test

    def test_what_makes_no_sense_is_a_sentence(self, as_store: InStore) -> None:
        for wrong in (
            lambda: make("explodes"),
            lambda: make(bundle_id=999_999),
        ):
            with pytest.raises(orders.OrderRefused, match=r"Choose"):
                as_store("ama", wrong)


class TestTheDatabaseRefuses:
    """Past the program's own rules, as the platform's role and as the tables' owner."""

    def test_money(self, ama: int) -> None:
        order = make()
        with pytest.raises(DBAPIError, match="moves no money"), transaction():
            ledger.hold(order, order.agent_price_pesewas, AMA)
        assert ledger.postings_of(order.id) == []

    def test_money_booked_by_a_page(self, as_store: InStore) -> None:
        def deed() -> None:
            order = make()
            with transaction():
                ledger.hold(order, order.agent_price_pesewas, AMA)

        with pytest.raises(DBAPIError, match="moves no money"):
            as_store("ama", deed)

    @pytest.mark.parametrize(
        "change",
        [
            "is_test = false, test_ending = NULL, order_ref = 'MK-1'",
            "test_ending = 'failed'",
            "charged_pesewas = 1",
            "pay_code = '123455'",
            "told_at = now()",
            "missing_since = now()",
            "given_back_at = now()",
            "estimate_minutes = 5",
            "ever_unknown = true",
            "order_ref = 'MK-1'",
            "recipient_msisdn = '+233241234567'",
        ],
    )
    def test_any_change_that_would_make_it_real(
        self, ama: int, postgres: dict[str, str], change: str
    ) -> None:
        order = make()
        with psycopg.connect(postgres["admin"]) as owner, pytest.raises(psycopg.Error):
            owner.execute("SELECT set_config('makola.scope', 'all', true)")
            owner.execute(f"UPDATE orders SET {change} WHERE id = %s", [order.id])  # type: ignore[arg-type]

    def test_a_real_order_that_becomes_a_test(
        self, ama: int, place: Any, postgres: dict[str, str]
    ) -> None:
        change = (
            "UPDATE orders SET is_test = true, test_ending = 'delivered', order_ref = 'TEST-1',"
            f" recipient_msisdn = '{RECIPIENT}', pay_code = NULL, estimate_minutes = NULL WHERE id = %s"
        )
        with (
            psycopg.connect(postgres["admin"]) as owner,
            pytest.raises(psycopg.Error, match="from its first moment or never"),
        ):
            owner.execute("SELECT set_config('makola.scope', 'all', true)")
            owner.execute(change, [place().id])  # type: ignore[arg-type]

    def test_a_call_to_the_supplier_with_its_reference(self, ama: int) -> None:
        order = make()
        with pytest.raises(DBAPIError, match="of_real_orders"):
            records.record_call(
                endpoint="status", order_refs=(order.order_ref,), values=CALL
            )
        with pytest.raises(DBAPIError, match="of_real_orders"), transaction():
            records.open_purchase_call(["MK-1", order.order_ref], None)

    def test_a_payment(self, as_store: InStore) -> None:
        def deed() -> None:
            order = make()
            payments.paste(received(500, 10_000, order.code), "024 000 0000", AMA)
            change = "UPDATE payment_messages SET order_id = :id"
            with transaction():
                db.session.execute(text(change), {"id": order.id})

        with pytest.raises(DBAPIError, match="moves no money"):
            as_store("ama", deed)


CALL = {
    "at": clock.now(),
    "supplier": "datamart",
    "method": "GET",
    "path": "/",
    "outcome": "ok",
}


class TestNothingRealCountsIt:
    def test_what_a_store_earned_and_its_customers(
        self, as_store: InStore, in_store: InStore, superuser: Any
    ) -> None:
        def deed() -> None:
            bring(make(), "processing", "completed")

        in_store("ama", deed)
        for table in ("store_days", "customers"):
            assert superuser.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        with pytest.raises(minding.BadBlock, match="test order"):
            as_store("ama", lambda: minding.block_of_order(_newest().code, "why", AMA))

    def test_what_is_open_with_customers_and_what_goes(
        self, ama: int, using: Any
    ) -> None:
        using(undo_s=5)
        was = owing.owing(), orders.free_pesewas()
        make()
        for states in ((), ("processing",), ("failed",), ("failed", "refunded")):
            bring(make(), *states)
        waiting = orders.process(make().code, AMA)
        assert waiting.release_at is not None
        cancelled = make()
        orders.process(cancelled.code, AMA)
        orders.undo(cancelled.code, AMA)
        orders.cancel(cancelled.code, AMA)
        assert (owing.owing(), orders.free_pesewas()) == was
        assert orders.going_pesewas() == 0
        counts = orders.tab_counts()
        assert (counts["back"], counts["paid"]) == (0, 0)
        ended = [orders.by_id(cancelled.id), _newest("refunded")]
        assert [orders.tab_of(order) for order in ended] == ["done", "done"]

    def test_a_wallet_that_ends_holds_none_up(
        self, ama: int, place: Any, superuser: Any, using: Any
    ) -> None:
        codes = [place().code, make().code]
        superuser.execute(
            "UPDATE orders SET price_pesewas = 9000000, agent_price_pesewas = 9000000"
        )
        found = orders.release_many(codes, AMA)
        assert [one.became for one in found] == ["short", "moved"]
        using(undo_s=5)
        codes[1] = make().code
        superuser.execute(
            "UPDATE orders SET price_pesewas = 9000000, agent_price_pesewas = 9000000"
            " WHERE state = 'pending'"
        )
        found = orders.process_many(codes, AMA)
        assert [one.became for one in found] == ["short", "moved"]

    def test_the_supplier_s_side(self, ama: int) -> None:
        with tenancy.across_stores():
            was = doubts(), renewing.free_pesewas(supply.state())
        bring(make())
        bring(make("failed"), "failed")
        claimed = make()
        orders.release(claimed.code, AMA)
        orders.claim_test(claimed.id)
        done = make()
        bring(done, "processing", "completed")
        with tenancy.across_stores():
            now = doubts(), renewing.free_pesewas(supply.state())
            assert now == was
            assert orders.ready_to_buy(10) == []
            assert suspects.codes(-done.cost_pesewas) == ""
            assert suspects.codes(done.cost_pesewas) == ""
            assert orders.note_restore(told=True) == 0
            with transaction():
                tables = [orders.claim_together([one.id]) for one in _queued()]
            assert tables == [[]], "a claim that buys takes no test order"
            assert orders.due_turns()[1] == ["free"]
            assert rules.broken()[1] == []

    def test_figures_of_the_console_and_the_metrics(self, ama: int) -> None:
        def told() -> Any:
            with tenancy.across_stores():
                seen = figures.at_once()
                per_state = db.session.execute(figures.by_state()).all()
                shops = store_figures.store_lines(store_list.all_stores())
                metrics = [list(one.samples) for one in metric_figures.of_orders()]
                today = [one.orders_today for one in shops]
                return seen.day, seen.stuck, per_state, today, metrics

        was = told()
        bring(make("failed"), "failed")
        bring(make(), "processing", "completed")
        make()
        assert told() == was

    def test_how_long_deliveries_take(
        self, ama: int, place: Any, in_store: InStore
    ) -> None:
        real = place()
        orders.release(real.code, AMA)
        claim_one(real.id)
        assert orders.advance(real.id, "completed", text="-")
        for _ in range(3):
            bring(make(), "processing", "completed")
        in_store("kofi", lambda: bring(make(), "processing", "completed"))
        with tenancy.across_stores():
            estimates.renew()
            counted = "SELECT sum(counted) FROM delivery_estimates"
            assert db.session.scalar(text(counted)) == 1
            records = "SELECT store_id, delivered FROM store_records"
            assert db.session.execute(text(records)).all() == [(ama, 1)]

    def test_the_news_and_the_day(self, ama: int, clocks: Any) -> None:
        for states in (("processing", "completed"), ("processing", "failed")):
            bring(make(), *states)
        make()
        one, _before = day_summary.of(day_summary.today())
        assert (one.came, one.failed, sum(hour.orders for hour in one.hours)) == (
            0,
            0,
            0,
        )
        clocks.pass_by(100_000)
        kinds = {notice.kind for notice in notices.reading.listed()}
        assert kinds.isdisjoint({"new", "paid", "late", "failed"})

    def test_a_payment_finds_no_test_order(self, as_store: InStore) -> None:
        def deed() -> None:
            order = make()
            said = received(order.price_pesewas, 10_000, order.code)
            found = payments.paste(said, "024 000 0000", AMA)
            assert found.matched == 0
            (message,) = db.session.scalars(select(payments.PaymentMessage))
            assert judging.by_code([message]) == {}
            assert judging.suggestions(message) == []
            with pytest.raises(payments.NotMatched, match="test order"):
                payments.accept(message.id, order.code, AMA)

        as_store("ama", deed)


def _newest(state: str = "completed") -> Order:
    return next(order for order in testing.newest() if order.state == state)


def _queued() -> list[Order]:
    return list(db.session.scalars(select(Order).where(Order.state == "queued")))
