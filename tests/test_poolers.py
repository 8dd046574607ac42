"""An address of the database that leads to a pooler is refused at start, by the real PgBouncer and
by what the wire says."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from core.base import config as settings
from core.base.config import Config
from core.base.db import db
from core.base.poolers import Pooled
from devkit import daemons

pytestmark = [pytest.mark.slow(seconds=0.3), pytest.mark.servers]

PROGRAM = shutil.which(
    "pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
)
ROOT = Path(__file__).resolve().parents[1]
SAID = (
    "{} leads to a connection pooler .* and not to PostgreSQL.* Give the address of PostgreSQL"
    " itself"
)
KEY_DATA = b"K\x00\x00\x00"


@pytest.fixture(autouse=True)
def _settings_stay(config: Config) -> Iterator[None]:
    yield
    settings.use(config)


@pytest.fixture
def pgbouncer(
    postgres: dict[str, str],
) -> Iterator[Callable[..., int]]:
    """Start the real one before the tests' database; its port."""
    if PROGRAM is None:
        pytest.skip(
            "NO PGBOUNCER HERE: ONLY THE WIRE OF A POOLER IS TRIED, NOT THE REAL ONE; apt install"
            " pgbouncer"
        )
    with ExitStack() as stack:

        def start(mode: str, *lines: str) -> int:
            # not in pytest's own folder, which each pytest that begins shuts to others
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            port = daemons.free_port()
            users = [urlsplit(postgres[name]) for name in ("app", "store")]
            (folder / "users").write_text(
                "".join(f'"{one.username}" "{one.password}"\n' for one in users)
            )
            words = [
                "[databases]", f"* = host=127.0.0.1 port={users[0].port}", "[pgbouncer]",
                "listen_addr = 127.0.0.1",
                f"listen_port = {port}", "unix_socket_dir =", "auth_type = scram-sha-256",
                f"auth_file = {folder}/users",
                f"pool_mode = {mode}", *lines,
            ]  # fmt: skip
            (folder / "ini").write_text("\n".join(words) + "\n")
            nobody = (
                {"user": "nobody", "group": "nogroup", "extra_groups": []}
                if os.geteuid() == 0
                else {}
            )
            folder.chmod(0o755)
            command = [PROGRAM, str(folder / "ini")]  # it refuses to run as root
            process = daemons.launch(
                command, folder / "log", None, signal.SIGTERM, nobody
            )
            stack.callback(lambda: daemons.end(process, signal.SIGTERM, signal.SIGKILL))
            daemons.await_ready(
                process, lambda: daemons.is_taken(port), "pgbouncer", folder / "log"
            )
            return port

        yield start


class Relay:
    """A proxy before PostgreSQL that passes on bytes, after `changing` those of the server."""

    def __init__(self, target: int, changing: Callable[[bytes], bytes]) -> None:
        self._target, self._changing = target, changing
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open += [client, server]
            for source, sink, change in (
                (client, server, bytes),
                (server, client, self._changing),
            ):
                threading.Thread(
                    target=self._carry, args=(source, sink, change), daemon=True
                ).start()

    def _carry(
        self,
        source: socket.socket,
        sink: socket.socket,
        change: Callable[[bytes], bytes],
    ) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(change(data))
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        for one in self._open:
            one.close()


def of_its_own_making(data: bytes) -> bytes:
    """The server's number in BackendKeyData becomes another, as a pooler's must be."""
    at = data.find(KEY_DATA)
    return data if at < 0 else data[: at + 5] + b"\x7f\xff\xff\xfe" + data[at + 9 :]


@pytest.fixture
def relay(postgres: dict[str, str]) -> Iterator[Callable[..., int]]:
    made: list[Relay] = []

    def start(changing: Callable[[bytes], bytes]) -> int:
        made.append(Relay(urlsplit(postgres["app"]).port or 0, changing))
        return made[-1].port

    yield start
    for one in made:
        one.close()


