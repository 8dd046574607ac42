"""Customers' numbers are not kept for ever: those of final orders are masked, by age or because
somebody asks.

The number stands whole in `orders` alone, and only the database's own function `makola_mask_orders`
may change it there: of final orders, and to the form that pages show strangers. It empties the
name, and takes the number out of the supplier's calls and webhooks of these orders too. States,
prices and postings stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, func, literal_column, select

from core import audit
from core.audit import Actor
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.base.preconditions import needs_across_stores
from core.cases import Case
from core.orders import batching, customers
from core.orders.drafting import forget_unplaced
from core.orders.model import Order
from core.orders.states import FINAL

BATCH = 500
BATCHES = 10
"""In one round of the relay's tidying; what is left is the next round's."""
_IS_WHOLE = literal_column("strpos(orders.recipient_msisdn, 'x')") == literal_column(
    "0"
)
"""As the index `ix_orders_whole_number` says it."""


@dataclass(frozen=True)
class Forgotten:
    """How many orders of a number were masked, and the codes of those that are not over and keep
    it."""

    masked: int
    open_codes: tuple[str, ...]


@needs_across_stores
def forget_old() -> int:
    """Mask the numbers of orders that ended longer ago than `retention_days`.

    Returns how many. An order about which a person is still asked keeps its number.
    """
    before = clock.now() - timedelta(days=config.current().retention_days)
    old = (
        select(Order.id)
        .where(Order.final_at < before, _is_over(), _IS_WHOLE, ~_is_asked_about())
        .order_by(Order.final_at)
        .limit(BATCH)
    )
    masked = 0
    for _ in range(BATCHES):
        with transaction() as session:
            found = session.scalars(old).all()
            masked += _mask(found)
        if len(found) < BATCH:
            break
    return masked


@needs_across_stores
def forget_number(
    recipient_msisdn: str,
    actor: Actor,
    store_id: int | None = None,
) -> Forgotten:
    """Mask a number now in all its final orders, of one store or of all.

    Orders that are not over, or about which a person is still asked, need it and keep it. The audit
    line says how many, never the number.
    """
    whole = select(Order).where(Order.recipient_msisdn == recipient_msisdn)
    if store_id is not None:
        whole = whole.where(Order.store_id == store_id)
    masked = 0
    while True:
        with transaction() as session:
            found = session.scalars(_maskable(whole)).all()
            now_masked = _mask(found)
            customers.forget_words(recipient_msisdn, store_id)
            forget_unplaced(recipient_msisdn, store_id)
        masked += now_masked
        # somebody else is forgetting the same number
        if len(found) < BATCH or not now_masked:
            break
    codes = tuple(order.shown_code for order in db.session.scalars(_first(whole)))
    _write(actor, masked, codes, store_id)
    return Forgotten(masked, codes)


def forget_own(recipient_msisdn: str, actor: Actor) -> Forgotten:
    """The same for the current store by its own agent, who was asked to. Which orders they are is
    read as the store; the platform alone may then mask them. Drafts go by themselves in an hour."""
    whole = select(Order).where(Order.recipient_msisdn == recipient_msisdn)
    masked = 0
    while True:
        found = db.session.scalars(_maskable(whole)).all()
        now_masked = _mask_as_platform(found)
        masked += now_masked
        if len(found) < BATCH or not now_masked:
            break
    codes = tuple(order.shown_code for order in db.session.scalars(_first(whole)))
    with transaction():
        customers.forget_words(recipient_msisdn)
        batching.forget_in_batches(recipient_msisdn)
        _write(actor, masked, codes, tenancy.current_store_id())
    return Forgotten(masked, codes)


def _write(
    actor: Actor, masked: int, codes: tuple[str, ...], store_id: int | None
) -> None:
    audit.write(
        actor,
        "forget_customer",
        "customers",
        {"orders": masked, "left_open": len(codes), "store": store_id},
    )


def _maskable(whole: Select[Order]) -> Select[int]:
    return (
        whole.with_only_columns(Order.id)
        .where(_is_over(), ~_is_asked_about())
        .order_by(Order.id)
        .limit(BATCH)
    )


@tenancy.as_platform
def _mask_as_platform(order_ids: Sequence[int]) -> int:
    with transaction():
        return _mask(order_ids)


def _first(query: Select[Order]) -> Select[Order]:
    return query.order_by(Order.id).limit(config.current().page_size)


def _is_over() -> ColumnElement[bool]:
    return Order.state.in_(sorted(FINAL))


def _is_asked_about() -> ColumnElement[bool]:
    return (
        select(Case.id)
        .where(Case.order_id == Order.id, Case.closed_at.is_(None))
        .exists()
    )


def _mask(order_ids: Sequence[int]) -> int:
    if not order_ids:
        return 0
    return int(db.session.scalar(select(func.makola_mask_orders(list(order_ids)))) or 0)
