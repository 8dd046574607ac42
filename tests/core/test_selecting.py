"""A selection of orders: the oldest first, and where the wallet ends no younger one overtakes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tables_owner
from sqlalchemy import update

from core import ledger, orders
from core.audit import SYSTEM, Actor
from core.base.db import db, transaction
from core.orders import Order

AMA = Actor("agent", "Ama")
DEAR = 4_000


@pytest.fixture
def ticked(ama: int, place: Callable[..., Order]) -> list[str]:
    """An order of each: one that is paid for, a dear one, a cheap one, a cancelled one. The wallet
    lacks one pesewa for two."""
    placed = [place() for _ in range(4)]
    codes, cost = [order.code for order in placed], placed[0].agent_price_pesewas
    orders.cancel(codes[3], AMA)
    tables_owner.execute(
        update(Order)
        .where(Order.id == placed[1].id)
        .values(agent_price_pesewas=DEAR, price_pesewas=DEAR)
    )
    db.session.remove()
    with transaction():
        left = ledger.wallet().available_pesewas - cost - DEAR + 1
        ledger.post("hold", [("wallet", left), ("held", -left)], SYSTEM, store_id=ama)
    return codes


def became(codes: list[str], **how: bool) -> list[str]:
    found = {
        row.code: row.became for row in orders.release_many(codes[::-1], AMA, **how)
    }
    return [found[code] for code in codes]


def test_the_oldest_goes_first_and_no_younger_one_overtakes_where_the_wallet_ends(
    ticked: list[str],
) -> None:
    assert became(ticked) == ["moved", "short", "short", "over"]
    assert became(ticked) == ["before", "short", "short", "over"]


def test_those_that_fit_go_when_asked_for(ticked: list[str]) -> None:
    assert became(ticked, past_short=True) == ["moved", "short", "moved", "over"]


def test_what_is_no_order_of_the_store_is_refused_and_holds_up_nobody(
    ticked: list[str],
) -> None:
    results = orders.release_many(["ZZZZZZZZZZ", "\x00", ticked[0]], AMA)
    assert {row.code: row.became for row in results} == {
        ticked[0]: "moved",
        "ZZZZZZZZZZ": "refused",
        "\x00": "refused",
    }
