"""A front page that would say what it said last time is not drawn again.

Decides only that: the database is asked each time, and what it answered is compared with what the
page of before was drawn from. A page that shows a moment (since when something is stopped, sold out
or unsure) is always drawn, since its words change with the day.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from cachetools import LRUCache
from flask import g, request

from core import catalog, opening_hours, orders, shop
from core.availability import Now
from core.base import config, language
from core.base.config import Config
from core.delivery_times import Record
from core.shop import Shop

MOST = 200
"""Pages of one process, the least lately shown goes first: about 50 KB each."""


class Key(NamedTuple):
    store_id: int
    spoken: str
    root: str


class Facts(NamedTuple):
    """Everything that the plain front page of a shop is drawn from, as it is compared."""

    settings: Config
    store: Mapping[str, Any]
    away: str
    """What it says of the hour, and whether it sells with it: another one from minute to minute."""
    now: Now
    shelf: list[catalog.ShelfLine]
    record: Record | None


@dataclass(frozen=True)
class Drawn:
    """A page, what it was drawn from, and what goes out with it."""

    facts: Facts
    page: str
    style_hashes: list[str]
    compressed: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """Its bytes and those of each encoding: `edge.compression` writes and reads them."""


_lock = threading.Lock()
_kept: LRUCache[Key, Drawn] = LRUCache(MOST)


def found(shown: Shop) -> str | None:
    """The page as it was drawn, when it would say the same now."""
    with _lock:
        drawn = _kept.get(_key(shown))
    if drawn is None or drawn.facts != _facts(shown):
        return None
    _goes_out(shown, drawn)
    return drawn.page


def keep(shown: Shop, page: str) -> None:
    """Remember the plain page, which nobody typed into and which shows no moment."""
    drawn = Drawn(_facts(shown), page, g.style_hashes)
    with _lock:
        _kept[_key(shown)] = drawn
    _goes_out(shown, drawn)


def forget() -> None:
    """Have every page drawn anew."""
    with _lock:
        _kept.clear()


def _goes_out(shown: Shop, drawn: Drawn) -> None:
    """Say what goes with the page: its styles, its smaller forms, and how to see later whether it
    is still true."""
    g.style_hashes = list(drawn.style_hashes)
    g.compressed = drawn.compressed
    g.is_still_true = partial(_would_say_the_same, shown.store.slug, drawn.facts)


def _would_say_the_same(slug: str, facts: Facts) -> bool:
    orders.look()
    shown = shop.by_slug(slug)
    return shown is not None and _facts(shown) == facts


def _key(shown: Shop) -> Key:
    return Key(shown.store.id, language.current(), request.root_path)


def _facts(shown: Shop) -> Facts:
    store = shown.store
    # a row has no equality of its own
    columns = {
        name: value for name, value in vars(store).items() if not name.startswith("_")
    }
    away = opening_hours.away(store)
    return Facts(config.current(), columns, away, shown.now, shown.shelf, shown.record)
