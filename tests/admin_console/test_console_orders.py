"""Orders of every store: found by whatever a person has in hand, and one order with all that
happened to it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import tables_owner
from console_scenes import Scene
from flask import Flask
from visitors import Visitor

from core import ledger, orders, outbox
from core.base import clock
from core.orders import News
from tests.support.asked import asked
from tests.support.kept import Keep
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.1)


def codes(html: str) -> list[str]:
    """The codes listed, in the order of the page."""
    return re.findall(r'<a class="mono strong" href="/orders/([0-9A-Z]{10})">', html)


@pytest.fixture
def three(scene: Scene, kept: Keep[dict[str, str]]) -> dict[str, str]:
    """Look-alike orders of two stores, and one of another number."""
    return kept("three", lambda: build_three(scene))


def build_three(scene: Scene) -> dict[str, str]:
    return {
        "ama": scene.order("completed", number="+233241111111", name="Abena Mensah"),
        "kofi": scene.order(
            "processing", slug="kofi", number="+233241111111", name="Yaw"
        ),
        "other": scene.order("pending", number="+233209999999", network="telecel"),
    }


def test_orders_of_all_stores_are_listed_newest_first(
    owner: Visitor, three: dict[str, str]
) -> None:
    page = owner.get("/orders").text
    assert codes(page) == [three["other"], three["kofi"], three["ama"]]
    assert "Ama&#39;s Data" in page and "Kofi&#39;s Data" in page


def test_one_box_finds_an_order_by_anything_a_person_has_in_hand(
    owner: Visitor, scene: Scene, three: dict[str, str]
) -> None:
    order = scene.find(three["kofi"])
    for typed in (
        order.code,
        order.shown_code.lower(),
        f"  {order.code} ",
        order.order_ref,
        order.order_ref.lower(),
        order.supplier_ref,
        "yaw",
    ):
        assert codes(owner.get("/orders", query_string={"q": typed}).text) == [
            order.code
        ], typed
    for typed in ("024 111 1111", "+233241111111", "1111"):
        assert codes(owner.get("/orders", query_string={"q": typed}).text) == [
            three["kofi"],
            three["ama"],
        ], typed


def test_a_code_finds_its_order_alone_whatever_was_pasted_and_chosen(
    owner: Visitor, scene: Scene, three: dict[str, str]
) -> None:
    order = scene.find(three["kofi"])
    share = (
        f"Order {order.shown_code} at Kofi's Data: http://kofi.localhost/orders/{order.code}, for"
        " 020 999 9999"
    )
    for typed in (order.code, share, f"*{order.shown_code}*", f"/orders/{order.code})"):
        for chosen in ({}, {"state": "pending"}, {"store": "ama"}):
            assert codes(
                owner.get("/orders", query_string={"q": typed, **chosen}).text
            ) == [order.code], (
                typed,
                chosen,
            )
    assert (
        codes(owner.get("/orders", query_string={"q": order.shown_code[:7]}).text) == []
    )


@pytest.mark.parametrize(
    "typed",
    ["zzz", "%", "_", "' OR 1=1 --", "\x01", "ß", "K" * 5_000, "0000000000", "🙂"],
)
def test_what_matches_nothing_says_so_and_keeps_what_was_typed(
    owner: Visitor, three: dict[str, str], typed: str
) -> None:
    answer = owner.get("/orders", query_string={"q": typed})
    assert answer.status_code == 200
    if typed == "\x01":
        assert len(codes(answer.text)) == 3, "nothing typed is no search"
    else:
        assert codes(answer.text) == []
        assert "No such orders" in answer.text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"state": "completed"}, ["ama"]),
        ({"state": "pending"}, ["other"]),
        ({"state": "nonsense"}, ["other", "kofi", "ama"]),
        ({"store": "kofi"}, ["kofi"]),
        ({"store": "nobody"}, []),
        ({"store": "ama", "state": "completed"}, ["ama"]),
        ({"q": "1111", "store": "ama"}, ["ama"]),
        ({"q": "1111", "state": "processing"}, ["kofi"]),
        ({"q": "1111", "state": "pending"}, []),
        ({"day": "today"}, ["other", "kofi", "ama"]),
        ({"day": "ended"}, ["ama"]),
        ({"before": "x"}, ["other", "kofi", "ama"]),
        ({"before": "9" * 30}, ["other", "kofi", "ama"]),
        ({"before": "0"}, []),
    ],
)
def test_filters_combine(
    owner: Visitor, three: dict[str, str], query: dict[str, str], names: list[str]
) -> None:
    assert codes(owner.get("/orders", query_string=query).text) == [
        three[name] for name in names
    ]


def test_filters_stay_chosen(owner: Visitor, three: dict[str, str]) -> None:
    page = owner.get("/orders?q=1111&state=stuck&store=kofi&day=today").text
    assert 'value="1111"' in page
    assert 'list="shops" value="kofi"' in page
    for value in ("stuck", "today"):
        assert re.search(rf'<option value="{value}" selected>', page), value


def test_pages_follow_by_keyset_with_the_filters_kept(
    owner: Visitor, scene: Scene, using: Using
) -> None:
    made = [scene.order(number=f"+2332411100{n:02}") for n in range(5)]
    scene.order(slug="kofi")

    using(page_size=2)
    seen: list[str] = []
    address: str | None = "/orders?store=ama"
    for _ in range(4):
        assert address is not None
        page = owner.get(address).text
        seen += codes(page)
        found = re.search(
            r'<a class="btn" href="(/orders\?[^"]*before[^"]*)" rel="next">', page
        )
        address = found[1].replace("&amp;", "&") if found else None
        if address is None:
            break
        assert "store=ama" in address
    assert seen == list(reversed(made))
    assert address is None
    assert "Back to the start" in page


def test_one_order_shows_everything_we_know(owner: Visitor, scene: Scene) -> None:
    code = scene.order("completed", slug="kofi", number="+233241111111", name="Abena")
    order = scene.find(code)
    scene.call(code, "purchase", method="POST", request_body='{"phone":"•••111"}')
    scene.call(code, "status")
    scene.webhook(
        code,
        b'{"event":"transaction.status_update","note":"hello"}',
        verified_by="body_secret",
    )
    scene.case_of(code)
    page = owner.get(f"/orders/{code}").text
    for words in (
        order.shown_code, order.order_ref, order.supplier_ref, ">024 111 1111",
        "Abena", "Kofi&#39;s Data",  # facts
        "Order placed.", "Ama confirmed the payment", "Sending to the supplier (attempt 1).",
        "The supplier has it.",
        # money
        "Held for an order", "Bought at the supplier", "supplier float", "margin",
        "Purchase", "Look-up of an order",  # calls
        "transaction.status_update", "Verified", "hello",  # webhooks
        "contradicts a finished order",
        "Customer reads", "Agent reads",
    ):  # fmt: skip
        assert str(words) in page, words


def test_the_legs_of_each_posting_are_shown_and_sum_to_zero(
    owner: Visitor, scene: Scene
) -> None:
    code = scene.order("completed")
    order = scene.find(code)
    postings = scene.ask(lambda: ledger.postings_of(order.id))
    assert [posting.kind for posting, _ in postings] == ["hold", "commit", "capture"]
    lists = re.findall(
        r'<ul class="legs">(.*?)</ul>', owner.get(f"/orders/{code}").text
    )
    assert len(lists) == 3
    for legs, (_, booked) in zip(lists, postings, strict=True):
        amounts = [
            int(text.replace("\N{MINUS SIGN}", "-").replace(".", "").replace(",", ""))
            for text in re.findall(r"[+\N{MINUS SIGN}][\d,.]+", legs)
        ]
        assert sorted(amounts) == sorted(amount for _, amount in booked)
        assert sum(amounts) == 0


def test_another_orders_calls_and_webhooks_are_not_shown(
    owner: Visitor, scene: Scene
) -> None:
    mine, theirs = scene.order("processing"), scene.order("processing", slug="kofi")
    scene.webhook(theirs, b'{"secret":"of kofi"}')
    page = owner.get(f"/orders/{mine}").text
    assert scene.find(theirs).order_ref not in page
    assert "of kofi" not in page


def test_a_code_as_people_type_it_leads_to_the_order(
    owner: Visitor, scene: Scene
) -> None:
    order = scene.find(scene.order())
    answer = owner.get(f"/orders/{order.shown_code.lower()}")
    assert answer.headers["Location"] == f"/orders/{order.code}"


@pytest.mark.parametrize("code", ["0000000000", "x", "..", "%F0%9F%99%82", "A" * 500])
def test_an_unknown_code_is_404_with_a_sentence(owner: Visitor, code: str) -> None:
    for answer in (owner.get(f"/orders/{code}"), owner.post(f"/orders/{code}/recheck")):
        assert answer.status_code in (404, 405)
        assert "</html>" in answer.text


def test_texts_of_others_are_shown_as_text(owner: Visitor, scene: Scene) -> None:
    evil = "<script>alert(1)</script>"
    code = scene.order(
        "failed",
        name=evil,
        news=News(raw_status=evil, failure_reason=evil, supplier_ref=evil),
    )
    scene.call(code, "status", response_body=evil)
    scene.webhook(code, evil.encode(), event=evil, raw_status=evil)
    scene.case("unknown_word", evil, evidence={evil: evil})
    for path in (f"/orders/{code}", "/orders", "/calls", "/webhooks", "/cases", "/"):
        assert evil not in owner.get(path).text, path


def test_recheck_makes_the_order_due_and_says_so(owner: Visitor, scene: Scene) -> None:
    code = scene.order("processing", slug="kofi")
    order = scene.find(code)
    scene.sql("UPDATE outbox SET due_at = :at", at=clock.after(3_600))
    answer = owner.post(f"/orders/{code}/recheck")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/orders/{code}")
    row = scene.ask(lambda: outbox.of_order(order.id))
    assert row.due_at <= clock.now()
    page = owner.get(f"/orders/{code}").text
    assert "Owner asked for a check." in page
    assert "looked up by reference" in page


def test_recheck_of_an_order_that_was_never_sent_is_refused_in_words(
    owner: Visitor, scene: Scene, counts: Callable[[], dict[str, int]]
) -> None:
    code = scene.order("pending")
    assert "recheck" not in owner.get(f"/orders/{code}").text
    before = counts()
    answer = owner.post(f"/orders/{code}/recheck")
    assert "nothing to check at the supplier" in owner.refused(answer)
    assert counts() == before


@pytest.mark.parametrize(
    "state",
    [
        "pending",
        "queued",
        "submitting",
        "unknown",
        "processing",
        "completed",
        "failed",
        "refunded",
        "cancelled",
    ],
)
def test_every_state_has_words_on_both_pages(
    owner: Visitor, scene: Scene, state: str
) -> None:
    code = scene.order(state)
    label = orders.AGENT_LABELS[scene.find(code).state]
    assert label in owner.get("/orders").text
    assert label in owner.get(f"/orders/{code}").text


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("kofi", ["kofi"]),
        ("KOFI", ["kofi"]),
        ("kof", ["kofi"]),
        ("Ama's Da", ["other", "ama"]),
        ("ama", ["other", "ama"]),
        ("Data", []),
    ],
)
def test_a_store_is_chosen_by_the_beginning_of_its_name(
    owner: Visitor, three: dict[str, str], typed: str, names: list[str]
) -> None:
    page = owner.get("/orders", query_string={"store": typed}).text
    assert codes(page) == [three[name] for name in names]
    if not names:
        assert "No store has a name or address that begins with" in page


def test_several_stores_that_begin_so_are_asked_about(
    owner: Visitor, three: dict[str, str]
) -> None:
    tables_owner.execute("UPDATE stores SET name = 'Ama''s second' WHERE slug = 'kofi'")
    page = owner.get("/orders?store=ama%27s&q=1111").text
    assert "Which store?" in page and codes(page) == []
    assert 'href="/orders?q=1111&amp;store=kofi"' in page
    exact = owner.get("/orders?store=ama").text
    assert codes(exact) == [three["other"], three["ama"]]
    long = owner.get("/orders", query_string={"store": "\u202e%_" * 50})
    assert long.status_code == 200


def test_what_can_be_searched_is_said_when_nothing_is_found(
    owner: Visitor, three: dict[str, str]
) -> None:
    page = owner.get("/orders?q=zebra").text
    assert "the last three digits of a number or more" in page
    assert "newest 1,000 orders" in page


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"state": "pending"},
        {"state": "stuck", "day": "today"},
        {"day": "ended", "before": "9"},
    ],
    ids=str,
)
def test_the_list_is_read_in_one_round_trip_however_long_it_is(
    app: Flask, owner: Visitor, scene: Scene, query: dict[str, str]
) -> None:
    for n in range(12):
        scene.order("pending", slug=("ama", "kofi")[n % 2], number=f"+2332411111{n:02}")
    owner.get("/orders")
    with asked(app) as found:
        page = owner.get("/orders", query_string=query).text
    assert len(codes(page)) == (0 if "day" in query else 12)
    assert found.statements == []
    assert [len(trip) for trip in found.trips] == [1, 5], "who asks first"
