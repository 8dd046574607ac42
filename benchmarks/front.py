"""What a front costs: processor time for an empty view and for a stored page, in H.

    .venv/bin/python -m benchmarks.front --rounds 3 --seconds 3

H is the processor time of an empty Flask view under gunicorn's threads in the same run. Each
server, with the proxy before it, runs alone on one core and wrk on another; they take turns, round
by round. What is not installed is left out and named: `pip install uvicorn uvloop waitress`, nginx
and Caddy from the system.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.side_by_side import GRANIAN, GTHREAD, READY_S, answers, cpu_s
from devkit import daemons
from tests.proofs import ROOT

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 8
NGINX = """daemon off; pid {folder}/pid; error_log stderr; {user} worker_processes 1; events {{}}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; upstream app {{ server 127.0.0.1:{behind}; keepalive 32; }}
server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://app; proxy_http_version 1.1;
proxy_set_header Connection ""; proxy_set_header Host $host; }} }} }}
"""
CADDY = (
    "{{\n\tadmin off\n\tauto_https off\n}}\nhttp://127.0.0.1:{port} {{\n\treverse_proxy"
    " 127.0.0.1:{behind}\n}}\n"
)


@dataclass
class Contender:
    """A way to serve. `commands` are its processes for a port; `needs` what must be installed;
    `stores`: has /stored."""

    name: str
    commands: Callable[[int, Path], list[list[str]]]
    needs: str
    stores: bool = False
    cpu_us: dict[str, list[float]] = field(
        default_factory=lambda: {"/": [], "/stored": []}
    )

    def is_here(self) -> bool:
        return (
            importlib.util.find_spec(self.needs) is not None
            or shutil.which(self.needs) is not None
        )


def python(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def behind(
    proxy: Callable[[int, int, Path], list[str]],
) -> Callable[[int, Path], list[list[str]]]:
    """The proxy on the port asked for, granian's WSGI behind it."""

    def commands(port: int, folder: Path) -> list[list[str]]:
        inner = daemons.free_port()
        granian = python(*GRANIAN, "--port", str(inner), "benchmarks.hello:create_app")
        return [granian, proxy(port, inner, folder)]

    return commands


def nginx(port: int, inner: int, folder: Path) -> list[str]:
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        NGINX.format(folder=folder, port=port, behind=inner, user=user)
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(port: int, inner: int, folder: Path) -> list[str]:
    (folder / "Caddyfile").write_text(CADDY.format(port=port, behind=inner))
    return [
        "caddy",
        "run",
        "--config",
        str(folder / "Caddyfile"),
        "--adapter",
        "caddyfile",
    ]


def one(*words: str) -> Callable[[int, Path], list[list[str]]]:
    """A single process; PORT stands for its port."""
    return lambda port, _folder: [
        python(*(word.replace("PORT", str(port)) for word in words))
    ]


CONTENDERS = [
    Contender("gunicorn gthread (H)", one(*GTHREAD, "--bind", "127.0.0.1:PORT",
    "benchmarks.hello:create_app()"), "gunicorn"),
    Contender("granian WSGI, as before", one(*GRANIAN, "--port", "PORT",
    "benchmarks.hello:create_app"), "granian"),
    Contender("our server", one("benchmarks.thin", "PORT"), "httptools", stores=True),
    Contender("our server on uvloop", one("benchmarks.thin", "PORT", "uvloop"), "uvloop",
    stores=True),
    Contender(
        "granian RSGI, thin front",
        one("granian", "--interface", "rsgi", "--no-ws", "--http", "1", "--port", "PORT",
        "benchmarks.thin:rsgi"),
        "granian",
        stores=True,
    ),
    Contender(
        "uvicorn, thin front",
        one("uvicorn", "--http", "httptools", "--no-access-log", "--log-level", "warning",
        "--port", "PORT",
            "benchmarks.thin:asgi"),
        "uvicorn",
        stores=True,
    ),
    Contender(
        "gunicorn asgi, thin front",
        one("gunicorn", "-k", "asgi", "--no-control-socket", "--log-level", "warning", "-b",
        "127.0.0.1:PORT",
            "benchmarks.thin:asgi"),
        "gunicorn",
        stores=True,
    ),
    Contender("waitress", one("waitress", "--threads", "4", "--listen", "127.0.0.1:PORT", "--call",
                              "benchmarks.hello:create_app"), "waitress"),
    Contender("nginx, granian WSGI behind", behind(nginx), "nginx"),
    Contender("Caddy, granian WSGI behind", behind(caddy), "caddy"),
]  # fmt: skip


@contextmanager
def running(contender: Contender) -> Iterator[tuple[int, list[int]]]:
    """Its port and processes, all on one core."""
    port = daemons.free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        processes = []
        for command in contender.commands(port, folder):
            process = subprocess.Popen(
                ["taskset", "-c", str(SERVER_CORE), *command],
                cwd=ROOT,
                env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait, READY_S)
            stack.callback(process.terminate)
            processes.append(process.pid)
        if not daemons.until(lambda: answers(port), READY_S):
            raise RuntimeError(f"{contender.name} did not get ready")
        yield port, processes


def load(port: int, path: str, seconds: float) -> int:
    """Requests that were answered."""
    wrk = [
        "taskset",
        "-c",
        str(LOAD_CORE),
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds:g}s",
    ]
    told = subprocess.run(
        [*wrk, f"http://127.0.0.1:{port}{path}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"port {port} {path}: {told}")
    found = re.search(r"(\d+) requests in", told)
    assert found, told
    return int(found[1])


def measure(contender: Contender, seconds: float) -> None:
    with running(contender) as (port, pids):
        load(port, "/", 1)
        for path in ("/", "/stored") if contender.stores else ("/",):
            before = sum(map(cpu_s, pids))
            count = load(port, path, seconds)
            contender.cpu_us[path].append(
                (sum(map(cpu_s, pids)) - before) / count * 1e6
            )


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.front",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    asked = parser.parse_args()
    here = [contender for contender in CONTENDERS if contender.is_here()]
    for contender in CONTENDERS:
        if contender not in here:
            print(
                f"left out: {contender.name}, for want of {contender.needs}", flush=True
            )
    for _ in range(asked.rounds):
        for contender in here:
            measure(contender, asked.seconds)
    h_us = statistics.median(here[0].cpu_us["/"])
    base = next(
        statistics.median(one.cpu_us["/"])
        for one in here
        if one.name.startswith("granian WSGI")
    )
    print(
        f"H = {h_us:.0f} µs\n\n| server | empty view µs | in H | against granian WSGI | stored page"
        " µs | in H |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for contender in here:
        view = statistics.median(contender.cpu_us["/"])
        line = f"| {contender.name} | {view:.0f} | {view / h_us:.2f} | {(view - base) / h_us:+.2f} H |"
        if contender.stores:
            stored = statistics.median(contender.cpu_us["/stored"])
            line += f" {stored:.0f} | {stored / h_us:.2f} |"
        else:
            line += " – | – |"
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
