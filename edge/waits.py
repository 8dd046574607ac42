"""How long a request may wait for a lock in PostgreSQL: a page 1 s, a press 2 s, a webhook 1 s
(`core.base.config`).

Decides which of these limits a request has. A process has few threads, and somebody may hold a row
for ever: so only `lock_crowd` requests at once wait that long, the next one shorter, and those
beyond it hardly at all. Whoever waited in vain reads a sentence (`errors.BUSY`); it is not tried
again. PostgreSQL counts the wait behind another waiter for a row, and then the one for its holder,
each by itself: two limits are the most that one statement waits.
"""

from __future__ import annotations

import threading

from flask import Flask, g, request

from core.base import config, db
from edge import hosts, origins

_counting = threading.Lock()
_under_way = 0


def install(app: Flask) -> None:
    app.before_request(begin)
    app.teardown_request(end)


def begin() -> None:
    """Count this request, and give it its limit before it asks the database for anything."""
    global _under_way
    with _counting:
        others, _under_way = _under_way, _under_way + 1
    g.counted = True
    db.limit_lock_waits(limit_s(hosts.place().room, request.method, others))


def end(_error: BaseException | None = None) -> None:
    """Forget the limit: the thread's next request may be of another kind."""
    global _under_way
    db.limit_lock_waits(None)
    if g.pop("counted", False):
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
