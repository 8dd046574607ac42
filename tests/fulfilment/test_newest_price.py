"""The newest price we know: by a list that renames and reprices, by a refusal, by a charge. Through
the real worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from desk import AMA, Desk
from seed import WALLET_PESEWAS
from sqlalchemy import select
from test_odd_lists import Lists

from core import catalog, orders
from core.audit import Actor
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.catalog import Bundle, SupplierOffer
from core.orders import Order
from core.outbox import OutboxRow
from core.supplier import supply
from tests.support.claims import claim_one
from tests.support.settings import Using

pytestmark = [pytest.mark.slow(seconds=0.2), pytest.mark.matrix]

OWNER = Actor("owner", "Owner")
OLD = {"product_code": "YELLOW_1GB", "drop": True}


def new(
    code: str = "YELLO_1GB", name: str = "YELLO", price: float = 4.6, **more: Any
) -> dict[str, Any]:
    return {
        "product_code": code, "name": name, "capacity": "1GB", "validity": "30 days",
        "price": price, "currency": "GHS",
        "status": "active",
    } | more  # fmt: skip


@pytest.fixture
def lists(make_desk: Callable[..., Desk]) -> Lists:
    made = Lists(make_desk(rate_limit=1_000))
    made.sync()
    return made


def one_gb() -> Bundle:
    return db.session.scalars(
        select(Bundle).where(Bundle.network == "mtn", Bundle.mb == 1024)
    ).one()


def on_shelf(lists: Lists, slug: str = "ama") -> bool:
    with lists.desk.inside(slug):
        return any((line.network, line.mb) == ("mtn", 1024) for line in catalog.shelf())


def bought(lists: Lists, order: Order) -> str:
    found = lists.desk.sandbox.sandbox.store.rows(
        "SELECT product_code FROM orders WHERE reference = ?",
        lists.desk.read(order).order_ref,
    )
    return ",".join(row["product_code"] for row in found)


def a_list_is_due() -> bool:
    with tenancy.across_stores():
        query = select(OutboxRow).where(
            OutboxRow.kind == "sync_catalogue", OutboxRow.done_at.is_(None)
        )
        return db.session.scalar(query) is not None


# -- a list that renames


def test_what_is_listed_beats_what_is_missing_at_the_same_price(lists: Lists) -> None:
    lists.sync(OLD, new())
    assert (
        one_gb().offer_id
        == db.session.scalars(
            select(SupplierOffer.id).filter_by(product_code="YELLO_1GB")
        ).one()
    )
    order = lists.desk.release()
    lists.desk.work()
    assert (lists.desk.read(order).state, bought(lists, order)) == (
        "processing",
        "YELLO_1GB",
    )


def test_what_is_listed_beats_what_is_missing_though_it_is_dearer(lists: Lists) -> None:
    # a step below three in a hundred
    lists.sync(OLD, new("YELLOW_1GB_NEW", "YELLOW", 4.65))
    assert (one_gb().cost_pesewas, one_gb().asked_at) == (465, None)
    lists.sync(OLD, new("YELLOW_1GB_NEW", "YELLOW", 5.2))
    assert (one_gb().cost_pesewas, one_gb().agent_price_pesewas > 520) == (520, False)
    assert not on_shelf(lists), "sold at a loss until the owner decides"


def test_an_order_placed_before_the_list_changed_is_bought_under_the_new_name(
    lists: Lists,
) -> None:
    order = lists.desk.place()
    lists.sync(OLD, new())
    with lists.desk.inside("ama"):
        orders.release(order.code, AMA)
    lists.desk.work()
    assert (lists.desk.read(order).state, bought(lists, order)) == (
        "processing",
        "YELLO_1GB",
    )


def test_codes_that_change_places_buy_what_was_chosen(lists: Lists) -> None:
    lists.sync(
        {"product_code": "YELLOW_1GB", "capacity": "2GB", "price": 9.0},
        {"product_code": "YELLOW_2GB", "capacity": "1GB", "price": 4.6},
    )
    order = lists.desk.release(gb=1)
    lists.desk.work()
    assert lists.desk.read(order).state == "processing"
    [theirs] = lists.desk.sandbox.sandbox.store.rows(
        "SELECT capacity FROM orders WHERE reference = ?", order.order_ref
    )
    assert theirs["capacity"] == "1GB"


def test_a_bundle_gone_from_the_newest_list_is_not_sold_and_comes_back_by_itself(
    lists: Lists,
) -> None:
    placed, released = lists.desk.place(), lists.desk.release(number="+233249000001")
    lists.read(OLD)
    assert not on_shelf(lists)
    with (
        lists.desk.inside("ama"),
        pytest.raises(orders.NotListed, match="not offered by the network"),
    ):
        orders.release(placed.code, AMA)
    lists.desk.work()
    assert lists.desk.read(released).wait_reason == "unlisted"
    lists.read()
    assert on_shelf(lists)
    lists.desk.work_until(released, "processing")
    with lists.desk.inside("ama"):
        assert orders.release(placed.code, AMA).state == "queued"


# -- a refusal


def test_a_refusal_takes_the_offer_off_sale_and_a_list_is_due(lists: Lists) -> None:
    order = lists.desk.release()
    lists.desk.plan("not_sold", "purchase")
    lists.desk.work()
    assert lists.desk.read(order).state == "refunded"
    assert lists.desk.wallet() == (WALLET_PESEWAS, 0)
    assert not on_shelf(lists) and not on_shelf(lists, "kofi")
    assert a_list_is_due()
    lists.sync()
    assert not on_shelf(lists), (
        "the list says what it said when the purchase was refused"
    )
    lists.desk.jump(config.current().gone_gap_s + 1)
    lists.sync()
    assert on_shelf(lists)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "OUT_OF_STOCK"), (409, "BUNDLE_UNAVAILABLE"), (404, "NO_SUCH_PRODUCT")],
)
def test_a_refusal_in_other_words_takes_the_offer_off_sale_and_proves_nothing(
    lists: Lists, status: int, code: str
) -> None:
    order = lists.desk.release()
    lists.desk.plan("refused", "purchase", status=status, says=code)
    lists.desk.work()
    assert lists.desk.read(order).state == "submitting"
    assert not on_shelf(lists) and a_list_is_due()


def twin(price: float) -> dict[str, Any]:
    """Another offer for the same bundle, which a purchase can tell from the first."""
    return new("TWIN_1GB", "YELLO MAX", price, network="YELLO")


def test_an_order_the_refusal_struck_is_bought_from_the_other_offer(
    lists: Lists,
) -> None:
    lists.read(twin(4.62))
    order = lists.desk.release()
    lists.show(twin(4.62), also=[{"fault": "not_sold", "endpoint": "purchase"}])
    lists.desk.work()
    assert lists.desk.read(order).state == "queued"
    lists.desk.work()
    order = lists.desk.read(order)
    assert (order.state, order.attempt, order.cost_pesewas, bought(lists, order)) == (
        "processing",
        2,
        462,
        "TWIN_1GB",
    )


def test_no_other_offer_is_bought_at_a_loss(lists: Lists) -> None:
    lists.read(twin(9.9))
    order = lists.desk.release()
    lists.show(twin(9.9), also=[{"fault": "not_sold", "endpoint": "purchase"}])
    lists.desk.work()
    assert lists.desk.read(order).state == "refunded"


def test_a_refusal_after_an_unclear_attempt_still_takes_the_offer_off_sale(
    lists: Lists,
) -> None:
    order = lists.desk.release()
    lists.desk.plan("drop_before", "purchase")
    lists.desk.work()
    lists.desk.plan("not_sold", "purchase", times=None)
    for _ in range(20):
        lists.desk.jump_to_next()
        lists.desk.work()
        if lists.desk.read(order).attempt == 2 and not on_shelf(lists):
            break
    assert not on_shelf(lists)
    assert lists.desk.read(order).state == "submitting", (
        "it proves nothing about the first attempt"
    )


def ends(lists: Lists, order: Order, *, looks: int = 40) -> Order:
    """What relay, workers and time make of it, without its agent."""
    for _ in range(looks):
        if lists.desk.read(order).state not in ("queued", "submitting"):
            break
        lists.desk.jump_to_next()
        lists.desk.work()
    return lists.desk.read(order)


def died_with_a_refusal(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> Order:
    """An order whose worker died with the refusal of its offer in its hands, which another order's
    answer then told.

    A refusal and what becomes of the order are one transaction, so a worker that dies in it has
    written neither.
    """

    def die(*_: object) -> bool:
        raise KeyboardInterrupt

    order = lists.desk.release()
    with monkeypatch.context() as patched:
        patched.setattr(orders, "buy_other", die)
        with pytest.raises(KeyboardInterrupt):
            lists.desk.work()
    assert lists.desk.read(order).state == "submitting"
    with tenancy.across_stores():
        assert catalog.refuse_offer(orders.wording(lists.desk.read(order))), (
            "nothing of it was kept"
        )
    return order


def test_an_order_whose_worker_died_after_the_refusal_was_kept_is_paid_back(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists.desk.plan("not_sold", "purchase", times=None)
    order = ends(lists, died_with_a_refusal(lists, monkeypatch))
    assert (order.state, order.attempt) == ("refunded", 1)
    assert lists.desk.wallet() == (WALLET_PESEWAS, 0)
    assert lists.desk.charges(order) == [] and lists.desk.cases() == []


@pytest.mark.parametrize(("price", "end"), [(4.62, "processing"), (9.9, "refunded")])
def test_an_order_whose_worker_died_there_is_bought_from_the_other_offer_when_its_cost_allows(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, price: float, end: str
) -> None:
    lists.read(twin(price))
    lists.show(twin(price), also=[{"fault": "not_sold", "endpoint": "purchase"}])
    order = ends(lists, died_with_a_refusal(lists, monkeypatch))
    assert order.state == end
    assert len(lists.desk.charges(order)) == (end == "processing")
    if end == "processing":
        assert (order.cost_pesewas, bought(lists, order)) == (462, "TWIN_1GB")


def test_an_order_refused_after_an_unclear_attempt_is_paid_back_when_the_supplier_never_had_it(
    lists: Lists,
) -> None:
    order = lists.desk.release()
    lists.desk.plan("drop_before", "purchase")
    lists.desk.work()
    lists.desk.plan("not_sold", "purchase", times=None)
    order = ends(lists, order)
    assert (order.state, order.attempt) == ("refunded", 2)
    assert lists.desk.charges(order) == [] and lists.desk.wallet() == (
        WALLET_PESEWAS,
        0,
    )


def test_an_order_refused_in_other_words_is_paid_back_when_the_supplier_never_had_it(
    lists: Lists,
) -> None:
    order = lists.desk.release()
    lists.desk.plan(
        "refused", "purchase", status=409, says="BUNDLE_UNAVAILABLE", times=None
    )
    order = ends(lists, order)
    assert (order.state, order.attempt) == ("refunded", 1)


def test_an_order_the_supplier_took_is_never_paid_back_for_a_refusal_of_its_offer(
    lists: Lists,
) -> None:
    taken = lists.desk.release()
    lists.desk.plan("http_500_after", "purchase")
    lists.desk.work()
    other = lists.desk.release("kofi")
    lists.desk.plan("not_sold", "purchase", times=None)
    assert ends(lists, other).state == "refunded"
    assert ends(lists, taken).state == "processing"


# -- a charge


def test_a_charge_above_the_known_cost_holds_at_once_for_every_store(
    lists: Lists,
) -> None:
    first, second = lists.desk.release(), lists.desk.release("kofi")
    lists.desk.plan("other_amount", "purchase", times=None, cedis=7.5)
    lists.desk.work()
    assert one_gb().cost_pesewas == 750
    assert not on_shelf(lists) and not on_shelf(lists, "kofi")
    assert a_list_is_due()
    states = {lists.desk.read(order).state for order in (first, second)}
    assert states == {"processing", "queued"}, "only the first was sold at a loss"
    waiting = next(
        order for order in (first, second) if lists.desk.read(order).state == "queued"
    )
    assert lists.desk.read(waiting).wait_reason == "cost"
    with lists.desk.inside("ama"):
        [change] = catalog.price_changes()
        assert (change.before_pesewas, change.after_pesewas, change.is_below) == (
            470,
            catalog.agent_price(750),
            True,
        )


def test_a_list_that_repeats_its_old_price_does_not_bring_the_loss_back(
    lists: Lists,
) -> None:
    lists.desk.release()
    lists.desk.plan("other_amount", "purchase", cedis=4.65)  # below three in a hundred
    lists.desk.work()
    lists.sync()
    assert one_gb().cost_pesewas == 465
    [question] = asked()
    assert (question.bundle.paid_cost_pesewas, question.bundle.last_cost_pesewas) == (
        465,
        460,
    )
    catalog.approve({question.bundle.id: question.seen}, OWNER)
    lists.sync()
    assert (one_gb().cost_pesewas, asked()) == (460, [])


def test_a_list_with_a_new_price_settles_a_charge(lists: Lists) -> None:
    lists.desk.release()
    lists.desk.plan("other_amount", "purchase", cedis=4.65)
    lists.desk.work()
    lists.sync({"product_code": "YELLOW_1GB", "price": 4.62})
    assert (one_gb().cost_pesewas, asked()) == (462, [])


@pytest.mark.parametrize("endpoint", ["purchase", "status"])
def test_an_amount_in_another_unit_is_asked_about_and_is_no_price(
    lists: Lists, endpoint: str
) -> None:
    order = lists.desk.release()
    lists.desk.plan("edited_answer", endpoint, members={"amount": 460})
    lists.desk.work()
    lists.desk.settle(order, "successful")
    lists.desk.work_until(order, "completed")
    assert (on_shelf(lists), lists.desk.cases()) == (True, ["amount_differs"])


def test_a_charge_below_changes_only_the_books(lists: Lists) -> None:
    lists.desk.release()
    lists.desk.plan("other_amount", "purchase", cedis=4.0)
    lists.desk.work()
    assert (one_gb().cost_pesewas, a_list_is_due()) == (460, False)


def test_a_charge_found_by_look_up_counts_and_one_from_before_the_list_does_not(
    lists: Lists,
) -> None:
    order = lists.desk.release()
    lost = {"fault": "drop_after", "endpoint": "purchase"}
    lists.show(
        also=[{"fault": "other_amount", "endpoint": "purchase", "cedis": 7.5}, lost]
    )
    lists.desk.work()
    assert one_gb().cost_pesewas == 460
    lists.desk.work_until(order, "processing")
    assert one_gb().cost_pesewas == 750
    lists.sync({"product_code": "YELLOW_1GB", "price": 7.6})
    lists.sync({"product_code": "YELLOW_1GB", "price": 7.4})
    assert one_gb().cost_pesewas == 740
    lists.desk.settle(order, "successful")
    lists.desk.work_until(order, "completed")
    assert one_gb().cost_pesewas == 740, "the list has said something else since"


def test_a_charge_told_in_a_bulk_counts(
    make_desk: Callable[..., Desk], using: Using
) -> None:
    using(bulk="auto")
    lists = Lists(make_desk())
    made = [lists.desk.release(("ama", "kofi")[place % 2]) for place in range(11)]
    # few calls are left: many orders go in one
    with tenancy.across_stores(), transaction():
        supply.locked_state().purchase_calls = [clock.now()] * (
            config.current().rate_calls - 9
        )
    lists.desk.plan("other_amount", "bulk", cedis=7.5)
    lists.desk.work()
    sent = [order for order in made if lists.desk.read(order).charged_pesewas == 750]
    assert len(sent) > 1
    assert one_gb().cost_pesewas == 750
    assert {lists.desk.read(order).state for order in made if order not in sent} <= {
        "queued"
    }


def asked() -> list[catalog.Question]:
    with tenancy.across_stores():
        return [one for one in catalog.questions() if one.bundle.network == "mtn"]


def test_a_cost_that_rises_between_process_and_the_claim_is_not_bought_at_a_loss(
    lists: Lists,
) -> None:
    order = lists.desk.release()
    lists.read({"product_code": "YELLOW_1GB", "price": 6.0})
    lists.desk.work()
    order = lists.desk.read(order)
    assert (order.state, order.wait_reason, order.attempt) == ("queued", "cost", 0)
    assert supply.state().purchase_calls == [], "no call of the minute is spent on it"
    with tenancy.across_stores():
        assert claim_one(order.id) is None, "the claim itself refuses too"
    with lists.desk.inside("ama"):
        assert orders.cancel(order.code, AMA).state == "cancelled"
    assert lists.desk.wallet() == (WALLET_PESEWAS, 0)
