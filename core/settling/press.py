"""One press of a person in a case: what it rests on, and its line on the order's timeline."""

from __future__ import annotations

from dataclasses import dataclass

from core.audit import Actor
from core.base import money
from core.base.preconditions import inside_use_case
from core.orders import Order, by_hand
from core.settling.facts import Facts


@dataclass(frozen=True)
class Press:
    """One action of a person on a case: what it moves in pesewas, and the person's words."""

    facts: Facts
    amount_pesewas: int
    actor: Actor
    words: str

    @property
    def amount(self) -> str:
        return money.cedis(self.amount_pesewas)

    @property
    def note(self) -> str:
        """What the books say beside a posting made to settle a case."""
        return f"case {self.facts.case.id}"

    @property
    def order(self) -> Order:
        assert self.facts.order is not None
        return self.facts.order


@inside_use_case
def tell(press: Press, what: str) -> None:
    """A line with the person's name. `what` is a sentence without the platform's own money."""
    by_hand.note_settled(
        press.order,
        press.actor,
        what,
        press.words,
        {"amount_pesewas": press.amount_pesewas or None},
    )
