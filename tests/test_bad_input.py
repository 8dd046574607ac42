"""Bad input over the whole product: the right status, a sentence that says what to do, what was
typed, nothing lost.

Each row sends one bad request and asserts the status, a part of the sentence, that what was typed
is still there, and that orders, postings and outbox hold exactly the rows they held before. At most
fifteen rows on one form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest
from flask import Flask
from seed import WEBHOOK_TOKEN
from visitors import Visitor
from werkzeug.datastructures import MultiDict

from core import catalog, orders
from core.base import tenancy
from core.base.db import db
from tests.support.kept import Keep

STORE, QUEUE, PRICES, LOGIN, FUND, TRACK, HOOK, HOST, ORDER = (
    "store order", "process", "prices", "log-in", "fund wallet", "track", "webhook", "host",
    "order page",
)  # fmt: skip


@dataclass(frozen=True)
class Bad:
    """One bad request. `form` may name `{bundle}`, `{mine}`, `{theirs}`, `{csrf}`."""

    form_name: str
    name: str
    who: str
    path: str
    form: Any
    status: int | tuple[int, ...]
    says: str
    keeps: str | None = None
    csrf: bool = True
    origin: str | None = ""
    method: str = "POST"


OK_ORDER = {"bundle": "{bundle}", "recipient": "024 123 4567"}
CONFIRMED = {**OK_ORDER, "confirm": "1", "idempotency_key": "bad-input-key-00000001"}

TABLE = [
    # The customer's form. Shapes of numbers are in core/test_phones.py; these are the form's own.
    Bad(STORE, "nothing at all", "ama", "/orders", {}, 422, "Choose a bundle"),
    Bad(STORE, "no number", "ama", "/orders", {"bundle": "{bundle}"}, 422, "Type the number"),
    Bad(STORE, "a short number", "ama", "/orders", {"bundle": "{bundle}",
    "recipient": "024 123 456"}, 422, "9 digits", "024 123 456"),
    Bad(STORE, "a landline", "ama", "/orders", {"bundle": "{bundle}", "recipient": "0302 123 456"},
    422, "landline", "0302 123 456"),
    Bad(STORE, "no bundle, number kept", "ama", "/orders", {"recipient": "024 123 4567"}, 422,
    "Choose a bundle", "024 123 4567"),
    Bad(STORE, "a bundle that is no number", "ama", "/orders", {"bundle": "five",
    "recipient": "024 123 4567"}, 422, "from the list", "024 123 4567"),
    Bad(STORE, "a bundle of nowhere", "ama", "/orders", {"bundle": "987654",
    "recipient": "024 123 4567"}, 422, "not on sale", "024 123 4567"),
    Bad(STORE, "a huge bundle id", "ama", "/orders", {"bundle": "9" * 40,
    "recipient": "024 123 4567"}, 422, "bundle", "024 123 4567"),
    Bad(STORE, "confirmed without a token", "ama", "/orders", CONFIRMED, 400,
    "nothing has been ordered", "024", csrf=False),
    Bad(STORE, "confirmed with a stale token", "ama", "/orders", {**CONFIRMED,
    "csrf_token": "stale"}, 400, "nothing has been ordered", "024", csrf=False),
    Bad(STORE, "confirmed without a key", "ama", "/orders", {**CONFIRMED, "idempotency_key": ""},
    422, "nothing has been ordered", "024"),
    Bad(STORE, "a key of odd characters", "ama", "/orders", {**CONFIRMED,
    "idempotency_key": "é" * 20}, 422, "nothing has been ordered", "024"),
    Bad(STORE, "another price than the present one", "ama", "/orders", {**CONFIRMED, "price": "1"},
    422, "price has changed", "024"),
    Bad(STORE, "a form of a megabyte", "ama", "/orders", {**OK_ORDER, "x": "x" * 1_000_000}, 413,
    "larger than any form"),
    Bad(STORE, "from another site", "ama", "/orders", CONFIRMED, 403,
    "did not come from a page of this address", origin="http://kofi.localhost"),
    # The order page.
    Bad(ORDER, "a code of another store", "ama", "/orders/{theirs}", None, 404, "no order",
    method="GET"),
    Bad(ORDER, "no code at all", "ama", "/orders/%20", None, 404, "no order", method="GET"),
    Bad(ORDER, "a status of another store", "ama", "/orders/{theirs}/status?v=1", None, 404, "",
    method="GET"),
    Bad(ORDER, "a version that is no number", "ama", "/orders/{mine}/status?v=abc", None, 200,
    "Pending", method="GET"),
    Bad(ORDER, "cancelling somebody else's order", "ama", "/orders/{mine}/cancel", {}, (403, 404),
    "open this page where you ordered"),
    Bad(ORDER, "cancelling without a token", "ama", "/orders/{mine}/cancel", {}, 400, "",
    csrf=False),
    Bad(ORDER, "saying that somebody else's order is paid", "ama", "/orders/{mine}/paid",
    {"time": "10:04", "payer": "Kwame"}, (403, 404), "placed this order"),
    Bad(ORDER, "saying so without a token", "ama", "/orders/{mine}/paid", {"payer": "Kwame"}, 400,
    "", csrf=False),
    Bad(ORDER, "reporting somebody else's order", "ama", "/orders/{mine}/not-received",
    {"balance": "none"}, (403, 404), "placed this order"),
    # Track.
    Bad(TRACK, "a landline to find orders by", "ama", "/track/number",
    {"number": "0302 123 456", "pay_code": "386669"}, 422, "landline", "0302 123 456"),
    Bad(TRACK, "a pay code of three digits", "ama", "/track/number",
    {"number": "024 123 4567", "pay_code": "123"}, 422, "six digits", "024 123 4567"),
    Bad(TRACK, "a number without a token", "ama", "/track/number", {"number": "024 123 4567"},
    400, "", csrf=False),
    Bad(TRACK, "a code that cannot be one", "ama", "/track?code=hello", None, (200, 404, 422),
    "code", "hello", method="GET"),
    Bad(TRACK, "a code nobody has", "ama", "/track?code=ZZZZ-ZZZZ-ZZ", None, (200, 404, 422),
    "code", "ZZZZ-ZZZZ-ZZ", method="GET"),
    Bad(TRACK, "a code of another store", "ama", "/track?code={theirs}", None, (200, 404, 422),
    "code", method="GET"),
    Bad(TRACK, "a number instead of a code", "ama", "/track?code=0241234567890123", None, (200,
    404, 422), "code", method="GET"),
    Bad(TRACK, "a code with a NUL", "ama", "/track?code=%00%00", None, 400,
    "characters that no page", method="GET"),
    # The agent's queue.
    Bad(QUEUE, "nothing chosen", "agent", "/orders/process", {}, (303, 422), ""),
    Bad(QUEUE, "an order of another store", "agent", "/orders/process", {"order": "{theirs}"},
    (200, 303, 404, 422), ""),
    Bad(QUEUE, "another store's order page", "agent", "/orders/{theirs}", None, 404,
    "no page at this address", method="GET"),
    Bad(QUEUE, "processing another store's order", "agent", "/orders/{theirs}/process", {}, 404,
    "no page at this address"),
    Bad(QUEUE, "cancelling another store's order", "agent", "/orders/{theirs}/cancel", {}, 404,
    "no page at this address"),
    Bad(QUEUE, "checking an order that was never sent", "agent", "/orders/{mine}/recheck", {},
    (303, 409, 422), ""),
    Bad(QUEUE, "a code that cannot be one", "agent", "/orders/process", {"order": "\x00'; --"},
    (200, 303, 404, 422), ""),
    Bad(QUEUE, "no token", "agent", "/orders/{mine}/process", {}, 400, "grown old", csrf=False),
    Bad(QUEUE, "from a store's page", "agent", "/orders/{mine}/process", {}, 403,
    "did not come from a page of this address", origin="http://ama.localhost"),
    Bad(QUEUE, "a tab that does not exist", "agent", "/orders?tab=nowhere", None, (200, 303),
    "Orders", method="GET"),
    Bad(QUEUE, "a page that is no number", "agent", "/orders?before=abc", None, (200, 400),
    "Orders", method="GET"),
    Bad(QUEUE, "a search of nonsense", "agent", "/orders?q=%25%27%22%3Cscript%3E", None, 200,
    "Orders", method="GET"),
    # Prices.
    Bad(PRICES, "below the floor", "agent", "/prices", {"price-{bundle}": "0.01"}, 422,
    "costs you", "0.01"),
    Bad(PRICES, "letters", "agent", "/prices", {"price-{bundle}": "five"}, 422, "digits only",
    "five"),
    Bad(PRICES, "three decimals", "agent", "/prices", {"price-{bundle}": "5.999"}, 422,
    "two digits", "5.999"),
    Bad(PRICES, "negative", "agent", "/prices", {"price-{bundle}": "-5"}, 422, "negative", "-5"),
    Bad(PRICES, "absurdly high", "agent", "/prices", {"price-{bundle}": "99999"}, 422, "too high",
    "99999"),
    Bad(PRICES, "empty", "agent", "/prices", {"price-{bundle}": ""}, 422, "type a price"),
    Bad(PRICES, "a formula", "agent", "/prices", {"price-{bundle}": "=1+1"}, 422, "digits only",
    "=1+1"),
    Bad(PRICES, "a bundle of nowhere", "agent", "/prices", {"price-987654": "5.00"}, (303, 422),
    ""),
    Bad(PRICES, "no token", "agent", "/prices", {"price-{bundle}": "9.00"}, 400, "grown old",
    csrf=False),
    Bad(PRICES, "by a cashier", "cashier", "/prices", {"price-{bundle}": "9.00"}, 403, ""),
    # Log-in, both doors.
    Bad(LOGIN, "nothing", "portal", "/login", {}, 422, "e-mail"),
    Bad(LOGIN, "no password", "portal", "/login", {"email": "ama@example.test"}, 422, "password",
    "ama@example.test"),
    Bad(LOGIN, "a wrong password", "portal", "/login", {"email": "ama@example.test",
    "password": "wrong-password"}, (401, 422), "do not belong together", "ama@example.test"),
    Bad(LOGIN, "nobody's e-mail", "portal", "/login", {"email": "x@example.test",
    "password": "wrong-password"}, (401, 422), "do not belong together", "x@example.test"),
    Bad(LOGIN, "no e-mail address", "portal", "/login", {"email": "ama",
    "password": "wrong-password"}, 422, "whole e-mail", "ama"),
    Bad(LOGIN, "a password of a kilobyte", "portal", "/login", {"email": "ama@example.test",
    "password": "x" * 1_000}, (401, 422), "password", "ama@example.test"),
    Bad(LOGIN, "an agent at the console", "admin", "/login", {"email": "ama@example.test",
    "password": "correct horse battery"}, (401, 422), "", "ama@example.test"),
    Bad(LOGIN, "no token", "portal", "/login", {"email": "ama@example.test", "password": "x"}, 400,
    "", csrf=False),
    # Funding.
    Bad(FUND, "no amount", "owner", "/stores/ama/fund", {"reason": "MoMo 1"}, 422, "amount",
    "MoMo 1"),
    Bad(FUND, "letters", "owner", "/stores/ama/fund", {"amount": "lots", "reason": "MoMo 1"}, 422,
    "digits only", "lots"),
    Bad(FUND, "negative", "owner", "/stores/ama/fund", {"amount": "-50", "reason": "MoMo 1"}, 422,
    "negative", "-50"),
    Bad(FUND, "zero", "owner", "/stores/ama/fund", {"amount": "0", "reason": "MoMo 1"}, 422,
    "above zero", "MoMo 1"),
    Bad(FUND, "far too much", "owner", "/stores/ama/fund", {"amount": "999999",
    "reason": "MoMo 1"}, 422, "check the amount", "999999"),
    Bad(FUND, "no reason", "owner", "/stores/ama/fund", {"amount": "50"}, 422, "reason", "50"),
    Bad(FUND, "a store of nowhere", "owner", "/stores/nobody/fund", {"amount": "50",
    "reason": "MoMo 1"}, 404, ""),
    Bad(FUND, "by an agent", "agent at admin", "/stores/ama/fund", {"amount": "50",
    "reason": "MoMo 1"}, (303, 401, 403), ""),
    Bad(FUND, "no token", "owner", "/stores/ama/fund", {"amount": "50", "reason": "MoMo 1"}, 400,
    "", csrf=False),
    # Webhooks.
    Bad(HOOK, "a wrong token", "hooks", "/datamart/wrong", b"{}", 404, "", csrf=False),
    Bad(HOOK, "no JSON", "hooks", f"/datamart/{WEBHOOK_TOKEN}", b"\xff\x00", 204, "", csrf=False),
    Bad(HOOK, "a reference of nowhere", "hooks", f"/datamart/{WEBHOOK_TOKEN}",
    b'{"data":{"reference":"MK-X"}}', 204, "", csrf=False),
    Bad(HOOK, "two megabytes", "hooks", f"/datamart/{WEBHOOK_TOKEN}", b"x" * 2_000_000, 413, "",
    csrf=False),
    # Hosts.
    Bad(HOST, "a store of nowhere", "nobody-here", "/", None, 404, "no shop", method="GET"),
    Bad(HOST, "an order at a store of nowhere", "nobody-here", "/orders", OK_ORDER, 404, "no shop"),
    Bad(HOST, "a page of nowhere", "ama", "/wp-login.php", None, 404, "", method="GET"),
    Bad(HOST, "a method of nowhere", "ama", "/", {}, 405, ""),
]  # fmt: skip


@pytest.fixture
def twins(in_store: Callable[..., Any], kept: Keep[dict[str, str]]) -> dict[str, str]:
    """What rows of the table name: a bundle, an order of ama's, one of kofi's."""
    return kept("twins", lambda: build_twins(in_store))


def build_twins(in_store: Callable[..., Any]) -> dict[str, str]:

    def place() -> str:
        return orders.place(
            bundle_id=catalog.shelf()[0].bundle_id,
            recipient_msisdn="+233551234567",
            idempotency_key="twin" * 6,
        ).order.code

    return {
        "bundle": str(in_store("ama", lambda: catalog.shelf()[0].bundle_id)),
        "mine": in_store("ama", place),
        "theirs": in_store("kofi", place),
    }


def rows(app: Flask) -> tuple[int, ...]:
    with app.app_context(), tenancy.across_stores():
        return tuple(
            db.session.execute(db.text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("orders", "postings", "entries", "outbox")
        )


def fill(what: Any, names: dict[str, str]) -> Any:
    if isinstance(what, str):
        for name, value in names.items():
            what = what.replace("{" + name + "}", value)
        return what
    if isinstance(what, dict):
        return {fill(key, names): fill(value, names) for key, value in what.items()}
    return what


@pytest.mark.slow(seconds=0.1)
@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: f"{bad.form_name}: {bad.name}")
def test_bad_input_is_answered_and_nothing_is_lost(
    app: Flask, bad: Bad, twins: dict[str, str], logged_in: Callable[..., Visitor]
) -> None:
    visitor = _visitor(app, bad.who, logged_in)
    before = rows(app)
    path, form = fill(bad.path, twins), fill(bad.form, twins)
    if bad.method == "GET":
        answer = visitor.get(path)
    else:
        answer = visitor.post(path, form, csrf=bad.csrf, origin=bad.origin)
    wanted = bad.status if isinstance(bad.status, tuple) else (bad.status,)
    text = re.sub(
        r"\s+",
        " ",
        unescape(
            re.sub(r"<style.*?</style>|<[^>]+>", " ", answer.text, flags=re.DOTALL)
        ),
    ).replace("\u00a0", " ")
    assert answer.status_code in wanted, text[:500]
    assert bad.says.lower() in text.lower(), text[:800]
    if bad.keeps is not None:
        assert bad.keeps in unescape(answer.text).replace("\u00a0", " ")
    if answer.status_code >= 400 and bad.form_name != HOOK and "status" not in path:
        assert re.search(r"[a-z][^.]{15,}\.", text), "there is no sentence"
    assert rows(app) == before


def test_the_table_is_wide_enough() -> None:
    assert len(TABLE) >= 60
    assert max(Counter(bad.form_name for bad in TABLE).values()) <= 15
    assert len({(bad.form_name, bad.name) for bad in TABLE}) == len(TABLE)


def test_repeated_fields_are_read_once(app: Flask, twins: dict[str, str]) -> None:
    visitor = Visitor(app, "ama")
    form = MultiDict(
        [
            ("bundle", twins["bundle"]),
            ("bundle", "999"),
            ("recipient", "024 123 4567"),
            ("recipient", "x"),
        ]
    )
    before = rows(app)
    answer = visitor.post("/orders", form)
    assert answer.status_code == 303
    review = visitor.get(answer.location).text
    assert "Check before you order" in review and ">024 123 4567<" in review
    assert rows(app) == before


def _visitor(app: Flask, who: str, logged_in: Callable[..., Visitor]) -> Visitor:
    if who == "agent":
        return logged_in("ama@example.test", "portal", "ama")
    if who == "cashier":
        return logged_in("cashier@example.test", "portal", "ama")
    if who == "owner":
        return logged_in("owner@example.test", "console")
    if who == "agent at admin":
        visitor = logged_in("ama@example.test", "portal", "ama")
        visitor.base_url = "http://admin.localhost"
        return visitor
    return Visitor(app, who)
