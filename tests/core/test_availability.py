"""What can be bought now: the answer for every reason, that pages ask nothing else, and what a
random day shows of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from seed import FLOAT_PESEWAS
from sqlalchemy import func, select, text

from core import availability, cases, catalog, ledger, orders, reconcile, stores
from core.audit import SYSTEM, Actor
from core.availability import LINK
from core.base import clock, config, tenancy
from core.base.db import STORE, db, transaction
from core.base.locks import Lock
from core.catalog import Bundle
from core.orders import News, Order
from core.outbox import OutboxRow
from core.supplier import records, supply
from tests.support.claims import claim_one

AMA = Actor("agent", "Ama")
TWENTY_S = 20


@pytest.fixture
def look(app: Flask) -> Callable[[], availability.Now]:
    """A round of the relay, then the answer as a store's page reads it."""

    def looked() -> availability.Now:
        with app.app_context():
            with tenancy.across_stores():
                reconcile.renew()
            store = stores.by_slug("ama")
            assert store is not None
            tenancy.use(store.id)
            try:
                return availability.now()
            finally:
                tenancy.clear()
                db.session.remove()

    return looked


@pytest.fixture
def everywhere(app: Flask) -> Callable[[Callable[[], Any]], Any]:
    def do(deed: Callable[[], Any]) -> Any:
        with app.app_context(), tenancy.across_stores():
            return deed()

    return do


def link(**values: Any) -> None:
    with transaction():
        row = supply.locked_state()
        for name, value in values.items():
            setattr(row, name, value)


def call(
    endpoint: str, status: int | None, *, ago_s: float = 0, open_: bool = False
) -> None:
    """A line of the call log: answered with `status`, without an answer (None), or still under
    way."""
    with transaction() as session:
        at = clock.now() - timedelta(seconds=ago_s)
        session.add(
            records.SupplierCall(
                at=at, supplier="datamart", endpoint=endpoint, method="GET", path="/",
                http_status=status,
                outcome="ok" if status else "no_answer", answered_at=None if open_ else at,
            )
        )  # fmt: skip


def set_float(pesewas: int) -> None:
    with transaction():
        ledger.fund_float(
            pesewas - ledger.platform_balances()["supplier_float"],
            "moved for a test",
            SYSTEM,
        )


