"""The life of a refund at the gateway: asked, sent, found again, done, or with a person.

The gateway knows no repeated refund, two requests are two refunds. So a request is written down
before it is sent, the gateway's own list is read before every sending, and one that may have been
sent is sent again only when that list has shown twice, some time apart, that it is not there. What
is due is decided here, the calls are `fulfilment.refunding`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select, text

from core import audit
from core.audit import SYSTEM, Actor
from core.base import clock, config
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case
from core.online import adopting, refund_cases
from core.online.adopting import ask_rest
from core.online.attempts import ring
from core.online.model import (
    OPEN_REFUND,
    GatewayRefund,
    OnlinePayment,
    Unfit,
)
from core.online.of_orders import fee_to_agent
from core.online.paying_back import (
    ask_refund,
    refund_done,
    refund_returned,
)
from core.online.refund_lists import Reason, newest
from core.online.refund_rows import is_held_back, locked_refund
from core.online.standing import due, locked_payment

Word = Literal["open", "done", "failed", "needs_details"]
UNREADABLE = "unreadable"
"""A record under a number that cannot be kept: nothing is applied, and a person looks."""
_END = text(
    "SELECT o.id, o.store_id, o.code, o.state, o.paid_online, o.price_pesewas,"
    " o.agent_price_pesewas, (SELECT e.who FROM order_events e WHERE e.order_id = o.id"
    " AND e.kind = 'cancelled' ORDER BY e.id DESC LIMIT 1) AS ended_by"
    " FROM orders o WHERE o.id = :id"
)
_SHOW = text(
    "UPDATE orders SET version = version + 1 WHERE id ="
    " (SELECT coalesce(pays_order_id, order_id) FROM online_payments WHERE id = :id)"
)
"""Its order's page is drawn anew, and says how the refund stands."""


@dataclass(frozen=True)
class Step:
    """A refund as it stands, with what tells it from others in the gateway's list."""

    refund_id: int
    state: str
    reference: str
    """Of its payment."""
    payment_gateway_id: int | None
    amount_pesewas: int
    note: str
    """The only field of ours that comes back."""
    asked_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    gateway_refund_id: int | None
    others: frozenset[str]
    """The gateway's numbers of the payment's other refunds."""
    to_number: str | None
    to_network: str | None
    is_disputed: bool
    is_adopted: bool


@inside_use_case
def ask_after_end(payment: OnlinePayment) -> GatewayRefund | None:
    """The refund that our own facts prove: the order that this payment pays ended without delivery.
    None where nothing is due, or a dispute keeps it back."""
    order: Any = db.session.execute(_END, {"id": payment.pays_order_id}).one_or_none()
    if order is None or order.state not in ("cancelled", "refunded"):
        return None
    owed = due(payment.id)
    if not owed:
        return None
    try:
        refund = ask_refund(payment, owed, order.state, SYSTEM)
    except Unfit:
        return None
    bearer = config.current().refund_fee_bearer
    if bearer == "agent" and order.ended_by == "agent" and payment.fee_pesewas > 0:
        fee_to_agent(order, SYSTEM)
    return refund


@inside_use_case
def ask_by_hand(payment: OnlinePayment, reason: Reason, actor: Actor) -> GatewayRefund:
    """All that is owed of a locked payment, because a person says so. Raises `Unfit`."""
    return ask_refund(payment, due(payment.id), reason, actor)


def next_step(payment_id: int) -> Step | None:
    """The payment's newest refund; where there is none yet, the one that our facts prove to be due.
    After one that failed the next is a person's to ask for. None: nothing is left to do."""
    with transaction():
        payment = locked_payment(payment_id)
        refund = newest(payment_id) or ask_after_end(payment)
        refund = refund and (ask_rest(payment, refund) or refund)
        if refund is None or refund.state not in (*OPEN_REFUND, "done"):
            return None
        db.session.flush()
        return _step(payment, refund)


