"""Which steps of a cost pass by themselves, and which wait for the owner: what he said, once for
all bundles."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from core import audit
from core.audit import Actor
from core.base.db import db, transaction
from core.base.locks import Lock
from core.base.refusal import Refusal
from core.base.tenancy import as_platform
from core.catalog.bundles import Setting

_KEY = "catalogue.approval"
ABOVE_BP = 300
"""3 %: a larger step of a cost waits for the owner, unless he says another share."""
MOST_BP = 10_000
LOCK = select(func.pg_advisory_xact_lock(Lock.CATALOG))
"""Whoever changes offers or bundles takes it first."""


class BadShare(Refusal):
    """A share that cannot be meant."""

    sentence = "Type a percentage from 0 to 100, like 3."


@dataclass(frozen=True)
class Rules:
    """`by_itself`: nothing waits. `above_bp`: the step of a cost, in hundredths of a percent, above
    which it waits."""

    by_itself: bool = False
    above_bp: int = ABOVE_BP

    def may_pass(self, from_pesewas: int, to_pesewas: int) -> bool:
        """Whether agents pay by the new cost without anybody being asked."""
        return (
            self.by_itself
            or abs(to_pesewas - from_pesewas) * 10_000 <= from_pesewas * self.above_bp
        )


def rules() -> Rules:
    """What the owner wants to be asked about."""
    value = db.session.scalar(select(Setting.value).where(Setting.key == _KEY)) or {}
    above = value.get("above_bp", ABOVE_BP)
    return Rules(
        value.get("by_itself") is True, above if isinstance(above, int) else ABOVE_BP
    )


@as_platform
def set_rules(wanted: Rules, actor: Actor) -> None:
    """Holds from the next list on. Raises `BadShare`."""
    if not 0 <= wanted.above_bp <= MOST_BP:
        raise BadShare
    value = {"by_itself": wanted.by_itself, "above_bp": wanted.above_bp}
    with transaction() as session:
        row = insert(Setting).values(key=_KEY, value=value)
        session.execute(
            row.on_conflict_do_update(index_elements=["key"], set_={"value": value})
        )
        audit.write(actor, "set_approval", _KEY, value)
