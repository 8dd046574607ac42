"""The catalogue page: what is sold at what cost, what the last sync changed, the kill switches."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from console_scenes import Scene
from seed import offers
from visitors import Visitor

from core import audit, catalog, orders, outbox
from core.base.phones import NETWORKS

NBSP = "\N{NO-BREAK SPACE}"


def test_every_bundle_shows_cost_and_agent_price(owner: Visitor, scene: Scene) -> None:
    page = owner.get("/catalogue").text
    for bundle in scene.ask(catalog.all_bundles):
        assert f"{bundle.cost_pesewas / 100:.2f}" in page
        assert f"{bundle.agent_price_pesewas / 100:.2f}" in page
    scene.sql("UPDATE bundles SET active = false WHERE network = 'at'")
    assert owner.get("/catalogue").text.count("Hidden") == 3


def test_the_diff_of_the_last_sync_names_what_changed(
    owner: Visitor, scene: Scene
) -> None:
    first = offers()
    dearer = replace(first[0], cost_pesewas=first[0].cost_pesewas + 5_000)
    fresh = replace(
        first[0], product_code="NEW", capacity="50GB", mb=51_200, cost_pesewas=20_000
    )
    with scene.everywhere():
        catalog.apply_sync("datamart", [dearer, *first[1:], fresh])
    page = owner.get("/catalogue").text
    assert "MTN 50 GB" in page
    assert "dearer by 50.00" in page
    assert "ama: MTN 1 GB" in page and "kofi: MTN 1 GB" in page, (
        "who fell below the floor"
    )


def test_a_failed_sync_says_why(owner: Visitor, scene: Scene) -> None:
    with scene.everywhere():
        catalog.record_failed_sync(
            "The supplier's list was empty. Nothing was changed."
        )
    page = owner.get("/catalogue").text
    assert "Failed" in page and "list was empty" in page


def test_before_the_first_sync_the_page_says_what_to_do(
    owner: Visitor, scene: Scene
) -> None:
    scene.sql("DELETE FROM store_bundles")
    scene.sql("UPDATE bundles SET active = false")
    assert "No bundles yet: the last sync left nothing to sell" in owner.get("/").text


def test_sync_leaves_a_request_whose_answer_shows_by_itself(
    owner: Visitor, scene: Scene
) -> None:
    answer = owner.post("/catalogue/sync")
    assert answer.status_code == 303
    place = answer.headers["Location"]
    row_id = int(place.rpartition("=")[2])
    assert place == f"/catalogue?asked={row_id}"
    assert scene.ask(lambda: outbox.requested(row_id)).kind == "sync_catalogue"
    page = owner.get(place).text
    poll = re.search(r'data-hx-get="(/catalogue/panel[^"]+)"', page)
    assert poll
    address = poll[1].replace("&amp;", "&")
    assert owner.get(address).status_code == 204
    scene.finish(row_id, True, "9 products read: nothing changed.")
    panel = owner.get(address)
    assert "Sync catalogue: done" in panel.text and "9 products read" in panel.text
    assert "data-hx-trigger" not in panel.text
    assert owner.get("/catalogue/panel?asked=0").status_code == 404


@pytest.mark.parametrize("network", NETWORKS)
def test_a_paused_network_is_sold_nowhere_until_it_is_resumed(
    owner: Visitor, scene: Scene, network: str
) -> None:
    answer = owner.post(
        f"/catalogue/networks/{network}/pause", {"reason": "  their switch\nis down "}
    )
    assert answer.status_code == 303
    pauses = scene.ask(catalog.paused_networks)
    assert pauses[network].reason == "their switch is down"
    with pytest.raises(orders.NetworkPaused):
        scene.order(slug="kofi", network=network)
    assert "their switch is down" in owner.get("/catalogue").text
    assert owner.post(f"/catalogue/networks/{network}/resume").status_code == 303
    assert scene.order(slug="kofi", network=network)
    deeds = [line.action for line in scene.ask(lambda: audit.recent(2))]
    assert deeds == ["resume", "pause"]


def test_all_sales_stop_and_start(owner: Visitor, scene: Scene) -> None:
    owner.post("/catalogue/sales/pause", {"reason": "stock-taking"})
    with pytest.raises(orders.SalesPaused):
        scene.order()
    assert "stock-taking" in owner.get("/catalogue").text
    owner.post("/catalogue/sales/resume")
    assert scene.order()


@pytest.mark.parametrize("reason", [None, "", "   ", "\x00\x01", "\u200b"])
@pytest.mark.parametrize(
    "path", ["/catalogue/networks/mtn/pause", "/catalogue/sales/pause"]
)
def test_a_pause_needs_a_reason(
    owner: Visitor,
    scene: Scene,
    counts: Callable[[], dict[str, int]],
    path: str,
    reason: str | None,
) -> None:
    before = counts()
    answer = owner.post(path, {} if reason is None else {"reason": reason})
    assert answer.status_code == 422
    assert "Say why; it is shown with the pause." in answer.text
    assert counts() == before
    assert (
        scene.ask(catalog.paused_networks) == {}
        and scene.ask(catalog.sales_paused) is None
    )


def test_an_unknown_network_is_404(owner: Visitor) -> None:
    assert (
        owner.post("/catalogue/networks/glo/pause", {"reason": "x"}).status_code == 404
    )
    assert owner.post("/catalogue/networks/glo/resume").status_code == 404
