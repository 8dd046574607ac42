"""`up` on somebody's own database: what is missing is made where the owner may, and asked for where
not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from devkit import roles, servers
from devkit.plan import Refusal


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Postgres]:
    server = servers.start_postgres(tmp_path_factory.mktemp("theirs"), fsync=False)
    yield server
    server.stop()


@pytest.fixture
def environ(server: servers.Postgres) -> Iterator[dict[str, str]]:
    """A database with an owner and the one role of before, as somebody made it by hand."""
    place = f"127.0.0.1:{server.port}/theirs"
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        for statement in (
            "CREATE ROLE them LOGIN PASSWORD 'o'",
            "CREATE ROLE theirs_app LOGIN PASSWORD 'a'",
            "CREATE DATABASE theirs OWNER them",
        ):
            connection.execute(statement)
        yield {
            "DATABASE_URL": f"postgresql://theirs_app:a@{place}",
            "DATABASE_ADMIN_URL": f"postgresql://them:o@{place}",
        }
        connection.execute("DROP DATABASE theirs WITH (FORCE)")
        connection.execute(
            "DROP ROLE IF EXISTS makola_store, makola_definer, them, theirs_app"
        )


@pytest.mark.slow(seconds=0.3)
@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_what_is_missing_is_made_where_the_owner_may(
    server: servers.Postgres, environ: dict[str, str], again: bool
) -> None:
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute("ALTER ROLE them CREATEROLE")
    if again:
        roles.complete(environ, "another password")
    found = roles.complete(environ, "a:/@ word")
    assert (found.platform, found.admin) == (
        environ["DATABASE_URL"],
        environ["DATABASE_ADMIN_URL"],
    )
    with psycopg.connect(found.store) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("makola_store",)
    with psycopg.connect(found.admin) as connection:
        row = connection.execute(
            "SELECT pg_has_role(current_user, 'makola_definer', 'SET')"
        ).fetchone()
        assert row == (True,)


def test_where_the_owner_may_not_the_lines_are_said(environ: dict[str, str]) -> None:
    with pytest.raises(Refusal) as refusal:
        roles.complete(environ, "x")
    said = str(refusal.value)
    assert (
        "As a superuser run: CREATE ROLE makola_store LOGIN" in said
        and "set DATABASE_STORE_URL" in said
    )
    assert 'CREATE ROLE makola_definer NOLOGIN; GRANT makola_definer TO "them"' in said


def test_roles_that_are_there_are_taken_as_they_are(
    server: servers.Postgres, environ: dict[str, str]
) -> None:
    with psycopg.connect(server.superuser_url, autocommit=True) as connection:
        connection.execute(
            "CREATE ROLE makola_definer NOLOGIN; GRANT makola_definer TO them"
        )
    mine = (
        urlsplit(environ["DATABASE_URL"])
        ._replace(netloc=f"shops:s@127.0.0.1:{server.port}")
        .geturl()
    )
    found = roles.complete(environ | {"DATABASE_STORE_URL": mine}, "x")
    assert found.store == mine


def test_a_server_that_does_not_answer_is_said(tmp_path: Path) -> None:
    nowhere = "postgresql://a:b@127.0.0.1:1/x"
    with pytest.raises(Refusal, match="DATABASE_ADMIN_URL does not answer"):
        roles.complete({"DATABASE_URL": nowhere, "DATABASE_ADMIN_URL": nowhere}, "x")
