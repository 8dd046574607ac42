"""Which store and log-in a request is bound to, and that nothing of it is left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import update
from visitors import Visitor

from core import stores
from core.base import tenancy
from core.base.db import transaction


def test_a_storefront_is_bound_to_its_slug(app: Flask) -> None:
    for slug in ("ama", "kofi"):
        with app.test_request_context("/", base_url=f"http://{slug}.localhost"):
            app.preprocess_request()
            store = stores.by_slug(slug)
            assert store is not None
            assert tenancy.current_store_id() == store.id
            assert not tenancy.sees_everything()


@pytest.mark.parametrize("path", ["/", "/no-such-page", "/track"])
def test_no_store_is_left_behind(app: Flask, path: str) -> None:
    app.test_client().get(path, base_url="http://ama.localhost")
    with pytest.raises(tenancy.NoStore):
        tenancy.current_store_id()


def test_nothing_is_left_behind_by_a_crash(
    app: Flask, owner: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash() -> None:
        assert tenancy.sees_everything()
        raise ZeroDivisionError

    endpoint = "console.list_calls"
    monkeypatch.setitem(app.view_functions, endpoint, crash)
    with pytest.raises(ZeroDivisionError):
        owner.get("/calls")
    assert not tenancy.sees_everything()


def test_a_closed_store_still_answers_and_says_so(
    app: Flask, customer: Visitor
) -> None:
    for status in ("closed", "suspended"):
        with app.app_context(), tenancy.across_stores(), transaction() as session:
            session.execute(
                update(stores.Store)
                .where(stores.Store.slug == "ama")
                .values(status=status)
            )
        answer = customer.get("/")
        assert answer.status_code == 200
        assert (
            "closed" in answer.text.lower()
            or "not taking orders" in answer.text.lower()
        )


def test_an_agent_is_bound_to_the_store_of_the_log_in(
    app: Flask, ama_agent: Visitor, kofi_agent: Visitor
) -> None:
    assert "Ama" in ama_agent.get("/").text
    assert "Kofi" not in ama_agent.get("/").text
    assert "Kofi" in kofi_agent.get("/").text


def test_a_log_in_opens_one_door_only(
    app: Flask, ama_agent: Visitor, owner: Visitor
) -> None:
    def cookie(visitor: Visitor) -> str:
        found = visitor.client.get_cookie(
            "__Host-makola", domain=visitor.base_url.removeprefix("http://")
        )
        assert found is not None
        return f"__Host-makola={found.value}"

    client = app.test_client(use_cookies=False)
    for visitor, host in ((ama_agent, "admin"), (owner, "portal")):
        answer = client.get(
            "/orders",
            base_url=f"http://{host}.localhost",
            headers={"Cookie": cookie(visitor)},
        )
        assert (answer.status_code, answer.headers["Location"]) == (
            303,
            "/login?next=/orders",
        )
    store = client.get(
        "/", base_url="http://ama.localhost", headers={"Cookie": cookie(ama_agent)}
    )
    assert store.status_code == 200


def test_without_a_log_in_pages_lead_to_it_and_back(
    visitor: Callable[[str], Visitor],
) -> None:
    portal = visitor("portal")
    assert portal.get("/").headers["Location"] == "/login"
    assert (
        portal.get("/orders?tab=done&q=a%26b").headers["Location"]
        == "/login?next=/orders%3Ftab%3Ddone%26q%3Da%2526b"
    )
    assert (
        portal.post("/orders/process", {"order": "K7QM2XR94T"}).headers["Location"]
        == "/login"
    )


def test_an_ended_log_in_sends_htmx_forms_away_and_lets_polls_rest(
    visitor: Callable[[str], Visitor],
) -> None:
    portal = visitor("portal")
    htmx = {"HX-Request": "true", "HX-Request-Type": "partial"}
    poll = portal.get("/orders/news?since=1", headers=htmx)
    assert poll.status_code == 401
    assert "HX-Redirect" not in poll.headers
    assert "hx-trigger" not in poll.text
    assert "Log in again" in poll.text
    form = portal.post("/orders/process", {"order": "K7QM2XR94T"}, headers=htmx)
    assert (form.status_code, form.headers["HX-Redirect"]) == (401, "/login")


def test_a_log_in_that_was_ended_elsewhere_is_over(
    app: Flask, ama_agent: Visitor
) -> None:
    from core.accounts import logins, users

    assert ama_agent.get("/orders").status_code == 200
    with app.app_context():
        user = users.by_email("ama@example.test")
        assert user is not None
        with tenancy.across_stores(), transaction():
            logins.end_logins_of(user)
    assert ama_agent.get("/orders").status_code == 303


def test_the_door_asks_for_a_log_in_even_where_a_room_forgot(
    door_app: Callable[..., Flask],
) -> None:
    app = door_app()
    for room in ("portal", "admin"):
        app.add_url_rule(
            "/forgotten",
            f"{room}_forgotten",
            lambda: "open",
            subdomain=room,
            methods=["GET", "POST"],
        )
    client = app.test_client()
    for host in ("http://portal.localhost", "http://admin.localhost"):
        assert (
            client.get("/forgotten", base_url=host).headers["Location"]
            == "/login?next=/forgotten"
        )
