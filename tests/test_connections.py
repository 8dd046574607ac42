"""Every connection of the program, whichever role it is of: its limits, what it says of itself, and
what is said of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core import stores
from core.base import rights, tenancy
from core.base.db import PLATFORM, STORE, db
from wsgi import IDLE_MS, OURS_TO_SAY, POOL, STATEMENT_MS, create_app

URL_OF = {"store": "store", "platform": "app"}
ENGINE_OF = {"store": STORE, "platform": PLATFORM}


def dispose(app: Flask) -> None:
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.mark.parametrize("role", ENGINE_OF)
def test_each_role_connects_with_every_limit(app: Flask, role: str) -> None:
    """The framework hears the options of engines for the first address alone: the other role once
    had none of them."""
    with app.app_context():
        engine = db.engines[ENGINE_OF[role]]
        assert (engine.pool.size(), engine.pool._pre_ping, engine.hide_parameters) == (
            POOL,
            True,
            True,
        )  # type: ignore[attr-defined]
        with engine.connect() as connection:
            rows = connection.execute(
                text("SELECT name, setting, source FROM pg_settings")
            ).all()
    said = {name: setting for name, setting, source in rows if source == "client"}
    for name, setting in OURS_TO_SAY.items():
        assert said[name].split(",")[0] == str(setting).replace("\\", ""), name
    assert int(said["statement_timeout"]) == STATEMENT_MS
    assert int(said["idle_in_transaction_session_timeout"]) == IDLE_MS
    assert (said["random_page_cost"], said["application_name"]) == ("1.1", "makola")
    assert int(said["lock_timeout"]) > 0


@pytest.mark.parametrize("role", ENGINE_OF)
def test_a_statement_that_fails_does_not_tell_its_values(app: Flask, role: str) -> None:
    """The text of an error reaches the log, and a customer's number with it."""
    statement = text("SELECT * FROM nothing WHERE x = :number")
    with (
        app.app_context(),
        db.engines[ENGINE_OF[role]].connect() as connection,
        pytest.raises(DBAPIError) as failed,
    ):
        connection.execute(statement, {"number": "+233241234567"})
    assert "nothing" in str(failed.value) and "241234567" not in str(failed.value)


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize("role", ENGINE_OF)
def test_the_first_page_after_the_server_lost_its_connections_is_a_page(
    app: Flask, config: Any, postgres: dict[str, str], role: str
) -> None:
    """As after a restart of PostgreSQL: whatever the pools hold is dead, and nobody reads of it."""
    client = app.test_client()
    host = "ama" if role == "store" else "portal"
    path = "/" if role == "store" else "/login"
    address = {"base_url": f"http://{host}.{config.base_domain}", "path": path}
    assert client.get(**address).status_code == 200
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name ="
            " 'makola'"
        )
    assert client.get(**address).status_code == 200


POISON = [
    "SET search_path = nowhere",
    "SET default_transaction_read_only = on",
    "SET statement_timeout = 1",
    "SET transaction_timeout = 1",
    "SET row_security = off",
    "SET local_preload_libraries = nowhere",
    "IN DATABASE {database} SET search_path = nowhere",
    "IN DATABASE {database} SET client_encoding = 'SQL_ASCII'",
]


@pytest.mark.parametrize("role", URL_OF)
@pytest.mark.parametrize("poison", POISON)
def test_a_role_that_spoils_its_own_connections_stops_nothing_and_is_named_at_the_next_start(
    app: Flask, config: Any, postgres: dict[str, str], role: str, poison: str
) -> None:
    """PostgreSQL lets every role do this, and it lasts: one smuggled statement would have closed
    every store."""
    with psycopg.connect(postgres["super"], autocommit=True) as watcher:
        database = watcher.info.dbname
        with psycopg.connect(postgres[URL_OF[role]], autocommit=True) as connection:
            connection.execute(
                f"ALTER ROLE CURRENT_USER {poison.format(database=database)}"
            )
        try:
            dispose(app)  # new connections from here on
            page = app.test_client().get(
                "/", base_url=f"http://ama.{config.base_domain}"
            )
            assert (page.status_code, b"MTN" in page.data) == (200, True)
            with app.app_context(), tenancy.across_stores():
                assert stores.by_slug("ama") is not None
            with pytest.raises(
                rights.WrongRights,
                match=r"settings of its own: \w+\..*ALTER ROLE makola_.* RESET ALL",
            ):
                create_app(config)
        finally:
            for where in ("", f"IN DATABASE {database}"):
                watcher.execute(f"ALTER ROLE makola_{role} {where} RESET ALL")
            dispose(app)


@pytest.mark.slow(seconds=1.2)
@pytest.mark.parametrize("words", [("user", "list"), ("store", "list"), ("supervise",)])
def test_a_command_that_may_not_start_says_so_in_one_sentence(
    config: Any, words: tuple[str, ...]
) -> None:
    """For settings and rights alike: whoever sits before it reads what to do, and no lines of our
    program."""
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
    environment = {"PATH": os.defpath, "MAKOLA_SECRET_KEY": "short"}
    said = subprocess.run(
        command,
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (said.returncode, said.stdout) == (1, "")
    assert (
        said.stderr.startswith("Error: Makola cannot start:")
        and "Traceback" not in said.stderr
    )
    assert (
        "MAKOLA_SECRET_KEY is too short: use at least 32 random characters."
        in said.stderr
    )
