"""Whether a stranger may have an address, and which are free beside it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, literal_column, select

from core import subdomains
from core.base import config
from core.base.db import db
from core.stores import Store
from core.subdomains import BadStore

_LOOK: ColumnElement[str] = literal_column(subdomains.LOOK)
_ENDINGS = ("-data", "-bundles", "-gh", "-shop")


def check(typed: str) -> str:
    """The address as it may be had now. Raises `BadStore` with a sentence, which names a free one
    where there is one."""
    slug = subdomains.check_for_stranger(typed, config.current().held_names)
    found = _alike(slug)
    if found is None:
        return slug
    # the other one is not named: it may be a store that nobody sees yet
    said = "is taken" if found == slug else "looks too much like another address"
    raise BadStore(f"The address {slug} {said}.{_advice(slug)}")


def _advice(slug: str) -> str:
    free = next(filter(_is_free, (slug + ending for ending in _ENDINGS)), None)
    if free is None:
        return " Choose another."
    return f" Choose another, like {free}."


def _is_free(slug: str) -> bool:
    try:
        subdomains.check_for_stranger(slug, config.current().held_names)
    except BadStore:
        return False
    return _alike(slug) is None


def _alike(slug: str) -> str | None:
    """The store's address that this one would be taken for, itself first."""
    rows = db.session.scalars(
        select(Store.slug).where(_LOOK == subdomains.look_of(slug)).limit(20)
    ).all()
    return slug if slug in rows else next(iter(rows), None)
