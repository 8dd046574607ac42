"""The children of `up`: started, heard, restarted when they die, ended together.

Decides when a child is started again and how all are stopped within ten seconds. Leaves to `up`
what the children are. One thread and one loop: nothing here waits without listening to the children
and to the front's pipe.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import supervision
from devkit import process_tree
from devkit.console import Console
from devkit.daemons import ServerError
from devkit.heartbeat_socket import Beats
from devkit.strays import Strays

# stop within ten seconds in all: programs, then servers, then whatever is left
STOP_APPS_S = 4.0
STOP_SERVERS_S = 3.5
_TICK_S = 0.2
_RESTART_S = (1.0, 1.0, 2.0, 4.0, 8.0, 15.0)
SILENT_S = 10.0
"""A child that tells that it lives, and then does not for so long, is killed and started again."""
_STEADY_S = 30.0  # a child that lived this long has no history of deaths
_LINE_BYTES = 16 * 1024

Launch = Callable[[int], subprocess.Popen[bytes]]


class Stopping(Exception):
    """Somebody asked to stop: the front's pipe closed, or a TERM came."""


@dataclass
class Child:
    """One process we keep running. `launch(fd)` starts it with its output going to `fd`."""

    name: str
    launch: Launch
    stop_signal: int
    is_server: bool
    backoff: supervision.Backoff
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float | None = None
    beats: Beats | None = None  # it tells that it lives; when it is silent it is killed
    held: bool = False  # kept down on purpose, until somebody lets it start again

    @property
    def pid(self) -> int | None:
        """The process, or None while it is down."""
        if self.process is None or self.process.poll() is not None:
            return None
        return self.process.pid


