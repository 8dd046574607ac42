"""One step of a prompt on a phone: have it sent, take a code to the gateway, ask what its owner is
to do.

A phone is asked by one call under one reference, ever. It is claimed before; whatever is not the
proof that nothing was sent leaves the claim, and from then on the reference is only looked at.
"""

from __future__ import annotations

import time
from datetime import datetime

import structlog

from core.base import clock, config
from core.online import Attempt
from core.taking import prompts
from integrations.payment_shapes import (
    ChargeRequest,
    PaymentRequest,
    Prompt,
    Refused,
    Unclear,
)
from integrations.payments_port import ChargeResult, Payments
from integrations.ports import NotSent

log = structlog.get_logger("paying")

_SHOWN = ("approve_on_phone", "enter_otp", "waiting")
NOT_OURS = "this number cannot be asked on the phone"
"""It wants what only cards and banks have, or a page that we do not know."""


def is_due(attempt: Attempt) -> bool:
    """Whether a call is due that acts, before it is looked up."""
    return attempt.state == "asked" or attempt.has_voucher


def is_under_way(attempt: Attempt) -> bool:
    """Whether its phone may show a prompt."""
    return attempt.is_prompt and attempt.state == "open"


def work(
    attempt: Attempt, gateway: Payments, request: PaymentRequest | None
) -> datetime | None:
    """Make the call that is due. Returns when to try again one that reached nobody; None: look it
    up now."""
    if attempt.has_voucher:
        return _submit(attempt, gateway)
    if request is None:
        return None  # its order waits for no payment any more
    return _charge(attempt, gateway, request)


def ask_step(attempt: Attempt, gateway: Payments) -> None:
    """What its owner is to do, by the gateway's word; where it says nothing, nothing changes."""
    said = gateway.pending_charge(attempt.reference)
    if isinstance(said, Prompt):
        _note(attempt, said)


def _charge(
    attempt: Attempt, gateway: Payments, request: PaymentRequest
) -> datetime | None:
    began = time.monotonic()
    claimed = prompts.claim(attempt.id)
    frozen_s = time.monotonic() - began
    if claimed is None or frozen_s > clock.seconds(config.current().relay_lease_s):
        # Who claimed it was killed, or is slow: nobody knows whether the phone was asked. Or we
        # were frozen since, and another may have looked meanwhile.
        prompts.came(attempt.id, "unknown")
        return None
    said = gateway.charge(
        ChargeRequest(
            reference=request.reference,
            email=request.email,
            amount_pesewas=request.amount_pesewas,
            msisdn=claimed.number,
            network=claimed.network,  # type: ignore[arg-type]
            metadata={"order": request.metadata["order"]},
        )
    )
    if isinstance(said, NotSent):
        prompts.not_sent(attempt.id)
        return _later(said)
    if isinstance(said, Refused) and said.kind == "credentials":
        log.error("the gateway refuses our key", why=said.code)
        prompts.not_sent(attempt.id)
        return clock.after(config.current().payment_refused_s)
    return _take(attempt, said)


def _submit(attempt: Attempt, gateway: Payments) -> datetime | None:
    voucher = prompts.take_voucher(attempt.id)
    if voucher is None:
        return None
    said = gateway.submit_otp(attempt.reference, voucher)
    if isinstance(said, NotSent):
        prompts.voucher_not_sent(attempt.id)
        return _later(said)
    return None if isinstance(said, Refused) else _take(attempt, said)


def _take(attempt: Attempt, said: ChargeResult) -> datetime | None:
    """What an answer that is not the proof of no call says. A reference that is there already is
    ours, by an answer that was lost. Returns when to look, or None for now."""
    if isinstance(said, Prompt):
        _note(attempt, said)
        if said.step in _SHOWN:
            return clock.after(config.current().payment_prompt_ladder_s[0])
    elif isinstance(said, Refused) and said.kind != "duplicate_reference":
        log.error("a phone was not asked", why=said.code, said=said.message)
        prompts.failed(attempt.id, said.code)
    else:
        why = said.reason if isinstance(said, Unclear) else "duplicate_reference"
        log.warning("not known whether a phone was asked", why=why)
        prompts.came(attempt.id, "unknown")
    return None


def _note(attempt: Attempt, said: Prompt) -> None:
    if said.step in _SHOWN:
        prompts.came(attempt.id, said.step, said.text)
    elif said.step == "paid":
        prompts.came(attempt.id, "waiting")  # its look-up says whether money came
    elif said.step == "failed":
        prompts.failed(attempt.id, said.text)
    else:
        prompts.failed(attempt.id, NOT_OURS)


def _later(said: NotSent) -> datetime:
    return clock.after(said.retry_after_s or config.current().payment_away_s)
