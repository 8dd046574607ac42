"""One step of a payment's refund at the gateway: send it, find it again, or look how it stands.

Decides which call is due and what an answer means in the words of `core.online.refunds`. Whatever
crashes between two lines here, the next step begins with the gateway's own list.
"""

from __future__ import annotations

from datetime import datetime

import structlog

from core.base import clock, config
from core.online import refund_sending, refunds
from core.online.refunds import Step
from integrations.payment_shapes import (
    Bank,
    NotFound,
    Refund,
    RefundAccount,
    RefundRequest,
    Refunds,
    Refused,
    Unclear,
)
from integrations.payments_port import Payments
from integrations.ports import NoAnswer, NotSent

log = structlog.get_logger("refunding")

AGE = 10
"""A refund that is under way is looked at again after a tenth of its age."""
CUSTOMER_NOTE = "Your order was not delivered."
_CLOCKS_DIFFER_S = 60
NETWORKS = {"mtn": "MTN", "telecel": "VOD", "at": "ATL"}
"""What the gateway calls the wallets of a network."""


def work(payment_id: int, gateway: Payments) -> datetime | None:
    """Do what is due about a payment's refund. Returns when to look again; None: nothing is left
    to do."""
    step = refunds.next_step(payment_id)
    if step is None:
        return None
    is_unsent = step.state == "requested" or (
        step.state == "needs_details" and step.to_number is not None
    )
    if step.is_disputed and is_unsent:
        # the payer may get it by the dispute: twice is a person's to prevent
        return clock.after(config.current().refund_poor_s)
    if step.state in ("requested", "submitting"):
        return _send_or_find(step, gateway)
    if step.state == "needs_details" and step.to_number and step.to_network:
        return _send_to(step, gateway)
    return _look(step, gateway)


def _send_or_find(step: Step, gateway: Payments) -> datetime | None:
    if step.payment_gateway_id is None:
        refunds.fail(step.refund_id, "the payment has no number to refund it by")
        return clock.after(0)
    listed = gateway.refunds_of(str(step.payment_gateway_id))
    if isinstance(listed, NoAnswer):
        return _away(listed)
    found = [row for row in listed.rows if _is_ours(step, row)]
    if found:
        return _taken(step, found[0])
    strange = [row for row in listed.rows if row.gateway_id not in step.others]
    if strange:
        return _ask_about(step, strange[0], listed)
    if not listed.is_whole:
        return clock.after(config.current().payment_refused_s)
    if step.state == "submitting" and not refund_sending.note_absent(step.refund_id):
        return clock.after(config.current().refund_absence_s)
    return _send(step, gateway)


def _ask_about(step: Step, strange: Refund, listed: Refunds) -> datetime | None:
    """A refund that is not ours is there. One of ours that the list has not twice was not sent:
    then a person may count the strange one in its place."""
    refunds.ask_person(
        step.refund_id,
        "its list has a refund that is not ours",
        (strange.gateway_id, strange.amount_pesewas),
    )
    if step.state == "submitting" and listed.is_whole:
        if not refund_sending.note_absent(step.refund_id):
            return clock.after(config.current().refund_absence_s)
        refund_sending.certainly_not_sent(step.refund_id, "its list has it not")
    return clock.after(config.current().refund_poor_s)


def _is_ours(step: Step, row: Refund) -> bool:
    """Whether a record of the list is this refund: by our note, or, where none came back, by amount
    and moment."""
    if row.gateway_id in step.others:
        return False
    if row.note:
        return row.note == step.note
    if step.sent_at is None or row.created_at is None:
        return False
    since = step.sent_at - clock.delta(_CLOCKS_DIFFER_S)
    return row.amount_pesewas == step.amount_pesewas and row.created_at >= since


def _send(step: Step, gateway: Payments) -> datetime | None:
    if not refund_sending.begin_sending(step.refund_id):
        return clock.after(0)
    said = gateway.refund(
        RefundRequest(step.reference, step.amount_pesewas, step.note, CUSTOMER_NOTE)
    )
    if isinstance(said, Refund):
        return _taken(step, said)
    settings = config.current()
    if isinstance(said, NotSent):
        refund_sending.certainly_not_sent(step.refund_id, said.reason)
        return clock.after(said.retry_after_s or settings.payment_away_s)
    if isinstance(said, Unclear):
        log.warning("not known whether a refund was sent", why=said.reason)
        return clock.after(settings.refund_absence_s)
    log.error("a refund was refused", why=said.code, said=said.message)
    if said.kind in ("insufficient_balance", "starter_business"):
        refund_sending.certainly_not_sent(step.refund_id, said.message, is_poor=True)
        return clock.after(settings.refund_poor_s)
    if said.kind == "credentials":
        refund_sending.certainly_not_sent(step.refund_id, said.code)
        return clock.after(settings.payment_refused_s)
    refunds.fail(step.refund_id, f"{said.code}: {said.message}")
    return clock.after(0)


def _look(step: Step, gateway: Payments) -> datetime | None:
    said = gateway.refund_record(str(step.gateway_refund_id))
    if isinstance(said, NoAnswer):
        return _away(said)
    if isinstance(said, NotFound):
        return clock.after(config.current().refund_poor_s)
    return _taken(step, said)


def _taken(step: Step, said: Refund) -> datetime | None:
    state = refunds.take(step.refund_id, said.gateway_id, said.status, said.raw_status)
    return again_at(step, state)


def again_at(step: Step, state: str) -> datetime | None:
    """When a refund that is in `state` now is looked at again: the older, the later; a done one a
    few times more, since it may come back."""
    settings, now = config.current(), clock.now()
    if state == refunds.UNREADABLE:
        return clock.after(settings.refund_poor_s)
    if state in ("open", "needs_details"):
        age_s = (now - step.asked_at) / clock.delta(1)
        pause_s = max(settings.payment_refused_s, age_s / AGE)
        return clock.after(min(pause_s, settings.refund_slow_s))
    if state == "done" and step.is_adopted and step.ended_at is None:
        return clock.after(0)  # what is owed beyond it is asked for
    if state == "done":
        since = step.ended_at or now
        moments = (since + clock.delta(s) for s in settings.refund_done_ladder_s)
        return next((moment for moment in moments if moment > now), None)
    return None


def _send_to(step: Step, gateway: Payments) -> datetime | None:
    """To the number that the payer gave, because it could not reach the account they paid from."""
    banks = gateway.banks("mobile_money")
    if isinstance(banks, NoAnswer):
        return _away(banks)
    assert step.to_number is not None and step.to_network is not None
    bank = _wallets(banks.rows, step.to_network)
    if bank is None:
        refunds.ask_person(step.refund_id, f"it names no wallets of {step.to_network}")
        return clock.after(config.current().refund_poor_s)
    if not refund_sending.may_go(step.refund_id):
        return _look(step, gateway)  # somebody may finish it there all the same
    account = RefundAccount(step.to_number, bank.gateway_id)
    said = gateway.refund_again(str(step.gateway_refund_id), account)
    if isinstance(said, Refund):
        return _taken(step, said)
    if isinstance(said, Refused) and said.kind != "credentials":
        log.error("a refund was not sent again", why=said.code, said=said.message)
        refunds.refused_there(step.refund_id, f"{said.code}: {said.message}")
    return _look(step, gateway)


def _wallets(rows: tuple[Bank, ...], network: str) -> Bank | None:
    return next((row for row in rows if row.code == NETWORKS[network]), None)


def _away(said: NoAnswer) -> datetime:
    return clock.after(said.retry_after_s or config.current().payment_refused_s)
