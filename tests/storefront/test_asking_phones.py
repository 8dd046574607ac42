"""Paying by a prompt on a phone, as its customer meets it: without script, with a number of others,
with a code, twice, late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from store_customers import Shop, fields, parse_clean, plain

from core import online, orders
from core.audit import Actor
from core.orders import Order
from tests.support.till import Till

pytestmark = pytest.mark.slow(seconds=0.3)

Open = Callable[..., Shop]
NUMBER = "024 123 4501"


@pytest.fixture
def customer(till: Till, shop: Open) -> Shop:
    with till.app.app_context():
        online.prompts.switch(True, Actor("owner", "Owner"))
    return shop("ama")


def placed(till: Till, customer: Shop, bundle_id: int) -> tuple[Order, str]:
    """An order whose customer chose to approve on a phone, and the page that asks which."""
    form = fields(customer.review(bundle_id).text) | {"pay": "prompt"}
    path = urlsplit(customer.post("/orders", form).location).path
    assert path.endswith("/prompt")
    with till.inside():
        order = orders.by_code(path.split("/")[2])
    assert order is not None
    return order, path


def ask(customer: Shop, path: str, number: str = NUMBER, network: str = "") -> Any:
    form = fields(customer.get(path).text)
    return customer.post(path, form | {"number": number, "network": network})


def test_from_the_review_to_the_paid_order_without_script(
    till: Till, customer: Shop, bundle: Callable[..., int]
) -> None:
    page = customer.review(bundle())
    assert page.text.index("now with MoMo") < page.text.index("Approve on your phone")
    order, path = placed(till, customer, bundle())
    assert till.attempts(order) == [] and till.state(order) == "awaiting_payment"
    form = customer.get(path)
    assert 'value="024 123 4567"' in form.text, "who pays is mostly who gets it"
    parse_clean(form.text)
    assert ask(customer, path).location.endswith("/prompt")
    waiting = customer.get(path)
    assert waiting.headers["Refresh"] == f"2;url={path}"
    assert "024 ••• 4501" in plain(waiting.text)
    assert till.fake.gateway.calls["charge"] == 0, "no page waits for the gateway"
    till.work()
    told = customer.get(path)
    assert told.headers["Refresh"] == f"5;url={path}"
    assert "dial *170#" in told.text.lower() and "My Approvals" in told.text
    assert "Your network says: Approve the request on your phone" in told.text
    parse_clean(told.text)
    assert "See what to do on your phone" in customer.get(f"/orders/{order.code}").text
    till.pass_by(31)
    assert customer.get(path).location.endswith(order.code)
    assert "paid online at" in plain(customer.get(f"/orders/{order.code}").text)


def test_a_code_of_the_network_is_typed_and_never_shown_again(
    till: Till, customer: Shop, bundle: Callable[..., int]
) -> None:
    order, path = placed(till, customer, bundle())
    ask(customer, path, "020 123 4505")
    assert till.attempts(order)[0].payer_network == "telecel"
    till.work()
    page = customer.get(path)
    assert "Refresh" not in page.headers, "somebody types"
    assert "*110#" in page.text
    parse_clean(page.text)
    where = f"/orders/{order.code}/voucher"
    bad = customer.post(where, fields(page.text) | {"voucher": "1 2"})
    assert bad.status_code == 422 and "4 to 12 digits" in bad.text
    parse_clean(bad.text)
    done = customer.post(where, fields(page.text) | {"voucher": "123456"})
    assert done.status_code == 303 and "123456" not in done.location
    checked = customer.get(path)
    assert "looks at the code" in checked.text and "123456" not in checked.text
    again = customer.post(where, fields(page.text) | {"voucher": "123456"})
    assert again.status_code == 303
    till.pass_by(4)
    assert till.state(order) == "queued"
    late = customer.post(where, fields(page.text) | {"voucher": "123456"})
    assert late.location.endswith(order.code)
    assert till.fake.gateway.calls["submit_otp"] == 1


def test_what_cannot_be_asked_is_said_and_kept(
    till: Till, customer: Shop, bundle: Callable[..., int]
) -> None:
    order, path = placed(till, customer, bundle())
    for typed, network, said in (
        ("", "", "no number that can be asked"),
        ("030 212 3456", "", "no number that can be asked"),
        ("<b>1</b>", "mtn", "no number that can be asked"),
        (NUMBER, "vodafone", "Choose a network"),
    ):
        answer = ask(customer, path, typed, network)
        assert answer.status_code == 422 and said in answer.text
        parse_clean(answer.text)
    assert f'value="{NUMBER}"' in answer.text
    assert till.attempts(order) == []


def test_a_number_that_moved_is_asked_at_its_network(
    till: Till, customer: Shop, bundle: Callable[..., int]
) -> None:
    order, path = placed(till, customer, bundle())
    ask(customer, path, "0241234501", "telecel")
    till.work()
    assert till.attempts(order)[0].payer_network == "telecel"
    store = till.fake.gateway.store
    (taken,) = store.newest("payment", "test", 10)
    assert taken.doc["bank"] == "Vodafone Cash"


def test_only_the_ordering_device_has_a_phone_asked(
    till: Till, customer: Shop, shop: Open, bundle: Callable[..., int]
) -> None:
    order, path = placed(till, customer, bundle())
    form = fields(customer.get(path).text) | {"number": NUMBER, "network": ""}
    for other in (shop("ama"), shop("kofi")):
        assert other.get(path).status_code in (403, 404)
        assert other.post(path, form).status_code in (400, 403, 404)
        where = f"/orders/{order.code}/voucher"
        assert other.post(where, form | {"voucher": "1234"}).status_code in (
            400,
            403,
            404,
        )
    assert till.attempts(order) == []
    ask(customer, path)
    till.work()
    page = shop("ama").get(f"/orders/{order.code}").text
    assert "/prompt" not in page and "4501" not in page


def test_the_page_is_there_beside_it_and_after_it(
    till: Till, customer: Shop, bundle: Callable[..., int]
) -> None:
    order, path = placed(till, customer, bundle())
    page = customer.get(f"/orders/{order.code}")
    assert "Pay on the payment page" in page.text
    parse_clean(page.text)
    ask(customer, path, "024 123 4504")
    till.work()
    refused = customer.post(f"/orders/{order.code}/pay", fields(page.text))
    assert refused.status_code == 303 and len(till.attempts(order)) == 1
    assert customer.get(f"/orders/{order.code}/pay").location.endswith(order.code)
    till.pass_by(191)
    assert "did not go through" in customer.get(path).text
    page = customer.get(f"/orders/{order.code}")
    assert "Try again to pay" in page.text
    assert "Approve on your phone instead" in page.text
    form = fields(page.text)
    assert customer.post(f"/orders/{order.code}/pay", form).location.endswith("/pay")
    till.work()
    assert till.initialised() == 1


def test_a_prompt_without_an_answer_may_be_left_after_four_minutes(
    till: Till, customer: Shop, bundle: Callable[..., int]
) -> None:
    order, path = placed(till, customer, bundle())
    ask(customer, path, "024 123 4506")
    till.work()
    form = fields(customer.get(f"{path}?again=1").text)
    assert "Ask a phone again" not in customer.get(path).text
    customer.post(path, form | {"number": NUMBER, "network": "", "after": "1"})
    assert len(till.attempts(order)) == 1
    till.pass_by(241)
    assert "Ask a phone again" in customer.get(path).text
    assert ask(customer, f"{path}?again=1").location.endswith("/prompt")
    assert len(till.attempts(order)) == 2


def test_switched_off_meanwhile_the_page_is_what_is_left(
    till: Till, customer: Shop, bundle: Callable[..., int]
) -> None:
    order, path = placed(till, customer, bundle())
    form = fields(customer.get(path).text) | {"number": NUMBER, "network": ""}
    with till.app.app_context():
        online.prompts.switch(False, Actor("owner", "Owner"))
    assert customer.get(path).location.endswith(order.code)
    said = customer.post(path, form)
    assert said.status_code == 422 and "payment page" in said.text
    page = customer.get(f"/orders/{order.code}")
    assert "on your phone instead" not in page.text
    form = fields(page.text)
    assert customer.post(f"/orders/{order.code}/pay", form).location.endswith("/pay")
    till.work()
    assert till.attempts(order)[0].state == "open"


def test_where_prompts_are_off_nobody_reads_of_them(
    till: Till, shop: Open, bundle: Callable[..., int]
) -> None:
    page = shop("ama").review(bundle())
    assert "now with MoMo" in page.text and "on your phone" not in page.text


def test_a_late_payment_that_was_delivered_after_all_is_said_on_both_pages(
    till: Till, customer: Shop, bundle: Callable[..., int]
) -> None:
    from core import settling

    order, path = placed(till, customer, bundle())
    ask(customer, path, "024 123 4504")
    till.work()
    customer.post(
        f"/orders/{order.code}/cancel",
        fields(customer.get(f"/orders/{order.code}").text),
    )
    till.pay(till.reference(order))
    till.pass_by(190)
    case = till.case("paid_late")
    with till.across():
        settling.settle(
            case.id,
            "deliver",
            Actor("owner", "Owner"),
            words="asked for",
            seen_pesewas=order.price_pesewas,
        )
    fresh_id = till.attempts(order)[0].pays_order_id
    assert fresh_id is not None
    with till.inside():
        fresh = orders.by_id(fresh_id)
    page = customer.get(f"/orders/{order.code}").text
    assert "A new order was made of it" in page and f"/orders/{fresh.code}" in page
    parse_clean(page)
    assert "paid online at" in plain(customer.get(f"/orders/{fresh.code}").text)
