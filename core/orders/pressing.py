"""Process with a moment to take it back: the press is remembered, and released by the order's own
row of the outbox.

The books are never touched by what can be undone. A press checks everything a release checks,
writes when it goes and whose press it was, and leaves the order *pending*. When the moment has come
the worker releases it as that person's press; what has changed since then may refuse it, and it is
back in New with the sentence. A person's time: unscaled.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from core import availability, ledger
from core.accounts.users import Membership, User
from core.audit import WORKER, Actor
from core.base import clock, config
from core.base.db import db, transaction
from core.orders import refusals, releasing
from core.orders.advancing import locked
from core.orders.model import Order
from core.orders.real import REAL
from core.orders.states import WORK
from core.orders.timeline import log

_MAY_PRESS = ("owner", "cashier")
"""Roles in a store."""


def process(code: str, actor: Actor, access_no: int | None = None) -> Order:
    """Press Process: the order goes in `undo_s` seconds, or at once when that is 0.

    Pressed before, or gone, it is returned as it is. `access_no` is the number the person's log-in
    stands under: when it has changed by then, the press counts no more. Raises
    `refusals.OrderRefused`.
    """
    return process_anew(code, actor, access_no)[0]


def process_anew(
    code: str,
    actor: Actor,
    access_no: int | None = None,
) -> tuple[Order, bool]:
    """`process`, and whether it was this press that did it."""
    undo_s = config.current().undo_s
    if undo_s == 0:
        return releasing.release_anew(code, actor)
    with transaction():
        order = releasing.locked_by_code(code)
        if order.release_at is not None or order.was_processed:
            return order, False
        releasing.refuse(order, availability.now())
        _refuse_short(order)
        now = clock.now()
        order.release_at = now + timedelta(seconds=undo_s)
        order.release_refused = None
        order.confirmed_at = order.confirmed_at or now
        order.release_by = {
            "kind": actor.kind,
            "name": actor.name,
            "user_id": actor.user_id,
            "access_no": access_no,
        }
        order.version += 1
        log(
            order,
            actor,
            "pressed",
            f"{actor.name} confirmed the payment and pressed Process. It goes in {undo_s} s.",
        )
        releasing.have_looked_at(order, order.release_at)
        return order, True


def undo(code: str, actor: Actor, pressed: str | None = None) -> Order:
    """Take a press back before it has gone. Taken back before, the order is returned as it is.

    `pressed` is `press_mark` of the press that is meant: another one since is left alone. Raises
    `refusals.OrderRefused`.
    """
    return undo_anew(code, actor, pressed)[0]


def undo_anew(
    code: str,
    actor: Actor,
    pressed: str | None = None,
) -> tuple[Order, bool]:
    """`undo`, and whether it was this call that did it."""
    with transaction():
        order = releasing.locked_by_code(code)
        if order.state != "pending":
            raise refusals.WrongState(
                "It has gone already, so it cannot be undone. While it is in line it can still be"
                " cancelled."
                if order.state in WORK
                else "This order is over: there is nothing to undo."
            )
        if order.release_at is None:
            return order, False
        if pressed and pressed != press_mark(order):
            raise refusals.WrongState(
                "Somebody has pressed Process again since. Look at it, then undo it if you want."
            )
        if _confirmed_by_this_press(order):
            order.confirmed_at = None
        order.release_at = order.release_by = None
        order.version += 1
        log(order, actor, "undone", f"{actor.name} took it back before it was sent.")
        # the job sees that nothing waits, and closes the row
        releasing.have_looked_at(order)
        return order, True


def _confirmed_by_this_press(order: Order) -> bool:
    """Whether the payment was confirmed by the press that waits now. If an earlier press confirmed
    it and was refused, undoing this one leaves it confirmed."""
    assert order.release_at is not None and order.confirmed_at is not None
    return order.release_at - order.confirmed_at <= timedelta(
        seconds=config.current().undo_s
    )


def press_mark(order: Order) -> str:
    """Which press an order waits with; empty when it waits with none."""
    return f"{order.release_at.timestamp():.6f}" if order.release_at else ""


def goes_in_s(order: Order) -> int:
    """Whole seconds until a pressed order goes, 0 when it goes now; at most `undo_s`."""
    if order.release_at is None:
        return 0
    left_s = (order.release_at - clock.now()).total_seconds()
    return max(0, min(config.current().undo_s, round(left_s)))


def going_pesewas() -> int:
    """What the presses that have not gone yet will take from the wallet of the current store."""
    return int(db.session.scalar(going()) or 0)


def going(*ours: ColumnElement[bool]) -> Select[Any]:
    """What the presses of orders that meet `ours` will take, in pesewas."""
    return select(
        func.coalesce(func.sum(Order.agent_price_pesewas), 0).label("pesewas")
    ).where(Order.state == "pending", Order.release_at.is_not(None), REAL, *ours)


def free_pesewas() -> int:
    """What one more press may take from the wallet: what is in it, less what is about to go."""
    return free_of(ledger.wallet(), going_pesewas())


def free_of(wallet: ledger.Wallet, going_pesewas: int) -> int:
    """As `free_pesewas`, of what was read."""
    return max(0, wallet.available_pesewas - going_pesewas)


def let_go(order_id: int) -> datetime | None:
    """The row of a pressed order is due: release it as the press of whoever pressed.

    Returns when to look at the order again; None when it does not wait to go any more.
    """
    try:
        return _let_go(order_id)
    except refusals.OrderRefused as refusal:
        take_back(order_id, refusal.sentence)
        return None


def take_back(order_id: int, sentence: str) -> None:
    """A press could not be carried out: the order is in New again and says why."""
    with transaction():
        order = locked(order_id)
        if order.state == "pending" and order.release_at is not None:
            order.release_at = None
            order.release_by = None
            order.release_refused = sentence
            order.version += 1
            log(order, WORKER, "not_released", f"Not sent: {sentence}")


def _let_go(order_id: int) -> datetime | None:
    with transaction():
        order = locked(order_id)
        if (
            order.state != "pending"
            or order.release_at is None
            or order.release_by is None
        ):
            return None
        left_s = (order.release_at - clock.now()).total_seconds()
        # longer: the clock was set back since
        if 0 < left_s <= config.current().undo_s:
            return order.release_at
        by = order.release_by
        _refuse_other_hands(by, order.store_id)
        now = availability.now()
        releasing.refuse(order, now)
        text = f"{by['name']} confirmed the payment and processed it."
        releasing.put_in_line(
            order, Actor(by["kind"], by["name"], by["user_id"]), text, now
        )
        return clock.now()


def _refuse_short(order: Order) -> None:
    """The wallet must reach for this order and for all that wait to go before it."""
    short = short_of(order, free_pesewas())
    if short is not None:
        raise short


def short_of(order: Order, left_pesewas: int) -> refusals.InsufficientWallet | None:
    """The refusal of an order that what is left of the wallet does not reach for."""
    if order.is_test or left_pesewas >= order.agent_price_pesewas:
        return None
    short = ledger.InsufficientWallet(order.agent_price_pesewas, left_pesewas)
    return refusals.InsufficientWallet(
        short.needed_pesewas, short.available_pesewas, short.sentence
    )


def _refuse_other_hands(by: dict[str, object], store_id: int) -> None:
    """A press counts while its person's log-in does, and their work in the store: not after a new
    password, role, removal or log-out everywhere."""
    if by["user_id"] is None or by["access_no"] is None:
        return
    found = db.session.execute(
        select(User.access_no, User.removed_at, Membership.role)
        .join(Membership, Membership.user_id == User.id)
        .where(User.id == by["user_id"], Membership.store_id == store_id)
    ).first()
    if (
        found is None
        or found.removed_at is not None
        or found.access_no != by["access_no"]
        or found.role not in _MAY_PRESS
    ):
        raise refusals.WrongState(
            f"{by['name']} pressed Process, and what they may do here has changed since."
            f" {refusals.PRESS_AGAIN}"
        )
