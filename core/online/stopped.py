"""Whether anything is paid out now. Who may say so, and when it goes on, is decided in
`core.payouts.stopping`; a restored database stops it too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from core import audit
from core.audit import Actor
from core.base import clock
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.catalog import Setting

KEY = "payouts_stopped"


@dataclass(frozen=True)
class Stop:
    """Since when nothing is paid out, who said so and why."""

    since: datetime
    by: str
    why: str


def stopped() -> Stop | None:
    """None while payouts go on."""
    found = db.session.scalar(select(Setting.value).where(Setting.key == KEY))
    if found is None:
        return None
    since, by, why = (str(found[name]) for name in ("since", "by", "why"))
    return Stop(datetime.fromisoformat(since), by, why)


@inside_use_case
def stop_payouts(why: str, actor: Actor) -> bool:
    """Pay nothing out until somebody says so. False when that stands already."""
    value = {"since": clock.now().isoformat(), "by": actor.name, "why": why}
    made = db.session.scalar(
        insert(Setting)
        .values(key=KEY, value=value)
        .on_conflict_do_nothing()
        .returning(Setting.key)
    )
    if made is not None:
        audit.write(actor, "stop_payouts", "platform", {"reason": why})
    return made is not None
