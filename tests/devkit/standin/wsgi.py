"""The smallest program that looks like Makola to `up`: migrations, seed, supervise and a health
page.

The tests of the development tools run it, so that they need nothing of the application and finish
in seconds.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import psycopg
from flask import Flask
from flask.cli import AppGroup

import http_server.cli


def create_app() -> Flask:
    """An app with `/healthz` and the commands that `up` calls."""
    if "DATABASE_ADMIN_URL" in os.environ and "db" not in sys.argv:
        raise RuntimeError(
            "the owner's address reached a program that does not migrate"
        )
    app = Flask(__name__)
    app.get("/healthz")(lambda: "ok")
    app.extensions["http_server"] = http_server.Rules(
        judge=lambda _head: http_server.Allowance(65_536),
        refusal=lambda refused: http_server.Ready(
            f"HTTP/1.1 {refused.status} No\r\nContent-Length: 0\r\n".encode(), b""
        ),
    )
    http_server.cli.register(app)
    group = AppGroup("db")
    group.command("upgrade")(upgrade)
    for command in (
        group,
        click.command("seed")(seed),
        click.command("supervise")(supervise),
    ):
        app.cli.add_command(command)
    return app


def upgrade() -> None:
    with psycopg.connect(
        os.environ["DATABASE_ADMIN_URL"], autocommit=True
    ) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS runs (said text)")
        connection.execute("GRANT SELECT, INSERT ON runs TO makola_platform")


@click.option("--demo", is_flag=True)
@click.option("--owner-only", is_flag=True)
@click.option("--passwords-file", type=click.Path(exists=True, path_type=Path))
def seed(demo: bool, owner_only: bool, passwords_file: Path) -> None:
    if os.environ.get("STANDIN_SEED_FAILS"):
        raise click.ClickException("the seed was told to fail")
    people = json.loads(passwords_file.read_text())
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        said = "demo" if demo else "owner only" if owner_only else "nothing"
        connection.execute(
            "INSERT INTO runs VALUES (%s)", (f"{said} {people['owner']['email']}",)
        )


@click.option("--pids-file", type=click.Path(path_type=Path))
def supervise(pids_file: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(3600)"]
    kinds = ["relay"] + ["worker"] * int(os.environ.get("MAKOLA_WORKERS", "2"))
    running = [(kind, subprocess.Popen(sleeper)) for kind in kinds]
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(1))
    written = None
    while not stopping:
        running = [
            (kind, p if p.poll() is None else subprocess.Popen(sleeper))
            for kind, p in running
        ]
        named = {
            kind: [p.pid for k, p in running if k == kind]
            for kind in ("relay", "worker")
        }
        if named != written:
            pids_file.with_suffix(".new").write_text(
                json.dumps(named | {"supervise": [os.getpid()]})
            )
            pids_file.with_suffix(".new").replace(pids_file)
            written = named
        time.sleep(0.1)
    for _, process in running:
        process.kill()
