"""Whether customers may pay online: off until the platform's people switch it on, and then in the
stores that have it on."""

from __future__ import annotations

from sqlalchemy import delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from core import audit
from core.audit import Actor
from core.base import clock
from core.base.db import db, transaction
from core.base.tenancy import as_platform
from core.catalog import Setting
from core.stores import Store

KEY = "pay_online"


def is_on(store_id: int) -> bool:
    """Whether a store's customers may pay online."""
    both = exists().where(Setting.key == KEY)
    found = select(Store.pay_online & both).where(Store.id == store_id)
    return bool(db.session.scalar(found))


def platform_is_on() -> bool:
    """Whether the platform's people have it on."""
    return is_set(KEY)


def switch_platform(on: bool, actor: Actor) -> None:
    """For all stores that have it on themselves. Writes an audit line."""
    set_to(KEY, on, actor)


def is_set(key: str) -> bool:
    """Whether a switch of the platform's people is on."""
    return bool(db.session.scalar(select(exists().where(Setting.key == key))))


@as_platform
def set_to(key: str, on: bool, actor: Actor) -> None:
    """Turn a switch of the platform's people. Writes an audit line."""
    with transaction() as session:
        if on:
            value = {"since": clock.now().isoformat()}
            session.execute(
                insert(Setting).values(key=key, value=value).on_conflict_do_nothing()
            )
        else:
            session.execute(delete(Setting).where(Setting.key == key))
        audit.write(actor, f"{key}_{'on' if on else 'off'}", "platform")


@as_platform
def switch_store(store_id: int, on: bool, actor: Actor) -> None:
    """For one store. Writes an audit line."""
    with transaction() as session:
        session.execute(
            update(Store)
            .where(Store.id == store_id)
            .values(pay_online=on, version=Store.version + 1)
        )
        audit.write(actor, f"pay_online_{'on' if on else 'off'}", f"store:{store_id}")
