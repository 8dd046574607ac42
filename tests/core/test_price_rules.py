"""Prices by one rule: the arithmetic, that just what was shown is saved, and what is kept of each
change."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import Any

import pytest
import tables_owner
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from core import audit, catalog
from core.audit import Actor
from core.base import money, tenancy
from core.base.db import db
from core.catalog import Bundle, Markup, PriceLine, Ruled, bulk
from core.catalog.pricing import MOST_PRICE_PESEWAS
from core.stores import Store

AMA = Actor("agent", "Ama")
costs = st.integers(min_value=1, max_value=MOST_PRICE_PESEWAS)
markups = st.builds(
    Markup,
    bp=st.integers(0, catalog.MOST_MARKUP_BP),
    fixed_pesewas=st.integers(0, money.MOST_PESEWAS),
    step_pesewas=st.sampled_from(bulk.STEPS),
)


@given(costs, markups)
def test_a_price_is_the_least_step_that_is_not_below_cost_and_markup(
    cost: int, markup: Markup
) -> None:
    price = markup.price_pesewas(cost)
    exact = Fraction(cost) * (10_000 + markup.bp) / 10_000 + markup.fixed_pesewas
    assert price % markup.step_pesewas == 0
    assert 0 <= price - exact < markup.step_pesewas, (
        "rounded up, once, by less than a step"
    )
    assert price >= cost, "never below the floor"


@given(costs, costs, markups)
def test_what_costs_more_is_never_cheaper(one: int, other: int, markup: Markup) -> None:
    low, high = sorted((one, other))
    assert markup.price_pesewas(low) <= markup.price_pesewas(high)


@given(costs, markups)
def test_price_less_profit_is_the_cost_to_the_pesewa(cost: int, markup: Markup) -> None:
    line = PriceLine(1, "mtn", 1024, "1 GB", "30 days", cost, cost, False, True)
    ruled = Ruled(line, markup.exact_pesewas(cost), markup.price_pesewas(cost))
    assert ruled.price_pesewas - ruled.profit_pesewas == cost
    assert ruled.price_pesewas >= ruled.exact_pesewas >= cost


def by_bundle() -> dict[int, PriceLine]:
    return {line.bundle_id: line for line in catalog.price_table()}


def save(markup: Markup) -> list[Ruled]:
    shown = catalog.mark(catalog.preview(markup))
    return catalog.save_ruled(markup, shown, AMA)


def version(store_id: int) -> int:
    found = db.session.scalar(select(Store.version).where(Store.id == store_id))
    assert found is not None
    return found


def test_a_rule_prices_one_network_as_shown_and_leaves_the_others(ama: int) -> None:
    before, was = by_bundle(), version(ama)
    markup = Markup("mtn", bp=1_250, step_pesewas=50)
    shown = catalog.preview(markup)
    saved = save(markup)
    after = by_bundle()
    assert {one.line.bundle_id: one.price_pesewas for one in shown if one.changes} == {
        one.line.bundle_id: after[one.line.bundle_id].price_pesewas for one in saved
    }
    for key, line in after.items():
        if line.network == "mtn":
            assert line.price_pesewas == markup.price_pesewas(line.agent_price_pesewas)
        else:
            assert line == before[key]
    assert version(ama) == was + 1
    assert save(markup) == [] and version(ama) == was + 1, "a second press does nothing"


def test_hidden_bundles_only_when_asked_for(ama: int) -> None:
    line = catalog.price_table()[0]
    catalog.save_price(line.bundle_id, 9_900, True, AMA)
    save(Markup(bp=500))
    assert by_bundle()[line.bundle_id].price_pesewas == 9_900
    save(Markup(bp=500, with_hidden=True))
    after = by_bundle()[line.bundle_id]
    assert after.price_pesewas != 9_900 and after.hidden


def test_nothing_is_saved_but_what_was_shown(ama: int) -> None:
    markup = Markup(bp=1_000, step_pesewas=10)
    shown = catalog.mark(catalog.preview(markup))
    line = catalog.price_table()[0]
    tables_owner.execute(
        update(Bundle)
        .where(Bundle.id == line.bundle_id)
        .values(agent_price_pesewas=line.agent_price_pesewas + 1)
    )
    before = by_bundle()
    with pytest.raises(catalog.ShownOtherwise):
        catalog.save_ruled(markup, shown, AMA)
    assert {key: one.price_pesewas for key, one in by_bundle().items()} == {
        key: one.price_pesewas for key, one in before.items()
    }
    with pytest.raises(catalog.ShownOtherwise):
        catalog.save_ruled(markup, "", AMA)


def test_a_price_that_somebody_else_changed_meanwhile_is_not_written_over(
    ama: int,
) -> None:
    markup = Markup("mtn", bp=1_000)
    shown = catalog.mark(catalog.preview(markup))
    line = next(one for one in catalog.price_table() if one.network == "mtn")
    catalog.save_price(line.bundle_id, 9_900, False, Actor("agent", "Kofi"))
    with pytest.raises(catalog.ShownOtherwise):
        catalog.save_ruled(markup, shown, AMA)
    assert by_bundle()[line.bundle_id].price_pesewas == 9_900


def test_a_price_that_is_too_high_saves_none(ama: int) -> None:
    before = by_bundle()
    markup = Markup(fixed_pesewas=MOST_PRICE_PESEWAS)
    with pytest.raises(catalog.NotAsRuled) as refused:
        save(markup)
    assert "is too high" in refused.value.sentence and by_bundle() == before


def test_each_price_has_its_line_in_the_history_and_in_the_audit(
    ama: int, kofi_id: int
) -> None:
    line = catalog.price_table()[0]
    catalog.save_price(line.bundle_id, 9_900, False, AMA)
    catalog.save_price(line.bundle_id, 9_900, True, AMA)
    catalog.save_price(line.bundle_id, 9_900, True, AMA)
    saved = save(Markup(line.network, bp=2_000, with_hidden=True))
    found = catalog.price_history(100)
    assert len(found) == len(saved) + 2, "what changes nothing leaves no line"
    own = catalog.price_history(100, bundle_id=line.bundle_id)
    said = [
        (
            one.move.how,
            one.move.before_pesewas,
            one.move.price_pesewas,
            one.move.cost_pesewas,
            one.move.was_hidden,
            one.move.hidden,
        )
        for one in own
    ]
    cost, new = (
        line.agent_price_pesewas,
        Markup(bp=2_000).price_pesewas(line.agent_price_pesewas),
    )
    assert said == [
        ("bulk", 9_900, new, cost, True, True),
        ("typed", 9_900, 9_900, cost, False, True),
        ("typed", line.price_pesewas, 9_900, cost, False, False),
    ]
    assert {one.move.by_name for one in found} == {"Ama"}
    assert [one.shelf_text for one in own] == ["", "hidden from customers", ""]
    rest = catalog.price_history(100, before_id=found[1].move.id)
    assert [one.move.id for one in rest] == [one.move.id for one in found[2:]]
    tenancy.clear()
    with tenancy.across_stores():
        lines = [
            one
            for one in audit.recent(100)
            if one.action in ("save_price", "bulk_price")
        ]
    assert len(lines) == len(found)
    tenancy.use(kofi_id)
    assert catalog.price_history(100) == [], "another store's is not seen"


def test_a_margin_kept_is_in_the_history_and_the_shop_is_another_version(
    ama: int,
) -> None:
    line, was = catalog.price_table()[0], version(ama)
    assert line.price_pesewas is not None
    tables_owner.execute(
        update(Bundle)
        .where(Bundle.id == line.bundle_id)
        .values(agent_price_pesewas=line.agent_price_pesewas + 37)
    )
    seen = {one.bundle_id: one.after_pesewas for one in catalog.price_changes()}
    catalog.keep_margins(seen, AMA)
    [kept] = catalog.price_history(10)
    assert (
        kept.move.how,
        kept.move.before_pesewas,
        kept.move.price_pesewas,
        kept.move.cost_pesewas,
    ) == (
        "kept_margin",
        line.price_pesewas,
        line.price_pesewas + 37,
        line.agent_price_pesewas + 37,
    )
    assert version(ama) == was + 1
    catalog.keep_margins(seen, AMA)
    assert len(catalog.price_history(10)) == 1 and version(ama) == was + 1


@given(st.integers(-(10**7), 10**7), st.integers(1, 10**7))
def test_a_share_is_within_half_a_tenth(part: int, whole: int) -> None:
    said = money.percent_of(part, whole).replace("\N{MINUS SIGN}", "-")
    assert abs(Fraction(said) - Fraction(100 * part, whole)) <= Fraction(1, 20)
    assert money.percent_of(part, 0) == "–"


@given(st.integers(0, 10**6))
def test_a_percentage_is_read_back_as_written(bp: int) -> None:
    written = money.format_bp(bp).replace(",", "")
    assert money.parse_percent(written) == bp
    assert money.parse_percent(f" {written} % ") == bp


def test_eight_presses_at_once_save_once(app: Flask, as_store: Any) -> None:
    markup = Markup(bp=1_500, step_pesewas=10)
    shown = as_store("ama", lambda: catalog.mark(catalog.preview(markup)))
    ready, saved, failed = threading.Barrier(8), [], []

    def press() -> None:
        ready.wait()
        try:
            saved.append(
                as_store("ama", lambda: catalog.save_ruled(markup, shown, AMA))
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failed.append(error)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    [done] = [one for one in saved if one]
    assert len(as_store("ama", lambda: catalog.price_history(1_000))) == len(done)
