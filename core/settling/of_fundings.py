"""Whether an action about a wallet funding that the gateway took back is legal now, and how much it
would move. Changes nothing."""

from __future__ import annotations

from core import ledger, online
from core.base import money
from core.online import wallet_debts
from core.settling.facts import ActionRefused, Facts, NotYet, payment_of


def take_funding(facts: Facts) -> int:
    payment = payment_of(facts.case)
    if payment is None or payment.funded_at is None:
        raise ActionRefused(
            "This payment went into no wallet. Close the case with words."
        )
    if not (left := online.left_of_funding(payment)):
        raise ActionRefused(
            "This funding is booked as taken back already. Close the case with words."
        )
    return left


def settle_debt(facts: Facts) -> int:
    owed = bear_loss(facts)
    assert facts.case.store_id is not None
    free = ledger.wallet_of(facts.case.store_id).available_pesewas
    if free < owed:
        raise NotYet(
            f"{money.cedis(owed)} is owed and {money.cedis(free)} is free in the wallet. The next"
            " funding settles it by itself."
        )
    return owed


def bear_loss(facts: Facts) -> int:
    owed = _owed(facts)
    if not owed:
        raise ActionRefused("The store owes nothing of it. Close the case with words.")
    return owed


def _owed(facts: Facts) -> int:
    payment = payment_of(facts.case)
    return wallet_debts.owed_of(payment.id) if payment is not None else 0


def refuse_open_debt(facts: Facts) -> None:
    """Raise `ActionRefused` where closing a case would leave a store that may process nothing and
    nobody who is asked about it."""
    if facts.case.kind == wallet_debts.CASE and _owed(facts):
        raise ActionRefused(
            "The store still owes a part of it and may process nothing. Settle it out of the"
            " wallet, or bear the loss."
        )
