"""The order of a store's shelf: recommended first, then as its agent has put it, then by size."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core import catalog
from core.audit import Actor
from core.base.db import db
from core.catalog import shelves
from core.stores import Store

AMA = Actor("agent", "Ama")


def sizes(network: str = "mtn") -> list[int]:
    """As customers see them."""
    return [line.mb for line in catalog.shelf() if line.network == network]


def ids(network: str = "mtn") -> list[int]:
    return [one.bundle_id for one in catalog.arrangement() if one.network == network]


def version(store_id: int) -> Any:
    return db.session.scalar(select(Store.version).where(Store.id == store_id))


def test_by_size_until_somebody_says_otherwise(ama: int) -> None:
    assert sizes() == sorted(sizes()) and catalog.by_hand() == set()
    assert [line.bundle_id for line in catalog.shelf()] == [
        one.bundle_id for one in catalog.arrangement()
    ]


def test_a_bundle_is_put_on_a_place_once_however_often_it_is_pressed(ama: int) -> None:
    before, was = ids(), version(ama)
    others = ids("telecel")
    assert catalog.put(before[3], 1, AMA)
    wanted = [before[3], *before[:3], *before[4:]]
    assert ids() == wanted and version(ama) == was + 1
    assert catalog.put(before[3], 1, AMA) is None, "it stands there already"
    assert ids() == wanted and version(ama) == was + 1
    assert ids("telecel") == others and catalog.by_hand() == {"mtn"}
    assert [
        line.bundle_id for line in catalog.shelf() if line.network == "mtn"
    ] == wanted
    assert catalog.put(before[3], 10_000, AMA)
    assert ids() == [*before[:3], *before[4:], before[3]]
    assert catalog.arrange_by_size("mtn", AMA) and ids() == before
    assert not catalog.arrange_by_size("mtn", AMA)


def test_what_is_recommended_stands_first_and_says_so(ama: int) -> None:
    before = ids()
    assert catalog.feature(before[2], True, AMA)
    assert catalog.feature(before[2], True, AMA) is None
    assert ids() == [before[2], *before[:2], *before[3:]]
    shown = [line for line in catalog.shelf() if line.network == "mtn"]
    assert [line.featured for line in shown] == [True] + [False] * (len(before) - 1)
    # places are counted among those beside it
    assert catalog.put(before[1], 1, AMA)
    assert ids()[:3] == [before[2], before[1], before[0]]
    assert catalog.feature(before[2], False, AMA)
    assert not any(line.featured for line in catalog.shelf())


def test_only_a_few_of_a_network_are_recommended(ama: int) -> None:
    for each in ids()[: catalog.MOST_FEATURED]:
        catalog.feature(each, True, AMA)
    one_more = ids()[catalog.MOST_FEATURED]
    with pytest.raises(catalog.NotArranged) as refused:
        catalog.feature(one_more, True, AMA)
    assert "Take one of them back first" in refused.value.sentence
    assert catalog.feature(ids("telecel")[0], True, AMA), "of another network still"


def test_hidden_ones_count_among_the_few(ama: int) -> None:
    price = {line.bundle_id: line.price_pesewas for line in catalog.shelf()}
    *chosen, one_more = ids()[: catalog.MOST_FEATURED + 1]
    for each in chosen:
        catalog.feature(each, True, AMA)
    catalog.save_price(chosen[0], price[chosen[0]], True, AMA)
    with pytest.raises(catalog.NotArranged) as refused:
        catalog.feature(one_more, True, AMA)
    assert "1 of them hidden. Show a hidden one in Prices" in refused.value.sentence
    catalog.save_price(chosen[0], price[chosen[0]], False, AMA)
    assert sum(line.featured for line in catalog.shelf()) == catalog.MOST_FEATURED
    catalog.feature(chosen[0], False, AMA)
    assert catalog.feature(one_more, True, AMA)


def test_what_is_hidden_or_not_there_is_not_moved(ama: int) -> None:
    line = catalog.shelf()[0]
    catalog.save_price(line.bundle_id, line.price_pesewas, True, AMA)
    for bundle_id in (line.bundle_id, 999_999):
        with pytest.raises(catalog.NotArranged):
            catalog.put(bundle_id, 1, AMA)
        with pytest.raises(catalog.NotArranged):
            catalog.feature(bundle_id, True, AMA)


def test_another_store_keeps_its_order(ama: int, as_store: Any) -> None:
    before = as_store("kofi", lambda: [line.bundle_id for line in catalog.shelf()])
    as_store("ama", lambda: catalog.put(ids()[3], 1, AMA))
    as_store("ama", lambda: catalog.feature(ids()[2], True, AMA))
    after = as_store("kofi", lambda: [line.bundle_id for line in catalog.shelf()])
    assert after == before


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("mtn", "telecel", "at")),
            st.booleans(),
            st.none() | st.integers(1, 5),
            st.integers(1, 5),
        )
    )
)
def test_networks_never_mix_and_what_has_a_place_comes_before_what_has_none(
    rows: list[tuple[str, bool, int | None, int]],
) -> None:
    placed = sorted(rows, key=lambda row: shelves.shop_order(*row, "30 days"))
    assert [row[0] for row in placed] == [
        network
        for network in ("mtn", "telecel", "at")
        for row in rows
        if row[0] == network
    ]
    for one, after in pairwise(placed):
        if one[0] == after[0]:
            assert one[1] >= after[1]
            if one[1] == after[1]:
                assert one[2] is not None or after[2] is None
