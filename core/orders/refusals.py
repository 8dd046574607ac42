"""Why an order cannot be placed, released or cancelled: one class for each reason, each with a
sentence to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.base import money
from core.base.language import say
from core.base.refusal import Refusal

if TYPE_CHECKING:
    from core.availability import Stop
    from core.orders.model import Order


PRESS_AGAIN = "Press Process again."
"""How a sentence ends whose reason is over only by another press."""


class OrderRefused(Refusal):
    """A use case said no and nothing was changed. `sentence` tells the person what to do."""

    word = "Cannot go now"
    """Why an order cannot be processed, for its row of the queue."""


class NoSuchOrder(OrderRefused):
    """No order of that code in this store."""

    def __init__(self) -> None:
        super().__init__(
            "There is no order with this code in your store. Check the code."
        )


class NotPaidOnline(OrderRefused):
    """It cannot be paid online, or not any more."""

    def __init__(self) -> None:
        super().__init__(
            say(
                "This cannot be paid online just now, so nothing has been ordered and no money was"
                " asked for. Pay the store instead, or choose another bundle."
            )
        )


class StoreClosed(OrderRefused):
    """The store takes no orders now."""


class SalesPaused(OrderRefused):
    """The platform sells nothing now."""


class NetworkPaused(OrderRefused):
    """One network is not sold now."""

    word = "Paused"


class OnHold(OrderRefused):
    """Its store has set it aside."""

    word = "On hold"


class StoreOwes(OrderRefused):
    """Its store owes a part of a wallet funding that was taken back."""

    word = "Wallet owes"


class NotBuyable(OrderRefused):
    """It cannot be bought at the supplier now. `stop` says why and since when."""

    def __init__(self, stop: Stop, sentence: str) -> None:
        super().__init__(sentence)
        self.stop = stop


def of_stop(stop: Stop, bundle: str = "") -> OrderRefused:
    """The refusal for what `core.availability` answered; `bundle` names what was wanted."""
    if stop.reason == "sales_paused":
        return SalesPaused(
            say(
                "%(why)s Your number was not used; try again later.",
                why=stop.to_customer,
            )
        )
    if stop.reason == "float":
        return NotBuyable(
            stop,
            say(
                "%(bundle)s: %(why)s Choose another size, or try again later.",
                bundle=bundle,
                why=_lower(stop.to_customer),
            ),
        )
    return NotBuyable(
        stop,
        say(
            "%(why)s Nothing has been ordered. It goes on by itself: try again in a few minutes.",
            why=stop.to_customer,
        ),
    )


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


class BundleUnavailable(OrderRefused):
    """The bundle is gone, hidden, or priced below its floor."""

    def __init__(self) -> None:
        super().__init__(
            say("This bundle is not on sale any more. Choose another one.")
        )


class PriceChanged(OrderRefused):
    """The price differs from the one the customer saw. `price_pesewas` is the present one."""

    def __init__(self, price_pesewas: int) -> None:
        super().__init__(
            say(
                "The price is now %(price)s. Check it, then place the order again.",
                price=money.cedis(price_pesewas),
            )
        )
        self.price_pesewas = price_pesewas


class RepeatAsked(OrderRefused):
    """The same size went to the same number minutes ago; the customer must say that a second one is
    meant."""

    def __init__(self, earlier: Order) -> None:
        super().__init__(
            say(
                "You ordered the same bundle for this number a moment ago. Order it again only if"
                " you want two."
            )
        )
        self.earlier = earlier


class Blocked(OrderRefused):
    """The store takes no orders for this number. `why` is for its agent alone."""

    def __init__(self, why: str) -> None:
        super().__init__(
            say(
                "This store takes no orders for this number. If that is a mistake, ask the store."
            )
        )
        self.why = why


class TooManyOrders(OrderRefused):
    """Too many new orders for one number in this store."""


class TooManyOpen(TooManyOrders):
    """Too many orders of one caller wait to be processed. One more is taken after `wait_s`
    seconds."""

    def __init__(self, place: str, wait_s: int) -> None:
        seconds = say("1 second") if wait_s == 1 else say("%(n)s seconds", n=wait_s)
        super().__init__(
            say(
                "Many orders from %(place)s are waiting for their payment, so nothing has been"
                " ordered yet. Wait %(seconds)s, then press the button again.",
                place=place,
                seconds=seconds,
            )
        )
        self.wait_s = wait_s


class InsufficientWallet(OrderRefused):
    """The wallet holds less than the order needs. Amounts in pesewas."""

    def __init__(
        self,
        needed_pesewas: int,
        available_pesewas: int,
        sentence: str,
    ) -> None:
        super().__init__(sentence)
        self.needed_pesewas = needed_pesewas
        self.available_pesewas = available_pesewas


class CostAbovePrice(OrderRefused):
    """The supplier's price has since passed what the agent pays: processing would lose money."""

    word = "Cost risen"


class NotListed(OrderRefused):
    """The supplier's newest list does not have the order's bundle: it could not be bought."""

    word = "Not offered"


class StalePrice(OrderRefused):
    """The agent price has moved since the page was drawn. `agent_price_pesewas` is the present
    one."""

    def __init__(self, agent_price_pesewas: int) -> None:
        super().__init__(
            f"It costs you {money.cedis(agent_price_pesewas)} by now. Look at the new figure, then"
            " press again."
        )
        self.agent_price_pesewas = agent_price_pesewas


class LossNotAccepted(OrderRefused):
    """The new agent price is above what the customer pays, and the agent has not said that he takes
    the loss."""

    def __init__(self, loss_pesewas: int) -> None:
        super().__init__(
            f"At the new price you lose {money.cedis(loss_pesewas)} on this order. Tick that you"
            " accept this loss, or cancel the order and give the money back."
        )
        self.loss_pesewas = loss_pesewas


class WrongState(OrderRefused):
    """The order is in a state from which this cannot be done."""


class Over(WrongState):
    """The order has ended: there is nothing to do any more."""
