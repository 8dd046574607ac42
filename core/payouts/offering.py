"""What a store could be paid out now, or in a sentence why nothing can. Pages ask this, and so does
who asks for it, inside their transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import exists, func, select

from core.base import clock, config, money, phones
from core.base.db import db
from core.online import Payout, PayoutAccount, payable
from core.online.model import OPEN_PAYOUT
from core.online.paid_to import account
from core.payouts import stopping
from core.stores import Store

BACK = ("failed", "rejected", "cancelled")
"""Payouts that never left."""
As = Literal["now", "weekly"]


@dataclass(frozen=True)
class Offer:
    """What a store could be paid out now. `problem`: why not, and what to do; empty when it
    could."""

    payable_pesewas: int
    amount_pesewas: int
    fee_pesewas: int
    problem: str = ""

    @property
    def whole_pesewas(self) -> int:
        return self.amount_pesewas + self.fee_pesewas


def offer(store_id: int, asked_as: As = "now") -> Offer:
    """What one store could be paid out, and to its number."""
    settings = config.current()
    free, fee = payable(store_id), settings.payout_fee_pesewas
    left = settings.payout_day_pesewas - _sum_of_today(store_id)
    amount = min(free, left) - fee
    problem = (
        _standing_still(store_id)
        or _number(account(store_id))
        or _under_way(store_id)
        or (asked_as == "now" and _asked_today(store_id))
        or _too_little(free, amount)
    )
    return Offer(free, max(0, amount), fee, problem or "")


def _standing_still(store_id: int) -> str:
    if stopping.stopped() is not None:
        return stopping.SENTENCE
    status = db.session.scalar(select(Store.status).where(Store.id == store_id))
    if status == "suspended":
        return "This store is suspended: its earnings stay until it is not."
    return ""


def _number(to: PayoutAccount | None) -> str:
    if to is None or to.state == "refused":
        return "Say first to which number your earnings go."
    if to.state == "checking":
        return "Your number is being checked with its network. Look again in a minute."
    if to.state == "asked":
        return "The owner of Makola looks at your number: nothing is for you to do."
    if to.waits:
        return (
            f"Your number was changed: nothing is paid to {phones.show(to.number)} before"
            f" {clock.shown(to.usable_from)}."
        )
    return ""


def _under_way(store_id: int) -> str:
    is_open = Payout.state.in_(OPEN_PAYOUT)
    if db.session.scalar(select(exists().where(Payout.store_id == store_id, is_open))):
        return "A payout of this store is under way. Wait until it is over."
    return ""


def _asked_today(store_id: int) -> str:
    today = exists().where(
        Payout.store_id == store_id,
        Payout.asked_as == "now",
        Payout.requested_at >= clock.accra_midnight(),
        Payout.state.not_in(BACK),
    )
    if db.session.scalar(select(today)):
        return "You were paid out today. Once a day is how often you can ask: come back tomorrow."
    return ""


def _too_little(free: int, amount: int) -> str:
    least = config.current().payout_least_pesewas
    fee = config.current().payout_fee_pesewas
    if amount >= least:
        return ""
    if free - fee >= least:
        most = money.cedis(config.current().payout_day_pesewas)
        return f"At most {most} is paid out on one day. Come back tomorrow."
    return (
        f"{money.cedis(max(0, free))} can be paid out. The least is {money.cedis(least)}, with"
        f" {money.cedis(fee)} for the fee."
    )


def _sum_of_today(store_id: int) -> int:
    found = db.session.scalar(
        select(func.sum(Payout.amount_pesewas + Payout.fee_pesewas)).where(
            Payout.store_id == store_id,
            Payout.requested_at >= clock.accra_midnight(),
            Payout.state.not_in(BACK),
        )
    )
    return int(found or 0)
