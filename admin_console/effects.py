"""What pressing a button of a case does, in sentences, for the page that asks a second time.

Decides words only. Which actions are legal, and their amounts, come from `core.settling`.
"""

from __future__ import annotations

from collections.abc import Callable

from admin_console.case_words import was_never_bought
from core import ledger, reconcile
from core.base import money
from core.orders import Order
from core.settling import Choice, Facts, charge_of


def effects(choice: Choice, facts: Facts) -> list[str]:
    """What pressing does, in sentences, for the page that asks a second time."""
    amount = money.cedis(choice.amount_pesewas or 0)
    if facts.order is not None and choice.action in _OF_ORDERS:
        return _OF_ORDERS[choice.action](facts.order, facts, amount)
    if choice.action == "confirm_funding":
        return _funding(choice, amount)
    return [line.format(amount=amount) for line in _SENTENCES.get(choice.action, ())]


_SENTENCES: dict[str, tuple[str, ...]] = {
    "give_back": (
        (
            "{amount} goes back to the agent's wallet at once, before the watch is over, and stays"
            " there."
        ),
        "If the supplier delivers after all, what it charges is our loss.",
    ),
    "write_off": (
        "The supplier keeps {amount} that it took for this order. Our books give it up as a loss.",
    ),
    "owe_back": (
        "{amount} of this payment is owed back to who paid. It pays no order after that.",
        "It goes back to the number it was paid from.",
    ),
    "book_taken": (
        "You saw at the gateway that the payer has {amount} back, and nobody here ordered that.",
        "What is owed back of it counts as given; the rest is our loss.",
        "An order of it that is not bought yet is cancelled.",
    ),
    "adopt_refund": (
        "The {amount} that somebody gave back at the gateway itself count as given back.",
        "They are booked once the gateway says that they are done.",
        "The refund of ours that waits is not sent; what is owed beyond goes back by itself.",
    ),
    "take_funding": (
        "You saw at the gateway that the payer has {amount} back: the dispute is lost.",
        "The wallet gives what is free in it. What is missing the store owes.",
        "Until that is settled, the store processes no orders.",
    ),
    "settle_debt": (
        "{amount} leaves the store's wallet, for the funding that was taken back.",
        "The store may process orders again.",
    ),
    "bear_loss": (
        "Makola bears {amount} of the funding. Our books have it as a loss already.",
        "The store may process orders again.",
    ),
    "expire": (
        "You looked at the gateway, and nobody has paid for this order.",
        "It expires. If a payment of it is found later, it comes as a case of its own.",
    ),
    "refund": (
        "The gateway is asked to send {amount} back to where it was paid from.",
        "It may take up to ten working days. What does not arrive comes back as a case.",
    ),
    "settled_less": (
        (
            "This settlement brought {amount} less than our payments in it, and no refund or"
            " dispute of ours explains that."
        ),
        "What our books have at the gateway goes down by it, as a loss.",
    ),
    "settled_more": (
        "This settlement brought {amount} more than our payments in it, and nobody knows why.",
        "What our books have at the gateway goes up by it, as a gain.",
    ),
    "take_word": (
        (
            "The gateway is asked about this dispute now, and what it says counts, though it does"
            " not fit our books."
        ),
        "What it took is booked, never more than was paid. What it leaves is free to be refunded.",
        "If it is of another payment, or unknown there, the dispute ends here.",
    ),
    "disown": (
        "You say that this dispute is nothing of ours. It ends here, and nothing is booked.",
        "What is owed back of its payment goes back to who paid.",
        "When the gateway says something else of it, it is taken up again.",
    ),
    "accept_gain": (
        "The supplier holds {amount} more than our books, and nobody knows why.",
        (
            "The float of our books goes up to what it says, as a gain. If it takes the money out"
            " again, that is a loss."
        ),
    ),
    "accept_loss": (
        "The supplier holds {amount} less than our books, and no order explains it.",
        "The float of our books goes down to what it says, as a loss. Buying goes on afterwards.",
    ),
}
"""By action; an order's own say more, in `_OF_ORDERS`."""


def _send_again(order: Order, _facts: Facts, _amount: str) -> list[str]:
    return [
        _never_bought(order),
        (
            "The order goes back in line under the same reference and is looked up once more"
            " before it is sent."
        ),
        "If they are wrong and their look-up is too, it is bought twice, at our cost.",
    ]


def _give_back(order: Order, facts: Facts, amount: str) -> list[str]:
    if not was_never_bought(facts):
        return [line.format(amount=amount) for line in _SENTENCES["give_back"]]
    return [
        _never_bought(order),
        f"{amount} goes back to the agent's wallet at once and stays there.",
        "If they are wrong, what they charged is our loss. The order is looked at for a day more.",
    ]


def _accept_loss(order: Order, facts: Facts, amount: str) -> list[str]:
    if ledger.commit_is_open(order.id):
        booked = "What the supplier took was never given back. "
    else:
        charge = money.cedis(charge_of(facts))
        booked = (
            f"The supplier took {charge} after the money had gone back; it is booked"
            " first. "
        )
    return [
        f"{booked}Our books give {amount} up as a loss.",
        "The agent keeps the money that went back. The order keeps its state.",
    ]


def _deliver(order: Order, _facts: Facts, amount: str) -> list[str]:
    return [
        f"A new order of {order.bundle_text} for that number is paid by this payment.",
        "It goes in line at once and is bought as every other. The old order stays as it is.",
        f"The customer gets no money back: {amount} is its price.",
    ]


_OF_ORDERS: dict[str, Callable[[Order, Facts, str], list[str]]] = {
    "deliver": _deliver,
    "send_again": _send_again,
    "give_back": _give_back,
    "accept_loss": _accept_loss,
}


def _never_bought(order: Order) -> str:
    return (
        f"You asked the supplier about {order.order_ref}, and they say it was never"
        " bought."
    )


def _funding(choice: Choice, amount: str) -> list[str]:
    return [
        (
            f"The supplier holds {amount} more than our books, and you say that it is money you"
            " paid in."
        ),
        *_of_failed_orders(choice),
        "Our books take it from the bank into the float. Orders that wait for float go on.",
        (
            "If it was no funding, it may be given back for an order, or be taken out again by the"
            " supplier."
        ),
    ]


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
