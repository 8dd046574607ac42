"""What a judgement about a case rests on, and how it says no."""

from __future__ import annotations

from dataclasses import dataclass

from core.base import money
from core.base.db import db
from core.base.refusal import Refusal
from core.cases import Case
from core.online import OnlinePayment
from core.orders import Order
from core.outbox import OutboxRow
from core.supplier.supply import SupplierState


class ActionRefused(Refusal):
    """The action is not legal now; nothing was changed. `sentence` says why and what to do
    instead."""


class NotYet(ActionRefused):
    """Not legal now, but after what `sentence` says."""


def other_amount(amount_pesewas: int | None) -> ActionRefused:
    """The refusal of a press whose person read another amount than the one now."""
    return ActionRefused(
        f"The amount is {money.cedis(amount_pesewas or 0)} now. Look at the case again, then"
        " decide."
    )


@dataclass(frozen=True)
class Facts:
    """What a judgement rests on: the case, its order with its row in the outbox, and the line to
    the supplier."""

    case: Case
    order: Order | None
    row: OutboxRow | None
    link: SupplierState


def order_of(facts: Facts) -> Order:
    """The order of a case. Raises `ActionRefused` for one about none."""
    if facts.order is None:
        raise ActionRefused("This case is about no order.")
    return facts.order


def payment_of(case: Case) -> OnlinePayment | None:
    """The online payment that a case is about; None when it is about something else."""
    kind, _, number = case.subject.partition(":")
    if kind != "payment":
        return None
    return db.session.get(OnlinePayment, int(number))
