"""Days and settlements as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.gateway_days.causes import CAUSES, Cause
from core.online.listed import GatewayDay, GatewaySettlement


@dataclass(frozen=True)
class Share:
    """What one cause has of a day. `differs_pesewas`: what it makes our column more than theirs."""

    cause: Cause
    count: int
    pesewas: int
    differs_pesewas: int
    named: tuple[str, ...]


@needs_across_stores
def newest(before: date | None, limit: int) -> list[GatewayDay]:
    """The newest days, or those before one."""
    query = select(GatewayDay).order_by(GatewayDay.day.desc()).limit(limit)
    if before is not None:
        query = query.where(GatewayDay.day < before)
    return list(db.session.scalars(query))


@needs_across_stores
def by_day(day: date) -> GatewayDay | None:
    return db.session.get(GatewayDay, day)


@needs_across_stores
def settlements(limit: int) -> list[GatewaySettlement]:
    """The newest settlements."""
    newest_first = (GatewaySettlement.settled_at.desc(), GatewaySettlement.id.desc())
    return list(
        db.session.scalars(
            select(GatewaySettlement).order_by(*newest_first).limit(limit)
        )
    )


def shares(day: GatewayDay) -> list[Share]:
    """What does not plainly fit, by cause; what asks a person comes first."""
    return [
        Share(
            cause,
            found["count"],
            found["pesewas"],
            found["differs"],
            tuple(found["named"]),
        )
        for name, cause in CAUSES.items()
        if (found := day.causes.get(name))
    ]
