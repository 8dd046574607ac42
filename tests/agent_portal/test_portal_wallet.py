"""The wallet: balance, the sum that proves it, the statement page by page, and the file for a
spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tables_owner
from seed import WALLET_PESEWAS
from visitors import Visitor

from core import ledger, proof
from core.audit import SYSTEM
from core.base import money, tenancy
from tests.support import settings
from tests.support.settings import Using


def lines_of(html: str) -> list[tuple[str, str]]:
    """(amount, balance) of each line of the statement shown, top to bottom."""
    return re.findall(
        r'class="money (?:in|out)">([^<]+)</span></td>\s*<td class="num c-balance">([^<]+)<',
        html,
    )


def rows_of(answer: Any) -> list[list[str]]:
    return list(
        csv.reader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff")))
    )


@pytest.fixture
def fund(app: Any, in_store: Callable[..., Any]) -> Callable[..., None]:
    def give(pesewas: int, note: str, slug: str = "ama") -> None:
        store_id = in_store(slug, tenancy.current_store_id)
        with app.app_context(), tenancy.across_stores():
            ledger.fund_wallet(store_id, pesewas, note, SYSTEM)

    return give


def test_balance_held_and_the_sum_that_proves_them(
    ama_agent: Visitor, place: Any, line_of: Any
) -> None:
    cost = line_of("mtn", 5).agent_price_pesewas
    for index, state in enumerate(("queued", "completed", "refunded")):
        place(number=f"024000000{index}", state=state)
    page = ama_agent.get("/wallet").text
    came, went = WALLET_PESEWAS + cost, 3 * cost
    assert f"{money.cedis(came)} in − {money.cedis(went)} out" in page
    assert f"{money.cedis(came - went)}</strong>" in page
    assert (
        f"<b>{money.cedis(WALLET_PESEWAS - 2 * cost)}</b>" in page
        and f"<b>{money.cedis(cost)}</b>" in page
    )


def test_every_line_runs_on_and_names_its_order(
    ama_agent: Visitor, place: Any, line_of: Any
) -> None:
    cost, codes = (
        line_of("mtn", 5).agent_price_pesewas,
        [place(number=f"024000000{i}", state="queued") for i in range(2)],
    )
    page = ama_agent.get("/wallet").text
    assert lines_of(page) == [
        (money.format_ghs(-cost), money.format_ghs(WALLET_PESEWAS - 2 * cost)),
        (money.format_ghs(-cost), money.format_ghs(WALLET_PESEWAS - cost)),
        (f"+{money.format_ghs(WALLET_PESEWAS)}", money.format_ghs(WALLET_PESEWAS)),
    ]
    assert (
        re.findall(r'href="/orders/(\w{10})"', page) == codes[::-1]
        and "opening balance" in page
    )


def test_only_ones_own_lines(ama_agent: Visitor, fund: Any, place: Any) -> None:
    fund(12_345, "for kofi alone", "kofi")
    place("kofi", state="queued")
    page = ama_agent.get("/wallet").text
    assert "for kofi alone" not in page and len(lines_of(page)) == 1
    assert "for kofi alone" not in ama_agent.get("/wallet.csv").text


def test_pages_follow_each_other(ama_agent: Visitor, fund: Any, using: Using) -> None:
    for index in range(4):
        fund(100 + index, f"note {index}")
    using(page_size=2)
    seen, path = [], "/wallet"
    for _ in range(3):
        page = ama_agent.get(path).text
        seen += [amount for amount, _ in lines_of(page)]
        more = re.search(r'href="([^"]+)" rel="next"', page)
        path = more[1] if more else ""
    assert (
        seen == ["+1.03", "+1.02", "+1.01", "+1.00", "+500.00"]
        and path == ""
        and "Back to the start" in page
    )


@pytest.mark.parametrize(
    "before", ["abc", "-1", "1e5", "99999999999999999999", "%D9%A1", ""]
)
def test_an_odd_address_shows_the_newest_lines(ama_agent: Visitor, before: str) -> None:
    answer = ama_agent.get(f"/wallet?before={before}")
    assert answer.status_code == 200 and len(lines_of(answer.text)) == 1


def test_an_empty_wallet_says_what_next(
    app: Any, ama_agent: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "statement", lambda before_id=None, limit=None: [])
    assert "No money has moved yet" in ama_agent.get("/wallet").text


def test_lines_that_do_not_add_up_are_said(
    ama_agent: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "wallet", lambda: ledger.Wallet(WALLET_PESEWAS + 1, 0))
    assert "The lines do not add up to the balance" in ama_agent.get("/wallet").text


class TestProof:
    """What an agent reads of the proof of the platform's books: one sentence, and true."""

    @pytest.fixture
    def prove(self, app: Any) -> Callable[[], None]:
        def act() -> None:
            with app.app_context(), tenancy.across_stores():
                proof.prove()

        return act

    @pytest.fixture
    def drift(self, app: Any) -> Iterator[Callable[[], None]]:
        def by(pesewas: int) -> None:
            tables_owner.execute(
                "UPDATE accounts SET balance_pesewas = balance_pesewas + :by WHERE name = 'bank'",
                by=pesewas,
            )

        yield lambda: by(-5)
        by(5)

    def test_before_the_first_nothing_is_claimed(self, ama_agent: Visitor) -> None:
        assert "proven" not in ama_agent.get("/wallet").text

    def test_the_last_one_shows_with_its_time(
        self, ama_agent: Visitor, prove: Callable[[], None]
    ) -> None:
        prove()
        page = ama_agent.get("/wallet").text
        assert re.search(
            r"Books proven at <time[^>]*>\d\d:\d\d</time>: every posting sums to zero",
            page,
        )
        assert "overdue" not in page

    def test_an_old_one_is_said_to_be_old(
        self, ama_agent: Visitor, prove: Callable[[], None]
    ) -> None:
        # and one is due at once: a log-in ends before an hourly one could be overdue
        prove()
        with settings.using(proof_every_s=0):
            assert "the next proof is overdue" in ama_agent.get("/wallet").text

    def test_a_failed_one_says_so_and_tells_nothing_of_others(
        self, ama_agent: Visitor, prove: Callable[[], None], drift: Callable[[], None]
    ) -> None:
        drift()
        prove()
        page = ama_agent.get("/wallet").text
        assert (
            "found something that does not fit. The owner of the platform has been told."
            in page
        )
        assert "every posting sums to zero" not in page
        assert "bank" not in page


