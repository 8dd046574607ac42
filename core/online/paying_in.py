"""Money in: a payment that succeeded, its fee, what is owed back at once, and into a wallet; and
between the gateway and the bank."""

from __future__ import annotations

from core.audit import Actor
from core.base import clock, money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.ledger import Kind, post
from core.online.model import OnlinePayment, PricedOrder, Unfit
from core.online.paying_back import is_disputed
from core.online.standing import balanced, paying
from core.online.wallet_debts import locked_debts, settle


@inside_use_case
def pay_in(
    payment: OnlinePayment,
    charged_pesewas: int,
    fees_pesewas: int | None,
    actor: Actor,
    pays: PricedOrder | None = None,
) -> None:
    """A payment of a locked row succeeded with so much, of which the gateway kept its fees (None:
    not said yet). It pays the locked order `pays`, when it is whole and in time, and else nothing
    yet. Raises `Unfit`."""
    _refuse_paid(payment, charged_pesewas, fees_pesewas)
    if pays is not None:
        _refuse_order(payment, charged_pesewas, pays)
        payment.pays_order_id = pays.id
    _take(payment, charged_pesewas, fees_pesewas)
    got = charged_pesewas - (fees_pesewas or 0)
    legs = [
        ("gateway", got),
        ("gateway_fees", payment.fee_pesewas),
        ("customer_funds", -payment.worth_pesewas),
    ]
    _post("pay_in", payment, legs, actor)


@inside_use_case
def fund(
    payment: OnlinePayment,
    charged_pesewas: int,
    fees_pesewas: int | None,
    actor: Actor,
) -> None:
    """A payment into a wallet succeeded, and whole: the wallet has what was asked, and what the
    store owes is settled out of it. Raises `Unfit`; one that is short is a `pay_in`."""
    _refuse_paid(payment, charged_pesewas, fees_pesewas)
    if payment.purpose != "wallet" or charged_pesewas < payment.amount_pesewas:
        raise Unfit(
            "Only a whole payment into a wallet funds it. Take others in as paid, and decide."
        )
    debts = locked_debts(payment.store_id)
    payment.funded_at = clock.now()
    _take(payment, charged_pesewas, fees_pesewas)
    got = charged_pesewas - (fees_pesewas or 0)
    legs = [
        ("gateway", got),
        ("gateway_fees", payment.amount_pesewas - got),
        ("wallet", -payment.amount_pesewas),
    ]
    _post("fund_online", payment, legs, actor)
    settle(debts, actor)


@inside_use_case
def fee_found(payment: OnlinePayment, fees_pesewas: int, actor: Actor) -> None:
    """The fee of a payment, which nobody had named, is known. Raises `Unfit`."""
    if payment.state != "paid" or payment.fees_pesewas is not None:
        raise Unfit("The fee of this payment is known already, or it is not paid.")
    if not 0 <= fees_pesewas <= (payment.charged_pesewas or 0):
        raise Unfit("A fee is between nothing and what was charged.")
    payment.fees_pesewas = fees_pesewas
    legs = [("gateway", -fees_pesewas), ("gateway_fees", fees_pesewas)]
    _post("fee_found", payment, legs, actor)


@inside_use_case
def owe(payment: OnlinePayment, actor: Actor) -> None:
    """A payment that pays nothing (late, double, short) is owed back whole. Raises `Unfit`."""
    if payment.state != "paid" or payment.is_used or payment.owed_pesewas:
        raise Unfit("This payment is not free: it pays something, or is owed already.")
    worth = payment.worth_pesewas
    legs = balanced(payment.id, [("customer_funds", worth)], owe=worth)
    _post("owe", payment, legs, actor)
    payment.owed_pesewas = worth


@inside_use_case
def fulfil_late(payment: OnlinePayment, order: PricedOrder) -> None:
    """A late payment pays a new order priced as it is: nothing moves. Raises `Unfit`."""
    if payment.state != "paid" or payment.is_used or payment.owed_pesewas:
        raise Unfit("This payment is not free: it pays something, or is owed already.")
    if is_disputed(payment.id):
        raise Unfit("This payment is disputed: its payer may get it back by that.")
    net = (payment.charged_pesewas or 0) - (payment.fees_pesewas or 0)
    if order.price_pesewas != payment.charged_pesewas or order.id == payment.order_id:
        raise Unfit("A late payment pays a new order of the very price that was paid.")
    if order.agent_price_pesewas > net:
        raise Unfit(
            f"{money.cedis(net)} came in and the bundle costs more by now. Give it back."
        )
    _refuse_unpayable(order)
    payment.pays_order_id = order.id
    db.session.flush()


@inside_use_case
def settlement(settlement_id: int, amount_pesewas: int, actor: Actor) -> None:
    """The gateway paid so much to our bank. Raises `Unfit`."""
    _move("settlement", settlement_id, amount_pesewas, actor)


@inside_use_case
def gateway_difference(
    settlement_id: int, loss_pesewas: int, actor: Actor, note: str
) -> int:
    """A person accepts that a settlement took so much more than is ours, or, below nothing, brought
    more. Returns the posting's id. Raises `Unfit`."""
    if not loss_pesewas:
        raise Unfit("Nothing differs.")
    return post(
        "gateway_difference",
        [("gateway", -loss_pesewas), ("dispute_loss", loss_pesewas)],
        actor,
        subject=f"settlement:{settlement_id}",
        note=note,
    )


@inside_use_case
def top_up(top_up_id: int, amount_pesewas: int, actor: Actor) -> None:
    """We paid so much into our balance at the gateway. Raises `Unfit`."""
    _move("top_up", top_up_id, -amount_pesewas, actor)


def _move(kind: str, id_: int, to_bank_pesewas: int, actor: Actor) -> None:
    if (to_bank_pesewas > 0) != (kind == "settlement") or to_bank_pesewas == 0:
        raise Unfit("Name an amount above nothing.")
    legs = [("bank", to_bank_pesewas), ("gateway", -to_bank_pesewas)]
    if kind == "settlement":
        post("settlement", legs, actor, subject=f"settlement:{id_}")
    else:
        post("top_up", legs, actor, subject=f"top_up:{id_}")


def _refuse_paid(payment: OnlinePayment, charged: int, fees: int | None) -> None:
    if payment.state == "paid":
        raise Unfit("This payment is in the books already.")
    if charged <= 0 or not 0 <= (fees or 0) <= charged:
        raise Unfit("A payment charges something, and its fee is a part of that.")


def _refuse_order(payment: OnlinePayment, charged: int, order: PricedOrder) -> None:
    if payment.order_id != order.id or payment.amount_pesewas != order.price_pesewas:
        raise Unfit("This payment was asked for another order, or another price.")
    if charged < payment.amount_pesewas:
        raise Unfit("Less was paid than asked: it pays nothing until somebody decides.")
    _refuse_unpayable(order)


def _refuse_unpayable(order: PricedOrder) -> None:
    if order.state != "awaiting_payment" or not order.paid_online:
        raise Unfit("This order does not wait for a payment: what comes in is late.")
    if paying(order.id) is not None:
        raise Unfit("This order is paid already: what comes in is double.")


def _take(payment: OnlinePayment, charged: int, fees: int | None) -> None:
    payment.state = "paid"
    payment.charged_pesewas, payment.fees_pesewas = charged, fees
    payment.paid_at = payment.ended_at = clock.now()
    db.session.flush()


def _post(
    kind: Kind, payment: OnlinePayment, legs: list[tuple[str, int]], actor: Actor
) -> None:
    post(
        kind,
        legs,
        actor,
        store_id=payment.store_id,
        subject=payment.subject,
    )
