"""Migration 0005 on tables with people in them: everybody stays, and who is logged in stays logged
in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
AS_YESTERDAY = (
    (
        "INSERT INTO users (email, name, password_hash, platform_role, created_at) "
        "VALUES (%(who)s, 'Efua', 'x', 'none', now())"
    ),
    (
        "INSERT INTO sessions (token_hash, user_id, door, store_id, created_at, seen_at) "
        "SELECT %(who)s, id, 'portal', NULL, now(), now() FROM users WHERE email = %(who)s"
    ),
)
"""What the code before the migration writes, before and after it."""


@pytest.fixture
def earlier(postgres: dict[str, str]) -> Iterator[tuple[AlembicConfig, str]]:
    """A database as migration 0004 left it."""
    name, admin = f"earlier_{secrets.token_hex(4)}_test", urlsplit(postgres["admin"])
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        owner = sql.Identifier(admin.username or "")
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner)
        )
        try:
            url = admin._replace(path=name).geturl()
            alembic = AlembicConfig(str(ROOT / "migrations" / "alembic.ini"))
            alembic.attributes.update(
                database_admin_url=url, database_url="", database_store_url=""
            )
            command.upgrade(alembic, "0004")
            yield alembic, url
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.mark.slow(seconds=0.8)
def test_people_and_their_log_ins_go_through_the_migration(
    earlier: tuple[AlembicConfig, str],
) -> None:
    alembic, url = earlier
    with psycopg.connect(url) as connection:
        for statement in AS_YESTERDAY:
            connection.execute(statement, {"who": "before@example.test"})
    command.upgrade(alembic, "head")
    with psycopg.connect(url) as connection:
        for statement in AS_YESTERDAY:  # the old processes still run
            connection.execute(statement, {"who": "after@example.test"})
        rows = connection.execute(
            "SELECT s.token_hash, u.removed_at, u.access_no = s.access_no, u.password_long,"
            " s.device FROM users u JOIN sessions s ON s.user_id = u.id ORDER BY u.id"
        ).fetchall()
    assert rows == [
        (f"{when}@example.test", None, True, False, "") for when in ("before", "after")
    ]
