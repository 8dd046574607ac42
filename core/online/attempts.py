"""Attempts to pay: each with a reference of its own, written down with the row that looks after it
before anything is asked of the gateway; and when each is looked at again."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from core import outbox
from core.base import clock, config
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.online import watching
from core.online.model import OnlinePayment, PricedOrder

PREFIX = "MK-P-"
OPEN = ("asked", "open")
"""States of an attempt at which its customer is; an order has one of them at most."""
_ALL = 10_000


@dataclass(frozen=True)
class Attempt:
    """An attempt as it was when a job took its row; read, never changed."""

    id: int
    store_id: int
    order_id: int | None
    reference: str
    state: str
    amount_pesewas: int
    created_at: datetime
    pays: bool
    """Whether it pays its order, or went into the wallet."""
    is_fee_known: bool
    way: str = "page"
    prompted_at: datetime | None = None
    """When its phone was asked, or may have been."""
    has_voucher: bool = False
    """A code waits to be taken to the gateway."""

    @property
    def is_prompt(self) -> bool:
        return self.way == "prompt"


@dataclass(frozen=True)
class Payer:
    """Whose phone is to be asked: a number in E.164, and the network that its owner names."""

    number: str
    network: str

    @property
    def key(self) -> str:
        """By which prompts to this phone are counted: a keyed hash, since the number is forgotten
        as soon as it was asked."""
        said = f"makola.payer/{self.number}".encode()
        key = config.current().secret_key.encode()
        return hmac.new(key, said, hashlib.sha256).hexdigest()[:32]


def is_configured() -> bool:
    """Whether there is a gateway at all."""
    return bool(config.current().paystack_secret_key)


def fee_of(price_pesewas: int) -> int:
    """What the gateway keeps of a price, rounded up, in pesewas: an estimate until it says so."""
    return -(-price_pesewas * config.current().gateway_fee_bp // _ALL)


def floor_of(agent_price_pesewas: int) -> int:
    """The least price at which the gateway's fee leaves the agent price, in pesewas."""
    left_bp = _ALL - config.current().gateway_fee_bp
    return -(-agent_price_pesewas * _ALL // left_bp)


@inside_use_case
def ask(order: PricedOrder, payer: Payer | None = None) -> OnlinePayment:
    """A new attempt for an order that waits for its payment, and the row that looks after it: at a
    page, or by a prompt on the phone of `payer`. Raises `IntegrityError` while another one is
    open."""
    of: dict[str, Any] = {
        "store_id": order.store_id,
        "purpose": "order",
        "order_id": order.id,
        "amount_pesewas": order.price_pesewas,
    }
    if payer is not None:
        of |= {
            "way": "prompt",
            "payer_number": payer.number,
            "payer_network": payer.network,
            "payer_key": payer.key,
        }
    return _ask(of)


@inside_use_case
def ask_for_wallet(store_id: int, amount_pesewas: int) -> OnlinePayment:
    """A new attempt to pay into a wallet, and the row that looks after it. Raises `IntegrityError`
    while another one is being opened."""
    return _ask(
        {
            "store_id": store_id,
            "purpose": "wallet",
            "amount_pesewas": amount_pesewas,
        }
    )


def _ask(of: dict[str, Any]) -> OnlinePayment:
    made = {
        "reference": PREFIX + secrets.token_hex(8).upper(),
        "mode": config.current().paystack_mode,
        "created_at": clock.now(),
        **of,
    }
    payment = db.session.scalars(
        insert(OnlinePayment).values(made).returning(OnlinePayment)
    ).one()
    outbox.add("watch_payment", payment.id, store_id=payment.store_id)
    return payment


def of_order(order_id: int) -> Sequence[OnlinePayment]:
    """The attempts for an order that this work may see, newest first."""
    return db.session.scalars(
        select(OnlinePayment)
        .where(OnlinePayment.order_id == order_id)
        .order_by(OnlinePayment.id.desc())
    ).all()


def of_wallet(store_id: int, limit: int) -> Sequence[OnlinePayment]:
    """The newest attempts to pay into a store's wallet, newest first."""
    return db.session.scalars(
        select(OnlinePayment)
        .where(OnlinePayment.store_id == store_id, OnlinePayment.purpose == "wallet")
        .order_by(OnlinePayment.id.desc())
        .limit(limit)
    ).all()


def by_reference(reference: str) -> OnlinePayment | None:
    """The payment with this reference, in what this work may see."""
    return db.session.scalar(
        select(OnlinePayment).where(OnlinePayment.reference == reference)
    )


def attempt(payment_id: int) -> Attempt:
    """An attempt as it is now."""
    row = db.session.get_one(OnlinePayment, payment_id)
    return Attempt(
        row.id,
        row.store_id,
        row.order_id,
        row.reference,
        row.state,
        row.amount_pesewas,
        row.created_at,
        row.is_used,
        row.fees_pesewas is not None,
        row.way,
        row.prompted_at,
        row.voucher is not None,
    )


@inside_use_case
def ring(payment: OnlinePayment, *, by_anybody: bool = False) -> None:
    """Somebody knows that it may have been paid: have the gateway asked, no sooner than
    `payment_ring_gap_s` after it was asked last; also when nothing looks after it any more. The
    ring proves nothing. `by_anybody`: of an
    attempt whose time is over it counts once in `payment_late_gap_s`."""
    row = watching.of_payment(payment.id)
    if row is None:
        watching.watch_again(payment.id, payment.store_id)
        return
    now = clock.now()
    if by_anybody and now >= expires_at(payment.created_at) and _rests(row, now):
        return
    due = now
    if row.looked_at is not None:
        due = max(now, row.looked_at + clock.delta(config.current().payment_ring_gap_s))
    is_rung = row.rung_at is not None and row.rung_at > (row.looked_at or row.rung_at)
    if (
        row.done_at is None
        and row.lease_until is None
        and is_rung
        and row.due_at <= due
    ):
        return
    outbox.make_due(row, due)


@inside_use_case
def ring_at(payment: OnlinePayment, at: datetime) -> bool:
    """Have the gateway asked about a payment at a moment to come. False when it is asked by then
    anyway."""
    row = watching.of_payment(payment.id)
    if row is None:
        watching.watch_again(payment.id, payment.store_id, at)
        return True
    if row.looked_at is not None:
        gap = clock.delta(config.current().payment_ring_gap_s)
        at = max(at, row.looked_at + gap)
    if row.done_at is None and row.due_at <= at:
        return False
    outbox.make_due(row, at)
    return True


def _rests(row: outbox.OutboxRow, now: datetime) -> bool:
    gap = clock.delta(config.current().payment_late_gap_s)
    return row.rung_at is not None and now < row.rung_at + gap


def expires_at(created_at: datetime) -> datetime:
    """Until when an attempt is waited for."""
    return created_at + clock.delta(config.current().pay_expires_s)


def next_look(of: Attempt, rung_at: datetime | None, state: str) -> datetime | None:
    """When an attempt that is in `state` now is looked at again: by the short ladder from its last
    ring, by the long one from its beginning. None: not any more.

    One that brought no order on its way is looked at once more when its time is over: its order
    may wait until then.
    """
    settings = config.current()
    now, end = clock.now(), expires_at(of.created_at)
    if state in ("refused", "ended") or (state == "paid" and of.is_fee_known):
        return None if of.pays or end <= now else end
    moments = [one for one in _in_time(of, state) if one < end]
    moments += [end, *_after(end, settings.payment_watch_ladder_s)]
    if rung_at is not None and state != "paid":
        moments += _after(rung_at, settings.payment_rung_ladder_s)
    return min((moment for moment in moments if moment > now), default=None)


def _in_time(of: Attempt, state: str) -> list[datetime]:
    """The moments of its ladder while its order may wait."""
    settings = config.current()
    if state == "asked":
        return _after(of.created_at, settings.payment_start_ladder_s)
    if of.prompted_at is not None:
        return _after(of.prompted_at, settings.payment_prompt_ladder_s)
    return _after(of.created_at, settings.payment_ladder_s)


def _after(begin: datetime, ladder_s: Sequence[float]) -> list[datetime]:
    return [begin + clock.delta(step) for step in ladder_s]
