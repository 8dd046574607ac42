"""Kill switches an operator turns: one network, all sales. Each says since when and why; all
processes read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    delete,
    exists,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import insert

from core import audit
from core.audit import Actor
from core.base import clock
from core.base.db import db, transaction
from core.base.phones import NETWORKS
from core.base.tenancy import as_platform
from core.catalog.bundles import Setting

_SALES = "paused.sales"
SALES = "sales"
"""The key of `pauses_of` under which all sales stand."""


@dataclass(frozen=True)
class Pause:
    since: datetime
    reason: str


def paused_networks() -> dict[str, Pause]:
    """The networks that are not sold now: network -> since when and why."""
    return {key: pause for key, pause in _pauses().items() if key != SALES}


def is_paused(network: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """In a statement: whether the network of its row is not sold now."""
    return exists().where(Setting.key == literal("paused.") + network)


def sales_paused() -> Pause | None:
    """Since when and why nothing at all is sold, or None."""
    return _pauses().get(SALES)


def sales_paused_since() -> datetime | None:
    pause = sales_paused()
    return pause.since if pause else None


def pause_network(network: str, reason: str, actor: Actor) -> None:
    """Stop selling one network. Raises `KeyError` for a network that does not exist."""
    _turn(f"paused.{NETWORKS[network] and network}", reason, actor)


def resume_network(network: str, actor: Actor) -> None:
    _turn(f"paused.{NETWORKS[network] and network}", None, actor)


def pause_sales(reason: str, actor: Actor) -> None:
    """Stop selling everything, in all stores. Orders already placed go on."""
    _turn(_SALES, reason, actor)


def resume_sales(actor: Actor) -> None:
    _turn(_SALES, None, actor)


def pauses_of(rows: Mapping[str, Mapping[str, object]]) -> dict[str, Pause]:
    """The pauses in rows of the settings: a network, or `SALES`, -> since when and why."""
    return {
        key.removeprefix("paused."): Pause(
            datetime.fromisoformat(str(value["since"])), str(value.get("reason", ""))
        )
        for key, value in rows.items()
    }


def _pauses() -> dict[str, Pause]:
    rows = db.session.execute(
        select(Setting.key, Setting.value).where(Setting.key.startswith("paused."))
    )
    return pauses_of(dict(rows.all()))


@as_platform
def _turn(key: str, reason: str | None, actor: Actor) -> None:
    with transaction() as session:
        if reason is None:
            session.execute(delete(Setting).where(Setting.key == key))
        else:
            value = {"since": clock.now().isoformat(), "reason": reason.strip()[:200]}
            session.execute(
                insert(Setting).values(key=key, value=value).on_conflict_do_nothing()
            )
        audit.write(
            actor,
            "resume" if reason is None else "pause",
            key,
            {"reason": reason} if reason else None,
        )
