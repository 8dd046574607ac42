"""Log-ins: equal answers, limits that hold without Valkey, sessions that end, doors that stay apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from argon2 import PasswordHasher
from flask import Flask
from seed import PASSWORD
from sqlalchemy import text

from core import config, users
from core.config import Config, ConfigError
from core.db import db, transaction


def test_the_right_password_opens_and_the_wrong_one_does_not(context: Flask) -> None:
    assert users.authenticate("AMA@example.test ", PASSWORD, "10.0.0.1") is not None
    assert users.authenticate("ama@example.test", PASSWORD + "x", "10.0.0.1") is None
    assert users.authenticate("unknown@example.test", PASSWORD, "10.0.0.1") is None


@pytest.mark.parametrize("email", ["", "\x00", "a" * 5_000, "ama@example.test\x00", "é@ü.test", "' OR 1=1 --"])
def test_odd_addresses_are_simply_unknown(context: Flask, email: str) -> None:
    assert users.authenticate(email, PASSWORD, "10.0.0.1") is None


def test_five_failures_lock_the_account_for_a_quarter_of_an_hour(context: Flask, jump: Callable[[float], None]) -> None:
    for n in range(5):
        assert users.authenticate("ama@example.test", "wrong", f"10.0.0.{n}") is None
    with pytest.raises(users.TooManyAttempts):
        users.authenticate("ama@example.test", PASSWORD, "10.0.1.1")
    assert users.authenticate("kofi@example.test", PASSWORD, "10.0.1.1") is not None
    jump(901)
    assert users.authenticate("ama@example.test", PASSWORD, "10.0.1.1") is not None


def test_twenty_failures_close_an_address(context: Flask) -> None:
    for n in range(20):
        users.authenticate(f"nobody{n}@example.test", "wrong", "10.9.9.9")
    with pytest.raises(users.TooManyAttempts):
        users.authenticate("ama@example.test", PASSWORD, "10.9.9.9")
    assert users.authenticate("ama@example.test", PASSWORD, "10.9.9.8") is not None


def test_an_address_nobody_has_costs_the_same_work_as_a_wrong_password(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, since one hash takes so long that nothing else of a log-in shows beside it."""
    hashed: list[str] = []
    verify = users._verify

    def counted(password_hash: str, password: str) -> bool:
        hashed.append(password_hash.split("$")[3])
        return verify(password_hash, password)

    monkeypatch.setattr(users, "_verify", counted)
    assert users.authenticate("ama@example.test", "wrong", "10.0.0.1") is None
    assert users.authenticate("nobody-at-all@example.test", "wrong", "10.0.0.1") is None
    assert len(hashed) == 2
    assert hashed[0] == hashed[1], "the hash of nobody is made by the rule of everybody's"


def test_a_session_opens_its_own_door_only_and_ends(context: Flask, ama: int) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    token = users.start_login(user, "portal", ama)
    login = users.login_of(token, "portal")
    assert login is not None
    assert (login.role, login.store_id) == ("owner", ama)
    assert users.login_of(token, "console") is None
    assert users.login_of(token + "x", "portal") is None
    assert token not in str(db.session.execute(text("SELECT * FROM sessions")).all())
    users.end_login(token)
    assert users.login_of(token, "portal") is None


def test_a_session_of_the_console_does_not_open_the_portal(context: Flask) -> None:
    owner = users.by_email("owner@example.test")
    assert owner is not None
    token = users.start_login(owner, "console")
    assert users.login_of(token, "console") is not None
    assert users.login_of(token, "portal") is None


def test_a_session_left_alone_ends_long_before_its_last_hour(
    context: Flask, ama: int, jump: Callable[[float], None]
) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    token = users.start_login(user, "portal", ama)
    jump(config.current().session_idle_s + 1)
    assert users.login_of(token, "portal") is None


def test_a_busy_session_ends_too(context: Flask, ama: int, jump: Callable[[float], None]) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    token = users.start_login(user, "portal", ama)
    step = config.current().session_idle_s - 10
    for _ in range(config.current().session_absolute_s // step):
        jump(step)
        assert users.login_of(token, "portal") is not None
    jump(step)
    assert users.login_of(token, "portal") is None


def test_a_person_works_in_one_store_at_a_time_and_only_in_their_own(context: Flask, ama: int, kofi_id: int) -> None:
    both, agent = users.by_email("both@example.test"), users.by_email("ama@example.test")
    assert both is not None
    assert agent is not None
    assert [store.slug for _membership, store in users.memberships_of(both)] == ["ama", "kofi"]
    token = users.start_login(both, "portal", ama)
    users.switch_store(token, kofi_id)
    login = users.login_of(token, "portal")
    assert login is not None
    assert (login.store_id, login.get_id()) == (kofi_id, token)
    token = users.start_login(agent, "portal", ama)
    users.switch_store(token, kofi_id)
    assert users.login_of(token, "portal") is None


def test_a_hash_by_an_older_rule_is_renewed_at_log_in_and_a_broken_one_opens_nothing(context: Flask) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

    def set_hash(value: str) -> None:
        with transaction() as session:
            session.execute(
                text("UPDATE users SET password_hash = :hash WHERE email = 'ama@example.test'"), {"hash": value}
            )

    set_hash(old)
    user = users.authenticate("ama@example.test", PASSWORD, "10.0.0.1")
    assert user is not None
    assert user.password_hash != old
    assert users.verify(user, PASSWORD)
    set_hash("not a hash")
    assert users.authenticate("ama@example.test", PASSWORD, "10.0.0.1") is None


def test_a_session_idles_out_and_ends_for_good(context: Flask, ama: int, jump: Callable[[float], None]) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    token = users.start_login(user, "portal", ama)
    for _ in range(23):
        jump(config.current().session_idle_s - 10)
        assert users.login_of(token, "portal") is not None
    jump(config.current().session_idle_s - 10)
    jump(config.current().session_idle_s - 10)
    assert users.login_of(token, "portal") is None


def test_a_member_of_no_store_and_an_agent_at_the_console_are_refused(context: Flask, ama: int) -> None:
    nobody, agent = users.by_email("nobody@example.test"), users.by_email("ama@example.test")
    assert nobody is not None
    assert agent is not None
    assert users.login_of(users.start_login(nobody, "portal", ama), "portal") is None
    assert users.login_of(users.start_login(agent, "console"), "console") is None


def test_all_missing_settings_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as missing:
        Config.from_environ({})
    required = [
        f.metadata["env"]
        for f in dataclasses.fields(Config)
        if "env" in f.metadata and f.default is dataclasses.MISSING
    ]
    assert len(required) == 7
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
        ("MAKOLA_SECURITY_CONTACT", "mailto:a@shop.example\nContact: mailto:b@evil.example", "mailto:"),
    ],
)
def test_a_wrong_setting_says_what_it_should_be(name: str, value: str, says: str) -> None:
    good = {
        "DATABASE_URL": "postgresql://a:b@c/d",
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


def test_there_is_no_configuration_before_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_current", None)
    with pytest.raises(RuntimeError, match="no configuration yet"):
        config.current()