def through(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition(":")[0] + f":{port}").geturl()


def start(config: Config, **addresses: str) -> Any:
    from wsgi import create_app

    return create_app(replace(config, **addresses))


@pytest.mark.parametrize(
    "options",
    [(), ("ignore_startup_parameters = options",)],
    ids=["as shipped", "options let by"],
)
@pytest.mark.parametrize("mode", ["transaction", "session", "statement"])
def test_the_real_pgbouncer_is_refused_in_a_sentence(
    app: Flask,
    config: Config,
    pgbouncer: Callable[..., int],
    mode: str,
    options: tuple[str, ...],
) -> None:
    port = pgbouncer(mode, *options)
    with pytest.raises(Pooled, match=SAID.format("DATABASE_URL")):
        start(config, database_url=through(config.database_url, port))


def test_the_stores_address_is_looked_at_too(
    app: Flask, config: Config, pgbouncer: Callable[..., int]
) -> None:
    port = pgbouncer("transaction", "ignore_startup_parameters = options")
    with pytest.raises(Pooled, match=SAID.format("DATABASE_STORE_URL")):
        start(config, database_store_url=through(config.database_store_url, port))


@pytest.mark.parametrize("setting", ["database_url", "database_store_url"])
def test_a_number_that_is_not_the_server_s_is_refused(
    app: Flask, config: Config, relay: Callable[..., int], setting: str
) -> None:
    """Any other pooler, and where there is no PgBouncer to try with."""
    port = relay(of_its_own_making)
    with pytest.raises(Pooled, match=SAID.format(setting.upper())):
        start(config, **{setting: through(getattr(config, setting), port)})


def test_a_proxy_that_only_passes_bytes_on_is_none(
    app: Flask, config: Config, relay: Callable[..., int]
) -> None:
    port = relay(bytes)
    made = start(
        config,
        database_url=through(config.database_url, port),
        database_store_url=through(config.database_store_url, port),
    )
    assert made.name == "makola"


def test_every_command_of_ours_says_it_and_ends(
    app: Flask, config: Config, relay: Callable[..., int], tmp_path: Path
) -> None:
    port = relay(of_its_own_making)
    environ = {
        field.metadata["env"]: str(int(value) if isinstance(value, bool) else value)
        for field in Config.__dataclass_fields__.values()
        if "env" in field.metadata and (value := getattr(config, field.name)) != ""
    }
    environ |= {
        "PATH": os.defpath,
        "DATABASE_URL": through(config.database_url, port),
        "MAKOLA_INSTANCE": str(tmp_path),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "relay"],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (
        ran.returncode != 0
        and "DATABASE_URL leads to a connection pooler" in ran.stderr
    )


@pytest.mark.parametrize("setting", ["database_url", "database_store_url"])
def test_a_pooler_put_in_after_the_start_is_not_used(
    app: Flask,
    config: Config,
    relay: Callable[..., int],
    setting: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Processes that run would connect anew through it: they say so, and go on when it is gone."""
    is_there = False
    port = relay(lambda data: of_its_own_making(data) if is_there else data)
    made = start(config, **{setting: through(getattr(config, setting), port)})
    engine = None if setting == "database_url" else "store"

    def shop() -> tuple[int, str]:
        with made.app_context():
            db.engines[engine].dispose()
            try:
                with db.engines[engine].connect() as connection:
                    connection.execute(text("SELECT 1"))
                said = ""
            except OperationalError as error:
                said = str(error.orig)
        return made.test_client().get(
            "/", base_url="http://ama.localhost"
        ).status_code, said

    assert shop() == (200, "")
    is_there = True
    status, said = shop()
    assert (
        "leads to a connection pooler now" in said
        and "Give the address of PostgreSQL itself" in said
    )
    assert status == (503 if setting == "database_store_url" else 200)
    is_there = False
    assert shop() == (200, "")
    with made.app_context():
        for one in db.engines.values():
            one.dispose()
