"""What each role of the database reaches, played as hostile statements and read off the catalogs.

The statements are what somebody would try who got one of ours to carry theirs: as the role itself,
over a connection of its own. Nothing that is refused here may begin to work, and nothing new may
come within reach unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from psycopg import sql
from sqlalchemy import NullPool, create_engine

from core import catalog, ledger, orders
from core.accounts import users
from core.audit import SYSTEM, Actor
from core.base import permits, rights, signed, tenancy
from core.base.db import transaction
from core.orders import Order

REACHED = Path(__file__).with_name("reached")
AMA = Actor("agent", "Ama")
ROLES = {"store": rights.STORE, "platform": rights.PLATFORM}
URL_OF = {"store": "store", "platform": "app"}
Connected = Callable[..., Any]


@pytest.fixture
def theirs(app: Flask, as_store: Callable[..., Any]) -> Order:
    """An order of kofi's, processed: what ama must not see and nobody may touch."""

    def order() -> Order:
        bundle_id = catalog.shelf()[0].bundle_id
        placed = orders.place(
            bundle_id=bundle_id,
            recipient_msisdn="+233241234567",
            idempotency_key="theirs" * 4,
        )
        return orders.release(placed.order.code, AMA)

    found: Order = as_store("kofi", order)
    return found


@pytest.fixture
def mine(app: Flask, as_store: Callable[..., Any]) -> Order:
    """An order of ama's, pending."""

    def order() -> Order:
        bundle_id = catalog.shelf()[0].bundle_id
        return orders.place(
            bundle_id=bundle_id,
            recipient_msisdn="+233241234568",
            idempotency_key="mine" * 6,
        ).order

    found: Order = as_store("ama", order)
    return found


@pytest.fixture
def connected(app: Flask, postgres: dict[str, str]) -> Connected:
    """A connection as one of the two roles: `connected("store", ama_id)` is inside ama's store,
    signed."""

    @contextmanager
    def connect(
        role: str, store_id: int | None = None
    ) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(postgres[URL_OF[role]], autocommit=True) as connection:
            if store_id is not None:
                told = f"{store_id}.{signed.mac(f'store:{store_id}')}"
                connection.execute(
                    "SELECT set_config('makola.store', %s, false)", (told,)
                )
            yield connection

    return connect


def refused(connection: psycopg.Connection[Any], statement: str, *values: Any) -> bool:
    """Whether a statement is refused, or reads and changes nothing at all."""
    try:
        found = connection.execute(statement, values or None)  # type: ignore[call-overload]
    except (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.CheckViolation,
        psycopg.errors.RestrictViolation,
    ):
        return True
    except psycopg.errors.RaiseException:
        return True
    return bool(
        found.rowcount == 0
        or (found.description and all(row == (None,) for row in found.fetchall()))
    )


