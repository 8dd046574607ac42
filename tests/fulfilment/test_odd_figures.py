"""Odd figures on the wire: fractions of a pesewa, a wallet below zero, texts that are amounts, and
texts that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from desk import Desk

from core import leases, ledger, outbox, reconcile
from core.audit import SYSTEM
from core.base import clock, tenancy
from core.base.db import transaction
from core.supplier import supply
from fulfilment import jobs
from fulfilment.buying import balance
from integrations.ports import NoAnswer
from integrations.sandbox import faults
from integrations.sandbox.store import FIRST_ID, move_money

pytestmark = pytest.mark.matrix


def odd(desk: Desk, **figures: Any) -> None:
    plan = [{"fault": "odd_figures", "times": None, **figures}]
    desk.sandbox.sandbox.faults.install(faults.read_plan(plan))


def ask(desk: Desk) -> str:
    with tenancy.across_stores():
        row = outbox.request("refresh_balance", SYSTEM)
        leased = leases.lease_due(1, only=[row.id])
    for lease in leased:
        jobs.run(*lease)
    with tenancy.across_stores():
        done = outbox.requested(row.id)
    assert done is not None and done.result_text is not None
    return done.result_text


def fit(desk: Desk) -> None:
    """Our books begin at what the supplier says."""
    said = desk.client.balance()
    assert not isinstance(said, NoAnswer)
    with tenancy.across_stores(), transaction():
        if moved := said.balance_pesewas - ledger.platform_balances()["supplier_float"]:
            ledger.fund_float(moved, "for a test", SYSTEM)
    assert "fits" in ask(desk)


def move_theirs(desk: Desk, pesewas: int) -> None:
    with desk.sandbox.sandbox.store.change() as changed:
        move_money(
            changed, FIRST_ID, "charge", "admin", None, pesewas, clock.now().timestamp()
        )


@pytest.mark.slow(seconds=0.7)
@pytest.mark.parametrize("kept", faults.KEPT)
@pytest.mark.parametrize(("price", "wallet"), [(4, 0), (0, 5), (9, 5)])
def test_a_supplier_of_fractions_stops_nothing_and_a_missing_purchase_still_shows(
    desk: Desk, kept: str, price: int, wallet: int
) -> None:
    odd(desk, price_thousandths=price, wallet_thousandths=wallet, kept=kept)
    fit(desk)
    made = [desk.release(gb=gb) for gb in (1, 2, 1, 5)]
    desk.work()
    assert [desk.read(order).state for order in made] == ["processing"] * 4
    assert "fits" in ask(desk)
    assert desk.cases() == []
    with tenancy.across_stores():
        assert reconcile.float_pesewas() == supply.state().last_balance_pesewas

    move_theirs(desk, -395)
    assert "seen once" in ask(desk)
    desk.jump(61)
    assert "a break" in ask(desk)
    assert desk.cases() == ["unexpected_charge"]
    desk.books()


@pytest.mark.slow(seconds=0.4)
def test_a_charge_one_pesewa_beside_the_list_is_no_case_of_its_own(desk: Desk) -> None:
    """The list was read before the price got its fraction: 4.60 there, 4.609 charged."""
    odd(desk, price_thousandths=9, kept="rounded_purchase")
    fit(desk)
    order = desk.release()
    desk.work()
    assert desk.read(order).charged_pesewas == 461
    assert desk.cases() == []
    desk.settle(order, "successful")
    desk.jump(3_600)
    desk.work_until(order, "completed")
    assert desk.books()["price_variance"] == 1


def test_a_wallet_below_zero_is_an_amount(desk: Desk) -> None:
    odd(desk, says=-12.5)
    assert "less than expected" in ask(desk)
    with tenancy.across_stores():
        link = supply.state()
        assert (link.last_balance_pesewas, link.last_balance_said) == (-1_250, "-12.5")
        assert balance.too_low_for(1, desk.client)


@pytest.mark.parametrize(
    ("says", "pesewas"),
    [
        ("1,234.50", 123_450),
        ("GHS 1 234.50", 123_450),
        ("1.234,50", 123_450),
        ("-12.50", -1_250),
    ],
)
def test_a_text_that_is_an_amount_is_read(desk: Desk, says: str, pesewas: int) -> None:
    odd(desk, says=says)
    ask(desk)
    with tenancy.across_stores():
        assert supply.state().last_balance_pesewas == pesewas


@pytest.mark.parametrize("says", ["1,234", "much", ""])
def test_a_read_that_brought_nothing_is_kept_until_one_does(
    desk: Desk, says: str, jump: Callable[[float], None]
) -> None:
    ask(desk)
    odd(desk, says=says)
    ask(desk)
    with tenancy.across_stores():
        link = supply.state()
        assert link.last_balance_pesewas is not None, "the last good one stays"
        assert link.balance_failed_at is not None and link.balance_failure is not None
        assert says in link.balance_failure
    desk.sandbox.sandbox.faults.install([])
    ask(desk)
    with tenancy.across_stores():
        assert supply.state().balance_failed_at is None


def test_an_unreadable_balance_told_with_a_purchase_is_no_balance(desk: Desk) -> None:
    odd(desk, says="1,234")
    order = desk.release()
    desk.work()
    assert desk.read(order).state == "processing"
    assert desk.cases() == []
