"""Test orders, played by the real worker on the real database, beside a supplier that must never
hear of them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from desk import AMA, Desk
from sqlalchemy import text

from core import cases, catalog, ledger, orders, proof, settling
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db, transaction
from core.orders import Order
from core.reconcile.doubts import Doubts, doubts
from core.supplier import supply
from integrations.ports import Absent, Found
from integrations.stand_in import Known, StandIn

pytestmark = pytest.mark.slow(seconds=0.15)

_keys = itertools.count(1)


class Deaf:
    """In the supplier's place: whoever asks it anything fails."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the real supplier was asked: {name}")


def make(desk: Desk, ending: str = "delivered") -> Order:
    with desk.inside("ama"):
        bundle_id = catalog.shelf()[0].bundle_id
        key = f"test/{next(_keys):020}"
        return orders.testing.make(bundle_id, ending, key, AMA).order


def pressed(desk: Desk, ending: str = "delivered") -> Order:
    order = make(desk, ending)
    with desk.inside("ama"):
        return orders.process(order.code, AMA)


def money(desk: Desk) -> Any:
    """All that a test order must leave as it is."""
    with tenancy.across_stores():
        counted = "SELECT (SELECT count(*) FROM {}), (SELECT count(*) FROM {})"
        rows = db.session.execute(text(counted.format("postings", "supplier_calls")))
        link = supply.state()
        told = link.last_balance_pesewas, link.purchase_calls, link.other_calls
        return tuple(rows.one()), told, ledger.books(), desk.charges()


def lines(order: Order) -> list[str]:
    with tenancy.across_stores():
        return [one.kind for one in orders.timeline(order)]


@pytest.mark.parametrize(
    ("ending", "state", "through"),
    [
        ("delivered", "completed", ["processing", "completed"]),
        ("failed", "refunded", ["processing", "failed", "refunded"]),
        ("refused", "refunded", ["refunded"]),
    ],
)
def test_it_goes_the_whole_way_and_moves_nothing(
    desk: Desk, using: Any, ending: str, state: str, through: list[str]
) -> None:
    using(undo_s=5)
    before = money(desk)
    desk.app.extensions["supplier"] = Deaf()
    order = pressed(desk, ending)
    assert order.state == "pending" and order.release_at is not None
    order = desk.work_until(order, state)
    moves = [kind for kind in lines(order) if kind in orders.STATES]
    assert moves == ["queued", "submitting", *through]
    assert order.charged_pesewas is None and order.attempt == 1
    assert money(desk) == before
    with tenancy.across_stores():
        assert not proof.look()
    assert desk.work() == 0, "nothing is watched after its end"


def test_a_worker_that_died_in_its_call_is_followed_by_a_look(desk: Desk) -> None:
    order = pressed(desk)
    with desk.inside("ama"):
        assert orders.claim_test(order.id) is not None
        assert orders.claim_test(order.id) is None, "claimed once"
    order = desk.work_until(order, "completed")
    assert order.attempt == 1 and desk.charges() == []


def test_a_worker_held_up_too_long_sends_nothing_and_looks(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders.Claim, "may_send", False)
    order = desk.work_until(pressed(desk), "completed")
    assert not order.ever_unknown and lines(order).count("unknown") == 0
    assert not order.may_be_rechecked


def test_it_goes_while_nothing_can_be_bought(desk: Desk, superuser: Any) -> None:
    """No float, no call left, the link closed, sales and its network paused."""
    with tenancy.across_stores():
        catalog.pause_sales("a test", AMA)
        catalog.pause_network("mtn", "a test", AMA)
    superuser.execute("UPDATE supplier_state SET credentials_refused_since = now()")
    superuser.execute("UPDATE buying SET stopped = 'silent', stopped_since = now()")
    assert desk.work_until(pressed(desk), "completed").wait_reason is None


def test_beside_real_orders_the_real_ones_alone_are_bought(
    desk: Desk, using: Any
) -> None:
    using(bulk="auto")
    made = [pressed(desk), pressed(desk)]
    real = [desk.release(gb=gb) for gb in (1, 2)]
    for order in real:
        desk.work_until(order, "processing", "completed")
    for order in made:
        desk.work_until(order, "completed")
    refs = {desk.read(order).order_ref for order in real}
    assert set(desk.charges()) == refs


def test_a_row_that_would_buy_it_is_refused_before_any_call(
    desk: Desk, superuser: Any
) -> None:
    order = pressed(desk)
    superuser.execute("UPDATE outbox SET kind = 'deliver_order'")
    desk.app.extensions["supplier"] = Deaf()
    with pytest.raises(ValueError, match="never bought"):
        desk.work()
    assert desk.read(order).state == "queued"


def test_a_real_order_is_not_played(desk: Desk, superuser: Any) -> None:
    order = desk.release()
    superuser.execute("UPDATE outbox SET kind = 'play_test_order'")
    with pytest.raises(ValueError, match="not played"):
        desk.work()
    assert desk.read(order).state == "queued" and desk.charges() == []


def test_news_of_it_rings_nothing_and_no_balance_speaks_of_it(desk: Desk) -> None:
    order = desk.work_until(pressed(desk), "processing")
    with tenancy.across_stores():
        with transaction():
            assert not orders.ring(
                orders.locked(order.id), verified=True, what="completed"
            )
        assert doubts() == Doubts()
    assert "webhook" not in lines(order)


@pytest.mark.parametrize("state", ["submitting", "failed"])
def test_a_person_moves_no_money_of_it_either(desk: Desk, state: str) -> None:
    """A bug of ours may stop it: the case is closed with words."""
    order = pressed(desk, "failed")
    if state == "failed":
        order = desk.work_until(order, "failed")
    else:
        with desk.inside("ama"):
            assert orders.claim_test(order.id) is not None
    before = money(desk)
    with tenancy.across_stores():
        orders.raise_case(order.id, "broken", {"error": "ValueError"})
        (case,) = cases.of_order(order.id)
    desk.jump(86_400)
    with tenancy.across_stores():
        offered = settling.choices(settling.facts_of(case))
        assert {one.action for one in offered} == {"look_again", "close"}
        with pytest.raises(settling.ActionRefused, match="test order"):
            settling.settle(
                case.id,
                "give_back",
                SYSTEM,
                words="gone",
                seen_pesewas=order.agent_price_pesewas,
            )
        settling.settle(case.id, "close", SYSTEM, words="mended")
    assert desk.read(order).state == state and money(desk) == before


def test_cancelled_in_line_nothing_comes_back(desk: Desk) -> None:
    before = money(desk)
    order = pressed(desk)
    with desk.inside("ama"):
        cancelled = orders.cancel(order.code, AMA)
    assert cancelled.state == "cancelled" and not cancelled.owes_back
    desk.work()
    assert money(desk) == before


def test_the_stand_in_knows_its_one_order_once_it_was_sent() -> None:
    sent, lasts = datetime(2026, 11, 30, tzinfo=UTC), timedelta(seconds=9)
    words = []
    for seconds in (0, 4, 10, 20):
        now = sent + timedelta(seconds=seconds)
        supplier = StandIn(Known("TEST-1", "failed", sent), now, lasts)
        found = supplier.status("TEST-1")
        assert isinstance(found, Found)
        words.append(found.status)
        assert isinstance(supplier.status("TEST-2"), Absent)
    assert words == ["pending", "processing", "failed", "refunded"]
    unsent = StandIn(Known("TEST-1", "failed", None), sent, lasts)
    assert isinstance(unsent.status("TEST-1"), Absent)
