"""Asking for a payout, and taking that back before it was sent.

What could be had is decided in `offering`, by which the asking transaction looks again.
"""

from __future__ import annotations

import secrets

from sqlalchemy import exists, select

from core import audit, outbox
from core.audit import Actor
from core.base import clock, config, money
from core.base.db import db, transaction
from core.base.in_store import as_platform_in_store
from core.base.preconditions import inside_use_case
from core.online import (
    Payout,
    Unfit,
    locked,
    payout_returned,
    request_payout,
)
from core.online.paid_to import account
from core.payouts.offering import As, offer
from core.payouts.refusing import (
    BadPayout,
    NoSuchPayout,
    needs_second_step,
)
from core.stores import Store

KIND: outbox.Kind = "send_payout"


@as_platform_in_store
def ask(store_id: int, amount_pesewas: int, actor: Actor) -> Payout:
    """Ask for what the page has shown, which may be less than there is by now. Raises
    `BadPayout`."""
    needs_second_step(actor)
    with transaction():
        return place(store_id, "now", amount_pesewas, actor)


@as_platform_in_store
def cancel(store_id: int, payout_id: int, actor: Actor) -> bool:
    """The agent takes back what was not sent yet. False when that was done. Raises
    `NoSuchPayout`, `BadPayout`."""
    with transaction():
        found = _locked_of(store_id, payout_id)
        if found.state == "cancelled":
            return False
        call_off(found, "", actor)
        return True


@inside_use_case
def call_off(found: Payout, words: str, actor: Actor) -> None:
    """End a locked payout before it was sent. One that was, and is to be sent again since the
    gateway knows nothing of it, is not: a gateway that is slower than that proof would pay it.
    Raises `BadPayout`."""
    no = BadPayout(
        "It is at the gateway already, or over: nothing was changed. Look at it again."
    )
    if found.sent_at is not None:
        raise no
    try:
        payout_returned(found, "cancelled", actor)
    except Unfit:
        raise no from None
    found.words = words
    detail = {"amount_pesewas": found.amount_pesewas, "reference": found.reference}
    if words:
        detail["reason"] = words
    audit.write(actor, "cancel_payout", f"store:{found.store_id}", detail)


@inside_use_case
def place(store_id: int, asked_as: As, amount_pesewas: int, actor: Actor) -> Payout:
    turn(store_id)
    what = offer(store_id, asked_as)
    if what.problem:
        raise BadPayout(what.problem)
    least = config.current().payout_least_pesewas
    if not least <= amount_pesewas <= what.amount_pesewas:
        raise BadPayout(
            f"{money.cedis(what.amount_pesewas)} can be paid out now. Look at the amount and press"
            " again."
        )
    to = account(store_id)
    assert to is not None  # the offer has looked
    whole = amount_pesewas + what.fee_pesewas
    needs_two = whole > config.current().payout_by_itself_pesewas
    try:
        made = request_payout(
            store_id,
            amount_pesewas,
            what.fee_pesewas,
            way="momo",
            reference=f"mk-w-{secrets.token_hex(8)}",
            account=to.number,
            account_name=to.account_name or to.person,
            actor=actor,
            asked_as=asked_as,
            account_id=to.id,
            recipient_code=to.recipient_code,
            needs_two=needs_two,
        )
    except Unfit as unfit:
        raise BadPayout(unfit.sentence) from None
    if not needs_two:
        made.state, made.approved_by, made.approved_at = (
            "approved",
            "Makola",
            clock.now(),
        )
        outbox.add(KIND, made.id, store_id=store_id)
    detail = {"amount_pesewas": amount_pesewas, "reference": made.reference}
    audit.write(actor, "ask_payout", f"store:{store_id}", detail)
    return made


@inside_use_case
def _locked_of(store_id: int, payout_id: int) -> Payout:
    mine = exists().where(Payout.id == payout_id, Payout.store_id == store_id)
    if not db.session.scalar(select(mine)):
        raise NoSuchPayout
    return locked(Payout, payout_id)


@inside_use_case
def turn(store_id: int) -> None:
    """Who asks, and who names a number, does so one after the other."""
    db.session.execute(
        select(Store.id).where(Store.id == store_id).with_for_update(key_share=True)
    )
