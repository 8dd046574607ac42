"""Stores: the tenants, each an agent's shop on a subdomain.

Decides what a store's state means; which slugs may exist is decided in `subdomains`. Money accounts
and price lists of a new store are made by `onboarding`, which sits above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    CheckConstraint,
    Index,
    Select,
    bindparam,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core import subdomains
from core.base import clock, phones, round_trip
from core.base.db import Model, db
from core.base.preconditions import inside_use_case

T = TypeVar("T")
BadStore = subdomains.BadStore

DEFAULT_COLOUR = "#0b6e4f"
LONGEST_NAME = 60
"""Characters of a store's name."""
LONGEST_NOTE = 200
MOMO_NAME = 60
"""Characters of the name of a MoMo account."""
_SPAN = "([0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})?"
HOURS = f"^$|^{_SPAN}(,{_SPAN}){{6}}$"
"""A store's hours: seven days, Monday first, each from and until, or nothing on a day off."""
_MOST_KNOWN = 10_000
_known: dict[str, int] = {}
"""Slug → id, of the stores that this process has met."""


class Store(Model):
    __tablename__ = "stores"
    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$'", name="slug"),
        CheckConstraint("colour ~ '^#[0-9a-f]{6}$'", name="colour"),
        CheckConstraint(f"hours ~ '{HOURS}'", name="hours"),
        CheckConstraint("status IN ('open', 'closed', 'suspended')", name="status"),
        CheckConstraint("markup_bp >= 0", name="markup"),
        CheckConstraint(
            "approval IN ('approved', 'waiting', 'refused')", name="approval"
        ),
        CheckConstraint(
            "status <> 'open' OR approval = 'approved'", name="open_is_approved"
        ),
        Index("ix_stores_slug", text('slug COLLATE "C"')),
        Index("ix_stores_name", text('lower(name) COLLATE "C"'), "id"),
        Index(
            "ix_stores_asked", "asked_at", postgresql_where=text("asked_at IS NOT NULL")
        ),
        Index("ix_stores_look", text(subdomains.LOOK)),
        Index(
            "ix_stores_moved", "moved_at", postgresql_where=text("moved_at IS NOT NULL")
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    colour: Mapped[str] = mapped_column(default=DEFAULT_COLOUR)
    whatsapp: Mapped[str | None]
    momo_number: Mapped[str | None]
    momo_name: Mapped[str] = mapped_column(default="")
    """Whose account the number is, as the network shows it to who pays."""
    welcome: Mapped[str] = mapped_column(default="")
    announcement: Mapped[str] = mapped_column(default="", server_default=text("''"))
    pay_words: Mapped[str] = mapped_column(default="", server_default=text("''"))
    status: Mapped[str] = mapped_column(default="open")
    closed_note: Mapped[str] = mapped_column(default="")
    paused_at: Mapped[datetime | None]
    """When its agent closed it for a while: it may be opened again as it was."""
    auto_process: Mapped[bool] = mapped_column(default=False)
    pay_online: Mapped[bool] = mapped_column(
        default=False, server_default=text("false")
    )
    """Whether its customers may pay online, where the platform has that on: `online.is_on`."""
    # the stores' role may not read it
    markup_bp: Mapped[int] = mapped_column(deferred=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    approval: Mapped[str] = mapped_column(default="approved")
    """The owner's word, without which it is not open."""
    approved_at: Mapped[datetime | None]
    """When that was first given to a store that had to ask, or before it was taken back."""
    approval_note: Mapped[str] = mapped_column(default="", deferred=True)
    """Why it was refused, for the agent."""
    asked_at: Mapped[datetime | None] = mapped_column(deferred=True)
    """When its agent asked for that word, by signing up or again; None: opened by the platform."""
    terms_at: Mapped[datetime | None] = mapped_column(deferred=True)
    """When its agent agreed to the terms."""
    hours: Mapped[str] = mapped_column(default="", server_default=text("''"))
    """As `opening_hours.read` gives them; empty: always there."""
    hours_closed: Mapped[bool] = mapped_column(
        default=False, server_default=text("false")
    )
    """Whether nobody may order outside them."""
    logo: Mapped[str | None]
    """The mark of its picture (`logos`)."""
    moved_at: Mapped[datetime | None]
    """When it came to its present address, if that is not its first."""

    @property
    def is_open(self) -> bool:
        return self.status == "open"

    @property
    def may_go_on(self) -> bool:
        """Whether its agent may open it again as it was when they paused it."""
        return self.paused_at is not None and self.approval == "approved"

    @property
    def is_hidden(self) -> bool:
        """Whether nobody but its people sees it: it was never approved."""
        return self.approval != "approved" and self.approved_at is None


@cache
def columns() -> tuple[str, ...]:
    """Those of a store that its own role may read."""
    found = Store.__mapper__.column_attrs
    return tuple(column.key for column in found if not column.deferred)


def by_slug(slug: str) -> Store | None:
    """The store at this subdomain, or None. `slug` is matched exactly; the edge has lower-cased the
    host."""
    store = db.session.scalar(select(Store).where(Store.slug == slug))
    if store is None:
        _known.pop(slug, None)
        return None
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[slug] = store.id
    return store


def known_id(slug: str) -> int | None:
    """The id that `by_slug` found at this subdomain in this process, or None. A store may have
    moved since, so compare the slug of what is read."""
    return _known.get(slug)


def read_at(slug: str, read: Callable[[int], T | None]) -> T | None:
    """What `read` finds in the store of this subdomain, given its id; None where there is none. It
    must look whether what it finds has this slug. A store that this process meets for the first
    time costs one statement more, since whose rows may be read is said before they are."""
    store_id = _known.get(slug)
    found = read(store_id) if store_id is not None else None
    if found is None and (store := by_slug(slug)) is not None:
        found = read(store.id)
    return found


def by_slug_at_once(slug: str) -> Store | None:
    """The same as `by_slug`, in one exchange and belonging to no session: for pages that read
    everything so."""

    def read(store_id: int) -> Store | None:
        row = round_trip.read_row(store_id, _alone(), {"store_id": store_id})
        return None if row is None or row.slug != slug else round_trip.made(Store, row)

    return read_at(slug, read)


@cache
def of_columns() -> Select[Any]:
    """Everything that a store's own role may read of `:store_id`."""
    found = (Store.__table__.c[name] for name in columns())
    return select(*found).where(Store.id == bindparam("store_id", type_=Store.id.type))


@cache
def _alone() -> str:
    return round_trip.ask(of_columns()).statement


def by_id(store_id: int) -> Store | None:
    return db.session.scalar(select(Store).where(Store.id == store_id))


def by_ids(ids: Collection[int | None]) -> dict[int, Store]:
    """Stores by id, for the store column of lists."""
    rows = db.session.scalars(select(Store).where(Store.id.in_(set(ids) - {None})))
    return {store.id: store for store in rows}


def check_name(name: str) -> str:
    """The name as it may be used. Raises `BadStore`."""
    if not name.strip() or len(name) > LONGEST_NAME:
        raise BadStore(f"Give the store a name of 1 to {LONGEST_NAME} characters.")
    return name.strip()


@inside_use_case
def add(
    *,
    slug: str,
    name: str,
    markup_bp: int,
    colour: str,
    whatsapp: str | None,
    momo_number: str | None,
    momo_name: str = "",
    **state: Any,
) -> Store:
    """A new store row; `onboarding.open_store` is the verb to call. `state` is its `status`,
    `approval` and when these were asked for; without, it is open and approved. Raises
    `BadStore`."""
    name = check_name(name)
    if not re.fullmatch(r"#[0-9a-f]{6}", colour):
        raise BadStore("Give the colour as six hexadecimal digits, like #0b6e4f.")
    store = Store(
        slug=subdomains.check_slug(slug),
        name=name,
        colour=colour,
        markup_bp=markup_bp,
        whatsapp=phones.parse(whatsapp) if whatsapp else None,
        momo_number=phones.parse(momo_number) if momo_number else None,
        momo_name=momo_name[:MOMO_NAME],
        **state,
    )
    db.session.add(store)
    db.session.flush()
    return store


@inside_use_case
def locked(store_id: int) -> Store:
    """A store's row, locked."""
    return db.session.scalars(
        select(Store).where(Store.id == store_id).with_for_update()
    ).one()


@inside_use_case
def move(store: Store, slug: str) -> None:
    """Give a locked store another address; `renaming.rename` is the verb to call."""
    store.slug = slug
    store.moved_at = clock.now()
    store.version += 1


@inside_use_case
def set_momo_row(store_id: int, number: str, name: str) -> Store:
    """Change the number that customers pay to. Raises `phones.BadNumber`."""
    store = locked(store_id)
    store.momo_number = phones.parse(number)
    store.momo_name = name[:MOMO_NAME]
    store.version += 1
    return store


@inside_use_case
def set_status_row(store_id: int, status: str, note: str) -> Store:
    """Change a store's state. Raises `BadStore` for a state that does not exist, and for opening
    one that is not approved."""
    if status not in ("open", "closed", "suspended"):
        raise BadStore("A store is open, closed or suspended.")
    store = locked(store_id)
    if status == "open" and store.approval != "approved":
        raise BadStore(f"{store.name} is not approved. Approve it first, then open it.")
    store.status = status
    store.closed_note = note.strip()[:LONGEST_NOTE]
    store.paused_at = None
    store.version += 1
    return store
