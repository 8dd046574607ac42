"""Taking an order: one key is one order, a repeat asks, a closed shop says so, nothing is sold
below cost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from core import catalog, ledger, onboarding, orders
from core.audit import SYSTEM, Actor
from core.base import config, tenancy
from core.base.db import db, transaction
from core.catalog import Bundle, StoreBundle
from core.orders import Order, pay_codes, placing, wanting
from core.orders.wanting import Wanted

AMA = Actor("agent", "Ama")
NUMBER = "+233241234567"


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def test_the_same_key_is_the_same_order_before_any_other_check(
    ama: int, place: Callable[..., Order]
) -> None:
    first = place(NUMBER, idempotency_key="k" * 22)
    onboarding.set_store_status(ama, "closed", "Back on Monday.", SYSTEM)
    assert place("+233200000000", idempotency_key="k" * 22).id == first.id
    assert count() == 1


def test_fifty_submits_at_once_are_one_order(
    app: Flask, in_store: Callable[..., Any]
) -> None:
    bundle_id = in_store("ama", lambda: catalog.shelf()[0].bundle_id)
    gate, codes, errors = threading.Barrier(16), [], []

    def submit() -> None:
        gate.wait()
        for _ in range(4):
            try:
                codes.append(
                    in_store(
                        "ama",
                        lambda: (
                            orders.place(
                                bundle_id=bundle_id,
                                recipient_msisdn=NUMBER,
                                idempotency_key="x" * 22,
                            ).order.code
                        ),
                    )
                )
            except Exception as error:  # noqa: BLE001 - any error at all fails the test
                errors.append(repr(error))

    threads = [threading.Thread(target=submit) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(codes) == 64
    assert len(set(codes)) == 1
    assert in_store("ama", count) == 1


def both_at_once(deeds: list[Callable[[], Any]]) -> list[Any]:
    """What two people got who pressed at the same moment; exceptions are results too."""
    gate, results = threading.Barrier(len(deeds)), []

    def run(deed: Callable[[], Any]) -> None:
        gate.wait()
        try:
            results.append(deed())
        except Exception as error:  # noqa: BLE001 - judged by the test
            results.append(error)

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("_again", range(3))
def test_one_key_with_two_numbers_at_once_is_one_order(
    app: Flask,
    in_store: Callable[..., Any],
    place: Callable[..., Order],
    monkeypatch: pytest.MonkeyPatch,
    _again: int,
) -> None:
    # Both have looked for the key before either writes: only the unique index can tell them apart.
    both_looked, find = threading.Barrier(2), wanting.look_and_hold
    looks: dict[int, int] = {}

    def look(*about: Any) -> Wanted:
        found = find(*about)
        me = threading.get_ident()
        looks[me] = looks.get(me, 0) + 1
        if looks[me] == 1:
            both_looked.wait(10)
        return found

    monkeypatch.setattr(wanting, "look_and_hold", look)
    numbers = ("+233241111111", "+233242222222")
    codes = both_at_once(
        [
            lambda n=n: in_store("ama", lambda: place(n, idempotency_key="y" * 22).code)
            for n in numbers
        ]
    )
    assert isinstance(codes[0], str)
    assert codes[0] == codes[1]
    assert in_store("ama", count) == 1


def test_two_orders_that_choose_one_pay_code_are_both_placed(
    app: Flask,
    in_store: Callable[..., Any],
    place: Callable[..., Order],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both find it free before either is written: the second waits for the first, and chooses
    anew."""
    both_chose, choose = threading.Barrier(2), pay_codes.some
    chosen: dict[int, int] = {}

    def some(many: int) -> list[str]:
        me = threading.get_ident()
        chosen[me] = chosen.get(me, 0) + 1
        if chosen[me] > 1:
            return choose(many)
        return ["000000"]

    monkeypatch.setattr(pay_codes, "some", some)
    add = placing.added

    def added(values: dict[str, Any], *by: Any) -> Order:
        if values["pay_code"] == "000000":
            both_chose.wait(10)
        return add(values, *by)

    monkeypatch.setattr(placing, "added", added)
    numbers = ("+233241111111", "+233242222222")
    placed = both_at_once(
        [
            lambda n=n: in_store(
                "ama", lambda: place(n, idempotency_key=n.strip("+") * 2).pay_code
            )
            for n in numbers
        ]
    )
    assert "000000" in placed and len(set(placed)) == 2, placed
    assert sum(chosen.values()) == 3
    assert in_store("ama", count) == 2


@pytest.mark.parametrize("_again", range(3))
def test_two_forms_for_one_number_at_once_ask_about_the_repeat(
    app: Flask, in_store: Callable[..., Any], place: Callable[..., Order], _again: int
) -> None:
    results = both_at_once([lambda: in_store("ama", lambda: place(NUMBER))] * 6)
    assert sorted(type(result).__name__ for result in results) == [
        "Order",
        *["RepeatAsked"] * 5,
    ]
    assert in_store("ama", count) == 1


