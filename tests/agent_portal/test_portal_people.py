"""People of a store: invited by a link that works once, with a role, changed and removed by its
owner alone, and never the last owner."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from seed import PASSWORD
from visitors import Visitor

from core import stores
from core.accounts import holding, invitations, people, second_steps, unproven, users
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db
from tests.edge.test_second_step import set_up
from tests.support.asked import asked as asked_of

pytestmark = pytest.mark.slow(seconds=0.15)

NEW = "a kettle on the roof"


def invite(owner: Visitor, name: str = "Esi", **more: str) -> str:
    """The path of a new link."""
    answer = owner.post("/people", {"name": name, "role": "cashier", **more})
    assert answer.status_code == 200, answer.text
    (path,) = set(
        re.findall(r'value="http://portal\.localhost(/join/[\w-]+)"', answer.text)
    )
    return path


def join(
    visitor: Visitor, path: str, log_in: str = "esi@example.test", **more: str
) -> Any:
    return visitor.post(
        path, {"name": "Esi", "log_in": log_in, "password": NEW, **more}
    )


def member_id(app: Flask, email: str) -> int:
    with app.app_context():
        user = users.by_email(email)
        assert user is not None
        db.session.remove()
        return user.id


def roles(slug: str = "ama") -> dict[str, str]:
    """E-mail and role of everybody of a store."""
    rows = tables_owner.read(
        "SELECT u.email || ' ' || m.role FROM memberships m JOIN users u ON u.id = m.user_id"
        f" JOIN stores s ON s.id = m.store_id WHERE s.slug = '{slug}'"
    )
    return dict(row.split(" ") for row in rows)


def told(action: str) -> list[str]:
    return tables_owner.read(
        "SELECT actor_name || ' ' || subject FROM audit"
        f" WHERE action = '{action}' ORDER BY id"
    )


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the log would write since the test began."""
    written: list[str] = []
    (handler,) = [h for h in logging.getLogger().handlers if h.get_name() == "makola"]

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(handler.format(record))

    keep = Keep()
    logging.getLogger().addHandler(keep)
    yield written
    logging.getLogger().removeHandler(keep)


def test_who_opens_the_link_sets_a_password_and_works_there(
    app: Flask, ama_agent: Visitor, visitor: Callable[[str], Visitor], lines: list[str]
) -> None:
    """The whole road: a link shown once, a log-in of one's own, the role that was meant."""
    path = invite(ama_agent, address="024 123 4567")
    page = ama_agent.get("/people").text
    assert "Esi" in page and path not in page, "shown once"
    guest = visitor("portal")
    page = guest.get(path).text
    assert "Ama&#39;s Data" in page and "cashier" in page and "0241234567" in page
    answer = join(guest, path, "0241234567")
    assert (answer.status_code, answer.location) == (303, "/")
    home = guest.get("/").text
    assert "Welcome" in home and "Ama&#39;s Data" in home
    assert guest.get("/orders").status_code == 200
    assert guest.post("/prices", {}).status_code == 403, "a cashier sets no prices"
    assert roles()["+233241234567"] == "cashier"
    again = visitor("portal").post("/login", {"email": "024 123 4567", "password": NEW})
    assert (again.status_code, again.location) == (303, "/")
    assert told("join_store") == ["Esi store:1"]
    assert told("invite_member") == ["Ama store:1"]
    token = path.rpartition("/")[2]
    assert not [line for line in lines if token in line], "no log holds the link"
    assert tables_owner.read(
        f"SELECT count(*) FROM audit WHERE detail::text LIKE '%{token}%'"
    ) == [0]


def test_a_link_works_once_and_not_after_its_time_or_when_it_was_taken_back(
    ama_agent: Visitor, visitor: Callable[[str], Visitor], jump: Callable[[float], None]
) -> None:
    used, late, withdrawn = (invite(ama_agent, name) for name in ("A", "B", "C"))
    assert join(visitor("portal"), used).location == "/"
    (number,) = tables_owner.read("SELECT id FROM invitations WHERE name = 'C'")
    answer = ama_agent.post(f"/people/invitations/{number}/withdraw")
    assert answer.status_code == 303
    assert ama_agent.post(f"/people/invitations/{number}/withdraw").status_code == 404
    for path in (used, withdrawn, "/join/nobody-made-this"):
        assert visitor("portal").get(path).location == "/login"
        answer = join(visitor("portal"), path, "other@example.test")
        assert (answer.status_code, answer.location) == (303, "/login")
    guest = visitor("portal")
    assert guest.get(late).status_code == 200
    jump(3 * 86_400 + 1)
    assert join(guest, late, "other@example.test").location == "/login"
    assert "Ask the store’s owner for a new one" in guest.get("/login").text
    assert "other@example.test" not in roles()


