"""Backups: a file that was read back, its restore into an empty database, and the check that a
restored one is whole.

The owner is under row-level security too, and has a policy of its own that shows it every row. So
pg_dump must be told to obey the policies, and a file is only kept once it was read back and holds
as many rows of each table as the snapshot it was taken from.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from core.base.rights import DEFINER_ROLE
from operations import postgres_programs
from operations.postgres_programs import BackupFailed

_OURS_ONLY = ("--no-large-objects",)
"""PostgreSQL lets every role make large objects, which nobody else may read: one that was smuggled
in would end backups."""
_NEVER_OURS = re.compile(r"\d+; \d+ \d+ (DEFAULT ACL|BLOB|BLOBS|BLOB METADATA) ")
"""Lines of a backup's list that any role may have put there, and that the owner may not bring
back."""
_COPY = re.compile(rb'COPY public\."?(\w+)"? \(')


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
    with postgres_programs.connected(owner_url) as connection, _half_made(file) as half:
        pg_dump, pg_restore = postgres_programs.programs(
            connection, "pg_dump", "pg_restore"
        )
        snapshot, rows = _snapshot(connection)
        what = (
            "--format=custom",
            "--enable-row-security",
            *_OURS_ONLY,
            f"--snapshot={snapshot}",
            *_others(connection),
        )
        postgres_programs.run(
            pg_dump,
            owner_url,
            *what,
            f"--file={half}",
        )
        _compare(rows, _rows_in(pg_restore, half))
        os.link(half, file)  # unlike a rename it cannot replace a file made meanwhile
    return Taken(rows, file.stat().st_size)


def restore(owner_url: str, file: Path) -> None:
    """Bring a backup back into a database that has no tables yet, all of it or nothing. Raises
    `BackupFailed`."""
    with postgres_programs.connected(owner_url) as connection:
        if _tables(connection):
            raise BackupFailed(
                "This database has tables already. Restore into a new, empty one."
            )
        (pg_restore,) = postgres_programs.programs(connection, "pg_restore")
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
        postgres_programs.run(pg_restore, owner_url, *what)


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
    with postgres_programs.connected(owner_url) as connection:
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
        with postgres_programs.connected(owner_url) as connection:
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
