"""How cases read to a person: short names of their kinds, and what each button says.

Decides words only. Which actions are legal, and their amounts, come from `core.settling`. What a
button does is told by `effects`, what was seen by `evidence`.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.base import money
from core.settling import ASKS_TWICE, Action, Choice, Facts

SHORT = {
    "contradiction": "Contradictions",
    "late_success": "Late successes",
    "unknown_too_long": "No clear answer",
    "never_fulfilled": "Not delivered",
    "resend_limit": "Proven absent",
    "wrong_answer": "Wrong answers",
    "unknown_word": "Unknown words",
    "supplier_money": "Supplier's money",
    "unexpected_charge": "Unexpected charges",
    "float_funded": "Float funded?",
    "broken": "Our errors",
    "amount_differs": "Other amounts",
    "unknown_reference": "Unknown references",
    "restored": "Restored records",
    "books_broken": "Broken books",
    "rounding": "Rounding",
    "told_unanswered": "Payments unanswered",
    "not_received": "Not received",
    "paid_late": "Paid late",
    "paid_twice": "Paid twice",
    "paid_short": "Other amounts paid",
    "paid_unfit": "Unfit payments",
    "payment_reversed": "Reversed payments",
    "payment_unwatched": "No gateway to ask",
    "payment_disputed": "Disputed payments",
    "funding_reversed": "Fundings taken back",
    "payment_broken": "Payments: our errors",
    "dispute_unknown": "Disputes not ours",
    "dispute_odd": "Odd disputes",
    "payment_odd": "Odd payments",
    "refund_failed": "Failed refunds",
    "refund_details": "Refunds without an address",
    "refund_poor": "No money to refund",
    "refund_strange": "Strange refunds",
    "refund_late": "Late refunds",
    "payout_differs": "Other payouts",
    "payout_contradicts": "Payouts contradicted",
    "payout_needs_owner": "Payouts want a code",
    "payout_slow": "Slow payouts",
    "payout_broken": "Payouts: our errors",
    "payouts_refused": "Payouts refused",
    "gateway_balance": "Gateway's balance",
    "payments_lost": "Lost payments",
    "payments_unlisted": "Unlisted payments",
    "payments_differ": "Payments differ",
    "settlement_differs": "Settlements differ",
}

_BUTTONS: dict[Action, str] = {
    "look_again": "Look again",
    "send_again": "Never bought: send it again",
    "give_back": "Give {amount} back",
    "money_came_back": "{amount} came back",
    "write_off": "Write off {amount}",
    "accept_loss": "Accept the loss of {amount}",
    "accept_gain": "Accept {amount} as a gain",
    "confirm_funding": "Yes, funded: book {amount}",
    "owe_back": "Give the customer {amount} back",
    "deliver": "Deliver it now for {amount}",
    "book_taken": "The payer has {amount} back: book it",
    "refund": "Refund {amount}",
    "expire": "Nobody paid: let it expire",
    "take_funding": "The gateway took {amount} back: book it",
    "settle_debt": "Take {amount} out of the wallet",
    "bear_loss": "Bear the loss of {amount}",
    "adopt_refund": "Count {amount} as given back",
    "settled_less": "Accept {amount} less from the gateway",
    "settled_more": "Accept {amount} more from the gateway",
    "take_word": "The gateway’s word holds: ask it anew",
    "disown": "It is nothing of ours: let it go",
    "close": "Close with words",
}

_LATER: dict[Action, str] = {
    "send_again": "Sending it again",
    "give_back": "Giving the money back",
    "accept_loss": "Accepting the loss",
    "accept_gain": "Accepting the gain",
    "deliver": "Delivering it",
    "book_taken": "Booking it as taken back",
    "settle_debt": "Taking it out of the wallet",
    "adopt_refund": "Counting it as given back",
}


@dataclass(frozen=True)
class Button:
    """One action a person may press: its words, the amount it would move, and whether it is asked
    about twice."""

    action: Action
    label: str
    amount_pesewas: int | None
    asks_twice: bool

    @property
    def yes(self) -> str:
        """The label of the confirming button, on the page that asks a second time."""
        words = self.label.rpartition(": ")[2]
        return f"Yes, {words[0].lower()}{words[1:]}"


def button(choice: Choice, facts: Facts) -> Button:
    if choice.amount_pesewas is None:
        amount = ""
    else:
        amount = money.cedis(choice.amount_pesewas)
    label = _BUTTONS[choice.action].format(amount=amount)
    if choice.action == "give_back" and was_never_bought(facts):
        label = f"Never bought: give {amount} back"
    if choice.action == "confirm_funding" and _is_whole(choice, facts):
        label = f"Yes, all of it was paid in: book {amount}"
    return Button(
        choice.action, label, choice.amount_pesewas, choice.action in ASKS_TWICE
    )


def was_never_bought(facts: Facts) -> bool:
    """Whether giving back says that the order, still being sent, was never bought."""
    return facts.order is not None and facts.order.state == "submitting"


def _is_whole(choice: Choice, facts: Facts) -> bool:
    """Whether it is a funding together with what may have come back for failed orders."""
    return choice.amount_pesewas != facts.link.break_pesewas


def not_yet(action: Action, sentence: str) -> str:
    """Why a button is missing that will be there later."""
    return (
        f"{_LATER.get(action, action.replace('_', ' ').capitalize())} is not possible"
        f" yet. {sentence}"
    )
