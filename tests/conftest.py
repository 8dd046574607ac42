"""Real PostgreSQL and Valkey, the application as its own role, and two stores with look-alike rows
in every test.

The tables are put back to the seed before each test. Sockets stay open only because the two servers
are real; no test talks to any other address. After each test the books are proven.
"""

from __future__ import annotations

import gc
import itertools
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tables_owner
from argon2 import PasswordHasher
from flask import Flask
from redis.exceptions import TimeoutError as RedisTimeout
from seed import WEBHOOK_TOKEN, seed_base
from sqlalchemy import event
from visitors import Visitor

import supervision
from core import ledger, outbox
from core.accounts import guessing, logins, security_events, users
from core.base import clock, database_identity, hashing, tenancy
from core.base.config import Config
from core.base.db import db
from devkit import databases, servers, valkey_server
from tests.support import longest_first, named_marks, settings
from tests.support.kept import Keep, Kept


def pytest_configure(config: pytest.Config) -> None:
    """One of several processes ends with the one that started it, in the middle of a test too.
    Nothing of what is read until the tests begin is garbage."""
    gc.disable()
    if hasattr(config, "workerinput"):
        supervision.end_with_parent(signal.SIGTERM)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What no test of a file can be is not read in for it."""
    expression = config.option.markexpr
    if not expression or not collection_path.is_file():
        return None
    return None if named_marks.may_hold(collection_path, expression) else True


def pytest_collection_finish() -> None:
    """Thousands of tests stay in memory to the end: the collector need not look at them again and
    again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Iterator[None]:
    """In one of several processes, after -m and -k have had their say, the longest files first."""
    if unnamed := named_marks.unnamed(items):
        raise pytest.UsageError(
            "name these marks in the file of the test, as `pytest.mark.…`, else a stage does not"
            f" find it: {', '.join(unnamed)}"
        )
    yield
    if hasattr(config, "workerinput"):
        items[:] = longest_first.ordered(items)


PRODUCTIONS = (hashing._hasher, hashing.NOBODYS)
"""How passwords are hashed outside of tests, and in the programs that tests start."""


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[None]:
    """Argon2id in a hundredth of its time: hundreds of log-ins, of which few are about the hash.
    See `productions_hashes`."""
    with pytest.MonkeyPatch.context() as patch:
        cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        patch.setattr(hashing, "_hasher", cheap)
        patch.setattr(hashing, "NOBODYS", cheap.hash("nobody has this password"))
        yield


