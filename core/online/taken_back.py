"""The gateway takes a payment back: a dispute that was lost or accepted, or a refund that we did
not order."""

from __future__ import annotations

from sqlalchemy import func, select

from core import ledger
from core.audit import Actor
from core.base import clock, money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.ledger import Account, Entry, InsufficientWallet, Kind, Posting, post
from core.online import standing
from core.online.model import Dispute, OnlinePayment, PricedOrder, Unfit
from core.online.standing import balanced, locked_payment, postings


@inside_use_case
def reverse(dispute: Dispute, taken_pesewas: int, actor: Actor, note: str = "") -> None:
    """The gateway took so much of a payment for an order: it pays what is owed back of it first,
    the rest is our loss. `note` says in the books how it came to that. Raises `Unfit`."""
    payment = _take(dispute, taken_pesewas)
    if payment.funded_at is not None:
        raise Unfit("This payment went into a wallet: book it as a funding taken back.")
    legs = balanced(payment.id, [("gateway", -taken_pesewas)], take=taken_pesewas)
    post(
        "reversed",
        legs,
        actor,
        store_id=dispute.store_id,
        subject=dispute.subject,
        note=note,
    )
    _close(dispute, taken_pesewas)


@inside_use_case
def fund_reversed(
    dispute: Dispute, taken_pesewas: int, actor: Actor, note: str = ""
) -> int:
    """The gateway took a funding back: the wallet gives what is free in it, the rest is our loss
    until it is settled. Returns that rest. Raises `Unfit`."""
    payment = _take(dispute, taken_pesewas)
    if payment.funded_at is None:
        raise Unfit("This payment did not go into a wallet.")
    free = min(taken_pesewas, ledger.wallet_of(dispute.store_id).available_pesewas)
    try:
        _take_funding(dispute, taken_pesewas, free, actor, note)
    except InsufficientWallet as short:
        # spent meanwhile; the wallet is locked by now
        free = max(0, short.available_pesewas)
        _take_funding(dispute, taken_pesewas, free, actor, note)
    _close(dispute, taken_pesewas)
    return taken_pesewas - free


@inside_use_case
def loss_to_agent(
    payment: OnlinePayment,
    amount_pesewas: int,
    actor: Actor,
    order: PricedOrder | None = None,
) -> None:
    """The agent bears a part of our loss of a locked payment, out of the earnings. `order` is the
    one it pays. Raises `Unfit`."""
    if payment.pays_order_id != (order.id if order else None):
        raise Unfit("Name the order that this payment pays.")
    if order is not None and order.state not in ("completed", "refunded", "cancelled"):
        raise Unfit("The order is under way: what is lost is known at its end.")
    lost = loss_of(payment, order)
    if not 0 < amount_pesewas <= lost:
        raise Unfit(
            f"{money.cedis(max(0, lost))} is lost of this payment; the agent bears no more."
        )
    post(
        "loss_to_agent",
        [("earnings", amount_pesewas), ("dispute_loss", -amount_pesewas)],
        actor,
        store_id=payment.store_id,
        subject=payment.subject,
        n=postings(payment.subject, "loss_to_agent") + 1,
    )


def loss_of(payment: OnlinePayment, order: PricedOrder | None = None) -> int:
    """Our loss of a payment now, in pesewas; `order` is the one it pays. By its rows and what the
    store gave."""
    lost = standing.lost(payment.id)
    if order is not None and order.state == "completed" and payment.owed_pesewas:
        # given back after delivery: the agent gave the profit
        lost += order.agent_price_pesewas + (payment.agent_fee_pesewas or 0)
    return lost - _given(payment)


def _given(payment: OnlinePayment) -> int:
    """What the store's wallet or earnings gave for our loss of a payment."""
    disputes = select("dispute:" + func.text(Dispute.id)).where(
        Dispute.payment_id == payment.id
    )
    found = db.session.scalar(
        select(func.sum(Entry.amount_pesewas))
        .join(Posting, Posting.id == Entry.posting_id)
        .join(Account, Account.id == Entry.account_id)
        .where(
            Account.store_id == payment.store_id,
            (Posting.subject == payment.subject)
            & (Posting.kind == "loss_to_agent")
            & (Account.name == "earnings")
            | Posting.subject.in_(disputes)
            & (Posting.kind == "fund_reversed")
            & (Account.name == "wallet"),
        )
    )
    return int(found or 0)


def _take(dispute: Dispute, taken_pesewas: int) -> OnlinePayment:
    payment = locked_payment(dispute.payment_id)
    if payment.state != "paid" or dispute.taken_pesewas or dispute.state == "won":
        raise Unfit(
            "This was booked already, or was won, or the payment never came in."
        )
    if not 0 < taken_pesewas <= dispute.amount_pesewas:
        raise Unfit("Name what the gateway took: no more than is disputed.")
    return payment


def _take_funding(
    dispute: Dispute, whole: int, free: int, actor: Actor, note: str
) -> None:
    legs = [("wallet", free), ("dispute_loss", whole - free), ("gateway", -whole)]
    kind: Kind = "fund_reversed"
    post(
        kind,
        legs,
        actor,
        store_id=dispute.store_id,
        subject=dispute.subject,
        note=note,
    )


def _close(dispute: Dispute, taken_pesewas: int) -> None:
    dispute.taken_pesewas = taken_pesewas
    if dispute.state not in ("accepted", "auto_accepted"):
        dispute.state = "lost"
    dispute.ended_at = clock.now()
