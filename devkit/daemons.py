"""How one private server is launched, awaited and ended, and what its folder remembers between
runs.

Decides ports, logs and how long to wait. Leaves to `servers` what is launched, and to
`process_tree` the tie to the starter.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypedDict

import supervision

START_WAIT_S = 60  # a recovery after a hard stop included
STOP_WAIT_S = 8
_FIRST_PORT, _PORTS = 20_000, 12_000
"""Below those that Linux gives to connections that go out (32768 and up)."""

Output = int | IO[bytes] | None


class Place(TypedDict, total=False):
    """Arguments for `subprocess`: where a program runs, and as whom."""

    cwd: Path
    env: dict[str, str]
    user: str | int
    group: str | int
    extra_groups: list[str | int]


class Known(TypedDict, total=False):
    """What the folder of a server remembers between runs."""

    password: str
    port: int


class ServerError(Exception):
    """A private server cannot be prepared or started; the message is one sentence with the fix."""


def free_port(preferred: int | None = None) -> int:
    """`preferred` if nobody listens there on 127.0.0.1, else a port that is free now, and that no
    connection is given which goes out before somebody listens there."""
    if preferred and not is_taken(preferred):
        return preferred
    while is_taken(port := _FIRST_PORT + secrets.randbelow(_PORTS)):
        pass
    return port


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        # closed connections still waiting are no hindrance
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def launch(
    command: list[str],
    log: Path,
    output: Output,
    signum: int,
    place: Place,
    stdin: str | None = None,
) -> subprocess.Popen[bytes]:
    opened = None
    if output is None:
        opened = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=output if opened is None else opened,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=supervision.die_with_parent(signum),  # noqa: PLW1509 it makes two system calls and nothing else
            **place,
        )
    finally:
        if opened is not None:
            os.close(opened)
    if stdin and process.stdin is not None:
        process.stdin.write(stdin.encode())
        process.stdin.close()
    return process


def await_ready(
    process: subprocess.Popen[bytes], check: Callable[[], bool], name: str, log: Path
) -> None:
    """Wait until `check` is true; otherwise end the process and raise `ServerError`, as when
    `check` raises it."""
    try:
        if (
            until(lambda: process.poll() is not None or check(), START_WAIT_S)
            and process.poll() is None
        ):
            return
        if log.exists():
            ending = last_line(log.read_text(errors="replace"))
        else:
            ending = "see its lines above"
        raise ServerError(f"{name} did not start: {ending}")
    except ServerError:
        end(process, signal.SIGTERM, signal.SIGKILL)
        raise


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def end(
    process: subprocess.Popen[bytes] | None,
    gentle: int,
    hard: int,
    wait_s: float = STOP_WAIT_S,
) -> None:
    if process is None:
        return
    for signum, patience_s in ((gentle, wait_s), (hard, 3), (signal.SIGKILL, 3)):
        if process.poll() is not None:
            return
        process.send_signal(signum)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue


def make_folder(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    except OSError as error:
        raise ServerError(
            f"Makola cannot write to {folder} ({error.strerror}): make that folder yours."
        ) from error


def recall(folder: Path) -> Known:
    try:
        known: Known = json.loads((folder / "server.json").read_text(encoding="utf-8"))
        return known
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ServerError(
            f"{folder / 'server.json'} cannot be read ({error}): run as its owner, or with --reset."
        ) from error


def remember(folder: Path, password: str, port: int) -> None:
    half = folder / "server.json.new"
    half.unlink(missing_ok=True)
    with os.fdopen(
        os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w"
    ) as file:
        json.dump({"password": password, "port": port}, file)
    half.rename(folder / "server.json")


def pid(process: subprocess.Popen[bytes] | None) -> int:
    if process is None:
        raise RuntimeError("this server was not started")
    return process.pid


def last_line(text: str) -> str:
    return (
        [line.strip() for line in text.splitlines() if line.strip()]
        or ["no reason given"]
    )[-1]
