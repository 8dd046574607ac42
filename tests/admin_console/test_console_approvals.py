"""What a list asks of the owner: approve or leave, line by line or all; the guard never waits for
him."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest
from console_scenes import Scene
from seed import offers
from visitors import Visitor

from core import audit, catalog
from core.base import clock
from core.catalog import Bundle


def read(scene: Scene, **changes: int | None) -> None:
    """A list with other costs by product code; None leaves the product out."""
    listed = [
        replace(one, cost_pesewas=changes.get(one.product_code) or one.cost_pesewas)
        for one in offers()
        if changes.get(one.product_code, 1) is not None
    ]
    with scene.everywhere():
        catalog.apply_sync("datamart", listed)


def bundle(scene: Scene, mb: int = 1024) -> Bundle:
    return next(
        one
        for one in scene.ask(catalog.all_bundles)
        if (one.network, one.mb) == ("mtn", mb)
    )


def costs(scene: Scene, mb: int = 1024) -> tuple[int, int, bool]:
    found = bundle(scene, mb)
    return found.cost_pesewas, found.agent_price_pesewas, found.is_sold


def form(owner: Visitor) -> dict[str, str]:
    return dict(
        re.findall(r'name="(seen-\d+)" value="(\w+)"', owner.get("/catalogue").text)
    )


@pytest.mark.slow(seconds=1.3)
def test_a_large_step_waits_and_the_higher_cost_counts_meanwhile(
    owner: Visitor, scene: Scene
) -> None:
    read(scene, YELLOW_1GB=600, YELLOW_2GB=700)
    assert costs(scene) == (600, 470, False)
    assert costs(scene, 2048) == (900, 918, True), (
        "the fall waits too: the higher of both counts"
    )
    page = owner.get("/catalogue").text
    assert (
        "2 wait for your approval" in page and "agents 4.70" in page and "6.12" in page
    )
    assert (
        "2 lines of the supplier&#39;s list wait for your approval"
        in owner.get("/").text
    )


def test_a_list_that_repeats_a_cost_a_purchase_disproved_says_so(
    owner: Visitor, scene: Scene
) -> None:
    first = next(one for one in offers() if one.product_code == "YELLOW_1GB")
    with scene.everywhere():
        wording = catalog.Wording(
            first.network, first.mb, first.product_name, first.capacity
        )
        catalog.note_charge(wording, 600, clock.now())
    read(scene)
    page = owner.get("/catalogue").text
    assert (
        "A purchase was charged 6.00, and the list repeats 4.60: approve only if the supplier takes"
        " that again." in page
    )
    read(scene, YELLOW_1GB=700)
    assert "A purchase was charged" not in owner.get("/catalogue").text


@pytest.mark.parametrize(
    ("cost", "waits"), [(473, False), (474, True), (447, False), (446, True)]
)
def test_three_in_a_hundred_pass_and_more_waits(
    owner: Visitor, scene: Scene, cost: int, waits: bool
) -> None:
    read(scene, YELLOW_1GB=cost)
    assert (bundle(scene).asked_at is not None) is waits


def test_one_line_is_approved_and_the_other_left(owner: Visitor, scene: Scene) -> None:
    read(scene, YELLOW_1GB=600, YELLOW_2GB=1_000)
    first, second = bundle(scene).id, bundle(scene, 2048).id
    assert (
        owner.post(
            "/catalogue/approve", data={**form(owner), "line": str(first)}
        ).status_code
        == 303
    )
    assert costs(scene) == (600, 612, True)
    assert costs(scene, 2048) == (1_000, 918, False)
    assert (
        owner.post(
            "/catalogue/keep", data={**form(owner), "line": str(second)}
        ).status_code
        == 303
    )
    assert costs(scene, 2048) == (
        1_000,
        918,
        False,
    ), "left as it is, it is still not sold below cost"
    page = owner.get("/catalogue").text
    assert (
        "Left as agents have it" in page
        and "wait for your approval." not in owner.get("/").text
    )
    read(scene, YELLOW_1GB=600, YELLOW_2GB=1_000)
    assert bundle(scene, 2048).asked_at is None, "the same list does not ask again"
    read(scene, YELLOW_1GB=600, YELLOW_2GB=1_100)
    assert bundle(scene, 2048).asked_at is not None, "another one does"
    told = owner.get("/audit").text
    assert "approved the newest cost of" in told and "left the cost of" in told
    plain = unescape(re.sub(r"\s+", " ", told)).replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "cost: GH₵ 6.00, before: GH₵ 4.60, agents pay: GH₵ 6.12, agents paid: GH₵ 4.70"
        in plain
    )
    assert (
        "cost: GH₵ 10.00, before: GH₵ 9.00, agents pay: GH₵ 9.18, agents paid: GH₵ 9.18"
        in plain
    )


def test_all_at_once_and_pressed_twice(owner: Visitor, scene: Scene) -> None:
    read(scene, YELLOW_1GB=600, TELECEL_5GB=2_500, AT_PREMIUM_1GB=None)
    shown = form(owner)
    for _ in range(2):
        assert (
            owner.post("/catalogue/approve", data={**shown, "line": "all"}).status_code
            == 303
        )
    assert costs(scene) == (600, 612, True)
    assert scene.ask(catalog.questions) == []
    assert [
        one.active
        for one in scene.ask(catalog.all_bundles)
        if (one.network, one.mb) == ("at", 1024)
    ] == [False]
    told = [
        line.subject
        for line in scene.ask(lambda: audit.recent(100))
        if line.action == "approve_cost"
    ]
    assert len(told) == len(set(told)) == 3, "the second press did nothing"


def test_a_second_list_while_one_waits(owner: Visitor, scene: Scene) -> None:
    read(scene, YELLOW_1GB=600)
    shown = form(owner)
    read(scene, YELLOW_1GB=650)
    owner.post("/catalogue/approve", data={**shown, "line": "all"})
    assert costs(scene) == (650, 470, False), (
        "what he read is not what the list says now"
    )
    assert "a newer list says something else" in owner.get("/catalogue").text
    read(scene)
    assert costs(scene) == (460, 470, True), "the old price is back: nothing to ask"
    assert "for your approval" not in owner.get("/catalogue").text


def test_a_bundle_taken_away_is_not_sold_and_waits(
    owner: Visitor, scene: Scene
) -> None:
    read(scene, YELLOW_1GB=None)
    assert (bundle(scene).active, bundle(scene).is_sold) == (True, False)
    assert (
        "Gone from the list, or not on sale there. Not sold since"
        in owner.get("/catalogue").text
    )
    read(scene)
    assert bundle(scene).is_sold and scene.ask(catalog.questions) == []


def test_by_itself_asks_nothing_and_the_share_is_a_setting(
    owner: Visitor, scene: Scene
) -> None:
    assert (
        owner.post(
            "/catalogue/approval", data={"above": "30,5", "by_itself": "1"}
        ).status_code
        == 422
    )
    wrong = owner.post("/catalogue/approval", data={"above": "lots"})
    assert (
        wrong.status_code == 422
        and "Type a percentage" in wrong.text
        and 'value="lots"' in wrong.text
    )
    assert owner.post("/catalogue/approval", data={"above": "50 %"}).status_code == 303
    read(scene, YELLOW_1GB=600)
    assert costs(scene) == (600, 612, True)
    assert (
        owner.post(
            "/catalogue/approval", data={"above": "3", "by_itself": "1"}
        ).status_code
        == 303
    )
    read(scene, YELLOW_1GB=1_200)
    assert costs(scene) == (1_200, 1_224, True)
    assert "checked" in owner.get("/catalogue").text


def test_only_the_owner_decides(logged_in, scene: Scene) -> None:
    read(scene, YELLOW_1GB=600)
    finance = logged_in("finance@example.test", "console")
    page = finance.get("/catalogue").text
    assert (
        "1 waits for your approval" in page
        and "Approve all" not in page
        and "When a list asks" not in page
    )
    for path in ("approve", "keep", "approval"):
        assert (
            finance.post(f"/catalogue/{path}", data={"line": "all"}).status_code == 403
        )
    assert costs(scene) == (600, 470, False)


@pytest.mark.parametrize(
    "name", ["seen-", "seen-x", "seen-9999999999999999999", "seen-1"]
)
def test_a_press_with_strange_words_does_nothing(
    owner: Visitor, scene: Scene, name: str
) -> None:
    read(scene, YELLOW_1GB=600)
    assert (
        owner.post(
            "/catalogue/approve", data={name: "x" * 500, "line": "\u0000"}
        ).status_code
        == 303
    )
    assert costs(scene) == (600, 470, False)
