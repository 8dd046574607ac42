"""The catalogue: what a sync changes, which offer wins, and that no price goes below its floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import tables_owner
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seed import offers
from sqlalchemy import select

from core import catalog
from core.audit import Actor
from core.base import config, tenancy
from core.base.db import db
from core.catalog import Bundle, StoreBundle
from tests.support.settings import Using

AMA = Actor("agent", "Ama")
OWNER = Actor("owner", "Owner")


def bundle(network: str = "mtn", gb: int = 1) -> Bundle:
    return db.session.scalars(
        select(Bundle).where(Bundle.network == network, Bundle.mb == gb * 1024)
    ).one()


def test_the_same_list_changes_nothing(context: Flask) -> None:
    with tenancy.across_stores():
        report = catalog.apply_sync("datamart", offers())
    assert (report.ok, report.new, report.gone, report.moved) == (True, [], [], [])
    assert "nothing changed" in report.sentence


@pytest.fixture
def by_itself(context: Flask) -> None:
    """The owner wants to be asked about nothing."""
    with tenancy.across_stores():
        catalog.set_rules(catalog.Rules(by_itself=True), OWNER)


def test_an_empty_list_changes_nothing(context: Flask) -> None:
    with tenancy.across_stores():
        report = catalog.apply_sync("datamart", [])
    assert not report.ok
    assert bundle().active


def test_a_price_move_is_named_and_lifts_the_floor(ama: int) -> None:
    moved = [
        replace(offer, cost_pesewas=900)
        if offer.product_code == "YELLOW_1GB"
        else offer
        for offer in offers()
    ]
    with tenancy.across_stores():
        report = catalog.apply_sync("datamart", moved)
    assert report.moved == [
        {"bundle": "MTN 1 GB · 30 days", "from_pesewas": 460, "to_pesewas": 900}
    ]
    assert set(report.below_floor) == {"ama: MTN 1 GB", "kofi: MTN 1 GB"}
    with tenancy.across_stores():
        [asked] = catalog.questions()
        assert (
            asked.bundle.agent_price_pesewas,
            asked.agent_price_pesewas,
            asked.stores_below,
        ) == (470, 918, 2)
    tenancy.use(ama)
    assert "mtn" not in {line.network for line in catalog.shelf() if line.mb == 1024}
    assert not next(
        line
        for line in catalog.price_table()
        if line.network == "mtn" and line.mb == 1024
    ).below_floor
    tenancy.clear()
    with tenancy.across_stores():
        catalog.approve({asked.bundle.id: asked.seen}, OWNER)
        assert catalog.questions() == []
    tenancy.use(ama)
    assert next(
        line
        for line in catalog.price_table()
        if line.network == "mtn" and line.mb == 1024
    ).below_floor


def test_a_product_is_hidden_only_when_missing_twice_far_enough_apart(
    by_itself: None, jump: Callable[[float], None]
) -> None:
    rest = [offer for offer in offers() if offer.product_code != "YELLOW_1GB"]
    with tenancy.across_stores():
        catalog.apply_sync("datamart", rest)
        assert bundle().active
        jump(config.current().gone_gap_s - 5)
        catalog.apply_sync("datamart", rest)
        assert bundle().active
        jump(10)
        report = catalog.apply_sync("datamart", rest)
        assert report.gone == ["MTN 1 GB · 30 days"]
        assert not bundle().active
        jump(config.current().gone_gap_s)
        assert catalog.apply_sync("datamart", rest).gone == []
        assert catalog.apply_sync("datamart", offers()).new == ["MTN 1 GB · 30 days"]
        assert bundle().active


def test_a_product_that_comes_back_in_between_starts_to_be_missing_anew(
    by_itself: None, jump: Callable[[float], None]
) -> None:
    rest = [offer for offer in offers() if offer.product_code != "YELLOW_1GB"]
    with tenancy.across_stores():
        for listed in (rest, offers(), rest):
            catalog.apply_sync("datamart", listed)
            jump(config.current().gone_gap_s - 5)
        assert bundle().active
        jump(10)
        assert catalog.apply_sync("datamart", rest).gone == ["MTN 1 GB · 30 days"]


def test_of_two_offers_for_one_bundle_the_cheaper_wins(context: Flask) -> None:
    twin = replace(offers()[0], product_code="YELLOW_1GB_B", cost_pesewas=450)
    with tenancy.across_stores():
        report = catalog.apply_sync("datamart", [*offers(), twin])
    assert report.beaten == ["YELLOW_1GB (460) loses to YELLOW_1GB_B"]
    assert bundle().cost_pesewas == 450


def test_a_new_bundle_gets_a_price_in_every_store(ama: int, kofi_id: int) -> None:
    new = replace(
        offers()[0],
        product_code="YELLOW_3GB",
        capacity="3GB",
        mb=3 * 1024,
        cost_pesewas=1_320,
    )
    with tenancy.across_stores():
        assert catalog.apply_sync("datamart", [*offers(), new]).new == [
            "MTN 3 GB · 30 days"
        ]
    for store_id in (ama, kofi_id):
        tenancy.use(store_id)
        line = next(line for line in catalog.shelf() if line.mb == 3 * 1024)
        assert line.price_pesewas >= catalog.agent_price(1_320)


@pytest.fixture
def no_markup(context: Flask, using: Using) -> None:
    using(agent_price_bp=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(min_value=1, max_value=1_000_000))
def test_the_agent_price_is_always_above_cost(no_markup: None, cost: int) -> None:
    assert catalog.agent_price(cost) > cost


def test_prices_are_saved_all_or_none_and_never_below_the_floor(ama: int) -> None:
    lines = catalog.shelf()
    floor = next(
        line for line in catalog.price_table() if line.bundle_id == lines[1].bundle_id
    ).agent_price_pesewas
    problems = catalog.save_prices(
        {
            lines[0].bundle_id: (9_999, False),
            lines[1].bundle_id: (floor - 1, False),
            999_999: (5_000, False),
        },
        AMA,
    )
    assert set(problems) == {lines[1].bundle_id, 999_999}
    assert "costs you" in problems[lines[1].bundle_id]
    assert catalog.shelf() == lines
    assert (
        catalog.save_prices(
            {lines[0].bundle_id: (9_999, True), lines[1].bundle_id: (floor, False)}, AMA
        )
        == {}
    )
    assert lines[0].bundle_id not in [line.bundle_id for line in catalog.shelf()]
    with pytest.raises(catalog.BelowFloor):
        catalog.save_price(lines[1].bundle_id, 1, False, AMA)
    with pytest.raises(catalog.NoSuchBundle):
        catalog.save_price(999_999, 100, False, AMA)


def test_the_database_refuses_a_bundle_and_an_order_below_cost(
    ama: int, place: Callable[..., object]
) -> None:
    place()
    for statement in (
        "UPDATE bundles SET cost_pesewas = agent_price_pesewas",
        "UPDATE orders SET price_pesewas = agent_price_pesewas - 1",
        "UPDATE orders SET agent_price_pesewas = cost_pesewas",
    ):
        with pytest.raises(Exception, match="never_below_cost"):
            tables_owner.execute(statement)


def test_a_price_of_another_store_is_not_touched(ama: int, kofi_id: int) -> None:
    bundle_id = catalog.shelf()[0].bundle_id
    catalog.save_price(bundle_id, 9_999, False, AMA)
    tenancy.use(kofi_id)
    assert catalog.shelf()[0].price_pesewas != 9_999
    assert len(db.session.scalars(select(StoreBundle)).all()) == len(offers())
