"""Opening and closing stores: everything a store needs, made in one transaction; and the owner's
word, without which none is open."""

from __future__ import annotations

from typing import Any

from core import audit, catalog, ledger, requirements, slug_choice, stores, subdomains
from core.accounts import people, unproven
from core.accounts.users import Membership, User
from core.audit import Actor
from core.base import clock, config
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.base.refusal import Refusal
from core.base.tenancy import as_platform
from core.requirements import Item
from core.stores import DEFAULT_COLOUR, LONGEST_NOTE, BadStore, Store

SHORTEST_REASON = 3
SAY_WHY = "Say why: the agent reads it, and may ask again."


class NotReady(Refusal):
    """A store that its agent may not open yet. `items` is what is missing, if that is why."""

    def __init__(self, sentence: str, items: list[Item] | None = None) -> None:
        super().__init__(sentence)
        self.items = items or []


class NeverApproved(Refusal):
    """What a store may not do before the owner's first word."""

    sentence = (
        "This waits until the owner of Makola has approved your store. Come back then: nothing was"
        " kept."
    )


def needs_approval(store: Store) -> None:
    """For what is dear to do: a stranger's store may not ask for it. Raises `NeverApproved`."""
    if store.is_hidden:
        raise NeverApproved


@needs_across_stores
def open_store(
    *,
    slug: str,
    name: str,
    owner: User,
    actor: Actor,
    colour: str = DEFAULT_COLOUR,
    whatsapp: str | None = None,
    momo_number: str | None = None,
    momo_name: str = "",
) -> Store:
    """A new store with its accounts, its owner and a price for every bundle; open at once. The
    owner's password opens nothing then if they are `unproven`.

    Raises `stores.BadStore`, `phones.BadNumber` or `people.PersonRefused` with a sentence.
    """
    with transaction():
        unproven.void(people.locked(owner.id))
        return make_store(
            owner,
            actor,
            slug=slug,
            name=name,
            colour=colour,
            whatsapp=whatsapp,
            momo_number=momo_number,
            momo_name=momo_name,
        )


@inside_use_case
def make_store(owner: User, actor: Actor, **row: Any) -> Store:
    """The same in an open use case, for whom it is one part. `row` as `stores.add` takes it."""
    slug_choice.hold()
    slug_choice.free(subdomains.check_slug(row["slug"]), actor)
    store = stores.add(markup_bp=config.current().store_markup_bp, **row)
    ledger.open_store_accounts(store.id)
    db.session.add(Membership(user_id=owner.id, store_id=store.id, role="owner"))
    catalog.price_new_bundles(store.id, store.markup_bp)
    audit.write(actor, "open_store", f"store:{store.id}", {"slug": store.slug})
    return store


@as_platform
def set_momo(store_id: int, number: str, name: str, actor: Actor) -> Store:
    """The number that a store's customers pay to, and whose account it is. Raises
    `phones.BadNumber`."""
    with transaction():
        store = stores.set_momo_row(store_id, number, name)
        audit.write(actor, "store_momo", f"store:{store_id}", {"name": name})
        return store


@as_platform
def set_store_status(
    store_id: int,
    status: str,
    reason: str,
    actor: Actor,
) -> Store:
    """Open, close or suspend a store; `reason` is what its customers read. Raises
    `stores.BadStore`."""
    with transaction():
        store = stores.set_status_row(store_id, status, reason)
        audit.write(actor, f"store_{status}", f"store:{store_id}", {"reason": reason})
        return store


@as_platform
def open_own(store_id: int, actor: Actor) -> bool:
    """Open a store as its own agent may: with everything there that it needs, or as it was when
    they paused it. False when it is open already. Raises `NotReady`."""
    with transaction():
        store = stores.locked(store_id)
        if store.is_open:
            return False
        if store.status == "suspended":
            raise NotReady("Makola suspended your store. Ask its owner what to do.")
        items = requirements.missing(requirements.of_store(store_id))
        if items and not store.may_go_on:
            raise NotReady("Your store is not open yet: see what is missing.", items)
        stores.set_status_row(store_id, "open", "")
        audit.write(actor, "store_open", f"store:{store_id}", {})
        return True


@as_platform
def approve(store_id: int, actor: Actor, seen: str = "waiting") -> bool:
    """Say yes to a store, which its agent may then open. `seen` is how it stood on the page that
    was pressed. False when that was said already. Raises `BadStore`."""
    with transaction():
        store = stores.locked(store_id)
        if store.approval == "approved":
            return False
        _refuse_old_page(store, seen)
        store.approval, store.approval_note = "approved", ""
        store.approved_at = store.approved_at or clock.now()
        store.version += 1
        audit.write(actor, "approve_store", f"store:{store_id}", {})
        return True


@as_platform
def refuse(store_id: int, reason: str, actor: Actor, seen: str = "waiting") -> bool:
    """Say no to a store, also to one that was approved: it is closed then. `reason` is for its
    agent; `seen` as for `approve`. False when the same was said already. Raises `BadStore`."""
    reason = reason.strip()[:LONGEST_NOTE]
    if len(reason) < SHORTEST_REASON:
        raise BadStore(SAY_WHY)
    with transaction():
        store = stores.locked(store_id)
        if (store.approval, store.approval_note) == ("refused", reason):
            return False
        _refuse_old_page(store, seen)
        if store.approval == "approved":  # its customers go on seeing their orders
            store.approved_at = store.approved_at or clock.now()
        store.approval, store.approval_note = "refused", reason
        if store.is_open:
            store.status = "closed"
        store.paused_at = None
        store.version += 1
        audit.write(actor, "refuse_store", f"store:{store_id}", {"reason": reason})
        return True


@as_platform
def ask_again(store_id: int, actor: Actor) -> bool:
    """Ask for the owner's word once more, after a no. False when nothing was refused."""
    with transaction():
        store = stores.locked(store_id)
        if store.approval != "refused":
            return False
        store.approval, store.asked_at = "waiting", clock.now()
        store.version += 1
        audit.write(actor, "ask_approval", f"store:{store_id}", {})
        return True


@as_platform
def agree_to_terms(store_id: int, actor: Actor) -> bool:
    """Note that a store's owner agreed to the terms. False when they had already."""
    with transaction():
        store = stores.locked(store_id)
        if store.terms_at is not None:
            return False
        store.terms_at = clock.now()
        audit.write(
            actor,
            "agree_to_terms",
            f"store:{store_id}",
            {"terms": config.current().terms_url},
        )
        return True


def _refuse_old_page(store: Store, seen: str) -> None:
    """Of two people who decide at once, the second has not seen what the first did."""
    if store.approval != seen:
        raise BadStore(
            f"Somebody decided meanwhile: {store.name} is {store.approval} now. Nothing was"
            " changed. Look at it again."
        )
