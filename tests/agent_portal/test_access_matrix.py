"""Who may ask for what: every route of stores, portal and console, as seven people, with what is
their store's, what is another's and what is nobody's.

The routes and who may come from docs/security.md, which lists every route there is. What is another
store's must be answered as what is not there at all, to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import tables_owner
from flask import Flask
from visitors import Visitor
from werkzeug.test import TestResponse

from core import catalog
from tests.support.messages import received

pytestmark = pytest.mark.matrix

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text()
RANK = {
    "anybody": 0,
    "whoever has the link": 0,
    "any log-in": 1,
    "viewer and above, own store": 2,
    "cashier and above, own store": 3,
    "owner of the store": 4,
}
"""What a route of the portal asks for, as docs/security.md says it, and how much that is."""
PEOPLE = {
    # person: their rank in the portal, in the store of ama
    "nobody": 0,
    "customer": 0,
    "owner of A": 4,
    "cashier of A": 3,
    "viewer of A": 2,
    "agent of B": 4,
    "platform owner": 0,
}
OF_A_STORE = (
    "code",
    "batch_id",
    "message_id",
    "draft_id",
    "customer_id",
    "request_id",
    "payout_id",
    "payment_id",
    "member_id",
    "invitation_id",
)
NOT_OF_A_STORE = {
    "token": "whoever has it may",
    "kind": "phone or email, of the person who asks",
    "slug": "the console names stores by it, the portal those of the person who asks",
    "call_id": "the platform's",
    "case_id": "the platform's",
    "user_id": "the platform's",
    "account_id": "the console names payout numbers by it",
    "refund_id": "the console names refunds by it",
    "reference": "the console names online payments by it",
    "day": "of the platform's",
    "dispute_id": "the console names disputes by it",
    "network": "of the platform's catalogue",
    "action": "a word",
    "mark": "of the logo that anybody sees there; another store's is not found",
    "device_id": "of one person, whoever else is of the store",
}
LEADS_TO_LOG_IN = (
    "/logout",
    "/account/log-out-everywhere",
    "/reset/<token>",
    "/join/<token>",
    "/login/code",
)
_CHANGING = re.compile(
    r'(name="csrf_token" value=")[^"]+|(nonce[-=]"?)[\w+/=-]+|(data-hx-headers=\')[^\']+'
)
"""What differs from one answer to the next whatever is asked for."""


@dataclass(frozen=True)
class Route:
    """One row's route; `rank` is None outside the portal."""

    room: str
    method: str
    path: str
    rank: int | None

    @property
    def arguments(self) -> list[str]:
        return re.findall(r"<(\w+)>", self.path)

    def at(self, values: dict[str, str]) -> str:
        return re.sub(r"<(\w+)>", lambda found: values[found[1]], self.path)


def routes() -> Iterator[Route]:
    section = TEXT.partition("\n## Who may what")[2].partition("\n## ")[0]
    for room, who, several in re.findall(
        r"(?m)^\| (\w+) \| ([^|]+) \| ((?:`(?:GET|POST) [^`]+` ?)+)\|$", section
    ):
        for method, path in re.findall(r"`(GET|POST) ([^`]+)`", several):
            rank = RANK[who.strip()] if room == "portal" else None
            yield Route(room, method, path, rank)


ROUTES = list(routes())
IN_STORES = [
    route for route in ROUTES if set(route.arguments) & set(OF_A_STORE)
    and route.room in ("store", "portal")
]  # fmt: skip


@dataclass(frozen=True)
class Things:
    """What stands in a store, by the names of routes' arguments."""

    ours: dict[str, str]
    theirs: dict[str, str]
    nobodys: dict[str, str]


@pytest.fixture
def people(
    app: Flask, logged_in: Callable[..., Visitor]
) -> Callable[[str, str], Visitor]:
    """`people("viewer of A", "portal")`: that person's browser at the room's host of store A."""
    e_mails = {
        "owner of A": ("ama@example.test", "portal", "ama"),
        "cashier of A": ("cashier@example.test", "portal", "ama"),
        "viewer of A": ("viewer@example.test", "portal", "ama"),
        "agent of B": ("kofi@example.test", "portal", "kofi"),
        "platform owner": ("owner@example.test", "console", None),
    }
    host = {"store": "ama", "portal": "portal", "admin": "admin"}

    def person(name: str, room: str) -> Visitor:
        if name in e_mails:
            found = logged_in(*e_mails[name])
        else:
            found = Visitor(app, host[room])
        found.base_url = f"http://{host[room]}.localhost"
        if room == "store":
            found.get("/")  # who has been there has its cookies
        return found

    return person


