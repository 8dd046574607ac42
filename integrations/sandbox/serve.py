"""Runs the supplier as a process of its own: `python -m integrations.sandbox.serve --port 9100 --db
supplier.db`.

Decides flags, start and stop. Only loopback addresses are served.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from integrations import sandbox_process
from integrations.sandbox import app, profiles, sockets
from integrations.sandbox.store import DEFAULT_KEY, DEFAULT_SECRET, Store


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until TERM or INT. Returns the exit code."""
    arguments = parse(argv)
    log = sockets.lines(sys.stdout)
    stop = sandbox_process.asked_to_stop()
    store = Store(
        arguments.db,
        wallet_pesewas=arguments.wallet,
        api_key=os.environ.get("SANDBOX_API_KEY") or DEFAULT_KEY,
        api_secret=os.environ.get("SANDBOX_API_SECRET") or DEFAULT_SECRET,
    )
    supplier = app.create_sandbox(
        store, arguments.profile, seed=arguments.seed, **chosen_knobs(arguments)
    )
    try:
        server = sockets.Server((arguments.host, arguments.port), supplier, log)
    except OSError as problem:
        sockets.lines(sys.stderr)(
            f"sandbox: cannot listen on {arguments.host}:{arguments.port}: {problem.strerror}"
        )
        supplier.close()
        return 1
    _run(server, supplier, stop, log)
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags; every knob is one. Exits with a sentence on a wrong one."""
    parser = argparse.ArgumentParser(
        prog="python -m integrations.sandbox.serve", description=__doc__
    )
    parser.add_argument("--host", default="127.0.0.1", choices=sandbox_process.LOOPBACK)
    parser.add_argument(
        "--port",
        type=int,
        default=9100,
        help="0 picks a free one",
    )
    parser.add_argument(
        "--db", type=Path, required=True, help="store; charges go to DB.charges.jsonl"
    )
    parser.add_argument(
        "--profile", default="documented", choices=profiles.CHOICES["profile"]
    )
    parser.add_argument(
        "--wallet",
        type=_cedis,
        default=500_000,
        help="opening balance of a new store in GHS",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the draws: lost webhooks"
    )
    knobs = parser.add_argument_group("knobs, each overrides the profile")
    sandbox_process.add_flags(knobs, profiles.Knobs, profiles.CHOICES, but="profile")
    arguments = parser.parse_args(argv)
    try:
        profiles.preset(arguments.profile, **chosen_knobs(arguments))
    except profiles.BadKnob as problem:
        parser.error(str(problem))
    return arguments


def chosen_knobs(arguments: argparse.Namespace) -> dict[str, Any]:
    said = sandbox_process.chosen(arguments, profiles.Knobs)
    return {name: value for name, value in said.items() if name != "profile"}


def _run(
    server: sockets.Server,
    supplier: app.Supplier,
    stop: threading.Event,
    log: Callable[[str], None],
) -> None:
    def tick() -> None:
        moved = supplier.tick()
        if moved:
            log(f"timer: moved {moved} order{'s' if moved != 1 else ''}")

    host, port = server.server_address[:2]
    profile = supplier.sandbox.knobs.profile
    sandbox_process.run(
        server,
        tick,
        stop,
        log,
        ready=f"sandbox supplier ready at http://{host!s}:{port}/api, profile {profile}",
        at_stop=supplier.sandbox.holds.stop,
    )
    supplier.close()
    log("sandbox supplier stopped")


def _cedis(text: str) -> int:
    try:
        pesewas = Decimal(text) * 100
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount in GHS") from None
    if (
        not pesewas.is_finite()
        or not 0 <= pesewas < 10**12
        or pesewas != pesewas.to_integral_value()
    ):
        raise argparse.ArgumentTypeError(
            "the amount is in GHS with at most two decimals, from 0 up"
        )
    return int(pesewas)


if __name__ == "__main__":
    sys.exit(main())
