"""Every route with every method, as nobody, customer, agent of store A and owner, with ids of store
B: never a 500.

The whole URL map is walked, so a new route is fuzzed the day it appears. Requests and status counts
are printed per role (`pytest -s`); at least a fifth of them must get past the guards, or the fuzz
would prove nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from flask import Flask
from seed import WEBHOOK_TOKEN
from visitors import Visitor
from werkzeug.routing import Rule

from core import catalog, ledger, orders
from core.audit import Actor
from core.base import tenancy
from core.base.db import db
from core.orders import Order

pytestmark = pytest.mark.alone

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
FORMS = ("GET", "POST", "HEAD")
"""With each value of an address; what no route takes is refused by its rule, whatever the value."""
HOSTS = {
    "store": "ama",
    "portal": "portal",
    "admin": "admin",
    "hooks": "hooks",
    "bare": "",
}
NASTY = (
    "", "0", "-1", "1", "999999999999999999999", "1e9", "NaN", "%00", "\x00", "é", "٣",
    "../../etc/passwd", "'; DROP TABLE",
    "<script>", "=1+1", "a" * 3_000, "\u202e", "{{7*7}}", "true", "[]", " ", "\r\nX: y",
    "ZZZZ-ZZZZ-ZZ", "0241234567",
)  # fmt: skip
FIELDS = (
    "bundle", "recipient", "confirm", "idempotency_key", "price", "again", "order", "email",
    "password", "next", "amount",
    "reason", "resolution", "q", "tab", "before", "since", "v", "s", "code", "store", "network",
    "confirmed", "hidden",
    "by", "step", "seen", "put", "feature", "by_size", "announcement", "note",
)  # fmt: skip


@pytest.fixture
def theirs(in_store: Callable[..., Any]) -> Order:
    """An order of store B, which nobody of store A may see."""

    def make() -> Order:
        line = catalog.shelf()[0]
        return orders.place(
            bundle_id=line.bundle_id,
            recipient_msisdn="+233241234567",
            idempotency_key="theirs" * 4,
        ).order

    order = in_store("kofi", make)
    in_store("kofi", lambda: orders.release(order.code, Actor("agent", "Kofi")))
    return order


@pytest.fixture
def mine(in_store: Callable[..., Any]) -> Order:
    return in_store(
        "ama",
        lambda: (
            orders.place(
                bundle_id=catalog.shelf()[0].bundle_id,
                recipient_msisdn="+233241234568",
                idempotency_key="mine" * 5,
            ).order
        ),
    )


def rooms(app: Flask) -> Iterator[tuple[str, Rule]]:
    for rule in app.url_map.iter_rules():
        yield rule.subdomain or "store", rule


def paths(rule: Rule, values: tuple[str, ...]) -> list[str]:
    """The rule's path with each value in each of its places."""
    names = sorted(rule.arguments)
    if not names:
        return [rule.rule]
    made = []
    for value in values:
        path = rule.rule
        for part in path.split("/"):
            if part.startswith("<"):
                path = path.replace(part, value)
        made.append(path)
    return made


def snapshot(app: Flask) -> tuple[Any, ...]:
    """What store B has: it must look the same afterwards."""
    with app.app_context(), tenancy.across_stores():
        kofi = db.session.execute(
            db.text(
                "SELECT (SELECT count(*) FROM orders WHERE store_id = s.id), (SELECT max(version)"
                " FROM orders WHERE store_id = s.id), (SELECT sum(balance_pesewas) FROM accounts"
                " WHERE store_id = s.id AND name = 'wallet'), (SELECT sum(price_pesewas) FROM"
                " store_bundles WHERE store_id = s.id) FROM stores s WHERE slug = 'kofi'"
            )
        ).one()
        return tuple(kofi)


def fill(random_: random.Random, token: str) -> dict[str, str]:
    form = {name: random_.choice(NASTY) for name in random_.sample(FIELDS, 6)}
    return {
        **form,
        "csrf_token": token,
        "idempotency_key": f"fuzz-{random_.getrandbits(80):020x}",
    }


@pytest.mark.slow(seconds=5.6)
@pytest.mark.parametrize("role", ["nobody", "customer", "agent of A", "owner"])
def test_no_route_breaks_and_no_stranger_passes(
    app: Flask, role: str, theirs: Order, mine: Order, logged_in: Callable[..., Visitor]
) -> None:
    random_ = random.Random(20_261_123)
    agent = logged_in("ama@example.test", "portal", "ama")
    owner = logged_in("owner@example.test", "console")
    seen: Counter[int] = Counter()
    before = snapshot(app)
    bundle_id = _a_bundle(app)
    for room, rule in rooms(app):
        if room not in HOSTS or rule.endpoint in ("portal.logout", "console.logout"):
            continue
        host = HOSTS[room]
        visitor = (
            {"portal": agent, "admin": owner}.get(room)
            if role in ("agent of A", "owner")
            else None
        )
        if (role == "agent of A" and room == "admin") or (
            role == "owner" and room == "portal"
        ):
            visitor = None
        visitor = visitor or Visitor(app, host or "x")
        visitor.base_url = f"http://{host}.localhost" if host else "http://localhost"
        values = (
            theirs.code,
            mine.code,
            str(theirs.id),
            "kofi",
            "mtn",
            WEBHOOK_TOKEN,
            random_.choice(NASTY[4:9]),
        )
        for path, methods in zip(
            paths(rule, values), chain([METHODS], repeat(FORMS)), strict=False
        ):
            for method in methods:
                for attempt in range(1 if method not in ("GET", "POST") else 2):
                    form = fill(
                        random_, visitor.csrf_token if role != "nobody" else "x"
                    )
                    if attempt == 1 and method == "POST":
                        form |= _sensible(mine, bundle_id)
                    answer = visitor.client.open(
                        path, method=method, base_url=visitor.base_url,
                        query_string=form if method == "GET" and attempt else None,
                        data=form if method != "GET" else None,
                        headers={"Origin": visitor.base_url} if role != "nobody" else {},
                    )  # fmt: skip
                    seen[answer.status_code] += 1
                    assert answer.status_code < 500, (
                        role,
                        method,
                        room,
                        path,
                        answer.text[:300],
                    )
                    if (
                        role != "owner"
                        and room != "admin"
                        and theirs.code in path
                        and method != "OPTIONS"
                    ):
                        assert theirs.order_ref not in answer.text
                        assert answer.status_code >= 300, (role, method, room, path)
    total, refused = (
        sum(seen.values()),
        sum(n for code, n in seen.items() if 400 <= code < 500),
    )
    print(
        f"\n{role}: {total} requests, {dict(sorted(seen.items()))},"
        f" {100 * (total - refused) / total:.0f} % not 4xx"
    )
    assert total - refused >= 0.2 * total
    if role != "owner":
        assert snapshot(app) == before
    with app.app_context(), tenancy.across_stores():
        assert ledger.books().hold


def _a_bundle(app: Flask) -> int:
    with app.app_context():
        return catalog.all_bundles()[0].id


def _sensible(mine: Order, bundle_id: int) -> dict[str, str]:
    """A form that gets past the first checks, so that the deeper ones are reached too."""
    return {
        "bundle": str(bundle_id),
        "recipient": "0241234569",
        "confirm": "1",
        "order": mine.code,
        "q": "024",
        "amount": "5",
        "reason": "fuzz",
        "resolution": "looked at",
        "again": "1",
    }
