"""The handlers that ask the gateway about disputes: one with its answer, and the list of all.

Decides which call is due and which function of `core.disputes` an answer to it is for. An answer is
claimed before the call; what may have been sent is looked up, never sent blindly again.
"""

from __future__ import annotations

import time
from datetime import date, datetime

import structlog
from flask.globals import app_ctx

from core import disputes
from core.base import clock, config, tenancy
from core.disputes import answering, evidence, reminding, taking_in
from core.disputes.answering import Sending
from core.leases import Lease
from fulfilment import receipt_pdf
from fulfilment.outcome import Outcome
from integrations.payment_shapes import NotFound, Payment, Refused
from integrations.payments_port import (
    Dispute,
    Evidence,
    NotDone,
    Payments,
    Resolution,
    Rows,
    Span,
    Upload,
)
from integrations.ports import NoAnswer, NotSent, Supplier

log = structlog.get_logger("disputes")

MOST_PAGES = 20
FILE = "evidence.pdf"
UNCONFIGURED_S = 3_600


def watch(lease: Lease, _begun: None, _supplier: Supplier) -> Outcome:
    """Handler of `watch_dispute`: the reminder that is due, a look, and the next step of its
    answer."""
    wire: Payments | None = app_ctx.app.extensions.get("payments")
    if wire is None:
        return Outcome(clock.after(UNCONFIGURED_S))
    dispute_id = lease.subject_id
    sending = answering.next_answer(dispute_id)
    if sending is not None:
        return Outcome(_answer(dispute_id, sending, wire))
    due_at = _look(dispute_id, wire)
    reminder = reminding.due(dispute_id)
    if reminder is not None:
        reminding.send(reminder)
    return Outcome(due_at)


def sweep(_lease: Lease, _begun: None, _supplier: Supplier) -> Outcome:
    """Handler of `sweep_disputes`: the gateway's list, for disputes whose news was lost."""
    wire: Payments | None = app_ctx.app.extensions.get("payments")
    if wire is None:
        return Outcome(None)
    days = config.current().dispute_sweep_days
    span, after = Span(since=clock.now() - clock.delta(days * 86_400)), None
    for _page in range(MOST_PAGES):
        said = wire.disputes(span, after)
        if isinstance(said, NoAnswer):
            text = "The gateway did not list its disputes."
            return Outcome(None, ok=False, text=text)
        _take_rows(said)
        after = said.after
        if after is None:
            return Outcome(None)
    log.error("the gateway lists more disputes than are read", pages=MOST_PAGES)
    return Outcome(None, ok=False, text="The gateway lists more disputes than we read.")


def _take_rows(said: Rows[Dispute]) -> None:
    with tenancy.across_stores():
        for row in said.rows:
            is_over = row.status == "resolved"
            disputes.swept(row.gateway_id, row.payment_reference, is_over=is_over)


def _look(dispute_id: int, wire: Payments) -> datetime | None:
    gateway_id, reference = taking_in.names_of(dispute_id)
    said = wire.dispute(gateway_id)
    if isinstance(said, NoAnswer):
        settings = config.current()
        return clock.after(said.retry_after_s or settings.payment_refused_s)
    if isinstance(said, NotFound):
        return taking_in.missing(dispute_id)
    payment = None
    if said.status == "resolved":
        found = wire.verify(reference)
        payment = found.status if isinstance(found, Payment) else None
    return taking_in.take(dispute_id, said, payment)


def _answer(dispute_id: int, sending: Sending, wire: Payments) -> datetime | None:
    """One step of an answer: its evidence, its file, or the answer itself."""
    is_ready = sending.answer == "accept" or (sending.evidence_id and sending.file_name)
    if not is_ready:
        return _prepare(dispute_id, sending, wire)
    if not _claim_in_time(sending):
        return clock.now()
    said = wire.resolve_dispute(
        sending.gateway_id,
        Resolution(
            "accept" if sending.answer == "accept" else "decline",
            sending.words,
            sending.amount_pesewas,
            sending.file_name or "",
            sending.evidence_id or "",
        ),
    )
    if isinstance(said, Dispute):
        answering.took(sending.answer_id)
        return clock.now()
    if isinstance(said, NotSent):
        answering.not_sent(sending.answer_id)
        return clock.after(said.retry_after_s or config.current().payment_away_s)
    if isinstance(said, Refused):
        return _refused(dispute_id, sending, said)
    log.warning("not known whether a dispute was answered", why=said.reason)
    return clock.after(config.current().refund_absence_s)


def _claim_in_time(sending: Sending) -> bool:
    """Whether this worker may send it: of one frozen since its claim another may have seen by now
    that it was not sent."""
    begun = time.monotonic()
    is_ours = answering.claim(sending.answer_id)
    frozen_s = time.monotonic() - begun
    return is_ours and frozen_s <= clock.seconds(config.current().send_lease_s)


def _prepare(dispute_id: int, sending: Sending, wire: Payments) -> datetime | None:
    """What is sent twice here does no harm: the last of it counts."""
    if not sending.evidence_id:
        said = wire.dispute_evidence(sending.gateway_id, _evidence(sending))
        if isinstance(said, str):
            answering.prepared(sending.answer_id, evidence_id=said)
            return clock.now()
    else:
        said = _file(sending, wire)
        if isinstance(said, str):
            answering.prepared(sending.answer_id, file_name=said)
            return clock.now()
    if isinstance(said, Refused):
        return _refused(dispute_id, sending, said)
    return clock.after(config.current().payment_refused_s)


def _file(sending: Sending, wire: Payments) -> str | NotDone:
    where = wire.dispute_upload(sending.gateway_id, FILE)
    if not isinstance(where, Upload):
        return where
    lines = [f"{what}: {words}" for what, words in sending.pack["lines"]]
    file = receipt_pdf.of(["Makola: evidence for a dispute", "", *lines])
    return wire.put_file(where, file)


def _refused(dispute_id: int, sending: Sending, said: Refused) -> datetime | None:
    log.error("an answer to a dispute was refused", why=said.code, said=said.message)
    if said.kind == "credentials":
        answering.not_sent(sending.answer_id)
        return clock.after(config.current().payment_refused_s)
    why = said.message or said.code
    answering.refused(dispute_id, sending.answer_id, why)
    return clock.now()


def _evidence(sending: Sending) -> Evidence:
    pack = sending.pack
    delivered = pack.get("delivered_on", "")
    return Evidence(
        customer_email=pack["email"],
        customer_name=pack["name"],
        customer_phone=pack["phone"],
        service_details=evidence.text_of(pack),
        delivery_date=date.fromisoformat(delivered) if delivered else None,
    )
