"""Asking the supplier for our balance: before a purchase that needs it, by the timer, by a person's button."""

from __future__ import annotations

from datetime import timedelta

from core import clock, config, reconcile, supply, tenancy
from core.db import end_read
from core.outbox import Lease
from fulfilment import link
from fulfilment.outcome import Outcome
from integrations.ports import Balance, NoAnswer, Supplier

_NO_ANSWER = {
    "unclear": "The supplier's answer was unclear",
    "endpoint_gone": "The supplier has no balance endpoint any more",
    "rate_limited": "The supplier's rate limit is used up",
    "credentials": "The supplier refuses our credentials",
    "unreachable": "The supplier cannot be reached",
    "broken": "The supplier's balance endpoint is broken",
}


def refresh(lease: Lease, supplier: Supplier) -> Outcome:
    """Handler of `refresh_balance`: read the balance while no purchase is in flight and judge it."""
    with link.wallet_turn() as turn:
        if not turn:
            return Outcome(clock.after(2))
        pause = supply.take_call("other")
        if pause:
            return Outcome(clock.now() + timedelta(seconds=pause))
        answer = read(supplier)
    if isinstance(answer, NoAnswer):
        return Outcome(None, ok=False, text=f"{_NO_ANSWER[answer.kind]}: {answer.reason}")
    return Outcome(None, ok=True, text=f"Balance read: {answer}.")


def read(supplier: Supplier) -> str | NoAnswer:
    """One balance call and its judgement in words. The caller holds the wallet's turn and has taken a call."""
    end_read()
    answer = supplier.balance()
    if isinstance(answer, Balance):
        with tenancy.across_stores():
            return reconcile.note_balance(answer.balance_pesewas)
    if answer.kind == "credentials":
        link.refused_credentials()
    elif answer.kind == "rate_limited":
        link.told_to_wait(answer.retry_after_s)
    elif answer.kind == "unreachable":
        link.unreachable()
    return answer


def too_low_for(cost_pesewas: int, supplier: Supplier) -> bool:
    """Whether the float cannot pay for an order; reads the balance first when the last read is stale or the order large.

    Before a purchase our own books decide (product.md §3); the read keeps them honest. No information from the
    supplier leaves the decision to the books.
    """
    settings = config.current()
    with tenancy.across_stores():
        float_now = reconcile.float_pesewas()
        link_state = supply.state()
    read_at = link_state.last_balance_at
    stale = read_at is None or clock.now() - read_at > clock.delta(settings.balance_fresh_s)
    large = cost_pesewas * 10_000 > float_now * settings.large_order_bp
    if (stale or large) and supply.take_call("other") == 0.0:
        read(supplier)
        with tenancy.across_stores():
            float_now = reconcile.float_pesewas()
            link_state = supply.state()
    known = link_state.last_balance_pesewas
    return cost_pesewas > float_now or (known is not None and cost_pesewas > known)
