"""Many prices at once: the rule is read or refused with a sentence, each row is shown before anything
is saved, and what was shown is what is saved; the history and the order of the shelf."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import tables_owner
from sqlalchemy import update
from visitors import Visitor

from core import catalog
from core.audit import Actor
from core.base import money
from core.catalog import Bundle, PriceLine
from tests.support.asked import asked as asked_of

pytestmark = pytest.mark.slow(seconds=0.2)

Lines = Callable[..., PriceLine]
RULE = {"network": "mtn", "by": "percent", "amount": "12.5", "step": "50"}


def asked(agent: Visitor, **rule: str) -> Any:
    said = "&".join(f"{name}={value}" for name, value in (RULE | rule).items())
    return agent.get(f"/prices/bulk?{said}")


def shown(page: str) -> dict[str, str]:
    """The form that saves, as the page has it."""
    form = page[page.index('<form method="post" action="/prices/bulk"') :]
    found = re.findall(r'name="(\w+)" value="([^"]*)"', form)
    return {name: value for name, value in found if name != "csrf_token"}


def test_each_row_is_shown_with_its_arithmetic_and_saved_as_shown(
    ama_agent: Visitor, line_of: Lines, counts: Callable[..., Any]
) -> None:
    line, other, before = line_of("mtn", 5), line_of("at", 2), counts()
    page = asked(ama_agent).text
    cost = line.agent_price_pesewas
    exact = money.add_percent_rounding_up(cost, 1_250)
    price = money.round_up(exact, 50)
    assert (
        f"{money.format_ghs(cost)} + 12.5 % = {money.format_ghs(exact)}" in page
        and f", up to {money.format_ghs(price)}" in page
        and f"{money.percent_of(price - cost, price)} %" in page
    )
    assert counts() == before and "MTN" in page and "AT 2" not in page
    answer = ama_agent.post("/prices/bulk", shown(page))
    assert (answer.status_code, answer.location) == (303, "/prices")
    assert re.search(r"Saved \d+ prices: \d+ up", ama_agent.get("/prices").text)
    assert line_of("mtn", 5).price_pesewas == price
    assert line_of("at", 2) == other
    ama_agent.post("/prices/bulk", shown(page))
    assert "these are your prices already" in ama_agent.get("/prices").text


def test_cedis_and_all_networks(ama_agent: Visitor, line_of: Lines) -> None:
    page = asked(ama_agent, network="", by="cedis", amount="2.05", step="10").text
    ama_agent.post("/prices/bulk", shown(page))
    for network, gb in (("mtn", 5), ("telecel", 5), ("at", 2)):
        line = line_of(network, gb)
        assert line.price_pesewas == money.round_up(line.agent_price_pesewas + 205, 10)


def test_what_moved_meanwhile_is_shown_again_and_not_saved(
    ama_agent: Visitor, line_of: Lines, counts: Callable[..., Any]
) -> None:
    page, line = asked(ama_agent).text, line_of("mtn", 5)
    tables_owner.execute(
        update(Bundle)
        .where(Bundle.id == line.bundle_id)
        .values(agent_price_pesewas=line.agent_price_pesewas + 100)
    )
    before = counts()
    answer = ama_agent.post("/prices/bulk", shown(page))
    assert answer.status_code == 422 and "Nothing was saved" in answer.text
    assert f"{money.format_ghs(line.agent_price_pesewas + 100)} + 12.5 %" in answer.text
    assert counts() == before
    assert ama_agent.post("/prices/bulk", shown(answer.text)).status_code == 303


def test_the_supplier_s_cost_is_on_none_of_the_pages(
    app: Any, ama_agent: Visitor, line_of: Lines
) -> None:
    line = line_of("mtn", 5)
    ama_agent.post("/prices/bulk", shown(asked(ama_agent).text))
    with app.app_context():
        bundle = catalog.by_id(line.bundle_id)
    assert bundle is not None and bundle.cost_pesewas < line.agent_price_pesewas
    cost = money.format_ghs(bundle.cost_pesewas)
    for path in ("/prices", "/prices/bulk?amount=0&step=1", "/prices/history"):
        assert cost not in ama_agent.get(path).text, path


WRONG = [
    ({"amount": ""}, "Type a percentage"),
    ({"amount": "abc"}, "Type a percentage"),
    ({"amount": "-5"}, "cannot be negative"),
    ({"amount": "1.234"}, "at most two digits"),
    ({"amount": "٢٤"}, "Type a percentage"),
    ({"amount": "501"}, "Type 500 % or less"),
    ({"amount": "9" * 60}, "Type a percentage"),
    ({"amount": "<b>5"}, "Type a percentage"),
    ({"by": "cedis", "amount": "24,50"}, "digits only"),
    ({"by": "cedis", "amount": ""}, "Type an amount in cedis"),
    ({"by": "cedis", "amount": "99999999999"}, "more than GH₵"),
    ({"by": "x"}, "Choose percent or cedis"),
    ({"step": "7"}, "Choose from the list what prices are rounded up to"),
    ({"network": "glo"}, "Choose a network from the list"),
]


@pytest.mark.parametrize(("said", "sentence"), WRONG)
def test_a_wrong_rule_is_a_sentence_and_what_was_typed_is_kept(
    ama_agent: Visitor,
    counts: Callable[..., Any],
    said: dict[str, str],
    sentence: str,
) -> None:
    before = counts()
    for answer in (
        asked(ama_agent, **said),
        ama_agent.post("/prices/bulk", RULE | said | {"seen": "0" * 16}),
    ):
        assert answer.status_code == 422 and sentence in answer.text
        assert "<b>5" not in answer.text
        typed = (RULE | said)["amount"]
        if typed.isascii() and "<" not in typed:
            assert f'value="{typed[:40]}"' in answer.text
    assert counts() == before


def test_a_price_too_high_is_said_before_anything_is_pressed(
    ama_agent: Visitor, counts: Callable[..., Any]
) -> None:
    before = counts()
    page = asked(ama_agent, by="cedis", amount="10000").text
    assert "This cannot be saved" in page and "is too high" in page
    assert '<form method="post" action="/prices/bulk"' not in page
    answer = ama_agent.post(
        "/prices/bulk", RULE | {"by": "cedis", "amount": "10000", "seen": "x"}
    )
    assert answer.status_code == 422 and counts() == before


def test_who_may_not_change_prices_sees_and_is_told_who_may(
    logged_in: Callable[..., Visitor], counts: Callable[..., Any]
) -> None:
    before = counts()[-1]
    for who in ("cashier", "viewer"):
        agent = logged_in(f"{who}@example.test", "portal", "ama")
        page = asked(agent).text
        assert "Only the store’s owner may change prices" in page
        assert 'action="/prices/bulk" class="sticky"' not in page
        assert agent.post("/prices/bulk", RULE).status_code == 403
        assert agent.get("/prices/arrange").status_code == 200
        assert agent.post("/prices/arrange", {"by_size": "mtn"}).status_code == 403
    assert counts()[-1] == before, "no price has moved"


def test_the_price_table_says_the_margin(ama_agent: Visitor, line_of: Lines) -> None:
    line, page = line_of("mtn", 5), ama_agent.get("/prices").text
    assert line.price_pesewas is not None
    profit = line.price_pesewas - line.agent_price_pesewas
    said = f"{money.percent_of(profit, line.price_pesewas)} %"
    margin = page[page.index(f'id="margin-{line.bundle_id}"') :].partition("</span>")[0]
    assert margin.endswith(said)


def test_a_price_below_the_floor_is_refused_with_what_it_would_lose(
    ama_agent: Visitor, line_of: Lines
) -> None:
    line = line_of("mtn", 5)
    typed = money.format_ghs(line.agent_price_pesewas - 7)
    page = ama_agent.post("/prices", {f"price-{line.bundle_id}": typed}).text
    assert f"would lose {money.cedis(7)} on each order." in page


def test_the_history_says_who_what_and_what_was_left(
    ama_agent: Visitor, kofi_agent: Visitor, line_of: Lines
) -> None:
    assert "No price has changed yet" in ama_agent.get("/prices/history").text
    line = line_of("mtn", 5)
    ama_agent.post("/prices", {f"price-{line.bundle_id}": "99.00"})
    assert line.price_pesewas is not None
    page = ama_agent.get(f"/prices/history?bundle={line.bundle_id}").text
    before = money.format_ghs(line.price_pesewas)
    assert re.search(rf"{before} → <span class=\"strong\">\s*99.00", page)
    assert money.format_ghs(9_900 - line.agent_price_pesewas) in page
    assert "Ama" in page and "typed" in page and "MTN 5 GB" in page
    assert "No price has changed yet" in kofi_agent.get("/prices/history").text
    for odd in ("999999", "x", ""):
        assert ama_agent.get(f"/prices/history?bundle={odd}").status_code == 404
    assert ama_agent.get("/prices/history?before=x").status_code == 200


@pytest.mark.usefixtures("app")
def test_the_history_comes_in_pages(ama_agent: Visitor, in_store: Any) -> None:
    def change() -> None:
        line = catalog.price_table()[0]
        for price in range(60):
            catalog.save_price(
                line.bundle_id, 9_000 + price, False, Actor("agent", "Ama")
            )

    in_store("ama", change)
    seen: list[str] = []
    path: str | None = "/prices/history"
    while path:
        page = ama_agent.get(path).text
        seen += re.findall(r"→ <span class=\"strong\">\s*(9\d\.\d\d)", page)
        found = re.search(r'href="(/prices/history\?[^"]*before=\d+)" rel="next"', page)
        path = found[1].replace("&amp;", "&") if found else None
    assert seen == [money.format_ghs(9_000 + price) for price in reversed(range(60))]


class TestOrderOfTheShelf:
    def sizes(self, customer: Visitor) -> list[str]:
        page = customer.get("/").text
        mtn = page[page.index('id="mtn"') : page.index('id="telecel"')]
        return re.findall(r"<b>([\d.]+ [GM]B)</b>", mtn)

    def test_customers_see_the_order_that_the_agent_made(
        self, ama_agent: Visitor, customer: Visitor, line_of: Lines
    ) -> None:
        before, line = self.sizes(customer), line_of("mtn", 5)
        at = before.index("5 GB")
        answer = ama_agent.post("/prices/arrange", {"put": f"{line.bundle_id}.1"})
        assert answer.location == f"/prices/arrange#b-{line.bundle_id}"
        assert "MTN 5 GB moved." in ama_agent.get("/prices/arrange").text
        wanted = ["5 GB", *before[:at], *before[at + 1 :]]
        assert self.sizes(customer) == wanted
        ama_agent.post("/prices/arrange", {"by_size": "mtn"})
        assert self.sizes(customer) == before

    def test_what_is_recommended_stands_first_with_a_word(
        self, ama_agent: Visitor, customer: Visitor, line_of: Lines
    ) -> None:
        assert "Recommended" not in customer.get("/").text
        line = line_of("mtn", 5)
        ama_agent.post("/prices/arrange", {"feature": str(line.bundle_id)})
        page = customer.get("/").text
        assert self.sizes(customer)[0] == "5 GB" and page.count("Recommended") == 1
        assert "Yɛkamfo kyerɛ" in customer.get("/tw/").text
        assert "· recommended" in ama_agent.get("/prices").text
        ama_agent.post("/prices/arrange", {"unfeature": str(line.bundle_id)})
        assert "Recommended" not in customer.get("/").text

    def test_a_fourth_is_refused_with_a_sentence(
        self, ama_agent: Visitor, in_store: Any
    ) -> None:
        placed = in_store("ama", catalog.arrangement)
        mtn = [one.bundle_id for one in placed if one.network == "mtn"]
        for each in mtn[: catalog.MOST_FEATURED + 1]:
            ama_agent.post("/prices/arrange", {"feature": str(each)})
        page = ama_agent.get("/prices/arrange").text
        assert "Nothing was changed. 3 bundles of MTN are recommended already" in page

    @pytest.mark.parametrize(
        "said",
        [
            {},
            {"put": "x"},
            {"put": "1"},
            {"put": "999999.1"},
            {"put": "1." + "9" * 40},
            {"feature": "999999"},
            {"unfeature": "-1"},
            {"by_size": "glo"},
        ],
    )
    def test_odd_presses_change_nothing(
        self, ama_agent: Visitor, customer: Visitor, said: dict[str, str]
    ) -> None:
        before = self.sizes(customer)
        assert ama_agent.post("/prices/arrange", said).status_code == 303
        assert self.sizes(customer) == before


COSTS = {
    "/prices/bulk?network=mtn&by=percent&amount=10&step=10": 2,
    "/prices/history": 1,
    "/prices/arrange": 2,
}
"""Statements of a page beside those of its frame."""


@pytest.mark.parametrize("path", COSTS)
def test_a_page_asks_as_much_however_long_the_history_is(
    app: Any, ama_agent: Visitor, in_store: Any, path: str
) -> None:
    def statements(path: str) -> int:
        ama_agent.get(path)
        with asked_of(app) as found:
            assert ama_agent.get(path).status_code == 200
        return len(found.statements)

    frame, few = statements("/share"), statements(path)
    assert few - frame <= COSTS[path]

    def change() -> None:
        for line in catalog.price_table():
            for price in range(8):
                catalog.save_price(
                    line.bundle_id, 9_000 + price, False, Actor("agent", "Ama")
                )

    in_store("ama", change)
    assert statements(path) == few
