"""The simulation's database: a private PostgreSQL, put back to its first rows before each seed.

The shipped application works on the shipped schema with one connection, as its own role. What is
not shipped are the triggers of `sim_journal` and the settings below, which change how fast the
answers come and not what they are.

Rows are deleted and put in again, and the sequences set back: 5 to 15 ms. A database made from a
template for each seed takes 150 to 500 ms, with its checkpoints, new connections and cold plans,
which would be a quarter of a seed and more.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config as AlembicConfig
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, QueuePool, event, select
from sqlalchemy.orm import Session

import core.base.config
import wsgi
from core import catalog, onboarding, outbox
from core.accounts import users
from core.audit import SYSTEM
from core.base import database_identity, db, tenancy
from core.base.config import Config
from core.catalog import Bundle
from core.outbox import OutboxRow
from devkit import databases, servers
from integrations.ports import Offer
from tests.proofs import ROOT, mutants, patching, sim_journal, sim_profile
from tests.proofs.sim_store import Store

_NAME, _FIRST = "makola_sim", "sim_first"
_POOL = {
    "pool_size": 1,
    "max_overflow": 0,
    "pool_timeout": 1.0,
    "pool_pre_ping": False,
}
"""One connection. Who gives way with a transaction open leaves others none: an error of ours."""
_WHILE_MADE = {"max_overflow": 1}
"""The application looks for a pooler as it starts, for which it needs two at once."""
_MOST_STATEMENTS = 1_000


class Database:
    """The server with its one database. `fresh` puts that back for the next seed."""

    def __init__(self, server: servers.Postgres) -> None:
        words = {
            f"{role}_password": secrets.token_hex(8)
            for role in ("owner", "store", "platform")
        }
        database = databases.prepare_database(server, _NAME, **words)
        settings = sim_profile.app_settings(database.platform_url, database.store_url)
        alembic = AlembicConfig(str(ROOT / "migrations" / "alembic.ini"))
        alembic.attributes.update(
            database_admin_url=database.admin_url,
            database_url=database.platform_url,
            database_store_url=database.store_url,
            secret_key=settings.secret_key,
        )
        command.upgrade(alembic, "head")
        self._journal = sim_journal.Journal()
        super_url = server.superuser_url.rpartition("/")[0] + f"/{_NAME}"
        self._super = psycopg.connect(super_url, autocommit=True)
        # A seed must not depend on when it comes by.
        self._super.execute("ALTER SYSTEM SET autovacuum = off")
        self._super.execute("SELECT pg_reload_conf()")
        self._app = self._made_app(settings)
        sim_journal.install(self._super)
        self._put_back, self._tables = _keep_first_rows(self._super)
        self._changed = False
        event.listen(Session, "after_commit", self._committed)

    def fresh(self) -> Store:
        """The database as every seed finds it. The store of the seed before is not to be used."""
        if self._changed:
            for table in self._tables:
                self._super.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            self._changed = False
        self._super.execute(self._put_back)
        # The rows of this seed lie as if there had been none before.
        self._super.execute(f"VACUUM {', '.join(self._tables)}")
        return Store(self._app, self._super, self._journal)

    def change(self, act: Callable[[psycopg.Connection[Any]], None]) -> None:
        """Let a mutant switch triggers off, until the next `fresh`."""
        act(self._super)
        self._changed = True

    def takes_unbalanced(self) -> bool:
        """Whether it takes half a posting now, past whoever listens."""
        return mutants.insert_unbalanced(self._super)

    def close(self) -> None:
        """Leave nothing of it in this process."""
        event.remove(Session, "after_commit", self._committed)
        with self._app.app_context():
            for engine in db.db.engines.values():
                engine.dispose()
        self._super.close()

    def _made_app(self, settings: Config) -> Flask:
        """The shipped application, and by it the rows that every seed begins with."""
        settings_before, ring_before = core.base.config._current, outbox.ring
        make_engine = SQLAlchemy._make_engine

        def with_few_connections(
            self: SQLAlchemy,
            name: str | None,
            options: dict[str, Any],
            app: Flask,
        ) -> Any:
            return make_engine(self, name, options | _POOL | _WHILE_MADE, app)

        undo = patching.attribute(SQLAlchemy, "_make_engine", with_few_connections)
        try:
            app = wsgi.create_app(settings)
            with app.app_context():
                _first_rows()
                for engine in db.db.engines.values():
                    _leave_one_connection(engine)
                    event.listen(engine, "connect", self._connected)
        finally:
            undo()
            core.base.config._current, outbox.ring = settings_before, ring_before
        return app

    def _connected(self, connection: psycopg.Connection[Any], _record: Any) -> None:
        """Each statement is planned once: a seed says the same thousands of times."""
        connection.prepare_threshold, connection.prepared_max = 0, _MOST_STATEMENTS
        # And not another way after some times.
        connection.execute("SET plan_cache_mode = force_generic_plan")
        self._journal.hear(connection)

    def _committed(self, _session: Session) -> None:
        self._journal.tell()


@contextmanager
def started() -> Iterator[Database]:
    """A private server for a while, without fsync: what it holds is thrown away."""
    with tempfile.TemporaryDirectory(prefix="makola-sim-") as folder:
        server = servers.start_postgres(Path(folder), fsync=False)
        try:
            made = Database(server)
            try:
                yield made
            finally:
                made.close()
        finally:
            server.stop()


def _leave_one_connection(engine: Engine) -> None:
    """Close what is open; from now on the engine has what `_POOL` says."""
    assert isinstance(engine.pool, QueuePool)
    engine.pool._max_overflow = 0
    engine.dispose()  # makes a pool anew, by the limits of this one
    assert isinstance(engine.pool, QueuePool)
    assert (engine.pool.size(), engine.pool._max_overflow) == (1, 0)


def _first_rows() -> None:
    """One store with its catalogue and accounts; and what the relay asks for by the timer, done."""
    with tenancy.across_stores():
        with db.transaction():
            owner = users.add("ama@example.test", "Ama", secrets.token_hex(8))
        catalog.apply_sync("datamart", _offers())
        with db.transaction() as session:
            for bundle in session.scalars(select(Bundle)):
                bundle.agent_price_pesewas = sim_profile.COSTS[bundle.mb // 1024][1]
        onboarding.open_store(slug="ama", name="Ama's Data", owner=owner, actor=SYSTEM)
        with db.transaction() as session:
            session.add_all(
                OutboxRow(
                    kind=kind, due_at=sim_profile.LONG_AGO, done_at=sim_profile.LONG_AGO
                )
                for kind in sim_profile.NOT_ASKED_FOR
            )


def _offers() -> list[Offer]:
    return [
        Offer(
            product_code=f"mtn_{gb}GB",
            product_name=sim_profile.PRODUCT,
            capacity=f"{gb}GB",
            mb=gb * 1024,
            validity="30 days",
            cost_pesewas=cost,
            network="mtn",
        )
        for gb, (cost, _price) in sim_profile.COSTS.items()
    ]


def _keep_first_rows(connection: psycopg.Connection[Any]) -> tuple[str, list[str]]:
    """Copy what every table holds. Returns what puts it back, past triggers, and the tables."""
    found = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <>"
        " 'alembic_version' ORDER BY 1"
    )
    tables = [name for (name,) in found]
    connection.execute(f"CREATE SCHEMA {_FIRST}")
    for table in tables:
        connection.execute(f"CREATE TABLE {_FIRST}.{table} AS TABLE public.{table}")
    filled = [
        table
        for table in tables
        if connection.execute(f"TABLE {table} LIMIT 1").rowcount
    ]
    numbers = connection.execute(
        "SELECT sequencename, coalesce(last_value, 0) + 1 FROM pg_sequences WHERE schemaname ="
        " 'public' ORDER BY 1"
    ).fetchall()
    return (
        "; ".join(
            [
                "SET session_replication_role = replica",
                *(f"DELETE FROM {table}" for table in tables),
                *(
                    f"INSERT INTO {table} SELECT * FROM {_FIRST}.{table}"
                    for table in filled
                ),
                *(
                    f"SELECT setval('{sequence}', {number}, false)"
                    for sequence, number in numbers
                ),
                # put back by us, and no seed is about restores
                database_identity.REMEMBER,
                "SET session_replication_role = origin",
            ]
        ),
        tables,
    )
