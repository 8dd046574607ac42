"""Which subdomains have a shop, as this process knows: so that one which has none is told so
without asking each time.

Kept by asking, at most once in `FRESH_S`, which stores came or moved since. What is not known to be
missing is looked up by `stores.by_slug`; an address that a store had before is not missing.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from time import monotonic

from sqlalchemy import literal, or_, select, union_all

from core.base import clock
from core.base.db import db
from core.former_addresses import FormerAddress
from core.stores import Store

FRESH_S = 1.0
"""A new shop is found by then in every process."""
WHOLE_S = 60.0
"""All are read anew so often: a restored database may have others."""
OVERLAP = 1_000
"""Ids are given out before they can be seen, so the last ones are asked for again."""
MOVED_SINCE = timedelta(minutes=5)
"""So are those who moved: longer than `WHOLE_S`, since the move is seen when it is committed."""

_asking = threading.Lock()
_known: frozenset[str] | set[str] = frozenset()
_last_id = 0
_read_at = _whole_at = float("-inf")


def is_missing(slug: str) -> bool:
    """Whether there was no shop at this subdomain a moment ago. False when that is not known."""
    # in this order: `look` says what is known before it says since when
    is_fresh = monotonic() - _read_at < FRESH_S
    return is_fresh and slug not in _known


def look() -> None:
    """Ask which shops there are, unless that is known or another thread asks just now. Called
    outside a use case, with no store set."""
    global _known, _last_id, _read_at, _whole_at
    if monotonic() - _read_at < FRESH_S or not _asking.acquire(blocking=False):
        return
    try:
        began = monotonic()
        is_whole = began - _whole_at > WHOLE_S
        rows = _read(None if is_whole else _last_id - OVERLAP)
        found = {slug for _, slug in rows}
        _known = found if is_whole else _known | found
        _last_id = max((store_id for store_id, _ in rows), default=_last_id)
        _read_at = began
        if is_whole:
            _whole_at = began
    finally:
        _asking.release()


def _read(since: int | None) -> list[tuple[int, str]]:
    """Store and address of all, or of those that came after this id or moved a moment ago."""
    now = select(Store.id, Store.slug)
    # no id of a store that is new, so that it says nothing of which came last
    before = select(literal(0), FormerAddress.slug)
    if since is not None:
        lately = clock.now() - MOVED_SINCE
        now = now.where(or_(Store.id > since, Store.moved_at > lately))
        before = before.where(FormerAddress.left_at > lately)
    rows = db.session.execute(union_all(now, before)).all()
    return [(store_id, slug) for store_id, slug in rows]


def forget() -> None:
    """As in a process that has asked nothing yet."""
    global _known, _last_id, _read_at, _whole_at
    _known, _last_id = frozenset(), 0
    _read_at = _whole_at = float("-inf")
