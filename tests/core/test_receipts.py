"""What a receipt says of an order in each state: nothing that is not so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tables_owner
from sqlalchemy import update

from core import orders
from core.base import clock
from core.base.db import db
from core.orders import Order, receipts

Place = Callable[..., Order]
PAID = "Paid to Ama directly: Ama confirmed it"
CONFIRMED = ("queued", "submitting", "processing", "failed", "completed", "refunded")


def order_in(place: Place, state: str, **values: Any) -> Order:
    """An order in a state, with the moments that a road to it leaves."""
    now = clock.now()
    moments = {
        "final_at": now if state in orders.FINAL else None,
        "completed_at": now if state == "completed" else None,
        "queued_at": now if state in CONFIRMED else None,
    }
    order = place()
    fields = {"state": state, **moments, **values}
    tables_owner.execute(update(Order).where(Order.id == order.id).values(**fields))
    db.session.remove()
    found = orders.by_code(order.code)
    assert found is not None
    return found


@pytest.mark.parametrize("state", orders.STATES)
def test_it_is_paid_and_delivered_only_where_that_is_so(
    ama: int, place: Place, state: str
) -> None:
    order = order_in(place, state)
    words = receipts.payment_words(order, "Ama")
    assert (words == PAID) == (state in CONFIRMED), words
    assert "Paid" not in words.replace(PAID, "")
    named = [what for what, _at in receipts.moments(order)]
    assert named[0] == "Ordered"
    assert ("Accepted" in named) == (state in CONFIRMED)
    assert ("Delivered" in named) == (state == "completed")
    ended = {"cancelled", "expired", "refunded"}
    assert (len(named) > 1 and named[-1] not in ("Accepted", "Delivered")) == (
        state in ended
    )


def test_a_press_that_may_be_undone_confirms_nothing_yet(
    ama: int, place: Place
) -> None:
    order = order_in(place, "pending", confirmed_at=clock.now(), queued_at=clock.now())
    assert receipts.payment_words(order, "Ama") == "Not confirmed by Ama yet"
    assert [what for what, _at in receipts.moments(order)] == ["Ordered"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (None, PAID),
        ("momo", "Given back by MoMo on {day}, says Ama"),
        ("cash", "Given back in cash on {day}, says Ama"),
        ("other", "Given back in another way on {day}, says Ama"),
        ("unpaid", "None, says Ama"),
        ("delivered", PAID),
    ],
)
def test_money_that_went_back_is_not_called_paid(
    ama: int, place: Place, how: str | None, words: str
) -> None:
    back = clock.now() if how else None
    order = order_in(
        place,
        "refunded",
        given_back_at=back,
        given_back_by="Ama" if how else None,
        given_back_how=how,
    )
    local = clock.now().astimezone(clock.ACCRA)
    assert receipts.payment_words(order, "Ama") == words.format(
        day=f"{local.day} {local:%b}"
    )


def test_a_delivery_that_is_no_longer_so_is_not_shown(ama: int, place: Place) -> None:
    order = order_in(place, "refunded", completed_at=clock.now() - timedelta(minutes=5))
    assert "Delivered" not in [what for what, _at in receipts.moments(order)]
