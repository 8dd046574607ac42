"""Codes that show that a number or an address is somebody's: six digits, once, for a while."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask

from core.accounts import confirmations, people, users
from core.accounts.confirmations import CodeRefused
from core.audit import SYSTEM, Actor
from core.base import messages, tenancy
from core.base.config import Config, ConfigError
from core.base.db import db
from tests.support.settings import Using

AMA = Actor("agent", "Ama")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
NUMBER, OTHER = "+233245550101", "+233245550102"


class Box:
    """A sender that keeps what it is given; `down`: one that cannot hand it on."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.down = False

    def send(self, kind: messages.Kind, to: str, text: str) -> None:
        if self.down:
            raise messages.NotSent
        self.sent.append((kind, to, text))

    @property
    def code(self) -> str:
        found = re.match(r"\d{6}\b", self.sent[-1][2])
        assert found
        return found[0]


@pytest.fixture
def box() -> Iterator[Box]:
    made = Box()
    messages.use(made)
    yield made
    messages.use(None)


def id_of(email: str) -> int:
    user = users.by_email(email)
    assert user is not None
    return user.id


@pytest.fixture
def ama_id(context: Flask) -> int:
    return id_of("ama@example.test")


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


def is_confirmed(user_id: int) -> bool:
    db.session.remove()
    row = confirmations.of_person(user_id, "phone")
    return row is not None and row.confirmed_at is not None


def test_a_code_confirms_once(ama_id: int, box: Box) -> None:
    confirmations.send(ama_id, "phone", NUMBER, AMA)
    assert [sent[:2] for sent in box.sent] == [("phone", NUMBER)]
    spaced = f" {box.code[:3]} {box.code[3:]} "
    confirmations.confirm(ama_id, "phone", spaced, AMA)
    assert is_confirmed(ama_id)
    with pytest.raises(CodeRefused, match="confirmed already"):
        confirmations.confirm(ama_id, "phone", box.code, AMA)


def test_only_a_keyed_hash_is_kept(ama_id: int, box: Box) -> None:
    confirmations.send(ama_id, "phone", NUMBER, AMA)
    row = confirmations.of_person(ama_id, "phone")
    assert row is not None and row.code_hash is not None
    assert box.code not in row.code_hash and len(row.code_hash) == 64


def test_after_five_wrong_ones_the_right_one_is_none_either(
    ama_id: int, box: Box
) -> None:
    confirmations.send(ama_id, "phone", NUMBER, AMA)
    for left in ("4 more tries", "3 more", "2 more", "1 more try", "too often"):
        with pytest.raises(CodeRefused, match=left):
            confirmations.confirm(ama_id, "phone", wrong(box.code), AMA)
    with pytest.raises(CodeRefused, match="no code to type"):
        confirmations.confirm(ama_id, "phone", box.code, AMA)
    assert not is_confirmed(ama_id)


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "12345a", "\u202e", "x" * 999]
)
def test_what_is_no_code_uses_up_no_try(ama_id: int, box: Box, typed: str) -> None:
    confirmations.send(ama_id, "phone", NUMBER, AMA)
    with pytest.raises(CodeRefused, match="Type the 6 digits"):
        confirmations.confirm(ama_id, "phone", typed, AMA)
    row = confirmations.of_person(ama_id, "phone")
    assert row is not None and row.tries == 0


def test_a_code_is_good_for_ten_minutes(
    ama_id: int, box: Box, jump: Callable[[float], None]
) -> None:
    confirmations.send(ama_id, "phone", NUMBER, AMA)
    jump(601)
    with pytest.raises(CodeRefused, match="no code to type"):
        confirmations.confirm(ama_id, "phone", box.code, AMA)


def test_a_newer_code_takes_the_place_of_the_older(
    ama_id: int, box: Box, jump: Callable[[float], None]
) -> None:
    confirmations.send(ama_id, "phone", NUMBER, AMA)
    first = box.code
    with pytest.raises(CodeRefused, match=r"Wait \d+ s"):
        confirmations.send(ama_id, "phone", OTHER, AMA)
    jump(61)
    confirmations.send(ama_id, "phone", OTHER, AMA)
    if first != box.code:
        with pytest.raises(CodeRefused, match="not the code"):
            confirmations.confirm(ama_id, "phone", first, AMA)
    confirmations.confirm(ama_id, "phone", box.code, AMA)
    row = confirmations.of_person(ama_id, "phone")
    assert row is not None and row.address == OTHER


