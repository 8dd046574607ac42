"""Whether customers may pay by card besides mobile money, and how much a store and day: a card's
holder may take the money back for months, and then it is ours that is gone.

Off until the platform's people name an amount. Never for money into a wallet.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from core import audit
from core.audit import Actor
from core.base import clock, config, money
from core.base.db import db, transaction
from core.base.locks import Lock
from core.base.refusal import Refusal
from core.base.tenancy import as_platform
from core.catalog import Setting
from core.online.model import OnlinePayment

KEY = "pay_by_card"
CARD = "card"
"""The gateway's word."""


class BadLimit(Refusal):
    """A daily limit that cannot be. `sentence` says what can."""


def daily_limit_pesewas() -> int:
    """How much cards may bring a store a day; 0: none are taken."""
    limit = Setting.value["daily_pesewas"].as_integer()
    return db.session.scalar(select(limit).where(Setting.key == KEY)) or 0


@as_platform
def set_daily_limit(limit_pesewas: int, actor: Actor) -> None:
    """From now on; 0 takes no cards any more. Writes an audit line. Raises `BadLimit`."""
    if not 0 <= limit_pesewas <= money.MOST_PESEWAS:
        raise BadLimit("Type an amount between nothing and GH₵ 1,000,000.00.")
    with transaction() as session:
        if limit_pesewas:
            value = {"daily_pesewas": limit_pesewas}
            named = insert(Setting).values(key=KEY, value=value)
            session.execute(
                named.on_conflict_do_update(
                    index_elements=[Setting.key], set_={"value": value}
                )
            )
        else:
            session.execute(delete(Setting).where(Setting.key == KEY))
        did = f"pay_by_card_{'on' if limit_pesewas else 'off'}"
        audit.write(actor, did, "platform", {"daily_pesewas": limit_pesewas})


def offer(payment_id: int) -> bool:
    """Whether this attempt may be paid by card too, which its row then says. It may while what
    cards brought the store today, and what they still may bring, leaves room for it."""
    with transaction() as session:
        limit_pesewas = daily_limit_pesewas()
        payment = session.get_one(OnlinePayment, payment_id)
        is_page = payment.purpose == "order" and payment.payer_number is None
        if not limit_pesewas or not is_page:
            return False
        session.execute(
            select(func.pg_advisory_xact_lock(int(Lock.CARDS), payment.store_id))
        )
        used = session.scalar(
            select(func.coalesce(func.sum(_AMOUNT), 0)).where(
                OnlinePayment.store_id == payment.store_id,
                OnlinePayment.id != payment.id,
                OnlinePayment.by_card_too,
                _counts(),
            )
        )
        payment.by_card_too = int(used or 0) + payment.amount_pesewas <= limit_pesewas
        return payment.by_card_too


_AMOUNT = func.coalesce(OnlinePayment.charged_pesewas, OnlinePayment.amount_pesewas)


def _counts() -> ColumnElement[bool]:
    """Asked for today and paid by card, or asked for so lately that a card may still pay it."""
    since = clock.now() - clock.delta(config.current().pay_expires_s)
    return and_(
        OnlinePayment.created_at >= min(since, clock.accra_midnight()),
        or_(
            OnlinePayment.channel == CARD,
            and_(OnlinePayment.paid_at.is_(None), OnlinePayment.created_at >= since),
        ),
    )
