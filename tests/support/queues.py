"""A page of the queue by the session: in what the present work may see, whoever it is."""

from __future__ import annotations

from sqlalchemy import select

from core.base import config
from core.base.db import db
from core.orders import Order, Page, tabs


def queue(tab: str, before: int | None = None, limit: int | None = None) -> Page:
    """One page of a tab, by keyset: `before` is the `next_before` of the page before."""
    size = limit or config.current().page_size
    query = tabs.on_tab(select(Order), tab, is_later=before is not None)
    rows = db.session.scalars(query, tabs.page_values(before, size))
    return tabs.turned(list(rows), size)
