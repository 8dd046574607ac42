"""What both sandboxes do as processes of their own: stop on TERM or INT, serve and tick side by
side, read knobs off the command line. Knows nothing of what they play."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Protocol

TICK_S = 0.2
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Log = Callable[[str], None]


class Server(Protocol):
    """A socket server, as `socketserver` has it."""

    def serve_forever(self, poll_interval: float = ...) -> None: ...
    def shutdown(self) -> None: ...
    def server_close(self) -> None: ...


def asked_to_stop() -> threading.Event:
    """Set by TERM or INT. Asked for before anything is open, so that a stop during start-up is a
    clean one too."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def chosen(arguments: argparse.Namespace, knobs: type) -> dict[str, Any]:
    """The knobs that were turned by a flag, `knobs` being their dataclass."""
    said = {one.name: getattr(arguments, one.name, None) for one in fields(knobs)}
    return {name: value for name, value in said.items() if value is not None}


def add_flags(
    group: Any, knobs: type, choices: dict[str, tuple[str, ...]], but: str = ""
) -> None:
    """A flag for each knob but one."""
    for knob in fields(knobs):
        if knob.name != but:
            group.add_argument(
                f"--{knob.name.replace('_', '-')}",
                choices=choices.get(knob.name),
                help=f"default {knob.default}",
            )


def run(
    server: Server,
    tick: Callable[[], object],
    stop: threading.Event,
    log: Log,
    *,
    ready: str,
    at_stop: Callable[[], None] = lambda: None,
) -> None:
    """Serve, and tick beside it, until it is to stop; returns with both at rest. `ready` is said
    once it serves, `at_stop` done before the server waits for its requests."""
    threads = [
        threading.Thread(
            target=server.serve_forever, args=(TICK_S,), name="server", daemon=True
        ),
        threading.Thread(
            target=_tick_until, args=(tick, stop, log), name="timer", daemon=True
        ),
    ]
    for thread in threads:
        thread.start()
    log(ready)
    stop.wait()
    at_stop()
    server.shutdown()
    server.server_close()
    for thread in threads:
        thread.join(2)


def _tick_until(tick: Callable[[], object], stop: threading.Event, log: Log) -> None:
    while not stop.wait(TICK_S):
        try:
            tick()
        except Exception as problem:  # noqa: BLE001 - the timer must outlive one bad turn
            log(f"timer: {type(problem).__name__}: {problem}")