@pytest.fixture
def things(
    app: Flask,
    place: Callable[..., str],
    logged_in: Callable[..., Visitor],
    in_store: Callable[..., Any],
) -> Things:
    def of(slug: str) -> dict[str, str]:
        agent = logged_in(f"{slug}@example.test", "portal", slug)
        code = place(slug)
        brought = agent.post("/lists", {"text": "0241234567 5"})
        message = received(500, 10_500)
        agent.post("/payments", {"messages": message, "came_to": "0240000001"})
        place(slug, number="0241119999", state="completed")
        asked = {"amount": "50.00", "reference": f"paid by {slug}"}
        agent.post("/wallet/funding", asked)
        agent.post("/people", {"name": "Esi", "role": "viewer"})
        bundle_id = in_store(slug, lambda: catalog.shelf()[0].bundle_id)
        wish = {"bundle": bundle_id, "recipient": "0551234567"}
        begun = Visitor(app, slug).post("/orders", wish)
        return {
            "code": code,
            "batch_id": brought.location.rpartition("/")[2],
            "message_id": str(_one(slug, "payment_messages")),
            "draft_id": begun.location.rpartition("/")[2],
            "customer_id": str(_one(slug, "customers")),
            "request_id": str(_one(slug, "fund_requests")),
            "payout_id": str(_payout(slug)),
            "payment_id": str(_payment(slug)),
            "invitation_id": str(_one(slug, "invitations")),
            "member_id": str(_member(slug)),
        }

    tables_owner.execute(
        "INSERT INTO memberships (user_id, store_id, role) SELECT u.id, s.id, 'viewer' FROM"
        " users u, stores s WHERE u.email = 'nobody@example.test' AND s.slug = 'kofi'"
    )
    rest = dict.fromkeys(NOT_OF_A_STORE, "1") | {"kind": "phone", "slug": "kofi"}
    nobodys = {"code": "ZZZZZZZZZZ", "batch_id": "999999", "message_id": "999999"}
    nobodys |= {"payout_id": "999999", "payment_id": "999999"}
    nobodys |= {"member_id": "999999", "invitation_id": "999999"}
    nobodys |= {"draft_id": "0" * 22, "customer_id": "999999", "request_id": "999999"}
    return Things(of("ama") | rest, of("kofi") | rest, nobodys | rest)


def _one(slug: str, table: str) -> Any:
    (found,) = tables_owner.read(
        f"SELECT max(t.id) FROM {table} t JOIN stores s ON s.id = t.store_id WHERE s.slug = '{slug}'"
    )
    return found


def _payout(slug: str) -> Any:
    """One that is over, and has moved nothing."""
    tables_owner.execute(
        "INSERT INTO payouts (store_id, reference, amount_pesewas, fee_pesewas, way, account,"
        " account_name, requested_by, requested_at, state) SELECT id, 'mk-w-of-the-store-' || id,"
        " 5000, 100, 'momo', '+233240000001', 'x', 'x', now(), 'cancelled' FROM stores"
        f" WHERE slug = '{slug}'"
    )
    return _one(slug, "payouts")


def _payment(slug: str) -> Any:
    """A payment into the wallet that nobody made."""
    tables_owner.execute(
        "INSERT INTO online_payments (store_id, purpose, reference, mode, amount_pesewas, state,"
        " created_at, ended_at) SELECT id, 'wallet', 'MK-P-OF-' || id, 'test', 5000, 'ended', now(),"
        f" now() FROM stores WHERE slug = '{slug}'"
    )
    return _one(slug, "online_payments")


def _member(slug: str) -> Any:
    """Somebody who works in this store and in no other."""
    (found,) = tables_owner.read(
        "SELECT max(m.user_id) FROM memberships m JOIN stores s ON s.id = m.store_id"
        f" WHERE s.slug = '{slug}' AND (SELECT count(*) FROM memberships n"
        " WHERE n.user_id = m.user_id) = 1"
    )
    return found


