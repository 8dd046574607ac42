"""Home, queue and prices say what cannot be bought, why and since when; a press goes in line and
says it too."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from visitors import Visitor

from core import ledger, orders, reconcile
from core.audit import SYSTEM
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.supplier import supply

PAGES = ("/", "/orders", "/prices")


@pytest.fixture
def platform(app: Flask) -> Callable[..., None]:
    """Something happens at the supplier or to our float; then the relay makes its round."""

    def happen(float_pesewas: int | None = None, **link: Any) -> None:
        with app.app_context(), tenancy.across_stores():
            with transaction():
                row = supply.locked_state()
                for name, value in link.items():
                    setattr(row, name, value)
            if float_pesewas is not None:
                with transaction():
                    now = ledger.platform_balances()["supplier_float"]
                    ledger.fund_float(float_pesewas - now, "for a test", SYSTEM)
            reconcile.renew()
            db.session.remove()

    return happen


def words(html: str) -> str:
    html = re.sub(r"</?(time|span|b|a)\b[^>]*>", "", html)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.parametrize("path", PAGES)
def test_a_stop_of_the_line_is_said_on_top(
    path: str, ama_agent: Visitor, platform: Callable[..., None]
) -> None:
    assert "Nothing can be sent" not in ama_agent.get(path).text
    platform(unreachable_since=clock.now())
    said = words(ama_agent.get(path).text)
    assert re.search(
        r"Nothing can be sent since \d\d:\d\d Why: the supplier cannot be reached\.",
        said,
    ), said
    assert "What you process goes in line" in said
    platform(unreachable_since=None)
    assert "Nothing can be sent" not in ama_agent.get(path).text


@pytest.mark.parametrize("path", PAGES)
def test_what_is_sold_out_is_named(
    path: str, ama_agent: Visitor, platform: Callable[..., None]
) -> None:
    platform(2_400)
    said = words(ama_agent.get(path).text)
    assert re.search(
        r"Sold out for now MTN 10 GB since \d\d:\d\d; Telecel 10 GB since \d\d:\d\d\. What the"
        r" platform",
        said,
    )
    assert "MTN 5 GB since" not in said and "24.00" not in said
    platform(200_000)
    assert "Sold out" not in ama_agent.get(path).text


def test_a_press_says_what_it_waits_for(
    ama_agent: Visitor, place: Any, order_of: Any, platform: Callable[..., None]
) -> None:
    one, two, three = (place("ama", number=f"024123456{n}", gb=1) for n in range(3))
    platform(credentials_refused_since=clock.now())
    page = ama_agent.post(f"/orders/{one}/process")
    assert page.status_code == 303
    said = words(ama_agent.get(page.location).text)
    assert (
        "is in line." in said
        and "It waits: the supplier refuses our credentials." in said
    )
    assert re.search(
        r"Waiting: the supplier refuses our credentials, since \d\d:\d\d\.", said
    )
    answer = ama_agent.post("/orders/process", {"order": [two, three]})
    assert answer.status_code == 200
    assert "In line. It waits: the supplier refuses our credentials." in words(
        answer.text
    )
    assert {order_of(code).state for code in (one, two, three)} == {"queued"}


def test_a_press_by_row_shows_it_too(
    ama_agent: Visitor, place: Any, platform: Callable[..., None]
) -> None:
    code = place("ama", gb=10)
    platform(900)
    row = ama_agent.post(
        f"/orders/{code}/process?row=1", headers={"HX-Request": "true"}
    )
    assert row.status_code == 200 and "In line" in row.text


def test_a_relay_that_is_away_is_said(
    ama_agent: Visitor, clocks: Any, platform: Callable[..., None]
) -> None:
    platform()
    clocks.relay_lives = False
    clocks.pass_by(20)
    assert re.search(
        r"Nobody has looked since \d\d:\d\d whether orders can be sent",
        words(ama_agent.get("/").text),
    )
    clocks.pass_by(60)
    said = words(ama_agent.get("/orders").text)
    assert re.search(
        r"Nothing can be sent since \d\d:\d\d Why: nobody seems to look after the sending",
        said,
    )


def test_more_than_are_counted_are_said_to_be_more_in_the_bar_as_in_the_tabs(
    ama_agent: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = dict.fromkeys(orders.TABS, 1_000)
    monkeypatch.setattr(orders, "tab_counts", lambda: counted)
    assert '<span class="count hot">999+</span>' in ama_agent.get("/prices").text
