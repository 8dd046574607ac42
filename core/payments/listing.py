"""What a page shows of payment messages: matched orders that wait to be processed, messages that a
person must decide about, and what was decided lately."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, literal_column, or_, select

from core.base import money, tenancy
from core.base.db import db
from core.orders import Order
from core.payments import judging
from core.payments.judging import Found
from core.payments.matching import is_open
from core.payments.model import PaymentMessage
from core.stores import Store

OPEN_SHOWN = 50
LATELY_SHOWN = 20


@dataclass(frozen=True)
class Paid:
    """A matched order that waits to be processed, with what its messages come to."""

    order: Order
    came_pesewas: int
    doubts: tuple[str, ...]
    """Also when that is not its price."""

    @property
    def is_sure(self) -> bool:
        return not self.doubts


@dataclass(frozen=True)
class Undecided:
    """A message for a person: what speaks against it, the order of its code, or likely ones."""

    message: PaymentMessage
    doubts: list[str]
    named: Found | None = None
    likely: list[Found] = field(default_factory=list)


def matched(most: int) -> list[Paid]:
    """Orders that are matched, wait, and are not about to go, oldest first, at most `most`."""
    waiting = (
        select(Order)
        .where(
            # as a constant, as its index says it
            Order.state == literal_column("'pending'"),
            Order.confirmed_at.is_not(None),
            Order.release_at.is_(None),
            select(PaymentMessage.id)
            .where(PaymentMessage.order_id == Order.id)
            .exists(),
        )
        .order_by(Order.id)
        .limit(most)
    )
    orders = list(db.session.scalars(waiting))
    theirs = select(PaymentMessage).where(
        PaymentMessage.order_id.in_([order.id for order in orders])
    )
    messages = list(db.session.scalars(theirs))
    against = judging.doubts(messages)
    found = []
    for order in orders:
        its = [one for one in messages if one.order_id == order.id]
        said = [sentence for one in its for sentence in against[one.id]]
        came = sum(one.amount_pesewas for one in its)
        if came != order.price_pesewas:
            said.insert(0, _off(came, order))
        found.append(Paid(order, came, tuple(said)))
    return found


def undecided(most: int = OPEN_SHOWN) -> list[Undecided]:
    """Open messages, the newest first, at most `most`."""
    query = select(PaymentMessage).where(is_open()).order_by(PaymentMessage.id.desc())
    messages = list(db.session.scalars(query.limit(most)))
    against = judging.doubts(messages)
    named = judging.by_code(messages)
    return [
        Undecided(
            one,
            against[one.id],
            named.get(one.id),
            [] if one.id in named else judging.suggestions(one),
        )
        for one in messages
    ]


def open_count() -> int:
    """How many messages wait for a person."""
    query = select(func.count()).select_from(PaymentMessage).where(is_open())
    return int(db.session.scalar(query) or 0)


def lately() -> list[tuple[PaymentMessage, Order | None]]:
    """The newest messages that are decided, each with its order."""
    query = (
        select(PaymentMessage, Order)
        .outerjoin(Order, Order.id == PaymentMessage.order_id)
        .where(
            or_(
                PaymentMessage.order_id.is_not(None),
                PaymentMessage.put_away_at.is_not(None),
            )
        )
        .order_by(PaymentMessage.id.desc())
        .limit(LATELY_SHOWN)
    )
    return [(message, order) for message, order in db.session.execute(query)]


def of_order(order: Order) -> list[PaymentMessage]:
    """The messages that pay an order, oldest first."""
    query = select(PaymentMessage).where(PaymentMessage.order_id == order.id)
    return list(db.session.scalars(query.order_by(PaymentMessage.id)))


def usual_number() -> str:
    """The number to which the last messages of the store came; else its MoMo number; else
    empty."""
    last = select(PaymentMessage.came_to).order_by(PaymentMessage.id.desc()).limit(1)
    found = db.session.scalar(last)
    if found:
        return found
    own = select(Store.momo_number).where(Store.id == tenancy.current_store_id())
    return db.session.scalar(own) or ""


def _off(came: int, order: Order) -> str:
    word = "more" if came > order.price_pesewas else "less"
    much = money.cedis(abs(came - order.price_pesewas))
    return f"{much} {word} came than it costs."
