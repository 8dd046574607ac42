"""The one call that buys: for one claim, or for several in one envelope. Nothing else in the tree
buys.

Decides that a claim held up too long is not sent, and that a call cut short is unknown for every
line of it. What an answer means for an order is decided in `answers`, whether several go together
in `bulk`.
"""

from __future__ import annotations

from collections.abc import Sequence

from core import orders
from core.base.db import end_read
from core.orders import Claim
from integrations.ports import PurchaseRequest, SubmitResult, Supplier


def call(
    claims: Sequence[Claim], supplier: Supplier
) -> tuple[list[SubmitResult], int | None] | None:
    """Make the one purchase call of these claims: the result of each, and the supplier's balance
    where it named one.

    None when nothing was sent because the claims are too old: they are unknown then. The envelope
    of several claims is sent once, under a reference nobody ever repeats; what protects an order is
    the reference of its own line.
    """
    requests = [
        PurchaseRequest(c.order_ref, c.product_name, c.capacity, c.recipient_msisdn)
        for c in claims
    ]
    end_read()
    if not all(claim.may_send for claim in claims):
        _all_unknown(claims, "this worker was held up too long to send safely")
        return None
    try:
        if len(requests) == 1:
            result = supplier.submit(requests[0])
            return [result], getattr(result, "balance_after_pesewas", None)
        answer = supplier.submit_bulk(requests, orders.new_order_ref())
    except (
        BaseException
    ) as interruption:  # the job's time limit, or a stop: sent or not, nobody knows
        _all_unknown(claims, type(interruption).__name__)
        raise
    said = {line.order_ref: line.result for line in answer.lines}
    return [said[claim.order_ref] for claim in claims], answer.balance_after_pesewas


def _all_unknown(claims: Sequence[Claim], reason: str) -> None:
    for claim in claims:
        orders.mark_unknown(claim.order_id, claim.attempt, reason)
