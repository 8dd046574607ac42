"""Money seen to come back for failed orders: which of them a rise of the balance speaks of, and its
posting.

The supplier seldom says that it gave money back; its balance shows it. A rise is booked only when
the orders it speaks of can be told beyond doubt. Otherwise it stays inside the expected range and
the next read tries again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from core import orders
from core.base import money
from core.reconcile import rounding
from core.reconcile.doubts import Doubts, doubts
from core.supplier.supply import SupplierState

MOST_ORDERS = 200
_MOST_SUMS = 100_000
"""The search gives up here, some tenths of a second in: the locks of a balance read are held
meanwhile."""
_GAVE_BACK = "The supplier's balance rose by what this order cost: the money is back in the float."


def lock_candidates(balance_pesewas: int, float_pesewas: int) -> frozenset[int]:
    """Lock the orders a rise could speak of, before anything else of the open use case is locked.
    Their ids."""
    if balance_pesewas <= float_pesewas:
        return frozenset()
    found = frozenset(order_id for order_id, _ in doubts().returnable)
    if len(found) <= MOST_ORDERS:
        orders.lock_for_money_back(found)
        return found
    return frozenset()


def book(
    link: SupplierState, rise_pesewas: int, doubt: Doubts, locked: frozenset[int]
) -> int:
    """Book the rise for the failed orders it speaks of, inside the open use case. Returns how many;
    0 when unclear."""
    if rise_pesewas <= 0 or doubt.unresolved or not doubt.returnable:
        return 0
    chosen = told_apart(rise_pesewas, doubt) or told_apart(
        rise_pesewas, doubt, rounding.limit_pesewas(link)
    )
    if not chosen or not locked.issuperset(chosen):
        return 0
    for order_id in chosen:
        orders.book_money_back(order_id, _GAVE_BACK)
    return len(chosen)


def told_apart(
    rise_pesewas: int, doubt: Doubts, slack_pesewas: int | None = None
) -> list[int]:
    """The orders whose charges make up the rise, when there is one way only to explain it; else
    none.

    With `slack_pesewas`, what rounding may have added or taken since the books last fitted, also
    those that make it up but for so much and a pesewa for each of them.

    Orders of one amount are alike: the oldest stand for them. Money that may have come back
    otherwise, and charges that may have been made again meanwhile, are other ways to explain a
    rise.
    """
    charges = [
        (order_id, amount) for order_id, amount in doubt.returnable if amount > 0
    ]
    many = len(charges) + len(doubt.back_otherwise) + len(doubt.charged_again)
    if (
        rise_pesewas == sum(amount for _, amount in charges)
        and not doubt.back_otherwise
    ):
        # taking more would need more than there is
        return [order_id for order_id, _ in charges]
    if many > MOST_ORDERS:
        return []
    slack = (
        0
        if slack_pesewas is None
        else slack_pesewas + len(charges) * money.ROUNDING_PESEWAS
    )
    wanted = _only_way(
        rise_pesewas,
        [amount for _, amount in charges],
        doubt.back_otherwise,
        doubt.charged_again,
        slack,
    )
    if (
        abs(rise_pesewas - sum(a * n for a, n in wanted.items()))
        > (slack_pesewas or 0) + wanted.total()
    ):
        return []
    chosen = []
    for order_id, amount in charges:
        if wanted[amount] > 0:
            wanted[amount] -= 1
            chosen.append(order_id)
    return chosen


def _only_way(
    rise: int,
    back: Sequence[int],
    otherwise: Iterable[int],
    again: Iterable[int],
    slack: int,
) -> Counter[int]:
    """How many of each amount in `back` make up the rise, give or take `slack`; empty when no way,
    several ways, or too many to try.
    """
    parts = [
        (-amount, count, False)
        for amount, count in Counter(again).items()
        if amount > 0
    ]
    parts += [
        (amount, count, False)
        for amount, count in Counter(otherwise).items()
        if amount > 0
    ]
    parts += [(amount, count, True) for amount, count in Counter(back).items()]
    # For each sum the amounts of `back` that alone lead to it; None when other ways do too, or need
    # more than `back`.
    ways: dict[int, tuple[tuple[int, int], ...] | None] = {0: ()}
    tried = 0
    for amount, count, bookable in parts:
        longer: dict[int, tuple[tuple[int, int], ...] | None] = {}
        for total, taken in ways.items():
            tried += count + 1
            if tried > _MOST_SUMS:
                return Counter()
            for times in range(count + 1):
                new = total + times * amount
                if new > rise + slack:
                    break
                if new in longer or taken is None or (times and not bookable):
                    longer[new] = None
                else:
                    longer[new] = (*taken, (amount, times)) if times else taken
        ways = longer
    near = [total for total in ways if abs(total - rise) <= slack]
    return Counter(dict(ways[near[0]] or ())) if len(near) == 1 else Counter()
