"""A supplier that counts in fractions of a pesewa beside books that do not: nothing stops, and a
missing purchase shows."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seed import FLOAT_PESEWAS
from sqlalchemy import select

from core import cases, catalog, ledger, orders, proof, reconcile, stores
from core.audit import SYSTEM, Actor
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.ledger import Posting
from core.orders import News, Order
from core.reconcile import rounding
from core.supplier import balances, supply
from integrations.datamart.money import signed_pesewas
from tests.support.claims import claim_one

AMA = Actor("agent", "Ama")
CENT, WHOLE = Decimal("0.01"), Decimal(1)


class Theirs:
    """The supplier's wallet in cedis, kept in one of the ways suppliers keep it."""

    def __init__(self, opening: Decimal, kept: str) -> None:
        self.kept, self.exact, self.noisy = kept, opening, float(opening)

    def take(self, price: Decimal) -> None:
        how = {"rounded": ROUND_HALF_UP, "up": ROUND_UP, "down": ROUND_DOWN}.get(
            self.kept
        )
        price = price if how is None else price.quantize(CENT, how)
        self.exact, self.noisy = self.exact - price, self.noisy - float(price)

    @property
    def balance(self) -> int:
        shown: Any = self.noisy if self.kept == "floats" else self.exact
        if self.kept == "shown with two":
            shown = self.exact.quantize(CENT, ROUND_HALF_UP)
        read = signed_pesewas(shown)
        assert read is not None
        return read


KEPT = ("exact", "floats", "rounded", "up", "down", "shown with two")
money_of = st.integers(min_value=100, max_value=30_000).map(
    lambda thousandths: Decimal(thousandths) / 1000
)


@pytest.fixture
def buy(context: Flask, place: Callable[..., Order]) -> Callable[[Decimal], Order]:
    """An order of ama's store that the supplier took for that price."""

    def bought(price: Decimal) -> Order:
        store = stores.by_slug("ama")
        assert store is not None
        with tenancy.inside(store.id):
            bundle = next(
                item
                for item in catalog.shelf()
                if (item.network, item.mb) == ("mtn", 1024)
            )
            order = orders.release(place(bundle_id=bundle.bundle_id).code, AMA)
            assert claim_one(order.id) is not None
            charged = signed_pesewas(price)
            assert orders.advance(
                order.id,
                "processing",
                text="Taken.",
                news=News("pending", amount_pesewas=charged),
            )
            return order

    return bought


def note(balance: int, **how: Any) -> str:
    with tenancy.across_stores():
        return reconcile.note_balance(balance, **how)


def open_kinds() -> list[str]:
    with tenancy.across_stores():
        return [case.kind for case in cases.open_cases(50)]


def float_now() -> int:
    with tenancy.across_stores():
        return reconcile.float_pesewas()


def rounded() -> list[int]:
    """What each rounding posting moved in the float, newest last."""
    with tenancy.across_stores():
        ids = db.session.scalars(
            select(Posting.id).where(Posting.kind == "rounding").order_by(Posting.id)
        ).all()
        return [
            dict(legs)["supplier_float"] for _, legs in ledger.legs_of(ids).values()
        ]


def begin_anew(balance: int) -> None:
    """Books that fit this balance, and no break."""
    with tenancy.across_stores(), transaction():
        if moved := balance - reconcile.float_pesewas():
            ledger.fund_float(moved, "for a test", SYSTEM)
    assert note(balance).startswith("fits")


@pytest.mark.slow(seconds=4.4)
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    opening=st.integers(min_value=100_000, max_value=900_000),
    kept=st.sampled_from(KEPT),
    prices=st.lists(money_of, min_size=1, max_size=5),
    told=st.booleans(),
    missing=st.integers(min_value=0, max_value=4),
)
def test_rounding_never_stops_buying_and_a_missing_purchase_always_does(
    buy: Callable[[Decimal], Order],
    jump: Callable[[float], None],
    opening: int,
    kept: str,
    prices: list[Decimal],
    told: bool,
    missing: int,
) -> None:
    theirs = Theirs(Decimal(opening) / 1000, kept)
    begin_anew(theirs.balance)
    for price in prices:
        theirs.take(price)
        buy(price)
        if told:
            assert note(theirs.balance, by_purchase=True).startswith("fits")
    assert note(theirs.balance).startswith("fits")
    assert float_now() == theirs.balance
    assert "unexpected_charge" not in open_kinds()
    with tenancy.across_stores():
        assert ledger.books().hold

    theirs.take(prices[missing % len(prices)])
    assert "less than expected" in note(theirs.balance)
    jump(61)
    assert note(theirs.balance).endswith("a break")
    assert "unexpected_charge" in open_kinds()
    with tenancy.across_stores():
        assert reconcile.buying_stopped()


