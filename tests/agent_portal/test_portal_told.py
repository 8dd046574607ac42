"""News, the day and the switches for notices over HTTP, what spreadsheets get, and forgetting a number
that made no customer."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import tables_owner
from flask import g
from visitors import Visitor

from agent_portal import sheet
from core import day_summary
from core.base import clock
from integrations.webpush import keys
from tests.support.asked import asked
from tests.support.push import Phone
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.2)
WAITS = re.compile(r"News\s*<span class=\"count hot\">(\d+)")


def unread(visitor: Visitor) -> int:
    found = WAITS.search(visitor.get("/").text)
    return int(found[1]) if found else 0


def read_all(visitor: Visitor) -> None:
    until = re.search(r'name="until" value="([^"]+)"', visitor.get("/news").text)
    assert until
    assert visitor.post("/news/read", data={"until": until[1]}).status_code == 303


def test_news_is_new_until_this_person_has_read_it(
    ama_agent: Visitor, logged_in: Any, place: Any, jump: Any
) -> None:
    cashier = logged_in("cashier@example.test", "portal", "ama")
    kofi = logged_in("kofi@example.test", "portal", "kofi")
    for _ in range(5):
        place()
    place("kofi")
    page = ama_agent.get("/news").text
    assert "5 new orders" in page and page.count('class="new"') == 1
    assert page.count('href="/orders/') == 5 and "0241234567" not in page
    assert (unread(ama_agent), unread(cashier), unread(kofi)) == (5, 5, 1)
    jump(1)
    read_all(ama_agent)
    assert (unread(ama_agent), unread(cashier), unread(kofi)) == (0, 5, 1)
    page = ama_agent.get("/news").text
    assert (
        "5 new orders" in page and 'class="new"' not in page and "Mark all" not in page
    )
    jump(1)
    place(state="failed")
    assert unread(ama_agent) == 2
    # odd moments mark no more than now
    for odd in ("", "x", "inf", "nan", "-1e400", "9e99", "1e12"):
        assert ama_agent.post("/news/read", data={"until": odd}).status_code == 303
    jump(1)
    place()
    assert unread(ama_agent) == 1


def test_many_of_one_minute_name_it_once(ama_agent: Visitor, place: Any) -> None:
    codes = [place() for _ in range(4)]
    folded = re.compile(r'(?s)<summary class="small">.*?</summary>')

    def summary(seconds: int) -> str:
        for at, code in enumerate(codes):
            tables_owner.execute(
                "UPDATE orders SET created_at = date_trunc('minute', now()) - interval '2 hours'"
                " + :at * interval '1 second' WHERE code = :code",
                at=at * seconds,
                code=code,
            )
        found = folded.search(ama_agent.get("/news").text)
        assert found
        return found[0]

    assert " to " not in summary(1) and summary(1).count("<time") == 1
    assert " to " in summary(60) and summary(60).count("<time") == 2


def test_news_costs_the_queue_nothing(app: Any, ama_agent: Visitor, place: Any) -> None:
    place()
    for path in ("/orders", "/orders/news?since=0"):
        ama_agent.get(path)
        with asked(app) as seen:
            ama_agent.get(path)
        said = str(seen.trips) + str(seen.statements)
        assert "orders" in said and "notice_marks" not in said
        assert "told_first_at >" not in said


def test_notices_are_switched_by_each_for_themselves(
    ama_agent: Visitor, logged_in: Any, using: Using
) -> None:
    viewer = logged_in("viewer@example.test", "portal", "ama")
    off = ama_agent.get("/notices").text
    assert "sends no notices to devices here yet" in off and "notices.js" not in off
    refused = ama_agent.post("/notices", data=Phone().form)
    assert refused.status_code == 422 and "sends no notices" in refused.text
    using(push_key=(pair := keys.make()))
    page = ama_agent.get("/notices").text
    private, _, public = pair.partition(".")
    assert public in page and private not in page
    odd = Phone().form | {"endpoint": "https://127.0.0.1/x"}
    refused = ama_agent.post("/notices", data=odd)
    assert (
        refused.status_code == 422
        and "address for notices cannot be used" in refused.text
    )
    agent = {
        "User-Agent": "Mozilla/5.0 (Linux; Android 14) Chrome/141.0 Mobile Safari/537.36"
    }
    for who, at in ((ama_agent, "/a"), (viewer, "/v")):
        answer = who.post("/notices", data=Phone(at).form, headers=agent)
        assert answer.status_code == 303
        page = who.get("/notices").text
        assert page.count("data-device=") == 1 and "Chrome on Android" in page
        assert "push.services" not in page
    mine, theirs = tables_owner.read("SELECT id FROM push_devices ORDER BY id")
    for path in (
        f"/notices/{theirs}",
        f"/notices/{theirs}/remove",
        "/notices/0",
        "/notices/x",
    ):
        assert ama_agent.post(path).status_code == 404
    ama_agent.post(f"/notices/{mine}", data={"kind": ["late", "<b>"]})
    assert tables_owner.read("SELECT kinds FROM push_devices ORDER BY id")[0] == [
        "late"
    ]
    assert ama_agent.post(f"/notices/{mine}/remove").status_code == 303
    assert tables_owner.read("SELECT id FROM push_devices") == [theirs]


def test_the_worker_keeps_nothing_and_needs_no_log_in(visitor: Any) -> None:
    answer = visitor("portal").get("/notices.js")
    assert answer.status_code == 200 and answer.mimetype == "text/javascript"
    assert "showNotification" in answer.text
    assert "caches" not in answer.text and "'fetch'" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "worker-src 'self'" in policy


def test_the_day_beside_the_day_before(
    ama_agent: Visitor, place: Any, in_store: Any, wallet: Any
) -> None:
    for gb in (1, 5):
        place(gb=gb, state="completed")
    for state in ("pending", "failed", "refunded", "cancelled"):
        place(state=state)
    place("kofi", state="completed")
    yesterday = clock.now() - timedelta(days=1)
    tables_owner.execute(
        "UPDATE orders SET queued_at = completed_at - interval '61 minutes'"
        " WHERE state = 'completed' AND mb = 5120"
    )
    one, before = in_store("ama", lambda: day_summary.of(day_summary.today()))
    assert (one.came, one.failed, one.refunded, one.cancelled) == (6, 2, 1, 1)
    assert one.earned.orders == sum(hour.orders for hour in one.hours) == 2
    profit = sum(hour.profit_pesewas for hour in one.hours)
    assert profit == one.earned.profit_pesewas > 0
    assert one.slowest[0].minutes == 61 and one.slowest[0].text == "MTN 5 GB"
    assert one.closing_pesewas == wallet()[0] and before.came == 0
    assert (one.opening_pesewas, before.closing_pesewas) == (0, 0)
    assert [part.network for part in one.networks] == ["mtn"]
    page = unescape(ama_agent.get("/days").text)
    assert "<h1>Today</h1>" in page and ">61<" in page
    link = re.search(r'href="(/days\?on=[\d-]+)" rel="prev"', page)
    assert link and link[1].endswith(f"{yesterday:%Y-%m-%d}")
    page = ama_agent.get(link[1]).text
    assert "<h1>Yesterday</h1>" in page and 'href="/days" rel="next"' in page
    assert "Nothing delivered on this day" in page
    for odd in ("2999-01-01", "x", "2026-02-30", "0001-01-01", "2026-W01-1x"):
        assert ama_agent.get(f"/days?on={odd}").status_code == 303


def test_a_number_that_made_no_customer_is_forgotten_by_the_owner(
    ama_agent: Visitor, logged_in: Any, place: Any, order_of: Any
) -> None:
    code = place(number="0551234567", name="Efua", state="cancelled")
    other = place("kofi", number="0551234567", state="cancelled")
    path = f"/orders/{code}/customer"
    cashier = logged_in("cashier@example.test", "portal", "ama")
    assert "Forget this number" not in cashier.get(path).text
    assert cashier.post(f"{path}/forget", data={"sure": "1"}).status_code == 403
    assert "Forget this number" in ama_agent.get(path).text
    unsure = ama_agent.post(f"{path}/forget")
    assert unsure.status_code == 422 and "cannot be taken back" in unsure.text
    assert ama_agent.post(f"/orders/{other}/customer/forget").status_code == 404
    done = ama_agent.post(f"{path}/forget", data={"sure": "1"})
    assert done.status_code == 303
    assert order_of(code).is_masked and order_of(code).customer_name == ""
    assert not order_of(other, "kofi").is_masked
    again = ama_agent.post(f"{path}/forget", data={"sure": "1"})
    assert again.status_code == 303
    acts = tables_owner.read("SELECT id FROM audit WHERE action = 'forget_customer'")
    assert len(acts) == 1


def test_no_cell_of_a_spreadsheet_is_a_formula(app: Any, ama_agent: Visitor) -> None:
    risky = [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\tx",
        "\r=1",
        " =1",
        "\N{NO-BREAK SPACE}=1",
        "\n=1",
    ]
    one = sheet.Sheet("Head")
    one.row(*risky, "plain", "", 5, sheet.amount(-123_456), sheet.amount(5))
    with app.test_request_context():
        g.store = type("Store", (), {"slug": "ama"})
        text = one.answer("x").get_data(as_text=True)
    rows = list(
        csv.reader(
            io.StringIO(text.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}"), newline="")
        )
    )
    assert all(cell.startswith("'") for cell in rows[1][: len(risky)])
    assert rows[1][len(risky) :] == ["plain", "", "5", "-1234.56", "0.05"]


def test_nobody_writes_a_spreadsheet_beside_the_one_that_guards_its_cells() -> None:
    rooms = ("agent_portal", "admin_console", "storefront", "core", "edge")
    root = Path(__file__).resolve().parents[2]
    writers = [
        str(path.relative_to(root))
        for room in rooms
        for path in (root / room).rglob("*.py")
        if "csv.writer" in path.read_text()
    ]
    assert writers == ["core/base/sheets.py"]
