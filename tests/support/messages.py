"""An inbox of mobile-money messages of made-up people, whose balances follow from each other."""

from __future__ import annotations

import itertools

_transactions = itertools.count(88_000_000_001)


class Inbox:
    """Of one MTN number, with this much in it, in pesewas."""

    def __init__(self, balance: int = 10_000) -> None:
        self.balance = balance

    def came(self, amount: int, reference: str = "1", name: str = "EFUA SAMPLE") -> str:
        """Money that came."""
        self.balance += amount
        return received(amount, self.balance, reference, name)

    def went(self, amount: int, fee: int = 0) -> str:
        """Money that went out."""
        self.balance -= amount + fee
        return (
            f"Payment made for GHS {_cedis(amount)} to MADE UP SHOP Current Balance: GHS"
            f" {_cedis(self.balance)} . Available Balance: GHS {_cedis(self.balance)}. Reference:"
            f" 1. Transaction ID: {next(_transactions)}. Fee charged: GHS {_cedis(fee)}"
        )


def received(
    amount: int,
    balance: int,
    reference: str = "1",
    name: str = "EFUA SAMPLE",
    transaction: int | None = None,
) -> str:
    """A message that says so, true or not."""
    return (
        f"Payment received for GHS {_cedis(amount)} from {name} Current Balance: GHS"
        f" {_cedis(balance)} . Available Balance: GHS {_cedis(balance)}. Reference: {reference}."
        f" Transaction ID: {transaction or next(_transactions)}. TRANSACTION FEE: 0.00"
    )


def telecel(amount: int, balance: int, day_and_time: str, reference: str = "1") -> str:
    """A message of Telecel Cash, which names its time: `2026-11-05 at 09:00:00`."""
    return (
        f"{next(_transactions):016} Confirmed. You have received GHS{_cedis(amount)} from"
        f" 233501110000 - AKUA SAMPLE on {day_and_time}. Your Telecel Cash balance is"
        f" GHS{_cedis(balance)}. Reference: {reference}."
    )


def _cedis(pesewas: int) -> str:
    return f"{pesewas // 100:,}.{pesewas % 100:02}"
