"""What a settlement took more than is ours, or brought more: what refunds and disputes of ours
explain of it, and what a person has accepted.

Decides how much is open. What it books is one posting of a settlement, `gateway_difference`.
"""

from __future__ import annotations

from sqlalchemy import func, select, text

from core import online
from core.audit import Actor
from core.base.db import db
from core.base.locks import Lock
from core.base.preconditions import inside_use_case, needs_across_stores
from core.online.listed import GatewaySettlement
from core.online.standing import postings

SUBJECT = "settlement:"
_DIFFERS = GatewaySettlement.ours_pesewas != (
    GatewaySettlement.booked_pesewas
    + GatewaySettlement.explained_pesewas
    + GatewaySettlement.accepted_pesewas
)
# a refund that may have been sent may have been taken off by now
_FREE = text("""
SELECT (SELECT coalesce(sum(amount_pesewas), 0) FROM gateway_refunds
    WHERE way = 'gateway' AND state IN ('submitting', 'open', 'needs_details', 'done'))
  + (SELECT coalesce(sum(taken_pesewas), 0) FROM disputes)
  - (SELECT coalesce(sum(explained_pesewas), 0) FROM gateway_settlements)
""")


@inside_use_case
def explain() -> None:
    """Have what was given or taken back of our payments explain what settlements lack, the oldest
    first. Once explained it explains nothing else."""
    db.session.execute(select(func.pg_advisory_xact_lock(Lock.GATEWAY, 0)))
    db.session.flush()
    open_ones = select(GatewaySettlement).where(_DIFFERS).order_by(GatewaySettlement.id)
    fresh = open_ones.with_for_update().execution_options(populate_existing=True)
    free = _free()
    for one in db.session.scalars(fresh):
        part = max(0, min(one.open_pesewas, free))
        one.explained_pesewas += part
        free -= part
    db.session.flush()


@needs_across_stores
def of_case(subject: str) -> GatewaySettlement | None:
    """The settlement that a case is about; None of one about something else."""
    if not subject.startswith(SUBJECT):
        return None
    named = GatewaySettlement.gateway_id == subject.removeprefix(SUBJECT)
    return db.session.scalar(select(GatewaySettlement).where(named))


@needs_across_stores
def open_of(settlement: GatewaySettlement) -> int:
    """What is open of it now: above nothing it brought less than is ours, below nothing more."""
    free = _free()
    older = select(GatewaySettlement).where(
        _DIFFERS, GatewaySettlement.id < settlement.id
    )
    free -= sum(max(0, one.open_pesewas) for one in db.session.scalars(older))
    return settlement.open_pesewas - max(0, min(settlement.open_pesewas, free))


@inside_use_case
def accept(settlement: GatewaySettlement, pesewas: int, actor: Actor, note: str) -> int:
    """A person accepts what is open: less at the gateway as our loss, more (below nothing) as our
    gain. Returns the posting's id. Raises `online.Unfit`."""
    explain()
    if not pesewas or pesewas != settlement.open_pesewas:
        raise online.Unfit("Another amount is open by now. Look at the case again.")
    if postings(settlement.subject, "gateway_difference"):
        raise online.Unfit("The difference of this settlement was accepted already.")
    settlement.accepted_pesewas = pesewas
    db.session.flush()
    return online.gateway_difference(settlement.id, pesewas, actor, note)


def _free() -> int:
    """What was given or taken back of our payments and explains no settlement yet."""
    return max(0, int(db.session.scalar(_FREE) or 0))
