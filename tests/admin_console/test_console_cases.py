"""Cases, the proof of the books, the audit log."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from console_scenes import AGENT, Scene
from visitors import Visitor

from core import audit, cases, catalog, ledger

NBSP = "\N{NO-BREAK SPACE}"


def test_a_case_shows_its_evidence_and_its_order(owner: Visitor, scene: Scene) -> None:
    code = scene.order("completed", slug="kofi")
    scene.case_of(code)
    scene.case("unexpected_charge", "float", evidence={"difference_pesewas": -1_250, "nothing": None})
    page = owner.get("/cases").text
    for words in (
        f'href="/orders/{code}"',
        "Kofi&#39;s Data",
        "flabbergasted",
        f"GH₵{NBSP}12.50 less than our books",
        "Seen ",
    ):
        assert words in page, words


def test_closing_a_case_keeps_the_words_of_the_person(owner: Visitor, scene: Scene) -> None:
    case_id = scene.case()
    answer = owner.post(f"/cases/{case_id}/close", {"resolution": " Asked the supplier:\nit means pending. "})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cases")
    assert scene.ask(lambda: cases.open_cases(9)) == []
    page = owner.get("/cases").text
    assert "Closed with words." in page and "No open cases" in page
    line = scene.ask(lambda: audit.recent(1))[0]
    assert line.action == "close_case"
    assert line.detail["resolution"] == "Closed with words. “Asked the supplier: it means pending.”"


@pytest.mark.parametrize("resolution", [None, "", "  ", "\x00"])
def test_a_case_is_not_closed_without_a_word(
    owner: Visitor, scene: Scene, counts: Callable[[], dict[str, int]], resolution: str | None
) -> None:
    case_id, other = scene.case(), scene.case("unexpected_charge", "float")
    before = counts()
    answer = owner.post(f"/cases/{case_id}/close", {} if resolution is None else {"resolution": resolution})
    assert answer.status_code == 422
    assert f'id="resolution-{case_id}-error"' in answer.text
    assert f'id="resolution-{other}-error"' not in answer.text
    assert counts() == before
    assert len(scene.ask(lambda: cases.open_cases(9))) == 2


@pytest.mark.parametrize("case_id", ["0", "999999999999999999", "99999999999999999999999", "x"])
def test_an_unknown_case_is_404(owner: Visitor, case_id: str) -> None:
    assert owner.post(f"/cases/{case_id}/close", {"resolution": "done"}).status_code == 404


def test_a_case_closed_already_says_so(owner: Visitor, scene: Scene) -> None:
    case_id = scene.case()
    owner.post(f"/cases/{case_id}/close", {"resolution": "done"})
    answer = owner.post(f"/cases/{case_id}/close", {"resolution": "done again"})
    assert answer.status_code == 409
    assert "closed already, by Owner" in answer.text


def test_a_rise_of_the_float_is_booked_with_one_press(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    scene.balance(250_000)
    jump(61)
    scene.balance(250_000)
    case = scene.ask(lambda: cases.open_cases(9))[0]
    assert case.kind == "float_funded"
    assert owner.post(f"/cases/{case.id}/confirm_funding", {"seen": "49999"}).status_code == 409
    answer = owner.post(f"/cases/{case.id}/confirm_funding", {"seen": "50000"})
    assert answer.status_code == 303
    assert scene.ask(ledger.platform_balances)["supplier_float"] == 250_000
    assert f"GH₵{NBSP}500.00 is booked as funding of the float" in owner.get("/cases").text
    again = owner.post(f"/cases/{case.id}/confirm_funding", {"seen": "50000"})
    assert again.status_code == 409
    assert "closed already" in again.text
    assert scene.ask(ledger.platform_balances)["supplier_float"] == 250_000


def test_only_a_question_about_funding_can_be_booked(owner: Visitor, scene: Scene) -> None:
    case_id = scene.case()
    assert f"/cases/{case_id}/confirm_funding" not in owner.get("/cases").text
    assert owner.post(f"/cases/{case_id}/confirm_funding", {"seen": "5"}).status_code == 409


def test_the_audit_log_reads_as_sentences(owner: Visitor, scene: Scene) -> None:
    with scene.inside("ama"):
        line = catalog.price_table()[0]
        catalog.save_price(line.bundle_id, line.agent_price_pesewas + 77, False, AGENT)
    with scene.everywhere():
        catalog.pause_network("at", "slow", AGENT)
        audit.write(AGENT, "brand_new_act", "thing:9", {"x": 1})
    page = owner.get("/audit").text
    for words in (
        "changed a price",
        "MTN 1 GB",
        "opened the store",
        "funded the wallet",
        "paused",
        ">AT<",
        "brand new act",
        "thing 9",
    ):
        assert words in page, words
    assert page.index("brand new act") < page.index("changed a price")
