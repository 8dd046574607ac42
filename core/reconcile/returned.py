"""Money seen to come back for failed orders: which of them a rise of the balance speaks of, and its
posting.

The supplier seldom says that it gave money back; its balance shows it. A rise is booked only when
the orders it speaks of can be told beyond doubt. Otherwise it stays inside the expected range and
the next read tries again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core import orders
from core.base import money
from core.base.preconditions import inside_use_case
from core.reconcile import rounding
from core.reconcile.doubts import Doubts, doubts
from core.supplier.supply import SupplierState

MOST_ORDERS = 200
_MOST_SUMS = 100_000
"""Sums that are tried before the search gives up, after some tenths of a second: it holds the locks
of a balance read."""
_GAVE_BACK = "The supplier's balance rose by what this order cost: the money is back in the float."


@inside_use_case
def lock_candidates(balance_pesewas: int, float_pesewas: int) -> frozenset[int]:
    """Lock the orders a rise could speak of, before anything else of the use case is locked. Their
    ids."""
    if balance_pesewas <= float_pesewas:
        return frozenset()
    found = frozenset(order_id for order_id, _ in doubts().returnable)
    if len(found) <= MOST_ORDERS:
        orders.lock_for_money_back(found)
        return found
    return frozenset()


@inside_use_case
def book(
    link: SupplierState,
    rise_pesewas: int,
    doubt: Doubts,
    locked: frozenset[int],
) -> int:
    """Book the rise for the failed orders it speaks of. Returns how many; 0 when unclear."""
    if rise_pesewas <= 0 or doubt.unresolved or not doubt.returnable:
        return 0
    chosen = told_apart(rise_pesewas, doubt)
    if not chosen:
        chosen = told_apart(rise_pesewas, doubt, rounding.limit_pesewas(link))
    if not chosen or not locked.issuperset(chosen):
        return 0
    for order_id in chosen:
        orders.book_money_back(order_id, _GAVE_BACK)
    return len(chosen)


def told_apart(
    rise_pesewas: int,
    doubt: Doubts,
    slack_pesewas: int | None = None,
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
    amounts = [amount for _, amount in charges]
    if rise_pesewas == sum(amounts) and not doubt.back_otherwise:
        # taking more would need more than there is
        return [order_id for order_id, _ in charges]
    many = len(charges) + len(doubt.back_otherwise) + len(doubt.charged_again)
    if many > MOST_ORDERS:
        return []
    slack = 0
    if slack_pesewas is not None:
        slack = slack_pesewas + len(charges) * money.ROUNDING_PESEWAS
    parts = [
        *_parts(doubt.charged_again, sign=-1),
        *_parts(doubt.back_otherwise),
        *_parts(amounts, is_bookable=True),
    ]
    wanted = _only_way(rise_pesewas, parts, slack)
    explained = sum(amount * times for amount, times in wanted.items())
    if abs(rise_pesewas - explained) > (slack_pesewas or 0) + wanted.total():
        return []
    return _oldest(charges, wanted)


def _oldest(charges: Sequence[tuple[int, int]], wanted: Counter[int]) -> list[int]:
    """The first orders in `charges` that have the amounts `wanted`, each amount so many times."""
    left = Counter(wanted)
    chosen = []
    for order_id, amount in charges:
        if left[amount] > 0:
            left[amount] -= 1
            chosen.append(order_id)
    return chosen


@dataclass(frozen=True)
class _Part:
    """An amount that may have moved the balance, up to `count` times; `is_bookable` when it is a
    failed order's open charge."""

    amount: int
    count: int
    is_bookable: bool


_Taken = tuple[tuple[int, int], ...] | None
"""Bookable amounts, each with how many times, that alone lead to a sum; None when other ways lead
there too, or ways with amounts that cannot be booked."""


def _parts(
    amounts: Iterable[int],
    *,
    sign: int = 1,
    is_bookable: bool = False,
) -> list[_Part]:
    return [
        _Part(sign * amount, count, is_bookable)
        for amount, count in Counter(amounts).items()
        if amount > 0
    ]


def _only_way(rise: int, parts: Sequence[_Part], slack: int) -> Counter[int]:
    """How many of each bookable amount make up the rise, give or take `slack`; empty when no way,
    several ways, or too many to try.
    """
    ways: dict[int, _Taken] = {0: ()}
    tried = 0
    for part in parts:
        tried += len(ways) * (part.count + 1)
        if tried > _MOST_SUMS:
            return Counter()
        ways = _with(part, ways, rise + slack)
    near = [total for total in ways if abs(total - rise) <= slack]
    if len(near) != 1:
        return Counter()
    return Counter(dict(ways[near[0]] or ()))


def _with(part: _Part, ways: dict[int, _Taken], most: int) -> dict[int, _Taken]:
    """All sums up to `most` of one in `ways` and the part, taken any number of times."""
    longer: dict[int, _Taken] = {}
    for total, taken in ways.items():
        for times in range(part.count + 1):
            new = total + times * part.amount
            if new > most:
                break
            longer[new] = None if new in longer else _take(part, times, taken)
    return longer


def _take(part: _Part, times: int, taken: _Taken) -> _Taken:
    if times == 0 or taken is None:
        return taken
    return (*taken, (part.amount, times)) if part.is_bookable else None
