"""Runs the gateway as a process of its own: `python -m integrations.paystack_sandbox.serve --port
9200 --db gateway.db`.

Decides flags, start and stop. Only loopback addresses are served.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from integrations import sandbox_process
from integrations.paystack_sandbox import app, keyring, knobs
from integrations.paystack_sandbox.store import OPENING_PESEWAS, WORLDS, Store
from integrations.sandbox import sockets


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until TERM or INT. Returns the exit code."""
    arguments = parse(argv)
    log = sockets.lines(sys.stdout)
    stop = sandbox_process.asked_to_stop()
    store = Store(arguments.db, opening_pesewas=arguments.balance)
    for world in WORLDS:
        key = os.environ.get(f"PAYSTACK_SANDBOX_{world.upper()}_KEY")
        if key:
            keyring.rotate(store, world, key)
    if arguments.webhook_url:
        store.keep_note("webhook_url.test", arguments.webhook_url)
    gateway = app.create(store, seed=arguments.seed, **chosen_knobs(arguments))
    try:
        server = sockets.Server((arguments.host, arguments.port), gateway, log)
    except OSError as problem:
        sockets.lines(sys.stderr)(
            f"gateway: cannot listen on {arguments.host}:{arguments.port}:"
            f" {problem.strerror}"
        )
        gateway.close()
        return 1
    _run(server, gateway, stop, log)
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags; every knob is one. Exits with a sentence on a wrong one."""
    parser = argparse.ArgumentParser(
        prog="python -m integrations.paystack_sandbox.serve", description=__doc__
    )
    parser.add_argument("--host", default="127.0.0.1", choices=sandbox_process.LOOPBACK)
    parser.add_argument("--port", type=int, default=9200, help="0 picks a free one")
    parser.add_argument("--db", type=Path, required=True, help="what it remembers")
    parser.add_argument(
        "--balance", type=int, default=OPENING_PESEWAS, help="pesewas of a new store"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the draws: lost webhooks"
    )
    parser.add_argument("--webhook-url", default="", help="where test events go")
    group = parser.add_argument_group("knobs")
    sandbox_process.add_flags(group, knobs.Knobs, knobs.CHOICES)
    arguments = parser.parse_args(argv)
    try:
        knobs.turn(knobs.Knobs(), chosen_knobs(arguments))
    except knobs.BadKnob as problem:
        parser.error(str(problem))
    return arguments


def chosen_knobs(arguments: argparse.Namespace) -> dict[str, Any]:
    return sandbox_process.chosen(arguments, knobs.Knobs)


def _run(
    server: sockets.Server,
    gateway: app.Paystack,
    stop: threading.Event,
    log: Callable[[str], None],
) -> None:
    host, port = server.server_address[:2]
    sandbox_process.run(
        server,
        gateway.tick,
        stop,
        log,
        ready=f"sandbox gateway ready at http://{host!s}:{port}",
    )
    gateway.close()
    log("sandbox gateway stopped")


if __name__ == "__main__":
    sys.exit(main())
