"""The private PostgreSQL that `up` and the tests run, from a wheel, on 127.0.0.1 only.

Decides how it is started, secured and stopped. Leaves to `postgres_home` where its files live and
as whom it runs, to `databases` which roles a Makola database has, and to `processes` when a server
that died is started again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

import supervision
from devkit import daemons, databases, postgres_home, process_tree
from devkit.daemons import Output, ServerError


@dataclass
class Postgres:
    """A PostgreSQL of ours. `start` may be called again after it died: same port, same data."""

    folder: Path
    home: postgres_home.Home
    port: int
    password: str
    fsync: bool
    output: Output = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        return daemons.pid(self.process)

    @property
    def superuser_url(self) -> str:
        return databases.url("postgres", self.password, self.port, "postgres")

    def start(self) -> None:
        """Start the server on its data and wait until it answers. Raises `ServerError`."""
        _clear_stale_lock(self.home.data / "postmaster.pid")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "random_page_cost": "1.1",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "",
            "log_checkpoints": "off",
        }
        if not self.fsync:
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                # a log-in of 4,096 rounds takes 4 ms of each side's processor
                "scram_iterations": "1",
            }
        command = [str(self.home.programs / "postgres"), "-D", str(self.home.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.process = daemons.launch(
            command,
            self.folder / "server.log",
            self.output,
            signal.SIGINT,
            self.home.as_account(),
        )
        daemons.await_ready(
            self.process, self._check, "PostgreSQL", self.folder / "server.log"
        )

    def stop(self) -> None:
        """Stop the server, gently first. What a server without fsync kept outside its folder is
        deleted."""
        daemons.end(self.process, signal.SIGINT, signal.SIGQUIT)
        if not self.fsync:
            postgres_home.forget_outside(self.folder)

    def _check(self) -> bool:
        try:
            with psycopg.connect(self.superuser_url, connect_timeout=5) as connection:
                version = connection.info.server_version
        except psycopg.OperationalError as error:
            if "authentication failed" in str(error):
                raise ServerError(
                    f"The data in {self.home.data} belong to another password than"
                    f" {self.folder}/server.json: bring that file back, or start over with --reset."
                ) from error
            return False
        if version < 180_000:
            raise ServerError(
                f"PostgreSQL {version // 10_000} came with the packages, but Makola needs 18."
            )
        return True


def start_postgres(
    folder: Path, *, fsync: bool = True, output: Output = None
) -> Postgres:
    """Start the PostgreSQL whose data belong to `folder`, making both on first use.

    The port and the superuser's password stay the same between starts, the port as long as it is
    free. With `fsync=False` the data are thrown away: faster, for tests only. `output` takes the
    server's log; without it the log goes to `folder/server.log`. Ends with the thread that started
    it. Raises `ServerError`.
    """
    folder = Path(folder).resolve()
    daemons.make_folder(folder, 0o711 if os.geteuid() == 0 else 0o700)
    known = daemons.recall(folder)
    home = postgres_home.settle(folder, throwaway=not fsync)
    password = known.get("password") or secrets.token_urlsafe(24)
    for attempt in range(3):
        port = daemons.free_port(known.get("port"))
        daemons.remember(folder, password, port)
        server = Postgres(folder, home, port, password, fsync, output)
        if not home.data.exists():
            _initdb(server)
        try:
            server.start()
            return server
        except ServerError:
            # only a port lost between choosing and binding is worth another try
            if attempt == 2 or not daemons.is_taken(port):
                raise
            known = {}
    raise AssertionError("unreachable: the third attempt returns or raises")


def _initdb(server: Postgres) -> None:
    """Create the data folder. The superuser's password goes by a file only the account can read,
    never by argv."""
    home = server.home
    fresh = home.root / "data.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    home.give(fresh)
    note = home.root / "initdb.password"
    note.unlink(missing_ok=True)
    with os.fdopen(
        os.open(note, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w"
    ) as file:
        file.write(server.password)
    home.give(note)
    command = [
        str(home.programs / "initdb"),
        "-D",
        str(fresh),
        "--username=postgres",
        f"--pwfile={note}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]
    try:
        done = subprocess.run(
            [*command, *([] if server.fsync else ["--no-sync"])],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **home.as_account(),
        )
    finally:
        note.unlink(missing_ok=True)
    if done.returncode != 0:
        raise ServerError(
            f"PostgreSQL could not create its files in {home.data}:"
            f" {daemons.last_line(done.stderr)}"
        )
    # only now: files cut short by a kill are never taken for a database
    fresh.rename(home.data)


def _clear_stale_lock(lock: Path) -> None:
    """Deal with what a hard stop left: end a server of ours that still runs there, and do not let
    another process that got the old server's number pass for it (usual in containers, where numbers
    are small)."""
    try:
        lines = lock.read_text(encoding="utf-8").splitlines()
        old = int(lines[0])
    except (OSError, ValueError, IndexError):
        return
    if not process_tree.is_alive(old):
        return
    told = process_tree.command_line(old)
    if "postgres" in told and str(lock.parent) in told:
        for signum in (signal.SIGINT, signal.SIGQUIT):
            supervision.send(old, signum)
            daemons.until(lambda: not process_tree.is_alive(old), daemons.STOP_WAIT_S)
    else:
        # PostgreSQL ignores its parent's number in this file, and still checks the shared memory
        # named further down.
        lock.write_text(
            "\n".join([str(os.getpid()), *lines[1:]]) + "\n", encoding="utf-8"
        )
