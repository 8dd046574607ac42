"""One-time links for who lost the password: who makes them, that they work once, and that no log
ever holds one."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from seed import PASSWORD
from sqlalchemy import text
from visitors import Visitor

from core import audit, stores
from core.accounts import logging_in, people, resets, users
from core.accounts.devices import Place
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db
from core.base.passwords import BadPassword

NEW = "a kettle on the roof"
HERE = Place("10.0.0.1", "portal")


@pytest.fixture
def link(app: Flask) -> Callable[[str], str]:
    """`link("ama")`: the path of a new link for that person."""

    def make(who: str) -> str:
        with app.app_context():
            user = users.by_email(f"{who}@example.test")
            assert user is not None
            made = resets.make(user.id, SYSTEM)
            db.session.remove()
        return made.url.partition(".localhost")[2]

    return make


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the log would write, formatted, since the test began."""
    written: list[str] = []
    (handler,) = [h for h in logging.getLogger().handlers if h.get_name() == "makola"]

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(handler.format(record))

    keep = Keep()
    logging.getLogger().addHandler(keep)
    yield written
    logging.getLogger().removeHandler(keep)


def set_by(
    visitor: Visitor, path: str, new: str = NEW, again: str | None = None
) -> tuple[int, str]:
    form = {"new_password": new, "new_password_again": new if again is None else again}
    answer = visitor.post(path, form)
    return answer.status_code, answer.headers.get("Location", "") or answer.text


def opens(app: Flask, who: str, password: str) -> bool:
    with app.app_context():
        right = (
            logging_in.authenticate(f"{who}@example.test", password, HERE) is not None
        )
        db.session.remove()
    return right


def is_dead(visitor: Visitor, path: str) -> bool:
    answer = visitor.get(path)
    posted = set_by(visitor, path, "another kettle on a roof")
    return (answer.status_code, answer.location) == (303, "/login") and posted == (
        303,
        "/login",
    )


