"""A database that neither answers nor hangs up: every wait for it ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

import supervision
from core.base import connections
from devkit import daemons, process_tree, servers

pytestmark = pytest.mark.slow(seconds=1.4)

ANSWER_S, PING_S, CONNECT_S = 1.5, 0.5, 2
SLACK_S = 4.0
"""Other tests keep this machine busy. A wait without a limit lasts until the server is let go."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Postgres]:
    """A PostgreSQL of its own, since it is frozen."""
    made = servers.start_postgres(tmp_path_factory.mktemp("frozen"), fsync=False)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(params=[ANSWER_S])
def engine(
    server: servers.Postgres, request: pytest.FixtureRequest
) -> Iterator[Engine]:
    url = "postgresql+psycopg://" + server.superuser_url.partition("://")[2]
    made = create_engine(
        url,
        pool_pre_ping=True,
        pool_size=4,
        connect_args={"connect_timeout": CONNECT_S},
    )
    connections.limit_waits(made, answer_s=request.param, ping_s=PING_S)
    try:
        yield made
    finally:
        thaw(server)
        made.dispose()


def freeze(server: servers.Postgres) -> None:
    for pid in (server.pid, *process_tree.descendants(server.pid)):
        supervision.send(pid, signal.SIGSTOP)  # one that just ended is no matter


def thaw(server: servers.Postgres) -> None:
    for pid in (server.pid, *process_tree.descendants(server.pid)):
        supervision.send(pid, signal.SIGCONT)


def refused_after_s(engine: Engine) -> float:
    """How long a use of the database takes to be refused."""
    began = time.monotonic()
    with pytest.raises(OperationalError), engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    return time.monotonic() - began


def works(engine: Engine) -> bool:
    try:
        with engine.connect() as connection:
            return bool(connection.execute(text("SELECT 1")).scalar_one())
    except OperationalError:
        return False


def test_a_statement_whose_answer_never_comes_ends(
    engine: Engine, server: servers.Postgres
) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
        freeze(server)
        began = time.monotonic()
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT 2"))
        assert ANSWER_S <= time.monotonic() - began < ANSWER_S + SLACK_S
        assert (
            connection.invalidated
        )  # the answer may come yet, and nobody would know to which question
    thaw(server)
    assert daemons.until(lambda: works(engine), 10)


@pytest.mark.parametrize("engine", [60.0], indirect=True)
def test_a_pooled_connection_is_given_up_at_its_ping(
    engine: Engine, server: servers.Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert works(engine)
    monkeypatch.setattr(connections, "FRESH_S", 0.0)
    freeze(server)
    assert refused_after_s(engine) < PING_S + CONNECT_S + SLACK_S


@pytest.mark.parametrize("engine", [60.0], indirect=True)
def test_one_heard_a_moment_ago_is_given_up_when_a_transaction_begins(
    engine: Engine, server: servers.Postgres
) -> None:
    """It is not pinged: its first answer is the sign of life."""
    pooled = engine.raw_connection()
    held = pooled.driver_connection
    assert isinstance(held, connections.TimedConnection)
    held.begin("SELECT 1", {})
    held.rollback()
    assert held.is_fresh()
    freeze(server)
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        held.begin("SELECT 1", {})
    assert PING_S <= time.monotonic() - began < PING_S + SLACK_S
    assert held.closed and not held.is_fresh()
    pooled.invalidate()


def test_one_whose_server_ended_it_is_not_fresh(
    engine: Engine, server: servers.Postgres
) -> None:
    assert works(engine)
    with psycopg.connect(server.superuser_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    assert works(engine), "it is found dead before it is used"


def test_plans_outlive_a_read_and_not_an_error(engine: Engine) -> None:
    pooled = engine.raw_connection()
    held = pooled.driver_connection
    assert isinstance(held, connections.TimedConnection)
    kept = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%41%'"
    for _ in range(connections.PREPARE_AFTER + 1):
        held.execute("SELECT 41")
        held.rollback()
    assert held.execute(kept).fetchone() == (1,)
    with pytest.raises(psycopg.errors.DivisionByZero):
        held.execute("SELECT 1/0")
    held.rollback()
    assert held.execute(kept).fetchone() == (0,)
    assert held.execute("SELECT 41").fetchone() == (41,)
    pooled.close()


def test_while_nobody_gets_through_one_tries_and_the_others_are_refused_at_once(
    engine: Engine, server: servers.Postgres
) -> None:
    freeze(server)
    refused_after_s(engine)
    tries = threading.Event()

    def try_alone() -> None:
        tries.set()
        refused_after_s(engine)

    alone = threading.Thread(target=try_alone)
    alone.start()
    tries.wait()
    time.sleep(0.2)  # by now it is connecting, which takes `CONNECT_S`
    assert alone.is_alive()
    assert refused_after_s(engine) < CONNECT_S / 2
    alone.join()
    thaw(server)
    assert daemons.until(lambda: works(engine), 10)


def test_a_slow_answer_within_the_limit_is_taken(engine: Engine) -> None:
    with engine.connect() as connection:
        assert (
            connection.execute(
                text(f"SELECT 7 FROM pg_sleep({PING_S * 2})")
            ).scalar_one()
            == 7
        )


def test_the_application_s_engine_has_the_limits(context: object) -> None:
    import wsgi
    from core.base.db import db as application

    with application.engine.connect() as connection:
        held = connection.connection.dbapi_connection
        assert isinstance(held, connections.TimedConnection)
        assert isinstance(held, psycopg.Connection)
        assert held.answer_s == wsgi.ANSWER_S > wsgi.STATEMENT_MS / 1_000