@pytest.fixture
def productions_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests about the hash itself: it is made as in production."""
    for name, value in zip(("_hasher", "NOBODYS"), PRODUCTIONS, strict=True):
        monkeypatch.setattr(hashing, name, value)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A migrated database: `admin` owns it, `app` is the platform's role and `store` the stores',
    `super` may restore the seed."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        if not url.rpartition("/")[2].partition("?")[0].endswith("_test"):
            pytest.exit(
                "TEST_DATABASE_URL must name a database that ends in _test",
                returncode=2,
            )
        urls = {
            "app": url,
            "store": os.environ["TEST_DATABASE_STORE_URL"],
            "admin": os.environ["TEST_DATABASE_ADMIN_URL"],
            "super": os.environ["TEST_DATABASE_SUPERUSER_URL"],
        }
        tables_owner.migrate(urls)
        yield urls
        return
    server = servers.start_postgres(tmp_path_factory.mktemp("postgres"), fsync=False)
    try:
        database = databases.prepare_database(
            server,
            "makola_test",
            owner_password=secrets.token_hex(8),
            store_password=secrets.token_hex(8),
            platform_password=secrets.token_hex(8),
        )
        urls = {
            "admin": database.admin_url,
            "app": database.platform_url,
            "store": database.store_url,
            "super": server.superuser_url.rpartition("/")[0] + "/makola_test",
        }
        tables_owner.migrate(urls)
        yield urls
    finally:
        server.stop()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Valkey."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    server = valkey_server.start_valkey(tmp_path_factory.mktemp("valkey"))
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def config(
    postgres: dict[str, str], valkey: str, tmp_path_factory: pytest.TempPathFactory
) -> Config:
    return Config(
        database_url=postgres["app"],
        database_store_url=postgres["store"],
        database_admin_url=postgres["admin"],
        redis_url=valkey,
        secret_key=tables_owner.SECRET_KEY,
        data_mart_api_url="http://127.0.0.1:9/api",
        data_mart_api_key="pk_test",
        data_mart_api_secret="sk_test",
        webhook_token=WEBHOOK_TOKEN,
        public_scheme="http",
        instance_dir=str(tmp_path_factory.mktemp("instance")),
        # Most tests look at what comes after; `test_portal_undo` and `core/test_pressing` wait.
        undo_s=0,
        # half of the threads of a process, and this one has as many as a test likes
        lock_crowd=64,
    )


@pytest.fixture(scope="session")
def seeded_app(config: Config, postgres: dict[str, str]) -> Iterator[Flask]:
    """The application, made once; its seed is kept in a schema of its own, from which each test is
    restored."""
    from wsgi import create_app

    app = create_app(config)
    app.testing = True
    with app.app_context():
        for engine in db.engines.values():
            event.listen(engine, "connect", _plan_once)
            engine.dispose()
        seed_base()
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS seed CASCADE")
        connection.execute("CREATE SCHEMA seed")
        for table in _tables(connection):
            connection.execute(f"CREATE TABLE seed.{table} AS TABLE public.{table}")
    yield app
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def _plan_once(connection: psycopg.Connection[Any], _record: object) -> None:
    """Each statement is read and planned once for a connection: tests say the same thousands of
    times."""
    connection.prepare_threshold = 0
    connection.prepared_max = 1_000
    # one transaction, which must not stay open
    connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.commit()


@pytest.fixture(scope="session")
def superuser(postgres: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    """The hands of tests that no role of the application has."""
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def restore(
    seeded_app: Flask, superuser: psycopg.Connection[Any]
) -> Callable[[], None]:
    """Puts every table back to the seed, past triggers and references. DELETE, because TRUNCATE
    makes new files. A function, because its statements are read and planned once, not ninety of
    them before every test."""
    tables = _tables(superuser)
    statements = "; ".join(
        [
            *(f"DELETE FROM public.{table}" for table in tables),
            *(
                f"INSERT INTO public.{table} SELECT * FROM seed.{table}"
                for table in tables
            ),
            "UPDATE public.buying SET renewed_at = now()",  # as a relay does that lives
            # It is a restore, and no test but those of restores is about one.
            database_identity.REMEMBER,
        ]
    )
    superuser.execute(
        "CREATE OR REPLACE FUNCTION seed.restore() RETURNS void LANGUAGE plpgsql"
        f" AS $$ BEGIN {statements}; END $$"
    )
    # the role stays: tests change by this connection what triggers forbid
    restoring = "SET session_replication_role = replica; SELECT seed.restore()"
    return lambda: superuser.execute(restoring) and None


@pytest.fixture(scope="session")
def books_moved(
    seeded_app: Flask, superuser: psycopg.Connection[Any]
) -> Callable[[], bool]:
    """Whether anything in the books is other than in the seed, whose books hold: asked in a tenth
    of the time that it takes to prove them."""
    differ = " OR ".join(
        f"EXISTS (TABLE {one}.{table} EXCEPT TABLE {other}.{table})"
        for table in ("accounts", "postings", "entries")
        for one, other in (("public", "seed"), ("seed", "public"))
    )
    superuser.execute(
        "CREATE OR REPLACE FUNCTION seed.books_moved() RETURNS boolean LANGUAGE plpgsql"
        f" AS $$ BEGIN RETURN {differ}; END $$"
    )

    def moved() -> bool:
        (told,) = superuser.execute("SELECT seed.books_moved()").fetchone() or (True,)
        return bool(told)

    return moved


@pytest.fixture
def app(
    seeded_app: Flask,
    restore: Callable[[], None],
    books_moved: Callable[[], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Flask]:
    """The application on freshly seeded tables. No store is set, nothing rings, no limit
    remembers."""
    restore()
    monkeypatch.setattr(outbox, "ring", outbox.silent)
    monkeypatch.setattr(outbox, "ring_payment", outbox.silent)
    monkeypatch.setattr(security_events, "tally", security_events.Tally())
    # each two hundredth try of a process tidies, whichever tests came before
    monkeypatch.setattr(guessing, "_tries", itertools.count(1))
    for source in ("offset_source", "wall_source", "steady_source"):
        monkeypatch.setattr(clock, source, None)
    limiter = next(iter(seeded_app.extensions.get("limiter", ())), None)
    if limiter is not None:
        _forget_limits(limiter)
    yield seeded_app
    if books_moved():
        with seeded_app.app_context(), tenancy.across_stores():
            books = ledger.books()
        assert books.hold, f"the books do not hold: {books}"


def _forget_limits(limiter: Any) -> None:
    """By the application's own line to Valkey, which waits a quarter of a second at most: on busy
    cores that is asked again."""
    for _ in range(20):
        with suppress(RedisTimeout):
            limiter.reset()
            return
    limiter.reset()


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """An open application context with no store set, for tests of core."""
    with app.app_context():
        yield app
        tenancy.clear()
        db.session.remove()


@pytest.fixture
def ama(context: Flask) -> int:
    """Work in ama's store as a job of hers does: as the platform's role, with both layers. Returns
    its id.

    What a request of hers may do, as the stores' role, is tried with `as_store` and through the
    pages.
    """
    return _enter("ama", as_platform=True)


@pytest.fixture
def kofi_id(context: Flask) -> int:
    from core import stores

    store = stores.by_slug("kofi")
    assert store is not None
    return store.id


@pytest.fixture
def across(context: Flask) -> Iterator[Flask]:
    """Work across all stores, as the platform's role: what belongs to the platform alone."""
    with tenancy.across_stores():
        yield context