def test_racing_orders_with_money_for_two_release_exactly_two(
    app: Flask, as_store: Callable[..., Any], in_store: Callable[..., Any], place: Any
) -> None:
    placed = as_store("ama", lambda: [place() for _ in range(8)])
    price = placed[0].agent_price_pesewas

    def leave_money_for_two() -> None:
        with transaction():
            left = ledger.wallet().available_pesewas
            ledger.post(
                "hold",
                [("wallet", left - 2 * price - 1), ("held", -(left - 2 * price - 1))],
                SYSTEM,
                store_id=placed[0].store_id,
            )

    in_store("ama", leave_money_for_two)
    gate, results = threading.Barrier(8), []

    def press(code: str) -> None:
        gate.wait()
        try:
            results.append(as_store("ama", lambda: orders.release(code, AMA).state))
        except orders.InsufficientWallet as short:
            results.append(short.sentence)

    threads = [threading.Thread(target=press, args=(order.code,)) for order in placed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("queued") == 2
    assert len([line for line in results if "in your wallet" in line]) == 6


def test_a_repeat_within_five_minutes_asks_and_then_obeys(
    ama: int, place: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    first = place(NUMBER)
    with pytest.raises(orders.RepeatAsked) as asked:
        place(NUMBER)
    assert asked.value.earlier.id == first.id
    assert place(NUMBER, repeat_confirmed=True).id != first.id
    jump(config.current().repeat_window_s + 1)
    assert place(NUMBER).id != first.id
    assert count() == 3


def test_a_cancelled_order_is_no_repeat(ama: int, place: Callable[..., Order]) -> None:
    orders.cancel(place(NUMBER).code, AMA)
    assert place(NUMBER).state == "pending"


def test_ten_processed_orders_an_hour_for_one_number_and_store(
    ama: int, kofi_id: int, place: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    for _ in range(10):
        orders.release(place(NUMBER, repeat_confirmed=True).code, AMA)
    with pytest.raises(orders.TooManyOrders):
        place(NUMBER, repeat_confirmed=True)
    tenancy.use(kofi_id)
    assert place(NUMBER).state == "pending"
    tenancy.use(ama)
    jump(3_601)
    assert place(NUMBER).state == "pending"


def test_a_closed_store_a_paused_network_and_paused_sales_refuse_before_anything_is_written(
    ama: int, place: Callable[..., Order]
) -> None:
    catalog.pause_network("mtn", "backlog", SYSTEM)
    with pytest.raises(
        orders.NetworkPaused, match="MTN is paused since .* Telecel and AT work."
    ):
        place()
    catalog.resume_network("mtn", SYSTEM)
    catalog.pause_sales("float empty", SYSTEM)
    with pytest.raises(orders.SalesPaused):
        place()
    catalog.resume_sales(SYSTEM)
    onboarding.set_store_status(ama, "closed", "Back on Monday.", SYSTEM)
    with pytest.raises(orders.StoreClosed, match="Back on Monday."):
        place()
    assert count() == 0


def test_the_order_keeps_what_the_customer_saw(
    ama: int, place: Callable[..., Order]
) -> None:
    line = catalog.shelf()[0]
    with pytest.raises(orders.PriceChanged) as changed:
        place(bundle_id=line.bundle_id, price_seen_pesewas=line.price_pesewas - 1)
    assert changed.value.price_pesewas == line.price_pesewas
    order = place(bundle_id=line.bundle_id, price_seen_pesewas=line.price_pesewas)
    catalog.save_price(line.bundle_id, line.price_pesewas + 100, False, AMA)
    again = orders.by_code(order.code)
    assert again is not None
    assert again.price_pesewas == line.price_pesewas


@pytest.mark.parametrize("way", ["hidden", "inactive", "below floor", "no such bundle"])
def test_what_is_not_on_the_shelf_cannot_be_bought(
    ama: int, place: Callable[..., Order], way: str
) -> None:
    bundle_id = catalog.shelf()[0].bundle_id
    with transaction() as session:
        if way == "hidden":
            session.execute(
                update(StoreBundle)
                .where(StoreBundle.bundle_id == bundle_id)
                .values(hidden=True)
            )
        elif way == "inactive":
            session.execute(
                update(Bundle).where(Bundle.id == bundle_id).values(active=False)
            )
        elif way == "below floor":
            session.execute(
                update(Bundle)
                .where(Bundle.id == bundle_id)
                .values(agent_price_pesewas=90_000)
            )
    assert (
        bundle_id not in [line.bundle_id for line in catalog.shelf()]
        or way == "no such bundle"
    )
    with pytest.raises(orders.BundleUnavailable):
        place(bundle_id=bundle_id if way != "no such bundle" else 999_999)


def test_release_refuses_an_order_whose_cost_has_passed_its_price(
    ama: int, place: Callable[..., Order]
) -> None:
    order = place()
    with transaction() as session:
        session.execute(
            update(Bundle)
            .where(Bundle.id == order.bundle_id)
            .values(
                cost_pesewas=order.agent_price_pesewas,
                agent_price_pesewas=order.agent_price_pesewas + 10,
            )
        )
    with pytest.raises(orders.CostAbovePrice):
        orders.release(order.code, AMA)
    assert ledger.wallet().held_pesewas == 0


def test_a_selection_says_what_became_of_each(
    ama: int, place: Callable[..., Order]
) -> None:
    good, gone, done = place(), place(), place()
    orders.cancel(gone.code, AMA)
    orders.release(done.code, AMA)
    results = orders.release_many(
        [good.code, gone.code, done.code, "ZZZZZZZZZZ", good.code], AMA
    )
    assert [(row.code, row.ok) for row in results] == [
        (good.code, True),
        (gone.code, False),
        (done.code, True),
        ("ZZZZZZZZZZ", False),
    ]
    assert "cancelled" in results[1].sentence
    assert [row.became for row in results] == ["moved", "over", "before", "refused"]


def test_references_and_codes_have_the_shape_the_contract_asks_for(
    ama: int, place: Callable[..., Order]
) -> None:
    order = place()
    assert 12 <= len(order.order_ref) <= 40
    assert set(order.order_ref) <= set("ABCDEFGHJKMNPQRSTVWXYZ0123456789-")
    assert len(order.order_ref.removeprefix("MK-")) * 5 >= 80
    assert order.order_ref != place().order_ref
    assert orders.by_code(order.shown_code.lower()) is not None
    assert orders.read_code("k7qm-2xr9-4t") == "K7QM2XR94T"
    assert orders.read_code("OIL0-0000-00") == "0110000000"
    assert orders.read_code("too short") is None


def test_every_network_paused_offers_none_instead(
    ama: int, place: Callable[..., Order]
) -> None:
    for network in ("telecel", "at"):
        catalog.pause_network(network, "", SYSTEM)
    catalog.pause_network("mtn", "backlog", SYSTEM)
    with pytest.raises(orders.NetworkPaused, match=r"MTN is paused since \d\d:\d\d\.$"):
        place()
    with pytest.raises(KeyError):
        catalog.pause_network("glo", "", SYSTEM)


def test_an_integrity_error_that_is_not_about_the_key_is_not_swallowed(
    ama: int, place: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = place().code
    monkeypatch.setattr(placing, "new_code", lambda: code)
    with pytest.raises(IntegrityError, match="code"):
        place()


def test_the_review_says_what_is_asked_about_and_writes_nothing(
    ama: int, place: Callable[..., Order]
) -> None:
    line = catalog.shelf()[0]
    assert line.network == "mtn"
    review = orders.check(line.bundle_id, NUMBER)
    assert (review.line, review.earlier, review.mismatch_network) == (line, None, None)
    assert orders.check(line.bundle_id, "+233201234567").mismatch_network == "telecel"
    assert count() == 0
    earlier = place(NUMBER, bundle_id=line.bundle_id)
    again = orders.check(line.bundle_id, NUMBER).earlier
    assert again is not None
    assert again.id == earlier.id
    for _ in range(10):
        orders.release(place(NUMBER, repeat_confirmed=True).code, AMA)
    with pytest.raises(orders.TooManyOrders):
        orders.check(line.bundle_id, NUMBER)


def test_a_store_cannot_close_between_the_look_and_the_order(
    ama: int,
    place: Callable[..., Order],
    superuser: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who closes it waits until the order is there, and finds it."""
    make, refused = placing.new_row, []

    def closing(*about: Any) -> dict[str, Any]:
        superuser.execute("SET lock_timeout = 100")
        try:
            superuser.execute("UPDATE stores SET status = 'closed'")
        except psycopg.errors.LockNotAvailable:
            refused.append(True)
        finally:
            superuser.execute("RESET lock_timeout")
        return make(*about)

    monkeypatch.setattr(placing, "new_row", closing)
    place()
    assert refused == [True]


def test_another_size_or_network_is_no_repeat(
    ama: int, place: Callable[..., Order]
) -> None:
    shelf = catalog.shelf()
    first = shelf[0]
    other_size = next(
        one for one in shelf if one.network == first.network and one.mb != first.mb
    )
    other_network = next(
        one for one in shelf if one.network != first.network and one.mb == first.mb
    )
    place(NUMBER, bundle_id=first.bundle_id)
    for other in (other_size, other_network):
        place(NUMBER, bundle_id=other.bundle_id)
    with pytest.raises(orders.RepeatAsked):
        place(NUMBER, bundle_id=first.bundle_id)
    assert count() == 3


def test_a_store_whose_first_codes_are_taken_tries_more(
    ama: int, place: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = place().pay_code
    assert taken is not None
    choose = pay_codes.some

    def few(many: int) -> list[str]:
        return [taken] if many == pay_codes.TRIED_FIRST else [taken, *choose(many)]

    monkeypatch.setattr(pay_codes, "some", few)
    assert place("+233242222222").pay_code not in (None, taken)
    monkeypatch.setattr(pay_codes, "some", lambda _many: [taken])
    assert place("+233243333333").pay_code is None
