"""Test orders: an agent makes one to see the whole way, without money and without the supplier.

It is a row like any other, so every page and press works on it. What it buys it buys at a stand-in
(`fulfilment.testing`), and it ends as its maker chose. `real` says who leaves it out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from core import audit, catalog
from core.audit import Actor
from core.base import clock
from core.base.db import db, transaction
from core.base.language import later, say
from core.base.locks import Lock
from core.base.tenancy import current_store_id
from core.catalog import Bundle, StoreBundle
from core.orders import placing, real, refusals, wanting
from core.orders.codes import new_test_ref
from core.orders.model import Order
from core.orders.placing import Placed
from core.orders.states import State

ENDINGS = {
    "delivered": "It is delivered",
    "failed": "The network fails it, and it is given back",
    "refused": "It is refused at once",
}
NAME = "Test order"
MOST_A_DAY = 10
"""Of one store, since midnight in Accra."""
LOOK_S = 3
"""A test order under way is looked at again after this."""
PLAYED_S = 9
"""The stand-in has an order for so long before it ends."""
SHOWN = 10
_AGENT: dict[State, str] = {
    "pending": "New, as a customer’s order would be. Press Process.",
    "queued": "In line. It is sent within a minute.",
    "submitting": "Sending to the stand-in.",
    "processing": "The stand-in has it. It ends within seconds.",
    "completed": "Delivered, as a real order would be.",
    "failed": "The stand-in says failed. A real order is watched now before money goes back.",
    "refunded": "Not delivered. A real order’s price would be back in your wallet.",
    "cancelled": "Cancelled. Nothing was sent.",
    "expired": "Expired: nobody processed it in time.",
}


def make(bundle_id: int, ending: str, idempotency_key: str, actor: Actor) -> Placed:
    """Save a test order of the current store as *pending*, open or not. The same key is the same
    order. Raises `refusals.OrderRefused`, beyond `MOST_A_DAY` too."""
    if ending not in ENDINGS:
        raise refusals.OrderRefused("Choose how the test order is to end.")
    store_id = current_store_id()
    with transaction():
        db.session.execute(
            select(func.pg_advisory_xact_lock(Lock.TEST_ORDERS, store_id))
        )
        query = select(Order).where(Order.idempotency_key == idempotency_key)
        if (existing := db.session.scalar(query)) is not None:
            return Placed(existing, created=False)
        if made_since(clock.accra_midnight()) >= MOST_A_DAY:
            raise refusals.OrderRefused(
                f"Your store has made {MOST_A_DAY} test orders today, which is the most. Make the"
                " next one tomorrow."
            )
        order = placing.added(_row(store_id, bundle_id, ending, idempotency_key), actor)
        audit.write(
            actor,
            "make_test_order",
            f"store:{store_id}",
            {"order": order.shown_code, "ending": ending},
        )
        return Placed(order, created=True)


def made_since(moment: datetime) -> int:
    """How many the current store has made since then."""
    made = select(func.count()).where(Order.is_test, Order.created_at >= moment)
    return int(db.session.scalar(made) or 0)


def newest() -> list[Order]:
    """The current store's newest test orders, at most `SHOWN`."""
    query = select(Order).where(Order.is_test).order_by(Order.created_at.desc())
    return list(db.session.scalars(query.limit(SHOWN)))


def agent_sentence(order: Order) -> str:
    """What its agent reads of it."""
    why = f" {order.release_refused}" if order.release_refused else ""
    said = _AGENT[order.state]
    if order.release_at is not None and order.release_by is not None:
        said = f"{order.release_by['name']} pressed Process. Until it goes it can be undone."
    return f"{said}{why} This is a test: no money moves and no data is sent."


def customer_sentence() -> str:
    """What everybody reads who opens its page."""
    return say(
        "This is a test order of the store. Nothing is to be paid, and no data is sent."
    )


def label(word: str) -> str:
    """`TEST · Pending`: how a test order is marked wherever its state is said."""
    return say(MARK, label=word)


MARK = later("TEST · %(label)s")


def _row(store_id: int, bundle_id: int, ending: str, key: str) -> dict[str, Any]:
    asked = wanting.to_sell().where(
        StoreBundle.store_id == store_id, Bundle.id == bundle_id
    )
    sold = db.session.execute(asked).first()
    if sold is None:
        raise refusals.OrderRefused(
            "This bundle is not on your shelf any more. Choose another one."
        )
    line = catalog.shelf_line_of(*sold[: catalog.OF_SHELF])
    wish = placing.Wish(
        bundle_id=bundle_id,
        recipient_msisdn=real.RECIPIENT,
        idempotency_key=key,
        customer_name=NAME,
        source="test",
    )
    return placing.new_row(sold, line, wish) | {
        "order_ref": new_test_ref(),
        "is_test": True,
        "test_ending": ending,
    }
