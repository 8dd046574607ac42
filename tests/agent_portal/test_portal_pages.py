"""Every page of the portal: clean HTML, nothing of a customer's taken for markup, no script or
style of its own inside."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import html5lib
import pytest
from visitors import Visitor

from tests.support.asked import asked
from tests.support.kept import Keep

pytestmark = pytest.mark.slow(seconds=0.3)

STATES = (
    "pending",
    "queued",
    "submitting",
    "processing",
    "completed",
    "failed",
    "refunded",
    "cancelled",
)
NASTY = '"><img src=x onerror=alert(1)><b>'


def problems_of(html: str, container: str | None = None) -> list[str]:
    parser = html5lib.HTMLParser(strict=False)
    if container:
        parser.parseFragment(html, container=container)
    else:
        parser.parse(html)
    return [f"{code} {detail} at {place}" for place, code, detail in parser.errors]


@pytest.fixture
def full(place: Any, kept: Keep[dict[str, str]]) -> dict[str, str]:
    """A store with an order in every state, one of them for a mismatched number and with a hostile
    name."""
    return kept("full", lambda: build_full(place))


def build_full(place: Any) -> dict[str, str]:
    codes = {
        state: place(number=f"024000000{index}", state=state)
        for index, state in enumerate(STATES)
    }
    return codes | {"odd": place(number="0201234567", name=NASTY)}


def pages_of(codes: dict[str, str]) -> list[str]:
    tabs = [
        f"/orders?tab={tab}" for tab in ("new", "processing", "late", "failed", "done")
    ]
    return [
        "/",
        *tabs,
        "/orders?tab=new&q=zzz",
        *(f"/orders/{code}" for code in codes.values()),
        "/prices",
        "/wallet",
        "/stores",
    ]


def test_every_page_parses_without_a_fault(
    ama_agent: Visitor, visitor: Callable[[str], Visitor], full: dict[str, str]
) -> None:
    faults = {path: problems_of(ama_agent.get(path).text) for path in pages_of(full)}
    faults["/login"] = problems_of(visitor("portal").get("/login").text)
    faults["empty"] = problems_of(ama_agent.post("/orders/process", {}).text)
    faults["bad login"] = problems_of(
        visitor("portal").post("/login", {"email": "x"}).text
    )
    faults["bad price"] = problems_of(
        ama_agent.post("/prices", {"price-999": "1"}).text
    )
    faults["many"] = problems_of(
        ama_agent.post(
            "/orders/process", {"order": [full["pending"], full["cancelled"]]}
        ).text
    )
    faults["refused"] = problems_of(
        ama_agent.post(f"/orders/{full['completed']}/cancel").text
    )
    assert {path: found for path, found in faults.items() if found} == {}


def test_every_fragment_parses_without_a_fault(
    ama_agent: Visitor, full: dict[str, str]
) -> None:
    news = ama_agent.get("/orders/news?since=0").text
    live = ama_agent.get(f"/orders/{full['processing']}/status").text
    row = ama_agent.post(
        f"/orders/{full['pending']}/process?row=1", headers={"HX-Request": "true"}
    ).text
    assert problems_of(news, "div") == problems_of(live, "div") == []
    table_row, rest = row[: row.index("</tr>") + 5], row[row.index("</tr>") + 5 :]
    assert problems_of(table_row, "tbody") == problems_of(rest, "div") == []


def test_nothing_typed_by_a_customer_is_markup(
    ama_agent: Visitor, full: dict[str, str]
) -> None:
    for path in ("/orders", f"/orders/{full['odd']}"):
        page = ama_agent.get(path).text
        assert "<img src=x" not in page and "&lt;img src=x" in page
    searched = ama_agent.get("/orders", query_string={"q": NASTY, "tab": "done"}).text
    assert "<img src=x" not in searched


def test_pages_bring_no_script_or_style_of_their_own(
    ama_agent: Visitor, full: dict[str, str]
) -> None:
    for path in pages_of(full):
        answer = ama_agent.get(path)
        tags = " ".join(re.findall(r"<[a-z][^>]*>", answer.text))
        assert not re.search(
            r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:", tags
        ), path
        assert answer.headers["Cache-Control"] == "no-store"


def test_ids_are_unique_on_every_page(ama_agent: Visitor, full: dict[str, str]) -> None:
    for path in pages_of(full):
        found = re.findall(r'\sid="([^"]+)"', ama_agent.get(path).text)
        assert sorted(found) == sorted(set(found)), path


@pytest.mark.parametrize("tab", ["new", "processing", "done"])
def test_the_queue_is_read_in_one_round_trip_however_long_it_is(
    app: Any, ama_agent: Visitor, place: Any, tab: str
) -> None:
    state = {"new": "pending", "done": "completed"}.get(tab, tab)
    for index in range(12):
        place(number=f"02400000{index:02}", gb=1, state=state)
    ama_agent.get("/orders")
    with asked(app) as found:
        page = ama_agent.get(f"/orders?tab={tab}").text
    assert page.count('<tr id="o-') == 12
    assert found.statements == []
    assert [len(trip) for trip in found.trips] == [1, 6], "who asks, with their store"


def test_home_is_read_in_one_round_trip(
    app: Any, ama_agent: Visitor, place: Any
) -> None:
    place(state="completed")
    ama_agent.get("/")
    with asked(app) as found:
        assert "Delivered today" in ama_agent.get("/").text
    read, counted = found.statements
    assert "notice_marks" in read and "told_first_at" in counted, "news since then"
    assert [len(trip) for trip in found.trips] == [1, 8], "who asks, with their store"
