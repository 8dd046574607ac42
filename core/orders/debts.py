"""A store that owes a part of a wallet funding that was taken back: until that is settled it
processes no order out of its wallet."""

from __future__ import annotations

from core.base import money
from core.online import wallet_debts
from core.orders import refusals
from core.orders.model import Order


def refuse(order: Order) -> None:
    """Raise `refusals.StoreOwes` while the order's store owes something. What a customer has paid
    online goes on: it is not out of the wallet."""
    if order.paid_online or order.is_test:
        return
    if sentence := sentence_now(order.store_id):
        raise refusals.StoreOwes(sentence)


def sentence_now(store_id: int) -> str:
    """Why a store can process nothing, and what helps; empty while it owes nothing."""
    return sentence_of(wallet_debts.owed(store_id))


def sentence_of(owed_pesewas: int) -> str:
    """The same, by what is owed."""
    if not owed_pesewas:
        return ""
    return (
        f"{money.cedis(owed_pesewas)} of a payment into your wallet was taken back after it was"
        " spent, so no order can be processed. Put money in: it settles that first. Or ask the"
        " owner of Makola."
    )