EVERYBODY = {
    "promote a user": "UPDATE users SET platform_role = 'owner' WHERE email = 'ama@example.test'",
    "raise a wallet": (
        "UPDATE accounts SET balance_pesewas = balance_pesewas - 100000 WHERE name = 'wallet'"
    ),
    "write a posting": (
        "INSERT INTO postings (kind, n, note, actor_name, at) VALUES ('fund_wallet', 1, '', 'x',"
        " now())"
    ),
    "add legs to an old posting": (
        "INSERT INTO entries (posting_id, account_id, amount_pesewas, balance_pesewas) "
        "SELECT (SELECT max(id) FROM postings), id, 5, 5 FROM accounts WHERE name = 'bank'"
    ),
    "change a posting": "UPDATE postings SET note = 'x'",
    "delete entries": "DELETE FROM entries",
    "make an account": "INSERT INTO accounts (name, balance_pesewas) VALUES ('mine', 0)",
    "delete webhooks": "DELETE FROM webhook_events",
    "change a webhook's words": "UPDATE webhook_events SET body = ''",
    "delete calls": "DELETE FROM supplier_calls",
    "delete balance reads": "DELETE FROM balance_reads",
    "change a balance read": "UPDATE balance_reads SET verdict = 'fits'",
    "delete audit lines": "DELETE FROM audit",
    "change audit lines": "UPDATE audit SET actor_name = 'x'",
    "delete the timeline": "DELETE FROM order_events",
    "change the timeline": "UPDATE order_events SET text = 'x'",
    "delete proofs": "DELETE FROM proofs",
    "change a proof": "UPDATE proofs SET ok = true",
    "delete orders": "DELETE FROM orders",
    "change what an order costs its agent": "UPDATE orders SET agent_price_pesewas = 1",
    "change what a customer pays": "UPDATE orders SET price_pesewas = 1",
    "change whom an order is for": "UPDATE orders SET recipient_msisdn = '+233240000009'",
    "move an order to another store": "UPDATE orders SET store_id = 1",
    "delete stores": "DELETE FROM stores",
    "delete people": "DELETE FROM users",
    "empty a table": "TRUNCATE entries",
    "read the key": "SELECT * FROM signing_keys",
    "write a key": "INSERT INTO signing_keys VALUES ('', '')",
    "ask whether words are signed": "SELECT makola_signed('store:1', 'guess')",
    "book without a signature": "SELECT makola_book('{}')",
    "hear without a signature": "SELECT makola_heard('makola_post', '{}', '')",
    "take a policy away": "DROP POLICY store_wall ON orders",
    "make a policy": "CREATE POLICY open ON orders USING (true)",
    "switch row security off": "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
    "switch a trigger off": "ALTER TABLE entries DISABLE TRIGGER entries_balanced",
    "drop a trigger": "DROP TRIGGER entries_balanced ON entries",
    "act as a replica": "SET session_replication_role = replica",
    "replace a function": (
        "CREATE OR REPLACE FUNCTION makola_store() RETURNS bigint LANGUAGE sql AS 'SELECT"
        " 1::bigint'"
    ),
    "make a function": "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "make a table": "CREATE TABLE mine (x int)",
    "make a table of a session": "CREATE TEMPORARY TABLE orders (x int)",
    "make a schema": "CREATE SCHEMA mine",
    "make a role": "CREATE ROLE mine",
    "become the owner": "SET ROLE makola_owner",
    "become the definer": "SET ROLE makola_definer",
    "become the other role": "SET ROLE {other}",
    "be somebody else": "SET SESSION AUTHORIZATION makola_owner",
    "give oneself rights": "GRANT makola_definer TO CURRENT_USER",
    "be a superuser": "ALTER ROLE CURRENT_USER SUPERUSER",
    "change the owner's password": "ALTER ROLE makola_owner PASSWORD 'x'",
    "read password hashes of roles": "SELECT * FROM pg_authid",
    "run a program": "COPY (SELECT 1) TO PROGRAM 'true'",
    "write a file": "COPY (SELECT 1) TO '/tmp/makola-rights'",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "take a file in": "SELECT lo_import('/etc/passwd')",
    "change the server": "ALTER SYSTEM SET fsync = off",
    "reload the server": "SELECT pg_reload_conf()",
    "turn back a sequence": "SELECT setval('postings_id_seq', 1)",
    "say what version the tables are": "UPDATE alembic_version SET version_num = 'x'",
}
"""What is tried → the statement. Refused for either role, whatever `makola.scope` and
`makola.store` are set to."""

