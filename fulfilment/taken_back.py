"""How much of a payment the gateway took back, by its own list of disputes: its record of the
payment says only that it did."""

from __future__ import annotations

from integrations.payment_shapes import Payment
from integrations.payments_port import Dispute, Payments, Span
from integrations.ports import NoAnswer

LOST = ("merchant-accepted", "auto-accepted")
PAGES = 20
"""Pages of disputes that are looked through, the newest first."""


def pesewas(gateway: Payments, payment: Payment) -> int | None | NoAnswer:
    """What lost disputes took of it; None where no dispute says how much, so that all is gone."""
    span, after, taken = Span(since=payment.paid_at or payment.created_at), None, 0
    for _page in range(PAGES):
        found = gateway.disputes(span, after)
        if isinstance(found, NoAnswer):
            return found
        taken += sum(
            one.amount_pesewas or 0
            for one in found.rows
            if _is_lost(one, payment.reference)
        )
        after = found.after
        if after is None:
            break
    return taken or None


def _is_lost(dispute: Dispute, reference: str) -> bool:
    return dispute.payment_reference == reference and dispute.resolution in LOST
