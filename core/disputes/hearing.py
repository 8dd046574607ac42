"""News of a dispute: a signed webhook or the sweep names one, and the gateway is asked about it.
The news proves nothing: no money moves by it, and what it says is not kept. From then on nothing of
the payment is refunded, since its payer could get it twice."""

from __future__ import annotations

from sqlalchemy import select

from core import cases, outbox
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.disputes import rows
from core.disputes.model import KIND, OVER
from core.disputes.rows import CASE, Found
from core.online import Dispute, OnlinePayment, by_reference, locked_payment, ring
from core.online.model import MOST_ID


@needs_across_stores
@inside_use_case
def heard(gateway_id: str | None, reference: str | None, event: str) -> bool:
    """Signed news of a dispute. False when its payment is none of ours: then a person is told."""
    id_ = _number(gateway_id)
    known = _known(id_)
    payment = by_reference(reference) if reference else None
    if known is not None:
        _ring(known)
    elif payment is None:
        _tell_unknown(gateway_id or "", reference, event)
        return False
    elif id_ is None:
        _open_case(payment, event)
    else:
        _open(payment.id, id_, event)
    if payment is not None and payment.order_id is None:
        ring(payment)  # taken back already, it leaves the wallet at once
    return True


@needs_across_stores
def swept(gateway_id: str, reference: str | None, *, is_over: bool) -> None:
    """The gateway's list has this dispute. One that is over and unknown here is opened too: its
    news was lost, and what it took is to be booked."""
    with transaction():
        id_ = _number(gateway_id)
        known = _known(id_)
        if known is not None:
            if known.state == "unknown" or (known.state not in OVER and is_over):
                _ring(known)
            return
        payment = by_reference(reference) if reference else None
        if payment is not None and id_ is not None:
            _open(payment.id, id_, "found in its list")
        elif not is_over and not _was_told(gateway_id):
            _tell_unknown(gateway_id, reference, "found in its list")


@inside_use_case
def _ring(known: Dispute) -> None:
    """Have it looked up; by a new row where its own is past its keeping time."""
    if not rows.ring(known.id):
        outbox.add(KIND, known.id, store_id=known.store_id)


def _number(gateway_id: str | None) -> int | None:
    if gateway_id is None or not gateway_id.isdecimal():
        return None
    return int(gateway_id) if int(gateway_id) <= MOST_ID else None


def _known(gateway_id: int | None) -> Dispute | None:
    if gateway_id is None:
        return None
    return db.session.scalar(select(Dispute).where(Dispute.gateway_id == gateway_id))


@inside_use_case
def _open(payment_id: int, gateway_id: int, event: str) -> None:
    """A row for it and one that looks after it. Of two at once the second finds the first, since
    the payment is locked."""
    payment = locked_payment(payment_id)
    if _known(gateway_id) is not None:
        return
    dispute = Dispute(
        store_id=payment.store_id,
        payment_id=payment.id,
        gateway_id=gateway_id,
        amount_pesewas=payment.charged_pesewas or payment.amount_pesewas,
        category="",
        state="heard",
    )
    db.session.add(dispute)
    db.session.flush()
    found = Found(dispute, payment, rows.order_of(payment))
    rows.tell(found, "The payment is disputed: the gateway is asked about it.")
    _open_case(payment, event)
    outbox.add(KIND, dispute.id, store_id=payment.store_id)


@inside_use_case
def _open_case(payment: OnlinePayment, event: str) -> None:
    cases.open_case(
        CASE,
        payment.subject,
        {"payment": payment.reference, "gateway_says": event},
        store_id=payment.store_id,
        order_id=payment.order_id,
    )


@inside_use_case
def _tell_unknown(gateway_id: str, reference: str | None, event: str) -> None:
    """Other shops may share the account, so it is said once; nothing of ours is touched."""
    cases.open_case(
        "dispute_unknown",
        _subject(gateway_id),
        {"dispute": gateway_id, "payment": reference, "gateway_says": event},
    )


def _was_told(gateway_id: str) -> bool:
    told = select(cases.Case.id).where(
        cases.Case.kind == "dispute_unknown", cases.Case.subject == _subject(gateway_id)
    )
    return db.session.scalar(told.limit(1)) is not None


def _subject(gateway_id: str) -> str:
    return f"gateway_dispute:{gateway_id[:40]}"