def bundles() -> dict[tuple[str, int], Bundle]:
    return {(b.network, b.mb // 1024): b for b in db.session.scalars(select(Bundle))}


def short(
    now: availability.Now, found: dict[tuple[str, int], Bundle]
) -> set[tuple[str, int]]:
    names = {bundle.id: name for name, bundle in found.items()}
    return {names[bundle_id] for bundle_id in now.short}


# The reasons

LINKS: dict[str, dict[str, Any]] = {
    "credentials": {"credentials_refused_since": True},
    "supplier_unreachable": {"unreachable_since": True},
    "breaker": {"breaker_open_until": 30, "breaker_reason": "breaker"},
    "rate": {"closed_until": 300},
}


@pytest.mark.parametrize("reason", LINKS)
def test_each_stop_of_the_line_closes_everything_and_opens_it_again(
    reason, look, everywhere
):
    assert look() == availability.Now()
    began = clock.now()
    wish = {
        name: (
            clock.now()
            if value is True
            else clock.now() + timedelta(seconds=value)
            if isinstance(value, int)
            else value
        )
        for name, value in LINKS[reason].items()
    }
    everywhere(lambda: link(**wish))
    first = look()
    assert first.link is not None and first.link.reason == reason
    assert began <= first.link.since <= clock.now()
    assert all(
        first.why_not(network) == first.link for network in ("mtn", "telecel", "at")
    )
    assert not first.may_promise("mtn")
    assert (
        LINK[reason] in first.link.to_customer
        and f"{first.link.since:%H:%M}" in first.link.to_customer
    )
    assert look().link == first.link  # since when does not move with each look
    everywhere(lambda: link(**dict.fromkeys(wish)))
    assert look() == availability.Now()


def test_a_short_wait_for_the_rate_limit_closes_nothing(look, everywhere):
    everywhere(lambda: link(closed_until=clock.now() + timedelta(seconds=50)))
    assert look() == availability.Now()


def test_an_unexplained_charge_closes_everything_since_the_case(look, everywhere):
    def broken() -> int:
        with transaction():
            return cases.open_case(
                "unexpected_charge", "float", {"difference_pesewas": -500}
            ).id

    case_id = everywhere(broken)
    now = look()
    assert now.link is not None and now.link.reason == "balance_break"
    assert now.link.since == everywhere(lambda: cases.by_id(case_id)).opened_at

    def settled() -> None:
        with transaction() as session:
            cases.close_row(
                session.get_one(cases.Case, case_id), "counted twice", SYSTEM
            )

    everywhere(settled)
    assert look() == availability.Now()


def test_other_open_cases_close_nothing(look, everywhere):
    def open_() -> None:
        with transaction():
            cases.open_case("float_funded", "float", {"difference_pesewas": 500})
            cases.open_case("unknown_word", "word:x", {"word": "x"})

    everywhere(open_)
    assert look() == availability.Now()


def test_an_answer_after_it_was_unreachable_opens_everything(look, everywhere, jump):
    everywhere(lambda: link(unreachable_since=clock.now()))
    assert look().link is not None
    jump(1)
    # a look-up was answered, whatever became of purchases
    everywhere(lambda: call("status", 200))
    assert look() == availability.Now()


def test_a_frozen_supplier_is_found_by_two_calls_without_an_answer(look, everywhere):
    everywhere(lambda: call("purchase", 200, ago_s=90))
    everywhere(lambda: call("purchase", None, ago_s=25, open_=True))
    assert look().link is None  # one slow answer closes no shop
    everywhere(lambda: call("products", None, ago_s=24))
    now = look()
    assert now.link is not None and now.link.reason == "supplier_silent"
    assert now.link.since < clock.now() - timedelta(seconds=24)
    everywhere(lambda: call("balance", 500))  # any answer at all: it is there
    assert look() == availability.Now()


def test_a_purchase_alone_must_be_silent_for_longer(look, everywhere, jump):
    """All workers may hang at the supplier, so that nobody asks a second address; one slow purchase
    is none of that."""
    everywhere(lambda: call("balance", 200, ago_s=90))
    everywhere(lambda: call("purchase", None, open_=True))
    jump(config.current().silent_purchase_s - 1)
    assert look().link is None
    jump(2)
    assert look().link.reason == "supplier_silent"
    everywhere(lambda: call("status", 200))
    assert look() == availability.Now()


def test_silence_must_last(look, everywhere, jump):
    everywhere(lambda: call("balance", None, ago_s=2))
    everywhere(lambda: call("products", None, ago_s=1))
    assert look().link is None
    jump(TWENTY_S)
    assert look().link is not None


def test_only_the_balance_without_an_answer_closes_nothing_and_asks_another(
    look, everywhere
):
    """A balance that cannot be read is no frozen supplier: our books decide, and something else is
    asked."""
    for ago_s in (900, 600, 300):
        everywhere(lambda ago_s=ago_s: call("balance", None, ago_s=ago_s))
    assert everywhere(reconcile.renew) == "products"
    assert look() == availability.Now()


def test_a_balance_read_long_ago_leaves_the_books_to_decide(look, everywhere, jump):
    everywhere(lambda: reconcile.note_balance(FLOAT_PESEWAS))
    jump(86_400)
    assert look() == availability.Now()


def test_a_killed_worker_s_open_call_is_no_silence(look, everywhere):
    everywhere(lambda: call("purchase", None, ago_s=500, open_=True))
    everywhere(lambda: call("products", None, ago_s=25))
    assert look().link is None


def test_timed_work_that_hangs_at_its_call_counts_as_silence(look, everywhere, jump):
    def taken(kind: str) -> None:
        with transaction() as session:
            now = clock.now()
            session.add(
                OutboxRow(
                    kind=kind,
                    due_at=now,
                    taken_at=now,
                    lease_until=now + timedelta(seconds=120),
                )
            )

    everywhere(lambda: taken("refresh_balance"))
    everywhere(lambda: call("purchase", None, open_=True))
    jump(TWENTY_S + 1)
    now = look()
    assert now.link is not None and now.link.reason == "supplier_silent"


@pytest.mark.slow(seconds=2.7)
def test_a_call_about_the_wallet_that_hangs_counts_as_one_more(
    look, everywhere, using, postgres
):
    """A balance read before a purchase has no line yet, and no row of its own: the wallet's lock
    shows it."""
    using(silent_s=1)
    everywhere(lambda: call("products", 200, ago_s=900))
    with psycopg.connect(postgres["app"], autocommit=True) as worker:
        worker.execute("SELECT pg_advisory_lock(%s)", (Lock.WALLET,))
        began = time.monotonic()
        while everywhere(reconcile.renew) != "products":
            assert time.monotonic() - began < 20
        assert look().link is None and time.monotonic() - began >= 1
        everywhere(lambda: call("products", None, ago_s=1))
        assert look().link.reason == "supplier_silent"
        # its session would end a moment after the connection
        worker.execute("SELECT pg_advisory_unlock_all()")
    assert look().link is None


def test_while_the_supplier_is_away_somebody_asks(everywhere):
    everywhere(lambda: link(unreachable_since=clock.now()))
    assert everywhere(reconcile.renew) == "balance"


def test_while_customers_look_a_supplier_that_said_nothing_for_a_while_is_asked(
    everywhere, jump
):
    everywhere(lambda: call("status", 200))
    assert everywhere(lambda: reconcile.renew(looked_at=True)) is None
    jump(config.current().probe_s + 1)
    assert everywhere(lambda: reconcile.renew(looked_at=True)) == "balance"
    assert everywhere(reconcile.renew) is None


def test_calls_of_which_nothing_is_written_count_too(look, everywhere):
    ago = lambda seconds: clock.now() - timedelta(seconds=seconds)
    asked = {"balance": ago(config.current().slow_s + 1)}
    assert everywhere(lambda: reconcile.renew(under_way={"balance": ago(1)})) is None
    assert everywhere(lambda: reconcile.renew(under_way=asked)) == "products"
    asked = {
        "balance": ago(config.current().silent_s + 1),
        "products": ago(config.current().slow_s + 1),
    }
    assert everywhere(lambda: reconcile.renew(under_way=asked)) == "balance"
    everywhere(lambda: call("status", 200))  # whatever else it answers: it is there
    assert everywhere(lambda: reconcile.renew(under_way=asked)) is None
    assert look() == availability.Now()


# The free float


def test_a_low_balance_closes_the_dear_bundles_only(look, everywhere):
    everywhere(lambda: set_float(885))
    found, now = everywhere(bundles), look()
    assert short(now, found) == {
        name for name, bundle in found.items() if bundle.cost_pesewas > 885
    }
    assert ("mtn", 1) not in short(now, found) and ("mtn", 2) in short(now, found)
    assert now.link is None and now.may_promise("mtn")
    since = dict(now.short)
    everywhere(lambda: set_float(900))
    assert look().short == {
        i: moment for i, moment in since.items() if i != found["mtn", 2].id
    }
    everywhere(lambda: set_float(FLOAT_PESEWAS))
    assert look() == availability.Now()


def test_the_supplier_s_lower_word_and_the_reserve_count(look, everywhere, using):
    everywhere(lambda: reconcile.note_balance(1_000))
    found = everywhere(bundles)
    assert ("mtn", 2) not in short(look(), found) and ("mtn", 5) in short(look(), found)
    using(float_reserve_pesewas=400)
    assert ("mtn", 2) in short(look(), found) and ("mtn", 1) not in short(look(), found)


def test_orders_in_line_count_and_orders_not_processed_do_not(
    look, everywhere, in_store, place
):
    everywhere(lambda: set_float(1_000))
    found = everywhere(bundles)
    one = found["mtn", 1]
    codes = in_store("ama", lambda: [place(bundle_id=one.id).code for _ in range(5)])
    assert ("mtn", 2) not in short(look(), found)  # pending counts nothing
    in_store("ama", lambda: orders.release(codes[0], AMA))
    assert ("mtn", 2) in short(look(), found) and ("mtn", 1) not in short(look(), found)
    in_store("ama", lambda: claim_one(orders.by_code(codes[0]).id))
    assert ("mtn", 2) in short(look(), found)  # sent, and not committed
    in_store("ama", lambda: orders.release(codes[1], AMA))
    assert ("mtn", 1) in short(look(), found)
    order = in_store("ama", lambda: orders.by_code(codes[0]))
    bought = News(raw_status="pending", amount_pesewas=order.cost_pesewas)
    in_store(
        "ama",
        lambda: orders.advance(
            order.id, "processing", text="The supplier has it.", news=bought
        ),
    )
    assert short(look(), found) == set(found)  # 540 left, of which 460 are spoken for
    in_store("ama", lambda: orders.cancel(codes[1], AMA))
    assert ("mtn", 1) not in short(look(), found)


def test_what_the_supplier_already_took_is_not_counted_twice(
    look, everywhere, in_store, place, jump
):
    """Its balance, read after an order was sent, has that order's charge behind it; our books have
    not."""
    everywhere(lambda: set_float(1_400))
    found = everywhere(bundles)
    order = in_store("ama", lambda: place(bundle_id=found["mtn", 1].id))
    in_store("ama", lambda: orders.release(order.code, AMA))
    in_store("ama", lambda: claim_one(order.id))
    jump(5)
    everywhere(lambda: reconcile.note_balance(940))
    assert ("mtn", 2) not in short(look(), found)  # 940 are free, not 480


# Who asks


def test_placing_asks_again_and_says_what_and_since_when(
    look, everywhere, as_store, in_store, place
):
    found = everywhere(bundles)
    dear, cheap = found["mtn", 10], found["mtn", 1]
    everywhere(lambda: set_float(885))
    look()
    with pytest.raises(
        orders.NotBuyable,
        match=r"MTN 10 GB: sold out since \d\d:\d\d\. Choose another size",
    ):
        as_store("ama", lambda: place(bundle_id=dear.id))
    with pytest.raises(orders.NotBuyable):
        as_store("ama", lambda: orders.check(dear.id, "+233241234567"))
    assert as_store("ama", lambda: place(bundle_id=cheap.id)).state == "pending"
    everywhere(lambda: link(unreachable_since=clock.now()))
    look()
    with pytest.raises(
        orders.NotBuyable,
        match=r"has been out of reach since \d\d:\d\d\. Nothing has been ordered",
    ):
        as_store("ama", lambda: place(bundle_id=cheap.id))


STOPS: dict[str, Callable[[], Any]] = {
    "float": lambda: set_float(100),
    "supplier_unreachable": lambda: link(unreachable_since=clock.now()),
    "credentials": lambda: link(credentials_refused_since=clock.now()),
    "breaker": lambda: link(
        breaker_open_until=clock.now() + timedelta(seconds=60), breaker_reason="breaker"
    ),
}


@pytest.mark.parametrize("reason", STOPS)
def test_a_release_goes_in_line_and_says_why_and_since_when(
    reason, look, everywhere, as_store, place
):
    order = as_store("ama", place)
    everywhere(STOPS[reason])
    look()
    released = as_store("ama", lambda: orders.release(order.code, AMA))
    assert (released.state, released.wait_reason) == ("queued", reason)
    told = everywhere(lambda: [event.text for event in orders.timeline(released)])
    assert any(
        line.startswith(f"Waiting: {orders.WAIT_TEXT[reason]}, since ") for line in told
    ), told


def test_a_pause_still_refuses_a_release(look, everywhere, as_store, place):
    order = as_store("ama", place)
    everywhere(lambda: catalog.pause_network("mtn", "test", SYSTEM))
    with pytest.raises(orders.NetworkPaused):
        as_store("ama", lambda: orders.release(order.code, AMA))
    assert everywhere(lambda: orders.by_code(order.code)).state == "pending"


def test_paused_sales_let_placed_orders_go_on(look, everywhere, as_store, place):
    order = as_store("ama", place)
    everywhere(lambda: catalog.pause_sales("test", SYSTEM))
    now = look()
    assert now.everything is not None and now.everything.reason == "sales_paused"
    assert now.holds_up("mtn") is None and now.may_promise("mtn")
    with pytest.raises(orders.SalesPaused, match=r"paused since \d\d:\d\d"):
        as_store("ama", place)
    assert as_store("ama", lambda: orders.release(order.code, AMA)).state == "queued"


# A relay that is away


def test_an_old_row_promises_nothing_and_then_sells_nothing(
    app: Flask,
    clocks: Any,
    as_store,
    place,
    look,
    everywhere,
    superuser: psycopg.Connection[Any],
):
    seen = look()
    assert seen.unsure_since is None and seen.may_promise("mtn")
    clocks.relay_lives = False
    clocks.pass_by(config.current().unsure_s + 1)
    now = as_store("ama", availability.now)
    assert (
        now.link is None and now.unsure_since is not None and not now.may_promise("mtn")
    )
    assert as_store("ama", place).state == "pending"
    clocks.pass_by(config.current().unwatched_s)
    now = as_store("ama", availability.now)
    assert (
        now.link is not None
        and now.link.reason == "unwatched"
        and now.link.since == now.unsure_since
    )
    order = everywhere(
        lambda: db.session.scalar(select(Order).order_by(Order.id.desc()))
    )
    with pytest.raises(
        orders.NotBuyable, match="We have not known whether data can be sent since"
    ):
        as_store("ama", place)
    assert (
        as_store("ama", lambda: orders.release(order.code, AMA)).wait_reason
        == "unwatched"
    )
    assert look() == availability.Now()  # and it comes back with the relay
    superuser.execute("DELETE FROM buying")
    assert as_store("ama", availability.now).link.reason == "unwatched"
    assert look() == availability.Now()


def test_a_clock_set_back_does_not_make_an_old_row_young(
    app: Flask, clocks: Any, as_store, look
):
    look()
    clocks.relay_lives = False
    clocks.set_wall(-3_600)
    assert as_store("ama", availability.now).link.reason == "unwatched"


def test_the_answer_costs_one_statement(app: Flask, as_store, look):
    from sqlalchemy import event

    look()
    heard: list[str] = []
    hear = lambda conn, cursor, statement, *rest: heard.append(statement)
    with app.app_context():
        engine = db.engines[STORE]
    event.listen(engine, "before_cursor_execute", hear)
    try:
        as_store("ama", availability.now)
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    assert (
        len(
            [
                one
                for one in heard
                if "set_config" not in one and "FROM stores" not in one
            ]
        )
        == 1
    ), heard


# A random day

RUNS, STEPS = int(os.environ.get("BUYING_RUNS", "5")), 20
money = st.sampled_from([0, 460, 900, 2_400, 5_000, 20_000, 20_000, 20_000])
LINES = ["unreachable_since", "credentials_refused_since", "breaker_open_until"]
seldom = st.sampled_from([False, False, False, True])


class Day(RuleBasedStateMachine):
    """Orders, releases, cancellations, refusals, deliveries, balances, stops and pauses, in any
    order."""

    app: Flask
    restore: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        type(self).restore()
        self.context = self.app.app_context()
        self.context.push()
        self.ids = [store.id for store in map(stores.by_slug, ("ama", "kofi")) if store]
        db.session.remove()
        with tenancy.across_stores():
            for store_id in self.ids:
                ledger.fund_wallet(store_id, 10_000_000, "for a day", SYSTEM)
            self.bundle_ids = list(
                db.session.scalars(select(Bundle.id).order_by(Bundle.id))
            )
            reconcile.renew()
        self.orders: dict[str, list[tuple[int, str]]] = {
            "pending": [],
            "queued": [],
            "submitting": [],
        }
        self.count = 0

    def teardown(self) -> None:
        with tenancy.across_stores():
            assert ledger.books().hold
        tenancy.clear()
        db.session.remove()
        self.context.pop()

    def allowed(self) -> set[int]:
        """The rule, from the tables alone, in words of its own: the bundles that may be sold
        now."""
        link, now = supply.state(), clock.now()
        taken = db.session.scalar(
            select(func.coalesce(func.sum(Order.cost_pesewas), 0)).where(
                Order.state.in_(("queued", "submitting"))
            )
        )
        stands = (
            link.unreachable_since is not None
            or link.credentials_refused_since is not None
            or (link.breaker_open_until or now) > now
            or cases.is_open("unexpected_charge", "float")
        )
        paused = set(
            db.session.scalars(
                text("SELECT key FROM settings WHERE key LIKE 'paused.%'")
            )
        )
        if stands or "paused.sales" in paused:
            return set()
        free = reconcile.float_pesewas() - int(taken or 0)
        found = db.session.execute(
            select(Bundle.id, Bundle.network, Bundle.cost_pesewas)
        ).all()
        return {
            one
            for one, network, cost in found
            if cost <= free and f"paused.{network}" not in paused
        }

    @rule(which=st.integers(0, 8), store=st.integers(0, 1))
    def order(self, which: int, store: int) -> None:
        with tenancy.across_stores():
            reconcile.renew()
            bundle = db.session.get_one(
                Bundle, self.bundle_ids[which % len(self.bundle_ids)]
            )
            allowed = bundle.id in self.allowed()
        self.count += 1
        tenancy.use(self.ids[store])
        try:
            placed = orders.place(
                bundle_id=bundle.id, recipient_msisdn=f"+23324{self.count:07}",
                idempotency_key=f"day-{self.count:020}",
                repeat_confirmed=True,
            ).order  # fmt: skip
        except orders.OrderRefused as refusal:
            assert not allowed, (
                f"{bundle.network} {bundle.mb} could be bought: {refusal.sentence}"
            )
            assert "since" in refusal.sentence
        else:
            assert allowed, (
                f"{bundle.network} {bundle.mb} was sold and could not be bought"
            )
            self.orders["pending"].append((self.ids[store], placed.code))
        finally:
            tenancy.clear()

    def take(self, state: str, which: int) -> tuple[int, str]:
        return self.orders[state].pop(
            which % len(self.orders[state]) if which >= 0 else -1
        )

    @rule(
        which=st.integers(0, 8),
        store=st.integers(0, 1),
        stop=st.sampled_from(["float", *LINES]),
    )
    def order_stop_and_release(self, which: int, store: int, stop: str) -> None:
        """The road that matters most: placed, then it cannot be bought any more, then the agent
        presses."""
        placed = len(self.orders["pending"])
        self.order(which, store)
        if len(self.orders["pending"]) > placed:
            self.float_becomes(0) if stop == "float" else self.line(stop, True)
            self.release(-1)

    @precondition(lambda self: self.orders["pending"])
    @rule(which=st.integers(0, 99))
    def release(self, which: int) -> None:
        store_id, code = self.take("pending", which)
        with tenancy.across_stores():
            reconcile.renew()
        tenancy.use(store_id)
        try:
            order = orders.release(code, AMA)
            assert order.state == "queued"
            self.orders["queued"].append((store_id, code))
        except (
            orders.NetworkPaused
        ):  # the only reason left: nobody's cost rises here, and wallets are full
            assert availability.now().networks
            self.orders["pending"].append((store_id, code))
        finally:
            tenancy.clear()

    @precondition(lambda self: self.orders["queued"])
    @rule(which=st.integers(0, 99))
    def cancel(self, which: int) -> None:
        store_id, code = self.take("queued", which)
        with tenancy.inside(store_id):
            orders.cancel(code, AMA)

    @precondition(lambda self: self.orders["queued"])
    @rule(which=st.integers(0, 99))
    def claim(self, which: int) -> None:
        store_id, code = self.take("queued", which)
        with tenancy.inside(store_id):
            assert claim_one(orders.by_code(code).id) is not None
        self.orders["submitting"].append((store_id, code))

    @precondition(lambda self: self.orders["submitting"])
    @rule(
        which=st.integers(0, 99),
        to=st.sampled_from(["processing", "completed", "queued", "refunded"]),
    )
    def answer(self, which: int, to: str) -> None:
        store_id, code = self.take("submitting", which)
        with tenancy.inside(store_id):
            order = orders.by_code(code)
            news = News(
                raw_status=to,
                amount_pesewas=order.cost_pesewas if to != "refunded" else None,
            )
            reason = "float" if to == "queued" else None
            assert orders.advance(
                order.id, to, text=f"It says {to}.", news=news, wait_reason=reason
            )
        if to == "queued":
            self.orders["queued"].append((store_id, code))

    @rule(pesewas=money)
    def float_becomes(self, pesewas: int) -> None:
        with tenancy.across_stores():
            set_float(pesewas)

    @rule(what=st.sampled_from(LINES), stop=seldom)
    def line(self, what: str, stop: bool) -> None:
        moment = clock.now() + timedelta(hours=1 if what == "breaker_open_until" else 0)
        with tenancy.across_stores():
            link(**{what: moment if stop else None})

    @rule(stop=seldom)
    def case(self, stop: bool) -> None:
        with tenancy.across_stores(), transaction() as session:
            if stop:
                cases.open_case(
                    "unexpected_charge", "float", {"difference_pesewas": -1}
                )
            for case in (
                []
                if stop
                else session.scalars(
                    select(cases.Case).where(cases.Case.closed_at.is_(None))
                )
            ):
                cases.close_row(case, "settled", SYSTEM)

    @rule(what=st.sampled_from(["sales", "mtn", "telecel", "at"]), stop=seldom)
    def pause(self, what: str, stop: bool) -> None:
        with tenancy.across_stores():
            if what == "sales":
                catalog.pause_sales("x", SYSTEM) if stop else catalog.resume_sales(
                    SYSTEM
                )
            else:
                (
                    catalog.pause_network(what, "x", SYSTEM)
                    if stop
                    else catalog.resume_network(what, SYSTEM)
                )

    @invariant()
    def the_shelf_says_what_placing_would(self) -> None:
        with tenancy.across_stores():
            reconcile.renew()
            now = availability.now()
            bundles = db.session.scalars(select(Bundle)).all()
            assert {
                b.id for b in bundles if now.why_not(b.network, b.id) is None
            } == self.allowed()


@pytest.mark.slow(seconds=20)
@pytest.mark.timeout(400)
def test_a_random_day(app: Flask, restore: Callable[[], None]) -> None:
    """No order is accepted that the rule refuses, none refused that could be bought, no release
    refused for float."""
    Day.app, Day.restore = app, staticmethod(restore)
    run_state_machine_as_test(
        Day,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