EVERYBODY |= {
    "plant a session at the console": (
        "INSERT INTO sessions (token_hash, user_id, door, created_at, seen_at) "
        "SELECT 'x', id, 'console', now(), now() FROM users WHERE email = 'owner@example.test'"
    ),
    "turn a session": "UPDATE sessions SET door = 'console'",
    "give a session another store": "UPDATE sessions SET store_id = 1",
    "log somebody out": "DELETE FROM sessions",
    "move a membership": "UPDATE memberships SET store_id = 1 WHERE role = 'cashier'",
    "raise a membership": "UPDATE memberships SET role = 'owner'",
    "join a store": (
        "INSERT INTO memberships (user_id, store_id, role) SELECT max(u.id), 1, 'owner' FROM"
        " users u"
    ),
    "leave a store": "DELETE FROM memberships",
    "make a person": (
        "INSERT INTO users (email, name, password_hash, platform_role, created_at) "
        "VALUES ('x@x', 'x', 'x', 'owner', now())"
    ),
    "set a password": "UPDATE users SET password_hash = 'x'",
    "change an e-mail": "UPDATE users SET email = 'x@x'",
    "read password hashes": "SELECT password_hash FROM users",
    "read one password hash": "SELECT makola_password_of('{{\"user_id\": 1}}', '')",
    "read all of a person": "SELECT u FROM users u",
    "say who was what": "SELECT makola_words_of(NULL)",
    "permit oneself": (
        "WITH permit AS (SELECT set_config('makola.permit', 'guess', false)) "
        "UPDATE users SET password_hash = 'x' FROM permit"
    ),
}

STORE_ONLY = {
    "read people": "SELECT email FROM users",
    "read memberships": "SELECT role FROM memberships",
    "read log-ins": "SELECT token_hash FROM sessions",
    "read whose log-in fails": "SELECT key FROM login_attempts",
    "forget failed log-ins": "DELETE FROM login_attempts",
    "read customers of all": "SELECT recipient_msisdn FROM orders WHERE store_id <> {ama}",
    "read wallets of all": (
        "SELECT balance_pesewas FROM accounts WHERE store_id IS DISTINCT FROM {ama}"
    ),
    "read timelines of all": "SELECT text FROM order_events WHERE store_id <> {ama}",
    "read prices of all": "SELECT price_pesewas FROM store_bundles WHERE store_id <> {ama}",
    "read postings of all": "SELECT kind FROM postings WHERE store_id IS DISTINCT FROM {ama}",
    "cancel orders of all": "UPDATE orders SET state = 'cancelled' WHERE store_id <> {ama}",
    "make everybody's work due": (
        "UPDATE outbox SET due_at = now() WHERE store_id IS DISTINCT FROM {ama}"
    ),
    "place an order elsewhere": (
        "INSERT INTO order_events (store_id, order_id, at, who, who_name, kind, text) "
        "SELECT {kofi}, {order}, now(), 'x', 'x', 'x', 'x'"
    ),
    "pause the platform": "INSERT INTO settings VALUES ('paused.sales', '{{}}')",
    "say that everything can be bought": "UPDATE buying SET stopped = NULL, short = '{{}}'",
    "stop all buying": (
        "INSERT INTO buying (id, renewed_at, stopped, short) VALUES (1, now(), 'breaker', '{{}}')"
    ),
    "take away what can be bought": "DELETE FROM buying",
    "change the costs": "UPDATE bundles SET cost_pesewas = 1",
    "change what an order costs": "UPDATE orders SET cost_pesewas = 1",
    "read the supplier's calls": "SELECT request_body FROM supplier_calls",
    "read webhooks": "SELECT body FROM webhook_events",
    "read the supplier's state": "SELECT * FROM supplier_state",
    "read what proofs found": "SELECT findings FROM proofs",
    "read the audit": "SELECT detail FROM audit",
    "open a store": "UPDATE stores SET status = 'open'",
    "make others' pages old": "UPDATE stores SET version = version + 1 WHERE id = {kofi}",
    "read what others earn": "SELECT markup_bp FROM stores",
    "fund by the platform's function": "SELECT makola_post('{{}}', '')",
    "prune": "SELECT makola_prune('{{}}', '')",
    "open accounts": "SELECT makola_open_accounts('{{}}', '')",
}
"""Refused for the stores' role, or without a row."""


