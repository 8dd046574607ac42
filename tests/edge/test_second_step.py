"""The second step of a log-in: a code of the phone or one from paper, each once, and no door
without it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pyotp
import pytest
import tables_owner
from flask import Flask
from seed import PASSWORD
from visitors import Visitor

from core.accounts import second_steps, users
from core.base import clock, signed
from core.base.db import db
from tests.support import settings

pytestmark = pytest.mark.slow(seconds=0.3)

DOORS = [("portal", "ama@example.test"), ("admin", "owner@example.test")]
LATER_S = 601


def password(visitor: Visitor, email: str, **more: str) -> Any:
    return visitor.post("/login", {"email": email, "password": PASSWORD, **more})


def code(secret: str, steps: int = 0) -> str:
    """What the phone shows now, or so many steps later."""
    step = int(clock.now().timestamp()) // second_steps.STEP_S
    return pyotp.TOTP(secret).generate_otp(step + steps)


def set_up(visitor: Visitor) -> tuple[str, list[str]]:
    """Turn it on, as a person does. Returns the secret of the phone, and the codes for paper."""
    answer = visitor.post("/account/second-step")
    assert (answer.status_code, answer.location) == (303, "/account/second-step")
    page = visitor.get("/account/second-step").text
    assert "<svg" in page and "QR code" in page
    (shown,) = re.findall(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
    secret = shown.replace(" ", "")
    page = visitor.post("/account/second-step/first", {"code": code(secret)}).text
    codes = re.findall(r"<li><code>([0-9A-Z-]{19})</code></li>", page)
    assert len(set(codes)) == 10, page
    return secret, codes


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/account/sessions").status_code == 200


@pytest.mark.parametrize(("room", "email"), DOORS)
def test_the_password_alone_opens_nothing_any_more(
    visitor: Callable[[str], Visitor],
    jump: Callable[[float], None],
    room: str,
    email: str,
) -> None:
    here, there = visitor(room), visitor(room)
    assert (
        password(here, email).location == "/" and password(there, email).location == "/"
    )
    secret, _codes = set_up(here)
    assert is_in(here) and not is_in(there), "log-ins that began without are over"
    assert secret not in here.get("/account/second-step").text, "never shown again"
    jump(60)
    new = visitor(room)
    answer = password(new, email, next="/account/sessions")
    assert (answer.status_code, answer.location) == (303, "/login/code")
    assert not is_in(new) and new.get("/").location.startswith("/login")
    for wrong in ("", "000000", "12345", "abcdef", "\x00\u202e", "9" * 2_000):
        refused = new.post("/login/code", {"code": wrong})
        assert (
            refused.status_code == 422 and "You are not logged in yet" in refused.text
        )
    assert not is_in(new)
    answer = new.post(
        "/login/code", {"code": f" {code(secret)[:3]} {code(secret)[3:]}"}
    )
    assert (answer.status_code, answer.location) == (303, "/account/sessions")
    assert is_in(new)


def test_a_code_works_once_and_no_older_one_after_it(
    ama_agent: Visitor, visitor: Callable[[str], Visitor], jump: Callable[[float], None]
) -> None:
    """The one that turned it on is over too."""
    jump(35 - clock.now().timestamp() % 30)  # no new code begins meanwhile
    secret, _codes = set_up(ama_agent)

    def enters(what: str) -> bool:
        guest = visitor("portal")
        password(guest, "ama@example.test")
        return bool(guest.post("/login/code", {"code": what}).location)

    assert not enters(code(secret))
    jump(90)
    early, now, late, too_late = (code(secret, step) for step in (-1, 0, 1, 2))
    assert not enters(code(secret, -2)) and not enters(too_late)
    assert enters(now) and not enters(now), "once"
    assert not enters(early), "what a thief saw before is over"
    assert enters(late) and not enters(late)


def test_of_two_with_one_code_at_once_one_comes_in(
    app: Flask,
    ama_agent: Visitor,
    visitor: Callable[[str], Visitor],
    jump: Callable[[float], None],
) -> None:
    secret, paper = set_up(ama_agent)
    jump(60)
    for what in (code(secret), paper[0]):
        guests = [visitor("portal") for _ in range(2)]
        for guest in guests:
            password(guest, "ama@example.test")
        assert sorted(_at_once(guests, what)) == [False, True]


def _at_once(guests: list[Visitor], what: str) -> list[bool]:
    """Who of them came in with this code."""
    start = threading.Barrier(len(guests))
    came: list[bool] = []

    def come(guest: Visitor) -> None:
        start.wait(10)
        came.append(guest.post("/login/code", {"code": what}).status_code == 303)

    threads = [threading.Thread(target=come, args=(guest,)) for guest in guests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return came


def test_codes_on_paper_each_work_once_and_new_ones_end_them(
    ama_agent: Visitor, visitor: Callable[[str], Visitor], jump: Callable[[float], None]
) -> None:
    _secret, paper = set_up(ama_agent)
    kept = tables_owner.read("SELECT code_hash FROM recovery_codes")
    assert len(kept) == 10 and not {one.replace("-", "") for one in paper} & set(kept)

    def enters(what: str) -> Visitor | None:
        guest = visitor("portal")
        password(guest, "ama@example.test")
        is_in = guest.post("/login/code", {"code": what}).status_code == 303
        return guest if is_in else None

    spelt = paper[0].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    guest = enters(spelt)
    assert (
        guest is not None
        and "used up one code" in guest.get("/account/second-step").text
    )
    assert "9 of 10 are left" in guest.get("/account/second-step").text
    assert enters(paper[0]) is None
    page = guest.post("/account/second-step/codes").text
    new = re.findall(r"<code>([0-9A-Z-]{19})</code>", page)
    assert len(new) == 10 and enters(paper[1]) is None and enters(new[1]) is not None


def test_ten_wrong_codes_end_the_tries_wherever_they_come_from(
    app: Flask,
    ama_agent: Visitor,
    visitor: Callable[[str], Visitor],
    jump: Callable[[float], None],
) -> None:
    """Who tries knows the password, so the right code waits too, for a quarter of an hour."""
    secret, paper = set_up(ama_agent)
    jump(60)
    guest = visitor("portal")
    password(guest, "ama@example.test")
    for at in range(10):
        answer = guest.post(
            "/login/code",
            {"code": "000000"},
            environ_base={"REMOTE_ADDR": f"10.0.0.{at}"},
        )
        assert answer.status_code == 422
    for right in (code(secret), paper[0]):
        answer = guest.post("/login/code", {"code": right})
        assert answer.status_code == 429 and "Wait 15 minutes" in answer.text
        assert int(answer.headers["Retry-After"]) <= 900
    jump(901)
    password(guest, "ama@example.test")
    assert guest.post("/login/code", {"code": code(secret)}).location == "/"
    assert (
        tables_owner.read("SELECT count(*) FROM audit WHERE action = 'code_failed'")[0]
        >= 1
    )


def test_a_right_password_counts_for_five_minutes_and_not_after_a_new_one(
    app: Flask,
    ama_agent: Visitor,
    visitor: Callable[[str], Visitor],
    jump: Callable[[float], None],
) -> None:
    secret, _paper = set_up(ama_agent)
    jump(60)
    slow, stale = visitor("portal"), visitor("portal")
    password(stale, "ama@example.test")
    new = "a kettle on the roof"
    changed = {
        "present_password": PASSWORD,
        "new_password": new,
        "new_password_again": new,
    }
    assert ama_agent.post("/account/password", changed).status_code == 303
    answer = stale.post("/login/code", {"code": code(secret)})
    assert (answer.status_code, answer.location) == (303, "/login")
    slow.post("/login", {"email": "ama@example.test", "password": new})
    jump(301)
    assert slow.get("/login/code").location == "/login"
    assert slow.post("/login/code", {"code": code(secret)}).location == "/login"
    assert not is_in(slow) and visitor("portal").get("/login/code").location == "/login"


def test_the_form_of_signing_up_sent_again_asks_for_the_code_too(
    visitor: Callable[[str], Visitor], jump: Callable[[float], None]
) -> None:
    form = {
        "name": "Yaa", "phone": "024 555 6677", "email": "yaa@example.test",
        "password": "a kettle on the roof", "store_name": "Yaa Data", "slug": "yaa-data",
    }  # fmt: skip
    here = visitor("portal")
    assert here.post("/sign-up", form).location == "/"
    set_up(here)
    again = visitor("portal")
    assert again.post("/sign-up", form).location == "/login/code"
    assert not is_in(again)


def test_the_secret_is_sealed_and_a_new_key_of_the_program_reads_it(
    app: Flask,
    ama_agent: Visitor,
    monkeypatch: pytest.MonkeyPatch,
    jump: Callable[[float], None],
) -> None:
    """With the old one among the fallbacks; the next code seals it anew."""
    first, new, strange = (letter * 40 for letter in "fns")
    for key in (first, new, strange):  # the database goes on knowing the one of before
        monkeypatch.setitem(signed._agreed, key, tables_owner.SECRET_KEY)
    with settings.using(secret_key=first):
        secret, _paper = set_up(ama_agent)
    (before,) = tables_owner.read("SELECT secret FROM second_steps")
    assert secret not in before
    (ama,) = tables_owner.read("SELECT id FROM users WHERE email = 'ama@example.test'")

    def takes(what: str) -> str:
        with app.app_context():
            try:
                second_steps.check(ama, what, "10.0.0.1")
            except second_steps.CodeRefused as refusal:
                return refusal.sentence
            finally:
                db.session.remove()
        return ""

    jump(60)
    with settings.using(secret_key=new, secret_key_fallbacks=first):
        assert takes(code(secret)) == ""
    jump(60)
    with settings.using(secret_key=new):
        assert takes(code(secret)) == "", "it was sealed with the new one"
    jump(60)
    with settings.using(secret_key=strange):
        assert "Use a code from paper" in takes(code(secret))
    assert tables_owner.read("SELECT secret FROM second_steps") != [before]


def test_another_person_s_secret_put_into_my_row_opens_nothing(
    app: Flask, ama_agent: Visitor, kofi_agent: Visitor, jump: Callable[[float], None]
) -> None:
    """A secret is sealed for its person."""
    set_up(ama_agent)
    secret, _paper = set_up(kofi_agent)
    tables_owner.execute(
        "UPDATE second_steps SET secret = (SELECT secret FROM second_steps s JOIN users u ON"
        " u.id = s.user_id WHERE u.email = 'kofi@example.test')"
    )
    jump(60)
    with app.app_context():
        ama = users.by_email("ama@example.test")
        assert ama is not None
        with pytest.raises(second_steps.CodeRefused):
            second_steps.check(ama.id, code(secret), "10.0.0.1")
        db.session.remove()


def test_it_is_turned_off_by_oneself_and_by_the_owner_for_who_lost_the_phone(
    ama_agent: Visitor,
    owner: Visitor,
    logged_in: Callable[..., Visitor],
    visitor: Callable[[str], Visitor],
    jump: Callable[[float], None],
) -> None:
    set_up(ama_agent)
    assert ama_agent.post("/account/second-step/off").status_code == 303
    assert password(visitor("portal"), "ama@example.test").location == "/"
    set_up(ama_agent)
    (ama,) = tables_owner.read("SELECT id FROM users WHERE email = 'ama@example.test'")
    path = f"/people/{ama}/second-step-off"
    assert path in owner.get("/people").text
    for who in ("finance", "support"):
        other = logged_in(f"{who}@example.test", "console")
        answer = other.post(path)
        assert answer.status_code == 403 and "whose role is owner" in answer.text
    assert password(visitor("portal"), "ama@example.test").location == "/login/code"
    answer = owner.post(path)
    assert "The second step of Ama is off" in owner.get(answer.location).text
    assert password(visitor("portal"), "ama@example.test").location == "/"
    assert tables_owner.read("SELECT count(*) FROM recovery_codes") == [0]


def test_a_kept_form_comes_back_after_the_code(
    visitor: Callable[[str], Visitor], jump: Callable[[float], None]
) -> None:
    """What was typed when the log-in ended outlives the second step as well."""
    here = visitor("portal")
    password(here, "ama@example.test")
    secret, _paper = set_up(here)
    page = here.get("/store").text
    (whose,) = set(re.findall(r'name="drawn_for" value="([^"]+)"', page))
    jump(8 * 86_400)
    typed = {"drawn_for": whose, "welcome": "Akwaaba", "was-welcome": ""}
    assert "/login" in here.post("/store", typed).location
    password(here, "ama@example.test", next="/store")
    assert here.post("/login/code", {"code": code(secret)}).location == "/store"
    assert "Akwaaba" in here.get("/store").text
