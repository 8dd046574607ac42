"""Two tabs of one browser, and one that nobody looks at: whose store a press is for, and what keeps a
log-in alive."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from visitors import Visitor

from core import catalog
from tests.agent_portal.test_portal_kept import log_in


@pytest.fixture
def portal(app: Flask) -> Visitor:
    return Visitor(app, "portal")


def fields(page: str, action: str) -> dict[str, str]:
    """What the form with this action sends when nothing is typed."""
    form = page[page.index(f'action="{action}"') :].partition("</form>")[0]
    return dict(re.findall(r'name="([\w-]+)"[^>]*?value="([^"]*)"', form))


def test_a_page_of_the_store_before_writes_nothing_into_the_other(
    portal: Visitor,
    superuser: psycopg.Connection[Any],
    visitor: Callable[[str], Visitor],
    in_store: Callable[..., Any],
) -> None:
    """Else customers of one store would pay the other, as its words say."""
    superuser.execute("UPDATE memberships SET role = 'owner'")
    log_in(portal, "both")
    portal.post("/stores", {"store": "ama"})
    shop, arrange = portal.get("/store").text, portal.get("/prices/arrange").text
    many = portal.get("/prices/bulk?network=mtn&by=percent&amount=40&step=50").text
    theirs = in_store("kofi", catalog.shelf)
    portal.post("/stores", {"store": "kofi"})  # in another tab
    presses = {
        "/store": fields(shop, "/store")
        | {"welcome": "Ama's shop", "announcement": "", "pay_words": "Pay Ama"},
        "/store/pause": fields(shop, "/store/pause") | {"note": "Ama sleeps"},
        "/prices/arrange": {
            "csrf_token": fields(arrange, "/prices/arrange")["csrf_token"],
            "feature": str(theirs[0].bundle_id),
        },
        "/prices/bulk": fields(many, "/prices/bulk"),
    }
    for path, form in presses.items():
        answer = portal.post(path, form, csrf=False)
        assert answer.status_code == 400 and "csrf_token" in form, path
    page = visitor("kofi").get("/").text
    assert "Pay Ama" not in page and "Ama sleeps" not in page
    assert in_store("kofi", catalog.shelf) == theirs


def test_a_new_page_of_the_other_store_is_taken(
    portal: Visitor, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute("UPDATE memberships SET role = 'owner'")
    log_in(portal, "both")
    portal.post("/stores", {"store": "ama"})
    portal.get("/store")
    portal.post("/stores", {"store": "kofi"})
    form = fields(portal.get("/store").text, "/store") | {"welcome": "Akwaaba"}
    assert portal.post("/store", form, csrf=False).status_code == 303
    assert "Akwaaba" in portal.get("/store").text


def test_a_queue_that_nobody_looks_at_keeps_no_log_in_alive(
    portal: Visitor, jump: Callable[[float], None]
) -> None:
    log_in(portal, "ama", shared="1")
    page = portal.get("/orders").text
    found = re.search(r"/orders/news\?since=\d+", page)
    assert found
    for _ in range(9):
        jump(240)
        portal.get(found[0], headers={"HX-Request": "true"})
    assert portal.get("/orders").status_code == 303


def test_a_queue_that_is_seen_does(
    portal: Visitor, jump: Callable[[float], None]
) -> None:
    log_in(portal, "ama", shared="1")
    for _ in range(9):
        jump(240)
        assert portal.get("/orders").status_code == 200
