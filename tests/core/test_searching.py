"""Searches in a store with more orders than are looked through one by one: each goes by an index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import false, select, text

from core import orders
from core.audit import SYSTEM, Actor
from core.base import clock, tenancy
from core.base.db import db
from core.orders import Order, search_ways, telling
from tests import tables_owner

pytestmark = pytest.mark.slow(seconds=0.1)

AMA = Actor("agent", "Ama")
Place = Callable[..., Order]
NUMBER = "+233241234567"


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no order were among the newest."""
    monkeypatch.setattr(
        search_ways, "_among_newest", lambda *_: select(Order.id).where(false())
    )


def found(typed: str, *more: Any) -> list[int]:
    return [order.id for order in orders.find_any(typed, 10, *more)]


@pytest.mark.parametrize(
    "typed",
    [
        "0241234567", "+233 24 123 4567", "241234567", "tel:0241234567",
        "567", "4567", "34567", "234567", "1234567", "41234567",
        "02412", "024 123", "0241234", "+233 24 12", "2412",
        "akosua", "AKO", "mensah", "bon", "Akosua M", "mensah-bonsu", "ɛsi",
        "akosua 4567", "akosua 02412", "024 ••• 4567",
        "Please send to 0241234567 today", "SUP-REF-1",
    ],
)  # fmt: skip
def test_each_way_of_a_search_finds_by_an_index(
    ama: int, place: Place, many: None, typed: str
) -> None:
    place("+233209999999", customer_name="Kwame")
    order = place(NUMBER, customer_name="Akosua Ɛsi Mensah-Bonsu")
    tables_owner.execute(
        "UPDATE orders SET supplier_ref = 'SUP-REF-1' WHERE id = :id", id=order.id
    )
    assert found(typed) == [order.id]
    with tenancy.across_stores():
        assert found(typed) == [order.id]


@pytest.mark.parametrize(
    "typed", ["kwame", "Kwame Men", "0559876543", "055 987 6543", "6543", "TX77123"]
)
def test_a_told_payment_is_found_by_what_its_message_says(
    ama: int, place: Place, many: None, typed: str
) -> None:
    by_name, by_number = place(NUMBER), place("+233209999999")
    now = clock.now()
    telling.tell(by_name.code, telling.Payment(now, "Kwame Mensah", "TX77123"))
    telling.tell(by_number.code, telling.Payment(now, "055 987 6543"))
    expected = by_number if typed[-1] == "3" and "TX" not in typed else by_name
    assert found(typed) == [expected.id]
    with tenancy.across_stores():
        assert found(typed) == []
        assert found(typed, None, ama) == [expected.id]
    orders.cancel(expected.code, AMA)
    assert found(typed) == []


@pytest.mark.parametrize("typed", ["123", "1234", "0244", "024 999", "99", "sua", "%"])
def test_no_index_finds_what_stands_elsewhere(
    ama: int, place: Place, many: None, typed: str
) -> None:
    place(NUMBER, customer_name="Akosua")
    assert found(typed) == []


@pytest.mark.parametrize("typed", ["123", "024", "sua", "2345"])
def test_a_part_of_any_place_is_found_among_the_newest(
    ama: int, place: Place, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    order = place(NUMBER, customer_name="Akosua")
    assert found(typed) == [order.id]
    monkeypatch.setattr(search_ways, "LOOKED_THROUGH", 1)
    place("+233209999999")
    assert found(typed) == []


def test_a_forgotten_number_is_found_by_what_is_left_of_it(
    ama: int, place: Place, many: None
) -> None:
    order = place(NUMBER, customer_name="Akosua")
    other = place("+233551234567", customer_name="Akosua")
    orders.cancel(order.code, AMA)
    tenancy.clear()
    with tenancy.across_stores():
        orders.forget_number(NUMBER, SYSTEM)
        assert found("4567") == [other.id, order.id]
        assert found("024 ••• 4567") == [order.id]
        assert found("akosua") == [other.id]
        for whole in ("0241234567", "34567", "024123"):
            assert order.id not in found(whole), whole
    left = tables_owner.read(
        f"SELECT word FROM order_words WHERE order_id = {order.id}"
    )
    assert left == ["#7654"]


def test_a_search_goes_on_where_its_page_ended(
    ama: int, place: Place, many: None
) -> None:
    placed = [place(NUMBER, repeat_confirmed=True).id for _ in range(5)]
    for typed in ("4567", "0241234567", "024 123", "567"):
        seen: list[int] = []
        before = None
        for _ in range(4):
            page = orders.search(typed, before, 2)
            seen += [order.id for order in page.orders]
            before = page.next_before
            if before is None:
                break
        assert seen == placed[::-1], typed


def test_one_store_s_search_finds_nothing_of_another(
    app: Flask, as_store: Callable[..., Any], ama: int, place: Place, many: None
) -> None:
    order = place(NUMBER, customer_name="Akosua")
    for typed in ("4567", "akosua", "0241234567", "024 123", order.code):
        assert as_store("kofi", lambda typed=typed: found(typed)) == []
        assert as_store("ama", lambda typed=typed: found(typed)) == [order.id]
    tenancy.clear()
    with tenancy.across_stores():
        kofi = db.session.scalar(text("SELECT id FROM stores WHERE slug = 'kofi'"))
        assert found("4567", None, kofi) == []
        assert found("4567", None, ama) == [order.id]
