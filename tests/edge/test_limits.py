"""Limits count what they should, hold when Valkey is gone, and never make a page slow."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from limits.storage import MemoryStorage
from seed import PASSWORD
from visitors import Visitor
from werkzeug.test import TestResponse

from core import catalog
from core.base import config as settings
from edge import limits
from edge.limits import caller

QUICK_S = 0.5
CONFIRM = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


class Buyer:
    """A customer of ama's who orders for a new number each time, so that only the address is
    limited."""

    def __init__(self, app: Flask, bundle_id: int) -> None:
        self.visitor = Visitor(app, "ama")
        self.bundle_id = bundle_id
        self.numbers = (f"0241{n:06d}" for n in range(1, 1_000))

    def review(self) -> TestResponse:
        form = {"bundle": self.bundle_id, "recipient": next(self.numbers)}
        answer = self.visitor.post("/orders", form, csrf=False)
        return (
            self.visitor.get(answer.location) if answer.status_code == 303 else answer
        )

    def confirm(self, review: TestResponse) -> TestResponse:
        answer = self.visitor.post(
            "/orders", dict(CONFIRM.findall(review.text)), csrf=False
        )
        return (
            self.visitor.get(answer.location)
            if "/review/" in (answer.location or "")
            else answer
        )


@pytest.fixture
def buyer_of(in_store: Callable[..., Any]) -> Callable[[Flask], Buyer]:
    bundle_id = in_store(
        "ama", lambda: next(line.bundle_id for line in catalog.shelf())
    )
    return lambda app: Buyer(app, bundle_id)


@pytest.mark.slow(seconds=0.3)
def test_only_new_orders_count_and_one_too_many_waits(
    door_app: Callable[..., Flask], buyer_of: Callable[[Flask], Buyer]
) -> None:
    buyer = buyer_of(door_app(orders_per_address_minute=4))
    reviews = [buyer.review() for _ in range(6)]
    assert [review.status_code for review in reviews] == [200] * 6, (
        "looking is another count"
    )
    assert [buyer.confirm(reviews[0]).status_code for _ in range(8)] == [303] * 8, (
        "nor does a repeated form"
    )
    assert [buyer.confirm(review).status_code for review in reviews[1:4]] == [303] * 3
    refused = buyer.confirm(reviews[4])
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "Wait a minute and press the button again" in refused.text
    kept, sent = (dict(CONFIRM.findall(page.text)) for page in (refused, reviews[4]))
    assert {
        name: kept[name] for name in ("idempotency_key", "recipient", "bundle")
    }.items() <= sent.items()
    assert buyer.review().status_code == 200, "looking goes on"


@pytest.mark.slow(seconds=0.2)
def test_orders_that_are_only_begun_have_a_limit_too_and_keep_the_form(
    app: Flask, door_app: Callable[..., Flask], buyer_of: Callable[[Flask], Buyer]
) -> None:
    buyer = buyer_of(door_app(orders_per_address_minute=1))
    reviews = [buyer.review() for _ in range(limits.DRAFTS_EACH)]
    assert {review.status_code for review in reviews} == {200}
    refused = buyer.review()
    assert refused.status_code == 429 and refused.headers["Retry-After"] == "60"
    assert "press Continue again" in refused.text and 'value="0241' in refused.text
    assert buyer.confirm(reviews[0]).status_code == 303, "what was begun can be placed"


def test_what_does_not_count_is_given_back(
    door_app: Callable[..., Flask], buyer_of: Callable[[Flask], Buyer]
) -> None:
    """Most answers count, so each is counted before it is known."""
    buyer = buyer_of(door_app(orders_per_address_minute=1))
    useless = {"bundle": buyer.bundle_id, "recipient": "024"}
    more = 2 * limits.DRAFTS_EACH
    refused = [buyer.visitor.post("/orders", useless, csrf=False) for _ in range(more)]
    assert {answer.status_code for answer in refused} == {422}
    reviews = [buyer.review() for _ in range(limits.DRAFTS_EACH)]
    assert {review.status_code for review in reviews} == {200}
    assert [buyer.review().status_code for _ in range(3)] == [429] * 3


def test_every_limited_address_is_served(app: Flask) -> None:
    for room, method, path in (*limits.table(settings.current()), *limits.CODES):
        assert limits._endpoint(app, room, method, path)
    with pytest.raises(LookupError, match="no room serves"):
        limits._endpoint(app, "store", "POST", "/gone")


def test_every_page_of_a_code_counts_its_misses(app: Flask) -> None:
    """Whatever the method: a page left out would be a way to guess without end."""
    pages = {
        (rule.subdomain, method, re.sub("<[^>]+>", "<>", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.subdomain == "store" and "code" in rule.arguments
        for method in (rule.methods or set()) & {"GET", "POST"}
    }
    assert len(pages) >= 8 and pages <= set(limits.CODES)


def ask(
    app: Flask, method: str, path: str, store: str = "ama", address: str = "127.0.0.1"
) -> int:
    visitor = Visitor(app, store)
    if method == "POST":
        return visitor.post(path, environ_base={"REMOTE_ADDR": address}).status_code
    answer = visitor.client.open(
        path,
        method=method,
        base_url=visitor.base_url,
        environ_base={"REMOTE_ADDR": address},
    )
    return answer.status_code


WAYS = [  # to try a code
    ("GET", "/orders/{}"),
    ("HEAD", "/orders/{}"),
    ("GET", "/orders/{}/status"),
    ("HEAD", "/orders/{}/status?v=1"),
    ("GET", "/orders/{}/receipt"),
    ("HEAD", "/orders/{}/receipt"),
    ("GET", "/track?code={}"),
    ("HEAD", "/track?code={}&x=y"),
    ("POST", "/orders/{}/cancel"),
    ("POST", "/orders/{}/paid"),
    ("POST", "/orders/{}/not-received"),
]


def missing() -> Iterator[str]:
    return (f"{number:010d}" for number in range(10**6))


@pytest.mark.slow(seconds=0.6)
@pytest.mark.parametrize(("method", "path"), WAYS)
def test_guessing_codes_ends_by_every_way_alone_and_other_stores_go_on(
    app: Flask, method: str, path: str
) -> None:
    codes = missing()
    statuses = [ask(app, method, path.format(next(codes))) for _ in range(62)]
    assert statuses == [404] * 60 + [429] * 2
    assert ask(app, method, path.format(next(codes)), "kofi") == 404
    assert ask(app, method, path.format(next(codes)), address="196.201.1.9") == 404


@pytest.mark.slow(seconds=0.2)
def test_all_ways_to_guess_are_one_count(app: Flask) -> None:
    codes = missing()
    statuses = [
        ask(app, *WAYS[n % 7][:1], WAYS[n % 7][1].format(next(codes)))
        for n in range(62)
    ]
    assert statuses == [404] * 60 + [429] * 2
    for method, path in WAYS:
        assert ask(app, method, path.format(next(codes))) == 429, (method, path)


def test_guesses_in_both_languages_are_one_count(app: Flask) -> None:
    codes = missing()
    statuses = [
        ask(app, "GET", f"{'/tw' if n % 2 else ''}/orders/{next(codes)}")
        for n in range(62)
    ]
    assert statuses == [404] * 60 + [429] * 2


def test_addresses_of_one_line_guess_together(app: Flask) -> None:
    codes = missing()
    statuses = [
        ask(app, "GET", f"/orders/{next(codes)}", address=f"2001:db8:1:2::{n:x}")
        for n in range(62)
    ]
    assert statuses == [404] * 60 + [429] * 2


@pytest.mark.slow(seconds=0.4)
def test_a_code_that_is_an_order_s_is_found_however_much_a_neighbour_guessed(
    app: Flask, buyer_of: Callable[[Flask], Buyer]
) -> None:
    buyer = buyer_of(app)
    code = buyer.confirm(buyer.review()).location.rpartition("/")[2]
    codes = missing()
    for _ in range(60):
        assert ask(app, "GET", f"/orders/{next(codes)}") == 404
    for _ in range(70):
        assert ask(app, "GET", f"/orders/{code}/status") == 200
    own = Visitor(app, "ama")
    assert own.get(f"/orders/{code}").status_code == 200
    assert own.get(f"/track?code={code.lower()}").status_code == 303
    assert own.get("/track?code=").status_code == 422
    assert own.post(f"/orders/{code}/cancel").status_code == 403, (
        "found, and not this device's"
    )
    refused = own.get(f"/orders/{next(codes)}")
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
    assert "Too many tries" in refused.text
    assert own.get("/").status_code == own.get("/track").status_code == 200


@pytest.mark.slow(seconds=0.2)
def test_guesses_are_counted_without_valkey_too(
    dead_port: int, door_app: Callable[..., Flask]
) -> None:
    app = door_app(redis_url=f"redis://127.0.0.1:{dead_port}/0")
    codes = missing()
    statuses = [ask(app, "HEAD", f"/orders/{next(codes)}") for _ in range(62)]
    assert statuses == [404] * 60 + [429] * 2


def test_sixty_log_ins_of_a_neighbour_shut_nobody_out(app: Flask) -> None:
    """There is no limit of requests at the doors any more: a carrier's customers share one
    address."""
    neighbour = Visitor(app, "portal")
    for _ in range(61):
        assert (
            neighbour.post(
                "/login", {"email": "x@nowhere.test", "password": ""}
            ).status_code
            == 422
        )
    right = {"email": "ama@example.test", "password": PASSWORD}
    assert Visitor(app, "portal").post("/login", right).status_code == 303


@pytest.mark.slow(seconds=0.3)
@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_without_valkey_pages_answer_quickly_and_limits_hold(
    kind: str,
    dead_port: int,
    silent_port: int,
    door_app: Callable[..., Flask],
    buyer_of: Callable[[Flask], Buyer],
) -> None:
    port = dead_port if kind == "dead" else silent_port
    app = door_app(redis_url=f"redis://127.0.0.1:{port}/0", orders_per_address_minute=3)
    buyer = buyer_of(app)
    took, statuses = [], []

    def timed(ask: Callable[..., TestResponse], *what: TestResponse) -> TestResponse:
        began = time.monotonic()
        answer = ask(*what)
        took.append(time.monotonic() - began)
        statuses.append(answer.status_code)
        return answer

    for _ in range(5):
        timed(buyer.confirm, timed(buyer.review))
    assert statuses == [200, 303] * 3 + [200, 429] * 2, "looking is free"
    assert max(took) < QUICK_S, took
    (limiter,) = app.extensions["limiter"]
    assert isinstance(limiter.limiter.storage, MemoryStorage)


def test_valkey_is_used_again_once_it_is_back(
    door_app: Callable[..., Flask],
    buyer_of: Callable[[Flask], Buyer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = door_app()
    buyer = buyer_of(app)
    (limiter,) = app.extensions["limiter"]
    limiter._storage_dead = True
    now = time.time()
    monkeypatch.setattr("flask_limiter._extension.time.time", lambda: now + 100)
    assert buyer.review().status_code == 200
    assert not limiter._storage_dead


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("196.201.1.9", "196.201.1.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("not an address", "not an address"),
        (None, "nobody"),
    ],
)
def test_one_caller_is_one_address_or_one_ipv6_network(
    app: Flask, address: str | None, key: str
) -> None:
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": address}):
        assert caller() == key


def test_strangers_cannot_choose_their_address(app: Flask) -> None:
    with app.test_request_context(
        "/",
        environ_base={"REMOTE_ADDR": "196.201.1.9"},
        headers={"X-Forwarded-For": "10.0.0.1"},
    ):
        assert caller() == "196.201.1.9"
