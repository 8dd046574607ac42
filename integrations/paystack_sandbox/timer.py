"""What falls due at the gateway, one after the other, each at its own moment.

Decides who acts. What an act does is decided with the thing it happens to.
"""

from __future__ import annotations

from integrations.paystack_sandbox import (
    disputes,
    payments,
    refunds,
    settling,
    transfers,
)
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Thing


def tick(gateway: Gateway) -> int:
    """Let everything happen that is due. Returns how much that was."""
    acted = 0
    while one(gateway):
        acted += 1
    gateway.webhooks.tick()
    return acted


def act(gateway: Gateway, thing: Thing, word: str) -> None:
    if thing.kind == "payment":
        payments.ACTS[word](gateway, thing)
    elif thing.kind == "refund":
        refunds.act(gateway, thing, word)
    elif thing.kind == "transfer":
        transfers.act(gateway, thing, word)
    elif thing.kind == "dispute":
        disputes.act(gateway, thing, word)


def one(gateway: Gateway) -> bool:
    """Let the first thing happen that is due. False when there is none."""
    with gateway.store.change():
        due = gateway.store.take_due(gateway.clock.now())
        if due is None:
            return False
        at, number, word = due
        gateway.at(at)
        try:
            thing = gateway.store.thing(number)
            if thing is not None:
                act(gateway, thing, word)
            elif word.startswith("settle."):
                settling.settle(gateway, word.removeprefix("settle."))
        finally:
            gateway.at(None)
    return True
