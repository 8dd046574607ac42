"""A log-in from a new device is told to its person: on every other device, and by a message to an
address that is theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import tables_owner
from flask import Flask
from seed import PASSWORD
from visitors import Visitor

from core.accounts import new_devices
from core.base import messages
from tests.support.asked import asked

CHROME = "Mozilla/5.0 (Linux; Android 14) Chrome/126.0 Mobile"
TOLD = "A log-in from a new device"


class Sent:
    """Keeps what was handed on, or says that it could not be."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.works = True

    def send(self, kind: str, to: str, text: str) -> None:
        if not self.works:
            raise messages.NotSent
        self.texts.append((to, text))


@pytest.fixture
def sent() -> Iterator[Sent]:
    port = Sent()
    messages.use(port)
    yield port
    messages.use(None)


def log_in(
    visitor: Visitor, agent: str = CHROME, email: str = "ama@example.test"
) -> None:
    answer = visitor.post(
        "/login", {"email": email, "password": PASSWORD}, headers={"User-Agent": agent}
    )
    assert answer.status_code == 303


def confirm_phone() -> None:
    tables_owner.execute(
        "INSERT INTO confirmations (user_id, kind, address, tries, sends, confirmed_at) SELECT id,"
        " 'phone', '+233240000001', 0, 0, now() FROM users WHERE email = 'ama@example.test'"
    )


def test_the_other_devices_are_told_and_the_new_one_is_not(
    visitor: Callable[[str], Visitor], sent: Sent
) -> None:
    confirm_phone()
    mine, thief = visitor("portal"), visitor("portal")
    log_in(mine)
    assert TOLD not in mine.get("/").text and not sent.texts, (
        "the first of all is no news"
    )
    log_in(thief)
    assert TOLD not in thief.get("/").text
    thief.post("/account/devices/seen")
    for path in ("/", "/orders", "/wallet"):
        assert TOLD in mine.get(path).text, "a thief cannot say that it was seen"
    page = mine.get("/account/sessions").text
    assert "Chrome on Android" in page and "is it you?" in page and "127.0.0.1" in page
    ((to, text),) = sent.texts
    assert (
        to == "+233240000001"
        and "Chrome on Android" in text
        and "/account/sessions" in text
    )
    assert PASSWORD not in text
    assert mine.post("/account/devices/seen").status_code == 303
    assert TOLD not in mine.get("/").text


def test_a_known_device_is_no_news_and_each_door_has_its_own(
    visitor: Callable[[str], Visitor], sent: Sent
) -> None:
    mine = visitor("portal")
    log_in(mine)
    mine.post("/logout")
    log_in(mine)
    assert TOLD not in mine.get("/").text
    assert tables_owner.read("SELECT count(*) FROM new_devices") == [0]
    for _ in range(2):
        log_in(visitor("admin"), email="owner@example.test")
    assert tables_owner.read("SELECT door FROM new_devices") == ["console"]


def test_a_password_set_by_link_is_followed_by_news(
    visitor: Callable[[str], Visitor], owner: Visitor, sent: Sent
) -> None:
    """All devices were forgotten then, so that the first log-in is not the very first."""
    confirm_phone()
    log_in(visitor("portal"))
    (ama,) = tables_owner.read("SELECT id FROM users WHERE email = 'ama@example.test'")
    link = owner.post(f"/people/{ama}/reset").text.partition("portal.localhost")[2]
    path = link.partition('"')[0]
    new = {"new_password": PASSWORD, "new_password_again": PASSWORD}
    assert visitor("portal").post(path, new).status_code == 303
    log_in(visitor("portal"))
    assert len(sent.texts) == 1


def test_messages_are_few_and_one_that_cannot_be_sent_stops_nothing(
    visitor: Callable[[str], Visitor], sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who knows a password must not be able to send its person hundreds."""
    tables_owner.execute(
        "INSERT INTO confirmations (user_id, kind, address, tries, sends) SELECT id, 'phone',"
        " '+233249999999', 0, 0 FROM users WHERE email = 'ama@example.test'"
    )
    log_in(visitor("portal"))
    log_in(visitor("portal"))
    assert not sent.texts, "no address is surely theirs"
    tables_owner.execute("DELETE FROM confirmations")
    confirm_phone()
    sent.works = False
    log_in(visitor("portal"))
    sent.works = True
    monkeypatch.setattr(new_devices, "OF_PERSON", 4)
    for _ in range(3):
        log_in(visitor("portal"))
    assert len(sent.texts) == 1
    assert tables_owner.read("SELECT count(*) FROM new_devices") == [4]


def test_it_costs_no_statement(visitor: Callable[[str], Visitor], app: Flask) -> None:
    def statements() -> int:
        with asked(app) as found:
            assert quiet.get("/orders").status_code == 200
        return len(found.statements) + len(found.trips)

    quiet, told = visitor("portal"), visitor("portal")
    log_in(quiet)
    quiet.get("/orders")
    before = statements()
    log_in(told)
    assert TOLD in quiet.get("/orders").text
    assert statements() == before


def test_out_everywhere_else_keeps_this_log_in(
    visitor: Callable[[str], Visitor],
) -> None:
    here, there = visitor("portal"), visitor("portal")
    log_in(here)
    log_in(there)
    page = here.get("/account/sessions").text
    assert "Log out everywhere else" in page
    assert "ends after 12 hours without use, and after 7 days in all" in page
    answer = here.post("/account/log-out-elsewhere")
    assert "logged out everywhere else" in here.get(answer.location).text
    assert there.get("/orders").location.startswith("/login")
    assert here.get("/orders").status_code == 200
    assert tables_owner.read(
        "SELECT count(*) FROM audit WHERE action = 'log_out_elsewhere'"
    ) == [1]
