"""A desk with a fresh sandbox supplier for every test of fulfilment; for restores, empty databases
and a Makola on them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from click.testing import Result
from desk import Desk
from flask import Flask
from psycopg import sql
from seed import FLOAT_PESEWAS

from core import outbox
from core.base import config
from core.base.db import db
from devkit import databases, servers
from devkit.databases import Database
from integrations.sandbox import app as sandbox_app
from integrations.sandbox.store import Store
from tests.support.till import till  # noqa: F401 - a fixture


@pytest.fixture
def make_desk(
    app: Flask, tmp_path: Path, jump: Callable[[float], None]
) -> Iterator[Callable[..., Desk]]:
    made: list[sandbox_app.Supplier] = []

    def build(
        profile: str = "documented",
        *,
        wallet_pesewas: int = FLOAT_PESEWAS,
        **knobs: object,
    ) -> Desk:
        store = Store(
            tmp_path / f"supplier-{len(made)}.db", wallet_pesewas=wallet_pesewas
        )
        made.append(
            sandbox_app.create_sandbox(store, profile, dropped=httpx.ReadError, **knobs)
        )
        return Desk(app, made[-1], jump)

    with app.app_context():
        yield build
    for sandbox in made:
        sandbox.sandbox.webhooks.drain()
        sandbox.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A documented supplier whose wallet is what our books say."""
    return make_desk()


@pytest.fixture
def empty(postgres: dict[str, str]) -> Iterator[Database]:
    """A new database beside the tests' own, made as docs/operate.md says."""
    name = f"restored_{secrets.token_hex(4)}_test"
    admin, store, platform = (
        urlsplit(postgres[name]) for name in ("admin", "store", "app")
    )
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(admin.username or "")
            )
        )
        yield Database(
            name,
            *(
                address._replace(path=name).geturl()
                for address in (admin, store, platform)
            ),
        )
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Database]:
    """An empty database on a server of its own, as after the loss of the machine."""
    server = servers.start_postgres(tmp_path / "elsewhere", fsync=False)
    try:
        yield databases.prepare_database(
            server,
            "makola",
            owner_password="another owner",
            store_password="a store",
            platform_password="a platform",
        )
    finally:
        server.stop()


@pytest.fixture
def at(app: Flask) -> Iterator[Callable[[Database], Flask]]:
    """A Makola on another database; `config.current()` is its own until the test ends."""
    from wsgi import create_app

    before, made = config.current(), []

    def build(database: Database) -> Flask:
        settings = replace(
            before,
            database_url=database.platform_url,
            database_store_url=database.store_url,
            database_admin_url=database.admin_url,
        )
        made.append(create_app(settings))
        outbox.ring = outbox.silent
        return made[-1]

    yield build
    for other in made:
        with other.app_context():
            for engine in db.engines.values():
                engine.dispose()
    config.use(before)


@pytest.fixture
def command() -> Callable[..., Result]:
    """One of a Makola's commands, as a person types it: `command(app, "backup", file)`."""

    def run(app: Flask, *words: object) -> Result:
        with (
            app.app_context()
        ):  # a command takes the context that is open, and a desk keeps its own open
            return app.test_cli_runner().invoke(args=[str(word) for word in words])

    return run


@pytest.fixture
def count() -> Callable[[str], dict[str, int]]:
    """How many rows each table of a database holds, whatever the policies say."""
    return _rows


def _rows(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        return {
            name: connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(
                    sql.Identifier("public", name)
                )
            ).fetchone()[0]  # type: ignore[index]
            for (name,) in tables
        }