def take(refund_id: int, gateway_refund_id: str, word: Word, raw: str) -> str:
    """Apply the gateway's record of this refund. Returns the state it is in now, or `UNREADABLE`;
    what was applied before changes nothing."""
    with transaction():
        refund = locked_refund(refund_id)
        number = refund_cases.number(gateway_refund_id)
        if number is None:
            why = f"its number of the refund is {gateway_refund_id[:40]}, which none of its can be"
            refund_cases.ask("refund_strange", refund, why)
            return UNREADABLE
        if refund.gateway_refund_id is None:
            refund.gateway_refund_id = number
        if refund.state == "done":
            if word == "failed":
                refund_returned(refund, SYSTEM)
                refund_cases.ask("refund_failed", refund, raw)
        elif refund.state in OPEN_REFUND:
            _apply(refund, word, raw)
            refund_cases.ask_when_late(refund, raw)
        db.session.execute(_SHOW, {"id": refund.payment_id})
        return refund.state


def fail(refund_id: int, why: str) -> None:
    """The gateway will not do it: what is owed stays owed, and a person decides."""
    with transaction():
        refund = locked_refund(refund_id)
        if refund.state in ("requested", "submitting"):
            _end(refund, why)


def ask_person(
    refund_id: int, why: str, found: tuple[str, int | None] | None = None
) -> None:
    """The gateway's list has what no refund of ours explains: a person looks before money goes.
    `found`: its number and amount there."""
    more: dict[str, Any] = {}
    if found is not None:
        # as a number: digits in a text are taken for a phone's, and hidden
        number = int(found[0]) if found[0].isdecimal() else found[0]
        more = {adopting.ID: number, adopting.AMOUNT: found[1]}
    with transaction():
        refund_cases.ask("refund_strange", locked_refund(refund_id), why, **more)


def refused_there(refund_id: int, why: str) -> None:
    """The gateway does not take the number that was given: another one is asked for."""
    with transaction():
        refund = locked_refund(refund_id)
        refund.to_number = refund.to_network = None
        refund_cases.ask("refund_details", refund, why)


def send_to(refund_id: int, number: str, network: str, actor: Actor) -> None:
    """A refund that could not reach its payer is sent to the number that they gave. Raises
    `Unfit` and `NoSuchRefund`."""
    with transaction():
        refund = locked_refund(refund_id)
        if refund.state != "needs_details":
            raise Unfit("This refund does not wait for a number any more.")
        if is_held_back(db.session.get_one(OnlinePayment, refund.payment_id)):
            raise Unfit(
                "Its payment is disputed: a refund now could pay it back twice. Settle that first."
            )
        refund.to_number, refund.to_network = number, network
        refund.asked_by = actor.name
        detail = {
            "number": number,
            "network": network,
            "amount_pesewas": refund.amount_pesewas,
        }
        audit.write(actor, "refund_sent_to", refund.subject, detail)
        _ring(refund.payment_id)


def _apply(refund: GatewayRefund, word: Word, raw: str) -> None:
    if word == "done":
        refund_done(refund, SYSTEM)
    elif word == "failed":
        _end(refund, raw)
    elif word == "needs_details":
        if refund.state != "needs_details":
            refund.state, refund.to_number = "needs_details", None
            refund_cases.ask("refund_details", refund, raw)
    else:
        refund.state = "open"


def _end(refund: GatewayRefund, why: str) -> None:
    refund.state, refund.ended_at = "failed", clock.now()
    db.session.execute(_SHOW, {"id": refund.payment_id})
    refund_cases.ask("refund_failed", refund, why)


@inside_use_case
def _ring(payment_id: int) -> None:
    ring(db.session.get_one(OnlinePayment, payment_id))


def _step(payment: OnlinePayment, refund: GatewayRefund) -> Step:
    others = db.session.scalars(
        select(GatewayRefund.gateway_refund_id).where(
            GatewayRefund.payment_id == payment.id,
            GatewayRefund.id != refund.id,
            GatewayRefund.gateway_refund_id.is_not(None),
        )
    )
    return Step(
        refund.id,
        refund.state,
        payment.reference,
        payment.gateway_id,
        refund.amount_pesewas,
        f"MK-R-{payment.reference}-{refund.n}",
        refund.asked_at,
        refund.sent_at,
        refund.ended_at,
        refund.gateway_refund_id,
        frozenset(str(one) for one in others),
        refund.to_number,
        refund.to_network,
        is_held_back(payment),
        refund.is_adopted,
    )
