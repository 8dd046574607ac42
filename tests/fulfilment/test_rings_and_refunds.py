"""What payments and refunds do in odd moments: a ring when nothing looks after a payment any more, a
number that none can be, a refund that stays on its way, a clock that was set."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
import tables_owner
from sqlalchemy import select

from core import clock_changes, orders, settling, taking
from core.audit import Actor
from core.base import clock
from core.base.db import db, transaction
from core.online import (
    GatewayRefund,
    OnlinePayment,
    Payout,
    refund_cases,
    refunds,
    watching,
)
from core.orders import Order
from tests.support.settings import Using
from tests.support.till import SETTINGS, Till

pytestmark = pytest.mark.slow(seconds=0.3)
OWNER = Actor("owner", "Owner")
AMA = Actor("agent", "Ama")
ROWS = "SELECT count(*) FROM outbox WHERE kind = 'watch_payment'"


def going_back(till: Till) -> Order:
    """An order that was paid and cancelled; its refund is at the gateway."""
    order = till.opened()
    till.pay(till.reference(order))
    till.pass_by(61)
    with till.inside():
        orders.cancel(order.code, AMA)
    till.pass_by(4)
    return order


def refund_of(till: Till) -> GatewayRefund:
    with till.across():
        db.session.rollback()
        found = db.session.scalars(select(GatewayRefund)).one()
        db.session.expunge(found)
        return found


def test_a_ring_makes_the_row_anew_that_is_past_its_keeping_time(till: Till) -> None:
    """Late money that somebody rings for is seen, however long ago its attempt ended."""
    order = till.opened()
    reference = till.reference(order)
    till.pay(reference, "leave")
    till.pass_by(5 * 86_400)
    assert till.attempts(order)[0].state == "ended" and till.next_at() is None
    tables_owner.execute("DELETE FROM outbox WHERE kind = 'watch_payment'")
    for _ in range(2):
        with till.across(), transaction():
            assert taking.ring(reference)
    assert tables_owner.read(ROWS) == [1], "once, however often it is rung"
    till.work()
    assert till.next_at() is None, "looked at and not paid: nothing is left to do"
    till.pay(reference)
    with till.across(), transaction():
        taking.ring(reference)
    till.pass_by(10)
    assert till.cases() == ["paid_late"]
    till.proven()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("17", 17),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        (str(2**64 - 1), None),
        ("9" * 5_000, None),
        ("-1", None),
        ("1.0", None),
        ("x", None),
        ("", None),
        ("\N{SUPERSCRIPT TWO}", None),
    ],
)
def test_a_number_that_can_be_kept(said: str, kept: int | None) -> None:
    assert refund_cases.number(said) == kept


def test_a_refund_under_a_number_that_none_can_be_is_a_person_s(till: Till) -> None:
    """It is neither applied nor sent again, and no error of ours."""
    going_back(till)
    refund = refund_of(till)
    with till.across():
        said = refunds.take(refund.id, str(2**64), "done", "processed")
    assert said == refunds.UNREADABLE
    assert till.cases() == ["refund_strange"]
    again = refund_of(till)
    assert (again.state, again.gateway_refund_id) == (
        refund.state,
        refund.gateway_refund_id,
    )
    till.proven()


def test_a_refund_that_stays_on_its_way_is_a_person_s(till: Till, using: Using) -> None:
    using(refund_late_s=3_600, **SETTINGS)
    till.knobs(refund_s=7_200.0)
    going_back(till)
    till.pass_by(3_000)
    assert till.cases() == [] and refund_of(till).state == "open"
    till.pass_by(1_200)
    assert till.cases() == ["refund_late"]
    assert till.fake.gateway.store.count("refund", "test") == 1, "sent once"
    case = till.case("refund_late")
    with till.across():
        settling.settle(case.id, "close", OWNER, words="Paystack says Friday.")
    till.pass_by(4_000)
    assert refund_of(till).state == "done"
    till.proven()


@pytest.mark.parametrize("by_s", [3_600.0, -3_600.0])
def test_a_clock_that_was_set_moves_what_waits_at_the_gateway(
    till: Till,
    by_s: float,
    monkeypatch: pytest.MonkeyPatch,
    superuser: psycopg.Connection[Any],
) -> None:
    """Moments of what is open move with it; of what is over they are history."""
    opened, paid = till.opened(), till.opened()
    till.pay(till.reference(paid))
    going_back(till)
    store = "(SELECT id FROM stores WHERE slug = 'ama')"
    for state in ("submitting", "cancelled"):
        superuser.execute(
            "INSERT INTO payouts (store_id, reference, amount_pesewas, fee_pesewas, way, account,"
            " account_name, requested_by, requested_at, approved_by, approved_at, sent_at, state)"
            f" VALUES ({store}, 'mk-w-of-the-store-{state}', 5000, 100, 'momo', '+233240000001',"
            f" 'x', 'x', now(), 'x', now(), now() - interval '9 seconds', '{state}')"
        )
    looked = clock.wall()
    watch = clock_changes.Watch()
    with till.across():
        watch.look()
    before = _moments(till)
    steady = clock.steady_s()
    monkeypatch.setattr(clock, "steady_source", lambda: steady)
    monkeypatch.setattr(clock, "wall_source", lambda: looked + timedelta(seconds=by_s))
    with till.across():
        assert watch.look() is not None
    moved = {
        name: round((at - before[name]).total_seconds() / by_s)
        for name, at in _moments(till).items()
    }
    assert moved == {
        f"payment {till.reference(opened)}": 1,
        **{f"payment {one}": 0 for one in _paid(till)},
        "refund": 1,
        "payout submitting": 1,
        "payout cancelled": 0,
    }


def _paid(till: Till) -> list[str]:
    with till.across():
        rows = db.session.scalars(
            select(OnlinePayment.reference).where(OnlinePayment.state == "paid")
        )
        return list(rows)


def _moments(till: Till) -> dict[str, Any]:
    with till.across():
        db.session.rollback()
        payments = db.session.scalars(select(OnlinePayment)).all()
        payouts = db.session.scalars(select(Payout)).all()
        refund = db.session.scalars(select(GatewayRefund)).one()
        found: dict[str, Any] = {
            f"payment {one.reference}": one.created_at for one in payments
        }
        found |= {f"payout {one.state}": one.sent_at for one in payouts}
        return {**found, "refund": refund.sent_at}


def test_two_rings_at_once_are_one_row(till: Till) -> None:
    order = till.opened()
    payment = till.attempts(order)[0]
    tables_owner.execute("DELETE FROM outbox WHERE kind = 'watch_payment'")
    with till.inside(), transaction():
        for _ in range(2):
            watching.watch_again(payment.id, payment.store_id)
    assert tables_owner.read(ROWS) == [1]
