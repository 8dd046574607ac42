"""How long a request may wait for a lock in PostgreSQL: a page 1 s, a press 2 s, a webhook 1 s
(`core.base.fixed`).

Decides which of these limits a request has. A process has few threads, and somebody may hold a row
for ever: so only `lock_crowd` requests at once wait that long, the next one shorter, and those
beyond it hardly at all. Whoever waited in vain reads a sentence (`errors.BUSY`); it is not tried
again. PostgreSQL counts the wait behind another waiter for a row, and then the one for its holder,
each by itself: two limits are the most that one statement waits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, g

from core.base import config, db
from edge import hosts, origins

_counting = threading.Lock()
_under_way = 0


def install(app: Flask) -> None:
    app.before_request(begin)
    app.teardown_request(end)


def begin() -> None:
    """Count this request, and give it its limit before it asks the database for anything."""
    _enter(hosts.place().room, hosts.present().method)
    g.counted = True


def end(_error: BaseException | None = None) -> None:
    """Forget the limit: the thread's next request may be of another kind."""
    if g.pop("counted", False):
        _leave()


@contextmanager
def of_a_look(room: str) -> Iterator[None]:
    """The same for what is read of a room without a request to the application."""
    _enter(room, "GET")
    try:
        yield
    finally:
        _leave()


def _enter(room: str, method: str) -> None:
    global _under_way
    with _counting:
        others, _under_way = _under_way, _under_way + 1
    db.limit_lock_waits(limit_s(room, method, others))


def _leave() -> None:
    global _under_way
    db.limit_lock_waits(None)
    with _counting:
        _under_way -= 1


def limit_s(room: str, method: str, others: int) -> float:
    """Seconds for a request of this room and method, while `others` of the same process are under
    way."""
    settings = config.current()
    if room == hosts.HOOKS:
        return (
            settings.lock_hook_s
            # always: nobody sends it again, and it is answered long before its sender hangs up
        )
    is_crowd = others >= settings.lock_crowd
    if method in origins.UNSAFE:
        if others > settings.lock_crowd:
            return settings.lock_last_s
        if is_crowd:
            return settings.lock_crowded_press_s
        return settings.lock_press_s
    if is_crowd:
        return settings.lock_crowded_read_s
    return settings.lock_read_s
