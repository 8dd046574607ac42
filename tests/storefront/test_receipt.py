"""The receipt: a page of paper that says what is so, to whoever has the code."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote

import pytest
from store_customers import parse_clean, plain, set_order
from test_what_can_be_bought import statements, trips  # noqa: F401 - a fixture

from core import orders
from core.base import clock
from storefront import receipt

pytestmark = pytest.mark.slow(seconds=0.1)

WHOLE, MASKED = "024 123 4567", "024 ••• 4567"


def path(code: str) -> str:
    return f"/orders/{code}/receipt"


def test_it_says_what_was_ordered_where_and_for_how_much(shop, bundle):
    customer = shop("ama")
    code = customer.order(bundle())
    answer = customer.get(path(code))
    html = plain(unescape(answer.text))
    shown = f"{code[:4]}-{code[4:8]}-{code[8:]}"
    local = clock.now().astimezone(clock.ACCRA)
    for fact in (
        "Ama's Data",
        shown,
        "MTN 1 GB",
        "GH₵ ",
        "Pending",
        "Not confirmed by Ama's Data yet",
        f"{local.day} {local:%b %Y, }",
        "Accra time",
        f"http://ama.localhost/orders/{code}",
    ):
        assert fact in html, fact
    assert "Delivered" not in html and "Accepted" not in html
    assert '<meta name="robots" content="noindex">' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    parse_clean(answer.text)
    assert f'href="{path(code)}"' in customer.get(f"/orders/{code}").text


def test_only_the_ordering_device_sees_the_number(shop, bundle):
    customer, friend = shop("ama"), shop("ama")
    code = customer.order(bundle())
    assert WHOLE in plain(customer.get(path(code)).text)
    theirs = plain(friend.get(path(code)).text)
    assert MASKED in theirs and WHOLE not in theirs and "0241234567" not in theirs


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state": "cancelled"}, "Cancelled. Nothing was sent."),
        ({"state": "expired"}, "Nothing was sent."),
        ({"state": "refunded", "queued_at": clock.now()}, "Not delivered"),
    ],
)
def test_of_an_order_that_came_to_nothing_it_says_so(app, shop, bundle, values, words):
    customer = shop("ama")
    code = customer.order(bundle())
    set_order(app, "ama", code, final_at=clock.now(), **values)
    html = unescape(customer.get(path(code)).text)
    assert words in html
    assert not re.search(r"<dt>Delivered</dt>", html)
    if values["state"] != "refunded":
        assert "None confirmed by Ama's Data" in html and "Paid" not in html


def test_of_a_delivered_order_it_says_when(app, shop, bundle):
    customer = shop("ama")
    code = customer.order(bundle())
    now = clock.now()
    set_order(
        app,
        "ama",
        code,
        state="completed",
        queued_at=now,
        completed_at=now,
        final_at=now,
    )
    html = unescape(customer.get(path(code)).text)
    assert "<dt>Accepted</dt>" in html and "<dt>Delivered</dt>" in html
    assert "Paid to Ama's Data directly: Ama's Data confirmed it" in html


def test_its_code_leads_to_the_order_at_the_store_s_own_address(shop, bundle, using):
    using(public_scheme="https", base_domain="localhost")
    customer = shop("ama")
    code = customer.order(bundle())
    html = customer.get(path(code)).text
    drawn = receipt._qr(f"https://ama.localhost/orders/{code}")
    assert str(drawn) in html
    assert str(receipt._qr(f"https://kofi.localhost/orders/{code}")) not in html


def test_it_is_shared_by_its_own_address_and_without_the_number(shop, bundle):
    customer = shop("ama")
    code = customer.order(bundle())
    html = customer.get(path(code)).text
    link = unescape(re.search(r'<a id="share" href="([^"]+)"', html)[1])
    assert link.startswith("https://wa.me/?text=")
    assert unquote(link).endswith(f"http://ama.localhost{path(code)}")
    assert "4567" not in unquote(link)
    assert re.search(r'<button type="button" id="print" hidden>', html)


def test_a_code_that_is_no_order_s_reads_as_on_the_order_page(shop, bundle):
    ours = shop("ama")
    theirs = shop("kofi").order(bundle(slug="kofi"))
    for code in ("7777777777", theirs, "x", "%00"):
        answer = ours.get(path(code))
        assert answer.status_code in (404, 400)
        # but for the address of the page in the other language
        said = answer.text.replace(f"{code}/receipt", code)
        assert said == ours.get(f"/orders/{code}").text


def test_it_answers_get_and_head_and_nothing_else(shop, bundle):
    customer = shop("ama")
    where = path(customer.order(bundle()))
    head = customer.client.head(where, base_url=customer.base)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Cache-Control"] == "no-store"
    for method in ("POST", "PUT", "DELETE"):
        answer = customer.client.open(
            where,
            method=method,
            base_url=customer.base,
            headers={"Origin": customer.base},
        )
        assert answer.status_code == 405, method


def test_it_is_read_in_one_trip(app, shop, bundle, trips):  # noqa: F811
    customer = shop("ama")
    where = path(customer.order(bundle()))
    customer.get(where)
    del trips[:]
    assert statements(app, lambda: customer.get(where)) == []
    assert [len(trip) for trip in trips] == [2]


@pytest.mark.parametrize("state", orders.STATES)
def test_every_state_is_shown(app, shop, bundle, state):
    customer = shop("ama")
    code = customer.order(bundle())
    over = clock.now() if state in orders.FINAL else None
    set_order(app, "ama", code, state=state, final_at=over)
    answer = customer.get(path(code))
    assert answer.status_code == 200
    parse_clean(answer.text)
