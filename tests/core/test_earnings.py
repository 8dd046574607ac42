"""What a store earned, summed as orders are delivered."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import catalog, earnings, orders
from core.audit import SUPPLIER, Actor
from core.base import clock, tenancy
from core.base.db import db
from core.earnings import Earned
from core.orders import News, Order
from core.proof import rules
from tests.support.claims import claim_one

AMA = Actor("agent", "Ama")
InStore = Callable[[str, Callable[[], Any]], Any]


def bring(order: Order, *states: str) -> None:
    orders.release(order.code, AMA)
    claim_one(order.id)
    for state in states:
        news = News(raw_status=state, money_back=state == "refunded")
        orders.advance(order.id, state, text="-", actor=SUPPLIER, news=news)  # type: ignore[arg-type]


@pytest.fixture
def deliver(in_store: InStore, place: Any) -> Callable[..., Order]:
    def deed(slug: str = "ama", network: str = "mtn", gb: int = 1) -> Order:
        def act() -> Order:
            line = next(
                one
                for one in catalog.shelf()
                if (one.network, one.mb) == (network, gb * 1024)
            )
            order: Order = place(bundle_id=line.bundle_id)
            bring(order, "processing", "completed")
            return order

        return in_store(slug, act)  # type: ignore[no-any-return]

    return deed


def view(as_store: InStore, by: str = "day", network: str | None = None) -> Any:
    return as_store("ama", lambda: earnings.view(by, network))


def of(*found: Order) -> Earned:
    return Earned(
        len(found),
        sum(one.price_pesewas for one in found),
        sum(one.agent_price_pesewas for one in found),
    )


def test_what_was_delivered_is_summed_and_nothing_else(
    deliver: Any, place: Any, in_store: InStore, as_store: InStore
) -> None:
    first, second, third = deliver(), deliver(), deliver(gb=5)
    for states in ((), ("processing",), ("processing", "failed", "refunded")):
        in_store("ama", lambda states=states: bring(place(), *states))
    deliver("kofi")
    found = view(as_store)
    assert found.total == of(first, second, third)
    assert found.periods[-1].earned == found.total and len(found.periods) == 30
    assert [(one.network, one.mb, one.earned.orders) for one in found.bundles] == [
        (one.network, one.mb, one.earned.orders)
        for one in sorted(found.bundles, key=lambda x: -x.earned.profit_pesewas)
    ]
    assert {one.mb: one.earned for one in found.bundles} == {
        1024: of(first, second),
        5 * 1024: of(third),
    }


def test_a_network_by_itself(deliver: Any, as_store: InStore) -> None:
    mtn, at = deliver(), deliver(network="at")
    assert view(as_store, network="at").total == of(at)
    found = view(as_store)
    assert {one.network: one.earned for one in found.networks} == {
        "mtn": of(mtn),
        "at": of(at),
    }


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[datetime], None]]:
    """Set the wall clock."""
    yield lambda moment: monkeypatch.setattr(clock, "wall_source", lambda: moment)


def moved(order: Order, moment: datetime) -> None:
    """As if it had been delivered then."""
    tables_owner.execute(
        "UPDATE store_days SET day = (:at AT TIME ZONE 'Africa/Accra')::date"
        " WHERE store_id = :store AND bundle_id = :bundle",
        at=moment,
        store=order.store_id,
        bundle=order.bundle_id,
    )


def test_what_a_clock_ahead_dated_is_in_no_sum_yet(
    deliver: Callable[..., Order], as_store: InStore, jump: Callable[[float], None]
) -> None:
    """Rows and their sum are of the same days."""
    jump(3 * 86_400)
    deliver()
    jump(-3 * 86_400)
    deliver(gb=2)
    for by in earnings.SHOWN:
        found = view(as_store, by)
        rows = sum((period.earned for period in found.periods), Earned())
        assert rows == found.total and rows.orders >= 1


@pytest.mark.parametrize(
    ("by", "first", "before"),
    [
        ("day", date(2026, 11, 30), date(2026, 11, 29)),
        ("week", date(2026, 11, 30), date(2026, 11, 29)),
        ("month", date(2026, 11, 1), date(2026, 10, 31)),
    ],
)
def test_a_period_begins_with_its_first_day(
    deliver: Any, as_store: InStore, at: Any, by: str, first: date, before: date
) -> None:
    one = deliver()
    for day, place in ((first, -1), (before, -2)):
        moved(one, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        at(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
        periods = view(as_store, by).periods
        assert periods[place].first <= day <= periods[place].last
        assert periods[place].earned == of(one)
        assert sum(each.earned.orders for each in periods) == 1


def test_periods_follow_each_other_without_a_gap(as_store: InStore, at: Any) -> None:
    for moment in (
        datetime(2026, 3, 1, 0, 0, tzinfo=UTC),
        datetime(2028, 2, 29, 12, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    ):
        at(moment)
        for by, many in earnings.SHOWN.items():
            periods = view(as_store, by).periods
            assert len(periods) == many
            assert periods[-1].first <= moment.date() <= periods[-1].last
            for one, after in itertools.pairwise(periods):
                assert one.last + timedelta(days=1) == after.first


def test_the_day_is_that_of_accra(deliver: Any) -> None:
    order = deliver()
    (day,) = tables_owner.read("SELECT day FROM store_days")
    assert day == clock.now().astimezone(clock.ACCRA).date() and order.id


@pytest.mark.slow(seconds=0.5)
def test_deliveries_at_once_are_all_summed_and_wait_for_nobody_in_a_circle(
    app: Flask, in_store: InStore, as_store: InStore, place: Any
) -> None:
    def begin(gb: int) -> Order:
        line = next(one for one in catalog.shelf() if one.mb == gb * 1024)
        order: Order = place(bundle_id=line.bundle_id)
        bring(order, "processing")
        return order

    found = [in_store("ama", lambda gb=gb: begin(gb)) for gb in (1, 5) * 4]
    start, failed = threading.Barrier(len(found)), list[Any]()

    def act(order: Order) -> None:
        with app.app_context(), tenancy.inside(order.store_id):
            start.wait(10)
            try:
                news = News(raw_status="completed")
                orders.advance(
                    order.id, "completed", text="-", actor=SUPPLIER, news=news
                )
            except Exception as error:  # noqa: BLE001
                failed.append(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=act, args=(order,)) for order in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == [] and view(as_store).total == of(*found)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE store_days SET sales_pesewas = sales_pesewas + 1",
        "UPDATE store_days SET orders = orders - 1",
        "DELETE FROM store_days",
        "INSERT INTO store_days SELECT store_id, day - 1, bundle_id, 1, 5, 4 FROM store_days",
    ],
)
def test_the_proof_finds_sums_that_are_not_those_of_the_orders(
    deliver: Any, app: Flask, change: str
) -> None:
    deliver()

    def broken() -> dict[str, tuple[str, ...]]:
        with app.app_context(), tenancy.across_stores():
            return {found.rule: found.subjects for found in rules.broken()[1]}

    assert "earned" not in broken()
    tables_owner.execute(change)
    assert broken()["earned"] == ("ama",)


def test_no_role_of_ours_writes_a_sum(deliver: Any, as_store: InStore) -> None:
    deliver()
    for statement in (
        "UPDATE store_days SET orders = 9",
        "DELETE FROM store_days",
        "INSERT INTO store_days SELECT store_id, day - 1, bundle_id, 1, 5, 4 FROM store_days",
    ):
        with pytest.raises(DBAPIError, match="permission denied"):
            as_store("ama", lambda one=statement: db.session.execute(text(one)))
