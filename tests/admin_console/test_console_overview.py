"""The first page: five figures over all stores, the float, the troubles of the set-up, the
cases."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from console_scenes import AGENT, Scene
from seed import FLOAT_PESEWAS
from visitors import Visitor

from admin_console import figures, float_history, floatplot
from core import catalog, ledger, proof
from core.base import clock
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.1)


def figure(html: str, label: str) -> str:
    found = re.search(rf"<span>{label}[^<]*</span><b>([^<]*)</b>", html)
    assert found, label
    return found[1]


@pytest.mark.slow(seconds=0.4)
def test_the_five_figures_add_up_over_all_stores_and_are_links(
    owner: Visitor, scene: Scene
) -> None:
    for slug in ("ama", "kofi"):
        for state in ("completed", "processing", "refunded", "failed"):
            scene.order(state, slug=slug)
    scene.order("completed")
    page = owner.get("/").text
    with scene.everywhere():
        accounts, held = ledger.platform_balances(), ledger.held_total()
    assert figure(page, "Orders today") == "9"
    assert figure(page, "Success rate") == "60\N{NO-BREAK SPACE}%"  # 3 of 5
    assert figure(page, "Stuck") == "2"
    assert accounts["in_flight"] > 0 and held > 0
    assert (
        figure(page, "Money at risk") == f"{(accounts['in_flight'] + held) / 100:,.2f}"
    )
    assert figure(page, "Float") == f"{accounts['supplier_float'] / 100:,.2f}"
    for href in (
        "/orders?day=today",
        "/orders?day=ended",
        "/orders?state=stuck",
        "/books",
        "/supplier",
    ):
        assert f'<li><a href="{href}"' in page


def test_yesterdays_orders_are_not_todays(owner: Visitor, scene: Scene) -> None:
    code = scene.order("completed")
    yesterday = clock.accra_midnight() - timedelta(minutes=1)
    scene.change_order(code, created_at=yesterday, final_at=yesterday)
    page = owner.get("/").text
    assert figure(page, "Orders today") == "0"
    assert figure(page, "Success rate") == "–"


@pytest.mark.parametrize(
    ("state", "values", "is_stuck"),
    [
        ("pending", {"created_at": timedelta(days=2)}, False),
        ("queued", {"queued_at": timedelta(minutes=9)}, False),
        ("queued", {"queued_at": timedelta(minutes=11)}, True),
        ("submitting", {"queued_at": timedelta(minutes=1)}, False),
        ("submitting", {"queued_at": timedelta(minutes=11)}, True),
        ("unknown", {}, True),
        ("processing", {"processing_at": timedelta(minutes=59)}, False),
        ("processing", {"processing_at": timedelta(minutes=61)}, True),
        ("failed", {}, True),
        ("completed", {"processing_at": timedelta(days=2)}, False),
        ("refunded", {}, False),
    ],
)
def test_stuck_is_late_unclear_or_failed_and_the_link_shows_the_same(
    owner: Visitor,
    scene: Scene,
    state: str,
    values: dict[str, timedelta],
    is_stuck: bool,
) -> None:
    code = scene.order(state)
    if values:
        scene.change_order(
            code, **{name: clock.now() - ago for name, ago in values.items()}
        )
    assert figure(owner.get("/").text, "Stuck") == str(int(is_stuck))
    assert (f"/orders/{code}" in owner.get("/orders?state=stuck").text) == is_stuck


def test_a_float_that_is_used_says_when_it_is_empty(scene: Scene) -> None:
    with scene.everywhere():
        assert figures.burn(200_000).empty_at is None, "nothing was bought"
    for _ in range(4):
        scene.order("completed", slug="kofi")
    with scene.everywhere():
        spent = 200_000 - ledger.platform_balances()["supplier_float"]
        burn = figures.burn(10_000)
        assert burn.empty_at is not None
        hours = (burn.empty_at - clock.now()).total_seconds() / 3_600
        assert hours == pytest.approx(10_000 / (spent // 6), rel=0.01)


def test_the_page_says_when_the_float_is_empty(owner: Visitor, scene: Scene) -> None:
    assert "nothing bought in the last 6 h" in owner.get("/").text
    for _ in range(4):
        scene.order("completed")
    assert "lasts about" in owner.get("/").text


TROUBLES = {
    "credentials": (
        {"credentials_refused_since": -60},
        "The supplier refuses our credentials since",
    ),
    "unreachable": ({"unreachable_since": -60}, "The supplier cannot be reached since"),
    "breaker": (
        {"breaker_open_until": 60, "breaker_reason": "5 unclear"},
        "Buying is paused until",
    ),
    "break": (
        {"break_since": -120, "break_pesewas": -500, "last_balance_at": -1},
        "GH₵\N{NO-BREAK SPACE}5.00 less than our books",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_trouble_with_the_supplier_is_said_in_a_sentence(
    owner: Visitor, scene: Scene, trouble: str
) -> None:
    values, sentence = TROUBLES[trouble]
    assert sentence not in owner.get("/").text
    scene.link(
        **{
            n: clock.now() + timedelta(seconds=v)
            if n.endswith(("since", "until", "_at"))
            else v
            for n, v in values.items()
        }
    )
    assert sentence in owner.get("/").text


def test_a_difference_seen_once_is_no_trouble_yet(owner: Visitor, scene: Scene) -> None:
    scene.balance(150_000)
    assert "less than our books explain, seen" not in owner.get("/").text


def test_a_charge_nobody_can_explain_says_that_buying_is_stopped_and_what_to_do(
    owner: Visitor, scene: Scene
) -> None:
    assert "Buying is stopped" not in owner.get("/").text
    scene.case("unexpected_charge", "float", evidence={"difference_pesewas": -500})
    scene.balance(199_500)
    scene.link(break_since=clock.now() - timedelta(seconds=90))
    page = owner.get("/").text
    assert (
        "Buying is stopped: the supplier took GH₵\N{NO-BREAK SPACE}5.00 that no order of ours"
        " explains." in page
    )
    assert "buying goes on when the balance fits our books again" in page
    assert "seen twice since" not in page, "once is enough"
    supplier = owner.get("/supplier").text
    assert 'until the <a href="/cases">unexplained charge</a> is settled' in supplier


def test_orders_that_wait_for_float_are_counted_with_what_to_do(
    owner: Visitor, scene: Scene, using: Using
) -> None:
    assert "for float" not in owner.get("/").text
    other = scene.order("queued", slug="kofi")
    scene.change_order(
        scene.order("queued"), wait_reason="float", queued_at=clock.accra_midnight()
    )
    waits = "One order waits for float, the oldest in line since 00:00"
    assert f"{waits}. Money is there now" in owner.get("/").text
    scene.link(unreachable_since=clock.now())
    scene.look_anew()
    assert (
        f"{waits}. Money is there, but buying stands still: they go when it goes on"
        in owner.get("/").text
    )
    scene.link(unreachable_since=None)
    stop = scene.case(
        "unexpected_charge", "float", evidence={"difference_pesewas": -500}
    )
    scene.look_anew()
    assert f"{waits}. Money is there, but buying stands still" in owner.get("/").text
    scene.settle(stop, "close", "counted twice")
    scene.balance(1_000)
    scene.look_anew()
    page = owner.get("/").text
    assert (
        f"{waits}: GH₵\N{NO-BREAK SPACE}10.00 cannot pay for it. Fund the float; the oldest goes"
        " first." in page
    )
    scene.change_order(other, wait_reason="float")
    scene.balance(5_000)
    using(float_reserve_pesewas=4_000)
    page = owner.get("/").text
    assert (
        "2 orders wait for float, the oldest in line since 00:00: GH₵\N{NO-BREAK SPACE}50.00"
        " cannot pay" in page
    )
    assert "for any of them and keep the reserve of GH₵\N{NO-BREAK SPACE}40.00." in page


def test_the_figures_carry_the_alarm_while_buying_stands_still(
    owner: Visitor, scene: Scene
) -> None:
    calm = owner.get("/").text
    assert "everything moves" in calm and 'class="alarm"' not in calm
    scene.link(unreachable_since=clock.now())
    scene.look_anew()
    page = owner.get("/").text
    assert "everything moves" not in page
    assert page.count('class="alarm"') == 2, "what is stuck, and the float"
    assert (
        len(re.findall(r"<small>buying stands still since \d\d:\d\d</small>", page))
        == 2
    )
    both = owner.get("/supplier").text
    assert (
        "less what was bought; buying stands still since" in both
        and "lasts about" not in both
    )
    scene.link(unreachable_since=None)
    scene.look_anew()
    assert owner.get("/").text.count("everything moves") == 1


def test_sizes_the_float_cannot_pay_are_named(owner: Visitor, scene: Scene) -> None:
    scene.balance(2_400)
    scene.look_anew()
    page = owner.get("/").text
    assert re.search(
        r"2 of 9 sizes are off all shelves, the first since \d\d:\d\d: MTN 10 GB; Telecel 10 GB\."
        r" The float",
        page,
    )
    assert "cannot pay for them. Fund it; they come back by themselves." in page
    assert (
        re.search(r"<small>cannot pay for 2 sizes since \d\d:\d\d</small>", page)
        and "everything moves" in page
    )


def test_silence_and_a_relay_that_is_away_are_said(
    owner: Visitor, scene: Scene, clocks: Any
) -> None:
    for endpoint in ("balance", "products"):
        scene.call(
            endpoint=endpoint,
            http_status=None,
            outcome="no_answer",
            at=clock.now() - timedelta(seconds=30),
        )
    scene.look_anew()
    assert re.search(
        r"Buying stands still since \d\d:\d\d: the supplier does not answer\.",
        owner.get("/").text,
    )
    scene.call(endpoint="status", http_status=200)
    scene.look_anew()
    assert "does not answer" not in owner.get("/").text
    clocks.relay_lives = False
    clocks.pass_by(20)
    assert re.search(
        r"Nobody has looked since \d\d:\d\d what can be bought\. Is the relay",
        owner.get("/").text,
    )
    clocks.pass_by(60)
    assert (
        "what can be bought, so stores sell nothing. Is the relay running?"
        in owner.get("/").text
    )


def test_a_failed_sync_and_an_empty_shelf_say_why(owner: Visitor, scene: Scene) -> None:
    assert "No bundles yet" not in owner.get("/").text
    with scene.everywhere():
        catalog.record_failed_sync(
            "The supplier's list could not be read: refused. Nothing was changed."
        )
    page = owner.get("/").text
    assert "failed: The supplier&#39;s list could not be read: refused." in page
    scene.sql("UPDATE bundles SET active = false")
    assert "No bundles yet" in owner.get("/").text


def test_pauses_are_said_with_their_reason(owner: Visitor, scene: Scene) -> None:
    with scene.everywhere():
        catalog.pause_network("telecel", "their switch is down", AGENT)
        catalog.pause_sales("stock-taking", AGENT)
    page = owner.get("/").text
    assert "Telecel is paused since" in page and "their switch is down" in page
    assert "All sales are paused since" in page and "stock-taking" in page


def test_work_nobody_takes_is_said(owner: Visitor, scene: Scene) -> None:
    scene.order("queued")
    assert "Is the worker running?" not in owner.get("/").text
    scene.sql("UPDATE outbox SET due_at = :at", at=clock.now() - timedelta(minutes=5))
    assert "1 piece of work waits to be taken" in owner.get("/").text


def test_cases_are_listed_oldest_first_with_their_order(
    owner: Visitor, scene: Scene
) -> None:
    code = scene.order("completed", slug="kofi")
    scene.case_of(code)
    scene.case("unknown_word")
    page = owner.get("/").text
    assert page.index("contradicts a finished order") < page.index(
        "a status word nobody has seen"
    )
    assert f'href="/orders/{code}"' in page
    assert '<span class="count hot">2</span>' in page, "the navigation counts them"


def test_no_case_says_so(owner: Visitor) -> None:
    assert "No open cases" in owner.get("/").text


def test_the_table_below_the_plot_has_the_plots_numbers(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    jump(-7_200)
    scene.balance(200_000)
    jump(3_600)
    scene.order("completed")
    scene.balance(190_000)
    jump(3_600)
    with scene.everywhere():
        platform = ledger.platform_balances()
        plot, rows = floatplot.draw(24, platform)
    now_pesewas = platform["supplier_float"]
    reads = [(ours, theirs) for _, ours, theirs in rows if theirs is not None]
    assert reads == [(now_pesewas, 190_000), (200_000, 200_000)]
    assert [at for at, _, _ in rows] == sorted((at for at, _, _ in rows), reverse=True)
    assert plot.ticks_pesewas[0] >= 200_000
    page = owner.get("/").text
    assert "The same numbers as a table" in page
    assert f"{now_pesewas / 100:,.2f}" in page and "1,900.00" in page


def test_a_longer_span_begins_with_the_balance_it_found(
    scene: Scene, jump: Callable[[float], None]
) -> None:
    jump(3 * 86_400)  # the seed's funding is three days old now
    end = clock.now()
    with scene.everywhere():
        day = float_history.float_points(end - timedelta(hours=24), end)
        week = float_history.float_points(end - timedelta(days=7), end)
    assert [p.pesewas for p in day] == [200_000], (
        "the line starts at the edge of the plot"
    )
    assert [p.pesewas for p in week] == [200_000]
    assert day[0].at == end - timedelta(hours=24)
    assert week[0].at > end - timedelta(days=7)


@pytest.mark.parametrize("hours", ["24", "168", "0", "x", "-1", "9" * 40])
def test_any_span_asked_for_gives_a_page(owner: Visitor, hours: str) -> None:
    assert owner.get("/", query_string={"hours": hours}).status_code == 200


def card(page: str, name: str) -> str:
    found = re.search(rf"<li>((?:(?!</li>).)*<span>{name}.*?)</li>", page, re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("credentials", "nothing can be bought"),
        ("unreachable", "nothing can be bought"),
        ("breaker", "buying is paused"),
        ("break", "the supplier has GH₵\N{NO-BREAK SPACE}5.00 less"),
    ],
)
def test_the_float_s_figure_carries_the_alarm_of_its_trouble(
    owner: Visitor, scene: Scene, trouble: str, words: str
) -> None:
    calm = card(owner.get("/").text, "Float")
    assert 'class="alarm"' not in calm and words not in calm
    values, _ = TROUBLES[trouble]
    scene.link(
        **{
            n: clock.now() + timedelta(seconds=v)
            if n.endswith(("since", "until", "_at"))
            else v
            for n, v in values.items()
        }
    )
    page = owner.get("/").text
    assert 'class="alarm"' in card(page, "Float")
    assert words in card(page, "Float") or "buying stands still" in card(page, "Float")
    assert "everything moves" not in page


def test_paused_sales_and_broken_books_are_seen_on_their_figures(
    owner: Visitor, scene: Scene
) -> None:
    with scene.everywhere():
        catalog.pause_sales("stock-taking", AGENT)
    assert "all sales are paused" in card(owner.get("/").text, "Orders today")
    scene.sql(
        "UPDATE accounts SET balance_pesewas = balance_pesewas - 5 WHERE name = 'bank'"
    )
    scene.ask(proof.prove)
    risk = card(owner.get("/").text, "Money at risk")
    assert 'class="alarm"' in risk and "the books do not hold" in risk
    scene.sql(
        "UPDATE accounts SET balance_pesewas = balance_pesewas + 5 WHERE name = 'bank'"
    )


def test_the_float_s_line_begins_with_the_opening_posting(
    owner: Visitor, scene: Scene
) -> None:
    for _ in range(3):
        scene.order("processing")
    with scene.everywhere():
        points = float_history.float_points(
            clock.now() - timedelta(hours=24), clock.now()
        )
    assert points[0].pesewas == FLOAT_PESEWAS
    assert points[-1].pesewas < FLOAT_PESEWAS
