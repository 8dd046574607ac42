"""Processing orders, by a person or by the timer, and telling the reseller about it.

Decides which event follows a change of status and when the timer acts. Money is moved by
`orders.py`.
"""

from __future__ import annotations

import random

from integrations.sandbox import orders, wire
from integrations.sandbox.orders import Move, Order, UnknownOrder
from integrations.sandbox.state import Sandbox

EXPORT_BATCH = 40

_draw = random.Random(0)


def change_status(
    sandbox: Sandbox,
    order: Order,
    status: str,
    *,
    refund: bool | None = None,
    cause: str = "admin",
    quiet: bool = False,
) -> Move:
    """Move the order and its money, then send the event if this supplier sends one, unless `quiet`.

    Raises ValueError as `move`.
    """
    knobs = sandbox.knobs
    done = orders.move(
        sandbox.store,
        order,
        status,
        refund=refund,
        charge_again=knobs.requeue_charges,
        reason_lingers=knobs.failure_reason_lingers,
        cause=cause,
    )
    if done.changed and knobs.webhook_on_status_change and not quiet:
        event = {
            "reference": done.order.reference,
            "old_status": done.old_status,
            "new_status": done.order.status,
            "amount": wire.cedis(done.order.amount_pesewas),
        }
        sandbox.webhooks.event(
            sandbox.store.account(order.account_id), "transaction.status_update", event
        )
    return done


def find(sandbox: Sandbox, account_id: int, name: str) -> Order:
    """The order with that reference, else with that transaction id. Raises UnknownOrder."""
    order = orders.find(sandbox.store, account_id, name, hidden=True)
    if order is not None:
        return order
    found = sandbox.store.rows(
        "SELECT * FROM orders WHERE account_id = ? AND transaction_id = ?",
        account_id,
        name,
    )
    if not found:
        raise UnknownOrder(name)
    return Order(**found[0])


def export_batch(sandbox: Sandbox) -> int:
    """Mark the oldest pending orders as sent, at most one batch of them; returns how many."""
    batch = orders.due(
        sandbox.store, "pending", sandbox.clock.now(), limit=EXPORT_BATCH
    )
    for order in batch:
        change_status(sandbox, order, "sent")
    return len(batch)


def tick(sandbox: Sandbox) -> int:
    """The timer: pending orders are sent after half the time, sent ones finish after the other
    half."""
    knobs = sandbox.knobs
    if not knobs.auto_fulfil:
        return 0
    before = sandbox.clock.now() - knobs.auto_fulfil / 2 / knobs.time_scale
    ready = orders.due(sandbox.store, "sent", before)
    waiting = orders.due(sandbox.store, "pending", before)
    for order in ready:
        if _draw.random() < knobs.auto_success_rate:
            change_status(sandbox, order, "successful", cause="timer")
        else:
            change_status(
                sandbox,
                order,
                "failed",
                refund=True,
                cause="timer",
            )
    for order in waiting:
        change_status(sandbox, order, "sent", cause="timer")
    return len(ready) + len(waiting)
