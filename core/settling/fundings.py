"""What a person's press does about a wallet funding that the gateway took back: it is booked,
settled out of the wallet, or borne by us. Under the locks of `acting`, which has its payment's
row."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from core import online
from core.audit import Actor
from core.base import money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.cases import Case
from core.online import Dispute, OnlinePayment, wallet_debts
from core.settling.facts import ActionRefused, payment_of

Deed = Callable[[Case, int, Actor], str]
"""Of a case, so many pesewas, by a person; what was done, in a sentence."""


@inside_use_case
def take_back(case: Case, amount_pesewas: int, actor: Actor) -> str:
    """All of it was taken back at the gateway, by a person's word."""
    rest = online.take_funding_back(_of(case), amount_pesewas, actor)
    said = f"{money.cedis(amount_pesewas)} of the funding is booked as taken back."
    return f"{said} The store owes {money.cedis(rest)} of it." if rest else said


@inside_use_case
def settle(case: Case, amount_pesewas: int, actor: Actor) -> str:
    """The wallet gives what is owed. Raises `ActionRefused`."""
    try:
        wallet_debts.take_all(_of(case).id, actor)
    except online.Unfit as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    return f"{money.cedis(amount_pesewas)} is taken out of the wallet: nothing of it is owed."


@inside_use_case
def bear(case: Case, amount_pesewas: int, _actor: Actor) -> str:
    """We bear what is owed."""
    wallet_debts.bear(_of(case).id)
    return f"Makola bears the loss of {money.cedis(amount_pesewas)}: nothing of it is owed."


def subjects(case: Case) -> list[str]:
    """What postings about the payment of a case may hang on: it, and its disputes."""
    payment = _of(case)
    disputes = select(Dispute.id).where(Dispute.payment_id == payment.id)
    return [
        payment.subject,
        *(f"dispute:{id_}" for id_ in db.session.scalars(disputes)),
    ]


def _of(case: Case) -> OnlinePayment:
    payment = payment_of(case)
    assert payment is not None
    return payment
