"""How cases read to a person: short names of their kinds, their evidence in words, what each button
says and does.

Decides words only. Which actions are legal, and their amounts, come from `core.settling`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import ledger, orders, reconcile
from core.base import money
from core.settling import ASKS_TWICE, Action, Choice, Facts, charge_of

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
}

_NAMES = {
    "order_is": "Our order was",
    "state": "Our order was",
    "supplier_says": "The supplier said",
    "said": "The supplier said",
    "delivered": "Delivered by then",
    "order_ref": "About reference",
    "recipient": "About number",
    "capacity": "About size",
    "expected_pesewas": "Expected charge",
    "charged_pesewas": "The supplier charged",
    "since": "Without an end since",
    "watched_until": "Watched until",
    "attempt": "Attempts made",
    "resends": "Sent again",
    "error": "Our error",
    "reason": "The supplier's reason",
    "supplier_pesewas": "The supplier says it holds",
    "float_pesewas": "Our books say",
    "unresolved_pesewas": "Orders without an answer may have cost",
    "charged_again_pesewas": "Orders that failed or have a case may have cost",
    "may_be_back_pesewas": "Orders that failed or have a case may have given back",
    "difference_pesewas": "What nothing explains",
    "could_be": "Orders that could explain it",
    "because": "Noticed by",
    "newest_order": "Newest order in the backup",
    "asked_first": "Orders asked about first",
    "found": "What does not hold",
    "rounded_pesewas": "Rounded by then",
    "day": "On",
}
_OUR_STATE = frozenset({"order_is", "state"})
_QUOTED = frozenset({"supplier_says", "said", "reason"})

_BUTTONS: dict[Action, str] = {
    "look_again": "Look again",
    "send_again": "Never bought: send it again",
    "give_back": "Give {amount} back",
    "money_came_back": "{amount} came back",
    "write_off": "Write off {amount}",
    "accept_loss": "Accept the loss of {amount}",
    "accept_gain": "Accept {amount} as a gain",
    "confirm_funding": "Yes, funded: book {amount}",
    "close": "Close with words",
}

_LATER: dict[Action, str] = {
    "send_again": "Sending it again",
    "give_back": "Giving the money back",
    "accept_loss": "Accepting the loss",
    "accept_gain": "Accepting the gain",
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
        """The same on the page that has read it back."""
        words = self.label.rpartition(": ")[2]
        return f"Yes, {words[0].lower()}{words[1:]}"


@dataclass(frozen=True)
class Fact:
    """One thing seen: what, and its value as text or as a moment."""

    name: str
    text: str = ""
    moment: datetime | None = None


def button(choice: Choice, facts: Facts) -> Button:
    amount = "" if choice.amount_pesewas is None else money.cedis(choice.amount_pesewas)
    label = _BUTTONS[choice.action].format(amount=amount)
    if (
        choice.action == "give_back"
        and facts.order is not None
        and facts.order.state == "submitting"
    ):
        label = f"Never bought: give {amount} back"
    if choice.action == "confirm_funding" and _is_whole(choice, facts):
        label = f"Yes, all of it was paid in: book {amount}"
    return Button(
        choice.action, label, choice.amount_pesewas, choice.action in ASKS_TWICE
    )


def _is_whole(choice: Choice, facts: Facts) -> bool:
    """Whether it is a funding together with what may have come back for failed orders."""
    return choice.amount_pesewas != facts.link.break_pesewas


def not_yet(action: Action, sentence: str) -> str:
    """Why a button is missing that will be there later."""
    return (
        f"{_LATER.get(action, action.replace('_', ' ').capitalize())} is not possible"
        f" yet. {sentence}"
    )


def effects(choice: Choice, facts: Facts) -> list[str]:
    """What pressing does, in sentences, for the page that asks a second time."""
    order, amount = facts.order, money.cedis(choice.amount_pesewas or 0)
    match choice.action:
        case "send_again" if order is not None:
            return [
                (
                    f"You asked the supplier about {order.order_ref}, and they say it"
                    " was never bought."
                ),
                (
                    "The order goes back in line under the same reference and is looked"
                    " up once more before it is sent."
                ),
                (
                    "If they are wrong and their look-up is too, it is bought twice, at"
                    " our cost."
                ),
            ]
        case "give_back" if order is not None and order.state == "submitting":
            return [
                (
                    f"You asked the supplier about {order.order_ref}, and they say it"
                    " was never bought."
                ),
                f"{amount} goes back to the agent's wallet at once and stays there.",
                (
                    "If they are wrong, what they charged is our loss. The order is"
                    " looked at for a day more."
                ),
            ]
        case "give_back":
            return [
                (
                    f"{amount} goes back to the agent's wallet at once, before the"
                    " watch is over, and stays there."
                ),
                "If the supplier delivers after all, what it charges is our loss.",
            ]
        case "write_off":
            return [
                (
                    f"The supplier keeps {amount} that it took for this order. Our books"
                    " give it up as a loss."
                )
            ]
        case "accept_loss" if order is not None:
            booked = (
                "What the supplier took was never given back. "
                if ledger.commit_is_open(order.id)
                else (
                    f"The supplier took {money.cedis(charge_of(facts))} after the money"
                    " had gone back; it is booked first. "
                )
            )
            return [
                f"{booked}Our books give {amount} up as a loss.",
                "The agent keeps the money that went back. The order keeps its state.",
            ]
        case "confirm_funding":
            return [
                (
                    f"The supplier holds {amount} more than our books, and you say that"
                    " it is money you paid in."
                ),
                *_of_failed_orders(choice),
                (
                    "Our books take it from the bank into the float. Orders that wait"
                    " for float go on."
                ),
                (
                    "If it was no funding, it may be given back for an order, or be"
                    " taken out again by the supplier."
                ),
            ]
        case "accept_gain":
            return [
                (
                    f"The supplier holds {amount} more than our books, and nobody knows"
                    " why."
                ),
                (
                    "The float of our books goes up to what it says, as a gain. If it"
                    " takes the money out again, that is a loss."
                ),
            ]
        case "accept_loss":
            return [
                (
                    f"The supplier holds {amount} less than our books, and no order"
                    " explains it."
                ),
                (
                    "The float of our books goes down to what it says, as a loss."
                    " Buying goes on afterwards."
                ),
            ]
    return []


def _of_failed_orders(choice: Choice) -> list[str]:
    """What becomes of the money that may have come back for failed orders, when a funding is
    booked; empty without any."""
    amounts = reconcile.funding_amounts()
    if len(amounts) < 2:  # or a read has just closed the question
        return []
    usual, whole = amounts
    back = money.cedis(whole - usual)
    if choice.amount_pesewas == whole:
        return [
            (
                f"{back} of it may have come back for failed orders: you say that it did"
                " not. They stay watched."
            )
        ]
    besides = (
        f"Besides, {back} may have come back for failed orders, and is booked as that"
        " when nothing speaks against it."
    )
    return [
        (
            f"{besides} If you paid that in too, go back and book all of it:"
            f" {money.cedis(whole)}."
        )
    ]


def facts_in_words(seen: dict[str, Any]) -> list[Fact]:
    """One piece of evidence, without its moment, as a person reads it."""
    place = {
        name: number for number, name in enumerate(_NAMES)
    }  # the database keeps no order of its own
    names = sorted(
        (name for name in seen if name != "at"),
        key=lambda name: (place.get(name, len(place)), name),
    )
    return [_fact(name, seen[name]) for name in names]


def seen_at(seen: dict[str, Any]) -> datetime | None:
    return _moment(seen.get("at"))


def _fact(name: str, value: Any) -> Fact:
    label = (
        _NAMES.get(name) or name.removesuffix("_pesewas").replace("_", " ").capitalize()
    )
    if value is None:
        return Fact(label, "–")
    if isinstance(value, bool):
        return Fact(label, "yes" if value else "no")
    if name == "difference_pesewas" and isinstance(value, int):
        return Fact(
            label,
            f"{money.cedis(abs(value))} {'more' if value > 0 else 'less'} than our"
            " books",
        )
    if name == "rounded_pesewas" and isinstance(value, int):
        return Fact(
            label, f"{money.cedis(abs(value))} {'gained' if value > 0 else 'lost'}"
        )
    if name.endswith("_pesewas") and isinstance(value, int):
        return Fact(label, money.cedis(value))
    if moment := _moment(value):
        return Fact(label, moment=moment)
    if name in _OUR_STATE and value in orders.AGENT_LABELS:
        return Fact(label, orders.AGENT_LABELS[value])
    if isinstance(value, list | tuple):
        return Fact(label, ", ".join(map(str, value)))
    return Fact(label, f"“{value}”" if name in _QUOTED else str(value))


def _moment(value: Any) -> datetime | None:
    """A moment kept as ISO text; None for anything else. A date alone, or one without its zone, is
    no moment."""
    try:
        moment = (
            datetime.fromisoformat(value)
            if isinstance(value, str) and "T" in value
            else None
        )
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
