"""What became of a selection, as a page shows it: one group for each cause, each with its sum.

Decides the words and the order of the groups. Leaves what became of each order to `core.orders`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from core import orders
from core.orders import Order, RowResult

IN_ORDER = ("moved", "before", "over", "short", "refused", "busy")
ICONS = {"moved": "done", "before": "moving", "over": "returned", "short": "waiting"}


@dataclass(frozen=True)
class Group:
    """The orders of a selection to which the same thing happened. Sums are in pesewas."""

    became: str
    sentence: str
    rows: list[tuple[Order | None, str, str]]
    """The order, the code that was sent, and its own few words where they differ within the
    group."""
    sum_pesewas: int

    @property
    def icon(self) -> str:
        return ICONS.get(self.became, "stopped")

    def fits(self, pesewas: int) -> bool:
        """Whether `pesewas` reach for one of them."""
        return any(
            order.agent_price_pesewas <= pesewas
            for order, _code, _words in self.rows
            if order is not None
        )

    @property
    def codes(self) -> list[str]:
        return [code for _order, code, _words in self.rows]


def groups(
    results: Sequence[RowResult], amount: str, titles: dict[str, str]
) -> list[Group]:
    """Results by what became of them. `amount` names the sum of an order that counts, `titles` the
    causes with one title."""
    known = {
        order.code: order for order in orders.by_codes([row.code for row in results])
    }
    cause = lambda row: (
        IN_ORDER.index(row.became),
        titles.get(row.became) or row.sentence,
    )
    found = []
    for (number, sentence), same in groupby(sorted(results, key=cause), key=cause):
        became = IN_ORDER[number]
        rows = [
            (
                known.get(orders.read_code(row.code) or ""),
                row.code,
                row.sentence if became in ("before", "over") else "",
            )
            for row in same
        ]
        total = sum(
            getattr(order, amount)
            for order, _code, _words in rows
            if order is not None and not order.is_test
        )
        found.append(Group(became, sentence, rows, total))
    return found


def on_their_way(found: Sequence[Group]) -> list[Order]:
    """The orders that this press, or one before it, has sent or is about to send."""
    return [
        order
        for group in found
        if group.became in ("moved", "before")
        for order, *_ in group.rows
        if order
    ]


def heading(results: Sequence[RowResult], words: dict[str, str]) -> str:
    """`2 sent, 1 already in line`: each kind with its word, the first also when it is none."""
    first, *others = dict.fromkeys(words.values())
    counts = {
        word: sum(words[row.became] == word for row in results)
        for word in (first, *others)
    }
    return ", ".join(
        f"{count} {word}" for word, count in counts.items() if count or word == first
    )
