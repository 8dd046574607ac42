"""A refund that somebody ordered at the gateway itself, in its dashboard: a person of ours may
count it as given back. Then it is looked up as any other, and booked when the gateway says that it
is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from core.audit import SYSTEM, Actor
from core.base import clock, money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.online import refund_lists
from core.online.model import OPEN_REFUND, GatewayRefund, OnlinePayment, Unfit
from core.online.paying_back import ask_refund, refuse_unowed
from core.online.standing import due

ID, AMOUNT = "gateway_refund", "refunded_there_pesewas"
"""How the evidence of its case names it."""
MOST_ID = 2**63 - 1
"""The gateway's numbers have 64 bits without a sign; a larger one is not kept."""


class MayBeOnItsWay(Unfit):
    """A refund of ours may have been sent: two would be too many."""


@dataclass(frozen=True)
class Strange:
    """A refund of the gateway's that is none of ours."""

    gateway_refund_id: int
    amount_pesewas: int


def fit(payment: OnlinePayment | None, seen: Sequence[dict[str, Any]]) -> Strange:
    """The refund of a case's evidence that may count as given back now. Raises `Unfit`."""
    found = _newest(seen)
    if payment is None or found is None:
        raise Unfit(
            "Which refund it is, the gateway has not said, or it is counted already. Close the case"
            " with words."
        )
    owed = due(payment.id)
    if not 0 < found.amount_pesewas <= owed:
        raise Unfit(
            f"The gateway gave {money.cedis(found.amount_pesewas)} back and"
            f" {money.cedis(owed)} is owed of this payment: more than is owed is our loss. Close"
            " the case with words."
        )
    ours = refund_lists.newest(payment.id)
    if ours is not None and ours.state in OPEN_REFUND and ours.state != "requested":
        raise MayBeOnItsWay(
            "A refund of ours may be on its way too. Wait until the gateway has shown that it is"
            " not."
        )
    return found


def _newest(seen: Sequence[dict[str, Any]]) -> Strange | None:
    """The newest of the evidence that no row of ours has."""
    for entry in reversed(seen):
        number, pesewas = entry.get(ID), entry.get(AMOUNT)
        is_number = str(number).isdigit() and int(str(number)) <= MOST_ID
        if not is_number or not isinstance(pesewas, int):
            continue
        found = Strange(int(str(number)), pesewas)
        is_ours = GatewayRefund.gateway_refund_id == found.gateway_refund_id
        if db.session.scalar(select(GatewayRefund.id).where(is_ours)) is None:
            return found
    return None


@inside_use_case
def adopt(
    payment: OnlinePayment, seen: Sequence[dict[str, Any]], actor: Actor
) -> GatewayRefund:
    """It takes the place of the refund of ours that waits, which was never sent. Raises `Unfit`."""
    found = fit(payment, seen)
    refuse_unowed(payment)
    waits = refund_lists.newest(payment.id)
    reason = waits.reason if waits is not None else "given_back"
    if waits is not None and waits.state == "requested":
        waits.state, waits.ended_at = "failed", clock.now()
        db.session.flush()
    made = GatewayRefund(
        store_id=payment.store_id,
        payment_id=payment.id,
        n=waits.n + 1 if waits is not None else 1,
        amount_pesewas=found.amount_pesewas,
        reason=reason,
        state="open",
        gateway_refund_id=found.gateway_refund_id,
        is_adopted=True,
        asked_by=actor.name,
    )
    db.session.add(made)
    db.session.flush()
    return made


@inside_use_case
def ask_rest(payment: OnlinePayment, adopted: GatewayRefund) -> GatewayRefund | None:
    """What is owed beyond an adopted refund that is done; None when that is nothing, or a dispute
    keeps it back."""
    rest = due(payment.id)
    if not adopted.is_adopted or adopted.state != "done" or not rest:
        return None
    try:
        return ask_refund(payment, rest, adopted.reason, SYSTEM)
    except Unfit:
        return None
