"""The one place where a store's price is written: its row, a line of the audit, a line of the
history, and the store's version.

Decides which prices can be saved at all. Who changes them, and to what, is the callers': typed
prices (`prices`), a rule for many (`bulk`), a margin kept (`margins`).
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from sqlalchemy import func, select, update

from core import audit
from core.audit import Actor
from core.base import clock, money
from core.base.db import db
from core.base.locks import Lock
from core.base.phones import NETWORKS
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import current_store_id
from core.catalog.bundles import Bundle, StoreBundle, size_text
from core.catalog.history import PriceMove
from core.stores import Store

MOST_PRICE_PESEWAS = 1_000_000
"""GHS 10,000 for one bundle; more is a typing mistake."""

How = Literal["typed", "bulk", "kept_margin", "left"]
_ACTIONS: dict[How, str] = {
    "typed": "save_price",
    "bulk": "bulk_price",
    "kept_margin": "keep_margin",
    "left": "leave_price",
}
"""In the words of the audit."""


class ShownOtherwise(Refusal):
    """A cost, a price or the shelf has changed since the page was drawn."""

    sentence = (
        "Something changed since this page was drawn: a cost, a price or what is offered. Nothing"
        " was saved. Look the new list over, then save."
    )


class Priced(Protocol):
    """What a price is judged by: a bundle, or a line of the price table."""

    @property
    def network(self) -> str: ...
    @property
    def mb(self) -> int: ...
    @property
    def agent_price_pesewas(self) -> int: ...


class Wanted(NamedTuple):
    price_pesewas: int
    hidden: bool


def problem(bundle: Priced, price_pesewas: int) -> str | None:
    """Why a price cannot be saved, with the floor and what is missing to it; None when it can."""
    name = f"{NETWORKS[bundle.network].name} {size_text(bundle.mb)}"
    floor_pesewas = bundle.agent_price_pesewas
    if price_pesewas < floor_pesewas:
        loss = money.cedis(floor_pesewas - price_pesewas)
        return (
            f"{name} costs you {money.cedis(floor_pesewas)}. Type that or more;"
            f" {money.cedis(price_pesewas)} would lose {loss} on each order."
        )
    if price_pesewas > MOST_PRICE_PESEWAS:
        return (
            f"{money.cedis(price_pesewas)} for {name} is too high. Type"
            f" {money.cedis(MOST_PRICE_PESEWAS)} or less."
        )
    return None


@inside_use_case
def rows_held() -> dict[int, StoreBundle]:
    """The current store's prices by bundle, locked by id. Of two who save at once the second sees
    the first one's new rows too."""
    store = func.hashtext(str(current_store_id()))
    db.session.execute(select(func.pg_advisory_xact_lock(int(Lock.PRICES), store)))
    query = select(StoreBundle).order_by(StoreBundle.id).with_for_update()
    return {row.bundle_id: row for row in db.session.scalars(query)}


@inside_use_case
def write(
    own: StoreBundle | None,
    bundle: Bundle,
    wanted: Wanted,
    actor: Actor,
    how: How,
) -> None:
    """Write one price of the current store, for what the bundle costs now. `own` is its row of
    `rows_held`, or locked by the caller, who has asked `problem`; `bundle` is held."""
    before = Wanted(own.price_pesewas, own.hidden) if own else None
    if own is None:
        own = StoreBundle(bundle_id=bundle.id)
        db.session.add(own)
    now = clock.now()
    own.price_pesewas, own.hidden = wanted
    own.agent_price_pesewas = bundle.agent_price_pesewas
    own.changed_at = now
    db.session.add(
        PriceMove(
            bundle_id=bundle.id,
            at=now,
            by_name=actor.name,
            how=how,
            before_pesewas=before.price_pesewas if before else None,
            price_pesewas=wanted.price_pesewas,
            cost_pesewas=bundle.agent_price_pesewas,
            was_hidden=before.hidden if before else None,
            hidden=wanted.hidden,
        )
    )
    audit.write(
        actor,
        _ACTIONS[how],
        f"store:{current_store_id()}/bundle:{bundle.id}",
        {
            "price_pesewas": wanted.price_pesewas,
            "hidden": wanted.hidden,
            "before_pesewas": before.price_pesewas if before else None,
        },
    )


@inside_use_case
def moved() -> None:
    """The current store shows something else now."""
    db.session.execute(
        update(Store)
        .where(Store.id == current_store_id())
        .values(version=Store.version + 1)
    )
