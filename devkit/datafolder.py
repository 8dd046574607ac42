"""The folder that `up` keeps everything in, `instance/` unless MAKOLA_INSTANCE names another.

Decides who may use it at a time, what in it is ours to delete, and which ports it remembers. Leaves
what the servers keep inside their own folders to `servers`.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devkit import daemons, keys, postgres_home, process_tree
from devkit.plan import Refusal
from devkit.processes import Stopping

LAST_RUN_WAIT_S = 20  # how long a run that is just ending may take
# What `--reset` deletes: what we made, by name, since MAKOLA_INSTANCE may point at a folder with
# other things in it.
OURS = (
    "postgres",
    "valkey",
    "sandbox",
    "gateway",
    "secrets.json",
    "ports.json",
    "supervise.json",
    "ready.json",
    "up.log",
    "owner-shown",
)


def make(instance: Path) -> None:
    """Root lets others walk through the folder, since its PostgreSQL runs as nobody; each file in
    it is closed."""
    instance.mkdir(parents=True, exist_ok=True)
    if instance.stat().st_uid == os.geteuid():
        instance.chmod(0o711 if os.geteuid() == 0 else 0o700)


@contextmanager
def alone(instance: Path, front_fd: int) -> Iterator[None]:
    """Hold the folder's lock. A run that is just ending is waited for, one that goes on is a
    `Refusal`."""
    with open(instance / "up.lock", "a+") as held:
        deadline = time.monotonic() + LAST_RUN_WAIT_S
        while not _is_locked(held.fileno()):
            held.seek(0)
            holder = held.read().strip()
            if (
                holder.isdigit() and process_tree.is_alive(int(holder))
            ) or time.monotonic() > deadline:
                raise Refusal(
                    f"Makola is already running in this folder (process {holder or 'unknown'}):"
                    " stop it with Ctrl-C there, or set MAKOLA_INSTANCE to another folder for a"
                    " second one."
                )
            if select.select([front_fd], [], [], 0.1)[0]:
                raise Stopping
        held.truncate(0)
        held.write(str(os.getppid()))
        held.flush()
        yield


def say_ending(instance: Path) -> None:
    """Tell the next run that it may wait for our end instead of being refused."""
    (instance / "up.lock").write_text("")


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def reset(instance: Path) -> None:
    """Delete the database, keys and orders of this folder."""
    postgres_home.forget(instance / "postgres")
    for name in OURS:
        path = instance / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def steady_port(path: Path, name: str) -> int:
    """The port `name` had last time if it is free, else a new one, remembered."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    port = daemons.free_port(known.get(name))
    keys.save(path, {**known, name: port})
    return port
