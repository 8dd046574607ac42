"""Suppliers for the tests of the sandbox, each on a store of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sandbox_kit import Reseller

from integrations.sandbox import app, sockets
from integrations.sandbox.app import Supplier
from integrations.sandbox.store import Store

ROOT = Path(__file__).parents[3]
Make = Callable[..., Supplier]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Build suppliers: `make("published", dedupe=False, wallet_pesewas=900)`."""
    made: list[Supplier] = []

    def build(
        profile: str = "documented", *, wallet_pesewas: int = 500_000, **knobs: Any
    ) -> Supplier:
        store = Store(
            tmp_path / f"supplier-{len(made)}.db", wallet_pesewas=wallet_pesewas
        )
        made.append(app.create_sandbox(store, profile, **knobs))
        return made[-1]

    yield build
    for supplier in made:
        supplier.sandbox.webhooks.drain()
        supplier.close()


@pytest.fixture
def supplier(make: Make) -> Supplier:
    return make()


@pytest.fixture
def ama(supplier: Supplier) -> Reseller:
    return Reseller(supplier)


@pytest.fixture
def live(supplier: Supplier) -> Iterator[tuple[str, int]]:
    """The supplier behind its own server with real sockets; the address."""
    server = sockets.Server(("127.0.0.1", 0), supplier, lambda line: None)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield "127.0.0.1", server.server_port
    supplier.sandbox.holds.stop()
    server.shutdown()
    server.server_close()
    thread.join(5)


class Program:
    """`serve.py` as a process. Stopped, and waited for, by the fixture."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.db = folder / "program.db"
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        argv = [
            sys.executable,
            "-m",
            "integrations.sandbox.serve",
            "--port",
            str(self.port),
            "--db",
            str(self.db),
        ]
        # Names no key of the person who runs the tests.
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SANDBOX_")
        }
        self.process = subprocess.Popen(
            [*argv, *flags],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ready" in line, line

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send the signal and return the exit code and what was logged."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=15)
        return self.process.returncode, output


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(*flags: str) -> Program:
        started.append(Program(tmp_path, *flags))
        started[-1].wait_ready()
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Wait for a condition, at most five seconds, and return what made it true."""

    def wait(condition: Callable[[], Any]) -> Any:
        end = time.monotonic() + 5
        while not (met := condition()):
            assert time.monotonic() < end, "it did not come true in five seconds"
            time.sleep(0.01)
        return met

    return wait
