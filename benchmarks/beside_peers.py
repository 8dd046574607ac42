"""A shop's front page beside the same page of four usual frameworks: processor time, in H.

    python -m venv PEERS && PEERS/bin/pip install -r benchmarks/peers/requirements.txt
    npm install --prefix PEERS/js --package-lock=false $(node -p 'Object.entries(require("./benchmarks/peers/package.json").dependencies).map(one => one.join("@")).join(" ")')
    .venv/bin/python -m benchmarks.beside_peers --python PEERS/bin/python --node-modules PEERS/js/node_modules

Each peer serves fifty shops of fifteen bundles from a private PostgreSQL with one process, each in
its usual way (`benchmarks/peers`); what is not installed is left out and named. H is an empty Flask
view under gunicorn's threads. All are asked in turns over one connection; the median of the rounds
counts. Ours is asked as it is, and with its stored page passed by.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.pages import ASK, EMPTY
from benchmarks.side_by_side import GTHREAD, cpu_s, served, server
from devkit import daemons, servers
from tests.proofs import ROOT
from tests.proofs.stage import Stage

PEERS = Path(__file__).parent / "peers"
SHOPS = 50
CHEAP = 20
"""What takes a hundredth of the others is asked so often as often: the kernel counts processor time
in hundredths of a second."""


@dataclass
class Asked:
    """One way to serve the page. `us` gets a figure a round, its database's in `postgres_us`."""

    name: str
    address: str
    pid: int
    database_pid: int
    headers: Sequence[Mapping[str, str]]
    """One for each shop; they take turns."""
    status: int = 200
    times: int = 1
    us: list[float] = field(default_factory=list)
    postgres_us: list[float] = field(default_factory=list)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.beside_peers",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=300, help="of each round")
    parser.add_argument("--python", type=Path, help="of the peers' environment")
    parser.add_argument("--node-modules", type=Path, help="with express, ejs and pg")
    options = parser.parse_args()
    with ExitStack() as running:
        asked = [*_ours(running), *_peers(running, options)]
        for number in range(options.rounds + 1):
            for one in asked:
                _measure(one, number, options.requests)
    _print(asked)
    return 0


def _ours(running: ExitStack) -> Iterator[Asked]:
    address, pid = running.enter_context(server(GTHREAD, EMPTY))
    yield Asked("empty Flask view, gthread (H)", address, pid, pid, [{}], 204)
    stage = running.enter_context(Stage(workers=1, web_workers=1))
    facts = stage.running.facts
    hosts = [
        {"Host": urlsplit(facts["store_urls"][name]).netloc} for name in ("ama", "kofi")
    ]
    web, database = stage.pids("web")[0], stage.pids("postgres")[0]
    yield Asked("Makola", facts["web_address"], web, database, hosts, times=CHEAP)
    passed_by = [host | ASK for host in hosts]
    yield Asked(
        "Makola, nothing stored", facts["web_address"], web, database, passed_by
    )


def _peers(running: ExitStack, options: argparse.Namespace) -> Iterator[Asked]:
    folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
    folder.chmod(0o755)  # root's PostgreSQL runs as nobody, who must walk through
    database = servers.start_postgres(folder / "postgres")
    running.callback(database.stop)
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute((PEERS / "shop.sql").read_text(encoding="utf-8"))
    hosts = [{"Host": f"s{number}.localhost"} for number in range(1, SHOPS + 1)]
    for name, words in _commands(options):
        env = os.environ | {
            "PEER_DATABASE_URL": database.superuser_url,
            "NODE_PATH": str(options.node_modules or ""),
            "NODE_ENV": "production",
            "PYTHONPATH": str(ROOT),
        }
        port = daemons.free_port()
        command = [word.replace("PORT", str(port)) for word in words]
        address, pid = running.enter_context(served(command, port, _answers, env))
        assert database.pid is not None
        yield Asked(name, address, pid, database.pid, hosts)


def _commands(options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    python, modules = options.python, options.node_modules
    if python is None or not python.exists():
        print("left out, no --python: Django, FastAPI, Litestar", file=sys.stderr)
    else:
        gthread = [*GTHREAD, "--bind", "127.0.0.1:PORT"]
        run = [str(python), "-m"]
        uvicorn = [*run, "uvicorn", "--port", "PORT", "--log-level", "warning"]
        yield (
            "Django, gthread, ORM",
            [*run, *gthread, "benchmarks.peers.django_shop:application"],
        )
        yield "FastAPI, uvicorn, ORM", [*uvicorn, "benchmarks.peers.fastapi_shop:app"]
        yield "Litestar, uvicorn, ORM", [*uvicorn, "benchmarks.peers.litestar_shop:app"]
    if modules is None or not modules.exists():
        print("left out, no --node-modules: Express", file=sys.stderr)
    else:
        yield "Express, prepared SQL", ["node", str(PEERS / "express_shop.js"), "PORT"]


def _answers(port: int) -> bool:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        line.request("GET", "/", headers={"Host": "s1.localhost"})
        return line.getresponse().status == 200
    except OSError:
        return False
    finally:
        line.close()


def _measure(one: Asked, number: int, requests: int) -> None:
    many = requests * one.times
    line = http.client.HTTPConnection(one.address, timeout=30)
    web_s, postgres_s = cpu_s(one.pid), cpu_s(one.database_pid)
    for asked in range(many):
        line.request("GET", "/", headers=dict(one.headers[asked % len(one.headers)]))
        answer = line.getresponse()
        said = answer.read()
        if answer.status != one.status:
            raise RuntimeError(f"{one.name}: {answer.status}, {said[:300]!r}")
    line.close()
    if number:
        one.us.append((cpu_s(one.pid) - web_s) / many * 1e6)
        one.postgres_us.append((cpu_s(one.database_pid) - postgres_s) / many * 1e6)


def _print(asked: Sequence[Asked]) -> None:
    h_us, ours_us = (statistics.median(one.us) for one in asked[:2])
    print(
        "| page | µs | PostgreSQL µs | in H | times ours |\n| --- | --- | --- | --- | --- |"
    )
    for one in asked:
        us = statistics.median(one.us)
        postgres = statistics.median(one.postgres_us) if one is not asked[0] else 0
        print(
            f"| {one.name} | {us:.0f} | {postgres:.0f} | {us / h_us:.2f} | {us / ours_us:.0f} |"
        )


if __name__ == "__main__":
    sys.exit(main())
