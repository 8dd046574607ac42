"""People and stores by command: what is printed, what is written, whose sessions end, what is
refused."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask
from seed import PASSWORD
from sqlalchemy import text
from visitors import Visitor

from core import audit, stores
from core.accounts import people, users
from core.audit import SYSTEM, AuditLine
from core.base import tenancy
from core.base.db import db

Command = Callable[..., Result]
NEW = "a kettle on the roof"


@pytest.fixture
def command(app: Flask) -> Command:
    """`command("user", "list", stdin="…")`, as typed into a shell."""
    runner = app.test_cli_runner()
    return lambda *words, stdin=None: runner.invoke(
        args=[str(word) for word in words], input=stdin
    )


@pytest.fixture
def done(command: Command) -> Callable[..., str]:
    """The same for what must go well; its output."""

    def run(*words: str, stdin: str | None = None) -> str:
        result = command(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def by_command(app: Flask) -> list[AuditLine]:
    """What *Command line* did, newest first."""
    with app.app_context():
        found = [line for line in audit.recent(20) if line.actor_name == "Command line"]
        db.session.remove()
    return found


def last_act(app: Flask) -> tuple[str, str, str]:
    line = by_command(app)[0]
    return line.action, line.actor_name, line.detail.get("email", line.subject)


def enters(
    visitor: Callable[[str], Visitor], room: str, email: str, password: str
) -> bool:
    return (
        visitor(room).post("/login", {"email": email, "password": password}).status_code
        == 303
    )


def test_a_person_is_added_with_a_password_that_is_shown_once(
    app: Flask, done: Callable[..., str], visitor: Callable[[str], Visitor]
) -> None:
    said = done("user", "add", " Efua@Shop.Example", "--name", "Efua Owusu")
    shown = re.search(r"password: (\S+)  \(shown once", said)
    assert (
        shown is not None and "Added efua@shop.example, Efua Owusu, role none." in said
    )
    assert last_act(app) == ("add_user", "Command line", "efua@shop.example")
    assert "ama is open already" in done("store", "open", "ama")
    done("store", "member", "ama", "efua@shop.example", "--role", "cashier")
    assert enters(visitor, "portal", "efua@shop.example", shown[1])
    assert not enters(visitor, "admin", "efua@shop.example", shown[1])


def test_the_password_comes_by_standard_input_or_is_asked_for(
    done: Callable[..., str], command: Command, visitor: Callable[[str], Visitor]
) -> None:
    said = done(
        "user",
        "add",
        "o@shop.example",
        "--role",
        "owner",
        "--password-stdin",
        stdin=f"{NEW}\r\nrest\n",
    )
    assert NEW not in said and "password:" not in said
    assert enters(visitor, "admin", "o@shop.example", NEW)
    said = done(
        "user",
        "password",
        "o@shop.example",
        "--prompt",
        stdin=f"{NEW} too\n{NEW} too\n",
    )
    assert NEW not in said
    assert enters(visitor, "admin", "o@shop.example", f"{NEW} too")
    assert (
        command(
            "user",
            "password",
            "o@shop.example",
            "--prompt",
            stdin="one thing\nanother\n",
        ).exit_code
        == 1
    )
    assert (
        command(
            "user", "password", "o@shop.example", "--prompt", "--password-stdin"
        ).exit_code
        == 2
    )


def test_no_command_takes_a_password_as_a_word(app: Flask, command: Command) -> None:
    for name in ("user", "store"):
        for sub in app.cli.commands[name].commands.values():  # type: ignore[attr-defined]
            assert not any(
                "password" in p.name and not p.is_flag for p in sub.params if p.name
            ), sub.name
    assert command("user", "password", "ama@example.test", NEW).exit_code == 2


def test_a_new_password_ends_the_sessions(
    app: Flask,
    done: Callable[..., str],
    ama_agent: Visitor,
    kofi_agent: Visitor,
    visitor: Callable[[str], Visitor],
) -> None:
    said = done("user", "password", "ama@example.test", "--password-stdin", stdin=NEW)
    assert "logged out everywhere" in said
    assert (
        ama_agent.get("/").status_code == 303 and kofi_agent.get("/").status_code == 200
    )
    assert enters(visitor, "portal", "ama@example.test", NEW) and not enters(
        visitor, "portal", "ama@example.test", PASSWORD
    )
    assert last_act(app) == ("set_password", "Command line", "ama@example.test")


def test_a_link_is_printed_and_works(
    app: Flask, done: Callable[..., str], visitor: Callable[[str], Visitor]
) -> None:
    for who, room in (("ama", "portal"), ("owner", "admin")):
        said = done("user", "reset", f"{who}@example.test")
        assert "works once within 24 h" in said
        found = re.search(
            rf"^http://{room}\.localhost(/reset/\S+)$", said, re.MULTILINE
        )
        assert found is not None
        assert last_act(app)[0] == "make_reset_link"
        answer = visitor(room).post(
            found[1], {"new_password": NEW, "new_password_again": NEW}
        )
        assert answer.location == "/login" and enters(
            visitor, room, f"{who}@example.test", NEW
        )


def test_a_role_is_changed_and_the_sessions_end(
    app: Flask,
    done: Callable[..., str],
    logged_in: Callable[..., Visitor],
    visitor: Callable[[str], Visitor],
) -> None:
    finance = logged_in("finance@example.test", "console")
    assert "has the role support now" in done(
        "user", "role", "finance@example.test", "support"
    )
    assert finance.get("/").status_code == 303
    assert last_act(app) == ("set_user_role", "Command line", "finance@example.test")
    assert "already" in done("user", "role", "finance@example.test", "support")
    done("user", "role", "finance@example.test", "none")
    assert not enters(visitor, "admin", "finance@example.test", PASSWORD)
    done("user", "role", "finance@example.test", "owner")
    assert enters(visitor, "admin", "finance@example.test", PASSWORD), (
        "it was long enough when it was set"
    )


def test_a_short_password_does_not_become_an_owner_s(
    done: Callable[..., str], visitor: Callable[[str], Visitor]
) -> None:
    done("user", "add", "esi@shop.example", "--password-stdin", stdin="x7Kp2mQ9")
    said = done("user", "role", "esi@shop.example", "support")
    assert "may be too short" in said and not enters(
        visitor, "admin", "esi@shop.example", "x7Kp2mQ9"
    )
    found = re.search(r"http://admin\.localhost(/reset/\S+)", said)
    assert found is not None
    assert (
        visitor("admin")
        .post(found[1], {"new_password": NEW, "new_password_again": NEW})
        .status_code
        == 303
    )
    assert enters(visitor, "admin", "esi@shop.example", NEW)


def test_a_removed_person_is_out_and_history_stays(
    app: Flask, done: Callable[..., str], command: Command, logged_in: Callable[..., Visitor],
    visitor: Callable[[str], Visitor],
) -> None:  # fmt: skip
    both, other = (
        logged_in("both@example.test", "portal", "ama"),
        logged_in("ama@example.test", "portal", "ama"),
    )
    assert "Worked in: ama, kofi" in done("user", "remove", "both@example.test")
    assert both.get("/").status_code == 303 and other.get("/").status_code == 200
    assert not enters(visitor, "portal", "both@example.test", PASSWORD)
    assert "both@example.test" not in done("user", "list")
    assert last_act(app) == ("remove_user", "Command line", "both@example.test")
    for words in (("user", "password"), ("user", "reset"), ("user", "remove")):
        result = command(*words, "both@example.test")
        assert (result.exit_code, "Nobody here has the address" in result.output) == (
            1,
            True,
        )
    with app.app_context(), tenancy.across_stores():
        kept = db.session.execute(
            text(
                "SELECT id, platform_role FROM users WHERE email = 'both@example.test'"
            )
        ).one()
        db.session.remove()
    done(
        "user",
        "add",
        "both@example.test",
        "--name",
        "Both Again",
        "--password-stdin",
        stdin=NEW,
    )
    with app.app_context():
        user = users.by_email("both@example.test")
        assert user is not None
        assert (user.id, user.name, users.memberships_of(user)) == (
            kept.id,
            "Both Again",
            [],
        )
        db.session.remove()
    assert not enters(visitor, "portal", "both@example.test", PASSWORD)


def test_the_last_owner_stays(
    app: Flask, done: Callable[..., str], command: Command, owner: Visitor
) -> None:
    for words in (
        ("user", "remove", "owner@example.test"),
        ("user", "role", "owner@example.test", "none"),
    ):
        result = command(*words)
        assert (result.exit_code, "is the only owner" in result.output) == (1, True)
    assert owner.get("/").status_code == 200
    done("user", "role", "support@example.test", "owner")
    done("user", "remove", "owner@example.test")
    assert command("user", "remove", "support@example.test").exit_code == 1


def test_of_two_owners_who_leave_at_once_one_stays(
    app: Flask, done: Callable[..., str]
) -> None:
    done("user", "role", "support@example.test", "owner")
    with app.app_context():
        ids = [users.by_email(f"{who}@example.test").id for who in ("owner", "support")]  # type: ignore[union-attr]
        db.session.remove()
    start, refused = threading.Barrier(2), []

    def leave(user_id: int, act: Callable[[], object]) -> None:
        with app.app_context():
            start.wait()
            try:
                act()
            except people.PersonRefused as refusal:
                refused.append(refusal.sentence)
            finally:
                db.session.remove()

    threads = [
        threading.Thread(
            target=leave, args=(ids[0], lambda: people.remove(ids[0], SYSTEM))
        ),
        threading.Thread(
            target=leave, args=(ids[1], lambda: people.set_role(ids[1], "none", SYSTEM))
        ),
    ]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(refused) == 1 and "is the only owner" in refused[0]


def test_a_store_is_opened_closed_and_opened_again(
    app: Flask, done: Callable[..., str], visitor: Callable[[str], Visitor]
) -> None:
    done("user", "add", "efua@shop.example", "--password-stdin", stdin=NEW)
    said = done(
        "store",
        "open",
        "efua",
        "--name",
        "Efua Bundles",
        "--agent",
        "efua@shop.example",
        "--momo",
        "0241234567",
    )
    assert "Efua Bundles is open at http://efua.localhost" in said
    assert enters(visitor, "portal", "efua@shop.example", NEW)
    assert "Efua Bundles" in visitor("efua").get("/").text
    assert "efua is closed." in done(
        "store", "close", "efua", "--note", "Back on Monday"
    )
    assert "Back on Monday" in visitor("efua").get("/").text
    assert (
        "closed already" in done("store", "close", "efua")
        and "Back on Monday" in visitor("efua").get("/").text
    )
    assert "customers read the new note" in done(
        "store", "close", "efua", "--note", "Back on Friday"
    )
    assert "Back on Friday" in visitor("efua").get("/").text
    assert "efua  Efua Bundles  closed" in done("store", "list")
    assert "efua is open." in done("store", "open", "efua")
    assert "Back on Friday" not in visitor("efua").get("/").text
    actions = [line.action for line in by_command(app)[:4]]
    assert actions == ["store_open", "store_closed", "store_closed", "open_store"]


def test_a_suspended_store_is_opened_by_command_too(
    app: Flask, owner: Visitor, done: Callable[..., str]
) -> None:
    owner.post("/stores/ama/suspend", {"reason": "fraud"})
    done("store", "open", "ama")
    with app.app_context():
        store = stores.by_slug("ama")
        assert store is not None and store.is_open


def test_members_come_change_and_go(
    app: Flask,
    done: Callable[..., str],
    logged_in: Callable[..., Visitor],
    visitor: Callable[[str], Visitor],
) -> None:
    cashier = logged_in("cashier@example.test", "portal", "ama")
    assert "is owner now in ama" in done(
        "store", "member", "ama", "cashier@example.test", "--role", "owner"
    )
    assert cashier.get("/").status_code == 303
    assert last_act(app)[:2] == ("set_member", "Command line")
    assert "owner of ama already" in done(
        "store", "member", "ama", "cashier@example.test", "--role", "owner"
    )
    assert "no longer works in ama" in done(
        "store", "member", "ama", "cashier@example.test", "--role", "none"
    )
    assert not enters(visitor, "portal", "cashier@example.test", PASSWORD), (
        "no store is left"
    )
    assert "no member of ama already" in done(
        "store", "member", "ama", "cashier@example.test", "--role", "none"
    )


def test_the_list_names_roles_and_stores(
    done: Callable[..., str], config: object
) -> None:
    said = done("user", "list").splitlines()
    assert "both@example.test  Both  none  ama (owner), kofi (owner)" in said
    assert "owner@example.test  Owner  owner" in said
    assert said == sorted(said) and len(said) == 9


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        ("user add ama@example.test", None, "is there already"),
        ("user add AMA@example.test", None, "is there already"),
        ("user add nonsense", None, "whole e-mail address"),
        ("user add a@b@c", None, "whole e-mail address"),
        ("user add é@example.test", None, "whole e-mail address"),
        (f"user add {'a' * 250}@b.example", None, "whole e-mail address"),
        ("user add new@example.test --name", "", "requires an argument"),
        ("user add new@example.test --role king", None, "is not one of"),
        ("user add new@example.test --password-stdin", "password", "Guessers try this"),
        ("user add new@example.test --password-stdin", "new@example.test", "of yours"),
        ("user add new@example.test --password-stdin", "", "at least 8"),
        (
            "user add new@example.test --role owner --password-stdin",
            "x7Kp2mQ9vZ1",
            "at least 12",
        ),
        ("user password nobody-here@example.test", None, "Nobody here has the address"),
        (
            "user password ama@example.test --password-stdin",
            "amas data",
            "of the store",
        ),
        (
            "user role nobody-here@example.test owner",
            None,
            "Nobody here has the address",
        ),
        ("user role ama@example.test king", None, "is not one of"),
        ("user remove nobody-here@example.test", None, "Nobody here has the address"),
        ("user reset nobody-here@example.test", None, "Nobody here has the address"),
        ("store open efua", None, "give --name and --agent"),
        (
            "store open efua --name Efua --agent nobody-here@example.test",
            None,
            "Nobody here has the address",
        ),
        ("store open portal --name Efua --agent ama@example.test", None, "is reserved"),
        ("store open x --name Efua --agent ama@example.test", None, "3 to 32 letters"),
        ("store open efua --name Efua --agent ama@example.test --momo 12", None, ""),
        (
            "store open efua --name Efua --agent ama@example.test --colour red",
            None,
            "six hexadecimal",
        ),
        (
            "store open kofi --name Efua --agent ama@example.test",
            None,
            "is there already",
        ),
        ("store close nowhere", None, "There is no store"),
        (
            "store member nowhere ama@example.test --role owner",
            None,
            "There is no store",
        ),
        (
            "store member ama nobody-here@example.test --role owner",
            None,
            "Nobody here has the address",
        ),
        ("store member ama kofi@example.test", None, "--role"),
        ("store member ama kofi@example.test --role king", None, "is not one of"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    app: Flask, command: Command, words: str, stdin: str | None, says: str
) -> None:
    def rows() -> tuple[int, ...]:
        with app.app_context(), tenancy.across_stores():
            tables = (
                "users",
                "memberships",
                "stores",
                "audit",
                "accounts",
                "reset_links",
            )
            found = tuple(
                db.session.scalar(text(f"SELECT count(*) FROM {table}")) or 0
                for table in tables
            )
            db.session.remove()
            return found

    before = rows()
    result = command(*words.split(), stdin=stdin)
    assert result.exit_code in (1, 2) and says in result.output
    assert "Traceback" not in result.output and "Error:" in result.output
    assert rows() == before


def test_two_who_add_the_same_person_at_once_make_one(app: Flask) -> None:
    start, refused = threading.Barrier(2), []

    def add() -> None:
        with app.app_context():
            start.wait()
            try:
                people.add(
                    email="twin@example.test",
                    name="Twin",
                    password=NEW,
                    role="none",
                    actor=SYSTEM,
                )
            except people.PersonRefused as refusal:
                refused.append(refusal.sentence)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=add) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(refused) == 1 and "is there already" in refused[0]
