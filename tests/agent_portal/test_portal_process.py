"""Process, cancel, ask again: one order and many, twice, at once, refused; nothing lost in any of
them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import tables_owner
from seed import WALLET_PESEWAS
from sqlalchemy import update
from visitors import Visitor

from core import catalog, orders, outbox
from core.audit import SYSTEM
from core.base import money, phones, tenancy
from core.catalog import Bundle

pytestmark = pytest.mark.slow(seconds=0.1)

UNKNOWN = "ZZZZZZZZZZ"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def cost(line_of: Any) -> int:
    """What MTN 5 GB costs the agent, in pesewas."""
    return int(line_of("mtn", 5).agent_price_pesewas)


class TestOne:
    def test_it_holds_the_money_and_queues_the_purchase(
        self,
        ama_agent: Visitor,
        place: Any,
        order_of: Any,
        wallet: Any,
        in_store: Any,
        cost: int,
    ) -> None:
        code = place()
        answer = ama_agent.post(f"/orders/{code}/process")
        assert (answer.status_code, answer.location) == (303, f"/orders/{code}")
        assert order_of(code).state == "queued"
        assert wallet() == (WALLET_PESEWAS - cost, cost)
        assert (
            in_store("ama", lambda: outbox.of_order(orders.by_code(code).id))
            is not None
        )
        assert (
            f"{money.cedis(cost)} is set aside" in ama_agent.get(answer.location).text
        )

    def test_twice_is_once(
        self, ama_agent: Visitor, place: Any, wallet: Any, counts: Any, cost: int
    ) -> None:
        code = place()
        ama_agent.post(f"/orders/{code}/process")
        before = counts()
        again = ama_agent.post(f"/orders/{code}/process")
        assert (again.status_code, again.location) == (303, f"/orders/{code}")
        assert counts() == before and wallet() == (WALLET_PESEWAS - cost, cost)

    def test_two_people_at_once_are_once(
        self, logged_in: Callable[..., Visitor], place: Any, wallet: Any, cost: int
    ) -> None:
        code = place()
        people = [
            logged_in(f"{who}@example.test", "portal", "ama")
            for who in ("ama", "cashier") * 4
        ]
        gate, codes = threading.Barrier(len(people)), []

        def press(person: Visitor) -> None:
            token = person.csrf_token
            gate.wait(10)
            codes.append(
                person.post(
                    f"/orders/{code}/process", {"csrf_token": token}
                ).status_code
            )

        threads = [threading.Thread(target=press, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert codes == [303] * 8 and wallet() == (WALLET_PESEWAS - cost, cost)

    def test_back_leads_to_the_queue_it_came_from(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        answer = ama_agent.post(
            f"/orders/{place()}/process", {"back": "/orders?tab=new&q=024"}
        )
        assert answer.location == "/orders?tab=new&q=024"

    @pytest.mark.parametrize(
        "back",
        [
            "https://evil.example",
            "//evil.example",
            "/\\evil",
            "javascript:1",
            "x" * 900,
        ],
    )
    def test_back_never_leads_elsewhere(
        self, ama_agent: Visitor, place: Any, back: str
    ) -> None:
        code = place()
        assert (
            ama_agent.post(f"/orders/{code}/process", {"back": back}).location
            == f"/orders/{code}"
        )

    def test_too_little_money_is_said_with_both_amounts_and_loses_nothing(
        self,
        ama_agent: Visitor,
        place: Any,
        order_of: Any,
        counts: Any,
        nearly_empty: Any,
    ) -> None:
        dear, left = nearly_empty()
        code = place(gb=10)
        before = counts()
        answer = ama_agent.post(f"/orders/{code}/process")
        said = (
            f"{money.cedis(dear)} needed, {money.cedis(left)} in your wallet. Fund it, or process"
            " fewer."
        )
        assert said in ama_agent.refused(answer)
        assert counts() == before and order_of(code).state == "pending"

    def test_a_bundle_that_would_lose_money_is_refused(
        self, app: Any, ama_agent: Visitor, place: Any, counts: Any
    ) -> None:
        code = place()
        tables_owner.execute(
            update(Bundle).where(Bundle.network == "mtn", Bundle.mb == 5120)
            .values(cost_pesewas=9_000, agent_price_pesewas=9_900)
        )  # fmt: skip
        before = counts()
        answer = ama_agent.post(f"/orders/{code}/process")
        assert "costs you GH₵\N{NO-BREAK SPACE}99.00 now, not" in ama_agent.refused(
            answer
        )
        assert counts() == before

    def test_a_paused_network_is_refused_with_what_works(
        self, app: Any, ama_agent: Visitor, place: Any
    ) -> None:
        code = place()
        with app.app_context(), tenancy.across_stores():
            catalog.pause_network("mtn", "maintenance", SYSTEM)
        answer = ama_agent.post(f"/orders/{code}/process")
        said = ama_agent.refused(answer)
        assert "MTN is paused since" in said and "Telecel and AT work" in said
        assert "MTN is paused" in ama_agent.get("/").text

    def test_a_cancelled_order_is_refused(
        self, ama_agent: Visitor, place: Any, order_of: Any
    ) -> None:
        code = place(state="cancelled")
        answer = ama_agent.post(f"/orders/{code}/process")
        said = "This order is cancelled: it cannot be processed."
        assert said in ama_agent.refused(answer) and order_of(code).state == "cancelled"

    def test_a_code_may_be_typed_sloppily_in_the_address(
        self, ama_agent: Visitor, place: Any, order_of: Any
    ) -> None:
        code = place()
        assert (
            ama_agent.post(f"/orders/{code.lower()}/process").location
            == f"/orders/{code}"
        )


class TestAsARowOfTheQueue:
    def test_the_row_and_the_numbers_it_moved_come_back(
        self, ama_agent: Visitor, place: Any, cost: int
    ) -> None:
        code = place()
        answer = ama_agent.post(f"/orders/{code}/process?row=1", headers=HTMX)
        assert answer.status_code == 200 and "<html" not in answer.text
        assert (
            f'<tr id="o-{code}"' in answer.text
            and "In line" in answer.text
            and "/process" not in answer.text
        )
        assert (
            'id="wallet-now"' in answer.text
            and money.cedis(WALLET_PESEWAS - cost) in answer.text
        )
        assert answer.text.count('data-hx-swap-oob="true"') == 2

    def test_a_refusal_stays_in_the_row_with_its_button(
        self, ama_agent: Visitor, place: Any, nearly_empty: Any
    ) -> None:
        _, left = nearly_empty()
        code = place(gb=10)
        answer = ama_agent.post(f"/orders/{code}/process?row=1", headers=HTMX)
        assert (
            answer.status_code == 409
            and f"{money.cedis(left)} in your wallet" in answer.text
        )
        assert (
            f"/orders/{code}/process" in answer.text and 'name="order"' in answer.text
        )


class TestMany:
    def test_each_row_has_its_result(
        self,
        ama_agent: Visitor,
        place: Any,
        order_of: Any,
        wallet: Any,
        nearly_empty: Any,
        cost: int,
    ) -> None:
        price, left = nearly_empty()
        good, dear, gone = (
            place(gb=5),
            place(gb=10),
            place(number="0551112222", state="cancelled"),
        )
        answer = ama_agent.post("/orders/process", {"order": [gone, dear, good]})
        assert answer.status_code == 200
        assert "<h1>1 sent, 1 over already, 1 short of money</h1>" in answer.text
        missing = money.cedis(price - left + cost)
        assert (
            f"{money.cedis(price)} needed, {money.cedis(left - cost)} in your wallet: {missing}"
            " more." in answer.text
        )
        assert (
            "Over already: nothing was sent." in answer.text
            and "This order is cancelled" in answer.text
        )
        assert [order_of(code).state for code in (good, dear, gone)] == [
            "queued",
            "pending",
            "cancelled",
        ]
        assert wallet()[0] == left - cost

    def test_repeated_and_already_processed_ones_move_no_money(
        self, ama_agent: Visitor, place: Any, wallet: Any, cost: int
    ) -> None:
        code, sent = place(), place(number="0551112222", state="queued")
        before = wallet()[0]
        answer = ama_agent.post(
            "/orders/process", {"order": [code, code, f" {code} ", sent]}
        )
        assert "<h1>1 sent, 1 already in line</h1>" in answer.text
        assert wallet()[0] == before - cost

    @pytest.mark.parametrize(
        ("state", "said", "words"),
        [("queued", "1 already in line", "In line."), ("submitting", "1 already in line",
        "Sending."),
         ("processing", "1 already in line", "With the network."), ("failed", "1 already in line",
         "Failed, watched."),
         ("completed", "1 over already", "Delivered."), ("refunded", "1 over already", "Refunded."),
         ("cancelled", "1 over already", "This order is cancelled: it cannot be processed.")],
    )  # fmt: skip
    def test_sent_in_line_and_ended_are_three_groups(
        self, ama_agent: Visitor, place: Any, state: str, said: str, words: str
    ) -> None:
        new, other = place(), place(number="0551112222", state=state)
        page = ama_agent.post("/orders/process", {"order": [new, other]}).text
        assert f"<h1>1 sent, {said}</h1>" in page and words in page
        sent = page[page.index('class="group done"') :].partition("</section>")[0]
        assert new in sent and other not in sent

    def test_a_short_wallet_is_one_group_with_one_sum_and_leads_to_funding(
        self,
        ama_agent: Visitor,
        place: Any,
        order_of: Any,
        nearly_empty: Any,
        line_of: Any,
    ) -> None:
        dear, left = nearly_empty()
        ticked = [place(gb=10, number=f"02411100{index:02}") for index in range(6)] + [
            place(gb=1)
        ]
        total = 6 * dear + line_of("mtn", 1).agent_price_pesewas
        page = ama_agent.post("/orders/process", {"order": ticked[::-1]}).text
        assert (
            "<h1>0 sent, 7 short of money</h1>" in page
            and page.count('<section class="card flush"') == 1
        )
        said = (
            f"{money.cedis(total)} needed, {money.cedis(left)} in your wallet:"
            f" {money.cedis(total - left)} more."
        )
        assert said in page and {order_of(code).state for code in ticked} == {"pending"}
        link = f"/wallet?need={total - left}"
        assert f'href="{link}#fund"' in page
        fund = ama_agent.get(link).text
        assert (
            'id="fund"' in fund
            and f"{money.cedis(total - left)} more is needed" in fund
            and "Ama" in fund
        )

    def test_those_that_fit_go_when_somebody_asks_for_it(
        self, ama_agent: Visitor, place: Any, order_of: Any, nearly_empty: Any
    ) -> None:
        nearly_empty()
        dear, cheap = place(gb=10), place(gb=1)
        page = ama_agent.post("/orders/process", {"order": [dear, cheap]}).text
        assert "Send those that fit" in page and order_of(cheap).state == "pending"
        again = ama_agent.post(
            "/orders/process", {"order": [dear, cheap], "past_short": "1"}
        )
        assert (
            "<h1>1 sent, 1 short of money</h1>" in again.text
            and "Send those that fit" not in again.text
        )
        assert [order_of(code).state for code in (dear, cheap)] == ["pending", "queued"]

    def test_one_press_without_the_money_leads_to_funding_too(
        self, ama_agent: Visitor, place: Any, nearly_empty: Any
    ) -> None:
        nearly_empty()
        code = place(gb=10)
        said = ama_agent.refused(ama_agent.post(f"/orders/{code}/process"))
        row = ama_agent.post(f"/orders/{code}/process?row=1", headers=HTMX).text
        for shown in (said.partition('id="refused"')[2].partition("</div>")[0], row):
            assert 'href="/wallet#fund"' in shown
        assert 'href="/wallet#fund"' in ama_agent.get(f"/orders/{code}").text

    def test_a_code_sent_too_often_counts_once(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        assert (
            "<h1>1 sent</h1>"
            in ama_agent.post("/orders/process", {"order": [place()] * 201}).text
        )

    def test_if_none_could_go_it_is_said(self, ama_agent: Visitor, place: Any) -> None:
        answer = ama_agent.post("/orders/process", {"order": place(state="cancelled")})
        assert answer.status_code == 409 and "0 sent, 1 over already" in answer.text

    def test_the_other_stores_order_among_ones_own_is_skipped_as_unknown(
        self, ama_agent: Visitor, place: Any, order_of: Any
    ) -> None:
        own, foreign = place(), place("kofi", number="0248888888")
        answer = ama_agent.post("/orders/process", {"order": [own, foreign]})
        assert (
            "1 sent, 1 not sent" in answer.text
            and "There is no order with this code in your store" in answer.text
        )
        assert (
            phones.show("+233248888888") not in answer.text.replace(" ", "\u00a0")
            and order_of(foreign, "kofi").state == "pending"
        )

    def test_back_is_kept(self, ama_agent: Visitor, place: Any) -> None:
        page = ama_agent.post(
            "/orders/process", {"order": place(), "back": "/orders?tab=new&q=024"}
        ).text
        assert 'href="/orders?tab=new&amp;q=024"' in page


# The selection, wrong in twelve ways: (fields, status, what must be said). {own} is an order that
# could be sent.
WRONG = [
    ({}, 303, "Select at least one order first."),
    ({"order": ""}, 303, "Select at least one order first."),
    ({"order": ["", "  "]}, 303, "Select at least one order first."),
    ({"order": "\t\n"}, 303, "Select at least one order first."),
    ({"orders": "{own}"}, 303, "Select at least one order first."),
    ({"order": UNKNOWN}, 404, "There is no page at this address."),
    ({"order": "1"}, 404, "There is no page at this address."),
    ({"order": "\x00"}, 404, "There is no page at this address."),
    ({"order": "' OR 1=1 --"}, 404, "There is no page at this address."),
    ({"order": "\N{GRINNING FACE}" * 200}, 404, "There is no page at this address."),
    (
        {"order": [f"{i:010d}" for i in range(201)]},
        303,
        "Select at most 200 orders at a time.",
    ),
    ({"order": "{own}", "back": "x" * 70_000}, 413, "larger"),
    ({"order": ["%5B%5D", "[]", "{}"]}, 404, "There is no page at this address."),
]


@pytest.mark.parametrize(("form", "status", "sentence"), WRONG)
def test_a_wrong_selection_changes_nothing(
    ama_agent: Visitor,
    place: Any,
    counts: Any,
    form: dict[str, Any],
    status: int,
    sentence: str,
) -> None:
    own = place()
    before = counts()
    filled = {
        name: value.replace("{own}", own) if isinstance(value, str) else value
        for name, value in form.items()
    }
    answer = ama_agent.post("/orders/process", filled)
    assert answer.status_code == status
    if status == 303:
        assert f"Nothing was sent. {sentence}" in ama_agent.get(answer.location).text
        assert sentence not in ama_agent.get(answer.location).text, "said once"
    else:
        assert sentence in answer.text
    assert counts() == before


def test_a_file_in_place_of_text_changes_nothing(
    ama_agent: Visitor, place: Any, counts: Any
) -> None:
    import io

    before = counts()
    answer = ama_agent.post(
        "/orders/process", {"order": (io.BytesIO(b"\xff\xfe"), "orders.bin")}
    )
    assert answer.status_code == 303 and counts() == before
    assert "Select at least one order first." in ama_agent.get(answer.location).text


class TestCancel:
    def test_a_new_order(
        self, ama_agent: Visitor, place: Any, order_of: Any, wallet: Any
    ) -> None:
        code = place()
        asked = ama_agent.post(f"/orders/{code}/cancel")
        assert asked.status_code == 200 and order_of(code).state == "pending", (
            "one tap cancels nothing"
        )
        sum_asked = money.cedis(order_of(code).price_pesewas)
        assert f"Cancel MTN 5 GB, {sum_asked}?" in re.sub("<[^>]+>", "", asked.text)
        assert (
            ama_agent.post(f"/orders/{code}/cancel", {"confirm": "pending"}).status_code
            == 303
        )
        assert order_of(code).state == "cancelled" and wallet() == (WALLET_PESEWAS, 0)

    def test_an_order_in_line_gives_the_money_back(
        self, ama_agent: Visitor, place: Any, order_of: Any, wallet: Any, cost: int
    ) -> None:
        code = place(state="queued")
        assert wallet()[1] == cost
        asked = ama_agent.post(f"/orders/{code}/cancel").text
        assert (
            f"{money.cedis(cost)} comes back to your wallet" in asked
            and "the order goes to Give back" in asked
        )
        ama_agent.post(f"/orders/{code}/cancel", {"confirm": "queued"})
        assert order_of(code).state == "cancelled" and wallet() == (WALLET_PESEWAS, 0)

    def test_twice_is_once(self, ama_agent: Visitor, place: Any, counts: Any) -> None:
        code = place()
        ama_agent.post(f"/orders/{code}/cancel", {"confirm": "pending"})
        before = counts()
        assert (
            ama_agent.post(f"/orders/{code}/cancel", {"confirm": "pending"}).status_code
            == 303
            and counts() == before
        )

    def test_one_that_was_processed_while_it_was_asked_is_asked_about_again(
        self, ama_agent: Visitor, place: Any, order_of: Any, in_store: Any
    ) -> None:
        code = place()
        ama_agent.post(f"/orders/{code}/cancel")
        in_store("ama", lambda: orders.release(code, SYSTEM))
        again = ama_agent.post(f"/orders/{code}/cancel", {"confirm": "pending"})
        assert (
            again.status_code == 200 and "It has moved since you looked" in again.text
        )
        assert order_of(code).state == "queued"

    @pytest.mark.parametrize(
        "state", ["submitting", "processing", "failed", "completed", "refunded"]
    )
    def test_what_is_on_its_way_cannot_be_cancelled(
        self, ama_agent: Visitor, place: Any, order_of: Any, counts: Any, state: str
    ) -> None:
        code = place(state=state)
        before = counts()
        answer = ama_agent.post(f"/orders/{code}/cancel")
        assert "cannot be cancelled any more" in ama_agent.refused(answer)
        assert counts() == before and order_of(code).state == state


class TestRecheck:
    def test_it_makes_the_order_due_and_says_so(
        self, ama_agent: Visitor, place: Any, in_store: Any
    ) -> None:
        code = place(state="processing")
        answer = ama_agent.post(f"/orders/{code}/recheck")
        assert answer.location == f"/orders/{code}"
        page = ama_agent.get(answer.location).text
        assert (
            "Asking the supplier about MTN 5 GB" in page
            and "Ama asked for a check." in page
        )

    @pytest.mark.parametrize("state", ["pending", "cancelled"])
    def test_there_is_nothing_to_ask_about(
        self, ama_agent: Visitor, place: Any, counts: Any, state: str
    ) -> None:
        code = place(state=state)
        before = counts()
        answer = ama_agent.post(f"/orders/{code}/recheck")
        assert "nothing to check" in ama_agent.refused(answer) and counts() == before


@pytest.mark.parametrize("verb", ["process", "cancel", "recheck"])
def test_the_other_stores_order_reads_as_unknown(
    ama_agent: Visitor, place: Any, counts: Any, verb: str
) -> None:
    foreign = place("kofi")
    before = counts()
    theirs, unknown = (
        ama_agent.post(f"/orders/{foreign}/{verb}"),
        ama_agent.post(f"/orders/{UNKNOWN}/{verb}"),
    )
    assert theirs.status_code == unknown.status_code == 404
    assert theirs.text == unknown.text and counts() == before


@pytest.mark.parametrize(
    "path",
    [
        "/orders/{}/process",
        "/orders/{}/cancel",
        "/orders/{}/recheck",
        "/orders/process",
    ],
)
def test_no_press_without_token_or_from_elsewhere(
    ama_agent: Visitor, place: Any, counts: Any, path: str
) -> None:
    code = place(state="queued") if "recheck" in path else place()
    path, form, before = path.format(code), {"order": code}, counts()
    assert ama_agent.post(path, form, csrf=False).status_code == 400
    assert (
        ama_agent.post(path, {**form, "csrf_token": "stale"}, csrf=False).status_code
        == 400
    )
    assert ama_agent.post(path, form, csrf=False, origin=None).status_code == 400
    assert ama_agent.post(path, form, origin="http://ama.localhost").status_code == 403
    assert (
        ama_agent.post(path, form, headers={"Sec-Fetch-Site": "same-site"}).status_code
        == 403
    )
    assert ama_agent.get(path).status_code in (303, 404, 405)
    assert counts() == before


PRESSES = ["process", "cancel", "recheck", "undo", "reprice", "give-back"]


@pytest.mark.parametrize("press", PRESSES)
def test_a_refused_press_leaves_nothing_for_a_reload_to_press_again(
    ama_agent: Visitor, logged_in: Any, place: Any, press: str
) -> None:
    """Its answer is the way to the order's page; there the sentence stands once, and on no other
    order's page."""
    state = {
        "cancel": "processing",
        "recheck": "pending",
        "give-back": "pending",
        "undo": "completed",
    }.get(press, "cancelled")
    code, other = place(state=state), place(number="0551112222")
    answer = ama_agent.post(f"/orders/{code}/{press}", {"how": "momo"})
    assert (answer.status_code, answer.location) == (303, f"/orders/{code}#refused")
    assert 'id="refused"' not in ama_agent.get(f"/orders/{other}").text
    assert (
        'id="refused"'
        not in logged_in("cashier@example.test", "portal", "ama")
        .get(f"/orders/{code}")
        .text
    )
    page = ama_agent.refused(answer)
    assert 'id="refused" role="alert" tabindex="-1" autofocus' in page
    assert 'http-equiv="refresh"' not in page, "without script it stays to be read"
