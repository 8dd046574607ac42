"""Who gets into the console: people of the platform, and nobody learns why somebody else does
not."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from console_scenes import Scene
from flask import Flask
from seed import PASSWORD
from visitors import Visitor

from core.base import hashing

OWNER = {"email": "owner@example.test", "password": PASSWORD}


def plain(html: str, email: str) -> str:
    """A page without what may differ from one answer to the next: tokens and the typed e-mail."""
    return re.sub(
        r'name="csrf_token" value="[^"]*"|X-CSRFToken[^}]*', "", html
    ).replace(email, "")


def test_the_owner_logs_in_and_sees_the_overview(
    visitor: Callable[[str], Visitor],
) -> None:
    console = visitor("admin")
    answer = console.post("/login", OWNER)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    page = console.get("/")
    assert page.status_code == 200
    assert "Orders today" in page.text
    assert "owner@example.test" in page.text


def test_an_address_is_read_as_it_is_seen(visitor: Callable[[str], Visitor]) -> None:
    answer = visitor("admin").post(
        "/login", {**OWNER, "email": "\u202downer\u200d@example.test\u202c\u3000"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_a_session_begins_with_a_new_token(visitor: Callable[[str], Visitor]) -> None:
    console = visitor("admin")
    tokens = set()
    for _ in range(2):
        console.post("/login", OWNER)
        with console.client.session_transaction(base_url=console.base_url) as session:
            tokens.add(session["_user_id"])
    assert len(tokens) == 2


def test_a_new_log_in_ends_the_one_before_it_in_the_same_browser(
    visitor: Callable[[str], Visitor], app: Flask
) -> None:
    console = visitor("admin")
    console.post("/login", OWNER)
    with console.client.session_transaction(base_url=console.base_url) as session:
        before = session["_user_id"]
    assert Visitor(app, "admin", before).get("/stores").status_code == 200
    console.post("/login", {**OWNER, "password": "a wrong one"})
    assert Visitor(app, "admin", before).get("/stores").status_code == 200, (
        "a wrong password ends nothing"
    )
    console.post("/login", OWNER)
    assert console.get("/stores").status_code == 200
    assert Visitor(app, "admin", before).get("/stores").status_code == 303


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("stranger@example.test", PASSWORD),
        ("owner@example.test", "not the password"),
        ("ama@example.test", PASSWORD),  # an agent with the right password
        ("nobody@example.test", PASSWORD),
        ("", ""),
        ("owner\x00@example.test", PASSWORD),
        ("' OR 1=1 --", "' OR 1=1 --"),
        ("é" * 5_000, "x" * 5_000),
    ],
)
def test_every_refused_log_in_gets_the_same_answer(
    visitor: Callable[[str], Visitor], email: str, password: str
) -> None:
    console = visitor("admin")
    known = console.post(
        "/login", {"email": "who@example.test", "password": "wrong password"}
    )
    answer = console.post("/login", {"email": email, "password": password})
    assert answer.status_code == known.status_code == 422
    assert "do not open the console" in answer.text
    if email and len(email) < 100 and "\x00" not in email and "'" not in email:
        assert plain(answer.text, email) == plain(known.text, "who@example.test")
        assert email in answer.text, "what was typed is kept"
    assert console.get("/").status_code == 303


def test_an_agents_log_in_does_not_open_the_console(
    logged_in: Callable[..., Visitor], app: Flask
) -> None:
    portal = logged_in("ama@example.test", "portal", "ama")
    with portal.client.session_transaction(base_url=portal.base_url) as session:
        token = session["_user_id"]
    answer = Visitor(app, "admin", token).get("/stores")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/login?next=/stores",
    )


def test_an_agent_with_a_console_token_is_turned_away(
    logged_in: Callable[..., Visitor],
) -> None:
    # A session made before the person lost the platform role.
    assert (
        logged_in("ama@example.test", "console").get("/").headers["Location"]
        == "/login"
    )


def test_losing_the_role_ends_the_session(owner: Visitor, scene: Scene) -> None:
    assert owner.get("/").status_code == 200
    scene.sql(
        "UPDATE users SET platform_role = 'none' WHERE email = 'owner@example.test'"
    )
    assert owner.get("/").status_code == 303


def test_too_many_attempts_of_one_address_are_refused_with_a_sentence(
    visitor: Callable[[str], Visitor],
) -> None:
    console = visitor("admin")
    for _ in range(5):
        assert console.post("/login", {**OWNER, "password": "guess"}).status_code == 422
    answer = console.post("/login", OWNER)
    assert answer.status_code == 429
    assert "Wait 15 minutes" in answer.text
    assert "owner@example.test" in answer.text


def test_while_others_guess_the_owner_waits_a_moment_from_a_new_address_and_not_at_all_on_a_known_device(
    visitor: Callable[[str], Visitor], jump: Callable[[float], None]
) -> None:
    known, stranger = visitor("admin"), visitor("admin")
    assert known.post("/login", OWNER).status_code == 303
    known.post("/logout")
    for n in range(5):
        wrong = {**OWNER, "password": "guess"}
        assert (
            stranger.post(
                "/login", wrong, environ_base={"REMOTE_ADDR": f"10.1.0.{n}"}
            ).status_code
            == 422
        )
    new = {"REMOTE_ADDR": "10.2.0.1"}
    waits = stranger.post("/login", {**OWNER, "next": "/books"}, environ_base=new)
    assert (waits.status_code, waits.headers["Retry-After"]) == (429, "1")
    assert (
        "Wait 1 second," in waits.text
        and 'value="owner@example.test"' in waits.text
        and "/books" in waits.text
    )
    assert known.post("/login", OWNER).status_code == 303
    jump(1.01)
    assert (
        stranger.post("/login", {**OWNER, "next": "/books"}, environ_base=new).headers[
            "Location"
        ]
        == "/books"
    )


def test_a_busy_log_in_keeps_the_e_mail(visitor: Callable[[str], Visitor]) -> None:
    console = visitor("admin")
    places = [hashing._inside.acquire(blocking=False) for _ in range(hashing.THREADS)]
    try:
        answer = console.post("/login", OWNER)
    finally:
        for _ in filter(None, places):
            hashing._inside.release()
    assert answer.status_code == 503 and "press the button again" in answer.text
    assert 'value="owner@example.test"' in answer.text
    assert console.post("/login", OWNER).status_code == 303


def test_logging_out_ends_the_session_on_the_server(owner: Visitor, app: Flask) -> None:
    with owner.client.session_transaction(base_url=owner.base_url) as session:
        token = session["_user_id"]
    answer = owner.post("/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert "You are logged out" in owner.get("/login").text
    assert Visitor(app, "admin", token).get("/").status_code == 303


@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        ("/stores/ama?x=1", "/stores/ama?x=1"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\nSet-Cookie: x=1", "/"),
        ("stores", "/"),
        ("", "/"),
    ],
)
def test_after_the_log_in_only_paths_of_this_host(
    visitor: Callable[[str], Visitor], wanted: str, goes_to: str
) -> None:
    answer = visitor("admin").post("/login", {**OWNER, "next": wanted})
    assert answer.headers["Location"] == goes_to


def test_a_person_logged_in_needs_no_form(owner: Visitor) -> None:
    assert owner.get("/login?next=/books").headers["Location"] == "/books"


@pytest.mark.parametrize(
    "more", [{"csrf": False}, {"origin": None}, {"origin": "http://ama.localhost"}]
)
def test_a_forged_log_in_is_refused(
    visitor: Callable[[str], Visitor], more: dict[str, object]
) -> None:
    assert visitor("admin").post("/login", OWNER, **more).status_code in (400, 403)


def test_no_page_of_the_console_opens_without_a_log_in(
    visitor: Callable[[str], Visitor], app: Flask
) -> None:
    console, looked = visitor("admin"), 0
    for rule in app.url_map.iter_rules():
        if rule.subdomain != "admin" or rule.rule in ("/login", "/theme"):
            continue
        path = re.sub(r"<(int[^>]*|)([^>:]*:)?[^>]*>", "1", rule.rule)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            answer = console.get(path) if method == "GET" else console.post(path)
            assert answer.status_code == 303, f"{method} {path}"
            assert answer.headers["Location"].startswith("/login"), f"{method} {path}"
            looked += 1
    assert looked >= 25


def test_a_poll_after_the_log_in_ended_stops(visitor: Callable[[str], Visitor]) -> None:
    answer = visitor("admin").get(
        "/supplier/panel?asked=1", headers={"HX-Request": "true"}
    )
    assert answer.status_code == 401
    assert "data-hx-trigger" not in answer.text


def test_the_audit_page_tells_of_log_ins_in_people_s_words(
    owner: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    portal = visitor("portal")
    wrong = {"email": "ama@example.test", "password": "guess"}
    for _ in range(6):
        portal.post("/login", wrong, environ_base={"REMOTE_ADDR": "196.201.1.9"})
    portal.post("/login", {"email": "kofi@example.test", "password": PASSWORD})
    portal.post("/stores", {"store": "ama"}, origin="http://ama.localhost")
    page = re.sub(r"<[^>]+>|\s+", " ", owner.get("/audit").text)
    page = re.sub(r"\s+", " ", page)
    assert (
        "Somebody not logged in gave a wrong password Ama from: 196.201.1.9, door: portal, e-mail:"
        " a…@example.test" in page
    )
    assert re.search(
        r"was refused another password Ama from: 196.201.1.9, .* seconds to wait: \d+",
        page,
    )
    assert "Kofi in the portal logged in" in page
    assert (
        "sent a form from another site, which was refused" in page
        and "page: POST /stores" in page
    )
    for raw in ("login_failed", "user:", "wait_s"):
        assert raw not in page