@pytest.mark.parametrize("how", ["out of the store", "cashier", "removed"])
def test_a_link_dies_with_its_maker_s_ownership_when_the_platform_ends_it(
    app: Flask, logged_in: Callable[..., Visitor], how: str
) -> None:
    """Or else they would come back as an owner by a link of their own."""
    both = logged_in("both@example.test", "portal", "ama")
    path = invite(both, role="owner")
    assert Visitor(app, "portal").get(path).status_code == 200
    number = member_id(app, "both@example.test")
    with app.app_context(), tenancy.across_stores():
        store = stores.by_slug("ama")
        assert store is not None
        if how == "removed":
            people.remove(number, SYSTEM)
        else:
            role = "cashier" if how == "cashier" else None
            people.set_membership(store, number, role, SYSTEM)
        db.session.remove()
    guest = Visitor(app, "portal")
    assert guest.get(path).location == "/login"
    assert join(guest, path).location == "/login"
    assert "esi@example.test" not in roles()
    ama = logged_in("ama@example.test", "portal", "ama")
    assert "Invited, not come yet" not in ama.get("/people").text


def test_who_presses_twice_reads_that_they_may_be_in(
    app: Flask,
    ama_agent: Visitor,
    kofi_agent: Visitor,
    visitor: Callable[[str], Visitor],
) -> None:
    """The answer of the second press takes the place of the first, and its cookie too."""
    path = invite(ama_agent)
    assert join(visitor("portal"), path).status_code == 303
    again = visitor("portal")
    page = again.get(join(again, path).location).text
    assert "press twice? Then you are in already. Log in with what" in page
    path = invite(ama_agent)
    kofi_agent.post(path)
    page = kofi_agent.get(kofi_agent.post(path).location).text
    assert "Then you are in already." in page and "Log in with what" not in page
    looked = visitor("portal")
    assert "press twice" not in looked.get(looked.get(path).location).text


def test_of_two_who_open_it_at_once_one_comes_in(
    ama_agent: Visitor,
    kofi_agent: Visitor,
    logged_in: Callable[..., Visitor],
    superuser: Any,
    postgres: dict[str, str],
) -> None:
    """Both have read that the link works, and wait for the store's people."""
    path = invite(ama_agent)
    nobody = logged_in("nobody@example.test")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda who=who: answers.append(who.post(path)))
        for who in (kofi_agent, nobody)
    ]
    with psycopg.connect(postgres["super"]) as other:
        other.execute("SELECT id FROM stores WHERE slug = 'ama' FOR NO KEY UPDATE")
        for thread in threads:
            thread.start()
        until = time.monotonic() + 10
        while superuser.execute(waiting).fetchone() != (2,):
            assert time.monotonic() < until, "nobody waits for the store"
        other.rollback()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 2
    assert len({"kofi@example.test", "nobody@example.test"} & set(roles())) == 1


def test_who_has_a_log_in_comes_in_with_it(
    app: Flask,
    ama_agent: Visitor,
    kofi_agent: Visitor,
    visitor: Callable[[str], Visitor],
    logged_in: Callable[..., Visitor],
) -> None:
    path = invite(ama_agent)
    page = kofi_agent.get(path).text
    assert "Come in as Kofi" in page and 'name="password"' not in page
    assert kofi_agent.post(path).location == "/"
    assert "Ama&#39;s Data" in kofi_agent.get("/").text, "they work there now"
    assert roles()["kofi@example.test"] == "cashier"
    # an owner's log-in is not made less by a link
    both = logged_in("both@example.test", "portal", "ama")
    path = invite(ama_agent)
    answer = both.post(path)
    assert (
        "You work in this store already, as its owner" in both.get(answer.location).text
    )
    assert roles()["both@example.test"] == "owner"
    # and the link is still there for whom it was meant: somebody without a store, who logs in
    guest = visitor("portal")
    log_in = {"email": "nobody@example.test", "password": PASSWORD}
    assert guest.post("/login", log_in).status_code == 422
    answer = guest.post("/login", log_in | {"next": path})
    assert (answer.status_code, answer.location) == (303, path)
    assert guest.post(path).location == "/"
    assert guest.get("/orders").status_code == 200


