"""One's own log-in at either door: the password, the devices, and out everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import tables_owner
from flask import Flask
from seed import PASSWORD
from sqlalchemy import text
from visitors import Visitor

from core import audit
from core.accounts import logging_in, logins, people, sessions, users
from core.accounts.devices import Place
from core.audit import SYSTEM
from core.base import hashing, tenancy
from core.base.db import db

pytestmark = pytest.mark.slow(seconds=0.15)

NEW = "a kettle on the roof"
DOORS = [("portal", "ama@example.test"), ("admin", "owner@example.test")]
HERE = Place("10.0.0.1", "portal")


def log_in(
    visitor: Visitor,
    email: str,
    password: str = PASSWORD,
    agent: str = "",
    shared: bool = False,
) -> bool:
    form = {"email": email, "password": password} | ({"shared": "on"} if shared else {})
    answer = visitor.post("/login", form, headers={"User-Agent": agent})
    return answer.status_code == 303


def change(
    visitor: Visitor, present: str = PASSWORD, new: str = NEW, again: str | None = None
) -> Any:
    form = {
        "present_password": present,
        "new_password": new,
        "new_password_again": new if again is None else again,
    }
    return visitor.post("/account/password", form)


def token_of(visitor: Visitor) -> str:
    with visitor.client.session_transaction(base_url=visitor.base_url) as session:
        return str(session["_user_id"])


def told(app: Flask) -> list[tuple[str, str, str]]:
    with app.app_context():
        return [
            (line.action, line.actor_name, line.subject) for line in audit.recent(20)
        ]


@pytest.mark.parametrize(("room", "email"), DOORS)
def test_a_new_password_keeps_this_log_in_and_ends_the_others(
    app: Flask, visitor: Callable[[str], Visitor], room: str, email: str
) -> None:
    here, there = visitor(room), visitor(room)
    assert log_in(here, email) and log_in(there, email)
    before = token_of(here)
    answer = change(here)
    assert (answer.status_code, answer.location) == (303, "/account/sessions")
    page = here.get("/account/sessions").text
    assert (
        "Your password is changed" in page and page.count("/account/sessions/end") == 1
    )
    assert token_of(here) != before, (
        "a new token, so that a copy of the old opens nothing"
    )
    assert Visitor(app, room, before).get("/account/sessions").status_code == 303
    assert there.get("/account/sessions").location.startswith("/login")
    assert not log_in(visitor(room), email) and log_in(visitor(room), email, NEW)
    name = email.partition("@")[0].title()
    assert [line[:2] for line in told(app) if line[0] == "change_password"] == [
        ("change_password", name)
    ]


@pytest.mark.slow(seconds=0.7)
@pytest.mark.parametrize(
    ("room", "email", "shared", "times", "pause_s"),
    [
        ("portal", "ama@example.test", True, 24, 1_750),  # busy for almost twelve hours
        ("admin", "owner@example.test", False, 24, 1_750),
        # one's own device: almost a week
        ("portal", "ama@example.test", False, 14, 43_000),
    ],
    ids=["shared device", "console", "own device"],
)
def test_the_log_in_does_not_last_longer_for_a_new_password(
    visitor: Callable[[str], Visitor],
    jump: Callable[[float], None],
    room: str,
    email: str,
    shared: bool,
    times: int,
    pause_s: int,
) -> None:
    here = visitor(room)
    assert log_in(here, email, shared=shared)
    for n in range(times):
        jump(pause_s)
        assert here.get("/account/sessions").status_code == 200, n
    assert change(here).status_code == 303
    assert here.get("/account/sessions").status_code == 200
    jump(pause_s)
    assert here.get("/account/sessions").status_code == 303


@pytest.mark.slow(seconds=0.3)
@pytest.mark.parametrize(
    ("present", "new", "again", "says"),
    [
        ("not the present one", NEW, None, "not your present password"),
        (PASSWORD, NEW, NEW + "!", "not the same"),
        (PASSWORD, PASSWORD, None, "Choose another one"),
        (PASSWORD, "password", None, "Guessers try this"),
        (PASSWORD, "amas data 2026", None, "of yours or of the store"),
        (PASSWORD, "0240000001", None, "of yours or of the store"),
        (PASSWORD, "short", None, "at least 8"),
        (PASSWORD, "x y " * 60, None, "at most 200"),
        (PASSWORD, "a\x00 null in some words", None, "one line"),
        ("", "", None, "not your present password"),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(
    visitor: Callable[[str], Visitor],
    present: str,
    new: str,
    again: str | None,
    says: str,
) -> None:
    here, there = visitor("portal"), visitor("portal")
    assert log_in(here, "ama@example.test") and log_in(there, "ama@example.test")
    answer = change(here, present, new, again)
    assert answer.status_code == 422 and says in answer.text
    for typed in (present, new):
        assert not typed or f'value="{typed}"' not in answer.text, (
            "a password is never sent back"
        )
    assert here.get("/").status_code == there.get("/").status_code == 200
    assert log_in(visitor("portal"), "ama@example.test")


@pytest.mark.parametrize(
    "again", [f" {NEW}", f"{NEW}\n", f"\u200b{NEW}\u00a0", NEW.replace("r", "\uff52")]
)
def test_what_is_kept_as_one_password_is_not_called_two(
    app: Flask, visitor: Callable[[str], Visitor], again: str
) -> None:
    """A blank pasted with one of the two is none of the password, at the log-in too."""
    here = visitor("portal")
    assert log_in(here, "ama@example.test")
    assert change(here, new=NEW, again=again).status_code == 303
    assert log_in(visitor("portal"), "ama@example.test", NEW)


def test_people_of_the_platform_need_twelve_characters(
    visitor: Callable[[str], Visitor],
) -> None:
    for room, email, status in (
        ("portal", "ama@example.test", 303),
        ("admin", "support@example.test", 422),
    ):
        here = visitor(room)
        assert log_in(here, email)
        assert ("At least 12" in here.get("/account/password").text) == (
            room == "admin"
        )
        assert change(here, new="x7Kp2mQ9vZ1").status_code == status


def test_an_open_browser_is_no_place_to_guess_the_password(
    visitor: Callable[[str], Visitor],
) -> None:
    here = visitor("portal")
    assert log_in(here, "ama@example.test")
    answers = [change(here, present=f"guess {n}").status_code for n in range(11)]
    assert answers == [422] * 10 + [429], (
        "this browser is a known device: its own tries, as at the log-in"
    )
    assert change(here).status_code == 429, "the right one is not tried either"


def test_a_log_in_under_way_does_not_outlive_a_new_password(context: Flask) -> None:
    """The old password was found right, then it was changed, and only then the session is
    written."""
    user = logging_in.authenticate("ama@example.test", PASSWORD, HERE)
    assert user is not None
    people.set_password(user.id, NEW, SYSTEM, action="set_password")
    token = logins.start_login(user, "portal")
    assert logins.login_of(token, "portal") is None
    fresh = logging_in.authenticate("ama@example.test", NEW, HERE)
    assert (
        fresh is not None
        and logins.login_of(logins.start_login(fresh, "portal"), "portal") is not None
    )


def test_a_password_set_while_the_old_one_is_compared_lets_nobody_in(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, verify = users.by_email("ama@example.test"), hashing.fits
    assert person is not None

    def slow(password_hash: str, password: str) -> bool:
        right = verify(password_hash, password)
        people.set_password(person.id, NEW, SYSTEM, action="set_password")
        return right

    monkeypatch.setattr(hashing, "fits", slow)
    assert logging_in.authenticate("ama@example.test", PASSWORD, HERE) is None


@pytest.mark.parametrize(("room", "email"), DOORS)
def test_sessions_name_each_device_and_mark_this_one(
    visitor: Callable[[str], Visitor], room: str, email: str
) -> None:
    here, there = visitor(room), visitor(room)
    phone = (
        "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
        " Mobile Safari/537.36"
    )
    assert log_in(here, email, agent=phone)
    assert log_in(
        there,
        email,
        agent="<script>alert(1)</script> Firefox/128.0 (Windows NT 10.0)" + "x" * 5_000,
    )
    page = here.get("/account/sessions").text
    assert (
        "Chrome on Android" in page
        and "Firefox on Windows" in page
        and "alert(1)" not in page
    )
    assert page.count("this device</span>") == 1
    keys = re.findall(r'name="session" value="([0-9a-f]{16})"', page)
    assert len(keys) == 2 and not any(key in token_of(here) for key in keys)


def test_one_device_is_logged_out_and_the_others_stay(
    app: Flask, visitor: Callable[[str], Visitor]
) -> None:
    here, there, kofi = visitor("portal"), visitor("portal"), visitor("portal")
    assert (
        log_in(here, "ama@example.test")
        and log_in(there, "ama@example.test")
        and log_in(kofi, "kofi@example.test")
    )
    mine, other = (sessions.hash_of(token_of(each))[:16] for each in (here, there))
    of_kofi = sessions.hash_of(token_of(kofi))[:16]
    assert here.post("/account/sessions/end", {"session": of_kofi}).status_code == 303
    assert "logged out already" in here.get("/account/sessions").text
    assert kofi.get("/").status_code == 200, "another person's session is unknown here"
    here.post("/account/sessions/end", {"session": other})
    assert there.get("/").status_code == 303 and here.get("/").status_code == 200
    answer = here.post("/account/sessions/end", {"session": mine})
    assert answer.location == "/login" and here.get("/").status_code == 303


@pytest.mark.parametrize("key", ["", "x", "\x00", "0" * 16, "é"])
def test_a_session_nobody_has_is_no_error(ama_agent: Visitor, key: str) -> None:
    assert (
        ama_agent.post("/account/sessions/end", {"session": key}).location
        == "/account/sessions"
    )
    assert ama_agent.get("/").status_code == 200


def test_out_everywhere_means_both_doors_and_this_one(
    app: Flask, visitor: Callable[[str], Visitor]
) -> None:
    tables_owner.execute(
        "UPDATE users SET platform_role = 'support' WHERE email = 'both@example.test'"
    )
    console, portal, kofi = visitor("admin"), visitor("portal"), visitor("portal")
    for each, email in ((console, "both"), (portal, "both"), (kofi, "kofi")):
        assert log_in(each, f"{email}@example.test")
    assert portal.post("/account/log-out-everywhere").location == "/login"
    assert "logged out everywhere" in portal.get("/login").text
    assert console.get("/").status_code == portal.get("/").status_code == 303
    assert kofi.get("/").status_code == 200
    assert ("log_out_everywhere", "Both") in [line[:2] for line in told(app)]
    assert log_in(visitor("portal"), "both@example.test"), "the password is as it was"


def test_a_person_who_has_not_chosen_a_store_may_do_all_of_it(
    visitor: Callable[[str], Visitor],
) -> None:
    both = visitor("portal")
    assert log_in(both, "both@example.test")
    assert both.get("/orders").location == "/stores?next=/orders"
    assert (
        both.get("/account/password").status_code
        == both.get("/account/sessions").status_code
        == 200
    )
    assert change(both).status_code == 303


def test_the_account_menu_leads_to_both_pages(
    ama_agent: Visitor, owner: Visitor
) -> None:
    for each in (ama_agent, owner):
        page = each.get("/").text
        assert 'href="/account/password"' in page and 'href="/account/sessions"' in page


@pytest.mark.parametrize(
    "path",
    ["/account/password", "/account/sessions/end", "/account/log-out-everywhere"],
)
def test_no_page_of_somebody_else_does_any_of_it(
    ama_agent: Visitor, app: Flask, path: str
) -> None:
    form = {
        "present_password": PASSWORD,
        "new_password": NEW,
        "new_password_again": NEW,
    }
    form["session"] = sessions.hash_of(token_of(ama_agent))[:16]
    forgeries: tuple[dict[str, Any], ...] = (
        {"csrf": False}, {"csrf": False, "origin": None}, {"origin": "http://kofi.localhost"},
        {"origin": "http://admin.localhost"},
        {"headers": {"Sec-Fetch-Site": "same-site"}},
    )  # fmt: skip
    for forgery in forgeries:
        assert ama_agent.post(path, form, **forgery).status_code in (400, 403), forgery
    assert ama_agent.get("/").status_code == 200


@pytest.mark.parametrize(
    ("room", "email", "shared", "unused_s", "shown"),
    [
        ("portal", "ama@example.test", True, 1_900, 1),
        ("admin", "owner@example.test", False, 1_900, 1),
        ("portal", "ama@example.test", False, 1_900, 2),
        ("portal", "ama@example.test", False, 43_300, 1),
    ],
    ids=["shared device", "console", "own device goes on", "own device"],
)
def test_the_list_does_not_show_what_has_ended(
    app: Flask,
    visitor: Callable[[str], Visitor],
    jump: Callable[[float], None],
    room: str,
    email: str,
    shared: bool,
    unused_s: int,
    shown: int,
) -> None:
    old = visitor(room)
    assert log_in(old, email, shared=shared)
    jump(unused_s)
    here = visitor(room)
    assert log_in(here, email)
    assert here.get("/account/sessions").text.count("/account/sessions/end") == shown
    with app.app_context(), tenancy.across_stores():
        assert db.session.scalar(text("SELECT count(*) FROM sessions")) == 2
        db.session.remove()
