"""What the gateway asks before it pays: is this transfer ours? It asks without a signature, so
anybody may; the answer says nothing but yes or no, and moves nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.online import Payout
from core.payouts import stopping
from core.payouts.records import AT_GATEWAY

_REFERENCE = re.compile(r"mk-w-[0-9a-f]{16}", re.ASCII)


@needs_across_stores
def why_not(said: Mapping[str, Any]) -> str:
    """Why a transfer is not to be paid; empty when it is one that we have asked for, of this
    amount, to this recipient, and payouts go on."""
    reference = said.get("reference")
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        return "no reference of ours"
    found = db.session.scalar(select(Payout).where(Payout.reference == reference))
    if found is None:
        return "not ours"
    if found.state not in AT_GATEWAY:
        return f"it is {found.state}"
    if stopping.stopped() is not None:
        return "payouts are stopped"
    amount = said.get("amount")
    if isinstance(amount, bool) or str(amount) != str(found.amount_pesewas):
        return "another amount"
    if said.get("currency") != "GHS":
        return "another currency"
    if _recipient(said) != found.recipient_code:
        return "another recipient"
    return ""


def _recipient(said: Mapping[str, Any]) -> object:
    """Its code, as an object has it or alone."""
    whom = said.get("recipient")
    return whom.get("recipient_code") if isinstance(whom, dict) else whom