def test_five_codes_a_day_whatever_the_number(
    ama_id: int, box: Box, jump: Callable[[float], None]
) -> None:
    for at in range(5):
        confirmations.send(ama_id, "phone", f"+23324555010{at}", AMA)
        jump(61)
    with pytest.raises(CodeRefused, match="5 codes were sent in a day"):
        confirmations.send(ama_id, "phone", NUMBER, AMA)
    jump(86_400)
    confirmations.send(ama_id, "phone", NUMBER, AMA)
    assert len(box.sent) == 6


def test_a_number_belongs_to_one_log_in(context: Flask, box: Box) -> None:
    """It is said to who has shown that the number is theirs, and to nobody else."""
    ama, kofi = id_of("ama@example.test"), id_of("kofi@example.test")
    confirmations.send(ama, "phone", NUMBER, AMA)
    confirmations.confirm(ama, "phone", box.code, AMA)
    confirmations.send(kofi, "phone", NUMBER, AMA)
    with pytest.raises(CodeRefused, match="another log-in already"):
        confirmations.confirm(kofi, "phone", box.code, AMA)
    assert not is_confirmed(kofi)


def test_of_equal_presses_at_once_one_confirms_and_none_is_a_fault(
    app: Flask, box: Box, superuser: psycopg.Connection[Any]
) -> None:
    with app.app_context():
        ama = id_of("ama@example.test")
        confirmations.send(ama, "phone", NUMBER, AMA)

    def press(_at: int) -> str:
        with app.app_context():
            try:
                confirmations.confirm(ama, "phone", box.code, AMA)
            except CodeRefused as refusal:
                return refusal.sentence
            finally:
                tenancy.clear()
                db.session.remove()
            return ""

    with (
        ThreadPoolExecutor(4) as pool,
        psycopg.connect(superuser.info.dsn, password=superuser.info.password) as held,
    ):
        held.execute("SELECT 1 FROM confirmations FOR UPDATE")
        pressed = [pool.submit(press, at) for at in range(4)]
        while superuser.execute(WAITING).fetchone() != (4,):
            pass
        held.rollback()
        said = [one.result() for one in pressed]
    assert said.count("") == 1
    assert {one for one in said if one} == {"Your phone number is confirmed already."}


def test_what_cannot_be_handed_on_is_said(ama_id: int, box: Box) -> None:
    box.down = True
    with pytest.raises(messages.NotSent, match="could not be sent"):
        confirmations.send(ama_id, "phone", NUMBER, AMA)


def test_without_a_sender_no_code_is_made(ama_id: int) -> None:
    with pytest.raises(messages.NotSent, match="cannot be sent here yet"):
        confirmations.send(ama_id, "phone", NUMBER, AMA)
    assert confirmations.of_person(ama_id, "phone") is None


def test_a_person_who_is_removed_is_forgotten(ama_id: int, box: Box) -> None:
    confirmations.send(ama_id, "phone", NUMBER, AMA)
    people.remove(ama_id, SYSTEM)
    assert confirmations.of_person(ama_id, "phone") is None


def test_the_file_of_development_is_read_by_its_owner_alone(
    context: Flask, using: Using, tmp_path: Path
) -> None:
    using(messages="console", instance_dir=str(tmp_path / "instance"))
    messages.send("phone", NUMBER, "012345 is your code")
    file = tmp_path / "instance" / messages.FILE
    assert file.read_text() == f"phone {NUMBER}: 012345 is your code\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_code_goes_into_the_log(
    ama_id: int, box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    confirmations.send(ama_id, "phone", NUMBER, AMA)
    confirmations.confirm(ama_id, "phone", box.code, AMA)
    assert box.code not in caplog.text and NUMBER[4:] not in caplog.text


def test_the_file_is_for_this_machine_alone() -> None:
    good = {
        "DATABASE_URL": "postgresql://a",
        "DATABASE_STORE_URL": "postgresql://b",
        "REDIS_URL": "redis://c",
        "MAKOLA_SECRET_KEY": "k" * 32,
        "DATA_MART_API_URL": "https://example.test/api",
        "DATA_MART_API_KEY": "k",
        "DATA_MART_API_SECRET": "s",
        "MAKOLA_WEBHOOK_TOKEN": "t" * 22,
        "MAKOLA_MESSAGES": "console",
    }
    assert Config.from_environ(good).messages == "console"
    with pytest.raises(ConfigError, match="use it with localhost only"):
        Config.from_environ(good | {"MAKOLA_BASE_DOMAIN": "makola.shop"})