@pytest.mark.slow(seconds=0.1)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("what", EVERYBODY)
def test_hostile_statements_of_either_role(
    connected: Connected, theirs: Order, mine: Order, role: str, what: str
) -> None:
    other = {"store": "makola_platform", "platform": "makola_store"}[role]
    with connected(role, None if role == "platform" else mine.store_id) as connection:
        connection.execute("SELECT set_config('makola.scope', 'all', false)")
        assert refused(connection, EVERYBODY[what].replace("{other}", other))


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize("what", STORE_ONLY)
def test_hostile_statements_of_a_store(
    connected: Connected, theirs: Order, mine: Order, what: str
) -> None:
    statement = STORE_ONLY[what].format(
        ama=mine.store_id, kofi=theirs.store_id, order=theirs.id
    )
    with connected("store", mine.store_id) as connection:
        connection.execute("SELECT set_config('makola.scope', 'all', false)")
        assert refused(connection, statement)


@pytest.mark.parametrize(
    "forged",
    ["{kofi}", "{kofi}.", "{kofi}.{mac}", "{kofi}.{own}", "-1.x", "all", "1 OR 1=1"],
)
def test_no_statement_can_name_another_store(
    connected: Connected, theirs: Order, mine: Order, forged: str
) -> None:
    told = forged.format(
        kofi=theirs.store_id, mac="0" * 64, own=signed.mac(f"store:{mine.store_id}")
    )
    with connected("store", mine.store_id) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (1,)
        connection.execute("SELECT set_config('makola.store', %s, false)", (told,))
        with pytest.raises(
            psycopg.errors.InsufficientPrivilege, match="not set by this program"
        ):
            connection.execute("SELECT recipient_msisdn FROM orders")
        connection.execute("SELECT set_config('makola.store', '', false)")
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)


def hold(order: Order, **changes: Any) -> dict[str, Any]:
    """What `ledger.hold` says, with changes."""
    price = order.agent_price_pesewas
    words = {
        "kind": "hold",
        "legs": [["wallet", price], ["held", -price]],
        "store_id": order.store_id,
        "order_id": order.id,
        "n": 1,
        "note": "",
        "actor": "x",
        "at": "2026-01-01T00:00:00+00:00",
    }
    return words | changes


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "commit"},
        {
            "kind": "fund_wallet",
            "legs": [["bank", 500], ["wallet", -500]],
            "order_id": None,
        },
        {
            "kind": "take_back",
            "legs": [["wallet", 500], ["bank", -500]],
            "order_id": None,
        },
        {
            "kind": "rounding",
            "legs": [["price_variance", 5], ["supplier_float", -5]],
            "order_id": None,
            "store_id": None,
        },
        {
            "kind": "fund_float",
            "legs": [["supplier_float", 5], ["bank", -5]],
            "order_id": None,
            "store_id": None,
        },
        {"legs": [["wallet", 1], ["held", -1]]},
        {"legs": [["wallet", -5], ["held", 5]]},
        {"legs": [["wallet", 5], ["margin", -5]]},
        {"n": 2},
        {"legs": []},
        {"kind": "release"},
        {"store_id": None},
    ],
    ids=str,
)
def test_a_store_moves_its_own_held_money_and_no_other_even_signed(
    connected: Connected, mine: Order, theirs: Order, changes: dict[str, Any]
) -> None:
    """Also if a page of ours were talked into signing: what the stores' role may book stands in the
    database."""
    with connected("store", mine.store_id) as connection:
        for words in (
            hold(mine, **changes),
            hold(theirs),
            hold(theirs, store_id=mine.store_id),
        ):
            said = signed.say("makola_post", **words)
            with pytest.raises(
                psycopg.errors.InsufficientPrivilege,
                match="its own orders, nothing else",
            ):
                connection.execute("SELECT makola_post_own(%(said)s, %(mac)s)", said)
        connection.execute(
            "SELECT makola_post_own(%(said)s, %(mac)s)",
            signed.say("makola_post", **hold(mine)),
        )
    tables_owner.execute(
        "UPDATE orders SET state = 'queued' WHERE id = :id", id=mine.id
    )  # the books are proven after


