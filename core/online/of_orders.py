"""What moves with an order that was paid online: the customer's money is held, then pays the
supplier, us and the agent, or is owed back.

*hold*, *capture* and *release* are the kinds of every order, with other legs.
"""

from __future__ import annotations

from core.audit import Actor
from core.base.preconditions import inside_use_case
from core.ledger import post
from core.online.attempts import ring
from core.online.model import OnlinePayment, PricedOrder, Unfit
from core.online.standing import balanced, paying, taken


@inside_use_case
def hold(order: PricedOrder, actor: Actor) -> None:
    """Set the agent price aside and the profit beside it. Raises `Unfit`."""
    payment = _paid(order)
    profit = order.price_pesewas - order.agent_price_pesewas
    if profit < 0:
        raise Unfit(
            "This bundle costs more by now than the customer paid. Cancel the order."
        )
    if taken(payment.id):
        raise Unfit(
            "The customer's payment was taken back. Cancel the order: nothing is owed for it."
        )
    legs = [
        ("customer_funds", order.price_pesewas),
        ("held", -order.agent_price_pesewas),
        ("earnings_pending", -profit),
    ]
    post("hold", legs, actor, order=order)


@inside_use_case
def capture(
    order: PricedOrder, *, cost_pesewas: int, charged_pesewas: int, actor: Actor
) -> None:
    """Delivered: the held money pays the supplier's charge and our margin, and the profit is
    earned, less the payment's fee as far as it is known. Raises `Unfit`."""
    payment = _paid(order)
    price, profit = order.agent_price_pesewas, _profit(order)
    fee = payment.fee_pesewas
    legs = [
        ("held", price),
        ("in_flight", -charged_pesewas),
        ("margin", -(price - cost_pesewas)),
        ("price_variance", charged_pesewas - cost_pesewas),
        ("earnings_pending", profit),
        ("earnings", -(profit - fee)),
        ("gateway_fees", -fee),
    ]
    post("capture", legs, actor, order=order)
    payment.agent_fee_pesewas = fee


@inside_use_case
def release(order: PricedOrder, actor: Actor) -> None:
    """Not delivered: what was held is owed back to the customer. Raises `Unfit`."""
    payment = _paid(order)
    legs = [
        ("held", order.agent_price_pesewas),
        ("earnings_pending", _profit(order)),
    ]
    legs = balanced(payment.id, legs, owe=order.price_pesewas)
    post("release", legs, actor, order=order)
    ring(payment)  # it goes back by itself: `refunds.ask_after_end`


@inside_use_case
def owe_of_order(order: PricedOrder, actor: Actor) -> None:
    """A paid order ends before its money was held: it is owed back to the customer."""
    payment = paying(order.id)
    if payment is None:
        return  # nobody has paid
    whole = order.price_pesewas
    legs = balanced(payment.id, [("customer_funds", whole)], owe=whole)
    post(
        "owe",
        legs,
        actor,
        store_id=order.store_id,
        subject=payment.subject,
    )
    ring(payment)


@inside_use_case
def fee_to_agent(order: PricedOrder, actor: Actor) -> None:
    """The agent cancelled what was paid and bears the fee that is lost. Raises `Unfit`."""
    payment = _paid(order)
    fee = payment.fee_pesewas
    if order.state != "cancelled" or payment.agent_fee_pesewas is not None or fee <= 0:
        raise Unfit("The agent bears the known fee of an order they cancelled, once.")
    payment.agent_fee_pesewas = fee
    post(
        "fee_to_agent",
        [("earnings", fee), ("gateway_fees", -fee)],
        actor,
        store_id=order.store_id,
        subject=payment.subject,
    )


@inside_use_case
def give_back(order: PricedOrder, actor: Actor, note: str) -> None:
    """A case: what a delivered order cost its customer is owed back after all. The agent's profit
    goes, the rest is our loss. Raises `Unfit`."""
    payment = _paid(order)
    if order.state != "completed" or payment.owed_pesewas:
        raise Unfit("Only a delivered order is given back like this, and once.")
    if taken(payment.id):
        raise Unfit("The customer has the money back already: the payment was taken.")
    profit = _profit(order) - (payment.agent_fee_pesewas or 0)
    legs = balanced(payment.id, [("earnings", profit)], owe=order.price_pesewas)
    post(
        "give_back",
        legs,
        actor,
        store_id=order.store_id,
        subject=payment.subject,
        note=note,
    )
    payment.owed_pesewas = order.price_pesewas


def _profit(order: PricedOrder) -> int:
    return order.price_pesewas - order.agent_price_pesewas


def _paid(order: PricedOrder) -> OnlinePayment:
    payment = paying(order.id) if order.paid_online else None
    if payment is None:
        raise Unfit("Nobody has paid for this order online.")
    return payment
