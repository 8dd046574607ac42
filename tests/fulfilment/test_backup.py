"""A backup holds every row of every store, comes back whole with its policies and guards, and says
so when it does not."""

from __future__ import annotations

import importlib.util
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import Result
from desk import Desk
from flask import Flask

from core.base import signed
from devkit.databases import Database
from operations import postgres_programs, restored
from tests.support.settings import Using

pytestmark = [pytest.mark.slow(seconds=0.2), pytest.mark.servers]

Command = Callable[..., Result]


@pytest.fixture
def kept(desk: Desk, app: Flask, command: Command, tmp_path: Path) -> Path:
    """A backup of two stores with an order each, one bought, one waiting."""
    bought = desk.release("ama")
    desk.work_until(bought, "processing")
    desk.release("kofi")
    file = tmp_path / "makola.dump"
    said = command(app, "backup", file)
    assert said.exit_code == 0, said.output
    assert "Orders: 2." in said.output
    return file


@pytest.fixture
def programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Path]:
    """Put a program of the test's own on PATH: a shell script, with `$REAL` for the real one's
    folder."""
    # the wheel's, which is as new as the server
    real = list(postgres_programs._places("pg_dump"))[-1].parent
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, script: str) -> Path:
        program = folder / name
        program.write_text(f"#!/bin/sh\nREAL={real}\n{script}\n")
        program.chmod(0o755)
        return program

    return put


def test_a_backup_comes_back_with_every_row(
    kept: Path,
    empty: Database,
    at: Callable[[Database], Flask],
    command: Command,
    postgres: dict[str, str],
    count: Callable[[str], dict[str, int]],
) -> None:
    before = count(postgres["admin"])
    assert min(before["orders"], before["entries"], before["audit"]) > 0
    second = at(empty)
    assert command(second, "restore", kept).exit_code == 0
    assert count(empty.admin_url) == before
    looked = command(second, "restore-check")
    assert (looked.exit_code, "BAD" in looked.output) == (0, False), looked.output
    assert "Open orders: 1 processing, 1 queued." in looked.output
    assert (
        "This is a copy (another database, written again by a restore)" in looked.output
    )


