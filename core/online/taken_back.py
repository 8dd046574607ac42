"""The gateway takes a payment back: a dispute that was lost or accepted, or a refund that we did
not order."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from core import cases
from core.audit import Actor
from core.base import clock, config, money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.ledger import Account, Entry, Kind, Posting, post
from core.online import standing, wallet_debts
from core.online.model import Dispute, OnlinePayment, PricedOrder, Unfit
from core.online.standing import balanced, locked_payment, paying, postings


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
    """The gateway took a funding back: the wallet gives what is free in it, the rest is our loss,
    which the store owes until it is settled. Returns that rest. Raises `Unfit`."""
    payment = _take(dispute, taken_pesewas)
    if payment.funded_at is None:
        raise Unfit("This payment did not go into a wallet.")
    free = wallet_debts.as_far_as_free(
        dispute.store_id,
        taken_pesewas,
        lambda free: _take_funding(dispute, taken_pesewas, free, actor, note),
    )
    _close(dispute, taken_pesewas)
    dispute.owed_pesewas = taken_pesewas - free
    db.session.flush()
    return taken_pesewas - free


@inside_use_case
def take_payment_back(
    payment: OnlinePayment, taken_pesewas: int, actor: Actor, note: str
) -> None:
    """So much of a payment of a locked row for an order is gone at the gateway, by nothing that we
    ordered: somebody gave it back in its dashboard. Raises `Unfit`."""
    dispute = Dispute(
        store_id=payment.store_id,
        payment_id=payment.id,
        amount_pesewas=taken_pesewas,
        category="reversed",
    )
    db.session.add(dispute)
    db.session.flush()
    reverse(dispute, taken_pesewas, actor, note)


def taken_of(payment_ids: Sequence[int]) -> dict[int, int]:
    """What the gateway took back of these payments, by their ids; those of which it did."""
    if not payment_ids:
        return {}
    rows = db.session.execute(
        select(Dispute.payment_id, func.sum(Dispute.taken_pesewas))
        .where(Dispute.payment_id.in_(payment_ids), Dispute.taken_pesewas > 0)
        .group_by(Dispute.payment_id)
    )
    return {row[0]: int(row[1]) for row in rows}


def left_of_funding(payment: OnlinePayment) -> int:
    """What the gateway may still take back of a funding."""
    return (payment.charged_pesewas or 0) - standing.taken(payment.id)


def unbooked_of_funding(payment: OnlinePayment) -> int:
    """What the disputes that were lost took of a funding, less what is booked: the look at its
    payment may have come first, and books in a row of its own."""
    db.session.flush()
    lost = db.session.scalar(
        select(func.sum(Dispute.amount_pesewas)).where(
            Dispute.payment_id == payment.id,
            Dispute.gateway_id.is_not(None),
            Dispute.state.in_(("lost", "accepted", "auto_accepted")),
        )
    )
    whole = payment.charged_pesewas or 0
    return min(int(lost or 0), whole) - standing.taken(payment.id)


@inside_use_case
def take_funding_back(payment: OnlinePayment, taken_pesewas: int, actor: Actor) -> int:
    """So much of a funding of a locked row is gone at the gateway: booked, and a person is asked
    about what the store owes of it. Returns that. Raises `Unfit`."""
    dispute = Dispute(
        store_id=payment.store_id,
        payment_id=payment.id,
        amount_pesewas=taken_pesewas,
        category="reversed",
    )
    db.session.add(dispute)
    db.session.flush()
    return take_disputed_funding(payment, dispute, taken_pesewas, actor)


@inside_use_case
def take_disputed_funding(
    payment: OnlinePayment,
    dispute: Dispute,
    taken_pesewas: int,
    actor: Actor,
    note: str = "",
) -> int:
    """The same by a dispute that is there."""
    rest = fund_reversed(dispute, taken_pesewas, actor, note)
    if rest:
        evidence = {
            "payment": payment.reference,
            "taken_pesewas": dispute.taken_pesewas,
            "owed_pesewas": rest,
        }
        cases.open_case(
            wallet_debts.CASE, payment.subject, evidence, store_id=payment.store_id
        )
    return rest


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
    _post_loss(payment, amount_pesewas, actor)
    if payment.funded_at is not None:
        wallet_debts.given(payment, amount_pesewas)


@inside_use_case
def bear_at_delivery(order: PricedOrder, actor: Actor) -> int:
    """A locked order is just delivered and earned: what disputes took of its payment before, beyond
    what was owed, the agent bears by the owner's setting. Returns that, in pesewas."""
    if config.current().dispute_loss_bearer != "agent":
        return 0
    if (payment := paying(order.id)) is None:
        return 0
    by_disputes = db.session.scalar(
        select(func.sum(Dispute.taken_pesewas)).where(
            Dispute.payment_id == payment.id, Dispute.gateway_id.is_not(None)
        )
    )
    lost = min(int(by_disputes or 0), loss_of(payment))
    if lost <= 0:
        return 0
    _post_loss(payment, lost, actor)
    return lost


def _post_loss(payment: OnlinePayment, amount_pesewas: int, actor: Actor) -> None:
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
    whole = payment.charged_pesewas or 0
    is_funding = payment.funded_at is not None
    if is_funding and standing.taken(payment.id) + taken_pesewas > whole:
        raise Unfit("The gateway takes no more of a funding than was paid.")
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
