"""The handler that compares days with the payment gateway: its settlements, its list of payments,
beside our books.

Decides which call a step is and how a record reads in the words of `core.gateway_days`. No
transaction is open while it calls; each page is kept by itself, so the next job goes on where one
died.
"""

from __future__ import annotations

import time
from datetime import datetime

import structlog
from flask.globals import app_ctx

from core import gateway_days
from core.base import clock, config
from core.gateway_days import Listed, ListedSettlement, Step
from core.leases import Lease
from fulfilment.outcome import Outcome
from integrations.payment_shapes import Payment
from integrations.payments_port import TOO_MANY_PAGES, Payments, Settlement, Span
from integrations.ports import NoAnswer, Supplier

log = structlog.get_logger("gateway_days")

PAGES_AT_ONCE = 5
LONGEST_S = 5
"""So many steps a job, and none begun later than this: customers wait behind it."""
OTHERS_S = 2
"""Then payouts and disputes have their turn."""
OF_ONE = ("broken", "unclear", "endpoint_gone")
"""Answers that may be of one settlement alone; after the others the gateway itself is away."""
_WORDS = {"paid": "success", "reversed": "reversed"}
_WORLDS = {True: "live", False: "test", None: ""}


def compare(_lease: Lease, _begun: None, _supplier: Supplier) -> Outcome:
    """Handler of `compare_gateway`: a few steps of the day that is under way."""
    gateway: Payments | None = app_ctx.app.extensions.get("payments")
    if gateway is None:
        return Outcome(None, ok=False, text="There is no gateway.")
    begun_s = time.monotonic()
    for _ in range(PAGES_AT_ONCE):
        if time.monotonic() - begun_s > LONGEST_S:
            break
        step = gateway_days.next_step()
        if step is None:
            return Outcome(None, ok=True)
        if step.name != "compare" and (said := _read(step, gateway)) is not None:
            log.warning("a list of the gateway was not read", why=said.reason)
            return Outcome(_away(said))
    return Outcome(clock.after(OTHERS_S))


def _read(step: Step, gateway: Payments) -> NoAnswer | None:
    """Make the step's call and keep what it says. Returns why there is no answer."""
    if step.name == "settlements":
        return _settlements(step, gateway)
    if step.name == "inside":
        return _inside(step, gateway)
    if step.name == "missing":
        return _missing(step, gateway)
    span = Span(step.since, step.until, _WORDS[step.name])
    found = gateway.payments(span, step.after or None)
    if isinstance(found, NoAnswer):
        return found
    listed = [_listed(one) for one in found.rows]
    gateway_days.took_payments(step, listed, found.after, found.left_out)
    return None


def _settlements(step: Step, gateway: Payments) -> NoAnswer | None:
    span = Span(step.since, step.until)
    found = gateway.settlements(span, int(step.after or 1))
    if isinstance(found, NoAnswer):
        if found.reason == TOO_MANY_PAGES:
            gateway_days.tell_too_long(step.day)
        return found
    listed = [_settlement(one) for one in found.rows]
    gateway_days.took_settlements(step, listed, found.after, found.left_out)
    return None


def _inside(step: Step, gateway: Payments) -> NoAnswer | None:
    found = gateway.settled_payments(step.settlement, step.page)
    if isinstance(found, NoAnswer):
        if found.kind not in OF_ONE:
            return found
        why = f"Its payments cannot be read: {found.reason}."
        gateway_days.put_off_inside(step, why)
        return None
    after = int(found.after) if found.after else None
    listed = [_listed(one) for one in found.rows]
    gateway_days.took_inside(step, listed, after, found.left_out)
    return None


def _missing(step: Step, gateway: Payments) -> NoAnswer | None:
    """What our books have as paid and the list has not is asked for by itself."""
    said = gateway.verify(step.reference)
    if isinstance(said, NoAnswer):
        return said
    found = Listed(step.reference, gateway_days.ABSENT)
    if isinstance(said, Payment):
        found = _listed(said)
    gateway_days.took_payments(step, [found], None, 0)
    return None


def _listed(one: Payment) -> Listed:
    return Listed(
        reference=one.reference,
        word=one.status,
        raw_word=one.raw_status,
        mode=_WORLDS[one.is_live],
        currency=one.currency,
        charged_pesewas=one.amount_pesewas,
        fees_pesewas=one.fees_pesewas,
        paid_at=one.paid_at or one.created_at,
        gateway_id=one.gateway_id,
    )


def _settlement(one: Settlement) -> ListedSettlement:
    return ListedSettlement(
        gateway_id=one.gateway_id,
        raw_word=one.raw_status,
        currency=one.currency,
        total_pesewas=one.total_pesewas,
        fees_pesewas=one.fees_pesewas,
        deductions_pesewas=one.deductions_pesewas,
        effective_pesewas=one.effective_pesewas,
        settled_at=one.settled_on,
    )


def _away(said: NoAnswer) -> datetime:
    return clock.after(said.retry_after_s or config.current().payment_refused_s)
