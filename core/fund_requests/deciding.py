"""The owner's word on a request: approved, which books it, or refused with a reason.

The request is locked before the wallet; of two who decide at once the second sees what the first
did.
"""

from __future__ import annotations

from sqlalchemy import or_, select

from core import audit, online
from core.audit import Actor
from core.base import clock, money, text_input
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.fund_requests.listing import of_reference
from core.fund_requests.model import (
    LONGEST_WORDS,
    BadRequest,
    FundRequest,
    NoSuchRequest,
)

SHORTEST_WORDS = 3


@needs_across_stores
def approve(request_id: int, actor: Actor, *, is_another: bool = False) -> bool:
    """Put the money of a request into its wallet. False when that was done already: it is booked
    once. `is_another`: the person has seen that its reference was booked before, and says that
    this is another payment. Raises `NoSuchRequest`, `BadRequest`, `ledger.BadFunding`.

    The one line of the audit is that of the funding.
    """
    with transaction():
        found = _locked(request_id)
        if found.decision == "approved":
            return False
        _refuse_decided(found)
        if of_reference(found) and not is_another:
            raise BadRequest(
                "Money with this reference was put into a wallet before. Look at both payments,"
                " and tick that this is another one.",
                "another",
            )
        posting_id = online.fund_wallet(
            found.store_id,
            found.amount_pesewas,
            f"Request {found.id}: {found.reference}",
            actor,
        )
        _decide(found, "approved", actor)
        found.posting_id = posting_id
        return True


@needs_across_stores
def refuse(request_id: int, words: str, actor: Actor) -> bool:
    """Say no, with a reason that the agent reads. False when that was said already. Raises
    `NoSuchRequest`, `BadRequest`."""
    words = text_input.one_line(words, LONGEST_WORDS)
    if len(words) < SHORTEST_WORDS:
        raise BadRequest("Say why: the agent reads it, and may ask again.", "words")
    with transaction():
        found = _locked(request_id)
        if found.decision == "refused":
            return False
        _refuse_decided(found)
        _decide(found, "refused", actor)
        found.words = words
        detail = {
            "amount_pesewas": found.amount_pesewas,
            "reference": found.reference,
            "reason": words,
        }
        audit.write(actor, "refuse_funding", f"store:{found.store_id}", detail)
        return True


@inside_use_case
def _locked(request_id: int) -> FundRequest:
    """The request, locked with all others of its reference: of two payments under one reference
    that are approved at once, the second must see the first."""
    key = select(FundRequest.reference_key).where(FundRequest.id == request_id)
    alike = db.session.scalars(
        select(FundRequest)
        .where(
            FundRequest.reference_key == key.scalar_subquery(),
            or_(
                FundRequest.id == request_id,
                FundRequest.decision.is_(None),
                FundRequest.decision == "approved",
            ),
        )
        .order_by(FundRequest.id)
        .with_for_update(key_share=True)
    )
    found = next((one for one in alike if one.id == request_id), None)
    if found is None:
        raise NoSuchRequest
    return found


def _refuse_decided(found: FundRequest) -> None:
    if found.decision is not None:
        amount = money.cedis(found.amount_pesewas)
        raise BadRequest(
            f"Somebody decided meanwhile: this request for {amount} was {found.decision} by"
            f" {found.decided_by}. Nothing was changed."
        )


def _decide(found: FundRequest, decision: str, actor: Actor) -> None:
    found.decision = decision
    found.decided_at, found.decided_by = clock.now(), actor.name
