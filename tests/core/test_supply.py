"""The supplier link: the shared rate budget, balances against the books, and how breaks are
named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from seed import FLOAT_PESEWAS

from core import cases, ledger, reconcile, settling
from core.audit import SYSTEM, Actor
from core.base import clock, config, tenancy
from core.base.db import transaction
from core.supplier import balances, supply
from tests.support.claims import claim_one

OWNER = Actor("owner", "Owner")


def test_fifty_calls_a_window_of_which_twenty_are_kept_for_purchases_and_ten_for_news(
    across: Flask, jump: Callable[[float], None]
) -> None:
    others = [supply.take_call("other") for _ in range(21)]
    assert others[:20] == [0.0] * 20
    assert others[20] > 0
    news = [supply.take_call("news") for _ in range(11)]
    assert news[:10] == [0.0] * 10
    assert news[10] > 0
    purchases = [supply.take_call("purchase") for _ in range(21)]
    assert purchases[:20] == [0.0] * 20
    assert 0 < purchases[20] <= 60
    jump(61)
    assert supply.take_call("purchase") == 0.0


def test_purchases_may_use_the_whole_budget(across: Flask) -> None:
    assert [supply.take_call("purchase") for _ in range(50)] == [0.0] * 50
    assert supply.take_call("purchase") > 0
    assert supply.take_call("other") > 0


@pytest.mark.slow(seconds=0.2)
def test_no_window_of_a_minute_ever_holds_more_than_the_budget(
    across: Flask, jump: Callable[[float], None]
) -> None:
    made = []
    for step in range(300):
        share = "purchase" if step % 3 else "other"
        if supply.take_call(share) == 0.0:  # type: ignore[arg-type]
            made.append(clock.now())
        jump(0.7)
    for moment in made:
        # The moment is read just after the call was counted, hence half a second of slack.
        inside = [
            other for other in made if 0 <= (other - moment).total_seconds() < 59.5
        ]
        assert len(inside) <= config.current().rate_calls


def test_after_429_nobody_calls_before_the_moment_named(
    across: Flask, jump: Callable[[float], None]
) -> None:
    supply.close_until(clock.after(30))
    assert 29 < supply.take_call("purchase") <= 30
    jump(31)
    assert supply.take_call("other") == 0.0


def test_a_balance_that_fits_is_said_to_fit(across: Flask) -> None:
    with tenancy.across_stores():
        assert reconcile.note_balance(FLOAT_PESEWAS) == "fits"
        assert balances.newest(1)[0].verdict == "fits"
        assert cases.open_cases(10) == []


@pytest.mark.parametrize(
    ("difference", "kind"), [(-460, "unexpected_charge"), (5_000, "float_funded")]
)
def test_a_difference_seen_twice_a_minute_apart_is_a_named_break(
    across: Flask, jump: Callable[[float], None], difference: int, kind: str
) -> None:
    with tenancy.across_stores():
        assert "seen once" in reconcile.note_balance(FLOAT_PESEWAS + difference)
        jump(30)
        assert "too soon" in reconcile.note_balance(FLOAT_PESEWAS + difference)
        assert cases.open_cases(10) == []
        jump(31)
        assert "a break" in reconcile.note_balance(FLOAT_PESEWAS + difference)
        found = cases.open_cases(10)
        assert [case.kind for case in found] == [kind]
        assert found[0].evidence[0]["difference_pesewas"] == difference


def test_a_difference_that_goes_away_is_no_break(
    across: Flask, jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        reconcile.note_balance(FLOAT_PESEWAS - 460)
        jump(61)
        assert reconcile.note_balance(FLOAT_PESEWAS) == "fits"
        jump(61)
        assert "seen once" in reconcile.note_balance(FLOAT_PESEWAS - 460)


def test_unresolved_orders_widen_what_fits(
    ama: int, place: Callable[..., object]
) -> None:
    from core import orders

    order = orders.release(place().code, Actor("agent", "Ama"))  # type: ignore[attr-defined]
    claim_one(order.id)
    with tenancy.across_stores():
        assert reconcile.note_balance(FLOAT_PESEWAS) == "fits"
        assert reconcile.note_balance(FLOAT_PESEWAS - order.cost_pesewas) == "fits"
        assert "less" in reconcile.note_balance(FLOAT_PESEWAS - order.cost_pesewas - 1)


def test_funding_is_confirmed_with_one_press_and_booked_once(
    across: Flask, jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        reconcile.note_balance(FLOAT_PESEWAS + 5_000)
        jump(61)
        reconcile.note_balance(FLOAT_PESEWAS + 5_000)
        case = cases.open_cases(1)[0]
        assert reconcile.confirm_funding(case.id, OWNER) == 5_000
        assert ledger.platform_balances()["supplier_float"] == FLOAT_PESEWAS + 5_000
        with pytest.raises(reconcile.NotConfirmable):
            reconcile.confirm_funding(case.id, OWNER)
        assert cases.open_cases(10) == []


def test_the_first_read_of_an_empty_ledger_opens_it(across: Flask) -> None:
    from sqlalchemy import text

    from core.base.db import db

    with tenancy.across_stores():
        rows = db.session.execute(
            text(
                "SELECT count(*) FROM entries e JOIN accounts a ON a.id = e.account_id WHERE a.name"
                " = 'supplier_float'"
            )
        ).scalar_one()
        assert rows == 1
        with transaction():
            ledger.fund_float(-FLOAT_PESEWAS, "emptied", SYSTEM)
        # Not empty any more: a read may never book money by itself twice.
        assert "more than expected" in reconcile.note_balance(1_000)


def test_a_case_is_open_once_and_collects_evidence(across: Flask) -> None:
    with tenancy.across_stores():
        for difference in (1, 1, 2):
            with transaction():
                cases.open_case(
                    "unexpected_charge", "float", {"difference_pesewas": difference}
                )
        found = cases.open_cases(10)
        assert len(found) == 1
        assert [entry["difference_pesewas"] for entry in found[0].evidence] == [1, 2]
        assert (
            settling.settle(found[0].id, "close", OWNER, words="counted again")
            == "Closed with words."
        )
        with pytest.raises(settling.ActionRefused):
            settling.settle(found[0].id, "close", OWNER, words="again")
