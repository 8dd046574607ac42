"""The agent's page of online payments: each figure, the list that it opens into, and how much it
asks of the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select
from visitors import Visitor

from core import online
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db
from core.online import OnlinePayment
from tests.support.asked import asked
from tests.support.kept import Keep
from tests.support.payouts_desk import AMA, Payday, apart, paydays
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.15)
PATH = "/online-payments"
LISTS = ("paid", "waiting", "held", "fresh")


@pytest.fixture
def payday(
    context: Flask,
    tmp_path: Path,
    superuser: psycopg.Connection[Any],
    jump: Callable[[float], None],
    kept: Keep[None],
) -> Iterator[Payday]:
    superuser.execute("UPDATE users SET name = %s WHERE name = 'Ama'", (AMA,))
    with paydays(context, tmp_path, superuser, jump) as build:
        made = build()

        def build() -> None:
            online.switch_platform(True, SYSTEM)
            online.switch_store(made.store_id, True, SYSTEM)

        kept("switched", build)
        yield made
        tenancy.clear()


def text_of(visitor: Visitor, path: str = PATH) -> str:
    page = apart(lambda: visitor.get(path))
    assert page.status_code == 200
    return str(page.text).replace("\N{NO-BREAK SPACE}", " ")


def figures(page: str) -> dict[str, str]:
    """Label → value of every figure of a page."""
    return dict(re.findall(r"<span>([^<]+)</span><b>([^<]*)</b>", page))


def codes(visitor: Visitor, of: str, more: str = "") -> list[str]:
    page = text_of(visitor, f"{PATH}/orders?of={of}{more}")
    return re.findall(r'href="/orders/([0-9A-Z]{10})"', page)


def busy(payday: Payday) -> dict[str, list[str]]:
    """Orders of every kind; list → codes, the newest first."""
    scene = payday.scene
    tenancy.use(payday.store_id, as_platform=True)
    delivered, _ = scene.paid(extra=2_000)
    scene.to("completed", delivered)
    going, _ = scene.paid(extra=700)
    scene.to("processing", going)
    queued, _ = scene.paid(extra=500)
    scene.to("queued", queued)
    waits = scene.order()
    scene.ask(waits)
    back, _ = scene.paid(extra=300)
    scene.to("cancelled", back)
    codes = {one: order.code for one, order in {"d": delivered, "g": going}.items()}
    codes |= {"q": queued.code, "w": waits.code, "b": back.code}
    tenancy.clear()
    return {
        "paid": [codes[one] for one in "bqgd"],
        "waiting": [codes["w"]],
        "held": [codes["q"], codes["g"]],
        "fresh": [codes["d"]],
    }


def test_each_figure_opens_into_its_orders(payday: Payday, ama_agent: Visitor) -> None:
    expected = busy(payday)
    page = text_of(ama_agent)
    for of in LISTS:
        assert f"{PATH}/orders?of={of}" in page
        assert codes(ama_agent, of) == expected[of], of
    shown = figures(page)
    # the fee of each payment is 10 pesewas, known at delivery
    assert shown["Held until delivery"] == "12.00"
    assert shown["Free a day after delivery"] == "19.90"
    assert shown["On the way"] == "0" and "1 watched" in page
    with tenancy.inside(payday.store_id):
        paid = select(func.sum(OnlinePayment.charged_pesewas))
        whole = int(db.session.scalar(paid) or 0)
    assert shown["Today"] == shown["Last 7 days"] == f"{whole / 100:,.2f}"


def test_a_payment_counts_on_the_day_it_came_and_no_longer_than_it_is_shown(
    payday: Payday, ama_agent: Visitor, logged_in: Callable[..., Visitor]
) -> None:
    busy(payday)
    whole = figures(text_of(ama_agent))["Today"]
    for days, label in ((1, "Last 7 days"), (6, "Last 14 days"), (8, None)):
        payday.pass_(days * 86_400)
        agent = apart(lambda: logged_in("ama@example.test", "portal", "ama"))
        shown = figures(text_of(agent))
        assert shown["Today"] == "0.00"
        found = [
            name for name in ("Last 7 days", "Last 14 days") if shown[name] == whole
        ]
        assert found[:1] == ([label] if label else [])
    assert "Nobody has paid online in two weeks" in text_of(agent)


def test_a_list_goes_on_where_the_page_before_ended(
    payday: Payday, ama_agent: Visitor, using: Using
) -> None:
    expected = busy(payday)
    using(page_size=1)
    for of in LISTS:
        found: list[str] = []
        more = ""
        for _ in range(6):
            page = text_of(ama_agent, f"{PATH}/orders?of={of}{more}")
            found += re.findall(r'href="/orders/([0-9A-Z]{10})"', page)
            older = re.search(r'before=(\d+)" rel="next"', page)
            if older is None:
                break
            more = f"&before={older[1]}"
        assert found == expected[of], of


@pytest.mark.parametrize("of", ["", "moon", "paid&before=x", "held&before=" + "9" * 30])
def test_an_odd_address_is_read_as_the_plain_list(
    payday: Payday, ama_agent: Visitor, of: str
) -> None:
    assert "Nobody has paid online yet" in text_of(
        ama_agent, f"{PATH}/orders?of={of}"
    ) or of.startswith("held")


def test_nothing_of_another_store(
    payday: Payday, ama_agent: Visitor, kofi_agent: Visitor
) -> None:
    busy(payday)
    assert codes(ama_agent, "paid")
    page = text_of(kofi_agent)
    assert set(figures(page).values()) <= {"0.00", "0"}
    for of in LISTS:
        assert codes(kofi_agent, of) == []
        assert codes(kofi_agent, of, "&before=999999") == []


def test_the_payout_that_comes_next(payday: Payday, ama_agent: Visitor) -> None:
    payday.earned(6_000)
    page = text_of(ama_agent)
    assert "No number yet" in page and "Not yet" in page
    payday.with_number()
    page = text_of(ama_agent)
    assert "When you ask for it" in page and "GH₵ 59.00" in page
    assert "024 123 4010" in page
    payday.ask()
    page = text_of(ama_agent)
    assert "On its way to 024 ••• 4010" in page and "GH₵ 59.00" in page


def test_the_page_asks_the_same_however_many_orders_there_are(
    payday: Payday, ama_agent: Visitor, app: Flask
) -> None:
    def many(path: str) -> int:
        with asked(app) as found:
            text_of(ama_agent, path)
        return len(found.statements) + len(found.trips)

    paths = [PATH, *(f"{PATH}/orders?of={of}" for of in LISTS)]
    few = {path: many(path) for path in paths}
    busy(payday)
    busy(payday)
    assert {path: many(path) for path in paths} == few
    assert few[PATH] <= 20 and max(few[path] for path in paths[1:]) <= 6, few