def test_the_owner_makes_a_link_and_the_agent_sets_a_password_with_it(
    app: Flask, owner: Visitor, ama_agent: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    page = owner.get("/people").text
    found = re.search(
        r'action="(/people/\d+/reset)"[^\0]{0,400}for ama@example\.test', page
    )
    assert found is not None
    shown = owner.post(found[1])
    assert shown.status_code == 200 and shown.headers["Cache-Control"] == "no-store"
    url = re.search(r'value="http://portal\.localhost(/reset/[\w-]{43})"', shown.text)
    assert url is not None
    assert url[1] not in owner.get("/people").text + owner.get("/audit").text
    agent = visitor("portal")
    form = agent.get(url[1])
    assert (
        form.status_code == 200
        and "ama@example.test" in form.text
        and form.headers["Cache-Control"] == "no-store"
    )
    assert set_by(agent, url[1]) == (303, "/login")
    assert "Your new password is set" in agent.get("/login").text
    assert opens(app, "ama", NEW) and not opens(app, "ama", PASSWORD)
    assert ama_agent.get("/").status_code == 303, "whoever was inside is out"
    with app.app_context():
        acts = [
            (line.action, line.actor_name, line.detail["email"])
            for line in audit.recent(9)
            if "link" in line.action
        ]
    assert acts == [
        ("use_reset_link", "Ama", "ama@example.test"),
        ("make_reset_link", "Owner", "ama@example.test"),
    ]


def test_a_preview_does_not_burn_it(
    app: Flask, visitor: Callable[[str], Visitor], link: Callable[[str], str]
) -> None:
    path, portal = link("ama"), visitor("portal")
    for _ in range(3):
        assert (
            portal.get(path, headers={"User-Agent": "WhatsApp/2.23"}).status_code == 200
        )
        assert portal.client.head(path, base_url=portal.base_url).status_code == 200
    assert set_by(portal, path) == (303, "/login") and opens(app, "ama", NEW)


def test_it_works_once(
    app: Flask, visitor: Callable[[str], Visitor], link: Callable[[str], str]
) -> None:
    path, portal = link("ama"), visitor("portal")
    assert set_by(portal, path) == (303, "/login")
    assert is_dead(portal, path)
    assert "does not work any more" in portal.get("/login").text
    assert opens(app, "ama", NEW)


def test_of_eight_who_use_it_at_once_one_sets_the_password(
    app: Flask, link: Callable[[str], str]
) -> None:
    token = link("ama").removeprefix("/reset/")
    start, won = threading.Barrier(8), []

    def use(n: int) -> None:
        with app.app_context():
            start.wait()
            try:
                resets.use(token, "portal", f"the kettle number {n}")
                won.append(n)
            except resets.Gone:
                pass
            finally:
                db.session.remove()

    threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(won) == 1
    assert opens(app, "ama", f"the kettle number {won[0]}")


def test_a_refused_password_does_not_burn_it(
    app: Flask, visitor: Callable[[str], Visitor], link: Callable[[str], str]
) -> None:
    path, portal = link("ama"), visitor("portal")
    for new, again, says in (
        ("password", None, "Guessers try this"), (NEW, NEW + "x", "not the same"), ("amas data",
        None, "of the store"),
        ("", None, "at least 8"), ("a\x00 b c d e f g", None, "one line"),
    ):  # fmt: skip
        status, page = set_by(portal, path, new, again)
        assert status == 422 and says in page
    assert opens(app, "ama", PASSWORD)
    assert set_by(portal, path)[0] == 303


def test_a_blank_pasted_with_one_of_the_two_is_no_difference(
    app: Flask, visitor: Callable[[str], Visitor], link: Callable[[str], str]
) -> None:
    assert set_by(visitor("portal"), link("ama"), f"\u200e{NEW} ", NEW)[0] == 303
    assert opens(app, "ama", NEW)


def test_time_a_newer_link_and_a_new_password_end_it(
    app: Flask,
    visitor: Callable[[str], Visitor],
    link: Callable[[str], str],
    jump: Callable[[float], None],
) -> None:
    portal = visitor("portal")
    older, newer = link("ama"), link("ama")
    assert is_dead(portal, older) and portal.get(newer).status_code == 200
    with app.app_context():
        user = users.by_email("ama@example.test")
        assert user is not None
        people.set_password(user.id, NEW, SYSTEM, action="set_password")
    assert is_dead(portal, newer)
    last = link("ama")
    jump(86_390)
    assert portal.get(last).status_code == 200
    jump(20)
    assert is_dead(portal, last)
    assert opens(app, "ama", NEW)


@pytest.mark.parametrize("act", ["out", "role", "member", "remove"])
def test_whatever_ends_access_ends_it(
    app: Flask, visitor: Callable[[str], Visitor], link: Callable[[str], str], act: str
) -> None:
    path = link("kofi")
    with app.app_context():
        user, store = users.by_email("kofi@example.test"), stores.by_slug("ama")
        assert user is not None and store is not None
        if act == "out":
            people.log_out_everywhere(user.id, SYSTEM)
        elif act == "role":
            people.set_role(user.id, "support", SYSTEM)
        elif act == "member":
            people.set_membership(store, user.id, "viewer", SYSTEM)
        else:
            people.remove(user.id, SYSTEM)
        db.session.remove()
    assert is_dead(visitor("portal"), path) and is_dead(visitor("admin"), path)


def test_it_leads_to_its_person_s_own_door(
    visitor: Callable[[str], Visitor], link: Callable[[str], str]
) -> None:
    for who, own, other in (
        ("ama", "portal", "admin"),
        ("owner", "admin", "portal"),
        ("support", "admin", "portal"),
    ):
        path = link(who)
        assert visitor(own).get(path).status_code == 200
        assert is_dead(visitor(other), path)
        assert (
            visitor("ama").get(path).status_code
            == visitor("kofi").get(path).status_code
            == 404
        )
    assert set_by(visitor("admin"), link("owner"), "x7Kp2mQ9vZ1")[0] == 422, (
        "twelve characters for the platform"
    )
    assert set_by(visitor("admin"), link("owner"), "x7Kp2mQ9vZ1b")[0] == 303


@pytest.mark.parametrize(
    "token", ["x", "K7QM2XR94T", "é", "%00", "a" * 5_000, "..%2flogin", "0" * 43]
)
def test_a_link_nobody_made_opens_nothing(
    visitor: Callable[[str], Visitor], token: str
) -> None:
    for room in ("portal", "admin"):
        answer = visitor(room).get(f"/reset/{token}")
        assert answer.status_code in (303, 400, 404)
        assert answer.location in (None, "/login")


def test_only_its_hash_is_kept(app: Flask, link: Callable[[str], str]) -> None:
    token = link("ama").removeprefix("/reset/")
    with app.app_context(), tenancy.across_stores():
        kept = str(db.session.execute(text("SELECT * FROM reset_links")).all())
        kept += str(db.session.execute(text("SELECT * FROM audit")).all())
        db.session.remove()
    assert "make_reset_link" in kept and token not in kept


def test_no_line_of_the_log_has_it(
    visitor: Callable[[str], Visitor], link: Callable[[str], str], lines: list[str]
) -> None:
    path, portal = link("ama"), visitor("portal")
    portal.get(path)
    portal.post(path, {"new_password": "x"}, csrf=False)
    set_by(portal, path, "password")
    set_by(portal, path)
    portal.get(path)
    assert len([line for line in lines if "rule=/reset/<token>" in line]) == 5
    assert path.removeprefix("/reset/") not in "".join(lines)


def test_nor_when_the_page_breaks(
    visitor: Callable[[str], Visitor],
    link: Callable[[str], str],
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, portal = link("ama"), visitor("portal")

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(resets, "person_of", broken)
    monkeypatch.setitem(portal.app.config, "PROPAGATE_EXCEPTIONS", False)
    assert portal.get(path).status_code == 500
    said = "".join(lines)
    assert "Exception on /reset/<token> [GET]" in said and "ZeroDivisionError" in said
    assert path.removeprefix("/reset/") not in said


def test_the_page_asks_nobody_else_for_anything(
    visitor: Callable[[str], Visitor], link: Callable[[str], str]
) -> None:
    answer = visitor("portal").get(link("ama"))
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert re.findall(r'(?:href|src|action)="(https?:)?//', answer.text) == []


def test_nobody_is_logged_in_by_a_link_and_the_person_before_is_out(
    visitor: Callable[[str], Visitor], link: Callable[[str], str]
) -> None:
    path, kofi = link("ama"), visitor("portal")
    kofi.post("/login", {"email": "kofi@example.test", "password": PASSWORD})
    assert "ama@example.test" in kofi.get(path).text
    assert set_by(kofi, path) == (303, "/login")
    assert kofi.get("/").status_code == 303


def test_a_removed_person_gets_none(context: Flask) -> None:
    user = users.by_email("kofi@example.test")
    assert user is not None
    people.remove(user.id, SYSTEM)
    with pytest.raises(people.PersonRefused, match="was removed"):
        resets.make(user.id, SYSTEM)
    with pytest.raises(people.PersonRefused):
        resets.make(10**15, SYSTEM)
    with pytest.raises(BadPassword):
        people.add(
            email="new@example.test",
            name="New",
            password="password",
            role="none",
            actor=SYSTEM,
        )
