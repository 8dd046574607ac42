"""The order page: facts, the history with its money, what may be pressed when, and the live
part."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from seed import offers
from visitors import Visitor

from core import catalog, ledger, orders
from core.audit import Actor
from core.base import clock, money, phones, tenancy

pytestmark = pytest.mark.slow(seconds=0.1)

UNKNOWN = "ZZZZZZZZZZ"
HTMX = {"HX-Request": "true"}
AMA = Actor("agent", "Ama")


def words_of(html: str) -> str:
    """A page with plain spaces, as people read it."""
    return html.replace("\N{NO-BREAK SPACE}", " ")


def test_the_facts_of_an_order(ama_agent: Visitor, place: Any, order_of: Any) -> None:
    code = place(name="Efua", state="processing")
    order, page = order_of(code), ama_agent.get(f"/orders/{code}").text
    for words in (
        phones.show("+233241234567"), 'data-copy="0241234567"', "5 GB", "30 days", "Efua",
        order.shown_code,
        order.order_ref, "SUP-4T", money.cedis(order.price_pesewas),
        money.cedis(order.agent_price_pesewas),
        money.cedis(order.profit_pesewas), f"/orders/{code}",
    ):  # fmt: skip
        assert words in page


def test_what_the_supplier_charges_the_platform_is_not_on_it(
    ama_agent: Visitor, place: Any, order_of: Any
) -> None:
    code = place(state="completed")
    cost = order_of(code).cost_pesewas
    page = ama_agent.get(f"/orders/{code}").text
    assert money.format_ghs(cost) not in page and "amount_pesewas" not in page


def test_the_history_tells_people_supplier_and_money_in_order(
    ama_agent: Visitor, place: Any, order_of: Any
) -> None:
    code = place(state="completed")
    cost = money.cedis(order_of(code).agent_price_pesewas)
    page = words_of(ama_agent.get(f"/orders/{code}").text)
    story = [
        "Order placed.", "Ama confirmed the payment and processed it.",
        f"{cost} set aside in your wallet.",
        "Sending to the supplier (attempt 1).", "The supplier has it.",
        "Delivered, the supplier says.",
        f"{cost} paid for it.",
    ]  # fmt: skip
    places = [
        page.find(
            words.replace("\N{NO-BREAK SPACE}", " "), page.find("Everything so far")
        )
        for words in story
    ]
    assert -1 not in places and places == sorted(places)


def test_money_that_comes_back_is_told(
    ama_agent: Visitor, place: Any, order_of: Any
) -> None:
    code = place(state="refunded")
    cost = money.cedis(order_of(code).agent_price_pesewas)
    page = ama_agent.get(f"/orders/{code}").text
    assert f"{cost} back in your wallet." in page and "Give the customer" in page


def test_raw_detail_is_folded(ama_agent: Visitor, place: Any) -> None:
    page = ama_agent.get(f"/orders/{place(state='processing')}").text
    folded = re.search(
        r"<details[^>]*><summary[^>]*>Details</summary><pre>(.+?)</pre>",
        page,
        re.DOTALL,
    )
    assert folded and "SUP-4T" in folded[1]


@pytest.mark.parametrize(
    ("state", "buttons"),
    [("pending", {"process", "cancel", "take", "hold"}), ("queued", {"cancel"}),
     ("submitting", {"recheck"}), ("processing", {"recheck"}),
     ("failed", {"recheck"}), ("completed", set()), ("refunded", set()), ("cancelled", set())],
)  # fmt: skip
def test_only_what_can_be_done_is_offered(
    ama_agent: Visitor, place: Any, state: str, buttons: set[str]
) -> None:
    page = ama_agent.get(f"/orders/{place(state=state)}").text
    offered = set(re.findall(r'action="/orders/\w{10}/(\w+)"', page))
    assert offered == buttons | {"note"}


def test_a_number_of_another_network_asks_before_sending(
    ama_agent: Visitor, place: Any
) -> None:
    page = words_of(ama_agent.get(f"/orders/{place(number='0201234567')}").text)
    assert "020 123 4567 looks like Telecel, and this is a bundle for MTN." in page


def test_a_wallet_too_small_is_said_before_the_press(
    ama_agent: Visitor, place: Any, in_store: Any, line_of: Any
) -> None:
    dear = line_of("mtn", 10).agent_price_pesewas
    code = place(gb=10)
    assert "in your wallet. <a" not in ama_agent.get(f"/orders/{code}").text
    for index in range(in_store("ama", ledger.wallet).available_pesewas // dear):
        place(gb=10, number=f"05400000{index:02}", state="queued")
    assert f"{money.cedis(dear)} needed, " in ama_agent.get(f"/orders/{code}").text


def test_the_message_to_the_customer_names_the_order_and_goes_to_the_number(
    ama_agent: Visitor, place: Any
) -> None:
    code = place()
    link = re.search(
        r'href="(https://wa\.me/[^"]+)"', ama_agent.get(f"/orders/{code}").text
    )
    assert link and link[1].startswith(
        "https://wa.me/233241234567?text=Hello%20from%20Ama%27s%20Data"
    )
    assert code[:4] in link[1] and f"%2Forders%2F{code}" in link[1].replace(
        "/orders/", "%2Forders%2F"
    )


@pytest.mark.parametrize(
    "path", ["/orders/{}", "/orders/{}/status", "/orders/{}/status?v=1"]
)
def test_the_other_stores_order_reads_as_unknown(
    ama_agent: Visitor, place: Any, path: str
) -> None:
    theirs, unknown = (
        ama_agent.get(path.format(place("kofi"))),
        ama_agent.get(path.format(UNKNOWN)),
    )
    assert (
        theirs.status_code == unknown.status_code == 404 and theirs.text == unknown.text
    )


@pytest.mark.parametrize(
    "code",
    ["K7QM", "%20", "..", "K7QM-2XR9-4T-AA", "\N{GRINNING FACE}", "0" * 400, "%ff%fe"],
)
def test_what_cannot_be_a_code_is_unknown(ama_agent: Visitor, code: str) -> None:
    assert ama_agent.get(f"/orders/{code}").status_code == 404


class TestLive:
    def poll(self, agent: Visitor, page: str) -> Any:
        found = re.search(r'data-hx-get="([^"]+)"', page)
        assert found
        return agent.get(found[1].replace("&amp;", "&"), headers=HTMX)

    def test_nothing_new_is_an_empty_answer(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        page = ama_agent.get(f"/orders/{place(state='processing')}").text
        answer = self.poll(ama_agent, page)
        assert (answer.status_code, answer.text) == (204, "")

    def test_a_change_brings_a_fresh_part_that_goes_on_asking(
        self, ama_agent: Visitor, place: Any, in_store: Any
    ) -> None:
        code = place()
        page = ama_agent.get(f"/orders/{code}").text
        in_store("ama", lambda: orders.release(code, AMA))
        answer = self.poll(ama_agent, page)
        assert (
            answer.status_code == 200
            and "In line" in answer.text
            and "<html" not in answer.text
        )
        assert (
            "every " in answer.text
            and 'data-hx-swap-oob="innerHTML">In line' in answer.text
        )
        assert self.poll(ama_agent, answer.text).status_code == 204

    def test_a_later_look_at_the_supplier_brings_one_too(
        self, ama_agent: Visitor, place: Any, in_store: Any
    ) -> None:
        code = place(state="processing")
        page = ama_agent.get(f"/orders/{code}").text
        in_store(
            "ama", lambda: orders.note_next(orders.by_code(code).id, clock.after(600))
        )
        assert "next check at" in self.poll(ama_agent, page).text

    def test_a_longer_interval_brings_one_too(
        self, ama_agent: Visitor, place: Any, jump: Callable[[float], None]
    ) -> None:
        page = ama_agent.get(f"/orders/{place(state='processing')}").text
        assert "every 2000ms" in page
        jump(61)
        answer = self.poll(ama_agent, page)
        assert answer.status_code == 200 and "every 10000ms" in answer.text

    @pytest.mark.parametrize("state", ["completed", "refunded", "cancelled"])
    def test_a_final_order_is_asked_about_no_more(
        self, ama_agent: Visitor, place: Any, state: str
    ) -> None:
        code = place(state=state)
        for path in (f"/orders/{code}", f"/orders/{code}/status"):
            page = ama_agent.get(path).text
            assert (
                "data-hx-trigger" not in page
                and "refresh" not in page.partition("</head>")[0]
            )

    def test_without_script_the_page_reloads_itself(
        self, ama_agent: Visitor, place: Any
    ) -> None:
        head = ama_agent.get(f"/orders/{place()}").text.partition("</head>")[0]
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in head

    @pytest.mark.parametrize(
        "query", ["", "v=", "v=abc", "v=1&s=x", "v=9999", "v=1&v=2", "s=2", "v=%F0%9F"]
    )
    def test_an_odd_version_brings_a_fresh_part(
        self, ama_agent: Visitor, place: Any, query: str
    ) -> None:
        answer = ama_agent.get(f"/orders/{place()}/status?{query}", headers=HTMX)
        assert answer.status_code in (200, 204) and (
            answer.status_code == 200 or query.startswith("v=1")
        )


def settle(app: Any, case_id: int, action: str, seen: int | None, words: str) -> None:
    from core import settling
    from core.base import tenancy
    from core.base.db import db

    with app.app_context(), tenancy.across_stores():
        settling.settle(
            case_id, action, Actor("owner", "Esi"), words=words, seen_pesewas=seen
        )
        db.session.remove()


def test_an_agent_reads_that_a_person_is_asked_and_then_what_was_done(
    app: Any, ama_agent: Visitor, place: Any, order_of: Any, in_store: Any
) -> None:
    from core import cases

    code = place(state="failed")
    order = order_of(code)
    in_store(
        "ama", lambda: orders.advance(order.id, "refunded", text="The watch is over.")
    )
    [case] = in_store("ama", lambda: cases.of_kind(order.id, "supplier_money"))
    page = words_of(ama_agent.get(f"/orders/{code}").text)
    assert (
        "this waits for a person at Makola" in page
        and "is back in your wallet and stays there." in page
    )
    before = ama_agent.get(
        f"/orders/{code}/status?v={order_of(code).version}"
    ).status_code
    settle(
        app,
        case.id,
        "write_off",
        order.cost_pesewas,
        "Kwame says it will not come back",
    )
    page = words_of(ama_agent.get(f"/orders/{code}").text)
    assert "waits for a person" not in page
    assert "Esi: the supplier's money for this order is given up." in page.replace(
        "&#39;", "'"
    )
    assert "“Kwame says it will not come back”" in page
    assert (
        money.format_ghs(order.cost_pesewas) not in page
        and "amount_pesewas" not in page
    )
    assert (
        before,
        ama_agent.get(f"/orders/{code}/status?v={order.version}").status_code,
    ) == (
        204,
        200,
    )


def test_a_case_of_another_store_is_no_business_of_this_one(
    ama_agent: Visitor, place: Any, in_store: Any
) -> None:
    code = place("kofi", state="processing")
    in_store(
        "kofi",
        lambda: orders.raise_case(
            orders.by_code(code).id, "never_fulfilled", {"since": "x"}
        ),
    )  # type: ignore[union-attr]
    ours = place(state="processing")
    assert "waits for a person" not in ama_agent.get(f"/orders/{ours}").text


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (
            lambda: catalog.apply_sync("datamart", offers()[1:]),
            "MTN 1 GB is not offered by the network’s supplier now",
        ),
        (
            lambda: catalog.apply_sync(
                "datamart", [replace(offers()[0], cost_pesewas=900), *offers()[1:]]
            ),
            "what it will cost you is being decided",
        ),
        (lambda: catalog.pause_network("mtn", "backlog", AMA), "MTN is paused since"),
    ],
)
def test_process_is_not_offered_where_it_would_be_refused(
    ama_agent: Visitor, place: Any, app: Flask, happens: Callable[[], object], said: str
) -> None:
    code = place(gb=1)
    page = ama_agent.get(f"/orders/{code}").text
    asks = re.search(r'data-hx-get="([^"]+)"', page)
    assert asks is not None and f'action="/orders/{code}/process"' in page
    with app.app_context(), tenancy.across_stores():
        happens()
    moved = ama_agent.get(asks[1].replace("&amp;", "&"))
    assert moved.status_code == 200
    for page in (moved.text, ama_agent.get(f"/orders/{code}").text):
        assert (
            said in words_of(page)
            and f"/orders/{code}/process" not in page
            and f"/orders/{code}/cancel" in page
        )


STANDS = {  # state: the agent may cancel, the portal offers a Re-check, a Re-check is taken
    "pending": (True, False, False),
    "queued": (True, False, True),
    "submitting": (False, True, True),
    "processing": (False, True, True),
    "failed": (False, True, True),
    "completed": (False, False, True),
    "refunded": (False, False, True),
    "cancelled": (False, False, False),
}


@pytest.mark.parametrize("state", STANDS)
def test_pages_offer_and_acts_take_by_one_rule(
    ama_agent: Visitor, owner: Visitor, place: Any, order_of: Any, state: str
) -> None:
    may_cancel, offers_recheck, takes_recheck = STANDS[state]
    code = place(state=state)
    page, consoles = (here.get(f"/orders/{code}").text for here in (ama_agent, owner))
    assert (f'action="/orders/{code}/cancel"' in page) is may_cancel
    assert (f'action="/orders/{code}/recheck"' in page) is offers_recheck
    assert (f'action="/orders/{code}/recheck"' in consoles) is takes_recheck
    for here in (ama_agent, owner):
        said = here.get(here.post(f"/orders/{code}/recheck").location).text
        assert ("nothing to check" in said) is not takes_recheck
    ama_agent.post(f"/orders/{code}/cancel", {"confirm": state})
    cancelled = order_of(code).state == "cancelled"
    assert cancelled is (may_cancel or state == "cancelled")


def test_every_state_has_its_place_in_the_rule() -> None:
    assert set(STANDS) == set(orders.STATES) - {"awaiting_payment", "expired"}
    for state in orders.STATES:
        order = orders.Order(state=state)
        by_agent = order.may_be_cancelled_by("agent")
        assert by_agent is (state in ("awaiting_payment", "pending", "queued"))
        by_customer = order.may_be_cancelled_by("customer")
        assert by_customer is (by_agent and state != "queued")
        assert order.may_be_rechecked is (
            state not in ("awaiting_payment", "pending", "cancelled", "expired")
        )
