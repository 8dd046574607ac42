"""Who is whose child, so that nothing outlives `dev.py`.

Decides where orphans go and how descendants are found. Leaves to `processes` what to do with them,
and to `supervision` the tie of a child to its parent.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from supervision import prctl

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the new parent of grandchildren whose own parent dies, so that it can end
    them."""
    if prctl is not None:
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_alive(pid: int) -> bool:
    """Whether `pid` runs. A zombie (ended, not yet collected by its parent) counts as dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(pid) != "Z"


def command_line(pid: int) -> str:
    """What `pid` was started as; empty when it is gone."""
    if sys.platform == "linux":  # slim images have no ps
        try:
            with open(
                f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace"
            ) as file:
                return file.read().replace("\0", " ").strip()
        except OSError:
            return ""
    else:
        listing = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(pid)],  # noqa: S607 ps is on PATH on every Unix
            capture_output=True,
            text=True,
            check=False,
        )
        return listing.stdout.strip()


def family_tree() -> dict[int, list[int]]:
    """Every process of the machine by its parent: parent pid → child pids in rising order."""
    tree: dict[int, list[int]] = {}
    if sys.platform == "linux":
        pairs = [
            (_stat(int(name)), int(name))
            for name in os.listdir("/proc")
            if name.isdigit()
        ]
        rows = [(int(stat[1]), pid) for stat, pid in pairs if stat and stat[0] != "Z"]
    else:
        listing = subprocess.run(
            ["ps", "-A", "-o", "ppid=,pid="],  # noqa: S607 ps is on PATH on every Unix
            capture_output=True,
            text=True,
            check=False,
        )
        rows = [
            (int(ppid), int(pid))
            for ppid, pid in (line.split() for line in listing.stdout.splitlines())
        ]
    for parent, pid in sorted(rows):
        tree.setdefault(parent, []).append(pid)
    return tree


def children(pid: int) -> list[int]:
    """Direct children of `pid`, those that ended but were not collected yet included where the
    kernel lists them."""
    try:
        found: list[int] = []
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
        return sorted(found)
    except OSError:  # no such list on macOS and some kernels
        return family_tree().get(pid, [])


def descendants(pid: int, tree: dict[int, list[int]] | None = None) -> list[int]:
    """Children of `pid`, their children, and so on."""
    tree = family_tree() if tree is None else tree
    found: list[int] = []
    waiting = list(tree.get(pid, ()))
    while waiting:
        child = waiting.pop(0)
        found.append(child)
        waiting += tree.get(child, ())
    return found


def send_group(pgid: int, signum: int = signal.SIGKILL) -> None:
    """Send a signal to a whole process group; an empty group is fine."""
    try:
        os.killpg(pgid, signum)
    # macOS answers EPERM for a group of zombies
    except (ProcessLookupError, PermissionError):
        pass


def _stat(pid: int) -> list[str]:
    """State, parent and the rest of /proc/<pid>/stat; empty when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # the name before it may hold spaces and brackets
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _state(pid: int) -> str:
    return (_stat(pid) or [""])[0]
