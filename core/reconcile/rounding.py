"""Fractions of a pesewa: the supplier's wallet may keep them, our books cannot, so the two drift
apart.

Decides which difference is rounding: one too small for any purchase to explain it. It is booked by
itself and stops nothing; more than `A_DAY_PESEWAS` of it in one day is a case, since a supplier
that takes a little more each time looks like this.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select

from core import cases, catalog, ledger
from core.audit import SYSTEM
from core.base import clock
from core.base.db import db
from core.base.preconditions import inside_use_case, needs_across_stores
from core.ledger import Account, Entry, Posting
from core.reconcile.doubts import Doubts
from core.supplier.supply import SupplierState

A_DAY_PESEWAS = 100
CASE, SUBJECT = "rounding", "float"
_MOST_SUMS = 10_000


@needs_across_stores
def limit_pesewas(link: SupplierState) -> int:
    """How far rounding may have moved the balance since the books last fitted it.

    One pesewa for each charge and refund booked since, and always below half of the cheapest thing
    there is to buy: a purchase missing in our books is never taken for it.
    """
    moved = (
        select(Entry.amount_pesewas)
        .join(Account, Account.id == Entry.account_id)
        .join(Posting, Posting.id == Entry.posting_id)
        .where(
            Account.name == "supplier_float",
            Entry.id > (link.fit_entry_id or 0),
            Posting.order_id.is_not(None),
        )
        .limit(ledger.MOST_ROUNDING_PESEWAS)
        .subquery()
    )
    charges, least = db.session.execute(
        select(func.count(), func.min(func.abs(moved.c.amount_pesewas)))
    ).one()
    known = [cost for cost in (least, catalog.cheapest_cost()) if cost]
    return min(
        int(charges), ledger.MOST_ROUNDING_PESEWAS, (min(known, default=1) - 1) // 2
    )


@dataclass(frozen=True)
class Settled:
    """Pesewas booked as rounding; whether books and balance fit now; and if not, how much rounding
    may still explain."""

    booked_pesewas: int
    fits: bool
    slack_pesewas: int = 0


@inside_use_case
def settle(
    link: SupplierState,
    off_pesewas: int,
    doubt: Doubts,
    said: str,
) -> Settled:
    """Book what a balance is off by, if only rounding can be meant. `off_pesewas` is the balance
    less our books.

    A difference that is known and asked about is no rounding, and stays the amount people were
    told: then what the balance is off by besides counts. The link's row and the float are locked.
    """
    besides = off_pesewas - (link.break_pesewas or 0)
    if off_pesewas == 0 or besides == 0:
        return Settled(0, fits=True)
    most = limit_pesewas(link)
    for residue in (off_pesewas, besides):
        if abs(residue) <= most and not _otherwise(residue, doubt, most):
            ledger.rounding(residue, f"the supplier said {said}", SYSTEM)
            _add_up(link, residue)
            return Settled(residue, fits=True)
    return Settled(0, fits=False, slack_pesewas=most)


def today_pesewas(link: SupplierState) -> int:
    """What was booked as rounding since Accra midnight: + gained, − lost."""
    if link.rounding_day != clock.accra_midnight().date():
        return 0
    return link.rounding_pesewas


def _otherwise(residue: int, doubt: Doubts, most: int) -> bool:
    """Whether charges and refunds in doubt may add up to about as little: then nobody can tell, and
    nothing is booked."""
    amounts = [-cost for cost in doubt.unresolved]
    amounts += [-charge for charge in doubt.charged_again]
    amounts += [charge for _, charge in doubt.returnable]
    amounts += doubt.back_otherwise
    sums = {0}
    for amount, count in Counter(amounts).items():
        if len(sums) * count > _MOST_SUMS:
            return True
        for total in tuple(sums):
            sums |= {total + times * amount for times in range(1, count + 1)}
    sums.discard(0)
    return any(abs(total - residue) <= most for total in sums)


def _add_up(link: SupplierState, pesewas: int) -> None:
    before = abs(today_pesewas(link))
    link.rounding_pesewas = today_pesewas(link) + pesewas
    link.rounding_day = clock.accra_midnight().date()
    now = abs(link.rounding_pesewas)
    if now <= A_DAY_PESEWAS:
        return
    is_first = before <= A_DAY_PESEWAS
    if is_first or now // A_DAY_PESEWAS > before // A_DAY_PESEWAS:
        evidence = {
            "rounded_pesewas": link.rounding_pesewas,
            "day": f"{link.rounding_day}",
        }
        cases.open_case(CASE, SUBJECT, evidence)
