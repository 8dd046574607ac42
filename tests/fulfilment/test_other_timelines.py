"""A server recovered from a base backup shows itself by its timeline; files merely put back do not,
and we say so."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import create_engine

from core.base import database_identity
from devkit import daemons, databases, servers

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@dataclass
class Site:
    """A server with Makola's tables, and a base backup of it."""

    server: servers.Postgres
    admin_url: str
    copy: servers.Postgres

    def differences(self, server: servers.Postgres) -> tuple[str, ...]:
        url = self.admin_url.replace(f":{self.server.port}/", f":{server.port}/")
        engine = create_engine("postgresql+psycopg://" + url.partition("://")[2])
        try:
            with engine.connect() as connection:
                return database_identity.differences(connection)
        finally:
            engine.dispose()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = servers.start_postgres(tmp_path / "first", fsync=False)
    try:
        database = databases.prepare_database(
            server,
            "makola",
            owner_password="o",
            store_password="s",
            platform_password="p",
        )
        alembic = AlembicConfig(str(ROOT / "migrations" / "alembic.ini"))
        alembic.attributes.update(database_admin_url=database.admin_url)
        command.upgrade(alembic, "head")
        place = server.home.root / "second"
        place.mkdir()
        server.home.give(place)
        home = replace(server.home, root=place)
        words = [
            "-D",
            str(home.data),
            "--dbname",
            server.superuser_url,
            "--checkpoint=fast",
            "--wal-method=stream",
        ]
        subprocess.run(
            [server.home.programs / "pg_basebackup", *words],
            check=True,
            timeout=60,
            **home.as_account(),
        )
        (tmp_path / "second").mkdir()
        copy = servers.Postgres(
            tmp_path / "second", home, daemons.free_port(), server.password, fsync=False
        )
        yield Site(server, database.admin_url, copy)
        copy.stop()
    finally:
        server.stop()


def test_a_recovered_server_is_a_copy_and_files_put_back_look_like_the_present(
    site: Site,
) -> None:
    assert site.differences(site.server) == ()
    site.copy.start()
    assert site.differences(site.copy) == ()  # `flask restored` is for this one
    site.copy.stop()
    (site.copy.home.data / "recovery.signal").touch()
    with (site.copy.home.data / "postgresql.auto.conf").open("a") as settings:
        settings.write("restore_command = '/bin/false'\n")
    site.copy.start()
    daemons.until(lambda: not in_recovery(site.copy), 20)
    assert site.differences(site.copy) == ("another timeline of the server",)


def in_recovery(server: servers.Postgres) -> bool:
    import psycopg

    with psycopg.connect(server.superuser_url) as connection:
        return bool(connection.execute("SELECT pg_is_in_recovery()").fetchone()[0])  # type: ignore[index]
