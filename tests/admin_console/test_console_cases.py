"""Cases and what may be done about them, the proof of the books, the audit log."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from console_scenes import AGENT, Scene
from visitors import Visitor

from admin_console import case_words, evidence
from core import audit, cases, catalog, ledger, orders
from core.orders import News
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.1)

NBSP = "\N{NO-BREAK SPACE}"


def test_a_case_shows_its_evidence_and_its_order(owner: Visitor, scene: Scene) -> None:
    code = scene.order("completed", slug="kofi")
    scene.case_of(code)
    scene.case(
        "unexpected_charge",
        "float",
        evidence={"difference_pesewas": -1_250, "nothing": None},
    )
    page = owner.get("/cases").text
    for words in (
        f'href="/orders/{code}"',
        "Kofi&#39;s Data",
        "flabbergasted",
        f"GH₵{NBSP}12.50 less than our books",
        "Seen ",
    ):
        assert words in page, words


@pytest.mark.parametrize(("times", "folded"), [(1, 0), (3, 0), (4, 2), (7, 5)])
def test_of_much_evidence_the_first_and_the_newest_stand_open(
    owner: Visitor, scene: Scene, times: int, folded: int
) -> None:
    for number in range(times):
        scene.case(evidence={"word": f"word-{number}"})
    page = owner.get("/cases").text
    hidden = page.partition('<details class="more"><summary>Seen')[2].partition(
        "</details>"
    )[0]
    assert [number for number in range(times) if f"word-{number}" in hidden] == list(
        range(1, 1 + folded)
    )
    assert all(page.count(f"word-{number}") == 1 for number in range(times))
    assert (f"Seen {folded} times in between" in page) == bool(folded)


def test_closing_a_case_keeps_the_words_of_the_person(
    owner: Visitor, scene: Scene
) -> None:
    case_id = scene.case()
    answer = owner.post(
        f"/cases/{case_id}/close",
        {"resolution": " Asked the supplier:\nit means pending. "},
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cases")
    assert scene.ask(lambda: cases.open_cases(9)) == []
    page = owner.get("/cases").text
    assert "Closed with words." in page and "No open cases" in page
    line = scene.ask(lambda: audit.recent(1))[0]
    assert line.action == "close_case"
    assert (
        line.detail["resolution"]
        == "Closed with words. “Asked the supplier: it means pending.”"
    )


@pytest.mark.parametrize("resolution", [None, "", "  ", "\x00"])
def test_a_case_is_not_closed_without_a_word(
    owner: Visitor,
    scene: Scene,
    counts: Callable[[], dict[str, int]],
    resolution: str | None,
) -> None:
    case_id, other = scene.case(), scene.case("unexpected_charge", "float")
    before = counts()
    answer = owner.post(
        f"/cases/{case_id}/close",
        {} if resolution is None else {"resolution": resolution},
    )
    assert answer.status_code == 422
    assert f'id="resolution-{case_id}-error"' in answer.text
    assert f'id="resolution-{other}-error"' not in answer.text
    assert counts() == before
    assert len(scene.ask(lambda: cases.open_cases(9))) == 2


@pytest.mark.parametrize(
    "case_id", ["0", "999999999999999999", "99999999999999999999999", "x"]
)
def test_an_unknown_case_is_404(owner: Visitor, case_id: str) -> None:
    assert (
        owner.post(f"/cases/{case_id}/close", {"resolution": "done"}).status_code == 404
    )


def test_a_case_closed_already_says_so(owner: Visitor, scene: Scene) -> None:
    case_id = scene.case()
    owner.post(f"/cases/{case_id}/close", {"resolution": "done"})
    answer = owner.post(f"/cases/{case_id}/close", {"resolution": "done again"})
    assert "closed already, by Owner" in owner.refused(answer)


def test_a_rise_of_the_float_is_booked_once_it_was_read_back(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    scene.balance(250_000)
    jump(61)
    scene.balance(250_000)
    case = scene.ask(lambda: cases.open_cases(9))[0]
    assert case.kind == "float_funded"
    owner.refused(
        owner.post(f"/cases/{case.id}/confirm_funding", {"seen": "49999"}),
        "The amount is GH₵",
    )
    asks = owner.post(f"/cases/{case.id}/confirm_funding", {"seen": "50000"})
    assert asks.status_code == 200
    for words in (
        f"GH₵{NBSP}500.00",
        "from the bank into the float",
        "Float funded",
        "Yes, book",
    ):
        assert words in asks.text, words
    assert scene.ask(ledger.platform_balances)["supplier_float"] == 200_000
    fields = dict(
        re.findall(r'name="(resolution|seen|confirm)" value="([^"]*)"', asks.text)
    )
    answer = owner.post(f"/cases/{case.id}/confirm_funding", fields)
    assert answer.status_code == 303
    assert scene.ask(ledger.platform_balances)["supplier_float"] == 250_000
    assert (
        f"GH₵{NBSP}500.00 is booked as funding of the float" in owner.get("/cases").text
    )
    again = owner.post(f"/cases/{case.id}/confirm_funding", fields)
    assert "closed already" in owner.refused(again)
    assert scene.ask(ledger.platform_balances)["supplier_float"] == 250_000


def test_what_may_have_come_back_is_booked_as_funding_only_when_the_owner_says_so(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    scene.order("failed")
    float_now = scene.ask(ledger.platform_balances)["supplier_float"]
    back = 200_000 - float_now
    scene.balance(float_now + 70_000)
    jump(61)
    scene.balance(float_now + 70_000)
    case = scene.ask(lambda: cases.open_cases(9))[0]
    page = owner.get(f"/cases/{case.id}").text
    assert re.findall(r'name="seen" value="([0-9]+)"', page)[:2] == [
        str(70_000 - back),
        "70000",
    ]
    assert "all of it was paid in" in page
    asks = owner.post(
        f"/cases/{case.id}/confirm_funding", {"seen": str(70_000 - back)}
    ).text
    assert (
        "may have come back for failed orders" in asks
        and "go back and book all of it" in asks
    )
    asks = owner.post(f"/cases/{case.id}/confirm_funding", {"seen": "70000"}).text
    assert "you say that it did not" in asks and f"book GH₵{NBSP}700.00" in asks
    owner.refused(
        owner.post(f"/cases/{case.id}/confirm_funding", {"seen": "69999"}),
        "The amount is GH₵",
    )
    fields = dict(re.findall(r'name="(resolution|seen|confirm)" value="([^"]*)"', asks))
    assert owner.post(f"/cases/{case.id}/confirm_funding", fields).status_code == 303
    assert scene.ask(ledger.platform_balances)["supplier_float"] == float_now + 70_000


def test_only_a_question_about_funding_can_be_booked(
    owner: Visitor, scene: Scene
) -> None:
    case_id = scene.case()
    assert f"/cases/{case_id}/confirm_funding" not in owner.get("/cases").text
    answer = owner.post(f"/cases/{case_id}/confirm_funding", {"seen": "5"})
    owner.refused(answer, "This cannot be done about a case of this kind.")


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


# Acting on a case


def given_back(scene: Scene, charged: int | None = None) -> tuple[str, int]:
    """An order whose watch ended without its money being seen to come back; its code and its
    case."""
    code = scene.order("processing", news=News("sent", "SUP-1", charged))
    order = scene.find(code)
    with scene.inside("ama"):
        orders.advance(
            order.id,
            "failed",
            text="Failed.",
            news=News("failed", failure_reason="wrong number"),
        )
        orders.advance(order.id, "refunded", text="The watch is over.")
    return code, scene.ask(lambda: cases.of_kind(order.id, "supplier_money")[-1].id)


def postings(scene: Scene, code: str) -> list[str]:
    order = scene.find(code)
    return scene.ask(
        lambda: [posting.kind for posting, _legs in ledger.postings_of(order.id)]
    )


def test_buttons_name_the_amount_they_move_and_only_legal_ones_show(
    owner: Visitor, scene: Scene
) -> None:
    _, case_id = given_back(scene, 2_345)
    other = scene.case_of(scene.order("completed", slug="kofi"))
    page = owner.get("/cases").text
    for words in (
        f"Write off GH₵{NBSP}23.45…",
        f"GH₵{NBSP}23.45 came back",
        "Look again",
    ):
        assert words in page, words
    assert f'formaction="/cases/{case_id}/write_off" name="seen" value="2345"' in page
    assert f"/cases/{case_id}/accept_loss" not in page
    assert (
        f"/cases/{other}/write_off" not in page
        and f"/cases/{other}/give_back" not in page
    )
    assert f'action="/cases/{other}/look_again"' in page
    assert "stays in flight in our books" in page
    assert "_pesewas" not in page and "order_is" not in page


def test_losing_money_is_read_back_first(
    owner: Visitor, scene: Scene, counts: Callable[[], dict[str, int]]
) -> None:
    code, case_id = given_back(scene)
    before, path = counts(), f"/cases/{case_id}/write_off"
    form = {"resolution": " Kwame says\nnever ", "seen": "2320"}
    asked = owner.post(path, form)
    assert asked.status_code == 200
    for words in (
        "Check before you press",
        f"Yes, write off GH₵{NBSP}23.20",
        "Kwame says never",
        "Written off",
    ):
        assert words in asked.text, words
    assert counts() == before, "reading it back moved nothing"
    done = owner.post(path, {**form, "confirm": "write_off"})
    assert (done.status_code, done.headers["Location"]) == (303, "/cases")
    assert postings(scene, code)[-1] == "write_off"
    page = owner.get("/cases").text
    assert f"GH₵{NBSP}23.20 written off." in page
    assert "“Kwame says never”" in page and "write off +23.20" in page, (
        "and it is listed as settled"
    )
    again = owner.post(path, {**form, "confirm": "write_off"})
    assert "closed already, by Owner" in owner.refused(again)
    assert postings(scene, code).count("write_off") == 1


@pytest.mark.parametrize("seen", ["", "2319", "x", "-2320", "9" * 30])
def test_an_amount_that_is_not_the_one_now_moves_nothing(
    owner: Visitor, scene: Scene, counts: Callable[[], dict[str, int]], seen: str
) -> None:
    _, case_id = given_back(scene)
    before = counts()
    for action in ("write_off", "money_came_back"):
        form = {"resolution": "word", "seen": seen, "confirm": action}
        answer = owner.post(f"/cases/{case_id}/{action}", form)
        page = owner.refused(answer, f"The amount is GH₵{NBSP}23.20 now.")
        assert 'name="resolution" value="word"' in page, "what was typed is kept"
        assert 'name="resolution" value=""' in owner.get(f"/cases/{case_id}").text
    assert counts() == before


@pytest.mark.parametrize(
    "action",
    ["write_off", "money_came_back", "accept_loss", "advance", "../close", "%00"],
)
def test_nothing_is_done_without_a_word_or_for_another_kind(
    owner: Visitor, scene: Scene, counts: Callable[[], dict[str, int]], action: str
) -> None:
    _, case_id = given_back(scene)
    before = counts()
    assert owner.post(f"/cases/{case_id}/{action}", {"seen": "2320"}).status_code in (
        303,
        400,
        404,
        422,
    )
    assert counts() == before


def test_looking_again_keeps_the_case_and_leads_to_it(
    owner: Visitor, scene: Scene
) -> None:
    code, case_id = given_back(scene)
    answer = owner.post(f"/cases/{case_id}/look_again")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/cases/{case_id}",
    )
    assert "The supplier is asked" in owner.get(f"/cases/{case_id}").text
    assert "Owner asked for a check." in owner.get(f"/orders/{code}").text
    assert "asked the supplier again for" in owner.get("/audit").text


def test_what_may_be_done_later_says_when(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    code = scene.order("unknown")
    case_id = scene.case_of(code, "unknown_too_long")
    early = owner.get(f"/cases/{case_id}").text
    assert (
        "Sending it again is not possible yet. A purchase call may still be under way."
        in early
    )
    assert "Never bought" not in early
    jump(400)
    late = owner.get(f"/cases/{case_id}").text
    assert (
        "Never bought: send it again…" in late
        and f"Never bought: give GH₵{NBSP}23.67 back…" in late
    )
    asked = owner.post(f"/cases/{case_id}/send_again", {"resolution": "Kwame: never"})
    assert scene.find(code).order_ref in asked.text and "nothing moves" in asked.text
    owner.post(
        f"/cases/{case_id}/send_again",
        {"resolution": "Kwame: never", "confirm": "send_again"},
    )
    assert scene.find(code).state == "queued"


def test_a_charge_nobody_explains_is_accepted_on_the_page(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    scene.balance(199_000)
    jump(61)
    scene.balance(199_000)
    [case] = scene.ask(lambda: cases.open_cases(9))
    page = owner.get("/cases").text
    for words in (
        f"GH₵{NBSP}10.00 less than our books",
        f"Accept the loss of GH₵{NBSP}10.00…",
        "Our books say",
    ):
        assert words in page, words
    path, form = (
        f"/cases/{case.id}/accept_loss",
        {"resolution": "a fee", "seen": "1000"},
    )
    assert "Buying goes on afterwards." in owner.post(path, form).text
    assert owner.post(path, {**form, "confirm": "accept_loss"}).status_code == 303
    balances = scene.ask(ledger.platform_balances)
    assert (balances["supplier_float"], balances["write_off"]) == (199_000, 1_000)


@pytest.mark.parametrize("action", ["send_again", "give_back"])
def test_what_a_person_attests_is_read_back(
    owner: Visitor, scene: Scene, jump: Callable[[float], None], action: str
) -> None:
    case_id = scene.case_of(scene.order("unknown"), "resend_limit")
    jump(400)
    asked = owner.post(
        f"/cases/{case_id}/{action}", {"resolution": "never", "seen": "2367"}
    ).text
    assert "they say it was never bought" in asked and "If they are wrong" in asked


def test_a_late_success_reads_back_what_is_booked(owner: Visitor, scene: Scene) -> None:
    code, _ = given_back(scene)
    case_id = scene.case_of(code, "late_success")
    form = {"resolution": "ours", "seen": "2320"}
    assert (
        "was never given back" in owner.post(f"/cases/{case_id}/accept_loss", form).text
    )
    refused = scene.order("refunded", number="+233241234568")
    other = scene.case_of(refused, "late_success")
    assert "it is booked first" in owner.post(f"/cases/{other}/accept_loss", form).text


def test_a_failed_order_s_money_is_given_back_after_a_second_look(
    owner: Visitor, scene: Scene
) -> None:
    code = scene.order("failed")
    case_id = scene.case_of(code, "unknown_too_long")
    form = {"resolution": "enough", "seen": "2367"}
    assert (
        "before the watch is over"
        in owner.post(f"/cases/{case_id}/give_back", form).text
    )
    owner.post(f"/cases/{case_id}/give_back", {**form, "confirm": "give_back"})
    assert scene.find(code).state == "refunded"
    page = owner.get(f"/orders/{code}").text
    assert "Owner ended the watch." in page
    assert "settled " in page and f'href="/cases/{case_id}"' in page


def test_kinds_are_counted_and_filter_the_list(owner: Visitor, scene: Scene) -> None:
    scene.case("unknown_word", "thing:1")
    scene.case("unknown_word", "thing:2")
    scene.case("wrong_answer", "thing:3")
    page = owner.get("/cases").text
    for words in ("Unknown words", "Wrong answers", 'href="/cases?kind=unknown_word"'):
        assert words in page, words
    only = owner.get("/cases?kind=wrong_answer").text
    assert only.count('<section class="card"') == 1
    assert owner.get("/cases?kind=zzz").text.count('<section class="card"') == 3


def test_many_cases_are_read_page_by_page(
    owner: Visitor, scene: Scene, using: Using
) -> None:
    using(page_size=2)
    ids = [scene.case("unknown_word", f"thing:{n}") for n in range(3)]
    first = owner.get("/cases").text
    assert f'id="case-{ids[1]}"' in first and f'id="case-{ids[2]}"' not in first
    assert f"after={ids[1]}" in first
    second = owner.get(f"/cases?after={ids[1]}").text
    assert f'id="case-{ids[2]}"' in second and f'id="case-{ids[0]}"' not in second


def test_an_empty_page_says_so(owner: Visitor) -> None:
    page = owner.get("/cases").text
    assert "No open cases" in page and "No case was settled yet" in page


@pytest.mark.parametrize("kind", cases.KINDS)
def test_every_kind_has_a_short_name_and_a_page(
    owner: Visitor, scene: Scene, kind: str
) -> None:
    case_id = scene.case(
        kind,
        "float",
        evidence={"brand_new_pesewas": 5, "brand_new": ["a", 1], "at_all": True},
    )
    page = owner.get(f"/cases/{case_id}").text
    assert case_words.SHORT[kind]
    for words in (
        cases.KINDS[kind].replace("'", "&#39;"),
        "Brand new",
        f"GH₵{NBSP}0.05",
        "a, 1",
        ">yes<",
    ):
        assert words in page, words


def test_a_moment_in_the_evidence_is_a_time_in_accra() -> None:
    facts = evidence.facts_in_words(
        {
            "at": "x",
            "since": "2026-11-24T09:30:00+00:00",
            "order_is": "submitting",
            "z": "2026-11-24",
        }
    )
    assert [(fact.name, fact.text) for fact in facts] == [
        ("Our order was", "Sending"),
        ("Without an end since", ""),
        ("Z", "2026-11-24"),
    ]
    assert facts[1].moment is not None


def test_one_settled_case_has_its_page(owner: Visitor, scene: Scene) -> None:
    case_id = scene.case()
    owner.post(f"/cases/{case_id}/close", {"resolution": "means pending"})
    page = owner.get(f"/cases/{case_id}").text
    assert "“means pending”" in page and "Owner" in page
    assert owner.get("/cases/999999").status_code == 404
