"""Two uses of core at the same moment: no circle of locks, no lost update, no refusal that is
really a bug."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from flask import Flask
from seed import FLOAT_PESEWAS, offers
from sqlalchemy import update

from core import (
    cases,
    catalog,
    ledger,
    onboarding,
    orders,
    reconcile,
    store_list,
)
from core.accounts import logins, users
from core.audit import Actor
from core.base import tenancy
from core.base.db import db, transaction
from core.catalog import Bundle, sync
from core.orders import Order, booking, placing, refusals, wanting
from core.reconcile import comparing
from core.supplier import supply
from tests.support.claims import claim_one

OWNER = Actor("owner", "Owner")
MORE = [
    *offers(),
    replace(
        offers()[0],
        product_code="MTN_20GB",
        capacity="20GB",
        mb=20 * 1024,
        cost_pesewas=8_000,
    ),
]


def beside(app: Flask, deed: Callable[[], Any]) -> Callable[[], Any]:
    """Start `deed` in a thread with a context of its own; the returned call waits for it and gives
    its result."""

    def run() -> Any:
        with app.app_context():
            try:
                return deed()
            finally:
                tenancy.clear()
                db.session.remove()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(run)
    pool.shutdown(wait=False)
    return lambda: future.result(20)


def across(deed: Callable[[], Any]) -> Callable[[], Any]:
    def act() -> Any:
        with tenancy.across_stores():
            return deed()

    return act


def test_an_order_and_a_catalogue_sync_never_wait_for_each_other_in_a_circle(
    app: Flask, ama: int, place: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order holds its store and refers to its bundle; a sync with news holds the bundles and
    wants the store."""
    store_held, bundles_held = threading.Event(), threading.Event()
    price, new_order = sync.price_new_bundles, placing.new_row

    def priced(store_id: int, markup_bp: int) -> int:
        bundles_held.set()
        return price(store_id, markup_bp)

    def made_late(*about: Any) -> Order:
        store_held.set()
        assert bundles_held.wait(5)
        return new_order(*about)

    monkeypatch.setattr(sync, "price_new_bundles", priced)
    monkeypatch.setattr(placing, "new_row", made_late)

    def synced() -> bool:
        assert store_held.wait(5)
        return catalog.apply_sync("datamart", MORE).ok

    result = beside(app, across(synced))
    assert place().state == "pending"
    assert result()


