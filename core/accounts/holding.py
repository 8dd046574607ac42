"""A store's people are changed one change at a time, and by its owners.

Decides who may go on with a change that had begun when somebody took their place in the store.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, select

from core.accounts.users import Membership
from core.audit import Actor
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.stores import Store


class NoOwner(Refusal):
    """Who presses was an owner of the store when the request came, and is none any more."""

    sentence = (
        "You are not an owner of this store any more, so nothing was changed. Its owner may do"
        " this: ask them."
    )


def owns(user_id: Any, store_id: Any) -> ColumnElement[bool]:
    """That somebody, a number or a column, is an owner of a store."""
    return and_(
        Membership.user_id == user_id,
        Membership.store_id == store_id,
        Membership.role == "owner",
    )


@inside_use_case
def hold(store_id: int) -> None:
    """One change of a store's people at a time; its orders go on."""
    store = select(Store.id).where(Store.id == store_id)
    db.session.execute(store.with_for_update(key_share=True))


@inside_use_case
def hold_for(store_id: int, actor: Actor) -> None:
    """The same for a press of one of its owners. Raises `NoOwner`: who was removed while the press
    was under way changes nothing any more."""
    hold(store_id)
    its_owner = select(Membership.user_id).where(owns(actor.user_id, store_id))
    if db.session.scalar(its_owner) is None:
        raise NoOwner
