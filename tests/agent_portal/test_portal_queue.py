"""The queue: tabs, counts, order, search, paging, the bar of new orders, and only one's own
store."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from visitors import Visitor

from core.base import money
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.1)


def numbers(html: str) -> list[str]:
    """The customers' numbers of a queue page, in the order of its rows."""
    return re.findall(
        r'class="phone">([\d ]+)</a>', html.replace("\N{NO-BREAK SPACE}", " ")
    )


def counts_of(html: str) -> dict[str, int]:
    return {
        name: int(count)
        for name, count in re.findall(
            r">([\w ]+) <span class=\"count[^\"]*\">(\d+)<", html
        )
    }


@pytest.fixture
def small_pages(using: Using) -> None:
    using(page_size=2)


def test_a_row_says_number_bundle_price_and_profit(
    ama_agent: Visitor, place: Any, line_of: Any
) -> None:
    code = place(gb=5, name="Efua")
    page = ama_agent.get("/orders").text.replace("\N{NO-BREAK SPACE}", " ")
    row = page[page.index(f'<tr id="o-{code}"') :].partition("</tr>")[0]
    line = line_of("mtn", 5)
    price, profit = (
        money.format_ghs(line.price_pesewas),
        money.format_ghs(line.price_pesewas - line.agent_price_pesewas),
    )
    for words in (
        "024 123 4567",
        ">MTN<",
        "5 GB",
        price,
        f"+{profit}",
        "just now",
        "Efua",
        f"/orders/{code}/process",
    ):
        assert words in row
    assert f'data-cost="{line.agent_price_pesewas}"' in row and "looks like" not in row


def test_a_number_of_another_network_is_marked_with_a_sign_and_words(
    ama_agent: Visitor, place: Any
) -> None:
    place(number="0201234567")
    page = ama_agent.get("/orders").text
    assert "#warn" in page and "looks like Telecel" in page


@pytest.mark.slow(seconds=0.2)
def test_each_tab_holds_its_states_and_counts_them(
    ama_agent: Visitor, place: Any
) -> None:
    for index, state in enumerate(
        (
            "pending",
            "queued",
            "submitting",
            "processing",
            "completed",
            "failed",
            "refunded",
            "cancelled",
        )
    ):
        place(number=f"024000000{index}", state=state)
    shown = {
        tab: numbers(ama_agent.get(f"/orders?tab={tab}").text)
        for tab in ("new", "processing", "late", "failed", "back", "done")
    }
    last = {tab: [number[-1] for number in found] for tab, found in shown.items()}
    assert last == {
        "new": ["0"],
        "processing": ["3", "2", "1"],
        "late": [],
        "failed": ["5"],
        "back": ["6"],
        "done": ["7", "4"],
    }
    assert counts_of(ama_agent.get("/orders").text) == {
        "Orders": 1,
        "New": 1,
        "Processing": 3,
        "Late": 0,
        "Failed": 1,
        "Give back": 1,
    }


def test_late_says_what_waits_too_long(
    ama_agent: Visitor, place: Any, jump: Callable[[float], None]
) -> None:
    place(number="0240000001", state="processing")
    place(number="0240000002", state="queued")
    assert numbers(ama_agent.get("/orders?tab=late").text) == []
    jump(601)
    assert numbers(ama_agent.get("/orders?tab=late").text) == ["024 000 0002"]


def test_late_after_an_hour_with_the_network(
    logged_in: Callable[..., Visitor], place: Any, jump: Callable[[float], None]
) -> None:
    place(number="0240000001", state="processing")
    jump(3_601)
    agent = logged_in("ama@example.test", "portal", "ama")
    assert numbers(agent.get("/orders?tab=late").text) == ["024 000 0001"]


def test_new_orders_are_oldest_first(ama_agent: Visitor, place: Any) -> None:
    for index in range(3):
        place(number=f"024000000{index}")
    assert [number[-1] for number in numbers(ama_agent.get("/orders").text)] == [
        "0",
        "1",
        "2",
    ]


def test_the_other_stores_orders_are_nowhere(
    ama_agent: Visitor, kofi_agent: Visitor, place: Any
) -> None:
    place("kofi", number="0249999999")
    place("ama", number="0241111111")
    assert numbers(ama_agent.get("/orders").text) == ["024 111 1111"]
    assert numbers(ama_agent.get("/orders?q=0249999999").text) == []
    assert numbers(kofi_agent.get("/orders").text) == ["024 999 9999"]


