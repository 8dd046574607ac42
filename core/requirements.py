"""What a store still needs before it may sell: by what is there, never by a tick that somebody
made.

`store_requirements` decides, from facts alone; `of_store` reads the facts. Both the checklist and
the press *Open store* ask here. What is missing keeps a store from being opened; it closes none
that is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    ScalarSelect,
    Select,
    bindparam,
    case,
    column,
    func,
    literal,
    select,
    table,
    true,
)

from core import catalog
from core.accounts.confirmations import Confirmation
from core.accounts.users import Membership
from core.base import clock, config, messages
from core.base.db import db
from core.base.phones import NETWORKS
from core.base.tenancy import as_platform
from core.catalog import Bundle, StoreBundle
from core.ledger import Account
from core.stores import Store

State = Literal["done", "missing", "waiting", "cannot_tell"]
Blocks = Literal["sell", "pay_online", ""]
FAR = ("none", "given", "another", "sent", "confirmed")
"""How far somebody has come with an address: `sent` is a code that is on its way, `another` is a
number that is confirmed and not the store's own."""


_ORDERS = table("orders", column("store_id"), column("is_test"))
"""By name, since `orders` stands above."""


@dataclass(frozen=True)
class Facts:
    """What is there. `phone` and `email`: a word of `FAR`, that of the best of its owners."""

    approval: str
    approval_note: str
    has_whatsapp: bool
    phone: str
    email: str
    can_send: bool
    networks: tuple[str, ...]
    """Names of those with a bundle on the shelf, priced at or above the floor."""
    has_catalogue: bool
    wallet_pesewas: int
    wants_terms: bool
    has_terms: bool
    has_test: bool = False
    """Whether somebody of the store has made a test order."""


@dataclass(frozen=True)
class Item:
    """One thing a store needs. `url`: where its agent does it, a path of the portal, or empty."""

    key: str
    state: State
    blocks: Blocks
    sentence: str
    url: str = ""


def store_requirements(facts: Facts) -> tuple[Item, ...]:
    """Everything a store needs, in the order in which it is done."""
    items = [
        _phone(facts),
        _prices(facts),
        _whatsapp(facts),
        _wallet(facts),
        _approval(facts),
        _test(facts),
    ]
    if facts.wants_terms:
        items.insert(2, _terms(facts))
    if facts.email != "none":
        items.append(_email(facts))
    return tuple(items)


def missing(items: Iterable[Item]) -> list[Item]:
    """What keeps the store from being opened."""
    return [item for item in items if item.blocks == "sell" and item.state != "done"]


@as_platform
def of_store(store_id: int) -> tuple[Item, ...]:
    """What a store needs now, read in one statement."""
    return store_requirements(facts_of(store_id))


@as_platform
def facts_of(store_id: int) -> Facts:
    """The facts of a store as they are now; inside an open use case, as that one sees them."""
    # by the connection, since the session would cut it to the current store: it names its own
    row = db.session.connection().execute(
        _statement(), {"store_id": store_id, "now": clock.now()}
    )
    found = row.one()
    networks = [NETWORKS[key].name for key in NETWORKS if key in (found.networks or ())]
    return Facts(
        approval=found.approval,
        approval_note=found.approval_note,
        has_whatsapp=bool(found.whatsapp),
        phone=FAR[found.phone or 0],
        email=FAR[found.email or 0],
        can_send=messages.can_send(),
        networks=tuple(networks),
        has_catalogue=found.has_catalogue,
        wallet_pesewas=-int(found.balance or 0),
        wants_terms=bool(config.current().terms_url),
        has_terms=found.terms_at is not None,
        has_test=found.has_test,
    )


@cache
def _statement() -> Select[Any]:
    store_id = bindparam("store_id", type_=Store.id.type)
    shelf = catalog.sellable().where(StoreBundle.store_id == store_id).subquery()
    networks = select(func.array_agg(shelf.c.network.distinct())).scalar_subquery()
    balance = (
        select(func.sum(Account.balance_pesewas))
        .where(Account.store_id == store_id, Account.name.in_(("wallet", "held")))
        .scalar_subquery()
    )
    return select(
        Store.approval,
        Store.approval_note,
        Store.whatsapp,
        Store.terms_at,
        _best("phone").label("phone"),
        _best("email").label("email"),
        networks.label("networks"),
        select(literal(1)).where(Bundle.active).exists().label("has_catalogue"),
        balance.label("balance"),
        select(_ORDERS.c.store_id)
        .where(_ORDERS.c.store_id == store_id, _ORDERS.c.is_test)
        .exists()
        .label("has_test"),
    ).where(Store.id == store_id)


