"""What a customer reads who has too many unprocessed orders, and whose order expired or was
forgotten (S13, S21)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from store_customers import Shop, fields, parse_clean, plain, set_order

from core import orders
from core.audit import SYSTEM
from core.base import config, phones, tenancy
from storefront import device
from tests.support.queues import queue
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.2)


def many(shop: Shop, bundle_id: int, count: int) -> list[str]:
    return [shop.order(bundle_id, f"0241{number:06}") for number in range(count)]


@pytest.fixture
def full(shop: Callable[..., Shop], bundle: Callable[..., int]) -> Shop:
    """A browser with as many unprocessed orders as a device may have."""
    customer = shop("ama")
    many(customer, bundle(), config.current().orders_open_per_device)
    return customer


def test_the_page_keeps_the_form_names_the_wait_and_then_takes_it(
    full: Shop,
    bundle: Callable[..., int],
    counts: Callable[[], tuple[int, ...]],
    jump: Callable[[float], None],
) -> None:
    form = fields(full.review(bundle(), "020 765 4321").text)
    before = counts()
    page = full.post("/orders", form)
    assert page.status_code == 429
    wait_s = int(page.headers["Retry-After"])
    assert 1 <= wait_s <= 20
    assert f"Wait {wait_s} second" in page.text
    assert ">020 765 4321<" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    parse_clean(page.text)
    kept = fields(page.text)
    assert {k: v for k, v in kept.items() if k != "csrf_token"} == {
        k: v for k, v in form.items() if k != "csrf_token"
    }
    assert full.post("/orders", kept).status_code == 429, "not before its time"
    assert counts() == before
    jump(wait_s)
    assert full.post("/orders", kept).status_code == 303
    assert counts()[0] == before[0] + 1
    assert (
        full.post(
            "/orders", fields(full.review(bundle(), "0207654322").text)
        ).status_code
        == 429
    )


def test_a_second_press_of_a_placed_order_is_no_further_order(
    full: Shop, bundle: Callable[..., int]
) -> None:
    form = fields(full.review(bundle(), "0207654321").text)
    full.post("/orders", form)
    first = full.get("/").status_code
    assert first == 200  # looking is never counted


def test_cancelling_makes_room(
    full: Shop, bundle: Callable[..., int], in_store: Callable[..., Any]
) -> None:
    code = in_store("ama", lambda: queue("new").orders[0].code)
    token = fields(full.get(f"/orders/{code}").text)["csrf_token"]
    assert full.post(f"/orders/{code}/cancel", {"csrf_token": token}).status_code == 303
    assert full.order(bundle(), "0207654321")


def test_another_store_and_another_device_are_not_meant(
    full: Shop, shop: Callable[..., Shop], bundle: Callable[..., int]
) -> None:
    assert shop("ama").order(bundle(), "0207654321")
    assert shop("kofi").order(bundle("mtn", "kofi"), "0207654321")


def test_browsers_that_keep_no_device_cookie_are_counted_by_address(
    app: Flask,
    shop: Callable[..., Shop],
    bundle: Callable[..., int],
    using: Using,
) -> None:
    using(orders_open_per_address=7)

    def press() -> int:
        customer = shop("ama")  # a new one each time: what it was given before is gone
        form = fields(customer.review(bundle(), f"0207{press.count:06}").text)
        press.count += 1
        return customer.post(
            "/orders", form, environ_overrides={"REMOTE_ADDR": press.address}
        ).status_code

    press.count, press.address = 0, "41.66.0.1"
    assert [press() for _ in range(9)] == [303] * 7 + [429] * 2
    press.address = "41.66.0.2"
    assert press() == 303
    press.address = "2001:db8:1:1::1"
    assert [press() for _ in range(7)] == [303] * 7
    press.address = "2001:db8:1:1:ffff::2"  # the same line of the same subscriber
    assert press() == 429


def test_forty_presses_at_once_of_one_device_are_five_orders(
    app: Flask,
    shop: Callable[..., Shop],
    bundle: Callable[..., int],
    in_store: Callable[..., Any],
) -> None:
    customer = shop("ama")
    forms = [
        fields(customer.review(bundle(), f"0241{number:06}").text)
        for number in range(40)
    ]
    kept = {
        name: customer.client.get_cookie(name, domain="ama.localhost")
        for name in (device.COOKIE, app.config["SESSION_COOKIE_NAME"])
    }
    cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in kept.items())
    gate, answers = threading.Barrier(8), []

    def press(mine: list[dict[str, str]]) -> None:
        client = app.test_client(use_cookies=False)
        gate.wait()
        for form in mine:
            answer = client.post(
                "/orders",
                data=form,
                base_url=customer.base,
                headers={"Origin": customer.base, "Cookie": cookies},
            )
            answers.append(
                answer.location.split("/")[1]
                if answer.status_code == 303
                else answer.status_code
            )

    threads = [
        threading.Thread(target=press, args=(forms[number::8],)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (
        len(in_store("ama", lambda: queue("new").orders))
        == config.current().orders_open_per_device
    )
    assert answers.count("orders") == config.current().orders_open_per_device
    assert set(answers) - {503} == {"orders", "review"}


def test_a_cookie_that_nobody_signed_is_no_device(
    shop: Callable[..., Shop], bundle: Callable[..., int]
) -> None:
    customer = shop("ama")
    many(customer, bundle(), 5)
    customer.client.set_cookie(device.COOKIE, '["~forged"]', domain="ama.localhost")
    assert customer.order(bundle(), "0207654321"), "the address still has room"


def test_yesterdays_cookie_still_names_its_orders(
    app: Flask,
    shop: Callable[..., Shop],
    bundle: Callable[..., int],
    in_store: Callable[..., Any],
) -> None:
    customer = shop("ama")
    code = customer.order(bundle(), "0207654321")
    store_id = in_store("ama", tenancy.current_store_id)
    with app.app_context():
        old = device._signer(store_id, tuple(config.current().signing_keys)).dumps(
            [code]
        )
    customer.client.set_cookie(device.COOKIE, old, domain="ama.localhost", secure=True)
    assert "020 765 4321" in plain(customer.get(f"/orders/{code}").text)
    # which gives the device an id
    form = fields(customer.review(bundle(), "0207654322").text)
    later = customer.post("/orders", form).location.rpartition("/")[2]
    for mine in (code, later):
        assert "020 765 432" in plain(customer.get(f"/orders/{mine}").text)
    assert in_store("ama", lambda: orders.by_code(later).placed_device) is not None


def test_an_expired_order_says_that_nothing_was_sent(
    app: Flask,
    shop: Callable[..., Shop],
    bundle: Callable[..., int],
    jump: Callable[[float], None],
) -> None:
    customer = shop("ama")
    code = customer.order(bundle(), "0207654321")
    jump(config.current().pending_expires_s + 5)
    with app.app_context(), tenancy.across_stores():
        assert orders.expire_pending() == 1
    page = customer.get(f"/orders/{code}").text
    assert "Expired: nothing was sent" in page
    assert "If you have paid" in page
    assert "hx-trigger" not in page
    assert "/cancel" not in page
    parse_clean(page)


def test_a_forgotten_number_is_shown_masked_to_its_own_device_and_offers_nothing_that_needs_it(
    app: Flask,
    shop: Callable[..., Shop],
    bundle: Callable[..., int],
    in_store: Callable[..., Any],
) -> None:
    customer = shop("ama")
    code = customer.order(bundle(), "0207654321")
    assert "Buy again" in customer.get(f"/orders/{code}").text
    set_order(app, "ama", code, state="cancelled")
    with app.app_context(), tenancy.across_stores():
        assert orders.forget_number("+233207654321", SYSTEM).masked == 1
    page = customer.get(f"/orders/{code}").text
    assert phones.mask("+233207654321") in page.replace(" ", "\u00a0")
    assert "xxx" not in page
    assert "Buy again" not in page
    assert "data-keep" not in page
    assert "Buy another bundle" in page
    parse_clean(page)
