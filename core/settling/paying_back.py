"""What a person's press does about the money of an online payment: it is owed back, and a refund is
asked for. Under the locks of `acting`, which has its order's row. Each says what was done."""

from __future__ import annotations

from core import online
from core.audit import Actor
from core.base.preconditions import inside_use_case
from core.cases import Case
from core.online import OnlinePayment, adopting, refund_lists, refunds
from core.online.refund_lists import Reason
from core.settling import legality
from core.settling.legality import ActionRefused

_BACK = "goes back to the customer by the gateway."
_REASONS: dict[str, Reason] = {"paid_twice": "double", "paid_short": "short"}


@inside_use_case
def owe_back(case: Case, actor: Actor) -> str:
    """A payment that pays no order is owed back, and goes back. Raises `ActionRefused`."""
    payment = _locked(case)
    online.owe(payment, actor)
    _ask(payment, "late", actor)
    return _BACK


@inside_use_case
def refund(case: Case, actor: Actor) -> str:
    """All that is owed of a payment goes back. Raises `ActionRefused`."""
    payment = _locked(case)
    reason = _REASONS.get(case.kind) or refund_lists.reason_of(payment.id)
    _ask(payment, reason, actor)
    return _BACK


@inside_use_case
def adopt_refund(case: Case, actor: Actor) -> str:
    """A refund that somebody ordered at the gateway counts as given back. Raises
    `ActionRefused`."""
    payment = _locked(case)
    try:
        adopting.adopt(payment, case.seen, actor)
    except online.Unfit as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    online.ring(payment)
    return "counts as given back."


def _locked(case: Case) -> OnlinePayment:
    payment = legality.payment_of(case)
    assert payment is not None
    return online.locked_payment(payment.id)


def _ask(payment: OnlinePayment, reason: Reason, actor: Actor) -> None:
    try:
        refunds.ask_by_hand(payment, reason, actor)
    except online.Unfit as refusal:
        raise ActionRefused(refusal.sentence) from refusal
    online.ring(payment)
