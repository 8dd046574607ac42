"""One web process: the loop, the beat by which the main process knows that it lives, and its end on
SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket

import http_server
from http_server import Rules, WsgiApp
from http_server.office import Office
from http_server.wire import Connection

WELL = b"."
STUCK = b"!"
COLLECT_AFTER = 10_000
"""Objects made and not yet freed before garbage is looked for: a page makes some thousands, nearly
all of which go by themselves."""


def run(
    app: WsgiApp,
    rules: Rules,
    listener: socket.socket,
    beat_fd: int,
    threads: int,
    spooled: int,
) -> None:
    """Serve until SIGTERM, then finish what is under way. `beat_fd` gets a byte every `BEAT_S`."""
    gc.freeze()  # what was loaded before the fork stays as it is, and shared
    gc.set_threshold(COLLECT_AFTER)
    asyncio.run(_serve(app, rules, listener, beat_fd, threads, spooled))


async def _serve(
    app: WsgiApp,
    rules: Rules,
    listener: socket.socket,
    beat_fd: int,
    threads: int,
    spooled: int,
) -> None:
    loop = asyncio.get_running_loop()
    asked_to_stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, asked_to_stop.set)
    # Ctrl-C is the main process's to hear
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    office = Office(
        app,
        rules,
        listener.getsockname()[:2],
        threads,
        spooled,
    )
    server = await loop.create_server(
        lambda: Connection(office), sock=listener, backlog=http_server.TAKEN_AT_ONCE
    )
    # asyncio has one number for this and for how many it takes at a time
    listener.listen(http_server.BACKLOG)
    beating = loop.create_task(_beat(office, beat_fd))
    await asked_to_stop.wait()
    server.close()
    office.stop()
    deadline = loop.time() + http_server.STOP_S
    while office.connections and loop.time() < deadline:
        await asyncio.sleep(0.02)
    beating.cancel()


# the main process is stopped; it will find enough beats when it goes on
async def _beat(office: Office, beat_fd: int) -> None:
    """What is due twice a second: the beat, the date, the deadlines."""
    os.set_blocking(beat_fd, False)
    while True:
        office.tell_date()
        office.look_at_deadlines()
        try:
            os.write(
                beat_fd, STUCK if office.pool.stuck_s() > http_server.STUCK_S else WELL
            )
        except BlockingIOError:
            pass
        await asyncio.sleep(http_server.BEAT_S)
