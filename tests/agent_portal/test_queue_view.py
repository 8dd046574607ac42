"""The queue in one round trip says what the same rules say when each is asked by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from agent_portal import home
from core import availability, orders, queue_view
from core.base import clock, tenancy
from core.orders import Order, held_up, listing
from core.queue_view import QueueView
from tests.support.kept import Keep
from tests.support.queues import queue
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.4)

TABS = ("new", "paid", "processing", "late", "failed", "missing", "back", "done", "all")
STATES = ("pending", "queued", "submitting", "processing", "completed", "failed", "refunded",
          "cancelled")  # fmt: skip


def columns(order: Order) -> dict[str, Any]:
    return {one.key: getattr(order, one.key) for one in listing.COLUMNS}


@pytest.fixture
def full(kept: Keep[None], place: Callable[..., str], superuser: Any) -> None:
    """Three orders in each state; some told, missing, pressed, refused, late, or no more worth their
    price."""
    kept("full", lambda: build_full(place, superuser))


def build_full(place: Callable[..., str], superuser: Any) -> None:
    codes = {
        state: [
            place(number=f"0240000{at}{n:02}", gb=(1, 2, 5)[n], state=state)
            for n in range(3)
        ]
        for at, state in enumerate(STATES)
    }
    ago = clock.now() - timedelta(days=1)
    for words, code in (
        ("told_at = %s, told_paid_at = now()", codes["pending"][1]),
        ("release_refused = 'No.', created_at = %s", codes["pending"][0]),
        ("missing_since = %s", codes["completed"][0]),
        ("processing_at = %s", codes["processing"][0]),
    ):
        superuser.execute(f"UPDATE orders SET {words} WHERE code = %s", (ago, code))
    superuser.execute("UPDATE bundles SET unlisted_since = now() WHERE mb = 2048")


def view(as_store: Any, tab: str, before: int | None = None) -> QueueView:
    found = as_store(
        "ama", lambda: queue_view.of_tab(tenancy.current_store_id(), tab, before)
    )
    assert isinstance(found, QueueView)
    return found


@pytest.mark.parametrize("tab", TABS)
def test_it_is_what_each_rule_says_by_itself(
    as_store: Any, full: None, tab: str
) -> None:
    seen = view(as_store, tab)

    def by_themselves() -> None:
        page = queue(tab)
        assert page.orders and page.next_before == seen.page.next_before
        assert list(map(columns, seen.page.orders)) == list(map(columns, page.orders))
        assert seen.stands.counts == orders.tab_counts()
        assert seen.stands.now == availability.now()
        assert seen.stands.free_pesewas == orders.free_pesewas() > 0
        assert seen.stands.newest_id == queue("all", limit=1).orders[0].id
        held = held_up.on_page(page.orders, seen.stands.now)
        assert seen.held == held
        assert bool(held) == (tab in ("new", "paid", "late", "all"))

    as_store("ama", by_themselves)


@pytest.mark.parametrize("tab", TABS)
def test_pages_follow_each_other(
    as_store: Any, full: None, using: Using, tab: str
) -> None:
    using(page_size=1)
    found: list[str] = []
    before = None
    for _ in range(30):
        page = view(as_store, tab, before).page
        found += [order.code for order in page.orders]
        before = page.next_before
        if before is None:
            break
    whole = as_store("ama", lambda: [one.code for one in queue(tab, limit=50).orders])
    assert found == whole


def test_what_goes_in_a_moment_is_not_free(
    as_store: Any, place: Any, superuser: Any
) -> None:
    code = place()
    before = view(as_store, "new").stands.free_pesewas
    superuser.execute("UPDATE orders SET release_at = now() WHERE code = %s", (code,))
    seen = view(as_store, "new")
    assert before - seen.stands.free_pesewas == seen.page.orders[0].agent_price_pesewas


def test_a_search_finds_what_it_finds_by_itself(as_store: Any, full: None) -> None:
    def look() -> None:
        seen = queue_view.of_search(tenancy.current_store_id(), "0240000000")
        page = orders.search("0240000000")
        assert [one.code for one in seen.page.orders] == [
            one.code for one in page.orders
        ]
        assert len(page.orders) == 1
        assert seen.stands.counts == orders.tab_counts()

    as_store("ama", look)


def test_no_other_store_sees_it(as_store: Any, full: None, place: Any) -> None:
    place("kofi", number="0249999999")
    theirs = as_store(
        "kofi", lambda: queue_view.of_tab(tenancy.current_store_id(), "new")
    )
    assert [one.recipient_msisdn for one in theirs.page.orders] == ["+233249999999"]
    assert sum(theirs.stands.counts.values()) == 2, "in new, and among all"
    shown = [order for tab in TABS for order in view(as_store, tab).page.orders]
    assert shown and all(one.recipient_msisdn != "+233249999999" for one in shown)


def test_each_statement_names_its_store_as_well(context: Any) -> None:
    """Once for each time that it reads a store's table."""
    asks = [*queue_view._beside(), *home._asks()]
    for tab in TABS:
        for is_later in (False, True):
            asks.append(queue_view._listed(tab, is_later=is_later))
            asks.append(queue_view._filtered(tab, is_later=is_later))
            asks.append(queue_view._end(tab, is_later=is_later))
        asks += queue_view._together(tab)
    met = set()
    for name in (cls.__tablename__ for cls in tenancy._store_tables()):
        for ask in asks:
            reads = len(re.findall(rf"(?:FROM|JOIN) {name}\b", ask.statement))
            names = ask.statement.count(f"{name}.store_id = %(store_id)s")
            assert reads == names, ask.statement
            met |= {name} if reads else set()
    assert met == {"orders", "accounts", "store_bundles", "disputes"}
