"""An agent funds their wallet online: whether they may now, what they typed, and the press. As an
order is paid: the press writes an attempt down, a worker asks the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from core import audit, online
from core.audit import Actor
from core.base import clock, config, money, text_input
from core.base.db import db, transaction
from core.base.refusal import Refusal
from core.online import OnlinePayment
from core.stores import Store
from core.taking import asking

SHOWN = 5
"""Attempts that a page shows."""
MOST_AN_HOUR = 10
"""Attempts of one store within an hour that came to nothing."""
_ALL = 10_000


class NoFunding(Refusal):
    """The wallet cannot be funded online now. `sentence` says why, and what else helps."""


@dataclass
class Ask:
    """What an agent typed, and what is wrong with it by field."""

    amount_text: str = ""
    amount_pesewas: int = 0
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, amount_text: str) -> Ask:
        one = cls(text_input.one_line(amount_text, 40))
        try:
            one.amount_pesewas = money.parse_ghs(one.amount_text)
        except money.BadAmount as bad:
            one.problems["online"] = bad.sentence
            return one
        settings = config.current()
        least, most = settings.fund_least_pesewas, settings.fund_most_pesewas
        if not least <= one.amount_pesewas <= most:
            one.problems["online"] = (
                f"Type an amount from {money.cedis(least)} to {money.cedis(most)}, like"
                f" {money.format_ghs(least)}."
            )
        return one

    @property
    def fee_pesewas(self) -> int:
        """About what the gateway keeps of it, which we bear: the wallet has all of the amount."""
        return -(-self.amount_pesewas * config.current().gateway_fee_bp // _ALL)


def is_offered() -> bool:
    """Whether wallets are funded online at all: there is a gateway, and the owner has it on."""
    return online.is_configured() and online.platform_is_on()


def why_not(store: Store) -> str | None:
    """Why this store's wallet cannot be funded online now; None when it can."""
    if not is_offered():
        return (
            "Wallets are not funded online now. Pay the owner of Makola, and ask for it on the"
            " wallet’s page."
        )
    if store.is_hidden or store.approval != "approved":
        return "This waits until the owner of Makola has approved your store."
    if store.status == "suspended":
        return "Your store is suspended: ask the owner of Makola first."
    return None


def ask(store: Store, asked: Ask, actor: Actor) -> OnlinePayment:
    """A new attempt to pay so much into the wallet, or the one at which this store is just now:
    pressed twice, it is one. Writes an audit line. Raises `NoFunding`."""
    if sentence := why_not(store):
        raise NoFunding(sentence)
    try:
        return _ask(store.id, asked.amount_pesewas, actor)
    except IntegrityError:
        return _ask(store.id, asked.amount_pesewas, actor)  # of two the other made it


def _ask(store_id: int, amount_pesewas: int, actor: Actor) -> OnlinePayment:
    with transaction():
        if present := present_of(store_id):
            return present
        if not has_tries(store_id):
            raise NoFunding(
                "Too many payments of the last hour came to nothing. Wait an hour, or pay the owner"
                " of Makola and ask for it below."
            )
        payment = online.ask_for_wallet(store_id, amount_pesewas)
        detail = {"amount_pesewas": amount_pesewas, "reference": payment.reference}
        audit.write(actor, "fund_online", f"store:{store_id}", detail)
        return payment


def present_of(store_id: int) -> OnlinePayment | None:
    """The attempt at which somebody of this store may be: its prompt may be on a phone."""
    newest = next(iter(online.of_wallet(store_id, 1)), None)
    return newest if newest is not None and not asking.is_over(newest) else None


def has_tries(store_id: int) -> bool:
    """Whether the store may try once more: a gateway is not asked without end."""
    wasted = db.session.scalar(
        select(func.count()).where(
            OnlinePayment.store_id == store_id,
            OnlinePayment.purpose == "wallet",
            OnlinePayment.state != "paid",
            OnlinePayment.created_at > clock.now() - timedelta(hours=1),
        )
    )
    return int(wasted or 0) < MOST_AN_HOUR


def one(store_id: int, payment_id: int) -> OnlinePayment | None:
    """An attempt to pay into this store's wallet; None for a number that is none."""
    return db.session.scalar(
        select(OnlinePayment).where(
            OnlinePayment.id == payment_id,
            OnlinePayment.store_id == store_id,
            OnlinePayment.purpose == "wallet",
        )
    )


def leads_to(payment: OnlinePayment) -> OnlinePayment:
    """Where somebody at this attempt is led: to itself, or to the one that took its place."""
    newest = next(iter(online.of_wallet(payment.store_id, 1)), payment)
    is_replaced = payment.state == "watched" and newest.state in online.OPEN
    return newest if is_replaced else payment


def newest(store_id: int) -> Sequence[OnlinePayment]:
    """The newest attempts of a store, newest first."""
    return online.of_wallet(store_id, SHOWN)


def returned(payment: OnlinePayment) -> None:
    """Somebody came back from the gateway's page, which proves nothing: have it asked."""
    if payment.state not in ("paid", "refused", "ended"):
        with transaction():
            online.ring(payment, by_anybody=True)