class TestSearch:
    @pytest.mark.parametrize(
        "typed", ["0241234567", "024 123 4567", "+233241234567", "4567", "efua", "EFU"]
    )
    def test_by_number_or_name_typed_any_way(
        self, ama_agent: Visitor, place: Any, typed: str
    ) -> None:
        place(name="Efua")
        place(number="0559998888")
        assert numbers(ama_agent.get("/orders", query_string={"q": typed}).text) == [
            "024 123 4567"
        ]

    def test_by_code_typed_sloppily(self, ama_agent: Visitor, place: Any) -> None:
        code = place()
        place(number="0559998888")
        typed = (
            f"{code[:4]}-{code[4:8]}-{code[8:]}".lower()
            .replace("0", "o")
            .replace("1", "l")
        )
        assert numbers(ama_agent.get("/orders", query_string={"q": typed}).text) == [
            "024 123 4567"
        ]

    def test_nothing_found_says_so_and_keeps_what_was_typed(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        place()
        page = ama_agent.get("/orders?tab=new&q=zebra").text
        assert (
            "Nothing found for “zebra”" in page
            and 'value="zebra"' in page
            and "All tabs were searched" in page
        )

    def test_the_address_keeps_the_search_and_pages_of_it(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        place()
        page = ama_agent.get("/orders?q=024").text
        assert (
            'name="back" value="/orders?q=024"' in page
            and 'aria-current="page">New' not in page
        )

    @pytest.mark.slow(seconds=0.7)
    @pytest.mark.parametrize(
        ("state", "tab"),
        [("pending", "New"), ("queued", "Processing"), ("submitting", "Processing"), ("processing",
        "Processing"),
         ("failed", "Failed"), ("refunded", "Give back"), ("completed", "Done"), ("cancelled",
         "Done")],
    )  # fmt: skip
    def test_a_code_finds_that_order_alone_in_any_state_and_says_its_tab(
        self, ama_agent: Visitor, place: Any, order_of: Any, state: str, tab: str
    ) -> None:
        code = place(number="0559998888", state=state)
        for digits in range(10):  # numbers in which any digits of the code could stand
            place(number=f"024{str(digits) * 7}", gb=1)
        for where in ("", "tab=new&", "tab=done&"):
            for typed in (code, order_of(code).shown_code.lower(), f"*{code}*"):
                page = ama_agent.get(f"/orders?{where}q={typed}").text
                assert numbers(page) == ["055 999 8888"], (where, typed)
                assert f"in {tab}" in page and re.search(
                    rf"stands in the tab <a [^>]+>{tab}</a>[.:]", page
                )
        assert (f"/orders/{code}/process" in page) == (state == "pending")

    @pytest.mark.parametrize(
        "pasted",
        ["Order {shown} at Ama's Data: http://ama.localhost/orders/{code}",
        "Hello, about my order {shown}.",
         "[29/11/2026, 10:02] +233 24 123 4567: my code is {lower}, when does it come?",
         "{shown} MTN 5 GB 0241234567",
         "http://ama.localhost/orders/{code})", "https://wa.me/?text=Order%20{shown}%20at%20Ama",
         "“{code}”,"],
    )  # fmt: skip
    def test_a_code_is_found_in_whatever_was_pasted(
        self, ama_agent: Visitor, place: Any, order_of: Any, pasted: str
    ) -> None:
        place()  # its number stands in two of the texts
        code = place(number="0559998888", state="completed")
        shown = order_of(code).shown_code
        text = pasted.format(shown=shown, code=code, lower=shown.lower())
        assert numbers(ama_agent.get("/orders", query_string={"q": text}).text) == [
            "055 999 8888"
        ]

    def test_a_part_of_a_code_finds_no_number(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        place(number="0241531530")
        for typed in ("XTP1-53RB-YA", "XTP1-53", "1-53R", "XTP153"):
            assert (
                numbers(ama_agent.get("/orders", query_string={"q": typed}).text) == []
            ), typed

    def test_another_stores_code_is_not_found_and_leads_to_no_number(
        self, ama_agent: Visitor, place: Any, order_of: Any
    ) -> None:
        foreign = place("kofi", number="0249999999")
        place(number="0241111111", name="Efua")
        for typed in (foreign, order_of(foreign, "kofi").shown_code):
            page = ama_agent.get("/orders", query_string={"q": typed}).text
            assert numbers(page) == [] and "Nothing found" in page

    def test_a_name_of_ten_letters_is_still_a_name(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        place(name="Kofi Mensah")
        place(number="0559998888", name="Kofi Mends")
        assert numbers(ama_agent.get("/orders?q=kofi mensah").text) == ["024 123 4567"]
        assert numbers(ama_agent.get("/orders?q=kofi 4567").text) == ["024 123 4567"]

    def test_a_press_in_a_search_leaves_no_tab_marked(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        code = place(gb=1)
        page = ama_agent.get(f"/orders?q={code}").text
        assert f"/orders/{code}/process?row=1&amp;found=1" in page
        row = ama_agent.post(
            f"/orders/{code}/process?row=1&found=1", headers={"HX-Request": "true"}
        ).text
        assert "in Processing" in row and "aria-current" not in row

    @pytest.mark.parametrize(
        "query",
        ["q=%F0%9F%98%80", "q=%ff%fe", "q=" + "a" * 5000, "q=%25%27%22%3Cb%3E", "q=%5C",
        "q=%5f%25", "q=a&q=b",
         "before=abc", "before=-1", "before=99999999999999999999", "before=%D9%A1", "before=1e9",
         "before="],
    )  # fmt: skip
    def test_odd_addresses_show_the_queue(
        self, ama_agent: Visitor, place: Any, query: str
    ) -> None:
        place()
        answer = ama_agent.get(f"/orders?tab=new&{query}")
        assert (
            answer.status_code == 200
            and "<b>" not in answer.text.partition("<main")[2].partition("</main")[0]
        )

    def test_a_nul_is_refused_with_a_sentence(self, ama_agent: Visitor) -> None:
        assert ama_agent.get("/orders?q=%00").status_code == 400

    def test_an_unknown_tab_leads_to_the_queue(self, ama_agent: Visitor) -> None:
        answer = ama_agent.get("/orders?tab=everything")
        assert (answer.status_code, answer.location) == (303, "/orders")


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("path", "order"), [("/orders?tab=new", "01234"), ("/orders?q=024", "43210")]
)
def test_pages_follow_each_other_without_gap_or_repeat(
    ama_agent: Visitor, place: Any, path: str, order: str
) -> None:
    for index in range(5):
        place(number=f"024000000{index}", gb=1)
    seen = []
    for _ in range(3):
        page = ama_agent.get(path).text
        seen += [number[-1] for number in numbers(page)]
        more = re.search(r'href="([^"]+)" rel="next"', page)
        path = more[1].replace("&amp;", "&") if more else ""
    assert "".join(seen) == order and path == ""
    assert "Back to the start" in page


class TestNews:
    def test_nothing_new_is_an_empty_answer(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        place()
        since = re.search(r"since=(\d+)", ama_agent.get("/orders").text)
        assert since
        answer = ama_agent.get(f"/orders/news?since={since[1]}")
        assert (answer.status_code, answer.text) == (204, "")

    def test_new_orders_are_counted_not_shown(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        place()
        since = re.search(r"since=(\d+)", ama_agent.get("/orders").text)
        assert since
        place(number="0247777777")
        place("kofi", number="0248888888")
        answer = ama_agent.get(f"/orders/news?since={since[1]}")
        assert (
            '1 new<span class="o"> order</span> · show' in answer.text
            and "<tr" not in answer.text
            and "777" not in answer.text
        )
        place(number="0247777778")
        assert (
            '2 new<span class="o"> orders</span> · show'
            in ama_agent.get(f"/orders/news?since={since[1]}").text
        )

    def test_an_order_already_processed_is_no_news(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        ama_agent.get("/orders")
        place(state="queued")
        assert ama_agent.get("/orders/news?since=0").status_code == 204

    @pytest.mark.parametrize(
        "since",
        ["", "?since=", "?since=abc", "?since=-1", "?since=1.5", "?since=" + "9" * 30],
    )
    def test_news_since_nothing_readable_is_refused(
        self, ama_agent: Visitor, since: str
    ) -> None:
        assert ama_agent.get(f"/orders/news{since}").status_code == 400


@pytest.mark.parametrize(
    ("tab", "why"),
    [("new", "Share your store"), ("processing", "Nothing on its way"), ("late", "Nothing is late"),
     ("failed", "Nothing has failed"), ("back", "Nobody waits for money"), ("done",
     "Nothing done yet")],
)  # fmt: skip
def test_an_empty_tab_says_why_and_what_next(
    ama_agent: Visitor, tab: str, why: str
) -> None:
    assert why in ama_agent.get(f"/orders?tab={tab}").text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("pending", "New</a>."), ("processing", "Processing</a>: with the network."), ("completed",
        "Done</a>: delivered."),
        ("refunded", "Give back</a>."),
    ],
)  # fmt: skip
def test_a_code_says_in_which_tab_its_order_stands(
    ama_agent: Visitor, place: Any, state: str, said: str
) -> None:
    code = place(state=state)
    found = (
        ama_agent.get(f"/orders?q={code}")
        .text.partition('<p class="found" role="status">')[2]
        .partition("</p>")[0]
    )
    assert "stands in the tab <a" in found and f">{said}" in found