class Family:
    """All children of one `up`."""

    def __init__(
        self, console: Console, front: int, restart_s: Sequence[float] = _RESTART_S
    ) -> None:
        self._console = console
        self._restart_s = restart_s
        self._children: list[Child] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(front, selectors.EVENT_READ, self._hear_front)
        self._stopping = False
        self._commands: set[int] = set()
        self._strays = Strays()
        process_tree.adopt_orphans()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._ask_to_stop())

    def start(
        self,
        name: str,
        launch: Launch,
        *,
        stop_signal: int = signal.SIGTERM,
        is_server: bool = False,
        beats: Beats | None = None,
    ) -> Child:
        """Start a child and keep it running. Raises what `launch` raises."""
        backoff = supervision.Backoff(self._restart_s, _STEADY_S)
        child = Child(name, launch, stop_signal, is_server, backoff, beats=beats)
        self._children.append(child)
        self._launch(child)
        return child

    def run(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], wait_s: float
    ) -> int:
        """Run a command to its end, its lines shown. Returns its exit status; raises `Stopping`."""
        process = self._heard(name, lambda out: spawn(argv, env, out))
        self._commands.add(process.pid)
        try:
            done = self.wait_for(lambda: process.poll() is not None, wait_s)
        finally:
            if process.poll() is None:
                process_tree.send_group(process.pid, signal.SIGKILL)
                process.wait()
            self._commands.discard(process.pid)
        if not done:
            self._console.say(f"{name} took longer than {wait_s:.0f} s and was ended")
        return process.returncode

    def wait_for(self, condition: Callable[[], bool], wait_s: float) -> bool:
        """Listen to the children until `condition()` or `wait_s` passed; says which. Raises
        `Stopping`."""
        deadline = time.monotonic() + wait_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.listen()
        return True

    def listen(self) -> None:
        """One round: hear lines, start what died, end strays. At most a tick long. Raises
        `Stopping`."""
        self._hear()
        if self._stopping:
            raise Stopping
        self._care()

    def stop(self) -> None:
        """End everything, programs before the servers they use. Never raises, never asks twice."""
        self._stopping = True
        apps = [child for child in self._children if not child.is_server]
        servers = [child for child in self._children if child.is_server]
        for group, wait_s in ((apps, STOP_APPS_S), (servers, STOP_SERVERS_S)):
            running = [
                child.process
                for child in group
                if child.process and child.process.poll() is None
            ]
            for child in group:
                if child.process in running:
                    supervision.send(child.process.pid, child.stop_signal)
            self._hear_until(partial(_have_ended, running), wait_s)
            for child in group:
                # its group too: workers that did not follow their parent
                if child.process in running:
                    process_tree.send_group(
                        child.process.pid,
                        signal.SIGQUIT if child.is_server else signal.SIGKILL,
                    )
        self._hear_until(lambda: not process_tree.descendants(os.getpid()), 1.0)
        for pid in process_tree.descendants(os.getpid()):
            supervision.send(pid, signal.SIGKILL)
        self._hear_until(self._strays.all_collected, 1.0)

    def _launch(self, child: Child) -> None:
        child.start_at = None
        child.started_at = time.monotonic()
        if child.beats is not None:
            child.beats.begin()
        child.process = self._heard(child.name, child.launch)

    def _heard(self, name: str, launch: Launch) -> subprocess.Popen[bytes]:
        """Launch something and listen to its output."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        held = bytearray()
        self._selector.register(
            reading, selectors.EVENT_READ, lambda fd: self._hear_child(fd, name, held)
        )
        try:
            return launch(writing)
        finally:
            os.close(writing)

    def _hear(self, wait_s: float = _TICK_S) -> None:
        for key, _ in self._selector.select(wait_s):
            key.data(key.fd)
        self._console.flush()

    def _hear_until(self, condition: Callable[[], bool], wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while not condition() and time.monotonic() < deadline:
            self._hear(0.05)
        self._hear(0)

    def _hear_front(self, fd: int) -> None:
        # its end came: the front is gone or told us to stop
        self._selector.unregister(fd)
        self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        self._stopping = True

    def _hear_child(self, fd: int, name: str, held: bytearray) -> None:
        try:
            data = os.read(fd, 65_536)
        except BlockingIOError:
            return
        held += data
        *lines, rest = bytes(held).split(b"\n") if data else (bytes(held), b"")
        if len(rest) > _LINE_BYTES:
            lines = [*lines, rest]
            rest = b""
        held[:] = rest
        for line in lines:
            if text := line.decode(errors="replace").rstrip():
                self._console.line(name, text)
        if not data:
            self._selector.unregister(fd)
            os.close(fd)

    def _care(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.held:
                self._care_for(child, now)
        known = {child.process.pid for child in self._children if child.process}
        self._strays.end(known | self._commands, now)

    def _care_for(self, child: Child, now: float) -> None:
        """Start it again when that is due, see that it ended, end it when it is silent."""
        if child.start_at is not None and now >= child.start_at:
            try:
                self._launch(child)
            except (ServerError, OSError) as error:
                self._console.say(f"{child.name}: {error}")
        process = child.process
        if process is None:
            return
        if child.start_at is None and process.poll() is not None:
            wait_s = child.backoff.after(now - child.started_at)
            child.start_at = now + wait_s
            # workers that lost their parent hold its port
            process_tree.send_group(process.pid, signal.SIGKILL)
            self._console.say(
                f"{child.name} ended {_how(process.returncode)}; starting it again in"
                f" {wait_s:g} s"
            )
        if child.beats and child.pid and child.beats.silent_s() > SILENT_S:
            self._console.say(f"{child.name} was silent for {SILENT_S:g} s; killing it")
            process_tree.send_group(process.pid, signal.SIGKILL)
            child.beats.begin()


def spawn(
    argv: Sequence[str], env: Mapping[str, str], out: int, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, tied to this process, its output going to `out`."""
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
        preexec_fn=supervision.die_with_parent(signal.SIGTERM),  # noqa: PLW1509 this process has one thread
    )


def python(*words: str) -> list[str]:
    """A command line of the Python that runs us. `-m` works where a script's first line would be
    too long."""
    return [sys.executable, *words]


def _have_ended(running: Sequence[subprocess.Popen[bytes]]) -> bool:
    return all(process.poll() is not None for process in running)


def _how(returncode: int) -> str:
    if returncode >= 0:
        return f"with status {returncode}"
    return f"by {signal.Signals(-returncode).name}"