@pytest.mark.parametrize("role", ROLES)
def test_words_nobody_signed_are_not_heard(
    connected: Connected, mine: Order, role: str
) -> None:
    said = signed.say("makola_post", **hold(mine))
    others = signed.say("makola_prune", **hold(mine))
    function = {"store": "makola_post_own", "platform": "makola_post"}[role]
    with connected(role, mine.store_id) as connection:
        for words, mac in (
            (said["said"], ""),
            (said["said"], None),
            (said["said"].replace("hold", "free"), said["mac"]),
            (said["said"], others["mac"]),
        ):
            with pytest.raises(
                psycopg.errors.InsufficientPrivilege,
                match="not asked for by this program",
            ):
                connection.execute(
                    sql.SQL("SELECT {}(%s, %s)").format(sql.Identifier(function)),
                    (words, mac),
                )


@pytest.mark.parametrize("role", ROLES)
def test_a_right_that_a_role_gives_itself_is_none(
    connected: Connected, role: str
) -> None:
    """PostgreSQL only warns."""
    with connected(role) as connection:
        connection.execute("GRANT ALL ON entries TO CURRENT_USER")
        found = connection.execute(
            "SELECT has_table_privilege('entries', 'INSERT, UPDATE, DELETE')"
        ).fetchone()
        assert found == (False,)


def test_a_permit_is_good_for_its_own_connection_alone(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote = (
        "UPDATE users SET platform_role = 'owner' WHERE email = 'ama@example.test'"
    )
    with connected("platform") as one, connected("platform") as other:
        permit = signed.mac(f"people:{one.info.backend_pid}")
        other.execute("SELECT set_config('makola.permit', %s, false)", (permit,))
        assert refused(other, promote)
        one.execute("SELECT set_config('makola.permit', %s, false)", (permit,))
        assert not refused(one, promote)


def test_what_the_program_writes_about_people_is_permitted_and_only_by_its_own_words(
    across: Flask,
) -> None:
    from sqlalchemy import event, text, update
    from sqlalchemy.orm import Session

    from core.base.db import db

    with transaction():
        db.session.execute(
            update(users.User)
            .where(users.User.email == "ama@example.test")
            .values(platform_role="none")
        )
    raw = text(
        "UPDATE users SET platform_role = 'owner' WHERE email = 'ama@example.test'"
    )
    with (
        pytest.raises(Exception, match="written by the program alone"),
        transaction() as session,
    ):
        session.execute(raw)
    event.remove(Session, "before_flush", permits.permit_flush)
    try:
        with (
            pytest.raises(Exception, match="written by the program alone"),
            transaction(),
        ):
            users.add("new@example.test", "New", "a long enough password")
    finally:
        event.listen(Session, "before_flush", permits.permit_flush)


@pytest.mark.parametrize(
    ("deed", "subject"),
    [
        (
            "UPDATE users SET platform_role = 'owner' WHERE email = 'ama@example.test'",
            "user:",
        ),
        (
            "UPDATE users SET password_hash = 'x' WHERE email = 'ama@example.test'",
            "user:",
        ),
        (
            "UPDATE users SET email = 'x@example.test' WHERE email = 'ama@example.test'",
            "user:",
        ),
        ("UPDATE memberships SET role = 'owner' WHERE role = 'cashier'", "/"),
        ("DELETE FROM memberships WHERE role = 'viewer'", "/"),
    ],
)
def test_whoever_changes_a_person_is_in_the_audit_and_past_the_trigger_in_the_proof(
    across: Flask, postgres: dict[str, str], deed: str, subject: str
) -> None:
    from core import audit, proof

    assert proof.prove().ok
    tables_owner.execute(deed)
    line = audit.recent(1)[0]
    assert (line.action, line.actor_name) == (
        "person" if subject == "user:" else "membership",
        "makola_owner",
    )
    assert subject in line.subject and line.detail["is"] != line.detail["was"]
    assert "x" not in str(line.detail.get("password", "")) and proof.prove().ok
    with psycopg.connect(postgres["super"]) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE users SET platform_role = 'owner' WHERE email = 'viewer@example.test'"
        )
        connection.execute(
            "UPDATE memberships SET role = 'viewer' WHERE role = 'owner'"
        )
    found = {item["rule"]: item["subjects"] for item in proof.prove().findings}
    assert set(found) == {"people"} and any(
        name.startswith("user:") for name in found["people"]
    )
    assert any(name.startswith("member ") for name in found["people"])