def test_a_price_that_rises_while_an_order_is_placed_is_a_sentence(
    app: Flask, ama: int, place: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = wanting.look_and_hold

    def doubled() -> None:
        with transaction() as session:
            twice = {
                "cost_pesewas": Bundle.cost_pesewas * 2,
                "agent_price_pesewas": Bundle.agent_price_pesewas * 2,
            }
            session.execute(update(Bundle).values(twice))

    def looked_after_a_rise(*about: Any) -> wanting.Wanted:
        beside(app, across(doubled))()
        return look(*about)

    monkeypatch.setattr(wanting, "look_and_hold", looked_after_a_rise)
    with pytest.raises(refusals.BundleUnavailable):
        place()


def risen_balance(jump: Callable[[float], None]) -> int:
    """The supplier shows 50.00 more than the books, twice; the id of the case that asks about
    it."""
    with tenancy.across_stores():
        reconcile.note_balance(FLOAT_PESEWAS + 5_000)
        jump(61)
        reconcile.note_balance(FLOAT_PESEWAS + 5_000)
        return cases.open_cases(1)[0].id


def test_what_is_bought_between_the_read_and_the_press_is_not_funded_twice(
    context: Flask, jump: Callable[[float], None]
) -> None:
    case_id = risen_balance(jump)
    with tenancy.across_stores():
        with transaction():
            ledger.fund_float(-460, "moves the float as a purchase does", OWNER)
        assert reconcile.confirm_funding(case_id, OWNER) == 5_000
        assert (
            ledger.platform_balances()["supplier_float"] == FLOAT_PESEWAS - 460 + 5_000
        )


def test_confirming_and_reading_the_balance_never_wait_for_each_other_in_a_circle(
    app: Flask,
    context: Flask,
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case_id = risen_balance(jump)
    reading, confirming = threading.Event(), threading.Event()
    judge, locked_state = comparing._judge, supply.locked_state

    def judged_late(*about: Any, **more: Any) -> tuple[str, bool]:
        reading.set()
        assert confirming.wait(5)
        return judge(*about, **more)

    def locked() -> supply.SupplierState:
        if threading.current_thread() is threading.main_thread():
            confirming.set()
        return locked_state()

    monkeypatch.setattr(comparing, "_judge", judged_late)
    monkeypatch.setattr(supply, "locked_state", locked)
    result = beside(app, across(lambda: reconcile.note_balance(FLOAT_PESEWAS + 5_000)))
    assert reading.wait(5)
    with tenancy.across_stores():
        assert reconcile.confirm_funding(case_id, OWNER) == 5_000
    assert "a break" in result()


@pytest.mark.parametrize("first", ["the answer", "the read"])
def test_a_refund_seen_in_the_balance_and_the_supplier_s_own_word_for_it_book_it_once(
    app: Flask, ama: int, place: Callable[..., Order], monkeypatch: pytest.MonkeyPatch,
    postgres: dict[str, str],
    first: str,
) -> None:  # fmt: skip
    """Both lock the order, its case and the accounts; whoever comes second waits with nothing in
    its hands."""
    order = orders.release(place().code, Actor("agent", "Ama"))
    assert claim_one(order.id) is not None
    for state in ("processing", "failed"):
        assert orders.advance(order.id, state, text=state)  # type: ignore[arg-type]
    has_the_order = threading.Event()
    lock, book = orders.lock_for_money_back, booking.BOOK["supplier_refund_if_seen"]

    def holding() -> None:
        """The first has the order's lock: let the second run into it."""
        has_the_order.set()
        until = time.monotonic() + 5
        with psycopg.connect(postgres["super"], autocommit=True) as watcher:
            while not watcher.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            ).fetchone():
                assert time.monotonic() < until

    def locked(order_ids: Any) -> None:
        if first == "the answer":
            assert has_the_order.wait(5)
        lock(order_ids)
        if first == "the read":
            holding()

    def booked(*about: Any) -> None:
        if first == "the answer":
            holding()
        book(*about)

    monkeypatch.setattr(orders, "lock_for_money_back", locked)
    monkeypatch.setitem(booking.BOOK, "supplier_refund_if_seen", booked)
    said = orders.News("reversed", money_back=True)
    result = beside(app, across(lambda: reconcile.note_balance(FLOAT_PESEWAS)))
    if first == "the read":
        assert has_the_order.wait(5)
    assert orders.advance(
        order.id, "refunded", text="The supplier gave it back.", news=said
    )
    assert result().startswith("fits")
    with tenancy.across_stores():
        kinds = [posting.kind for posting, _ in ledger.postings_of(order.id)]
        assert kinds.count("supplier_refund") == 1
        assert cases.open_cases(10) == []
        assert ledger.platform_balances()["supplier_float"] == FLOAT_PESEWAS


def test_a_store_closed_during_a_sync_gets_a_version_of_its_own(
    app: Flask, context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Store pages are kept by the store's version: two changes under one number would hide the
    second."""
    price = sync.price_new_bundles
    before = {store.id: store.version for store in store_list.all_stores()}
    tenancy.clear()
    db.session.remove()

    def priced_beside_a_close(store_id: int, markup_bp: int) -> int:
        beside(
            app,
            across(
                lambda: (
                    onboarding.set_store_status(
                        store_id, "closed", "On leave.", OWNER
                    ).id
                )
            ),
        )()
        return price(store_id, markup_bp)

    monkeypatch.setattr(sync, "price_new_bundles", priced_beside_a_close)
    with tenancy.across_stores():
        assert catalog.apply_sync("datamart", MORE).ok
    assert {
        store.id: store.version - before[store.id] for store in store_list.all_stores()
    } == dict.fromkeys(before, 2)


def test_a_log_out_in_another_tab_while_a_page_loads_breaks_nothing(
    app: Flask,
    context: Flask,
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner = users.by_email("owner@example.test")
    assert owner is not None
    token = logins.start_login(owner, "console")
    jump(90)  # long enough for the page to note when the person was last seen

    def after_the_other_tab() -> Any:
        monkeypatch.setattr(logins, "transaction", transaction)
        beside(app, lambda: logins.end_login(token))()
        return transaction()

    monkeypatch.setattr(logins, "transaction", after_the_other_tab)
    assert logins.login_of(token, "console") is not None
    assert logins.login_of(token, "console") is None


def test_no_number_of_a_customer_can_be_the_key_of_another_lock(
    ama: int, place: Callable[..., Order], postgres: dict[str, str]
) -> None:
    """The wallet's turn and the sync hold advisory locks of one number; some customer's hash may be
    that number."""
    number = "+233241234567"
    with psycopg.connect(postgres["app"], autocommit=True) as worker:
        worker.execute("SELECT pg_advisory_lock(hashtext(%s))", (f"{ama}/{number}",))
        assert place(number).state == "pending"
