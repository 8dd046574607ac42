"""What a person does to an order that only a person can settle. Whether it is legal is decided in
`core.settling`.

Each acts on a locked order, and leaves a line with the person's name on the timeline.
`words` are the person's own; the agent of the order reads them there.
"""

from __future__ import annotations

from typing import Any

from core import outbox
from core.audit import Actor
from core.base import money
from core.base.language import later
from core.base.preconditions import inside_use_case
from core.orders.advancing import move
from core.orders.model import Order
from core.orders.releasing import look_soon
from core.orders.resending import queue_again
from core.orders.timeline import log
from core.outbox import OutboxRow


@inside_use_case
def look_again(order: Order, row: OutboxRow, actor: Actor) -> bool:
    """Have the supplier asked soon. False when that was asked for already."""
    order.watch_claim_here()
    return look_soon(order, row, actor)


@inside_use_case
def send_again(
    order: Order,
    row: OutboxRow,
    actor: Actor,
    words: str,
) -> None:
    """The supplier told a person that a *submitting* order was never bought: in line again, same
    reference."""
    said = (
        f"{actor.name} asked the supplier: it was never bought. It is sent again under the same"
        " reference."
    )
    queue_again(order, actor, _with(said, words))
    outbox.make_due(row)


@inside_use_case
def give_back(order: Order, actor: Actor, words: str) -> None:
    """The held money goes back: of a *failed* order, or of a *submitting* one that the supplier
    says was never bought.

    The order goes on being looked at for as long as `refunded_ladder_s` says: a person may have
    been told wrongly.
    """
    why = (
        f"{actor.name} asked the supplier: it was never bought."
        if order.state == "submitting"
        else f"{actor.name} ended the watch."
    )
    order.ever_unknown = order.ever_unknown or order.state == "submitting"
    back = f"{money.cedis(order.agent_price_pesewas)} is back in the wallet."
    if order.paid_online:
        back = f"The customer’s {money.cedis(order.price_pesewas)} goes back to them online."
    move(
        order,
        "refunded",
        actor,
        _with(f"{why} {back}", words),
        customer_text=later("Not delivered"),
    )


@inside_use_case
def note_settled(
    order: Order,
    actor: Actor,
    what: str,
    words: str,
    detail: dict[str, Any] | None = None,
) -> None:
    """A case about the order is settled without a move of it. `what` is a sentence without the
    platform's own money."""
    log(
        order,
        actor,
        "settled",
        _with(f"{actor.name}: {what}", words),
        detail=detail,
    )
    order.version += 1


def _with(said: str, words: str) -> str:
    if words:
        return f"{said} “{words}”"
    return said