class TestFile:
    def test_it_is_a_spreadsheet_with_every_line(
        self, ama_agent: Visitor, place: Any, order_of: Any
    ) -> None:
        code = place(state="queued")
        answer = ama_agent.get("/wallet.csv")
        assert (
            answer.content_type == "text/csv; charset=utf-8"
            and answer.data.startswith(b"\xef\xbb\xbf")
        )
        assert re.search(
            r'attachment; filename="ama-wallet-\d{4}-\d\d-\d\d\.csv"',
            answer.headers["Content-Disposition"],
        )
        head, newest, oldest = rows_of(answer)
        cost = order_of(code).agent_price_pesewas
        assert head[-4:] == ["In GHS", "Out GHS", "Balance GHS", "Note"]
        assert newest[2:7] == [
            "Held for an order",
            code,
            "",
            f"{cost / 100:.2f}",
            f"{(WALLET_PESEWAS - cost) / 100:.2f}",
        ]
        assert oldest[4:] == ["500.00", "", "500.00", "opening balance"]

    @pytest.mark.parametrize(
        "note", ["=1+1", "+233", "-5", "@SUM(A1)", '=HYPERLINK("http://x")']
    )
    def test_no_note_becomes_a_formula(
        self, ama_agent: Visitor, fund: Any, note: str
    ) -> None:
        fund(100, note)
        assert rows_of(ama_agent.get("/wallet.csv"))[1][-1] == f"'{note}"

    def test_commas_quotes_and_lines_stay_in_their_cell(
        self, ama_agent: Visitor, fund: Any
    ) -> None:
        fund(123_456_7, 'MoMo "12", paid\nby Efua')
        row = rows_of(ama_agent.get("/wallet.csv"))[1]
        assert row[-1] == 'MoMo "12", paid\nby Efua' and row[4] == "12345.67"

    def test_a_long_statement_is_one_file_that_says_where_it_ends(
        self, ama_agent: Visitor, fund: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from agent_portal import statement

        for index in range(6):
            fund(100 + index, f"note {index}")
        monkeypatch.setattr(statement, "CSV_PAGE", 2)
        assert [row[-1] for row in rows_of(ama_agent.get("/wallet.csv"))[1:]] == [
            *(f"note {index}" for index in range(5, -1, -1)), "opening balance",
        ]  # fmt: skip
        monkeypatch.setattr(statement, "CSV_PAGES", 2)
        rows = rows_of(ama_agent.get("/wallet.csv"))
        rest = re.search(r"open (/wallet\.csv\?before=\d+)", rows[-1][0])
        assert len(rows) == 6 and rest
        assert [row[-1] for row in rows_of(ama_agent.get(rest[1]))[1:]] == [
            "note 1",
            "note 0",
            "opening balance",
        ]
