"""Who did what to what: one append-only line for each act of a person that changes something
outside an order.

Order events have their own timeline in `orders`. The application role may not change or delete
lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, phones
from core.base.db import Model, db, in_transaction, transaction
from core.base.tenancy import as_platform

Kind = Literal["customer", "agent", "owner", "worker", "supplier", "system", "stranger"]


class _Person(Protocol):
    id: int
    name: str


class LoggedIn(Protocol):
    """What an actor needs of a log-in (`accounts.logins.Login`)."""

    @property
    def door(self) -> str: ...

    @property
    def user(self) -> _Person: ...


@dataclass(frozen=True)
class Actor:
    """Who acts. `name` is what people read on timelines."""

    kind: Kind
    name: str
    user_id: int | None = None

    @classmethod
    def of_login(cls, login: LoggedIn) -> Actor:
        """The person behind a log-in: an agent in the portal, the owner's people in the console."""
        return cls(
            "owner" if login.door == "console" else "agent",
            login.user.name,
            login.user.id,
        )


CUSTOMER = Actor("customer", "Customer")
WORKER = Actor("worker", "Makola")
SUPPLIER = Actor("supplier", "Supplier")
SYSTEM = Actor("system", "Makola")


_OF_DATABASE = ("person", "membership")
"""Written by a trigger at every change of a person or membership, whoever makes it; the proof of
the books asks them."""


class AuditLine(Model):
    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    actor_kind: Mapped[str]
    actor_name: Mapped[str]
    user_id: Mapped[int | None]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


def write(
    actor: Actor,
    action: str,
    subject: str,
    detail: dict[str, Any] | None = None,
) -> None:
    """Add a line: inside the open use case, or in one of its own. Phone numbers in `detail` are
    masked."""
    line = AuditLine(
        actor_kind=actor.kind,
        actor_name=actor.name,
        user_id=actor.user_id,
        action=action,
        subject=subject,
        detail=phones.hide(detail or {}),
    )
    if in_transaction():
        db.session.add(line)
        return
    with transaction() as session:
        session.add(line)


@as_platform
def recent(limit: int) -> list[AuditLine]:
    """The newest lines first, without those that the database adds to what this program has just
    said itself."""
    said = or_(
        AuditLine.action.not_in(_OF_DATABASE), AuditLine.actor_name != SYSTEM.name
    )
    return list(
        db.session.scalars(
            select(AuditLine).where(said).order_by(AuditLine.id.desc()).limit(limit)
        )
    )
