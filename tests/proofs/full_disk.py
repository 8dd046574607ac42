"""PostgreSQL's files on a small file system of memory, filled up. Takes root and a kernel that lets
it mount."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.proofs import witness
from tests.proofs.stage import Stage
from tests.support.running import must, until

ROOM_MIB = 48
"""What PostgreSQL may still write before the disk is filled up around it."""
BACK_S = 60


def is_possible() -> bool:
    """Whether this machine lets us mount."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    return (
        subprocess.run(
            ["unshare", "--mount", "true"], check=False, capture_output=True
        ).returncode
        == 0
    )


@contextmanager
def under_postgres(stage: Stage) -> Iterator[None]:
    """No byte is free on PostgreSQL's disk for the length of the block."""
    home = stage.instance / "postgres"
    must((home / "data").exists(), f"PostgreSQL's files are not in {home}")
    _move_onto(stage, home)
    try:
        ballast = home / "ballast"
        _fill(ballast)
        try:
            yield
        finally:
            ballast.unlink()
    finally:
        _move_off(stage, home)


def _move_onto(stage: Stage, home: Path) -> None:
    aside = home.with_name("postgres.aside")
    stage.take_down("postgres", signal.SIGINT)
    home.rename(aside)
    home.mkdir()
    used_mib = (
        sum(path.stat().st_blocks for path in aside.rglob("*") if path.is_file())
        * 512
        // 2**20
    )
    _run(
        "mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={used_mib + ROOM_MIB}m,mode=755",
        "tmpfs",
        str(home),
    )
    _run("cp", "-a", f"{aside}/.", str(home))
    stage.bring_back("postgres")
    _until_back(stage)


def _move_off(stage: Stage, home: Path) -> None:
    """Everything back to where it was, with what was written meanwhile."""
    aside = home.with_name("postgres.aside")
    stage.take_down("postgres", signal.SIGINT)
    shutil.rmtree(aside)
    aside.mkdir()
    _run("cp", "-a", f"{home}/.", str(aside))
    _run("umount", str(home))
    home.rmdir()
    aside.rename(home)
    stage.bring_back("postgres")
    _until_back(stage)


def _fill(ballast: Path) -> None:
    block = bytes(2**16)
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(block)
        except OSError:
            return


def _until_back(stage: Stage) -> None:
    def answers() -> bool:
        try:
            return bool(witness.rows(stage, "SELECT 1"))
        except psycopg.OperationalError:
            return False

    until(answers, BACK_S, "PostgreSQL is back")


def _run(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    must(done.returncode == 0, f"{' '.join(words)} failed: {done.stderr.strip()}")
