"""Parts of the statement with their opening and closing balance, asking for money, and what was
earned."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import tables_owner
from flask import Flask
from test_what_can_be_bought import statements
from visitors import Visitor

from agent_portal import bars
from core import fund_requests, ledger
from core.audit import SYSTEM, Actor
from core.base import clock, tenancy
from core.orders import owing
from tests.support.kept import Keep
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.15)

LINE = re.compile(
    r'class="money (?:in|out)">([^<]+)</span></td>\s*<td class="num c-balance">([^<]+)<'
)
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def days(
    app: Flask,
    in_store: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    kept: Keep[None],
) -> None:
    """GH₵ 1 on the 10th, 2 and a taking back of 0.50 on the 11th, 3 at the last moment of the 12th
    and 4 at the first of the 13th. The opening balance of the seed comes before."""
    kept("days", lambda: build_days(app, in_store, monkeypatch))
    monkeypatch.setattr(
        clock, "wall_source", lambda: datetime(2026, 11, 20, tzinfo=UTC)
    )


def build_days(
    app: Flask, in_store: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables_owner.execute("ALTER TABLE postings DISABLE TRIGGER postings_frozen")
    tables_owner.execute("UPDATE postings SET at = '2026-11-01 08:00+00'")
    tables_owner.execute("ALTER TABLE postings ENABLE TRIGGER postings_frozen")
    store_id = in_store("ama", tenancy.current_store_id)
    midnight = datetime(2026, 11, 13, tzinfo=UTC)
    with app.app_context(), tenancy.across_stores():
        for moment, pesewas in (
            (NOON, 100),
            (NOON + DAY, 200),
            (NOON + DAY, -50),
            (midnight - timedelta(microseconds=1), 300),
            (midnight, 400),
        ):
            monkeypatch.setattr(clock, "wall_source", lambda moment=moment: moment)
            verb = ledger.fund_wallet if pesewas > 0 else ledger.take_back
            verb(store_id, abs(pesewas), f"note {pesewas}", SYSTEM)


def figure(page: str, label: str) -> str:
    found = re.search(rf"<span>{label}(?:, GH₵)?</span><b>([^<]+)</b>", page)
    return found[1] if found else ""


def amounts(page: str) -> list[str]:
    return [amount for amount, _ in LINE.findall(page)]


@pytest.fixture
def late(app: Flask, logged_in: Callable[..., Visitor], days: None) -> Visitor:
    """Ama, logged in on the 20th."""
    return logged_in("ama@example.test", slug="ama")


@pytest.mark.parametrize(
    ("query", "seen", "opening", "closing"),
    [
        ("from=2026-11-11&to=2026-11-11", ["−0.50", "+2.00"], "501.00", "502.50"),
        ("from=2026-11-12&to=2026-11-12", ["+3.00"], "502.50", "505.50"),
        ("from=13/11/2026", ["+4.00"], "505.50", "509.50"),
        ("to=2026-11-10", ["+1.00", "+500.00"], "0.00", "501.00"),
        ("from=2026-11-14", [], "509.50", "509.50"),
        ("to=2026-10-31", [], "0.00", "0.00"),
        ("from=2026-11-02&to=2026-11-09", [], "500.00", "500.00"),
        ("kind=take_back&from=2026-11-01", ["−0.50"], "0.00", "509.50"),
        ("kind=fund_wallet&from=2026-11-11&to=2026-11-12", ["+3.00", "+2.00"], "501.00", "505.50"),
    ],
)  # fmt: skip
def test_a_part_has_its_lines_and_both_balances(
    late: Visitor, query: str, seen: list[str], opening: str, closing: str
) -> None:
    page = late.get(f"/wallet?{query}").text
    assert amounts(page) == seen
    assert figure(page, "Opening balance") == opening
    assert figure(page, "Closing balance") == closing


def test_opening_balance_and_lines_make_the_closing_balance(late: Visitor) -> None:
    for first in (1, 2, 10, 11, 12, 13, 14):
        for last in range(first, 15):
            page = late.get(
                f"/wallet?from=2026-11-{first:02}&to=2026-11-{last:02}"
            ).text
            sums = [
                round(float(one.replace("−", "-").replace(",", "")) * 100)
                for one in amounts(page)
            ]
            ends = [
                round(float(figure(page, name).replace(",", "")) * 100)
                for name in ("Opening balance", "Closing balance")
            ]
            assert ends[0] + sum(sums) == ends[1], (first, last)


def test_a_part_goes_on_over_pages(late: Visitor, using: Using) -> None:
    using(page_size=2)
    for query, wanted in (
        ("from=2026-11-10&to=2026-11-12", ["+3.00", "−0.50", "+2.00", "+1.00"]),
        ("kind=fund_wallet", ["+4.00", "+3.00", "+2.00", "+1.00", "+500.00"]),
    ):
        seen, path = [], f"/wallet?{query}"
        while path:
            page = late.get(path).text
            seen += amounts(page)
            more = re.search(r'href="([^"]+)" rel="next"', page)
            path = more[1].replace("&amp;", "&") if more else ""
        assert seen == wanted


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("from=2026-02-30", "Type a day like"), ("from=yesterday", "Type a day like"),
        ("to=0001-01-01", "Type a day like"), ("to=9999-12-31", "Type a day like"),
        ("from=2026-11-12&to=2026-11-11", "after the last one"),
        ("from=%E2%80%AE%F0%9F%98%80", "Type a day like"),
        ("from=2026-11-1%27", "Type a day like"),
    ],
)  # fmt: skip
def test_a_day_that_is_none_is_said_and_kept(
    late: Visitor, query: str, said: str
) -> None:
    answer = late.get(f"/wallet?{query}")
    assert answer.status_code == 200 and said in answer.text
    assert len(amounts(answer.text)) == 6
    assert late.get(f"/wallet.csv?{query}").status_code == 200


def test_an_odd_kind_shows_everything(late: Visitor) -> None:
    for kind in ("capture", "x' OR 1=1", ""):
        assert len(amounts(late.get(f"/wallet?kind={kind}").text)) == 6


def test_the_file_of_a_part_says_both_balances(late: Visitor) -> None:
    text = late.get("/wallet.csv?from=2026-11-11&to=2026-11-12").text
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [(row[0], row[2], row[4], row[5], row[6]) for row in rows[1:]] == [
        ("2026-11-12", "Closing balance", "", "", "505.50"),
        ("2026-11-12", "Wallet funded", "3.00", "", "505.50"),
        ("2026-11-11", "Taken back", "", "0.50", "502.50"),
        ("2026-11-11", "Wallet funded", "2.00", "", "503.00"),
        ("2026-11-11", "Opening balance", "", "", "501.00"),
    ]


def test_only_ones_own_days(late: Visitor, days: None, logged_in: Any) -> None:
    page = (
        logged_in("kofi@example.test", slug="kofi").get("/wallet?from=2026-11-10").text
    )
    assert amounts(page) == [] and figure(page, "Closing balance") == "500.00"


class TestAsking:
    def test_it_is_kept_and_waits(self, ama_agent: Visitor) -> None:
        data = {"amount": "500", "reference": "MP 12345"}
        assert ama_agent.post("/wallet/funding", data=data).status_code == 303
        page = ama_agent.get("/wallet").text
        assert "You asked for" in page and "MP 12345" in page and "Waits" in page
        ama_agent.post("/wallet/funding", data=data)
        assert "waits already. Nothing was added" in ama_agent.get("/wallet").text
        assert ama_agent.get("/wallet").text.count("/withdraw") == 1

    def test_what_cannot_be_read_is_said_and_kept(self, ama_agent: Visitor) -> None:
        data = {"amount": "five hundred", "reference": "=MP<b>"}
        answer = ama_agent.post("/wallet/funding", data=data)
        assert answer.status_code == 422
        assert "Type the amount in cedis" in answer.text
        assert 'value="five hundred"' in answer.text
        assert 'value="=MP&lt;b&gt;"' in answer.text

    def test_it_is_taken_back_once(self, ama_agent: Visitor) -> None:
        ama_agent.post("/wallet/funding", data={"amount": "5", "reference": "MP1"})
        path = re.search(
            r'action="(/wallet/funding/\d+/withdraw)"', ama_agent.get("/wallet").text
        )
        assert path
        for _ in range(2):
            assert ama_agent.post(path[1]).status_code == 303
        assert "Taken back" in ama_agent.get("/wallet").text

    def test_a_request_of_another_store_is_none(
        self, ama_agent: Visitor, kofi_agent: Visitor
    ) -> None:
        ama_agent.post("/wallet/funding", data={"amount": "5", "reference": "MP1"})
        path = re.search(
            r'action="(/wallet/funding/\d+/withdraw)"', ama_agent.get("/wallet").text
        )
        assert path and kofi_agent.post(path[1]).status_code == 404
        assert kofi_agent.post("/wallet/funding/x/withdraw").status_code == 404
        assert "MP1" not in kofi_agent.get("/wallet").text

    def test_who_only_looks_may_not_ask(self, logged_in: Any) -> None:
        viewer = logged_in("viewer@example.test", slug="ama")
        data = {"amount": "5", "reference": "MP1"}
        assert viewer.post("/wallet/funding", data=data).status_code == 403
        assert "Only the store’s owner and cashiers may" in viewer.get("/wallet").text

    def test_a_store_that_was_never_approved_may_not_ask(
        self, ama_agent: Visitor
    ) -> None:
        tables_owner.execute(
            "UPDATE stores SET status = 'closed', approval = 'waiting' WHERE slug = 'ama'"
        )
        data = {"amount": "5", "reference": "MP1"}
        answer = ama_agent.post("/wallet/funding", data=data)
        assert answer.status_code == 422 and "has approved your store" in answer.text
        assert 'action="/wallet/funding"' not in answer.text

    def test_why_it_was_refused_is_read(self, ama_agent: Visitor, app: Flask) -> None:
        ama_agent.post("/wallet/funding", data={"amount": "5", "reference": "MP1"})
        with app.app_context(), tenancy.across_stores():
            one = fund_requests.waiting(1)[0].request.id
            fund_requests.refuse(one, "No such payment", Actor("owner", "Owner"))
        page = ama_agent.get("/wallet").text
        assert "Refused" in page and "No such payment" in page


class TestEarnings:
    def test_figures_picture_and_table_say_the_same(
        self, ama_agent: Visitor, place: Any, line_of: Any
    ) -> None:
        line = line_of("mtn", 5)
        profit = line.price_pesewas - line.agent_price_pesewas
        for index in range(2):
            place(number=f"024000000{index}", state="completed")
        place(number="0240000009", state="processing")
        page = ama_agent.get("/earnings").text
        assert figure(page, "Today") == f"{2 * profit / 100:.2f}"
        assert figure(page, "All shown") == f"{2 * profit / 100:.2f}"
        assert f"GH₵\N{NO-BREAK SPACE}{2 * profit / 100:.2f} in all.</title>" in page
        assert page.count('data-label="Profit"') == 3
        assert "The same as a table" in page
        assert 'class="bars-now"' in page and 'class="bars-held"' not in page

    @pytest.mark.parametrize("by", ["day", "week", "month", "year"])
    @pytest.mark.parametrize("network", ["", "mtn", "at", "moon"])
    def test_every_address_answers(
        self, ama_agent: Visitor, by: str, network: str
    ) -> None:
        for path in ("/earnings", "/earnings.csv"):
            answer = ama_agent.get(f"{path}?by={by}&network={network}")
            assert answer.status_code == 200

    def test_one_network(self, ama_agent: Visitor, place: Any) -> None:
        place(state="completed")
        assert "By bundle" in ama_agent.get("/earnings?network=mtn").text
        assert "Nothing delivered" in ama_agent.get("/earnings?network=at").text

    def test_only_ones_own(self, kofi_agent: Visitor, place: Any) -> None:
        place(state="completed")
        assert "Nothing delivered in this time" in kofi_agent.get("/earnings").text

    def test_the_file(self, ama_agent: Visitor, place: Any, line_of: Any) -> None:
        place(state="completed")
        text = ama_agent.get("/earnings.csv").text.removeprefix("\ufeff")
        rows = list(csv.reader(io.StringIO(text)))
        line = line_of("mtn", 5)
        sums = [
            "1",
            f"{line.price_pesewas / 100:.2f}",
            f"{line.agent_price_pesewas / 100:.2f}",
            f"{(line.price_pesewas - line.agent_price_pesewas) / 100:.2f}",
        ]
        assert rows[1][2:] == sums and rows[-1] == ["MTN", "5 GB", *sums]
        assert len(rows) == 1 + 30 + 2 + 1

    def test_what_is_open_with_customers(
        self, ama_agent: Visitor, place: Any, line_of: Any
    ) -> None:
        price = line_of("mtn", 5).price_pesewas
        states = ("pending", "pending", "queued", "processing", "refunded", "completed")
        codes = [
            place(number=f"024000000{at}", state=state)
            for at, state in enumerate(states)
        ]
        tables_owner.execute(
            "UPDATE orders SET told_at = now() WHERE code = :code", code=codes[1]
        )
        page = ama_agent.get("/earnings").text
        for label, many in (
            ("They are to pay you", 1),
            ("Paid, not processed", 1),
            ("On their way", 2),
            ("You are to give back", 1),
        ):
            assert figure(page, label) == f"{many * price / 100:,.2f}", label

    def test_a_sum_that_leaves_some_out_says_so(
        self,
        ama_agent: Visitor,
        place: Any,
        line_of: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(owing, "MOST", 2)
        owing._asked.cache_clear()
        try:
            for at in range(3):
                place(number=f"024000000{at}")
            page = ama_agent.get("/earnings").text
        finally:
            owing._asked.cache_clear()
        two = f"{2 * line_of('mtn', 5).price_pesewas / 100:,.2f}"
        assert figure(page, "They are to pay you") == f"{two} or more"
        assert figure(page, "Paid, not processed") == "0.00"

    def test_the_proof_is_said(self, ama_agent: Visitor, app: Flask) -> None:
        from core import proof

        with app.app_context(), tenancy.across_stores():
            proof.prove()
        assert re.search(r"Books proven at <time", ama_agent.get("/earnings").text)


@pytest.mark.parametrize(
    ("pesewas", "edges"),
    [
        ([0, 0], (100, 0)), ([1, 2], (2, 0)), ([350, 0], (400, 0)), ([1_001], (1_500, 0)),
        ([-350, 100], (100, -400)), ([-1], (0, -1)), ([9_999_999, 1], (10_000_000, 0)),
    ],
)  # fmt: skip
def test_bars_reach_to_round_edges_and_stay_inside(
    pesewas: list[int], edges: tuple[int, int]
) -> None:
    drawn = bars.draw(pesewas, "<b>")
    assert drawn.edges_pesewas == edges and "<b>" not in drawn.svg
    for zero, high in re.findall(r"M\d+ (\d+)h\d+v(-?\d+)h", str(drawn.svg)):
        assert 0 <= int(zero) + int(high) <= bars.HEIGHT and int(high) != 0
    assert drawn.svg.count('z"') + drawn.svg.count("zM") == sum(map(bool, pesewas))


def test_the_pages_ask_no_more_with_many_orders(
    app: Flask, ama_agent: Visitor, place: Any
) -> None:
    def asked(path: str) -> int:
        return len(statements(app, lambda: ama_agent.get(path)))

    paths = ("/earnings", "/wallet", "/wallet?from=2020-01-01&kind=hold")
    place(state="completed")
    few = [asked(path) for path in paths]
    for index in range(5):
        place(number=f"024000000{index}", state="completed", gb=(1, 2, 5)[index % 3])
    assert [asked(path) for path in paths] == few and max(few) <= 10, few


def test_a_clock_that_ran_ahead_leaves_balances_that_fit(
    app: Flask,
    in_store: Callable[..., Any],
    logged_in: Callable[..., Visitor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A line of the 20th stands before one of the 10th. Asked from and to each day with a line, and
    days between."""
    days = (4, 5, 6, 10, 11, 12, 13, 20)
    tables_owner.execute("ALTER TABLE postings DISABLE TRIGGER postings_frozen")
    tables_owner.execute("UPDATE postings SET at = '2026-11-01 08:00+00'")
    tables_owner.execute("ALTER TABLE postings ENABLE TRIGGER postings_frozen")
    store_id = in_store("ama", tenancy.current_store_id)

    def at(day: int) -> None:
        moment = datetime(2026, 11, day, 12, tzinfo=UTC)
        monkeypatch.setattr(clock, "wall_source", lambda: moment)

    with app.app_context(), tenancy.across_stores():
        for day, pesewas in ((5, 100), (20, 200), (10, 300), (11, 400), (12, 500)):
            at(day)
            ledger.fund_wallet(store_id, pesewas, f"day {day}", SYSTEM)
    at(21)
    visitor = logged_in("ama@example.test", slug="ama")
    for first in days:
        for last in days[days.index(first) :]:
            page = visitor.get(
                f"/wallet?from=2026-11-{first:02}&to=2026-11-{last:02}"
            ).text
            sums = [
                float(figure(page, label).replace(",", ""))
                for label in ("Opening balance", "Closing balance")
            ]
            lines = [float(one.replace("−", "-")) for one in amounts(page)]
            assert round(sums[0] + sum(lines), 2) == sums[1], (first, last)
