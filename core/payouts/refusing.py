"""What a payout is refused with, and what must hold of who asks."""

from __future__ import annotations

from core.accounts import second_steps
from core.audit import Actor
from core.base.refusal import Refusal


class BadPayout(Refusal):
    """A payout, a number or a decision that cannot be. `field` is where it stands in the form."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class NoSuchPayout(Refusal):
    """Nothing of this id that this work may see."""

    sentence = "There is no such payout."


SECOND_STEP = (
    "Switch on a second step for your log-in first: money that is paid out must not hang on a"
    " password alone."
)


def needs_second_step(actor: Actor) -> None:
    """For who moves where money goes. Raises `BadPayout`."""
    if actor.user_id is None or not second_steps.is_on(actor.user_id):
        raise BadPayout(SECOND_STEP, "second_step")