def _best(kind: str) -> ScalarSelect[int]:
    """How far the best of the store's owners has come with an address of this kind, as a place in
    `FAR`; NULL where none gave one."""
    store_id = bindparam("store_id", type_=Store.id.type)
    now = bindparam("now", type_=Confirmation.expires_at.type)
    is_sent = Confirmation.code_hash.is_not(None) & (Confirmation.expires_at > now)
    number = Confirmation.address
    is_own = (number == Store.whatsapp) & (
        number == func.coalesce(Store.momo_number, number)
    )
    is_confirmed = Confirmation.confirmed_at.is_not(None)
    far = case(
        (is_confirmed & (is_own if kind == "phone" else true()), 4),
        (is_confirmed, 2),
        (is_sent, 3),
        else_=1,
    )
    return (
        select(func.max(far))
        .join(Membership, Membership.user_id == Confirmation.user_id)
        .join(Store, Store.id == Membership.store_id)
        .where(
            Membership.store_id == store_id,
            Membership.role == "owner",
            Confirmation.kind == kind,
        )
        .correlate(None)
        .scalar_subquery()
    )


def _phone(facts: Facts) -> Item:
    if facts.phone == "confirmed":
        return Item("phone", "done", "sell", "Your phone number is confirmed")
    if facts.phone == "another":
        said = (
            "The number you confirmed is not the one your store takes messages and money at: ask"
            " the owner of Makola"
        )
        return Item("phone", "missing", "sell", said)
    if not facts.can_send:
        return Item(
            "phone",
            "cannot_tell",
            "sell",
            "Your phone number cannot be confirmed here yet: the owner of Makola can open a store"
            " without it",
        )
    if facts.phone == "sent":
        said = "Type the code that was sent to your phone"
        return Item("phone", "waiting", "sell", said, "/confirm/phone")
    return Item(
        "phone", "missing", "sell", "Confirm your phone number", "/confirm/phone"
    )


def _terms(facts: Facts) -> Item:
    if facts.has_terms:
        return Item("terms", "done", "sell", "You agreed to the terms")
    return Item(
        "terms", "missing", "sell", "Read the terms and agree to them", "/terms"
    )


def _prices(facts: Facts) -> Item:
    if facts.networks:
        named = ", ".join(facts.networks)
        return Item("prices", "done", "sell", f"Your prices are set: {named}")
    if not facts.has_catalogue:
        said = "There are no bundles to price yet: they come with the supplier’s list"
        return Item("prices", "cannot_tell", "sell", said)
    return Item(
        "prices", "missing", "sell", "Set a price that is not hidden", "/prices"
    )


def _whatsapp(facts: Facts) -> Item:
    if facts.has_whatsapp:
        return Item("whatsapp", "done", "sell", "Customers can write to you")
    said = "Your store has no WhatsApp number: ask the owner of Makola to set it"
    return Item("whatsapp", "missing", "sell", said)


def _wallet(facts: Facts) -> Item:
    if facts.wallet_pesewas > 0:
        return Item("wallet", "done", "sell", "Your wallet has money")
    return Item("wallet", "missing", "sell", "Fund your wallet", "/wallet#fund")


def _approval(facts: Facts) -> Item:
    if facts.approval == "approved":
        return Item(
            "approval", "done", "sell", "The owner of Makola approved the store"
        )
    if facts.approval == "waiting":
        said = "The owner of Makola looks at your store: nothing is for you to do"
        return Item("approval", "waiting", "sell", said)
    said = f"Not approved: {facts.approval_note}"
    return Item("approval", "missing", "sell", said, "/#approval")


def _test(facts: Facts) -> Item:
    if facts.has_test:
        return Item("test", "done", "", "You made a test order")
    return Item(
        "test", "missing", "", "Make a test order: no money moves", "/test-order"
    )


def _email(facts: Facts) -> Item:
    if facts.email == "confirmed":
        return Item("email", "done", "", "Your e-mail address is confirmed")
    said = "Confirm your e-mail address, to hear from us there"
    if not facts.can_send:
        return Item("email", "cannot_tell", "", "Your e-mail address is not confirmed")
    state: State = "waiting" if facts.email == "sent" else "missing"
    return Item("email", state, "", said, "/confirm/email")
