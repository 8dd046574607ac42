"""The agent's payouts: what there is, the press with its fee, where it goes, each payout with its
orders, and who may do what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from visitors import Visitor

from core import online, payouts
from core.audit import SYSTEM
from core.base import clock, tenancy
from tests.support.kept import Keep
from tests.support.payouts_desk import AMA, NUMBER, Payday, apart, paydays

pytestmark = pytest.mark.slow(seconds=0.15)


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
            made.earned()

        kept("earned", build)
        yield made
        tenancy.clear()


def text_of(visitor: Visitor, path: str = "/payouts") -> str:
    return apart(lambda: visitor.get(path)).text.replace("\N{NO-BREAK SPACE}", " ")


def press(visitor: Visitor, path: str, **data: Any) -> Any:
    return apart(lambda: visitor.post(path, data=data))


def amount_of(page: str) -> str:
    found = re.search(r'name="amount" value="(\d+)"', page)
    assert found is not None
    return found[1]


def test_from_naming_a_number_to_the_money(payday: Payday, ama_agent: Visitor) -> None:
    page = text_of(ama_agent)
    assert "Say first to which number your earnings go" in page and "60.00" in page
    answer = press(ama_agent, "/payouts/number", number=NUMBER, network="")
    assert answer.status_code == 303
    assert "is being checked" in text_of(ama_agent)
    payday.work()
    page = text_of(ama_agent)
    assert "AMA OWUSU" in page and "Pay out GH₵ 59.00" in page
    assert "GH₵ 1.00" in page and "GH₵ 60.00" in page  # the fee is said before
    sent = amount_of(page)
    assert press(ama_agent, "/payouts", amount=sent).status_code == 303
    assert "GH₵ 59.00 are on their way in a moment" in text_of(ama_agent)
    again = press(ama_agent, "/payouts", amount=sent)
    assert again.status_code == 422 and "under way" in again.text
    with tenancy.inside(payday.store_id):
        (payout,) = payouts.listing.newest(payday.store_id)
    payday.settle(payout)
    page = text_of(ama_agent, f"/payouts/{payout.id}")
    assert "Paid" in page and page.count("/orders/") == 1 and "60.00" in page


def test_each_payout_opens_into_its_orders_and_what_was_left(
    payday: Payday, logged_in: Callable[..., Visitor]
) -> None:
    """The sum of the lines is the payout: deliveries of the last day come in the next one."""
    payday.with_number()
    first = payday.settle(payday.ask(3_000))
    payday.pass_(86_400)
    payday.earned(2_500, 1_500)
    second = payday.ask()
    ama_agent = apart(lambda: logged_in("ama@example.test", "portal", "ama"))
    assert second.amount_pesewas == 6_000 + 4_000 - 3_100 - 100
    shown = _sheet(ama_agent, second.id)
    assert [row[4] for row in shown if row[1] == "Delivered"] == ["15.00", "25.00"]
    sums = {row[1]: row[4] for row in shown if not row[0]}
    assert sums == {
        "From before": "29.00",
        "Fee": "-1.00",
        "Paid out": "-68.00",
        "Left": "0.00",
    }
    assert [row[4] for row in _sheet(ama_agent, first.id)][-1] == "29.00"
    with tenancy.inside(payday.store_id):
        for payout in (first, second):
            drawn = payouts.listing.drawn(payday.read(payout))
            whole = payout.amount_pesewas + payout.fee_pesewas
            assert (
                drawn.before_pesewas + drawn.came_pesewas == whole + drawn.left_pesewas
            )


def test_a_cancelled_payout_leaves_its_orders_to_the_next(
    payday: Payday, ama_agent: Visitor
) -> None:
    payday.with_number()
    payout = payday.ask()
    path = f"/payouts/{payout.id}/cancel"
    for _ in range(2):
        assert press(ama_agent, path).status_code == 303
    assert "Cancelled" in text_of(ama_agent, f"/payouts/{payout.id}")
    again = payday.ask()
    lines = [row for row in _sheet(ama_agent, again.id) if row[1] == "Delivered"]
    assert len(lines) == 1 and payday.read(again).payable_pesewas == 6_000


def test_a_payout_that_came_back_is_a_line_of_the_next(
    payday: Payday, logged_in: Callable[..., Visitor]
) -> None:
    payday.with_number()
    payday.knobs(transfer_outcome="reversed")
    payout = payday.settle(payday.ask())
    payday.pass_(2 * 86_400 + 60)
    payday.ring(payout.reference)
    payday.work()
    ama_agent = apart(lambda: logged_in("ama@example.test", "portal", "ama"))
    assert "came back" in text_of(ama_agent, f"/payouts/{payout.id}")
    payday.knobs(transfer_outcome="success")
    again = payday.ask()
    assert [row[1] for row in _sheet(ama_agent, again.id) if row[0]][1:] == [
        "A payout came back"
    ]


def _sheet(visitor: Visitor, payout_id: int) -> list[list[str]]:
    answer = apart(lambda: visitor.get(f"/payouts/{payout_id}.csv"))
    text = answer.get_data(as_text=True).removeprefix("\ufeff")
    return [row for row in csv.reader(io.StringIO(text)) if row]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("O24 123 4567", "letter"),
        ("024 123 456", "digit"),
        ("030 123 4567", ""),
        ("", ""),
        ("=1+1", ""),
        ("0" * 400, ""),
    ],
)
def test_a_bad_number_gets_a_sentence_and_is_kept(
    payday: Payday, ama_agent: Visitor, number: str, said: str
) -> None:
    answer = press(ama_agent, "/payouts/number", number=number, network="mtn")
    assert answer.status_code == 422 and 'id="number-error"' in answer.text
    assert said in answer.text and f'value="{number[:40]}"' in answer.text
    assert tables_owner.read("SELECT count(*) FROM payout_accounts") == [0]


def test_odd_amounts_and_networks_move_nothing(
    payday: Payday, ama_agent: Visitor
) -> None:
    payday.with_number()
    for amount in ("", "x", "-5900", "5901", "9" * 30, "59.00", "0"):
        assert press(ama_agent, "/payouts", amount=amount).status_code == 422, amount
    odd = press(ama_agent, "/payouts/number", number="0551234567", network="vodafone")
    assert odd.status_code == 422 and "Choose the network" in odd.text
    for path in ("/payouts/x", "/payouts/999999", "/payouts/0.csv"):
        assert apart(partial(ama_agent.get, path)).status_code == 404
    assert tables_owner.read("SELECT count(*) FROM payouts") == [0]


def test_only_the_owner_of_the_store_moves_money(
    payday: Payday, logged_in: Callable[..., Visitor]
) -> None:
    payday.with_number()
    for who in ("cashier", "viewer"):
        visitor = logged_in(f"{who}@example.test", "portal", "ama")
        page = text_of(visitor)
        assert "<form" not in page.partition("<main")[2].partition("</main")[0]
        assert "024 123 4010" not in page and "024 ••• 4010" in page
        for path in ("/payouts", "/payouts/number", "/payouts/schedule"):
            assert press(visitor, path, amount="5900").status_code == 403


def test_another_stores_payout_is_not_there(
    payday: Payday, kofi_agent: Visitor
) -> None:
    payday.with_number()
    payout = payday.ask()
    for path in (f"/payouts/{payout.id}", f"/payouts/{payout.id}.csv"):
        assert apart(partial(kofi_agent.get, path)).status_code == 404
    assert press(kofi_agent, f"/payouts/{payout.id}/cancel").status_code == 404
    assert payday.read(payout).state == "approved"


def test_asked_once_more_who_it_is(
    payday: Payday, ama_agent: Visitor, superuser: psycopg.Connection[Any]
) -> None:
    payday.with_number()
    superuser.execute("UPDATE sessions SET confirmed_at = now() - interval '1 hour'")
    for path in ("/payouts", "/payouts/number", "/payouts/schedule"):
        answer = press(ama_agent, path, amount="5900", number="0551234567", weekly="1")
        assert answer.headers["Location"].startswith("/account/confirm"), path
    assert tables_owner.read("SELECT count(*) FROM payouts") == [0]
    assert tables_owner.read("SELECT count(*) FROM payout_accounts") == [1]
    assert tables_owner.read("SELECT count(*) FROM payout_schedules") == [0]


def test_without_a_second_step_the_page_leads_to_one(
    payday: Payday, ama_agent: Visitor, superuser: psycopg.Connection[Any]
) -> None:
    payday.with_number()
    superuser.execute("DELETE FROM second_steps")
    page = text_of(ama_agent)
    assert "/account/second-step" in page and 'name="amount"' not in page
    answer = press(ama_agent, "/payouts", amount="5900")
    assert answer.status_code == 422 and "second step" in answer.text


def test_mondays_on_and_off(payday: Payday, ama_agent: Visitor) -> None:
    assert press(ama_agent, "/payouts/schedule", weekly="1").status_code == 303
    assert "paid out by itself, next on" in text_of(ama_agent)
    press(ama_agent, "/payouts/schedule", weekly="0")
    assert "Pay out each Monday" in text_of(ama_agent)
    assert tables_owner.read(
        "SELECT action FROM audit WHERE action LIKE 'weekly%'"
    ) == [
        "weekly_payouts_on",
        "weekly_payouts_off",
    ]


def test_off_the_page_says_so_and_nothing_links_to_it(
    context: Flask, ama_agent: Visitor
) -> None:
    page = text_of(ama_agent)
    assert "do not pay online" in page and "Pay out now" not in page
    assert "/payouts" not in text_of(ama_agent, "/wallet")


def test_switched_off_later_what_was_earned_stays(
    payday: Payday, ama_agent: Visitor
) -> None:
    assert "/payouts" in text_of(ama_agent, "/wallet")
    online.switch_store(payday.store_id, False, SYSTEM)
    page = text_of(ama_agent)
    assert "stays yours" in page and "60.00" in page


def test_another_number_is_news_for_everybody_of_the_store(
    payday: Payday, ama_agent: Visitor, logged_in: Callable[..., Visitor]
) -> None:
    payday.with_number()
    viewer = logged_in("viewer@example.test", "portal", "ama")
    for visitor in (ama_agent, viewer):
        page = text_of(visitor, "/news")
        assert "Your earnings go to another number" in page
        assert f"024 ••• 4010, by {AMA}" in page
    other = logged_in("kofi@example.test", "portal", "kofi")
    assert "another number" not in text_of(other, "/news")


def test_a_device_is_told_of_another_number(payday: Payday) -> None:
    from core.notices import KINDS, reading

    before = clock.now()
    payday.with_number()
    with tenancy.inside(payday.store_id):
        found = reading.counted(before, clock.now(), KINDS)
    assert found["number"] == 1
