"""A store's prices made by one rule: cost plus a percentage or an amount, rounded up.

Decides what the rule makes of each bundle, and saves just what its page showed. The rule only adds
and rounds up, so no price of it is below the floor; writing is `pricing`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from core.audit import Actor
from core.base import money
from core.base.db import transaction
from core.base.refusal import Refusal
from core.catalog import pricing
from core.catalog.bundles import Bundle, hold
from core.catalog.prices import PriceLine, price_table

STEPS = (1, 10, 50, 100)
"""Pesewas that a price is rounded up to."""
MOST_BP = 50_000
"""500 %: more is a typing mistake."""


class NotAsRuled(Refusal):
    """A price of the rule cannot be saved. `sentence` names the bundle."""


@dataclass(frozen=True)
class Markup:
    """What the store adds to what a bundle costs it. `network`: empty for all of them."""

    network: str = ""
    bp: int = 0
    """Hundredths of a percent of the cost."""
    fixed_pesewas: int = 0
    step_pesewas: int = 1
    with_hidden: bool = False

    def exact_pesewas(self, cost_pesewas: int) -> int:
        """Before the price is rounded to its step."""
        return money.add_percent_rounding_up(cost_pesewas, self.bp) + self.fixed_pesewas

    def price_pesewas(self, cost_pesewas: int) -> int:
        return money.round_up(self.exact_pesewas(cost_pesewas), self.step_pesewas)

    def takes(self, line: PriceLine) -> bool:
        """Whether it makes the price of this bundle: one that has none yet gets one."""
        if not line.active or self.network not in ("", line.network):
            return False
        return self.with_hidden or not line.hidden or line.price_pesewas is None


@dataclass(frozen=True)
class Ruled:
    """What a rule makes of one bundle. Amounts in pesewas."""

    line: PriceLine
    exact_pesewas: int
    price_pesewas: int

    @property
    def is_new(self) -> bool:
        """Whether the store has had no price for it."""
        return self.line.price_pesewas is None

    @property
    def hidden(self) -> bool:
        return self.line.hidden and not self.is_new

    @property
    def changes(self) -> bool:
        return self.line.price_pesewas != self.price_pesewas

    @property
    def falls(self) -> bool:
        before = self.line.price_pesewas
        return before is not None and self.price_pesewas < before

    @property
    def profit_pesewas(self) -> int:
        return self.price_pesewas - self.line.agent_price_pesewas

    @property
    def margin(self) -> str:
        return money.percent_of(self.profit_pesewas, self.price_pesewas)

    @property
    def problem(self) -> str | None:
        return pricing.problem(self.line, self.price_pesewas)


def preview(markup: Markup) -> list[Ruled]:
    """What the rule makes of each bundle that it takes, by network and size."""
    return [
        Ruled(
            line,
            markup.exact_pesewas(line.agent_price_pesewas),
            markup.price_pesewas(line.agent_price_pesewas),
        )
        for line in price_table()
        if markup.takes(line)
    ]


def mark(ruled: Iterable[Ruled]) -> str:
    """A word for all that a preview shows: another one where any of it is another."""
    said = ";".join(
        f"{one.line.bundle_id}:{one.line.agent_price_pesewas}:{one.line.price_pesewas}"
        f":{one.hidden:d}:{one.price_pesewas}"
        for one in ruled
    )
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def save_ruled(markup: Markup, shown: str, actor: Actor) -> list[Ruled]:
    """Save what the rule makes, when it is what the page with the mark `shown` said; returns what
    changed, nothing when all of it is saved already. Raises `ShownOtherwise`, `NotAsRuled`."""
    with transaction() as session:
        bundles = hold(session.scalars(select(Bundle.id).where(Bundle.active)))
        own = pricing.rows_held()
        ruled = preview(markup)
        changing = [one for one in ruled if one.changes]
        if not changing:
            return []
        if mark(ruled) != shown:
            raise pricing.ShownOtherwise
        for problem in filter(None, (one.problem for one in changing)):
            raise NotAsRuled(problem)
        for one in changing:
            pricing.write(
                own.get(one.line.bundle_id),
                bundles[one.line.bundle_id],
                pricing.Wanted(one.price_pesewas, one.hidden),
                actor,
                "bulk",
            )
        pricing.moved()
    return changing
