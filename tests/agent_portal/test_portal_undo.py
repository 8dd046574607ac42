"""Process keeps one tap and gets an undo: in the row, on the order's page, for a selection, with
and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
import tables_owner
from playwright.sync_api import expect
from sqlalchemy import event, update
from visitors import Visitor

from core import catalog, ledger, orders
from core.audit import SYSTEM
from core.base import clock, money, tenancy
from core.base.db import db
from core.catalog import Bundle
from core.orders import pressing
from core.orders.refusals import PRESS_AGAIN
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.2)

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def a_moment_to_undo(app: Any, using: Using) -> None:
    using(undo_s=5)


def field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, name
    return found[1]


def test_one_tap_and_the_page_says_when_it_goes_with_a_button_to_undo(
    ama_agent: Visitor, place: Any, order_of: Any
) -> None:
    code = place()
    answer = ama_agent.post(f"/orders/{code}/process", {"back": "/orders?tab=new"})
    assert (answer.status_code, answer.location) == (303, "/orders?tab=new")
    queue = ama_agent.get(answer.location).text
    assert "goes in 5 s. Until then you can undo it." in queue.replace(
        "\N{NO-BREAK SPACE}", " "
    )
    row = queue.partition(f'<tr id="o-{code}"')[2].partition("</tr>")[0]
    assert (
        "Goes in" in row
        and f'formaction="/orders/{code}/undo"' in row
        and 'type="checkbox"' not in row
    )
    assert f"/orders/{code}/process" not in row and order_of(code).state == "pending"
    page = ama_agent.get(f"/orders/{code}").text
    assert f'action="/orders/{code}/undo"' in page and "Ama pressed Process" in page
    undone = ama_agent.post(f"/orders/{code}/undo", {"press": field(page, "press")})
    assert undone.status_code == 303 and order_of(code).release_at is None
    assert f"/orders/{code}/process" in ama_agent.get("/orders").text


def test_in_the_row_the_press_and_its_undo_come_back_as_rows(
    ama_agent: Visitor, place: Any
) -> None:
    code = place()
    pressed = ama_agent.post(f"/orders/{code}/process?row=1", headers=HTMX)
    assert (
        pressed.status_code == 200
        and "Goes in" in pressed.text
        and 'data-hx-trigger="load delay:7000ms"' in pressed.text
    )
    mark = field(pressed.text, "press")
    undone = ama_agent.post(f"/orders/{code}/undo?row=1", {"press": mark}, headers=HTMX)
    assert undone.status_code == 200 and f"/orders/{code}/process" in undone.text
    assert (
        "Goes in" not in ama_agent.get(f"/orders/{code}/row?row=1", headers=HTMX).text
    )


def test_a_selection_goes_in_a_moment_and_is_undone_as_one(
    ama_agent: Visitor, place: Any, order_of: Any, counts: Any
) -> None:
    codes = [place(number=f"02411100{index:02}", gb=1) for index in range(3)]
    before = counts()
    page = ama_agent.post("/orders/process", {"order": codes}).text
    assert (
        "<h1>3 going</h1>" in page
        and "each goes after 5 s" in page
        and "Undo 3" in page
    )
    assert counts()[2] == before[2], "no posting yet"
    again = ama_agent.post("/orders/process", {"order": codes}).text
    assert "<h1>0 going, 3 already in line</h1>" in again and "Goes in" in again
    undone = ama_agent.post("/orders/undo", {"order": codes})
    assert undone.status_code == 200 and "<h1>3 undone</h1>" in undone.text
    assert [order_of(code).release_at for code in codes] == [None] * 3


def test_what_is_about_to_go_is_no_longer_free(
    ama_agent: Visitor, place: Any, order_of: Any, line_of: Any, nearly_empty: Any
) -> None:
    dear, left = nearly_empty()
    first = [
        place(gb=1, number=f"02411100{index:02}")
        for index in range(left // line_of("mtn", 1).agent_price_pesewas)
    ]
    cost = len(first) * line_of("mtn", 1).agent_price_pesewas
    second = place(gb=10, number="0241119999")
    page = ama_agent.post("/orders/process", {"order": [*first, second]}).text
    free, missing = money.cedis(left - cost), dear - (left - cost)
    assert (
        f"{money.cedis(cost)} of it for what goes now" in page
        and "1 short of money" in page
    )
    assert (
        f"{money.cedis(dear)} needed, {free} left after what goes now: {money.cedis(missing)} more."
        in page
    )
    assert (
        f'href="/wallet?need={missing}#fund"' in page
        and "Send those that fit" not in page
    )
    assert f'data-available="{left - cost}"' in ama_agent.get("/orders").text
    assert f"{free} free in your wallet" in ama_agent.get(f"/orders/{second}").text
    assert (
        f"{money.cedis(cost)} of it is for orders that go in a moment"
        in ama_agent.get("/wallet").text
    )
    assert "free in your wallet" not in ama_agent.get(f"/orders/{first[0]}").text, (
        "it has its money"
    )
    ama_agent.post("/orders/undo", {"order": first})
    assert f'data-available="{left}"' in ama_agent.get("/orders").text


def test_what_went_meanwhile_is_told_apart_when_a_selection_is_undone(
    ama_agent: Visitor, place: Any, in_store: Any
) -> None:
    from core import orders

    waits, gone = place(gb=1), place(number="0559998888", gb=1)
    ama_agent.post("/orders/process", {"order": [waits]})
    in_store("ama", lambda: orders.release(gone, SYSTEM))
    page = ama_agent.post("/orders/undo", {"order": [waits, gone]}).text
    assert "<h1>1 undone, 1 gone already</h1>" in page


def test_another_store_can_neither_undo_nor_see_it(
    ama_agent: Visitor, kofi_agent: Visitor, place: Any, order_of: Any
) -> None:
    code = place()
    ama_agent.post(f"/orders/{code}/process")
    assert kofi_agent.post(f"/orders/{code}/undo").status_code == 404
    assert kofi_agent.get(f"/orders/{code}/row?row=1").status_code == 404
    assert kofi_agent.post("/orders/undo", {"order": [code]}).status_code == 404
    assert order_of(code).release_at is not None


def test_a_viewer_sees_that_it_goes_and_undoes_nothing(
    ama_agent: Visitor, logged_in: Callable[..., Visitor], place: Any, order_of: Any
) -> None:
    code, viewer = place(), logged_in("viewer@example.test", "portal", "ama")
    ama_agent.post(f"/orders/{code}/process")
    page = viewer.get("/orders").text
    assert "Goes in" in page and "/undo" not in page
    assert (
        viewer.post(f"/orders/{code}/undo").status_code == 403
        and order_of(code).release_at is not None
    )


def row_of(agent: Visitor, code: str) -> str:
    return (
        agent.get("/orders")
        .text.partition(f'<tr id="o-{code}"')[2]
        .partition("</tr>")[0]
    )


@pytest.fixture
def let_go(
    in_store: Any, order_of: Any, jump: Callable[[float], None]
) -> Callable[[str], None]:
    """The moment of a pressed order has come; what stands in its way sends it back to New."""

    def go(code: str) -> None:
        order_id = order_of(code).id
        jump(6)
        in_store("ama", lambda: orders.let_go(order_id))
        assert order_of(code).release_refused

    return go


@pytest.fixture
def mtn(app: Any, line_of: Any) -> Callable[[str], None]:
    """Something happens to MTN or to its bundle of 5 GB, by name; or it is as it was again."""
    agent_pesewas = line_of("mtn", 5).agent_price_pesewas
    bundle = update(Bundle).where(Bundle.network == "mtn", Bundle.mb == 5120)

    def happen(what: str) -> None:
        with app.app_context(), tenancy.across_stores():
            if what == "paused":
                catalog.pause_network("mtn", "maintenance", SYSTEM)
            elif what == "resumed":
                catalog.resume_network("mtn", SYSTEM)
        usual = (agent_pesewas - 100, agent_pesewas)
        prices = {
            "dear": (9_000, 9_900),
            "undecided": (9_000, agent_pesewas),
            "cheap": usual,
        }
        if what in prices:
            cost, agent = prices[what]
            tables_owner.execute(
                bundle.values(
                    cost_pesewas=cost,
                    agent_price_pesewas=agent,
                    newest_cost_pesewas=cost,
                )
            )
        elif what in ("gone", "listed"):
            tables_owner.execute(
                bundle.values(unlisted_since=clock.now() if what == "gone" else None)
            )

    return happen


IN_THE_WAY = [
    ("paused", "resumed", "Paused", "MTN is paused since"),
    ("dear", "cheap", "Cost risen", "The network&#39;s price has risen"),
    ("undecided", "cheap", "Cost risen", "The network&#39;s price has risen"),
    (
        "gone",
        "listed",
        "Not offered",
        "MTN 5 GB is not offered by the network’s supplier now",
    ),
]


@pytest.mark.parametrize(("what", "over", "word", "sentence"), IN_THE_WAY)
def test_why_it_did_not_go_stands_in_its_row_and_on_its_page_while_it_is_so(
    ama_agent: Visitor,
    place: Any,
    let_go: Any,
    mtn: Any,
    what: str,
    over: str,
    word: str,
    sentence: str,
) -> None:
    code, other = place(), place(number="0551112222", network="telecel")
    ama_agent.post(f"/orders/{code}/process")
    mtn(what)
    let_go(code)
    row, question = row_of(ama_agent, code), asks(ama_agent)
    assert f"Not sent: {sentence}" in row and f">{word}<" in row
    assert f"Not sent: {sentence}" in ama_agent.get(
        f"/orders/{code}"
    ).text and "Not sent" not in row_of(ama_agent, other)
    assert ama_agent.get(question).status_code == 204
    mtn(over)
    assert f'<tr id="o-{code}"' in ama_agent.get(question).text, (
        "the open page learns it"
    )
    row, page = row_of(ama_agent, code), ama_agent.get(f"/orders/{code}").text
    assert "Not sent" not in row and f"/orders/{code}/process" in row
    now, history = page.partition('id="history"')[::2]
    assert "Not sent" not in now and f"Not sent: {sentence}" in history, (
        "it is past, with its time"
    )
    mtn(what)
    assert f"Not sent: {sentence}" in row_of(ama_agent, code)
    mtn(over)
    assert ama_agent.post(f"/orders/{code}/process").status_code == 303
    mtn(what)
    assert "Not sent" not in row_of(ama_agent, code), "pressed again"


def asks(agent: Visitor) -> str:
    """The address by which the queue asks for changed rows."""
    return unescape(
        re.search(r'data-hx-get="(/orders/rows[^"]+)"', agent.get("/orders").text)[1]
    )


def test_a_wallet_that_reaches_again_is_over_and_a_press_that_counts_no_more_is_not(
    app: Any,
    ama_agent: Visitor,
    place: Any,
    let_go: Any,
    in_store: Any,
    order_of: Any,
    wallet: Any,
) -> None:
    def fund(pesewas: int) -> None:
        with app.app_context(), tenancy.across_stores():
            deed = ledger.fund_wallet if pesewas > 0 else ledger.take_back
            deed(order.store_id, abs(pesewas), "for a test", SYSTEM)

    short, hands = place(), place(number="0551112222")
    order, left = order_of(short), wallet()[0]
    ama_agent.post(f"/orders/{short}/process")
    fund(-left)
    let_go(short)
    assert "in your wallet. Fund it, or process fewer." in row_of(ama_agent, short)
    assert f"/orders/{short}/process" in row_of(ama_agent, short), (
        "the button stays: money may come at any moment"
    )
    fund(left)
    assert "Not sent" not in row_of(ama_agent, short)
    order_id = order_of(hands).id
    ama_agent.post(f"/orders/{hands}/process")
    said = f"Ama pressed Process, and what they may do here has changed since. {PRESS_AGAIN}"
    in_store("ama", lambda: pressing.take_back(order_id, said))
    assert (
        f"Not sent: {said}" in row_of(ama_agent, hands)
        and f"Not sent: {said}" in ama_agent.get(f"/orders/{hands}").text
    )


@pytest.mark.parametrize("what", ["paused", "dear", "undecided", "gone", "cheap"])
def test_a_row_offers_process_just_where_the_press_is_taken(
    ama_agent: Visitor, place: Any, mtn: Any, what: str
) -> None:
    """The row asks the rule of the release: by its button or its word one knows what the press
    would answer."""
    codes = {
        "mtn": place(),
        "small": place(number="0241110001", gb=1),
        "telecel": place(number="0551112222", network="telecel"),
    }
    mtn(what)
    before = {name: row_of(ama_agent, code) for name, code in codes.items()}
    for name, code in codes.items():
        answer = ama_agent.post(f"/orders/{code}/process?row=1", headers=HTMX)
        offered, held = (
            f"/orders/{code}/process" in before[name],
            'class="btn ghost slim"' in before[name],
        )
        assert (answer.status_code == 200, offered, held) in (
            (True, True, False),
            (False, False, True),
        ), name
        assert f'name="order" value="{code}"' in before[name], (
            "it can be ticked, to be cancelled"
        )
    taken = {name for name, row in before.items() if "/process" in row}
    assert taken == {"paused": {"telecel"}, "cheap": set(codes)}.get(
        what, {"small", "telecel"}
    )


def test_what_rows_say_costs_no_statement_a_row(
    app: Any, ama_agent: Visitor, place: Any, let_go: Any, mtn: Any
) -> None:
    def asked() -> int:
        heard: list[str] = []
        hear = lambda _c, _cur, statement, *_rest: heard.append(statement)
        with app.app_context():
            engines = list(db.engines.values())
        for engine in engines:
            event.listen(engine, "before_cursor_execute", hear)
        try:
            assert ama_agent.get("/orders").text.count("Not sent: ") == len(made)
        finally:
            for engine in engines:
                event.remove(engine, "before_cursor_execute", hear)
        return len(heard)

    made: list[str] = []
    counts: list[int] = []
    for count in (1, 12):
        mtn("resumed")
        codes = [
            place(number=f"02411{count:02}0{at:02}", gb=(1, 2, 5)[at % 3])
            for at in range(count)
        ]
        for code in codes:
            ama_agent.post(f"/orders/{code}/process")
        mtn("paused")
        for code in codes:
            let_go(code)
        made += codes
        ama_agent.get("/orders")  # the log-in is written down as seen
        counts.append(asked())
    assert counts[0] == counts[1]


def test_the_customer_may_still_cancel_and_is_then_told_of_the_money(
    app: Any, ama_agent: Visitor, place: Any, in_store: Any, order_of: Any
) -> None:
    from core import audit

    code = place()
    ama_agent.post(f"/orders/{code}/process")
    in_store("ama", lambda: orders.cancel(code, audit.CUSTOMER))
    assert (
        order_of(code).state == "cancelled"
        and code in ama_agent.get("/orders?tab=back").text
    )
    assert "gives your money back" in Visitor(app, "ama").get(f"/orders/{code}").text


@pytest.mark.browser
def test_in_a_browser_it_counts_down_and_is_undone_with_one_more_tap(
    open_page: Callable[..., Any], place: Any, order_of: Any
) -> None:
    code = place()
    page = open_page("ama", width=360, height=740)
    page.goto("/orders")
    page.click(f"#o-{code} >> text=Process")
    page.wait_for_selector(f"#o-{code} [data-left]")
    page.wait_for_selector(f"#o-{code} [data-left]:text-matches('^[0-4]$')")
    page.click(f"#o-{code} >> text=Undo")
    page.wait_for_selector(f"#o-{code} >> text=Process")
    assert order_of(code).release_at is None


@pytest.mark.browser
def test_without_javascript_the_page_says_it_and_has_the_button(
    open_page: Callable[..., Any], place: Any, order_of: Any
) -> None:
    code = place()
    page = open_page("ama", js=False)
    page.goto("/orders")
    page.click(f"#o-{code} >> text=Process")
    assert "goes in 5 s" in page.inner_text("#status")
    page.click(f"#o-{code} >> text=Undo")
    assert "Undone" in page.inner_text("#status") and order_of(code).release_at is None


def listed(html: str) -> dict[str, str]:
    """What the list of results says of each order, by code."""
    return {
        code: re.sub(r"<[^>]+>|\s+", " ", said)
        for code, said in re.findall(r'<li id="o-(\w+)">(.*?)</li>', html)
    }


def test_results_count_down_and_then_say_how_each_stands(
    ama_agent: Visitor,
    place: Any,
    let_go: Any,
    in_store: Any,
    order_of: Any,
    mtn: Any,
    jump: Any,
) -> None:
    sent, held, before = (
        place(number="0551112222", network="telecel"),
        place(),
        place(number="0241110001", gb=1),
    )
    ama_agent.post(f"/orders/{before}/process")
    page = ama_agent.post("/orders/process", {"order": [sent, held, before]}).text
    assert (
        "Pressed: each goes after 5 s, until then it can be undone." in page
        and 'id="undo"' in page
    )
    assert listed(page).keys() == {sent, held, before}
    assert all(re.search(r"Goes in +5 +s", said) for said in listed(page).values()), (
        listed(page)
    )
    assert 'data-hx-trigger="every 10000ms, load delay:7000ms"' in page
    question = unescape(re.search(r'data-hx-get="(/orders/rows[^"]+)"', page)[1])
    assert ama_agent.get(question).status_code == 204
    mtn("paused")
    let_go(held)
    some = ama_agent.get(question).text
    assert (
        listed(some).keys() == {held}
        and "Not sent: MTN is paused since" in listed(some)[held]
    )
    assert (
        'data-hx-target="#undo"' not in some and f'data-hx-target="#o-{held}"' in some
    ), "two can still be undone"
    mtn("resumed")
    for code in (sent, before):
        in_store("ama", lambda code=code: orders.let_go(orders.by_code(code).id))
    rest = ama_agent.get(question).text
    assert (
        "In line" in listed(rest)[sent]
        and "In line" in listed(rest)[before]
        and "Goes" not in rest
    )
    assert (
        'data-hx-target="#undo"' in rest
        and "<tr" not in rest
        and 'id="tabs"' not in rest
    )
    again = unescape(re.search(r'data-hx-get="(/orders/rows[^"]+)"', rest)[1])
    assert ama_agent.get(again).status_code == 204 and "tab=pressed" in again


def test_two_hundred_results_are_asked_about_in_one_question(
    ama_agent: Visitor, place: Any, order_of: Any
) -> None:
    code = place(number="0241110000", gb=1)
    rows = [f"{order_of(code).id}.ffff", *["1000000.ffff"] * 199]
    question = "/orders/rows?tab=pressed&on=" + ",".join(rows)
    assert listed(ama_agent.get(question).text).keys() == {code}


@pytest.mark.browser
def test_in_a_browser_results_count_down_and_change_in_place(
    open_page: Callable[..., Any],
    place: Any,
    order_of: Any,
    in_store: Any,
    jump: Callable[[float], None],
) -> None:
    codes = [place(number=f"024111000{at}", gb=1) for at in range(2)]
    page = open_page("ama", width=360, height=740)
    page.goto("/orders")
    page.check("[data-select-page]")
    page.click("[data-process]")
    page.wait_for_selector(f"li#o-{codes[0]} [data-left]:text-matches('^[0-4]$')")
    jump(6)
    for code in codes:
        order_id = order_of(code).id
        in_store("ama", lambda order_id=order_id: orders.let_go(order_id))
    page.wait_for_selector(f"li#o-{codes[0]} >> text=In line")
    page.wait_for_selector(f"li#o-{codes[1]} >> text=In line")
    expect(page.locator("#undo")).to_be_hidden()
    expect(page.locator("[data-left]")).to_have_count(0)