def test_what_came_back_is_walled_and_guarded(
    kept: Path, empty: Database, at: Callable[[Database], Flask], command: Command
) -> None:
    assert command(at(empty), "restore", kept).exit_code == 0
    with psycopg.connect(empty.store_url, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        (ama,) = connection.execute(
            "SELECT id FROM stores WHERE slug = 'ama'"
        ).fetchone() or (0,)
        told = f"{ama}.{signed.mac(f'store:{ama}')}"
        connection.execute("SELECT set_config('makola.store', %s, false)", (told,))
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE entries SET amount_pesewas = 1")
    unbalanced = pytest.raises(psycopg.errors.CheckViolation, match="sum to zero")
    with psycopg.connect(empty.admin_url) as connection, unbalanced:
        connection.execute(
            "INSERT INTO entries (posting_id, account_id, amount_pesewas, balance_pesewas) "
            "SELECT (SELECT max(id) FROM postings), id, 1, 1 FROM accounts WHERE name = 'bank'"
        )


def test_a_backup_is_for_its_owner_only_and_written_over_by_nobody(
    kept: Path, app: Flask, command: Command
) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    before = kept.read_bytes()
    again = command(app, "backup", kept)
    assert (again.exit_code, "exists already" in again.output) == (1, True)
    assert kept.read_bytes() == before
    assert [path.name for path in kept.parent.glob("makola*")] == ["makola.dump"]


def test_the_password_is_on_no_command_line(
    app: Flask,
    command: Command,
    programs: Callable[[str, str], Path],
    tmp_path: Path,
    postgres: dict[str, str],
) -> None:
    """Also: the machine's own program on PATH is taken before the wheel's."""
    programs(
        "pg_dump",
        f'tr "\\0" " " < /proc/$$/cmdline >> {tmp_path}/told; exec "$REAL/pg_dump" "$@"',
    )
    assert command(app, "backup", tmp_path / "a.dump").exit_code == 0
    told = (tmp_path / "told").read_text()
    assert "--snapshot=" in told
    assert (urlsplit(postgres["admin"]).password or "?") not in told


def test_an_older_program_is_passed_over(
    app: Flask, command: Command, programs: Callable[[str, str], Path], tmp_path: Path
) -> None:
    programs("pg_dump", 'echo "pg_dump (PostgreSQL) 15.18"')
    assert command(app, "backup", tmp_path / "a.dump").exit_code == 0


def test_without_a_program_new_enough_it_says_what_to_install(
    app: Flask,
    command: Command,
    programs: Callable[[str, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = programs("pg_dump", 'echo "pg_dump (PostgreSQL) 15.18"')
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    said = command(app, "backup", tmp_path / "a.dump")
    assert said.exit_code == 1
    assert (
        f"{old} is 15" in said.output
        and "install PostgreSQL's client programs" in said.output
    )
    assert list(tmp_path.glob("a.dump*")) == []


@pytest.mark.parametrize(
    ("script", "word"),
    [
        # Reports success.
        ('exec "$REAL/pg_dump" "$@" --exclude-table-data=public.users', "does not hold every row"),
        ('"$REAL/pg_dump" "$@"; for last in "$@"; do case "$last" in --file=*) truncate -s 2000 "${last#--file=}";; esac; done', "cannot be read back"),
        ('case "$*" in *--file=*) echo "disk full" >&2; exit 1;; esac; exec "$REAL/pg_dump" "$@"',
        "disk full"),
    ],
    ids=["no rows", "cut short", "no room"],
)  # fmt: skip
def test_a_file_that_is_no_whole_backup_is_not_kept(
    app: Flask,
    command: Command,
    programs: Callable[[str, str], Path],
    tmp_path: Path,
    script: str,
    word: str,
) -> None:
    programs("pg_dump", script)
    said = command(app, "backup", tmp_path / "a.dump")
    assert (said.exit_code, word in said.output) == (1, True), said.output
    assert list(tmp_path.glob("a.dump*")) == []


def test_only_an_empty_database_is_restored_into(
    kept: Path, app: Flask, command: Command
) -> None:
    said = command(app, "restore", kept)
    assert (said.exit_code, "has tables already" in said.output) == (1, True)


LEFT_BEHIND = [
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
]


@pytest.mark.slow(seconds=0.7)
@pytest.mark.parametrize("role", ["store", "app"])
@pytest.mark.parametrize("statement", LEFT_BEHIND)
def test_nothing_that_a_role_may_leave_in_the_database_ends_its_backups(
    desk: Desk,
    app: Flask,
    empty: Database,
    at: Callable[[Database], Flask],
    command: Command,
    postgres: dict[str, str],
    tmp_path: Path,
    statement: str,
    role: str,
) -> None:
    """PostgreSQL lets every role do these; one statement that was smuggled in must not cost the
    owner his backups."""
    file = tmp_path / "makola.dump"
    desk.release("ama")
    try:
        with psycopg.connect(postgres[role], autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]
        said = command(app, "backup", file)
        assert said.exit_code == 0, said.output
        second = at(empty)
        said = command(second, "restore", file)
        assert said.exit_code == 0, said.output
        assert command(second, "restore-check").exit_code == 0
    finally:
        with psycopg.connect(postgres["super"], autocommit=True) as connection:
            connection.execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
        with psycopg.connect(postgres[role], autocommit=True) as connection:
            connection.execute(
                "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC"
            )
            connection.execute(
                "ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC"
            )


def test_half_a_backup_restores_nothing(
    kept: Path,
    empty: Database,
    at: Callable[[Database], Flask],
    command: Command,
    count: Callable[[str], dict[str, int]],
) -> None:
    half = kept.with_name("half.dump")
    half.write_bytes(kept.read_bytes()[: kept.stat().st_size * 2 // 3])
    said = command(at(empty), "restore", half)
    assert (said.exit_code, "pg_restore failed" in said.output) == (1, True)
    assert count(empty.admin_url) == {}


def test_without_the_owners_address_neither_runs(
    app: Flask, command: Command, tmp_path: Path, using: Using
) -> None:
    using(database_admin_url="")
    (tmp_path / "a.dump").touch()
    for words in (("backup", tmp_path / "b.dump"), ("restore", tmp_path / "a.dump")):
        said = command(app, *words)
        assert (said.exit_code, "DATABASE_ADMIN_URL is not set" in said.output) == (
            2,
            True,
        )


DAMAGES = (
    (
        "DROP POLICY store_wall ON orders",
        "CREATE POLICY store_wall ON orders USING (true)",
        "Tables without their row-level security: orders.",
    ),
    (
        "ALTER TABLE cases NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE cases FORCE ROW LEVEL SECURITY",
        "Tables without their row-level security: cases.",
    ),
    (
        "ALTER TABLE entries DISABLE TRIGGER entries_balanced",
        "ALTER TABLE entries ENABLE TRIGGER entries_balanced",
        "Missing triggers: entries_balanced.",
    ),
    (
        "ALTER TRIGGER audit_frozen ON audit RENAME TO gone",
        "ALTER TRIGGER gone ON audit RENAME TO audit_frozen",
        "Missing triggers: audit_frozen.",
    ),
    (
        "GRANT UPDATE ON postings TO app",
        "REVOKE UPDATE ON postings FROM app",
        "must not have postings: UPDATE.",
    ),
    (
        "REVOKE INSERT ON orders FROM app",
        "GRANT INSERT ON orders TO app",
        "lacks orders: INSERT.",
    ),
    (
        "UPDATE alembic_version SET version_num = 'old' || version_num",
        "UPDATE alembic_version SET version_num = substr(version_num, 4)",
        "run `db upgrade`",
    ),
    (
        "UPDATE accounts SET balance_pesewas = balance_pesewas - 1 WHERE name = 'wallet'",
        "UPDATE accounts SET balance_pesewas = balance_pesewas + 1 WHERE name = 'wallet'",
        "The books do not hold",
    ),
)


def test_the_check_sees_what_a_restore_could_lose(
    kept: Path,
    empty: Database,
    at: Callable[[Database], Flask],
    command: Command,
    postgres: dict[str, str],
) -> None:
    second, application = at(empty), urlsplit(empty.platform_url).username
    assert command(second, "restore", kept).exit_code == 0
    with psycopg.connect(
        urlsplit(postgres["super"])._replace(path=empty.name).geturl(), autocommit=True
    ) as connection:
        for damage, repair, word in DAMAGES:
            connection.execute(re.sub(r"\bapp$", f'"{application}"', damage))
            looked = command(second, "restore-check")
            assert looked.exit_code == 1, word
            assert word in "".join(
                line for line in looked.output.splitlines() if line.startswith("BAD")
            )
            connection.execute(re.sub(r"\bapp$", f'"{application}"', repair))
    assert command(second, "restore-check").exit_code == 0


def test_the_check_knows_every_guard_of_the_tables(
    app: Flask, postgres: dict[str, str]
) -> None:
    with psycopg.connect(postgres["admin"]) as connection:
        found = connection.execute(
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        ).fetchall()
    assert {name for (name,) in found} == restored.GUARDS
