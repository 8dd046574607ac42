"""What a page offers about a case: the facts as they stand, unlocked, which actions are legal now
and for how much, which will be later, and what stays as it was when the case is closed with words
alone. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core import ledger, orders, outbox, reconcile
from core.base import money
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.cases import Case
from core.orders import Order
from core.settling import table
from core.settling.facts import ActionRefused, Facts, NotYet
from core.settling.legality import judge
from core.settling.table import Action, Way
from core.supplier import supply
from core.supplier.supply import SupplierState


@dataclass(frozen=True)
class Choice:
    """An action that is legal now, and what it would move in pesewas; None when no money moves."""

    action: Action
    amount_pesewas: int | None


def facts_of(case: Case) -> Facts:
    """The facts of a case as they stand, unlocked, for a page."""
    order = db.session.get(Order, case.order_id) if case.order_id is not None else None
    row = outbox.of_order(order.id) if order is not None else None
    return Facts(case, order, row, supply.state())


@needs_across_stores
def choices(facts: Facts) -> list[Choice]:
    """What may be done about a case now, in the order of the table."""
    found = []
    for way in table.ways_of(facts.case.kind):
        try:
            found += [Choice(way.action, amount) for amount in amounts(way, facts)]
        except ActionRefused:
            continue
    return found


def amounts(way: Way, facts: Facts) -> list[int | None]:
    """What this way may move now: what `judge` says, and other amounts a person may know better.
    Raises `ActionRefused`."""
    usual = judge(way, facts)
    if way.action == "confirm_funding":
        return [usual, *reconcile.funding_amounts()[1:]]
    return [usual]


def waiting(facts: Facts) -> dict[Action, str]:
    """What will be legal about a case after a while or another step, with the sentence that says
    after what."""
    found: dict[Action, str] = {}
    for way in table.ways_of(facts.case.kind):
        try:
            judge(way, facts)
        except NotYet as refusal:
            found[way.action] = refusal.sentence
        except ActionRefused:
            continue
    return found


def still_stands(facts: Facts) -> str:
    """What stays as it was when the case is closed with words alone, in a sentence; empty when
    nothing does."""
    if facts.order is None:
        return _difference_stands(facts.link)
    for sentence_of in _STANDING.get(facts.case.kind, ()):
        if sentence := sentence_of(facts.order):
            return sentence
    return ""


def _difference_stands(link: SupplierState) -> str:
    if link.break_pesewas is None:
        return ""
    return (
        "The difference stands: the next balance read that sees it asks again, and a missing sum"
        " stops buying again."
    )


def _has_no_end(order: Order) -> str:
    if order.state not in ("submitting", "failed"):
        return ""
    return "The order still has no end: the next look that finds it so asks again."


def _is_undelivered(order: Order) -> str:
    if order.state != "processing":
        return ""
    return (
        "The order is still not delivered: the next look that finds it so asks again."
    )


def _is_worked_on(order: Order) -> str:
    if order.state not in orders.WORK:
        return ""
    return "If our error is still there, the next try asks again."


def _stays_in_flight(order: Order) -> str:
    amount = ledger.in_flight_of(order.id)
    return f"{money.cedis(amount)} stays in flight in our books." if amount else ""


def _stays_booked(order: Order) -> str:
    more = (order.charged_pesewas or 0) - order.cost_pesewas
    if more <= 0:
        return ""
    return (
        f"The {money.cedis(more)} above the cost stays booked. If the supplier did not take it,"
        " its balance shows it as a rise: accept that as a gain when it is asked about."
    )


def _is_not_booked(order: Order) -> str:
    if ledger.count(order.id, "write_off"):
        return ""
    return (
        "What the supplier took for it is not in our books; if it took anything, its balance"
        " will not fit them."
    )


_STANDING: dict[str, tuple[Callable[[Order], str], ...]] = {
    "unknown_too_long": (_has_no_end,),
    "resend_limit": (_has_no_end,),
    "never_fulfilled": (_is_undelivered,),
    "broken": (_is_worked_on,),
    "supplier_money": (_stays_in_flight,),
    "late_success": (_stays_in_flight, _is_not_booked),
    "amount_differs": (_stays_booked,),
}
"""By kind of case: the sentences that may be true of its order; the first that is true is said."""