def test_the_fraction_of_the_list_of_faults(buy: Callable[[Decimal], Order]) -> None:
    """812.435, and one purchase of 4.1 leaves 808.3349999999999."""
    begin_anew(81_244)
    buy(Decimal("4.1"))
    assert (
        note(80_833, said="808.3349999999999")
        == "fits, rounding of GH₵\u00a0−0.01 booked"
    )
    assert rounded() == [-1]
    with tenancy.across_stores():
        newest = balances.newest(1)[0]
        assert (newest.balance_pesewas, newest.float_pesewas, newest.said) == (
            80_833,
            80_833,
            "808.3349999999999",
        )
        assert ledger.platform_balances()["price_variance"] == 1
        assert not cases.is_open("unexpected_charge", "float")
        assert not proof.rules.broken()[1]


def test_no_more_than_a_pesewa_a_purchase_is_rounding(
    buy: Callable[[Decimal], Order],
) -> None:
    begin_anew(FLOAT_PESEWAS)
    assert "less" in note(FLOAT_PESEWAS - 1), "nothing was bought since they fitted"
    assert note(FLOAT_PESEWAS).startswith("fits")
    for _ in range(2):
        buy(Decimal("4.60"))
    assert "less" in note(FLOAT_PESEWAS - 920 - 3)
    assert note(FLOAT_PESEWAS - 920).startswith("fits")
    assert rounded() == []
    assert "less" in note(FLOAT_PESEWAS - 920 - 1), (
        "they fitted, so the count begins anew"
    )


def test_never_half_of_the_cheapest_bundle(buy: Callable[[Decimal], Order]) -> None:
    begin_anew(FLOAT_PESEWAS)
    for _ in range(2):
        buy(Decimal("0.04"))
    with tenancy.across_stores():
        assert rounding.limit_pesewas(supply.state()) == 1
    assert "less" in note(FLOAT_PESEWAS - 8 - 2), "as much as half of one purchase"
    assert note(FLOAT_PESEWAS - 8 - 1).startswith("fits, rounding")


def test_a_difference_that_is_asked_about_keeps_its_amount_while_purchases_go_on(
    buy: Callable[[Decimal], Order], jump: Callable[[float], None]
) -> None:
    begin_anew(FLOAT_PESEWAS)
    note(FLOAT_PESEWAS + 5_000)
    jump(61)
    assert note(FLOAT_PESEWAS + 5_000).endswith("a break")
    buy(Decimal("3.954"))
    note(FLOAT_PESEWAS + 5_000 - 395 - 1, by_purchase=True)
    with tenancy.across_stores():
        case = cases.open_cases(1)[0]
        assert reconcile.confirm_funding(case.id, SYSTEM, 5_000) == 5_000, (
            "the amount the person read"
        )
    assert float_now() == FLOAT_PESEWAS + 5_000 - 396
    assert note(float_now()).startswith("fits")


def test_money_that_came_back_with_a_fraction_is_seen(
    buy: Callable[[Decimal], Order],
) -> None:
    """3.954 was taken and comes back: 395 pesewas in our books, 396 more in the wallet."""
    begin_anew(FLOAT_PESEWAS)
    order = buy(Decimal("3.954"))
    note(FLOAT_PESEWAS - 396)
    assert rounded() == [-1]
    with tenancy.across_stores():
        assert orders.advance(order.id, "failed", text="Failed.", news=News("failed"))
    assert (
        note(FLOAT_PESEWAS)
        == "fits: money came back for 1 failed order, rounding of GH₵\u00a00.01 booked"
    )
    assert rounded() == [-1, 1]
    assert float_now() == FLOAT_PESEWAS


def test_what_a_small_charge_in_doubt_may_explain_is_no_rounding(
    buy: Callable[[Decimal], Order],
) -> None:
    begin_anew(FLOAT_PESEWAS)
    order = buy(Decimal("4.63"))
    buy(Decimal("4.60"))
    with tenancy.across_stores(), transaction():
        cases.open_case(
            "amount_differs",
            f"order:{order.id}",
            {"n": 1},
            store_id=order.store_id,
            order_id=order.id,
        )
    assert note(FLOAT_PESEWAS - 923 + 2) == "fits", "of the 0.03 nobody knows yet"
    assert rounded() == []


def test_more_than_a_cedi_of_it_a_day_is_a_case_and_stops_nothing(
    buy: Callable[[Decimal], Order],
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin_anew(FLOAT_PESEWAS)
    monkeypatch.setattr(rounding, "A_DAY_PESEWAS", 3)
    balance, kinds = FLOAT_PESEWAS, []
    for _ in range(7):
        buy(Decimal("3.954"))
        balance -= 396
        assert note(balance, by_purchase=True).startswith("fits")
        kinds.append(open_kinds())
    assert kinds[:3] == [[]] * 3
    assert kinds[3:] == [["rounding"]] * 4
    with tenancy.across_stores():
        case = cases.open_cases(1)[0]
        assert [seen["rounded_pesewas"] for seen in case.seen] == [-4, -6]
        assert not reconcile.buying_stopped()
        assert rounding.today_pesewas(supply.state()) == -7
    jump(86_400)
    with tenancy.across_stores():
        assert rounding.today_pesewas(supply.state()) == 0
        assert clock.accra_midnight().date() != supply.state().rounding_day