def test_a_store_s_connection_ends_nobody_else_s(connected: Connected) -> None:
    with connected("platform") as other, connected("store") as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                "SELECT pg_terminate_backend(%s)", (other.info.backend_pid,)
            )
        assert other.execute("SELECT 1").fetchone() == (1,)


def test_what_a_webhook_said_stays_and_its_count_only_grows(
    connected: Connected, across: Flask
) -> None:
    from core.supplier import webhook_events

    with transaction():
        webhook_events.keep(
            {"event_key": "k", "body": b"1", "headers": {"a": "b"}, "event": "e"}
        )
    with connected("platform") as connection:
        assert (
            connection.execute("UPDATE webhook_events SET times = times + 1").rowcount
            == 1
        )
        for statement in (
            "SET times = 0",
            "SET headers = '{}'",
            "SET body = ''",
            "SET event = 'x'",
        ):
            assert refused(connection, f"UPDATE webhook_events {statement}")


def test_an_answer_of_the_supplier_is_written_once(
    connected: Connected, across: Flask
) -> None:
    from core.base import clock
    from core.supplier import records

    values = {
        "at": clock.now(),
        "supplier": "d",
        "method": "GET",
        "path": "/",
        "http_status": 200,
        "outcome": "ok",
    }
    records.record_call(endpoint="balance", order_refs=(), values=values)
    with connected("platform") as connection:
        assert refused(connection, "UPDATE supplier_calls SET response_body = 'x'")
        assert refused(connection, "UPDATE supplier_calls SET order_refs = '{}'")


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_reaches_is_what_the_list_says(
    app: Flask, postgres: dict[str, str], role: str
) -> None:
    """Read off the catalogs: tables, columns, sequences, functions, powers. `db upgrade` and the
    start go by the same."""
    address = "postgresql+psycopg://" + postgres[URL_OF[role]].partition("://")[2]
    with create_engine(address, poolclass=NullPool).connect() as connection:
        found = sorted(rights.reached(connection))
    listed = (REACHED / f"{role}.txt").read_text(encoding="utf-8").splitlines()
    assert found == listed, (
        f"if this is meant, say why in docs/decisions.md and write it into tests/reached/{role}.txt"
    )
    assert set(found) == rights.wanted(ROLES[role], role)


def test_every_table_and_function_is_in_the_list(
    app: Flask, postgres: dict[str, str]
) -> None:
    """A new one is decided about for each role, not forgotten."""
    with psycopg.connect(postgres["admin"]) as connection:
        tables = {
            name
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
        }
        functions = dict(
            connection.execute(
                "SELECT oid::regprocedure::text, pg_get_userbyid(proowner) || ' ' || (proconfig IS"
                " NOT NULL)::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND"
                " prosecdef"
            ).fetchall()
        )
    assert tables == set(rights.STORE) == set(rights.PLATFORM)
    assert functions == dict.fromkeys(rights.FUNCTIONS, "makola_definer true")


def test_nobody_logs_in_as_the_role_that_owns_the_functions(
    postgres: dict[str, str],
) -> None:
    with psycopg.connect(postgres["super"]) as connection:
        row = connection.execute(
            "SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = 'makola_definer'"
        )
        assert row.fetchone() == (False, False)