@pytest.fixture
def in_store(app: Flask) -> Callable[[str, Callable[[], Any]], Any]:
    """Do something inside a store, in a context of its own: as a job does, by the platform's role
    with both layers."""
    return partial(_inside, app, True)


@pytest.fixture
def as_store(app: Flask) -> Callable[[str, Callable[[], Any]], Any]:
    """Do something inside a store, in a context of its own: as a request of it does, by the stores'
    role."""
    return partial(_inside, app, False)


def _inside(app: Flask, as_platform: bool, slug: str, deed: Callable[[], Any]) -> Any:
    with app.app_context():
        _enter(slug, as_platform=as_platform)
        try:
            return deed()
        finally:
            tenancy.clear()
            db.session.remove()


class Clocks:
    """The two clocks of this process, moved by a test on top of earlier moves. The relay, whom
    nobody runs here, is taken to have looked at what can be bought all the while, unless a test
    says `relay_lives = False`."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, database: psycopg.Connection[Any]
    ) -> None:
        self._patch, self._database = monkeypatch, database
        self._wall_s = self._steady_s = 0.0
        self.relay_lives = True

    @property
    def passed_s(self) -> tuple[float, float]:
        """By how much the wall clock and the steady clock were moved, in seconds."""
        return self._wall_s, self._steady_s

    def pass_by(self, seconds: float) -> None:
        """So many seconds pass, by both clocks."""
        self._steady_s += seconds
        self._patch.setattr(
            clock,
            "steady_source",
            lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + self._steady_s,
        )
        self.set_wall(seconds)

    def set_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock forward or, with a negative number, back; no time passes."""
        self._wall_s += seconds
        if self.relay_lives:
            self._database.execute(
                "UPDATE buying SET renewed_at = renewed_at + %s",
                (timedelta(seconds=seconds),),
            )
        self._patch.setattr(
            clock,
            "wall_source",
            lambda: datetime.now(UTC) + timedelta(seconds=self._wall_s),
        )


@pytest.fixture
def clocks(
    monkeypatch: pytest.MonkeyPatch, superuser: psycopg.Connection[Any]
) -> Clocks:
    return Clocks(monkeypatch, superuser)


@pytest.fixture(scope="module")
def kept_by_file(
    restore: Callable[[], None], superuser: psycopg.Connection[Any]
) -> Kept:
    return Kept(superuser, _tables(superuser))


@pytest.fixture
def kept(app: Flask, kept_by_file: Kept, clocks: Clocks) -> Keep[Any]:
    """`kept("three orders", build)`: what `build` answers, with its rows in the tables; built once for
    this file. See `tests/support/kept.py`."""
    return lambda name, build: kept_by_file.scene(name, build, clocks)


@pytest.fixture
def jump(clocks: Clocks) -> Callable[[float], None]:
    """Let so many seconds pass for this process, by both of its clocks, on top of earlier jumps."""
    return clocks.pass_by


@pytest.fixture
def set_clock(clocks: Clocks) -> Callable[[float], None]:
    """Set the wall clock of this process by so many seconds; the steady clock does not move."""
    return clocks.set_wall


@pytest.fixture
def visitor(app: Flask) -> Callable[[str], Visitor]:
    """A browser at a host: `visitor("ama")` is a customer of ama's store."""
    return lambda host: Visitor(app, host)


@pytest.fixture
def customer(visitor: Callable[[str], Visitor]) -> Visitor:
    return visitor("ama")


@pytest.fixture
def ama_agent(app: Flask) -> Visitor:
    return _logged_in(app, "ama@example.test", "portal", "ama")


@pytest.fixture
def kofi_agent(app: Flask) -> Visitor:
    return _logged_in(app, "kofi@example.test", "portal", "kofi")


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return _logged_in(app, "owner@example.test", "console", None)


@pytest.fixture
def using() -> Iterator[settings.Using]:
    """`using(page_size=2)`: these settings until the test is over."""
    with ExitStack() as until_over:
        yield lambda **changes: until_over.enter_context(settings.using(**changes))


@pytest.fixture
def logged_in(app: Flask) -> Callable[..., Visitor]:
    """`logged_in("cashier@example.test", "portal", "ama")`: anyone of the seed, at either door."""
    return lambda email, door="portal", slug=None: _logged_in(app, email, door, slug)


def _logged_in(app: Flask, email: str, door: Any, slug: str | None) -> Visitor:
    from core import stores

    with app.app_context():
        user = users.by_email(email)
        assert user is not None
        store = stores.by_slug(slug) if slug else None
        token = logins.start_login(user, door, store.id if store else None)
        db.session.remove()
    return Visitor(app, "portal" if door == "portal" else "admin", token)


def _enter(slug: str, *, as_platform: bool = False) -> int:
    from core import stores

    store = stores.by_slug(slug)
    assert store is not None
    tenancy.use(store.id, as_platform=as_platform)
    return store.id


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <>"
        " 'alembic_version' ORDER BY 1"
    )
    return [name for (name,) in rows]
