"""Where root's PostgreSQL lives, and as whom it runs: no right on any folder is widened for it."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from devkit import postgres_home, servers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.servers,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="about root, who may not run PostgreSQL"
    ),
]


def test_root_runs_it_as_nobody(folder: Path) -> None:
    server = servers.start_postgres(folder / "postgres")
    nobody = pwd.getpwnam("nobody").pw_uid
    assert os.stat(f"/proc/{server.pid}").st_uid == nobody
    assert os.stat(server.home.data).st_uid == nobody
    assert os.stat(server.home.data).st_mode & 0o777 == 0o700
    groups = (
        Path(f"/proc/{server.pid}/status")
        .read_text()
        .split("Groups:")[1]
        .splitlines()[0]
        .split()
    )
    assert groups == []  # none of root's
    assert server.home.root == folder / "postgres"
    server.stop()


def test_under_a_closed_parent_the_files_live_elsewhere_and_are_found_again(
    folder: Path,
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    before = {path: path.stat().st_mode for path in (closed, folder, *folder.parents)}
    first = servers.start_postgres(closed / "postgres")
    assert not first.home.root.is_relative_to(folder)
    assert "cannot enter" in first.home.note
    with psycopg.connect(first.superuser_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    first.stop()
    # no right was widened
    assert {path: path.stat().st_mode for path in before} == before
    second = servers.start_postgres(closed / "postgres")
    assert second.home.root == first.home.root
    with psycopg.connect(second.superuser_url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    second.stop()
    postgres_home.forget(closed / "postgres")
    assert not first.home.root.exists()
    assert not (closed / "postgres").exists()


def test_files_elsewhere_that_were_removed_are_missed_aloud(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o700)
    place = folder / "closed" / "postgres"
    first = servers.start_postgres(place)
    first.stop()
    shutil.rmtree(first.home.root)
    second = servers.start_postgres(place)
    assert second.home.note.startswith("The database is empty")
    second.stop()
    postgres_home.forget(place)


def test_a_throwaway_server_leaves_nothing_elsewhere(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o700)
    server = servers.start_postgres(folder / "closed" / "postgres", fsync=False)
    outside = server.home.root
    assert outside.exists()
    server.stop()
    assert not outside.exists()


def test_what_a_killed_test_run_left_elsewhere_is_swept(folder: Path) -> None:
    left = Path(tempfile.mkdtemp(prefix="makola-postgres-", dir="/var/tmp"))
    (left / "belongs-to.json").write_text(
        '{"folder": "/gone/for/good", "throwaway": true}'
    )
    kept = Path(tempfile.mkdtemp(prefix="makola-postgres-", dir="/var/tmp"))
    (kept / "belongs-to.json").write_text(
        '{"folder": "/gone/for/good", "throwaway": false}'
    )
    (folder / "closed").mkdir(mode=0o700)
    server = servers.start_postgres(folder / "closed" / "postgres", fsync=False)
    server.stop()
    assert not left.exists()
    assert kept.exists()  # data of an `up`, perhaps on a disk that is not there today
    shutil.rmtree(kept)


def test_programs_that_nobody_can_reach_are_copied_with_their_libraries(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = postgres_home.wheel_folder()
    closed = folder / "site-packages"
    closed.mkdir(mode=0o700)
    for name in (tree.name, f"{tree.name}.libs"):
        if (tree.parent / name).is_dir():
            (closed / name).symlink_to(tree.parent / name)
    monkeypatch.setattr(postgres_home, "wheel_folder", lambda: closed / tree.name)
    server = servers.start_postgres(folder / "postgres", fsync=False)
    assert server.home.programs.is_relative_to(folder / "postgres")
    assert (server.home.programs.parents[2] / f"{tree.name}.libs").is_dir() == (
        tree.parent / f"{tree.name}.libs"
    ).is_dir()
    with psycopg.connect(server.superuser_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    server.stop()
