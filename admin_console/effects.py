"""What pressing a button of a case does, in sentences, for the page that asks a second time.

Decides words only. Which actions are legal, and their amounts, come from `core.settling`.
"""

from __future__ import annotations

from collections.abc import Callable

from admin_console.case_words import was_never_bought
from core import ledger, reconcile
from core.base import money
from core.settling import Action, Choice, Facts, charge_of


def effects(choice: Choice, facts: Facts) -> list[str]:
    """What pressing does, in sentences, for the page that asks a second time."""
    order = facts.order
    amount = money.cedis(choice.amount_pesewas or 0)
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
        case "give_back" if order is not None and was_never_bought(facts):
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
            if ledger.commit_is_open(order.id):
                booked = "What the supplier took was never given back. "
            else:
                booked = (
                    f"The supplier took {money.cedis(charge_of(facts))} after the money"
                    " had gone back; it is booked first. "
                )
            return [
                f"{booked}Our books give {amount} up as a loss.",
                "The agent keeps the money that went back. The order keeps its state.",
            ]
        case "owe_back" | "refund" | "adopt_refund":
            return _OF_PAYMENTS[choice.action](amount)
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


_OF_PAYMENTS: dict[Action, Callable[[str], list[str]]] = {
    "owe_back": lambda amount: [
        f"{amount} of this payment is owed back to who paid. It pays no order after that.",
        "It goes back to the number it was paid from.",
    ],
    "refund": lambda amount: [
        f"The gateway is asked to send {amount} back to where it was paid from.",
        "It may take up to ten working days. What does not arrive comes back as a case.",
    ],
    "adopt_refund": lambda amount: [
        f"The {amount} that somebody gave back at the gateway itself count as given back.",
        "They are booked once the gateway says that they are done.",
        "The refund of ours that waits is not sent; what is owed beyond goes back by itself.",
    ],
}


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
