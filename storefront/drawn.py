"""A front page that would say what it said last time is not drawn again.

Decides only that: the database is asked each time, and what it answered is compared with what the
page of before was drawn from. A page that shows a moment (since when something is stopped, sold out
or unsure) is always drawn, since its words change with the day.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cachetools import LRUCache
from flask import g, render_template, request

from core.base import config, language
from core.base.config import Config
from core.stores import Store

TEMPLATE = "storefront/store.html"
MOST = 200
"""Pages of one process, the least lately shown goes first: about 50 KB each."""


class Key(NamedTuple):
    store_id: int
    spoken: str
    root: str


@dataclass(frozen=True)
class Drawn:
    """A page, what it was drawn from, and what goes out with it."""

    settings: Config
    store: Mapping[str, Any]
    values: Mapping[str, Any]
    page: str
    style_hashes: list[str]
    compressed: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """Its bytes and those of each encoding: `edge.compression` writes and reads them."""


_lock = threading.Lock()
_kept: LRUCache[Key, Drawn] = LRUCache(MOST)


def front_page(store: Store, values: Mapping[str, Any]) -> str:
    """The page of `TEMPLATE` with these values, as they are compared: by what they say."""
    if not _may_be_kept(values):
        return render_template(TEMPLATE, **values)
    key = Key(store.id, language.current(), request.root_path)
    columns = _columns(store)
    with _lock:
        drawn = _kept.get(key)
    if drawn is None or not _says(drawn, columns, values):
        page = render_template(TEMPLATE, **values)
        drawn = Drawn(config.current(), columns, values, page, g.style_hashes)
        with _lock:
            _kept[key] = drawn
    g.style_hashes = list(drawn.style_hashes)
    g.compressed = drawn.compressed
    return drawn.page


def forget() -> None:
    """Have every page drawn anew."""
    with _lock:
        _kept.clear()


def _may_be_kept(values: Mapping[str, Any]) -> bool:
    """Whether it is the plain page, which nobody typed into, and shows no moment."""
    shows_a_moment = values["stop"] or values["unsure_since"]
    shows_a_moment = shows_a_moment or any(
        group.stop or group.sold_out for group in values["groups"]
    )
    return request.method == "GET" and not request.query_string and not shows_a_moment


def _says(drawn: Drawn, columns: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return (
        drawn.settings is config.current()
        and drawn.store == columns
        and drawn.values == values
    )


def _columns(store: Store) -> dict[str, Any]:
    """What the store says: a row has no equality of its own."""
    return {
        name: value for name, value in vars(store).items() if not name.startswith("_")
    }
