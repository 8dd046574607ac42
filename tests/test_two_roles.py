"""The way from one role to two, without a pause: what `db upgrade` does to a database that somebody
works in."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import tables_owner
import yesterdays_role
from alembic import command
from alembic.config import Config as AlembicConfig
from flask import Flask
from psycopg import sql

from core.base import rights, signed

pytestmark = pytest.mark.slow(seconds=0.4)

BEFORE = "0006"
POSTING = """
WITH p AS (
  INSERT INTO postings (store_id, kind, n, note, actor_name, at)
  SELECT id, 'fund_wallet', 1, '', 'x', now() FROM stores RETURNING id, store_id
)
INSERT INTO entries (posting_id, account_id, store_id, amount_pesewas, balance_pesewas)
SELECT p.id, a.id, a.store_id, CASE name WHEN 'bank' THEN 5 ELSE -5 END, 0 FROM p, accounts a WHERE name IN ('bank', 'wallet')
"""
ROWS = """
INSERT INTO stores (slug, name, colour, welcome, status, closed_note, auto_process, markup_bp, version, created_at)
VALUES ('ama', 'Ama', '#0b6e4f', '', 'open', '', false, 800, 1, now());
INSERT INTO users (email, name, password_hash, platform_role, created_at) VALUES ('a@x', 'A', 'hash', 'none', now());
INSERT INTO memberships (user_id, store_id, role) SELECT u.id, s.id, 'owner' FROM users u, stores s;
INSERT INTO accounts (store_id, name, balance_pesewas) SELECT s.id, a, 0 FROM stores s, unnest('{wallet,held}'::text[]) a
"""


@pytest.fixture
def urls(postgres: dict[str, str]) -> Iterator[dict[str, str]]:
    """A database of before, with rows and the one role: addresses as in `postgres`, and
    `before`."""
    name, owner = (
        f"one_role_{secrets.token_hex(4)}_test",
        urlsplit(postgres["admin"]).username or "",
    )
    urls = {
        key: urlsplit(url)._replace(path=name).geturl() for key, url in postgres.items()
    }
    with psycopg.connect(postgres["super"], autocommit=True) as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(owner)
            )
        )
        try:
            alembic = AlembicConfig(
                str(tables_owner.ROOT / "migrations" / "alembic.ini")
            )
            alembic.attributes.update(database_admin_url=urls["admin"])
            command.upgrade(alembic, BEFORE)
            with psycopg.connect(urls["super"], autocommit=True) as connection:
                connection.execute(ROWS)
                yesterdays_role.make(connection)
            yield urls | {"before": yesterdays_role.address(urls["admin"])}
        finally:
            server.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )
            server.execute("DROP ROLE IF EXISTS makola_app")


def test_yesterdays_processes_work_on_until_their_role_is_dropped(
    urls: dict[str, str],
) -> None:
    with psycopg.connect(
        urls["before"], options="-c makola.scope=all", autocommit=True
    ) as yesterday:
        yesterday.execute(POSTING)
        tables_owner.migrate(urls)
        yesterday.execute(POSTING)  # the very connection, in the middle of its day
        yesterday.execute(
            "INSERT INTO sessions SELECT 'x', id, 'portal', NULL, now(), now() FROM users"
        )
        assert yesterday.execute("SELECT count(*) FROM postings").fetchone() == (2,)
        yesterday.execute(
            "SELECT set_config('makola.scope', '', false), set_config('makola.store', '7', false)"
        )
        assert yesterday.execute("SELECT count(*) FROM postings").fetchone() == (0,), (
            "bound as before"
        )
    with psycopg.connect(urls["super"], autocommit=True) as connection:
        yesterdays_role.drop(connection)
        tables_owner.migrate(urls)
        policies = connection.execute(
            "SELECT DISTINCT policyname FROM pg_policies WHERE schemaname = 'public'"
        ).fetchall()
    assert {name for (name,) in policies} == {
        *rights.POLICIES,
        *rights.POLICIES_OF_STORES,
    }


def test_the_new_roles_see_what_was_there(app: Flask, urls: dict[str, str]) -> None:
    tables_owner.migrate(urls)
    with psycopg.connect(urls["app"]) as platform:
        assert platform.execute("SELECT count(*) FROM accounts").fetchone() == (16,)
    with psycopg.connect(urls["store"]) as store:
        (ama,) = store.execute("SELECT id FROM stores").fetchone() or (0,)
        assert store.execute("SELECT count(*) FROM accounts").fetchone() == (0,)
        told = f"{ama}.{signed.mac(f'store:{ama}', tables_owner.SECRET_KEY)}"
        store.execute("SELECT set_config('makola.store', %s, false)", (told,))
        assert store.execute("SELECT count(*) FROM accounts").fetchone() == (7,)
    with psycopg.connect(urls["admin"]) as owner:
        lines = owner.execute("SELECT action FROM audit ORDER BY 1").fetchall()
        assert lines == [
            ("membership",),
            ("person",),
        ], "everybody there is in the audit from now on"
        assert owner.execute("SELECT makola_people_off()").fetchall() == []


def test_rights_too_many_or_too_few_are_put_right_by_an_upgrade(
    urls: dict[str, str],
) -> None:
    tables_owner.migrate(urls)
    with psycopg.connect(urls["super"], autocommit=True) as connection:
        connection.execute(
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO makola_store, PUBLIC"
        )
        connection.execute("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC")
        connection.execute("GRANT CREATE ON SCHEMA public TO makola_platform")
        connection.execute("REVOKE SELECT ON orders FROM makola_platform")
        connection.execute("DROP POLICY store_wall ON orders")
    tables_owner.migrate(urls)
    for key, kind, listed in (
        ("store", "store", rights.STORE),
        ("app", "platform", rights.PLATFORM),
    ):
        with psycopg.connect(urls[key]) as connection:
            found = {word for (word,) in connection.execute(rights.REACHED).fetchall()}
        assert found == rights.wanted(listed, kind)
    with psycopg.connect(urls["super"]) as connection:
        assert connection.execute(
            "SELECT 1 FROM pg_policies WHERE policyname = 'store_wall' AND tablename = 'orders'"
        )


def test_a_role_that_is_not_there_is_asked_for_with_its_lines(
    urls: dict[str, str],
) -> None:
    missing = urls | {"store": urls["store"].replace("makola_store", "nobody_made_me")}
    with pytest.raises(
        Exception,
        match='DATABASE_STORE_URL names the role nobody_made_me.*CREATE ROLE "nobody_made_me"',
    ):
        tables_owner.migrate(missing)
    with pytest.raises(Exception, match="must name three different roles"):
        tables_owner.migrate(urls | {"store": urls["app"]})


@pytest.mark.slow(seconds=30)
@pytest.mark.servers
@pytest.mark.parametrize(
    "flask",
    [["-m", "flask"], [str(Path(sys.executable).with_name("flask"))]],
    ids=["-m", "bin"],
)
def test_the_upgrade_runs_where_the_rights_are_not_yet_right(
    urls: dict[str, str], valkey: str, tmp_path: Path, flask: list[str]
) -> None:
    """As an operator and `up` run it, on a database of the day before; then the program starts."""
    environ = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": urls["app"],
        "DATABASE_STORE_URL": urls["store"],
        "DATABASE_ADMIN_URL": urls["admin"],
        "REDIS_URL": valkey,
        "MAKOLA_SECRET_KEY": "k" * 40,
        "DATA_MART_API_URL": "https://supplier.example/api",
        "DATA_MART_API_KEY": "k",
        "DATA_MART_API_SECRET": "s",
        "MAKOLA_WEBHOOK_TOKEN": "t" * 24,
        "MAKOLA_INSTANCE": str(tmp_path),
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *flask, "--app", "wsgi", *words]
        return subprocess.run(
            command,
            env=environ,
            cwd=tables_owner.ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    before = run("user", "list")
    assert before.returncode != 0
    assert "Run `flask --app wsgi db upgrade`" in before.stderr
    upgraded = run("db", "upgrade")
    assert upgraded.returncode == 0, upgraded.stderr
    after = run("user", "list")
    assert after.returncode == 0 and "a@x" in after.stdout, after.stderr