def ask(
    visitor: Visitor, route: Route, values: dict[str, str], own_code: str = ""
) -> TestResponse:
    """Ask for it, with a form that names an order of one's own where a form may."""
    path = route.at(values)
    if route.method == "GET":
        return visitor.get(path)
    return visitor.post(path, {"order": own_code})


def plain(
    answer: TestResponse, route: Route, values: dict[str, str]
) -> tuple[int, str, str]:
    """Status, address it leads to and body, without what was asked for and what always differs."""
    body = _CHANGING.sub(
        lambda found: "".join(filter(None, found.groups())), answer.text
    )
    leads_to = answer.location or ""
    asked = (route.at(values), quote(route.at(values), safe=""), values["code"])
    for said in asked:
        body, leads_to = body.replace(said, "asked"), leads_to.replace(said, "asked")
    return answer.status_code, leads_to, body


def test_every_argument_of_a_route_is_known_here() -> None:
    """One that is new is a store's or is not."""
    named = {name for route in ROUTES for name in route.arguments}
    assert named == {*OF_A_STORE, *NOT_OF_A_STORE}
    assert len(IN_STORES) >= 30


@pytest.mark.slow(seconds=10)
@pytest.mark.parametrize("name", PEOPLE)
def test_what_is_another_store_s_is_answered_as_what_is_not_there(
    people: Callable[[str, str], Visitor], things: Things, name: str
) -> None:
    # One log-in for all: had it ended at one of them, the next would lead to it, and not be a 404.
    visitors = {room: people(name, room) for room in ("store", "portal")}
    for route in IN_STORES:
        is_ours = name == "agent of B" and route.room == "portal"
        other = things.ours if is_ours else things.theirs
        visitor = visitors[route.room]
        own_code = (things.theirs if is_ours else things.ours)["code"]
        answer = ask(visitor, route, other, own_code)
        found = plain(answer, route, other)
        asked = ask(visitor, route, things.nobodys, own_code)
        assert found == plain(asked, route, things.nobodys), (name, route)
        if route.rank is not None and PEOPLE[name] < route.rank:
            continue
        if "<draft_id>" in route.path:
            assert answer.status_code in (303, 400), route
            assert "/review" not in (answer.location or "")
            continue
        if answer.status_code == 303:
            answer = visitor.get(answer.location)  # a reload of what was sent
        assert answer.status_code == 404, (name, route, answer.status_code)


@pytest.mark.slow(seconds=4)
@pytest.mark.parametrize("name", PEOPLE)
def test_who_may_not_is_refused_and_who_may_is_not(
    people: Callable[[str, str], Visitor], things: Things, name: str
) -> None:
    own = things.theirs if name == "agent of B" else things.ours
    visitor = people(name, "portal")
    for route in ROUTES:
        if route.room != "portal" or route.path in LEADS_TO_LOG_IN:
            continue
        answer = ask(visitor, route, own)
        status, needs = answer.status_code, route.rank or 0
        is_sent_to_log_in = "/login" in (answer.location or "")
        if PEOPLE[name] >= needs:
            assert status not in (401, 403) and not is_sent_to_log_in, (name, route)
        elif PEOPLE[name] == 0:
            assert is_sent_to_log_in or status in (401, 403), (name, route, status)
        else:
            assert status == 403, (name, route, status)
            assert re.search("Its .*owner may do this", answer.text), (name, route)


@pytest.mark.parametrize("name", [name for name in PEOPLE if name != "platform owner"])
def test_nobody_but_the_platform_s_people_reaches_the_console(
    people: Callable[[str, str], Visitor], things: Things, name: str
) -> None:
    visitor = people(name, "admin")
    for route in ROUTES:
        if route.room != "admin" or route.path in (
            "/login",
            "/login/code",
            "/theme",
            "/reset/<token>",
        ):
            continue
        answer = ask(visitor, route, things.ours)
        assert "/login" in (answer.location or "") or answer.status_code in (
            401,
            403,
        ), (
            name,
            route,
            answer.status_code,
        )
    # all the while it was this person's log-in that did not do
    visitor.base_url = "http://portal.localhost"
    sent_to_log_in = "/login" in (visitor.get("/").location or "")
    assert sent_to_log_in == (PEOPLE[name] == 0)
