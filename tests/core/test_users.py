"""Log-ins: sessions that end, doors that stay apart. Who may try a password how often:
test_entering.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text

from core.accounts import logins, users
from core.base import config
from core.base.config import Config, ConfigError
from core.base.db import db


def test_a_session_opens_its_own_door_only_and_ends(context: Flask, ama: int) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    token = logins.start_login(user, "portal", ama)
    login = logins.login_of(token, "portal")
    assert login is not None
    assert (login.role, login.store_id) == ("owner", ama)
    assert logins.login_of(token, "console") is None
    assert logins.login_of(token + "x", "portal") is None
    assert token not in str(db.session.execute(text("SELECT * FROM sessions")).all())
    logins.end_login(token)
    assert logins.login_of(token, "portal") is None


def test_a_session_of_the_console_does_not_open_the_portal(context: Flask) -> None:
    owner = users.by_email("owner@example.test")
    assert owner is not None
    token = logins.start_login(owner, "console")
    assert logins.login_of(token, "console") is not None
    assert logins.login_of(token, "portal") is None


def test_a_session_left_alone_ends_long_before_its_last_hour(
    context: Flask, ama: int, jump: Callable[[float], None]
) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    token = logins.start_login(user, "portal", ama)
    jump(config.current().session_idle_s + 1)
    assert logins.login_of(token, "portal") is None


def test_a_busy_session_ends_too(
    context: Flask, ama: int, jump: Callable[[float], None]
) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    token = logins.start_login(user, "portal", ama)
    step = config.current().session_idle_s - 10
    for _ in range(config.current().session_absolute_s // step):
        jump(step)
        assert logins.login_of(token, "portal") is not None
    jump(step)
    assert logins.login_of(token, "portal") is None


def test_a_person_works_in_one_store_at_a_time_and_only_in_their_own(
    context: Flask, ama: int, kofi_id: int
) -> None:
    both, agent = (
        users.by_email("both@example.test"),
        users.by_email("ama@example.test"),
    )
    assert both is not None
    assert agent is not None
    assert [store.slug for _membership, store in users.memberships_of(both)] == [
        "ama",
        "kofi",
    ]
    token = logins.start_login(both, "portal", ama)
    logins.switch_store(token, kofi_id)
    login = logins.login_of(token, "portal")
    assert login is not None
    assert (login.store_id, login.get_id()) == (kofi_id, token)
    token = logins.start_login(agent, "portal", ama)
    logins.switch_store(token, kofi_id)
    assert logins.login_of(token, "portal") is None


def test_a_session_idles_out_and_ends_for_good(
    context: Flask, ama: int, jump: Callable[[float], None]
) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    token = logins.start_login(user, "portal", ama)
    for _ in range(23):
        jump(config.current().session_idle_s - 10)
        assert logins.login_of(token, "portal") is not None
    jump(config.current().session_idle_s - 10)
    jump(config.current().session_idle_s - 10)
    assert logins.login_of(token, "portal") is None


def test_a_member_of_no_store_and_an_agent_at_the_console_are_refused(
    context: Flask, ama: int
) -> None:
    nobody, agent = (
        users.by_email("nobody@example.test"),
        users.by_email("ama@example.test"),
    )
    assert nobody is not None
    assert agent is not None
    assert logins.login_of(logins.start_login(nobody, "portal", ama), "portal") is None
    assert logins.login_of(logins.start_login(agent, "console"), "console") is None


def test_all_missing_settings_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as missing:
        Config.from_environ({})
    required = [
        f.metadata["env"]
        for f in dataclasses.fields(Config)
        if "env" in f.metadata and f.default is dataclasses.MISSING
    ]
    assert len(required) == 8
    for name in required:
        assert name in str(missing.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("MAKOLA_SECRET_KEY", "short", "32 random characters"),
        ("DATABASE_URL", "mysql://x", "postgresql://"),
        ("DATA_MART_API_URL", "ftp://x", "http(s)"),
        ("MAKOLA_TIME_SCALE", "0", "above 0"),
        ("MAKOLA_WORKERS", "-1", "whole number"),
        ("MAKOLA_LOG_JSON", "maybe", "1 or 0"),
        ("MAKOLA_WEBHOOK_TOKEN", "short", "22 to 128"),
        ("MAKOLA_PUBLIC_SCHEME", "gopher", "https or http"),
        ("MAKOLA_SECURITY_CONTACT", "security@shop.example", "mailto:"),
        ("MAKOLA_SECURITY_CONTACT", "http://shop.example/report", "https://"),
        (
            "MAKOLA_SECURITY_CONTACT",
            "mailto:a@shop.example\nContact: mailto:b@evil.example",
            "mailto:",
        ),
    ],
)
def test_a_wrong_setting_says_what_it_should_be(
    name: str, value: str, says: str
) -> None:
    good = {
        "DATABASE_URL": "postgresql://a:b@c/d",
        "DATABASE_STORE_URL": "postgresql://s:b@c/d",
        "REDIS_URL": "redis://x",
        "MAKOLA_SECRET_KEY": "s" * 32,
        "DATA_MART_API_URL": "https://x.example/api",
        "DATA_MART_API_KEY": "k",
        "DATA_MART_API_SECRET": "s",
        "MAKOLA_WEBHOOK_TOKEN": "t" * 22,
    }
    Config.from_environ(good)
    with pytest.raises(ConfigError, match=name) as wrong:
        Config.from_environ({**good, name: value})
    assert says in str(wrong.value)


def test_the_rest_of_the_settings_is_read_by_its_kind() -> None:
    good = {
        "DATABASE_URL": "postgresql://a:b@c/d",
        "DATABASE_STORE_URL": "postgresql://s:b@c/d",
        "REDIS_URL": "redis://x",
        "MAKOLA_SECRET_KEY": "s" * 32,
        "DATA_MART_API_URL": "https://x.example/api",
        "DATA_MART_API_KEY": "k",
        "DATA_MART_API_SECRET": "s",
        "MAKOLA_WEBHOOK_TOKEN": "t" * 22,
        "MAKOLA_LOG_JSON": "yes",
        "MAKOLA_WORKERS": "4",
        "MAKOLA_TIME_SCALE": "2.5",
    }
    found = Config.from_environ(good)
    assert (found.log_json, found.workers, found.time_scale) == (True, 4, 2.5)


def test_there_is_no_configuration_before_one_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config, "_current", None)
    with pytest.raises(RuntimeError, match="no configuration yet"):
        config.current()
