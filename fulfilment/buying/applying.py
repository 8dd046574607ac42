"""What an answer of the supplier does to an order, whichever question it answers.

`close` writes one answer down in one transaction, lease and next check included. Which word means
what is decided in `interpret`, which moves exist in `core.orders`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core import leases, orders
from core.base import clock
from core.base.db import after_commit, end_read, retry_on_conflict, transaction
from core.base.preconditions import inside_use_case
from core.leases import Lease
from core.orders import Claim, Order
from fulfilment import catalog_sync
from fulfilment.buying import balance, interpret, schedule
from fulfilment.outcome import Outcome
from integrations.ports import (
    NoAnswer,
    Unknown,
)

BACKOFF_S = (5, 15, 30, 60)
STRANGER = ("other_reference", "not_found_of_other_reference")
"""Reasons of an `Unknown` or `NoAnswer` whose answer named a reference that is not the one asked
about."""


def close(
    lease: Lease,
    order_id: int,
    act: Callable[[], datetime | None],
    *,
    news_read: bool = True,
) -> Outcome:
    """One answer, or one reason to wait, in one transaction: what `act` does to the order, when to
    check again, the lease.

    `act` returns that moment, and is done again from its beginning when the database asks for it.
    """

    def once() -> Outcome:
        with transaction():
            orders.locked(order_id)  # before its row, as everybody takes these two
            due = act()
            orders.note_next(order_id, due)
            kept = leases.finish(lease, due, news_read=news_read)
        return Outcome(due, kept=kept)

    return retry_on_conflict(once)


def read(order_id: int) -> Order:
    """An order as it is now, in a read that is over at once."""
    end_read()
    return orders.by_id(order_id)


@inside_use_case
def take(order: Order, verdict: interpret.Verdict) -> datetime | None:
    """Apply a verdict to a locked order, open the cases it calls for, say when to check next."""
    for kind, evidence in verdict.cases:
        orders.raise_case(order.id, kind, evidence)
    if verdict.move is not None:
        orders.advance(
            order.id,
            verdict.move,
            text=verdict.text,
            customer_text=verdict.customer_text,
            news=verdict.news,
        )
        if verdict.news.money_back:
            after_commit(balance.note_money_back)
    elif verdict.wrong_order and order.state == "submitting":
        orders.mark_unknown(
            order.id, order.attempt, "the answer is about another order"
        )
        orders.forget_absence(order.id)
    catalog_sync.note_charge(order, verdict.news.amount_pesewas)
    return schedule.next_check(order)


def back_in_line(
    claim: Claim, reason: str | None, text: str, due: datetime | None
) -> datetime:
    """The claim certainly bought nothing: *queued* again until `due` (default now), with the reason
    people read."""
    moved = orders.advance(
        claim.order_id, "queued", attempt=claim.attempt, text=text, wait_reason=reason
    )
    if moved and due is not None:
        return due
    return clock.now()


def unclear(claim: Claim, reason: str) -> datetime | None:
    """The attempt has no trustworthy answer: only a look-up decides from now on."""
    orders.mark_unknown(claim.order_id, claim.attempt, reason)
    return schedule.next_check(orders.locked(claim.order_id))


def ask_about_stranger(order_id: int, silence: Unknown | NoAnswer) -> None:
    """An answer that named another reference than ours is no information, and a person should see
    it."""
    if silence.reason in STRANGER:
        orders.raise_case(
            order_id, "wrong_answer", {"said": "the answer was about another reference"}
        )