DAMAGE = [
    ("GRANT DELETE ON audit TO {role}", "REVOKE DELETE ON audit FROM {role}",
    "must not have audit: DELETE"),
    ("GRANT UPDATE (price_pesewas) ON orders TO {role}",
    "REVOKE UPDATE (price_pesewas) ON orders FROM {role}",
     "must not have orders: UPDATE"),
    ("REVOKE INSERT ON order_events FROM {role}", "GRANT INSERT ON order_events TO {role}",
    "lacks order_events: INSERT"),
    ("GRANT CREATE ON SCHEMA public TO {role}", "REVOKE CREATE ON SCHEMA public FROM {role}",
     "must not have schema public: CREATE"),
    ("GRANT makola_definer TO {role}", "REVOKE makola_definer FROM {role}",
    "must not have member of makola_definer"),
    ("ALTER ROLE {role} CREATEROLE", "ALTER ROLE {role} NOCREATEROLE",
    "must not have power: CREATEROLE"),
    ("GRANT SELECT ON signing_keys TO PUBLIC", "REVOKE SELECT ON signing_keys FROM PUBLIC",
     "must not have signing_keys: SELECT"),
]  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("damage", "repair", "said"), DAMAGE, ids=[said for *_, said in DAMAGE]
)
def test_a_start_with_a_right_too_many_or_too_few_is_refused_by_name(
    app: Flask,
    config: Any,
    postgres: dict[str, str],
    role: str,
    damage: str,
    repair: str,
    said: str,
) -> None:
    from wsgi import create_app

    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        connection.execute(damage.format(role=f"makola_{role}"))  # type: ignore[arg-type]
        try:
            with pytest.raises(
                rights.WrongRights,
                match=f"connects as makola_.*, which .*{said}.*db upgrade",
            ):
                create_app(config)
        finally:
            connection.execute(repair.format(role=f"makola_{role}"))  # type: ignore[arg-type]


def test_a_program_whose_key_the_database_does_not_know_does_not_start(
    app: Flask, config: Any
) -> None:
    from dataclasses import replace

    from core.base import config as settings
    from wsgi import create_app

    try:
        with pytest.raises(
            rights.WrongRights,
            match="knows neither the MAKOLA_SECRET_KEY of this program",
        ):
            create_app(
                replace(
                    config, secret_key="another secret of thirty-two characters or more"
                )
            )
    finally:
        settings.use(config)


@pytest.mark.slow(seconds=1.3)
def test_a_new_key_is_known_after_an_upgrade_and_until_then_the_old_one_signs(
    app: Flask,
    config: Any,
    postgres: dict[str, str],
    as_store: Callable[..., Any],
    mine: Order,
) -> None:
    """No moment at which processes with the old key, or with the new one, see empty pages."""
    from dataclasses import replace

    from tables_owner import migrate

    from core.base import config as settings
    from core.base.db import db
    from wsgi import create_app

    new, old = "new-" * 10, "old-" * 10  # fallbacks are parted by blanks

    def works(program: Flask) -> bool:
        with program.app_context():
            tenancy.use(mine.store_id)
            try:
                return orders.by_code(mine.code) is not None
            finally:
                tenancy.clear()
                for engine in db.engines.values():
                    engine.dispose()

    rotated = replace(config, secret_key=new, secret_key_fallbacks=old)
    settings.use(replace(config, secret_key=old))
    try:
        migrate(postgres, secret_key=old)
        assert works(app)
        assert works(create_app(rotated)), "the database knows the old one alone"
        settings.use(rotated)
        assert signed.mac("x") == signed.mac("x", old)
        migrate(postgres, secret_key=new, fallbacks=old)
        assert works(create_app(rotated))
        settings.use(replace(config, secret_key=old))
        assert works(app), "a process of before"
        migrate(postgres, secret_key=new)
        with pytest.raises(Exception, match="not set by this program"):
            works(app)
        assert works(create_app(replace(config, secret_key=new)))
    finally:
        signed._agreed.clear()
        settings.use(config)
        migrate(postgres)


def test_work_in_a_store_as_the_platform_is_narrowed_by_the_database_too(
    app: Flask, mine: Order, theirs: Order
) -> None:
    """A forgotten filter in a job shows nothing of another store, though the role might see it."""
    from sqlalchemy import text

    from core.base.db import db

    with app.app_context():
        for scope, seen in (
            (tenancy.inside(mine.store_id), 1),
            (tenancy.across_stores(), 2),
        ):
            with scope:
                assert (
                    db.session.execute(text("SELECT count(*) FROM orders")).scalar_one()
                    == seen
                )
        with tenancy.across_stores(), transaction():
            ledger.fund_float(1, "books go on", SYSTEM)
