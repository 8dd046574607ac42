"""What happened at the doors is in the log and in the audit, with address and person, and a flood
of it is bounded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from seed import PASSWORD
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from visitors import Visitor

from core import audit
from core.accounts import guessing, logging_in, resets, security_events, users
from core.accounts.devices import Place
from core.audit import SYSTEM, AuditLine
from core.base import tenancy
from core.base.db import db

AMA = "ama@example.test"
Said = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def one_minute(app: Flask, set_clock: Callable[[float], None]) -> None:
    """A minute that does not end within a test, since events are counted by the minute."""
    set_clock(-(time.time() % 60))


@pytest.fixture
def told(app: Flask, caplog: pytest.LogCaptureFixture) -> tuple[Flask, Said]:
    """The application, and what it has said since last asked."""
    caplog.set_level(logging.INFO)

    def said() -> list[dict[str, Any]]:
        heard = [
            dict(record.msg)
            for record in caplog.records
            if isinstance(record.msg, dict)
        ]
        caplog.clear()
        return heard

    return app, said


def lines(app: Flask, *events: str) -> list[AuditLine]:
    """The lines of these events in the audit, oldest first."""
    with app.app_context():
        found = [
            line
            for line in audit.recent(500)
            if line.action in (events or security_events.EVENTS)
        ]
        db.session.remove()
        return found[::-1]


def log_in(
    visitor: Visitor,
    email: str = AMA,
    password: str = PASSWORD,
    address: str = "196.201.1.9",
) -> int:
    form = {"email": email, "password": password}
    return visitor.post(
        "/login", form, environ_base={"REMOTE_ADDR": address}
    ).status_code


def user_id(app: Flask, email: str) -> int:
    with app.app_context():
        user = users.by_email(email)
        assert user is not None
        db.session.remove()
        return user.id


@pytest.mark.parametrize(
    ("room", "door", "email"),
    [("portal", "portal", AMA), ("admin", "console", "owner@example.test")],
)
def test_a_log_in_and_a_wrong_one_are_written_down(
    told: tuple[Flask, Said], room: str, door: str, email: str
) -> None:
    app, said = told
    who = user_id(app, email)
    visitor = Visitor(app, room)
    assert log_in(visitor, email, "wrong", "2001:db8:1:2:3::4") == 422
    assert log_in(visitor, email) == 303
    wrong, right = lines(app)
    assert (wrong.action, wrong.actor_kind, wrong.user_id, wrong.subject) == (
        "login_failed",
        "stranger",
        None,
        f"user:{who}",
    )
    assert wrong.detail == {
        "address": "2001:db8:1:2::",
        "door": door,
        "email": f"{email[0]}…@example.test",
    }
    assert (right.action, right.user_id, right.detail) == (
        "logged_in",
        who,
        {"address": "196.201.1.9", "door": door},
    )
    events = {
        line["event"]: line
        for line in said()
        if line["event"] in security_events.EVENTS
    }
    assert events["login_failed"]["address"] == "2001:db8:1:2::"
    assert (events["logged_in"]["person"], events["logged_in"]["address"]) == (
        who,
        "196.201.1.9",
    )


def test_waits_and_refusals_are_written_down_at_the_log_in(
    told: tuple[Flask, Said],
) -> None:
    app, said = told
    visitor = Visitor(app, "portal")
    for _ in range(6):
        log_in(visitor, password="wrong")
    assert log_in(visitor, address="10.0.0.2") == 429
    assert [line.action for line in lines(app)] == [
        "login_failed",
        "login_refused",
        "login_slowed",
    ]
    assert lines(app, "login_refused")[0].detail["wait_s"] in range(880, 901)
    assert lines(app, "login_slowed")[0].detail["address"] == "10.0.0.2"
    heard = [line["event"] for line in said() if line["event"].startswith("login_")]
    assert heard == ["login_failed"] * 5 + ["login_refused", "login_slowed"], (
        "the log has every one"
    )


@pytest.mark.parametrize(
    ("event", "more"),
    [
        ("origin_refused", {"origin": "http://ama.localhost"}),
        (
            "origin_refused",
            {"origin": None, "headers": {"Referer": "http://ama.localhost/"}},
        ),
        ("forgery_refused", {"origin": None, "csrf": False}),
        ("origin_refused", {"headers": {"Sec-Fetch-Site": "same-site"}}),
        ("forgery_refused", {"csrf": False}),
    ],
)
def test_a_form_from_elsewhere_is_written_down_with_its_victim(
    told: tuple[Flask, Said], event: str, more: dict[str, Any]
) -> None:
    app, said = told
    agent = Visitor(app, "portal")
    assert log_in(agent) == 303
    assert agent.post("/prices", {"price-1": "1.00"}, **more).status_code in (400, 403)
    (line,) = lines(app, event)
    assert (line.actor_kind, line.user_id) == ("agent", user_id(app, AMA))
    assert (line.detail["asked"], line.detail["address"]) == (
        "POST /prices",
        "127.0.0.1",
    )
    assert event in [heard["event"] for heard in said()]


def test_a_stranger_s_form_at_a_store_is_written_down_too(
    told: tuple[Flask, Said],
) -> None:
    app, _ = told
    assert (
        Visitor(app, "ama")
        .post("/orders", {}, origin="http://evil.example")
        .status_code
        == 403
    )
    (line,) = lines(app)
    assert (line.action, line.actor_kind, line.user_id) == (
        "origin_refused",
        "stranger",
        None,
    )
    assert line.detail == {
        "address": "127.0.0.1",
        "room": "store",
        "store": "ama",
        "asked": "POST /orders",
    }


def test_a_refusal_by_role_is_written_down_with_the_person(
    told: tuple[Flask, Said],
) -> None:
    app, _ = told
    viewer = Visitor(app, "portal")
    assert log_in(viewer, "viewer@example.test") == 303
    assert viewer.post("/prices", {}).status_code == 403
    (line,) = lines(app, "role_refused")
    assert (line.user_id, line.detail["asked"]) == (
        user_id(app, "viewer@example.test"),
        "POST /prices",
    )


def test_a_refusal_by_a_limit_is_written_down(told: tuple[Flask, Said]) -> None:
    app, _ = told
    guesser = Visitor(app, "ama")
    for n in range(62):
        guesser.get(
            f"/orders/{n:010d}", environ_base={"REMOTE_ADDR": "2001:db8:1:2::9"}
        )
    (line,) = lines(app, "limit_refused")
    assert line.detail == {
        "address": "2001:db8:1:2::",
        "room": "store",
        "store": "ama",
        "asked": "GET /orders/<path:code>",
    }


def test_a_mistake_is_no_event(told: tuple[Flask, Said]) -> None:
    app, _ = told
    for path in ("/nothing", "/orders/XXXXXXXXXX", "/orders/(", "/track?code=q"):
        assert Visitor(app, "ama").get(path).status_code == 404
    assert Visitor(app, "portal").get("/").status_code == 303
    assert lines(app) == []


def test_every_request_line_has_the_address_and_the_person_it_was_of(
    told: tuple[Flask, Said],
) -> None:
    app, said = told
    agent = Visitor(app, "portal")
    log_in(agent)
    said()
    agent.get("/", environ_base={"REMOTE_ADDR": "2001:db8:1:2:3::4"})
    Visitor(app, "ama").get("/", environ_base={"REMOTE_ADDR": "196.201.1.9"})
    mine, customer = [line for line in said() if line["event"] == "request"]
    assert (mine["person"], mine["address"]) == (user_id(app, AMA), "2001:db8:1:2::")
    assert (customer["person"], customer["address"]) == (None, "196.201.1.9")


def test_what_changes_who_may_enter_is_in_log_and_audit_with_address_and_person(
    told: tuple[Flask, Said],
) -> None:
    app, said = told
    agent, person = Visitor(app, "portal"), user_id(app, AMA)
    log_in(agent)
    said()
    agent.post(
        "/account/log-out-everywhere", {}, environ_base={"REMOTE_ADDR": "196.201.1.9"}
    )
    (out,) = [line for line in said() if line["event"] == "log_out_everywhere"]
    assert (out["person"], out["subject"], out["address"]) == (
        person,
        f"user:{person}",
        "196.201.1.9",
    )
    with app.app_context():
        made = resets.make(person, SYSTEM)
        db.session.remove()
    (link,) = [line for line in said() if line["event"] == "make_reset_link"]
    assert (link["subject"], link["level"]) == (f"user:{person}", "info")
    form = {
        "new_password": "kwame walks to tema",
        "new_password_again": "kwame walks to tema",
    }
    path = urlsplit(made.url).path
    assert (
        agent.post(path, form, environ_base={"REMOTE_ADDR": "196.201.1.7"}).status_code
        == 303
    )
    heard = said()
    (used,) = [line for line in heard if line["event"] == "use_reset_link"]
    assert (used["person"], used["address"]) == (person, "196.201.1.7")
    assert (
        path not in str(heard)
        and "kwame walks" not in str(heard)
        and AMA not in str([out, link, used])
    )
    acts = ("log_out_everywhere", "make_reset_link", "use_reset_link")
    assert [line.action for line in lines(app, *acts)] == list(acts)


def test_neither_log_nor_audit_hold_a_password_a_token_or_a_whole_e_mail(
    told: tuple[Flask, Said],
) -> None:
    app, said = told
    visitor = Visitor(app, "portal")
    log_in(visitor, password="a secret guess")
    log_in(visitor, "\x1b[31mnobody\n@example.test")
    log_in(visitor)
    token = visitor.client.get_cookie("__Host-known", "portal.localhost")
    assert token is not None
    with app.app_context(), tenancy.across_stores():
        kept = str(
            db.session.execute(
                text("SELECT action, subject, detail::text FROM audit")
            ).all()
        )
        db.session.remove()
    for text_ in (kept, str(said())):
        for secret in ("a secret guess", PASSWORD, AMA, token.value, "\x1b"):
            assert secret not in text_


def test_a_flood_of_one_event_leaves_a_line_for_each_power_of_ten(
    context: Flask,
) -> None:
    for _ in range(1_234):
        security_events.note("limit_refused", "10.0.0.1", room="store")
    kept = [line.detail.get("times", 1) for line in lines(context)]
    assert kept == [1, 10, 100, 1_000]


@pytest.mark.slow(seconds=0.2)
def test_a_flood_from_many_addresses_leaves_so_many_lines_a_minute_and_hides_no_other_kind(
    context: Flask, jump: Callable[[float], None]
) -> None:
    for n in range(3_000):
        security_events.note("origin_refused", f"10.0.{n // 250}.{n % 250}")
    assert len(security_events.tally._times) <= security_events._KEPT
    assert len(lines(context)) == security_events.LINES_A_MINUTE
    security_events.note("login_failed", "10.0.0.1", subject="user:1")
    assert len(lines(context, "login_failed")) == 1
    jump(61)
    security_events.note("origin_refused", "10.9.9.9")
    assert len(lines(context, "origin_refused")) == security_events.LINES_A_MINUTE + 1


def test_a_known_e_mail_in_a_flood_of_invented_ones_costs_no_other_number_of_lines(
    context: Flask,
) -> None:
    """Or who floods could see by the time of an answer whether the audit had been written, and so
    who is known."""
    for n in range(security_events.LINES_A_MINUTE):
        security_events.note("login_failed", "10.0.0.1", apart=f"portal nobody{n}")
    assert logging_in.authenticate(AMA, "wrong", Place("10.0.0.1", "portal")) is None
    assert (
        logging_in.authenticate("no@example.test", "wrong", Place("10.0.0.1", "portal"))
        is None
    )
    assert len(lines(context, "login_failed")) == security_events.LINES_A_MINUTE


def test_a_database_that_is_away_costs_the_audit_its_line_and_nobody_an_answer(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_words: object) -> None:
        raise OperationalError("INSERT", {}, Exception("away"))

    monkeypatch.setattr(audit, "write", away)
    security_events.note("origin_refused", "10.0.0.1")
    with pytest.raises(guessing.TooManyTries):
        for _ in range(6):
            assert (
                logging_in.authenticate(AMA, "wrong", Place("10.0.0.1", "portal"))
                is None
            )


@pytest.mark.parametrize(
    ("email", "shown"),
    [
        ("ama@example.test", "a…@example.test"),
        ("", "…"),
        ("no at", "n…"),
        ("a\n@\x1bx", "a…@x"),
        ("@", "…"),
        ("é" * 99 + "@ü", "é…@ü"),
    ],
)
def test_e_mails_are_masked(email: str, shown: str) -> None:
    assert security_events.masked(email) == shown
