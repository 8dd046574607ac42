"""The main process: opens the socket, keeps the web processes alive, and kills one that no longer
answers.

All take connections from one queue in the kernel, so a frozen process keeps only those it has
already taken. Each beats on a pipe of its own, from its loop, since over a shared socket nobody can
be asked by name.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass

import structlog

import http_server
import supervision
from http_server import Rules, WsgiApp, worker

log = structlog.get_logger("http_server")

ROUND_S = 0.25
RESTART_S = (0.0, 0.5, 1.0, 2.0, 5.0)
TELL_S = 1.0
STEADY_S = 10
"""A process that lived so long is not in a crash loop: its next restart is immediate."""


@dataclass
class Process:
    """One web process. `silent_s` counts only time in which the main process itself was awake."""

    pid: int
    beat_fd: int
    started: float
    silent_s: float = 0.0
    is_stuck: bool = False


class Master:
    """Runs in the main thread of a process without other threads: it forks."""

    def __init__(
        self,
        app: WsgiApp,
        rules: Rules,
        listener: socket.socket,
        workers: int,
        threads: int,
    ) -> None:
        self._app = app
        self._rules = rules
        self._listener = listener
        self._count = workers
        self._threads = threads
        self._spooled = max(1, rules.spooled_at_once // workers)
        self._processes: list[Process] = []
        self._selector = selectors.DefaultSelector()
        self._backoff = supervision.Backoff(RESTART_S, STEADY_S)
        self._not_before = 0.0
        self._is_stopping = False
        self._watched = Watched()

    def run(self) -> None:
        """Keep all alive until SIGTERM or SIGINT, then let them finish."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._ask_to_stop)
        while not self._is_stopping:
            self._collect()
            while (
                len(self._processes) < self._count
                and time.monotonic() >= self._not_before
            ):
                self._fork()
            self._hear(ROUND_S)
            self._kill_the_silent()
            self._watched.beat()
        self._listener.close()
        self._end()

    def _ask_to_stop(self, *_: object) -> None:
        self._is_stopping = True

    def _fork(self) -> None:
        tie = supervision.die_with_parent()
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                tie()
                self._become_worker(reading)
                worker.run(
                    self._app,
                    self._rules,
                    self._listener,
                    writing,
                    self._threads,
                    self._spooled,
                )
                status = 0
            except BaseException:
                log.exception("a web process failed")
            finally:
                os._exit(status)
        os.close(writing)
        os.set_blocking(reading, False)
        process = Process(pid, reading, time.monotonic())
        self._selector.register(reading, selectors.EVENT_READ, process)
        self._processes.append(process)
        log.info("web process started", pid=pid)

    def _become_worker(self, own_reading: int) -> None:
        self._selector.close()
        for fd in (own_reading, *(one.beat_fd for one in self._processes)):
            os.close(fd)
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, signal.SIG_DFL)

    def _hear(self, wait_s: float) -> None:
        began = time.monotonic()
        heard = self._selector.select(wait_s)
        for one in self._processes:
            one.silent_s += min(time.monotonic() - began, ROUND_S * 2)
        for key, _ in heard:
            said = os.read(key.fd, 4096)
            if said:
                key.data.silent_s = 0.0
                key.data.is_stuck = worker.STUCK in said
            else:
                time.sleep(
                    0.01
                    # its end of the pipe is closed: it is ending, and is collected in a moment
                )

    def _kill_the_silent(self) -> None:
        for one in self._processes:
            if one.silent_s <= http_server.SILENT_S and not one.is_stuck:
                continue
            if not one.is_stuck:
                why = f"silent for {http_server.SILENT_S} s"
            else:
                why = f"all threads stuck for {http_server.STUCK_S} s"
            log.error(
                "killing a web process",
                pid=one.pid,
                why=why,
            )
            supervision.send(one.pid, signal.SIGKILL)
            one.silent_s, one.is_stuck = 0.0, False  # it is collected in a moment

    def _collect(self) -> None:
        """Forget those that ended. One that ends again and again is started more slowly."""
        for one in list(self._processes):
            done, status = os.waitpid(one.pid, os.WNOHANG)
            if not done:
                continue
            self._processes.remove(one)
            self._selector.unregister(one.beat_fd)
            os.close(one.beat_fd)
            if self._is_stopping:
                continue
            now = time.monotonic()
            self._not_before = now + self._backoff.after(now - one.started)
            log.warning(
                "web process ended",
                pid=one.pid,
                status=os.waitstatus_to_exitcode(status),
            )

    def _end(self) -> None:
        deadline = time.monotonic() + http_server.STOP_S + 1
        while self._processes and time.monotonic() < deadline:
            for one in self._processes:
                # again and again: one that was just forked may not hear the first
                supervision.send(one.pid, signal.SIGTERM)
            self._collect()
            self._hear(0.05)
        for one in self._processes:
            supervision.send(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)


class Watched:
    """Tells whoever started us that the main process lives, as systemd asks: `WatchdogSec` in the
    unit, or `up`.

    Without a NOTIFY_SOCKET in the environment nobody is told.
    """

    def __init__(self) -> None:
        name = os.environ.pop("NOTIFY_SOCKET", "")
        self._to = "\0" + name[1:] if name.startswith("@") else name
        self._watchdog = (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if name else None
        )
        self._next = 0.0
        if self._watchdog is not None:
            self._watchdog.setblocking(False)

    def beat(self) -> None:
        """At most once a `TELL_S`."""
        if self._watchdog is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + TELL_S
        try:
            self._watchdog.sendto(b"WATCHDOG=1", self._to)
        except OSError:  # it does not listen just now
            pass


def serve(
    app: WsgiApp, rules: Rules, *, host: str, port: int, workers: int, threads: int
) -> None:
    """Serve `app` until SIGTERM. Raises `OSError` when the address cannot be taken."""
    _raise_file_limit()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server(
        (host, port), family=family, backlog=http_server.BACKLOG
    )
    log.info(
        "listening",
        host=host,
        port=listener.getsockname()[1],
        workers=workers,
        threads=threads,
    )
    Master(app, rules, listener, workers, threads).run()


def _raise_file_limit() -> None:
    """Room for every connection, and the program's own files. Fewer connections where the machine
    allows fewer."""
    wanted = http_server.CONNECTIONS + http_server.OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        allowed = wanted
    else:
        allowed = min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        http_server.CONNECTIONS = max(allowed - http_server.OWN_FILES, 100)
        log.warning(
            "few open files are allowed here", connections=http_server.CONNECTIONS
        )
