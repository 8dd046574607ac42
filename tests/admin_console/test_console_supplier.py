"""The two sides of the float, and the button that has the supplier asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from console_scenes import Scene
from visitors import Visitor

from admin_console import balance_steps, comparison
from core import cases, ledger, orders, outbox, reconcile, settling
from core.audit import Actor
from core.orders import News
from core.reconcile import Doubts
from core.supplier import balances
from core.supplier.balances import BalanceRead
from tests.support.claims import claim_one

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("said", "books", "doubt", "kind", "words"),
    [
        (None, 100, Doubts(), "waiting", "not told us its balance yet"),
        (100, 100, Doubts(), "done", "They agree"),
        (100, 100, Doubts((25, 25)), "done", "They agree"),
        (
            150,
            100,
            Doubts(),
            "waiting",
            f"GH₵{NBSP}0.50 more than our books. Either the float was funded",
        ),
        (
            150,
            100,
            Doubts(returnable=((7, 50),)),
            "moving",
            "given so much back for orders that failed or have a case: that explains it",
        ),
        (
            150,
            100,
            Doubts(returnable=((7, 49),)),
            "waiting",
            "Either the float was funded",
        ),
        (
            60,
            100,
            Doubts((40,)),
            "moving",
            "One order was sent and not yet answered for",
        ),
        (60, 100, Doubts((25, 25)), "moving", "2 orders were sent"),
        (
            60,
            100,
            Doubts(charged_again=(40,)),
            "moving",
            f"Orders that failed or have a case may have cost up to GH₵{NBSP}0.40 after all",
        ),
        (
            60,
            100,
            Doubts((20,), charged_again=(20,)),
            "moving",
            "may have cost up to GH₵ 0.20 and orders that failed",
        ),
        (
            60,
            100,
            Doubts(),
            "stopped",
            f"GH₵{NBSP}0.40 less than our books. Something was charged",
        ),
        (
            60,
            100,
            Doubts((39,)),
            "stopped",
            f"0.39 of it may be orders in doubt, GH₵{NBSP}0.01 has no reason. Something",
        ),
        (
            150,
            100,
            Doubts(returnable=((7, 49),)),
            "waiting",
            f"0.49 of it may be back for orders that failed or have a case, GH₵{NBSP}0.01 has",
        ),
        (0, -5, Doubts(), "waiting", f"GH₵{NBSP}0.05 more"),
    ],
)
def test_the_difference_is_said_in_words(
    said: int | None, books: int, doubt: Doubts, kind: str, words: str
) -> None:
    found = comparison.difference(said, books, doubt)
    assert found[0] == kind
    assert words.replace("GH₵ ", f"GH₵{NBSP}") in found[1]


def test_a_difference_says_that_buying_is_stopped_only_when_it_is() -> None:
    assert (
        "becomes a case and stops buying" in comparison.difference(60, 100, Doubts())[1]
    )
    said = comparison.difference(60, 100, Doubts(), stopped=True)[1]
    assert "Buying is stopped" in said and "becomes a case" not in said


def read(
    balance: int,
    books: int,
    sent: int = 0,
    again: int = 0,
    back: int = 0,
    verdict: str = "a break",
) -> BalanceRead:
    return BalanceRead(
        balance_pesewas=balance, float_pesewas=books, unresolved_pesewas=sent,
        charged_again_pesewas=again,
        may_be_back_pesewas=back, verdict=verdict,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of", "now", "named"),
    [
        (read(100, 100), 100, {}),
        (read(149_000, 200_000, sent=3_640), 200_000, {"Orders sent and not": -3_640,
        "Has no reason": -47_360}),
        (read(199_000, 200_000, sent=3_640, verdict="fits"), 200_000,
        {"Orders sent and not": -1_000}),
        (read(90, 100, sent=3, again=4), 100, {"Orders sent and not": -3, "Charged after all": -4,
        "Has no reason": -3}),
        (read(150, 100, sent=30, back=20), 100, {"Given back for": 20, "Has no reason": 30}),
        (read(101, 100, verdict="fits"), 100, {"Fractions of a pesewa": 1}),
        (read(100, 100, verdict="fits"), 60, {"Booked since its answer": 40}),
        (read(-50, 100, back=7), 90, {"Booked since its answer": 10, "Has no reason": -150}),
    ],
)  # fmt: skip
def test_every_pesewa_between_our_books_and_the_supplier_has_a_name(
    of: BalanceRead, now: int, named: dict[str, int]
) -> None:
    steps = balance_steps.steps(of, now)
    addends = [step for step in steps if not step.is_total]
    assert steps[0].pesewas == now
    assert now + sum(step.pesewas for step in addends) == of.balance_pesewas
    assert len(addends) == len(named)
    for words, pesewas in named.items():
        assert next(step.pesewas for step in addends if words in step.what) == pesewas


def test_the_case_and_the_page_name_the_same_sum(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    scene.order("unknown")
    scene.balance(149_000)
    jump(61)
    scene.balance(149_000)
    page, case = owner.get("/supplier").text, owner.get("/cases").text
    for words in (
        "−23.20",
        "−486.80",
        "Has no reason",
        "From our books to the supplier's figure",
    ):
        assert words in page, words
    assert f"GH₵{NBSP}23.20" in case and f"GH₵{NBSP}486.80 less than our books" in case


def balance_case(scene: Scene) -> cases.Case:
    return next(
        case
        for case in scene.ask(lambda: cases.open_cases(20))
        if case.kind.startswith(("float_", "unexp"))
    )


def sums(page: str) -> list[int]:
    """The figures of the table from our books to the supplier's, in pesewas: totals stand as they
    are."""
    table = page.partition("From our books to the supplier")[2].partition("</table>")[0]
    cells = re.findall(r'<td class="num[^"]*">([^<]+)</td>', table)
    return [
        round(float(cell.replace("−", "-").replace(",", "").replace("+", "")) * 100)
        for cell in cells
    ]


SETTLED = [
    (205_000, "confirm_funding", 5_000),
    (205_000, "accept_gain", 5_000),
    (195_000, "accept_loss", 5_000),
]


@pytest.mark.parametrize(("said", "action", "amount"), SETTLED)
def test_what_a_person_books_for_a_difference_counts_at_once(
    owner: Visitor,
    scene: Scene,
    jump: Callable[[float], None],
    said: int,
    action: str,
    amount: int,
) -> None:
    scene.balance(200_000)
    scene.balance(said)
    jump(61)
    scene.balance(said)
    assert "Has no reason" in owner.get("/supplier").text
    case = balance_case(scene)
    jump(5)
    with scene.everywhere():
        settling.settle(
            case.id,
            action,
            Actor("user", "Olu"),
            words="the bank says so",
            seen_pesewas=amount,
        )
    page = owner.get("/supplier").text
    assert "They agree" in page and "as no reason" not in page and sums(page) == []
    assert (
        f"A person has booked GH₵{NBSP}50.00 {'more' if said > 200_000 else 'less'} since"
        in page
    )
    scene.order("processing", news=News(raw_status="pending", amount_pesewas=2_320))
    page = owner.get("/supplier").text
    ours = said - 2_320
    assert sums(page) == [ours, 2_320, said, said] and "as no reason" not in page
    assert (
        f"GH₵{NBSP}2,000.00 then, {'and' if said > 200_000 else 'less'} GH₵{NBSP}50.00 booked since"
        in page
    )
    jump(61)
    scene.balance(ours)
    assert (
        "They agree" in owner.get("/supplier").text
        and "A person has booked" not in owner.get("/supplier").text
    )


def test_a_funding_of_a_part_leaves_the_other_part_with_its_name(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    scene.balance(200_000)
    scene.order("failed")
    ours = scene.ask(lambda: ledger.platform_balances())["supplier_float"]
    charge = 200_000 - ours
    for _ in range(2):
        scene.balance(ours + charge + 5_000)
        jump(61)
    case = balance_case(scene)
    with scene.everywhere():
        settling.settle(
            case.id, "confirm_funding", Actor("user", "Olu"), seen_pesewas=5_000
        )
    page = owner.get("/supplier").text
    assert "as no reason" not in page and "Given back for" in page
    assert sums(page) == [ours + 5_000, charge, ours + charge + 5_000]


def test_a_charge_that_is_no_price_is_told_beside_what_purchases_count_on(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    scene.balance(200_000)
    assert "urchases count on" not in owner.get("/supplier").text + owner.get("/").text
    scene.order("submitting")
    order = scene.find(scene.order("submitting", slug="kofi"))
    with scene.inside("kofi"):
        orders.advance(
            order.id,
            "processing",
            text="Taken.",
            news=News(amount_pesewas=order.cost_pesewas * 100),
        )
        orders.raise_case(
            order.id, "amount_differs", {"charged_pesewas": order.cost_pesewas * 100}
        )
    jump(1)
    scene.balance(200_000 - order.cost_pesewas)
    page, first = owner.get("/supplier").text, owner.get("/").text
    assert (
        f"Purchases count on GH₵{NBSP}{(200_000 - order.cost_pesewas) / 100:,.2f}: a charge that"
        " can be no price" in page
    )
    assert f"purchases count on {(200_000 - order.cost_pesewas) / 100:,.2f}" in first


def test_a_read_that_failed_is_said_with_its_age(
    owner: Visitor, scene: Scene, jump: Callable[[float], None]
) -> None:
    scene.balance(200_000)
    assert "They agree" in owner.get("/supplier").text
    scene.ask(lambda: balances.note_failed("the balance is no amount: “1,234”"))
    jump(180)
    page, home = owner.get("/supplier").text, owner.get("/").text
    for words in (
        "brought no balance: the balance is no amount: “1,234”.",
        f"3{NBSP}min ago",
        "The figure here is the one of",
    ):
        assert words in page, words
    assert (
        "They agree" in page
        and "its last answer that could be read" in page
        and 'class="note done"' not in page
    )
    assert "balance could not be read at" in home and "1,234" in home
    scene.balance(200_000)
    assert "brought no balance" not in owner.get("/supplier").text


def test_the_figure_as_it_was_sent_stands_beside_the_rounded_one(
    owner: Visitor, scene: Scene
) -> None:
    with scene.everywhere():
        reconcile.note_balance(200_000, said="1999.9999999999998")
    assert "as sent: 1999.9999999999998" in owner.get("/supplier").text
    with scene.everywhere():
        reconcile.note_balance(200_000, said="2000")
    assert "as sent" not in owner.get("/supplier").text


def test_before_the_first_read_nothing_is_invented(owner: Visitor) -> None:
    page = owner.get("/supplier").text
    assert "It was not asked yet" in page
    assert "Not tried yet" in page
    assert "No balance read yet" in page
    assert "What is the opening float?" in page


def test_both_sides_show_with_the_age_of_the_answer(
    owner: Visitor, scene: Scene
) -> None:
    scene.balance(195_500)
    page = owner.get("/supplier").text
    assert f"<b>GH₵{NBSP}1,955.00</b>" in page
    assert f"<b>GH₵{NBSP}2,000.00</b>" in page
    assert f"The supplier holds GH₵{NBSP}45.00 less than our books" in page
    assert " old</p>" not in page
    scene.sql(
        "UPDATE supplier_state SET last_balance_at = last_balance_at - interval '3 hours'"
    )
    assert f"3{NBSP}h old" in owner.get("/supplier").text


def test_the_link_tells_its_troubles(owner: Visitor, scene: Scene) -> None:
    from core.base import clock

    soon = clock.after(60)
    scene.link(
        credentials_refused_since=clock.now(),
        unreachable_since=clock.now(),
        breaker_open_until=soon,
        breaker_reason="5 unclear answers",
        unknown_streak=4,
        closed_until=soon,
        purchase_calls=[clock.now()],
        other_calls=[clock.now(), clock.now()],
    )
    page = owner.get("/supplier").text
    for words in (
        "Refused",
        "5 unclear answers",
        "4 in a row, of 5",
        "3 of 50 in the last minute",
        "Told to wait",
    ):
        assert words in page


def asked(owner: Visitor) -> tuple[str, int]:
    answer = owner.post("/supplier/refresh")
    assert answer.status_code == 303
    place = answer.headers["Location"]
    found = re.fullmatch(r"/supplier\?asked=(\d+)", place)
    assert found, place
    return place, int(found[1])


def test_refresh_leaves_one_request_however_often_it_is_pressed(
    owner: Visitor, scene: Scene
) -> None:
    first, second = asked(owner), asked(owner)
    assert first == second
    row = scene.ask(lambda: outbox.requested(first[1]))
    assert (row.kind, row.done_at) == ("refresh_balance", None)
    assert "asked for the balance" in owner.get("/audit").text


def poll_of(html: str) -> str | None:
    found = re.search(
        r'data-hx-get="([^"]+)" data-hx-trigger="every \d+ms" data-hx-swap="outerHTML"',
        html,
    )
    return found[1].replace("&amp;", "&") if found else None


@pytest.mark.parametrize(
    ("ok", "words"),
    [(True, "Refresh balance: done"), (False, "Refresh balance: did not work")],
)
def test_the_page_asks_until_the_answer_is_there_and_then_stops(
    owner: Visitor, scene: Scene, ok: bool, words: str
) -> None:
    place, row_id = asked(owner)
    page = owner.get(place).text
    poll = poll_of(page)
    assert poll is not None
    assert "Asking the supplier" in page
    assert '<noscript><meta http-equiv="refresh"' in page, "it works without scripts"
    assert owner.get(poll).status_code == 204, "nothing new, nothing sent"
    scene.balance(123_456)
    scene.finish(row_id, ok, "The sentence of the answer.")
    panel = owner.get(poll)
    assert panel.status_code == 200
    assert words in panel.text and "The sentence of the answer." in panel.text
    assert "1,234.56" in panel.text
    assert poll_of(panel.text) is None
    assert "<html" not in panel.text
    again = owner.get(place).text
    assert words in again and "http-equiv" not in again, (
        "the same address shows the result, and reloads no more"
    )


def test_a_slow_request_says_so_once_and_a_lost_one_is_given_up(
    owner: Visitor, scene: Scene
) -> None:
    place, row_id = asked(owner)
    poll = poll_of(owner.get(place).text)
    assert poll is not None
    scene.age(row_id, 31)
    slow = owner.get(poll)
    assert "longer than usual" in slow.text
    poll = poll_of(slow.text)
    assert poll is not None
    assert owner.get(poll).status_code == 204
    scene.age(row_id, 601)
    lost = owner.get(poll)
    assert "Is the worker running?" in lost.text
    assert poll_of(lost.text) is None


@pytest.mark.parametrize(
    "text", ["", "0", "999999999", "-1", "x", "1e3", "٣", "9" * 30, "1;--"]
)
def test_an_unknown_request_is_no_request(owner: Visitor, text: str) -> None:
    page = owner.get("/supplier", query_string={"asked": text})
    assert page.status_code == 200
    assert "data-hx-get" not in page.text
    assert owner.get("/supplier/panel", query_string={"asked": text}).status_code == 404


def test_a_request_of_an_order_is_not_shown(owner: Visitor, scene: Scene) -> None:
    order = scene.find(scene.order("queued"))
    row: Any = scene.ask(lambda: outbox.of_order(order.id))
    assert owner.get(f"/supplier/panel?asked={row.id}").status_code == 404


def test_what_was_bought_since_the_last_answer_is_no_difference(owner, in_store):
    from core import catalog, ledger, orders, reconcile
    from core.audit import Actor
    from core.base import tenancy

    def buy() -> None:
        line = catalog.shelf()[0]
        order = orders.place(
            bundle_id=line.bundle_id,
            recipient_msisdn="+233241234567",
            idempotency_key="since" * 4,
        ).order
        orders.release(order.code, Actor("agent", "Ama"))
        claim_one(order.id)
        orders.advance(order.id, "completed", text="Delivered.")

    def read() -> None:
        with tenancy.across_stores():
            reconcile.note_balance(ledger.platform_balances()["supplier_float"])

    in_store("ama", read)
    in_store("ama", buy)
    page = owner.get("/supplier").text
    assert "They agree" in page
    assert "our books have moved by" in page
    assert "more than our books" not in page
