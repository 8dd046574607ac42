"""Paying online, as its customer meets it: without script, with a lost cookie, twice, late."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit

import pytest
from flask import Flask
from store_customers import Shop, fields, parse_clean, plain

from core import orders, taking
from core.orders import Order
from tests.support.asked import asked
from tests.support.till import Till

pytestmark = pytest.mark.slow(seconds=0.2)

Open = Callable[..., Shop]


@pytest.fixture
def customer_of(shop: Open) -> Shop:
    return shop("ama")


def press(shop: Shop, bundle_id: int, pay: str = "online") -> str:
    """Review, and a press; where it leads."""
    page = shop.review(bundle_id)
    form = fields(page.text) | ({"pay": pay} if pay else {})
    answer = shop.post("/orders", form)
    assert answer.status_code == 303, answer.text
    return urlsplit(answer.location).path


def order_at(till: Till, path: str) -> Order:
    with till.inside():
        found = orders.by_code(path.split("/")[2])
        assert found is not None
        return found


def test_both_ways_stand_beside_each_other(
    till: Till, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    page = customer_of.review(bundle())
    assert "now with MoMo" in page.text and "pay Ama" in plain(page.text)
    parse_clean(page.text)
    path = press(customer_of, bundle(), pay="")
    assert path.endswith(order_at(till, path).code)
    assert order_at(till, path).state == "pending"
    assert till.initialised() == 0


def test_where_it_is_off_nobody_reads_of_it(
    till: Till, superuser: object, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    superuser.execute("UPDATE stores SET pay_online = false")  # type: ignore[attr-defined]
    page = customer_of.review(bundle())
    assert "MoMo now" not in page.text and "now with MoMo" not in page.text
    refused = customer_of.post("/orders", fields(page.text) | {"pay": "online"})
    assert "cannot be paid online" in refused.text
    assert "024 123 4567" in refused.text, "what was typed is kept"
    assert till.initialised() == 0


def test_the_way_to_the_gateway_and_back_without_script(
    till: Till, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    path = press(customer_of, bundle())
    assert path.endswith("/pay")
    order = order_at(till, path)
    waiting = customer_of.get(path)
    assert waiting.status_code == 200
    assert waiting.headers["Refresh"] == f"2;url={path}"
    assert till.initialised() == 0, "no page waits for the gateway"
    parse_clean(waiting.text)
    assert customer_of.get(f"{path}?go=1").status_code == 200
    till.work()
    opened = customer_of.get(path)
    assert opened.status_code == 200, "a form's answer leads to pages of ours alone"
    assert opened.headers["Refresh"] == f"0;url={path}?go=1"
    gone = customer_of.get(f"{path}?go=1")
    assert gone.status_code == 303
    assert gone.location == till.attempts(order)[0].authorization_url
    assert "/checkout/" in gone.location
    till.pay(till.reference(order))
    back = customer_of.get(f"/orders/{order.code}/back?reference=x&trxref=x")
    assert back.status_code == 303 and back.location.endswith(order.code)
    till.pass_by(3.1)
    page = customer_of.get(f"/orders/{order.code}")
    assert "Paid. It goes to the network in its turn." in page.text
    assert "paid online at" in plain(page.text)
    assert "now with MoMo" not in page.text
    parse_clean(page.text)
    assert customer_of.get(path).location.endswith(order.code), (
        "nothing to pay any more"
    )


def test_the_return_page_never_says_that_a_paid_order_failed(
    till: Till, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    order = order_at(till, press(customer_of, bundle()))
    till.work()
    till.pay(till.reference(order))
    for _ in range(3):
        customer_of.get(f"/orders/{order.code}/back")
        page = customer_of.get(f"/orders/{order.code}")
        assert not re.search("failed|not go through|cancelled", page.text.lower())
    till.pass_by(4)
    assert till.state(order) == "queued"


def test_a_return_without_payment_is_not_thanked_for(
    till: Till, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    order = order_at(till, press(customer_of, bundle()))
    till.work()
    customer_of.get(f"/orders/{order.code}/back?reference={till.reference(order)}")
    till.work()
    page = plain(customer_of.get(f"/orders/{order.code}").text)
    assert "Waiting for payment" in page and "hank" not in page
    assert "now with MoMo" in page and "waits for your payment until" in page


def test_many_returns_are_few_questions(
    till: Till, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    """Many tabs, one call: a ring counts three seconds after the last look."""
    order = order_at(till, press(customer_of, bundle()))
    till.work()
    before = till.verified()
    for _ in range(20):
        customer_of.get(f"/orders/{order.code}/back")
        till.work()
    assert till.verified() - before <= 2


def test_a_double_click_is_one_order_and_one_attempt(
    till: Till, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    form = fields(customer_of.review(bundle()).text) | {"pay": "online"}
    first, second = (customer_of.post("/orders", form) for _ in range(2))
    assert first.location == second.location
    order = order_at(till, urlsplit(first.location).path)
    till.work()
    assert len(till.attempts(order)) == till.initialised() == 1


def test_another_try_is_for_the_ordering_device_and_one_however_often_pressed(
    till: Till, customer_of: Shop, shop: Open, bundle: Callable[..., int]
) -> None:
    order = order_at(till, press(customer_of, bundle()))
    till.work()
    till.pay(till.reference(order), "decline")
    till.pass_by(61)
    page = customer_of.get(f"/orders/{order.code}")
    assert "did not go through" in page.text and "Try again to pay" in page.text
    form = fields(page.text)
    stranger = shop("ama")
    assert stranger.post(f"/orders/{order.code}/pay", form).status_code in (400, 403)
    for _ in range(2):
        answer = customer_of.post(f"/orders/{order.code}/pay", form)
        assert answer.location.endswith("/pay")
    assert len(till.attempts(order)) == 2


@pytest.mark.parametrize("after", ["", "x", "-1", "99999999999999999999", "1.5"])
def test_a_changed_form_opens_nothing(
    till: Till, customer_of: Shop, bundle: Callable[..., int], after: str
) -> None:
    order = order_at(till, press(customer_of, bundle()))
    till.work()
    till.pay(till.reference(order), "decline")
    till.pass_by(61)
    form = fields(customer_of.get(f"/orders/{order.code}").text) | {"after": after}
    assert customer_of.post(f"/orders/{order.code}/pay", form).status_code == 303
    assert len(till.attempts(order)) == 1


def test_another_shop_knows_nothing_of_it(
    till: Till, customer_of: Shop, shop: Open, bundle: Callable[..., int]
) -> None:
    order = order_at(till, press(customer_of, bundle()))
    till.work()
    before = till.verified()
    theirs = shop("kofi")
    for path in ("pay", "pay?go=1", f"back?reference={till.reference(order)}"):
        assert theirs.get(f"/orders/{order.code}/{path}").status_code == 404
    till.pass_by(4)
    assert till.verified() == before, "nobody had the gateway asked"


@pytest.mark.parametrize("reference", ["", "x" * 5_000, "../..", "%00", "MK-P-0"])
def test_what_stands_in_the_return_address_is_not_believed(
    till: Till, customer_of: Shop, bundle: Callable[..., int], reference: str
) -> None:
    order = order_at(till, press(customer_of, bundle()))
    till.work()
    answer = customer_of.get(f"/orders/{order.code}/back?reference={reference}")
    assert answer.status_code in (303, 400)
    till.work()
    assert till.state(order) == "awaiting_payment"


def test_nobody_is_led_to_pay_for_what_cannot_be_bought(
    till: Till, superuser: object, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    path = press(customer_of, bundle())
    order = order_at(till, path)
    till.work()
    superuser.execute(  # type: ignore[attr-defined]
        "UPDATE buying SET short = (SELECT jsonb_object_agg(id, now()) FROM bundles)"
    )
    assert customer_of.get(f"{path}?go=1").location.endswith(order.code)
    page = customer_of.get(f"/orders/{order.code}").text
    assert "do not pay yet" in page and "now with MoMo" not in page


def test_money_that_goes_back_is_said_with_its_day(
    till: Till, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    order = order_at(till, press(customer_of, bundle()))
    till.work()
    till.pay(till.reference(order))
    till.pass_by(61)
    with till.across():
        orders.wait(order.id, "cost")
        assert orders.end_unbuyable() == 1
    page = plain(customer_of.get(f"/orders/{order.code}").text)
    assert "Not sent. Your GH₵" in page and "10 working days: until" in page
    assert "nstant" not in page


def test_a_late_payment_is_said_on_the_page_of_its_order(
    till: Till, customer_of: Shop, bundle: Callable[..., int]
) -> None:
    order = order_at(till, press(customer_of, bundle()))
    till.work()
    till.pass_by(31 * 60)
    assert "No payment came in time" in customer_of.get(f"/orders/{order.code}").text
    till.pay(till.reference(order))
    till.pass_by(3_600)
    page = plain(customer_of.get(f"/orders/{order.code}").text)
    assert "after this order was over" in page and "Nothing is lost" in page


def test_the_order_s_page_asks_the_same_however_often_it_was_tried(
    till: Till, customer_of: Shop, bundle: Callable[..., int], app: Flask
) -> None:
    path = press(customer_of, bundle())
    order = order_at(till, path)
    where = f"/orders/{order.code}"

    def many(path: str) -> int:
        with asked(app) as found:
            assert customer_of.get(path).status_code == 200
        return len(found.statements) + len(found.trips)

    poll = customer_of.get(where).text.partition('data-hx-get="')[2].partition('"')[0]
    paths = (where, f"{where}/pay", poll.replace("&amp;", "&").partition("?")[0])
    till.work()
    few = [many(path) for path in paths]
    for _ in range(3):
        till.pass_by(241)
        with till.inside():
            taking.try_again(order.code, till.attempts(order)[0].id)
        till.work()
    assert len(till.attempts(order)) == 4
    assert [many(path) for path in paths] == few
    assert max(few) <= 9, few


def test_working_days_leave_out_saturday_and_sunday() -> None:
    friday = date(2026, 12, 4)
    assert orders.paying.working_days_after(friday, 1) == date(2026, 12, 7)
    assert orders.paying.working_days_after(friday, 10) == date(2026, 12, 18)
