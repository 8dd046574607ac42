"""What a store owes of wallet fundings that the gateway took back: what was not free in the wallet
by then. Until it is settled the store may not process orders.

The next funding settles it, as far as that reaches; or a person of the platform does, out of the
wallet or by bearing it. Rows are locked before accounts: payment, case, dispute, accounts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Select, func, select

from core import cases, ledger
from core.audit import SYSTEM, Actor
from core.base import money
from core.base.db import db, joined_transaction
from core.base.preconditions import inside_use_case
from core.cases import Case
from core.ledger import InsufficientWallet, post
from core.online.model import Dispute, OnlinePayment, Unfit
from core.online.standing import locked_payment, postings

CASE = "funding_reversed"


def owed(store_id: int) -> int:
    """What the store owes now, in pesewas."""
    return int(db.session.scalar(owed_in(store_id)) or 0)


def owed_in(store_id: Any) -> Select[Any]:
    """`owed`, as a part of a larger statement."""
    return select(func.coalesce(func.sum(Dispute.owed_pesewas), 0)).where(
        Dispute.store_id == store_id, Dispute.owed_pesewas > 0
    )


def owed_of(payment_id: int) -> int:
    """What is still owed of one funding, in pesewas."""
    found = db.session.scalar(
        select(func.sum(Dispute.owed_pesewas)).where(Dispute.payment_id == payment_id)
    )
    return int(found or 0)


def fund_wallet(
    store_id: int,
    amount_pesewas: int,
    reason: str,
    actor: Actor,
    seen_entry_id: int | None = None,
) -> int:
    """`ledger.fund_wallet`, and what the store owes is settled out of it. Returns the posting's
    id."""
    with joined_transaction():
        debts = locked_debts(store_id)
        posting_id = ledger.fund_wallet(
            store_id, amount_pesewas, reason, actor, seen_entry_id
        )
        settle(debts, actor)
        return posting_id


@inside_use_case
def locked_debts(store_id: int) -> list[Dispute]:
    """The fundings that the store still owes something of, the oldest first; locked, since the
    wallet must be locked after them."""
    owing = (
        select(Dispute.payment_id)
        .where(Dispute.store_id == store_id, Dispute.owed_pesewas > 0)
        .distinct()
        .order_by(Dispute.payment_id)
    )
    found: list[Dispute] = []
    for payment_id in db.session.scalars(owing).all():
        payment = locked_payment(payment_id)
        _case_of(payment)
        found += _locked_of(payment.id)
    return found


@inside_use_case
def settle(debts: list[Dispute], actor: Actor) -> None:
    """Take what is free in the wallet for these debts; where a funding is settled whole, its case
    is closed."""
    for dispute in debts:
        _take(dispute, actor)
        payment = db.session.get_one(OnlinePayment, dispute.payment_id)
        case = _case_of(payment) if not owed_of(payment.id) else None
        if case is not None:
            cases.close_row(case, "Settled out of the wallet, by a funding.", SYSTEM)


@inside_use_case
def take_all(payment_id: int, actor: Actor) -> None:
    """Take all that is owed of a funding out of the wallet. Raises `Unfit` where less is free."""
    payment = locked_payment(payment_id)
    for dispute in _locked_of(payment.id):
        _take(dispute, actor)
    if left := owed_of(payment.id):
        raise Unfit(
            f"{money.cedis(left)} more is owed than is free in the wallet. Wait for a funding, or"
            " bear the loss."
        )


@inside_use_case
def bear(payment_id: int) -> None:
    """We bear what is still owed of a funding: nothing moves, it was our loss already."""
    payment = locked_payment(payment_id)
    for dispute in _locked_of(payment.id):
        dispute.borne_pesewas += dispute.owed_pesewas
        dispute.owed_pesewas = 0
    db.session.flush()


@inside_use_case
def given(payment: OnlinePayment, amount_pesewas: int) -> None:
    """The store gave so much for a funding by another way: it owes less, or we bear less."""
    rows = select(Dispute).where(Dispute.payment_id == payment.id).order_by(Dispute.id)
    for dispute in db.session.scalars(rows.with_for_update(key_share=True)):
        for name in ("owed_pesewas", "borne_pesewas"):
            part = min(amount_pesewas, getattr(dispute, name))
            setattr(dispute, name, getattr(dispute, name) - part)
            amount_pesewas -= part
    db.session.flush()


@inside_use_case
def as_far_as_free(
    store_id: int, most_pesewas: int, book: Callable[[int], None]
) -> int:
    """`book` with what is free in a wallet, at most so much. Returns what was taken."""
    free = min(most_pesewas, ledger.wallet_of(store_id).available_pesewas)
    try:
        book(free)
    except InsufficientWallet as short:
        # spent meanwhile; the wallet is locked by now
        free = max(0, min(most_pesewas, short.available_pesewas))
        book(free)
    return free


def _take(dispute: Dispute, actor: Actor) -> None:
    def book(free: int) -> None:
        if free:
            post(
                "fund_reversed",
                [("wallet", free), ("dispute_loss", -free)],
                actor,
                store_id=dispute.store_id,
                subject=dispute.subject,
                n=postings(dispute.subject, "fund_reversed") + 1,
                note="what was still owed of it",
            )

    dispute.owed_pesewas -= as_far_as_free(dispute.store_id, dispute.owed_pesewas, book)
    db.session.flush()


def _locked_of(payment_id: int) -> list[Dispute]:
    rows = (
        select(Dispute)
        .where(Dispute.payment_id == payment_id, Dispute.owed_pesewas > 0)
        .order_by(Dispute.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(db.session.scalars(rows))


def _case_of(payment: OnlinePayment) -> Case | None:
    """The open case about it, locked."""
    return db.session.scalar(
        select(Case)
        .where(
            Case.kind == CASE,
            Case.subject == payment.subject,
            Case.closed_at.is_(None),
        )
        .with_for_update()
    )
