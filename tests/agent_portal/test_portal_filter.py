"""The queue's filter: each part by itself and together, in the address, over pages; all that it lets
through as one press, and as a file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from visitors import Visitor

from core.base import money
from core.orders import Order, filtering, tabs
from tests.support.kept import Keep
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.1)

BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


def shown(agent: Visitor, path: str) -> list[str]:
    return re.findall(r'<tr id="o-(\w+)"', agent.get(path).text)


def plain(text: str) -> str:
    """What a page says, without what keeps words together."""
    return re.sub(r"\s+", " ", re.sub(r"</?span[^>]*>", "", text))


@pytest.fixture
def kinds(place: Any, superuser: Any, kept: Keep[dict[str, str]]) -> dict[str, str]:
    """A new order for each thing that a filter may ask for."""
    return kept("kinds", lambda: build_kinds(place, superuser))


def build_kinds(place: Any, superuser: Any) -> dict[str, str]:
    found = {
        "plain": place(number="0240000000", gb=1),
        "telecel": place(number="0201234567", network="telecel", gb=5),
        "five": place(number="0240000001", gb=5),
        "old": place(number="0240000002", gb=1),
        "said": place(number="0240000003", gb=1),
        "found": place(number="0240000004", gb=1),
        "held": place(number="0240000005", gb=1),
        "kofi": place(number="0240000006", gb=1),
    }
    for name, words in (
        ("old", "created_at = now() - interval '2 hours'"),
        ("said", "told_at = now(), told_paid_at = now()"),
        ("found", "told_at = now(), confirmed_at = now()"),
        ("held", "aside = 'number'"),
        ("kofi", "taken_by = 'Kofi Boateng', taken_at = now()"),
    ):
        superuser.execute(f"UPDATE orders SET {words} WHERE code = %s", (found[name],))
    return found


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("network=telecel", {"telecel"}),
        ("network=mtn&mb=5120", {"five"}),
        ("age=60", {"old"}),
        ("age=1440", set()),
        ("paid=said", {"said"}),
        ("paid=found", {"found"}),
        ("paid=no&mb=1024&network=mtn", {"plain", "old", "held", "kofi"}),
        ("hold=yes", {"held"}),
        ("by=Kofi+Boateng", {"kofi"}),
        ("tab=paid&paid=said", {"said"}),
        ("tab=all&mb=5120", {"telecel", "five"}),
        ("tab=all&hold=no&paid=found", {"found"}),
    ],
)
def test_each_part_of_it(
    ama_agent: Visitor, kinds: dict[str, str], asked: str, names: set[str]
) -> None:
    assert set(shown(ama_agent, f"/orders?{asked}")) == {kinds[one] for one in names}


@pytest.mark.parametrize(
    "asked",
    ["network=vodafone", "mb=0", "mb=-1", "mb=9999999999999999", "mb=%C2%B2", "age=7",
     "paid=yes", "hold=maybe", "by=%20"],
)  # fmt: skip
def test_what_makes_no_sense_is_left_out(
    ama_agent: Visitor, kinds: dict[str, str], asked: str
) -> None:
    assert len(shown(ama_agent, f"/orders?{asked}")) == len(kinds)
    assert ama_agent.get(f"/orders/filter?{asked}").status_code == 200
    assert ama_agent.get(f"/orders/all?{asked}").status_code == 200
    assert ama_agent.get(f"/orders.csv?{asked}").status_code == 200


def test_a_name_that_nobody_has_finds_nothing(
    ama_agent: Visitor, kinds: dict[str, str]
) -> None:
    page = ama_agent.get("/orders?by=%27%3B--<b>").text
    assert "Nothing here that is with &#39;;--&lt;b&gt;" in page


def test_pages_keep_it_and_every_order_comes_once(
    ama_agent: Visitor, place: Any, using: Using
) -> None:
    using(page_size=2)
    wanted = [place(number=f"024000000{at}", gb=(1, 5)[at % 2]) for at in range(10)][
        1::2
    ]
    path, found = "/orders?mb=5120", []
    for _ in range(9):
        page = ama_agent.get(path).text
        found += re.findall(r'<tr id="o-(\w+)"', page)
        more = re.search(r'href="([^"]+)" rel="next"', page)
        if more is None:
            break
        path = unescape(more[1])
        assert "mb=5120" in path
    assert found == wanted


@pytest.mark.parametrize("tab", ["new", "all"])
def test_it_looks_through_so_many_at_a_time_and_goes_on(
    ama_agent: Visitor, place: Any, monkeypatch: pytest.MonkeyPatch, tab: str
) -> None:
    from core import queue_view

    codes = [
        place(number=f"024000000{at}", gb=5 if at in (0, 6) else 1) for at in range(7)
    ]
    monkeypatch.setattr(filtering, "LOOKED_AT", 3)
    for ask in (queue_view._filtered, queue_view._end):
        ask.cache_clear()
    path, found, pages = f"/orders?tab={tab}&mb=5120", [], 0
    while path:
        page = ama_agent.get(path).text
        found += re.findall(r'<tr id="o-(\w+)"', page)
        more = re.search(r'href="(/orders\?[^"]*before=\d+[^"]*)"', page)
        path = unescape(more[1]) if more else ""
        pages += 1
    for ask in (queue_view._filtered, queue_view._end):
        ask.cache_clear()
    assert sorted(found) == sorted([codes[0], codes[6]]) and pages == 3


def test_the_form_has_what_the_address_says_and_leads_there(
    ama_agent: Visitor, kinds: dict[str, str]
) -> None:
    page = ama_agent.get("/orders?mb=5120&network=mtn").text
    assert "Only MTN, 5 GB." in page
    form = unescape(re.search(r'href="(/orders/filter[^"]+)"', page)[1])
    text = ama_agent.get(form).text
    assert '<form method="get" action="/orders"' in text
    for option in ('value="mtn" selected', 'value="5120" selected', ">Kofi Boateng<"):
        assert option in text


def test_another_store_s_people_and_orders_are_nowhere(
    ama_agent: Visitor, place: Any, superuser: Any
) -> None:
    code = place("kofi", number="0209999999")
    superuser.execute(
        "UPDATE orders SET taken_by = 'Secret Person' WHERE code = %s", (code,)
    )
    for path in ("/orders/filter", "/orders?by=Secret+Person", "/orders/all",
                 "/orders.csv", "/orders.csv?q=0209999999"):  # fmt: skip
        page = ama_agent.get(path).text
        assert "020 999 9999" not in page and code not in page
        assert ">Secret Person<" not in page


def test_counting_stops_where_nobody_reads_on(
    ama_agent: Visitor, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import queue_view

    for at in range(4):
        place(number=f"024000000{at}")
    monkeypatch.setattr(tabs, "MOST_COUNTED", 3)
    for made in (queue_view._beside, tabs._counts):
        made.cache_clear()
    try:
        assert re.search(
            r'New <span class="count hot">3</span>', ama_agent.get("/orders").text
        )
        assert ">3 new" in ama_agent.get("/orders/news?since=0").text
    finally:
        for made in (queue_view._beside, tabs._counts):
            made.cache_clear()


class TestAllOfThem:
    def test_it_names_count_and_sum_and_what_is_left_out_and_changes_nothing(
        self, ama_agent: Visitor, kinds: dict[str, str], counts: Any,
        order_of: Callable[..., Order],
    ) -> None:  # fmt: skip
        before = counts()
        page = plain(ama_agent.get("/orders/all?network=mtn&mb=1024").text)
        goes = [kinds[one] for one in ("plain", "old", "said", "found")]
        sent = re.findall(r'name="order" value="(\w+)"', page)
        assert sorted(sent) == sorted(goes)
        cost = money.cedis(sum(order_of(code).agent_price_pesewas for code in goes))
        assert "All 4 new orders" in page and plain(f"Cost {cost}") in page
        assert "1 on hold left out." in page
        assert "1 left out that somebody else is on." in page
        assert counts() == before

    def test_its_press_processes_just_these(
        self, ama_agent: Visitor, kinds: dict[str, str], order_of: Callable[..., Order]
    ) -> None:
        page = ama_agent.get("/orders/all?paid=found").text
        codes = re.findall(r'name="order" value="(\w+)"', page)
        back = unescape(re.search(r'name="back" value="([^"]+)"', page)[1])
        answer = ama_agent.post("/orders/process", {"order": codes, "back": back})
        assert answer.status_code == 200 and "<h1>1 sent</h1>" in answer.text
        gone = [
            name for name, code in kinds.items() if order_of(code).state == "queued"
        ]
        assert gone == ["found"]

    def test_the_oldest_first_and_then_the_next(
        self, ama_agent: Visitor, place: Any, using: Using
    ) -> None:
        codes = [place(number=f"024000000{at}", gb=1) for at in range(5)]
        using(process_many=2)
        left = list(codes)
        for wanted in (2, 2, 1):
            page = ama_agent.get("/orders/all").text
            sent = re.findall(r'name="order" value="(\w+)"', page)
            assert sent == left[:wanted]
            assert ("The oldest 2 now" in page) == (len(left) > 2)
            ama_agent.post("/orders/process", {"order": sent})
            left = left[wanted:]
        assert "Nothing to process" in ama_agent.get("/orders/all").text

    def test_where_the_wallet_ends_it_says_so(
        self, ama_agent: Visitor, place: Any, nearly_empty: Any
    ) -> None:
        nearly_empty()
        place(number="0240000001", gb=10)
        assert (
            "Your wallet does not reach for all of them"
            in ama_agent.get("/orders/all").text
        )

    def test_other_tabs_have_nothing_to_press(self, ama_agent: Visitor) -> None:
        answer = ama_agent.get("/orders/all?tab=done&mb=5120")
        assert answer.status_code == 303
        assert answer.location == "/orders?tab=done&mb=5120"


class TestFile:
    def rows(self, agent: Visitor, path: str) -> list[dict[str, str]]:
        text = agent.get(path).text
        assert text.startswith(BOM)
        return list(csv.DictReader(io.StringIO(text.removeprefix(BOM))))

    def test_it_holds_the_tab_and_filter(
        self, ama_agent: Visitor, kinds: dict[str, str]
    ) -> None:
        found = self.rows(ama_agent, "/orders.csv?tab=new&hold=yes")
        assert [(one["Number"], one["On hold"]) for one in found] == [
            ("024 000 0005", "number in doubt")
        ]
        assert len(self.rows(ama_agent, "/orders.csv")) == len(kinds)
        found = self.rows(ama_agent, "/orders.csv?q=0201234567")
        assert [(one["Network"], one["Size"]) for one in found] == [("Telecel", "5 GB")]

    def test_no_cell_is_a_formula(
        self, ama_agent: Visitor, place: Any, superuser: Any
    ) -> None:
        place(name='=HYPERLINK("http://x")')
        superuser.execute("UPDATE orders SET note = '@SUM(1)', taken_by = '+1'")
        row = self.rows(ama_agent, "/orders.csv")[0]
        assert row["Name"].startswith("'=") and row["Note"] == "'@SUM(1)"
        assert row["With"] == "'+1"
        assert not any(value.startswith(("=", "+", "-", "@")) for value in row.values())

    def test_it_goes_on_over_pages_and_says_where_the_rest_begins(
        self, ama_agent: Visitor, place: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from agent_portal import choosing

        for at in range(5):
            place(number=f"024000000{at}")
        monkeypatch.setattr(choosing, "CSV_PAGE", 2)
        assert len(self.rows(ama_agent, "/orders.csv")) == 5
        monkeypatch.setattr(choosing, "CSV_PAGES", 2)
        *first, last = self.rows(ama_agent, "/orders.csv?network=mtn")
        assert len(first) == 4 and "More orders follow: open" in last["Date"]
        rest = last["Date"].rpartition(" ")[2]
        assert [one["Number"] for one in self.rows(ama_agent, rest)] == ["024 000 0004"]

    def test_where_the_rest_begins_is_said_in_its_own_words_alone(
        self, ama_agent: Visitor, place: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from agent_portal import choosing

        for at in range(2):
            place(number=f"024000000{at}")
        for name in ("CSV_PAGE", "CSV_PAGES"):
            monkeypatch.setattr(choosing, name, 1)
        odd = "_external=1&_scheme=x&_method=POST&_anchor=x&endpoint=x&values=1&self=1"
        for asked in ("tab=new&network=mtn", "q=024"):
            *_, last = self.rows(ama_agent, f"/orders.csv?{asked}&{odd}")
            rest = last["Date"].removeprefix("More orders follow: open ")
            assert rest.startswith(f"/orders.csv?{asked}&before=")
            assert rest.count("&") == asked.count("&") + 1