def test_a_log_in_that_is_somebody_s_is_not_taken_over(
    ama_agent: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    path = invite(ama_agent)
    guest = visitor("portal")
    for _ in range(10):
        answer = join(guest, path, "kofi@example.test")
        assert (
            answer.status_code == 422
            and "There is a log-in with this already" in answer.text
        )
    assert join(guest, path, "kofi@example.test").status_code == 429
    assert (
        not visitor("portal")
        .post("/login", {"email": "kofi@example.test", "password": NEW})
        .location
    )
    assert "kofi@example.test" not in roles()


def test_what_cannot_be_taken_says_how_to_fix_it_and_is_kept(
    ama_agent: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    for form, sentence in (
        ({"name": ""}, "Give a name"),
        ({"name": "Esi", "address": "12"}, "number"),
        ({"name": "Esi", "address": "esi@"}, "whole e-mail"),
        ({"name": "Esi", "role": "king"}, "Choose owner, cashier or viewer"),
        ({"name": "x" * 5_000, "address": "\x00\u202e<b>"}, "Give a name"),
    ):
        answer = ama_agent.post("/people", {"role": "cashier"} | form)
        assert answer.status_code == 422 and sentence in answer.text, form
    assert (
        'value="12"'
        in ama_agent.post(
            "/people", {"name": "Esi", "address": "12", "role": "viewer"}
        ).text
    )
    path = invite(ama_agent)
    for more, sentence in (
        ({"name": ""}, "Give a name"),
        ({"log_in": "esi"}, "Type"),
        ({"password": "short"}, "8 characters"),
        ({"password": "Ama's Data"}, "password"),
    ):
        answer = visitor("portal").post(
            path, {"name": "Esi", "log_in": "esi@example.test", "password": NEW} | more
        )
        assert answer.status_code == 422 and sentence in answer.text, more
        assert NEW not in answer.text


def test_a_role_is_changed_and_somebody_removed_at_once(
    app: Flask, ama_agent: Visitor, logged_in: Callable[..., Visitor]
) -> None:
    """Their log-ins in this store end; what they do in another store goes on."""
    path = invite(ama_agent)
    kofi = logged_in("kofi@example.test", "portal", "kofi")
    kofi_too = logged_in("kofi@example.test", "portal", "kofi")
    assert kofi.post(path).location == "/"
    number = member_id(app, "kofi@example.test")
    assert (
        ama_agent.post(f"/people/{number}/role", {"role": "owner"}).status_code == 303
    )
    assert roles()["kofi@example.test"] == "owner"
    assert kofi.get("/").location.startswith("/login"), "they log in anew"
    kofi = logged_in("kofi@example.test", "portal", "ama")
    left_behind = invite(kofi, "Yaw")
    answer = ama_agent.post(f"/people/{number}/remove")
    assert "Kofi works here no longer" in ama_agent.get(answer.location).text
    assert kofi.get("/orders").location.startswith("/login")
    assert kofi_too.get("/orders").status_code == 200, "the own store is another matter"
    assert "kofi@example.test" not in roles()
    assert roles("kofi")["kofi@example.test"] == "owner"
    gone = Visitor(app, "portal").get(left_behind)
    assert gone.location == "/login", "their links end with them"
    assert ama_agent.post(f"/people/{number}/remove").status_code == 404
    assert told("set_member") == ["Ama store:1", "Ama store:1"]


def test_the_last_owner_stays(app: Flask, logged_in: Callable[..., Visitor]) -> None:
    """Of two who remove each other at once, one is left."""
    both, ama = member_id(app, "both@example.test"), member_id(app, "ama@example.test")
    start = threading.Barrier(2)

    def remove(email: str, whom: int) -> None:
        visitor = logged_in(email, "portal", "ama")
        start.wait(10)
        visitor.post(f"/people/{whom}/remove")

    threads = [
        threading.Thread(target=remove, args=args)
        for args in (("ama@example.test", both), ("both@example.test", ama))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    owners = [email for email, role in roles().items() if role == "owner"]
    assert len(owners) == 1
    last = logged_in(owners[0], "portal", "ama")
    number = member_id(app, owners[0])
    for path, form in (("remove", {}), ("role", {"role": "viewer"})):
        answer = last.post(f"/people/{number}/{path}", form)
        assert "the only owner" in last.get(answer.location).text
    assert roles()[owners[0]] == "owner"


@pytest.mark.parametrize("before", ["removed", "viewer"])
def test_who_is_no_owner_any_more_when_their_press_comes_changes_nothing(
    app: Flask, ama_agent: Visitor, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """The press had passed the door already: it is looked at once more when it holds the store."""
    path = invite(ama_agent)
    number = member_id(app, "viewer@example.test")
    hold, is_first = holding.hold, True

    def hold_late(store_id: int) -> None:
        nonlocal is_first
        if is_first:
            is_first = False
            end = (
                f"DELETE FROM memberships WHERE user_id = {ama} AND store_id = 1"
                if before == "removed"
                else f"UPDATE memberships SET role = 'viewer' WHERE user_id = {ama}"
                " AND store_id = 1"
            )
            tables_owner.execute(end)
        hold(store_id)

    ama = member_id(app, "ama@example.test")
    invitation = tables_owner.read("SELECT id::text FROM invitations")[0]
    monkeypatch.setattr(holding, "hold", hold_late)
    for act, form in (
        ("/people", {"name": "Mole", "role": "owner"}),
        (f"/people/{number}/role", {"role": "owner"}),
        (f"/people/{number}/remove", {}),
        (f"/people/invitations/{invitation}/withdraw", {}),
    ):
        is_first = True
        answer = ama_agent.post(act, form)
        assert answer.status_code == 403, act
        assert "not an owner of this store any more" in answer.text
        tables_owner.execute(
            "INSERT INTO memberships (user_id, store_id, role) VALUES"
            f" ({ama}, 1, 'owner') ON CONFLICT (user_id, store_id) DO UPDATE SET role = 'owner'"
        )
    assert roles()["viewer@example.test"] == "viewer"
    assert tables_owner.read("SELECT name FROM invitations") == ["Esi"]
    assert Visitor(app, "portal").get(path).status_code == 200


def test_only_the_owner_may_and_the_others_read_who(
    app: Flask, ama_agent: Visitor, logged_in: Callable[..., Visitor]
) -> None:
    invite(ama_agent, "Secret Guest")
    number = member_id(app, "viewer@example.test")
    for who in ("cashier", "viewer"):
        visitor = logged_in(f"{who}@example.test", "portal", "ama")
        page = visitor.get("/people").text
        assert "Only the store’s owner" in page and "Viewer" in page
        assert "Secret Guest" not in page and "ama@example.test" not in page
        for path in ("/people", f"/people/{number}/role", f"/people/{number}/remove"):
            answer = visitor.post(path, {"name": "X", "role": "owner"})
            assert answer.status_code == 403 and "Its owner may do this" in answer.text
    assert roles()["viewer@example.test"] == "viewer"


def test_a_store_has_so_many_people_and_no_more(
    ama_agent: Visitor, kofi_agent: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those invited count, and those of another store do not."""
    monkeypatch.setattr(invitations, "MOST_PEOPLE", 5)
    invite(kofi_agent)
    invite(ama_agent)  # the fifth
    answer = ama_agent.post("/people", {"name": "Six", "role": "viewer"})
    assert answer.status_code == 422 and "at most 5 people" in answer.text


def test_a_role_of_the_platform_does_not_go_to_a_password_that_came_by_a_link(
    app: Flask, ama_agent: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    """Who comes in types any address: it may be somebody else's."""
    stranger = visitor("portal")
    join(stranger, invite(ama_agent), "boss@example.test")
    set_up(stranger)
    with app.app_context(), tenancy.across_stores():
        user = users.by_email("boss@example.test")
        assert user is not None and unproven.is_unproven(user)
        assert people.set_role(user.id, "finance", SYSTEM).password_voided
        assert not second_steps.is_on(user.id), "a stranger's phone keeps nobody out"
        db.session.remove()


def test_the_page_asks_the_same_however_many_work_there(
    app: Flask, ama_agent: Visitor
) -> None:
    def statements() -> int:
        ama_agent.get("/people")
        with asked_of(app) as found:
            assert ama_agent.get("/people").status_code == 200
        return len(found.statements)

    few = statements()
    tables_owner.execute(
        "INSERT INTO memberships (user_id, store_id, role) SELECT id, 1, 'viewer' FROM users"
        " WHERE email IN ('owner@example.test', 'finance@example.test', 'nobody@example.test')"
    )
    assert statements() == few <= 8
