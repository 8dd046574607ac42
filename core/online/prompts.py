"""Prompts on a phone, the second way to pay online: whether they are on, how many one phone gets,
how long a number and a code are kept, and when a prompt may be on a phone no more.

What asks a phone is a call that must not be made twice: it is claimed before (`prompted_at`), and
what was claimed is looked up for ever. `core.taking.prompts` does that.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select, text

from core.audit import Actor
from core.base import clock, config
from core.base.db import db, rows_changed, transaction
from core.base.preconditions import needs_across_stores
from core.online.attempts import Payer
from core.online.model import OnlinePayment
from core.online.switch import is_set, set_to

KEY = "pay_by_prompt"
Step = Literal["approve_on_phone", "enter_otp", "waiting", "unknown"]
"""What the owner of the phone is to do. *unknown*: nobody knows whether it was asked."""
_HOUR = timedelta(hours=1)


def are_on() -> bool:
    """Whether customers may be asked on their phones, where they may pay online at all."""
    return is_set(KEY)


def switch(on: bool, actor: Actor) -> None:
    """For all stores that are paid online. Writes an audit line."""
    set_to(KEY, on, actor)


def had_enough(payer: Payer) -> bool:
    """Whether this phone was asked as often as it may be within an hour, in what this work may see:
    whoever orders may type anybody's number."""
    asked = select(func.count()).where(
        OnlinePayment.payer_key == payer.key,
        OnlinePayment.created_at > clock.now() - _HOUR,
    )
    most = config.current().prompts_per_number_hour
    return int(db.session.scalar(asked) or 0) >= most


def began_at(payment: OnlinePayment) -> datetime:
    """From when a prompt of this attempt may be on a phone."""
    return payment.prompted_at or payment.created_at


def masked(number: str) -> str:
    """A number as it is kept once it was used, like those of orders: `+23324xxx4567`."""
    return f"{number[:6]}xxx{number[9:]}"


@needs_across_stores
def forget() -> int:
    """Mask numbers whose attempts are over without having asked them, and drop codes that nobody
    could take to the gateway. Returns how many rows."""
    settings, now = config.current(), clock.now()
    with transaction():
        return rows_changed(
            _FORGET,
            {
                "old": now - clock.delta(settings.voucher_kept_s),
                "over": now - clock.delta(settings.pay_expires_s),
            },
        )


_FORGET = text(
    "UPDATE online_payments SET voucher = NULL, voucher_at = NULL,"
    " payer_number = left(payer_number, 6) || 'xxx' || substr(payer_number, 10)"
    " WHERE (voucher IS NOT NULL OR strpos(payer_number, 'x') = 0)"
    " AND (voucher_at < :old OR (created_at < :over AND strpos(payer_number, 'x') = 0))"
)
