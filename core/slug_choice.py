"""Whether a stranger may have an address, and which are free beside it."""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    and_,
    literal_column,
    not_,
    select,
    text,
    union_all,
)

from core import audit, former_addresses, subdomains
from core.audit import Actor
from core.base import config
from core.base.db import db
from core.base.locks import Lock
from core.base.preconditions import inside_use_case
from core.former_addresses import FormerAddress
from core.stores import Store, move
from core.subdomains import BadStore

_LOOK: ColumnElement[str] = literal_column(subdomains.LOOK)
_ENDINGS = ("-data", "-bundles", "-gh", "-shop")
_GIVEN_UP = and_(Store.approval == "refused", Store.approved_at.is_(None))
"""A store that was refused and that nobody has ever seen keeps no address from others."""


def check(typed: str, store_id: int | None = None) -> str:
    """The address as it may be had now, by this store where one is named. Raises `BadStore` with a
    sentence, which names a free one where there is one."""
    slug = subdomains.check_for_stranger(typed, config.current().held_names)
    found = _alike(slug, store_id)
    if found is None:
        return slug
    # the other one is not named: it may be a store that nobody sees yet
    said = "is taken" if found == slug else "looks too much like another address"
    raise BadStore(f"The address {slug} {said}.{_advice(slug, store_id)}")


@inside_use_case
def hold() -> None:
    """Wait for the turn to give an address away: what is free now stays so until the end of this
    use case."""
    db.session.execute(
        text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": Lock.SUBDOMAIN}
    )


@inside_use_case
def free(slug: str, actor: Actor, store_id: int | None = None) -> None:
    """Make sure that nobody else had this address, and take it from a store that was refused and
    never seen. Raises `BadStore`."""
    if former_addresses.owner_of(slug) not in (None, store_id):
        raise BadStore(f"The address {slug} is taken. Choose another.")
    other = db.session.scalar(
        select(Store)
        .where(Store.slug == slug, Store.id != (store_id or 0), _GIVEN_UP)
        .with_for_update()
    )
    if other is None:
        return
    move(other, f"{subdomains.GIVEN_UP}{other.id}")
    db.session.flush()
    audit.write(
        actor,
        "take_address",
        f"store:{other.id}",
        {"address": other.slug, "before": slug},
    )


def _advice(slug: str, store_id: int | None) -> str:
    free_ones = (slug + ending for ending in _ENDINGS)
    found = next((one for one in free_ones if _is_free(one, store_id)), None)
    if found is None:
        return " Choose another."
    return f" Choose another, like {found}."


def _is_free(slug: str, store_id: int | None) -> bool:
    try:
        subdomains.check_for_stranger(slug, config.current().held_names)
    except BadStore:
        return False
    return _alike(slug, store_id) is None


def _alike(slug: str, store_id: int | None) -> str | None:
    """The address of another store, now or before, that this one would be taken for, itself
    first."""
    look, own = subdomains.look_of(slug), store_id or 0
    now = select(Store.slug).where(_LOOK == look, Store.id != own, not_(_GIVEN_UP))
    before = select(FormerAddress.slug).where(
        _LOOK == look, FormerAddress.store_id != own
    )
    rows = db.session.scalars(union_all(now.limit(20), before.limit(20))).all()
    return slug if slug in rows else next(iter(rows), None)
