"""Each way money paid online can go, from its beginning to its end: what the accounts have, that
the postings sum to zero, and that the proof of the books finds nothing.

The figures are those of product: price P, agent price A, cost C, fee F.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import tables_owner
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError

from core import ledger, online, orders, proof, stores
from core.audit import SYSTEM, Actor
from core.base import tenancy
from core.base.db import db, transaction
from core.online import GatewayRefund, Unfit
from core.orders import Order, giving_back
from tests.support.online_money import FEE, Scene

pytestmark = pytest.mark.slow(seconds=0.1)

AMA = Actor("agent", "Ama")


@pytest.fixture
def scene(
    ama: int, place: Callable[..., Order], superuser: psycopg.Connection[Any]
) -> Scene:
    return Scene(ama, place, superuser)


def of(order: Order) -> tuple[int, int, int]:
    """P, A and C."""
    return order.price_pesewas, order.agent_price_pesewas, order.cost_pesewas


def test_a_paid_order_step_by_step(scene: Scene) -> None:
    order, _payment = scene.paid()
    p, a, c = of(order)
    paid = {"gateway": p - FEE, "gateway_fees": FEE}
    assert scene.moved() == {**paid, "customer_funds": -p}
    order = scene.to("processing", order)
    assert scene.moved() == {
        **paid,
        "held": -a,
        "earnings_pending": a - p,
        "in_flight": c,
        "supplier_float": -c,
    }
    scene.proven()
    order = scene.fresh(order)
    assert orders.advance(order.id, "completed", text="Delivered.")
    assert scene.moved() == {
        "gateway": p - FEE,
        "earnings": -(p - a - FEE),
        "margin": c - a,
        "supplier_float": -c,
    }
    scene.proven()


def test_a_fee_larger_than_the_profit_is_taken_from_other_earnings(
    scene: Scene,
) -> None:
    order, _payment = scene.paid(extra=4)
    scene.to("completed", order)
    assert scene.moved()["earnings"] == FEE - 4, "earnings alone may be in debit"
    scene.proven()


def test_more_charged_than_asked_is_what_the_payer_paid(scene: Scene) -> None:
    order = scene.order()
    payment_id = scene.ask(order)
    scene.pay(payment_id, order.price_pesewas + 10, order)
    p = order.price_pesewas
    assert scene.moved() == {"gateway": p, "customer_funds": -p}
    scene.proven()


def test_paid_late_is_owed_back_and_refunded(scene: Scene) -> None:
    order = scene.order()
    payment_id = scene.ask(order)
    assert orders.advance(order.id, "expired", text="Nobody paid.")
    with pytest.raises(Unfit, match="late"):
        scene.pay(payment_id, order.price_pesewas, order)
    p = order.price_pesewas
    scene.pay(payment_id, p, None)
    scene.proven()
    with transaction():
        online.owe(scene.payment(payment_id), SYSTEM)
    assert scene.moved() == {"gateway": p - FEE, "gateway_fees": FEE, "refund_due": -p}
    scene.proven()
    refund = scene.refund(payment_id, p, "late")
    scene.proven()
    scene.settle(refund, online.refund_done)
    assert scene.moved() == {"gateway": -FEE, "gateway_fees": FEE}
    scene.proven()


def test_paid_late_pays_a_new_order_while_its_price_covers_the_bundle(
    scene: Scene,
) -> None:
    old = scene.order()
    payment_id = scene.ask(old)
    assert orders.advance(old.id, "expired", text="Nobody paid.")
    scene.pay(payment_id, old.price_pesewas, None)
    dear, new = scene.order(), scene.order()
    scene.superuser.execute(
        "UPDATE orders SET agent_price_pesewas = price_pesewas - 1 WHERE id = %s",
        (dear.id,),
    )
    with pytest.raises(Unfit, match="costs more"), transaction():
        online.fulfil_late(scene.payment(payment_id), scene.fresh(dear))
    with transaction():
        online.fulfil_late(scene.payment(payment_id), scene.fresh(new))
        assert orders.advance(new.id, "pending", text="Paid late.", actor=SYSTEM)
    scene.proven()
    p, a, _c = of(new)
    scene.to("completed", scene.fresh(new))
    assert scene.moved()["earnings"] == -(p - a - FEE)
    scene.proven()


def test_paid_twice_pays_the_order_once_and_the_second_goes_back(scene: Scene) -> None:
    order, first = scene.paid()
    p = order.price_pesewas
    second = scene.ask(order)
    with pytest.raises(Unfit, match="late|double"):
        scene.pay(second, p, order)
    with pytest.raises(Unfit, match="already"):
        scene.pay(first, p, order)
    scene.pay(second, p, None)
    with transaction():
        online.owe(scene.payment(second), SYSTEM)
    with pytest.raises(Unfit, match="not free"), transaction():
        online.owe(scene.payment(second), SYSTEM)
    with pytest.raises(Unfit, match="not free"), transaction():
        online.owe(scene.payment(first), SYSTEM)
    scene.settle(scene.refund(second, p, "double"), online.refund_done)
    scene.to("completed", order)
    assert "refund_due" not in scene.moved() and "customer_funds" not in scene.moved()
    scene.proven()


def test_the_proof_compares_what_is_owed_of_each_payment(scene: Scene) -> None:
    """Of two payments of a store, what one is owed less the other is owed more: their sum fits."""
    made = []
    for _each in range(2):
        order = scene.order()
        made.append(scene.ask(order))
        assert orders.advance(order.id, "expired", text="Nobody paid.")
        scene.pay(made[-1], order.price_pesewas, None)
        with transaction():
            online.owe(scene.payment(made[-1]), SYSTEM)
    scene.proven()
    shift = (
        "UPDATE online_payments SET charged_pesewas = charged_pesewas + %(by)s,"
        " owed_pesewas = owed_pesewas + %(by)s WHERE id = %(id)s"
    )
    for back in (1, -1):
        for id_, by in zip(made, (100, -100), strict=True):
            scene.superuser.execute(shift, {"id": id_, "by": by * back})
        if back == 1:
            with tenancy.across_stores():
                (said,) = proof.look()
            assert "owe something else than what is to go back of them" in said
            assert all(str(id_) in said for id_ in made)
    scene.proven()


def test_paid_short_pays_nothing_and_goes_back(scene: Scene) -> None:
    order = scene.order()
    payment_id = scene.ask(order)
    with pytest.raises(Unfit, match="Less was paid"):
        scene.pay(payment_id, order.price_pesewas - 1, order)
    short = order.price_pesewas - 1
    scene.pay(payment_id, short, None)
    assert scene.moved()["customer_funds"] == -short
    with transaction():
        online.owe(scene.payment(payment_id), SYSTEM)
    scene.settle(scene.refund(payment_id, short, "short"), online.refund_done)
    assert scene.moved() == {"gateway": -FEE, "gateway_fees": FEE}
    scene.proven()


@pytest.mark.parametrize("when", ["before delivery", "after delivery"])
def test_a_fee_that_is_known_later(scene: Scene, when: str) -> None:
    order, payment_id = scene.paid(fee=None)
    p, a, _c = of(order)
    assert scene.moved() == {"gateway": p, "customer_funds": -p}

    def found() -> None:
        with transaction():
            online.fee_found(scene.payment(payment_id), FEE, SYSTEM)

    if when == "before delivery":
        found()
        scene.to("completed", order)
        profit = p - a - FEE
    else:
        scene.to("completed", order)
        found()
        profit = p - a
    assert scene.moved()["earnings"] == -profit
    assert scene.moved()["gateway"] == p - FEE
    lost = FEE if when == "after delivery" else 0
    assert scene.moved().get("gateway_fees", 0) == lost, "what nobody knew is ours"
    with pytest.raises(Unfit, match="known already"):
        found()
    scene.proven()


def test_not_delivered_is_owed_and_a_refund_that_returns_is_owed_again(
    scene: Scene,
) -> None:
    order, payment_id = scene.paid()
    p = order.price_pesewas
    scene.to("refunded", order)
    owed = {"gateway": p - FEE, "gateway_fees": FEE, "refund_due": -p}
    assert scene.moved() == owed
    part = scene.refund(payment_id, 200, "refunded")
    with pytest.raises(Unfit, match="under way"):
        scene.refund(payment_id, 100, "refunded")
    scene.settle(part, online.refund_done)
    with pytest.raises(Unfit, match="over"):
        scene.settle(part, online.refund_done)
    with pytest.raises(Unfit, match="is owed back"):
        scene.refund(payment_id, p - 199, "refunded")
    scene.settle(part, online.refund_returned)
    assert scene.moved() == owed
    with pytest.raises(Unfit, match="sent"):
        scene.settle(part, online.refund_returned)
    scene.proven()
    again = scene.refund(payment_id, p, "refunded")
    scene.settle(again, online.refund_by_transfer, 100)
    assert scene.moved() == {"gateway": -FEE - 100, "gateway_fees": FEE + 100}
    scene.proven()


@pytest.mark.parametrize("held", [False, True])
def test_a_store_cancels_what_was_paid_and_may_bear_its_fee(
    scene: Scene, as_store: Callable[..., Any], held: bool
) -> None:
    """By the stores' role, which moves its own customers' money and no other."""
    order, payment_id = scene.paid()
    p, code = order.price_pesewas, order.code
    if held:
        as_store("ama", lambda: orders.release(code, AMA))
        assert scene.moved()["held"] == -order.agent_price_pesewas
    as_store("ama", lambda: orders.cancel(code, AMA))
    order = scene.fresh(order)
    assert not order.owes_back, "its agent gives nothing back"
    waits = giving_back.awaits_giving_back()
    assert db.session.scalars(select(Order.id).where(waits)).all() == []
    assert scene.moved() == {"gateway": p - FEE, "gateway_fees": FEE, "refund_due": -p}
    scene.proven()
    with transaction():
        online.fee_to_agent(scene.fresh(order), SYSTEM)
    with pytest.raises(Unfit, match="once"), transaction():
        online.fee_to_agent(scene.fresh(order), SYSTEM)
    scene.settle(scene.refund(payment_id, p), online.refund_done)
    assert scene.moved() == {"gateway": -FEE, "earnings": FEE}
    scene.proven()


def test_a_store_moves_no_customer_s_money_but_as_its_order_says(
    scene: Scene, as_store: Callable[..., Any]
) -> None:
    order, payment_id = scene.paid()
    p, a, _c = of(order)
    unpaid = scene.order()
    scene.superuser.execute(
        "UPDATE orders SET state = 'pending' WHERE id = %s", (unpaid.id,)
    )
    whole = [("customer_funds", p), ("held", -a), ("earnings_pending", a - p)]
    for kind, legs, more in (
        ("hold", [("wallet", a), ("held", -a)], {"order": order}),
        ("hold", [("customer_funds", p), ("held", -p)], {"order": order}),
        ("hold", whole, {"order": unpaid}),
        ("hold", whole, {"order": order, "n": 2}),
        ("owe", [("customer_funds", 1), ("refund_due", -1)],
         {"store_id": order.store_id, "subject": f"payment:{payment_id}"}),
        ("pay_in", [("gateway", 5), ("customer_funds", -5)],
         {"store_id": order.store_id, "subject": f"payment:{payment_id}"}),
        ("payout_requested", [("earnings", 5), ("payouts_open", -5)],
         {"store_id": order.store_id, "subject": "payout:1"}),
    ):  # fmt: skip

        def smuggled(kind: Any = kind, legs: Any = legs, more: Any = more) -> None:
            with transaction():
                ledger.post(kind, legs, SYSTEM, **more)

        with pytest.raises(DBAPIError, match="its own orders, nothing else"):
            as_store("ama", smuggled)

    def marks_paid() -> None:
        with transaction() as session:
            session.execute(
                online.OnlinePayment.__table__.update().values(state="paid")
            )

    with pytest.raises(DBAPIError, match="permission denied"):
        as_store("ama", marks_paid)
    as_store("kofi", lambda: _sees_nothing(payment_id))


def _sees_nothing(payment_id: int) -> None:
    assert db.session.get(online.OnlinePayment, payment_id) is None


def test_given_back_after_delivery(scene: Scene) -> None:
    order, payment_id = scene.paid()
    p, a, c = of(order)
    order = scene.to("completed", order)
    with transaction():
        online.give_back(scene.fresh(order), SYSTEM, "Wrong bundle")
    assert scene.moved() == {
        "gateway": p - FEE,
        "margin": c - a,
        "supplier_float": -c,
        "dispute_loss": a + FEE,
        "refund_due": -p,
    }
    with pytest.raises(Unfit, match="once"), transaction():
        online.give_back(scene.fresh(order), SYSTEM, "Once more")
    scene.settle(scene.refund(payment_id, p, "given_back"), online.refund_done)
    with pytest.raises(Unfit, match="bears no more"), transaction():
        online.loss_to_agent(
            scene.payment(payment_id), a + FEE + 1, SYSTEM, scene.fresh(order)
        )
    for part in (a, FEE):
        with transaction():
            online.loss_to_agent(
                scene.payment(payment_id), part, SYSTEM, scene.fresh(order)
            )
    assert scene.moved()["earnings"] == a + FEE
    assert "dispute_loss" not in scene.moved()
    scene.proven()


def test_a_dispute_before_the_claim_cancels_first(scene: Scene) -> None:
    order, payment_id = scene.paid()
    p = order.price_pesewas
    scene.to("cancelled", order)
    dispute = scene.dispute(payment_id, p)
    with pytest.raises(Unfit, match="disputed"):
        scene.refund(payment_id, p)
    scene.reverse(dispute, p)
    assert scene.moved() == {"gateway": -FEE, "gateway_fees": FEE}
    with pytest.raises(Unfit, match="booked already"):
        scene.reverse(dispute, p)
    scene.proven()


@pytest.mark.parametrize("taken", ["all", "a part"])
def test_a_dispute_while_it_is_bought_is_not_paid_back_twice(
    scene: Scene, taken: str
) -> None:
    order, payment_id = scene.paid()
    p = order.price_pesewas
    order = scene.to("processing", order)
    d = p if taken == "all" else 100
    scene.reverse(scene.dispute(payment_id, p, "accepted"), d)
    assert scene.moved()["dispute_loss"] == d
    scene.proven()
    assert orders.advance(
        order.id, "refunded", text="Reversed.", news=orders.News(money_back=True)
    )
    assert scene.moved().get("refund_due", 0) == d - p
    assert "dispute_loss" not in scene.moved()
    scene.proven()


def test_what_was_taken_back_is_not_bought(scene: Scene) -> None:
    order, payment_id = scene.paid()
    scene.reverse(scene.dispute(payment_id, order.price_pesewas), order.price_pesewas)
    with pytest.raises(orders.OrderRefused, match="taken back"):
        orders.release(order.code, SYSTEM)
    orders.cancel(order.code, SYSTEM)
    assert scene.moved() == {"gateway": -FEE, "gateway_fees": FEE}
    scene.proven()


def test_a_dispute_after_the_refund_is_our_loss(scene: Scene) -> None:
    order, payment_id = scene.paid()
    p = order.price_pesewas
    orders.cancel(order.code, SYSTEM)
    refund = scene.refund(payment_id, p)
    scene.settle(refund, online.refund_done)
    scene.reverse(scene.dispute(payment_id, p), p)
    assert scene.moved()["dispute_loss"] == p
    scene.proven()
    scene.settle(refund, online.refund_returned)
    assert "dispute_loss" not in scene.moved(), "the payer has it once after all"
    scene.proven()


def test_a_dispute_after_the_payout_leaves_earnings_in_debit(scene: Scene) -> None:
    order, payment_id = scene.paid(extra=300)
    p, a, _c = of(order)
    earned = p - a - FEE
    order = scene.to("completed", order)
    with pytest.raises(Unfit, match="may be paid out now"):
        scene.payout(earned - 100, 100)
    scene.day_later()
    with pytest.raises(Unfit, match="is needed with the fee"):
        scene.payout(earned - 99, 100)
    payout = scene.payout(earned - 100, 100)
    scene.send(payout)
    scene.with_payout(payout, online.payout_paid)
    scene.reverse(scene.dispute(payment_id, p), p)
    with transaction():
        online.loss_to_agent(scene.payment(payment_id), p, SYSTEM, scene.fresh(order))
    assert scene.moved()["earnings"] == p
    assert online.payable(scene.store_id) == -p
    with pytest.raises(Unfit, match="0.00 may be paid out"):
        scene.payout(1, 0)
    scene.proven()


@pytest.mark.parametrize("fee", [100, 800])
def test_payouts_to_their_ends(scene: Scene, fee: int) -> None:
    order, _payment = scene.paid(extra=3_000)
    scene.to("completed", order)
    scene.day_later()
    before = scene.moved()
    x = 1_500
    cancelled = scene.payout(x, fee)
    asked = {**before, "payouts_open": -(x + fee)}
    asked["earnings"] += x + fee
    assert scene.moved() == asked
    with pytest.raises(Unfit, match="under way"):
        scene.payout(1, 0)
    with pytest.raises(Unfit, match="only there"):
        scene.with_payout(cancelled, online.payout_returned, "failed")
    with pytest.raises(Unfit, match="sent to the gateway"):
        scene.with_payout(cancelled, online.payout_paid)
    scene.with_payout(cancelled, online.payout_returned, "cancelled")
    assert scene.moved() == before
    failed = scene.payout(x, fee)
    scene.send(failed)
    scene.proven()
    scene.with_payout(failed, online.payout_returned, "failed")
    assert scene.moved() == before
    with pytest.raises(Unfit, match="only there"):
        scene.with_payout(failed, online.payout_returned, "failed")
    paid = scene.payout(x, fee)
    scene.send(paid)
    scene.with_payout(paid, online.payout_paid)
    assert scene.moved()["gateway"] == before["gateway"] - x - fee
    scene.proven()
    if fee == 800:
        scene.superuser.execute(
            "UPDATE payouts SET fee_is_ours = true WHERE id = %s", (paid,)
        )
    scene.with_payout(paid, online.payout_reversed)
    agents, ours = (0, fee) if fee == 800 else (fee, 0)
    assert scene.moved()["earnings"] == before["earnings"] + agents
    assert scene.moved().get("gateway_fees", 0) == ours
    assert scene.moved()["gateway"] == before["gateway"] - fee
    with pytest.raises(Unfit, match="come back"):
        scene.with_payout(paid, online.payout_reversed)
    scene.proven()


def test_a_suspended_store_s_paid_orders_finish_and_its_payouts_wait(
    scene: Scene,
) -> None:
    order, _payment = scene.paid(extra=500)
    scene.superuser.execute(
        "UPDATE stores SET status = 'suspended' WHERE id = %s", (scene.store_id,)
    )
    scene.to("completed", order)
    scene.day_later()
    earned = scene.moved()["earnings"]
    with pytest.raises(Unfit, match="suspended"):
        scene.payout(100, 100)
    assert scene.moved()["earnings"] == earned < 0
    scene.proven()


@pytest.mark.parametrize("spent", [0, 300])
def test_a_funding_and_one_that_is_taken_back(scene: Scene, spent: int) -> None:
    payment_id = scene.ask(None, 1_000)
    with transaction():
        online.fund(scene.payment(payment_id), 1_000, 20, SYSTEM)
    assert scene.moved() == {"gateway": 980, "gateway_fees": 20, "wallet": -1_000}
    assert ledger.statement(limit=1)[0].kind_text == "Funded online"
    with pytest.raises(Unfit, match="already"), transaction():
        online.fund(scene.payment(payment_id), 1_000, 20, SYSTEM)
    scene.proven()
    free = ledger.wallet().available_pesewas
    if spent:
        ledger.take_back(scene.store_id, free - 1_000 + spent, "all but some", SYSTEM)
    left = 1_000 - spent
    dispute = scene.dispute(payment_id, 1_000)
    with transaction(), pytest.raises(Unfit, match="into a wallet"):
        online.reverse(online.locked(online.Dispute, dispute), 1_000, SYSTEM)
    with transaction():
        rest = online.fund_reversed(
            online.locked(online.Dispute, dispute), 1_000, SYSTEM
        )
        payment = scene.payment(payment_id)
        assert rest == spent == online.loss_of(payment)
    assert scene.moved().get("dispute_loss", 0) == spent
    assert scene.moved().get("wallet", 0) == (free - 1_000 if spent else 0)
    assert left + rest == 1_000
    if spent:
        with transaction():
            online.loss_to_agent(scene.payment(payment_id), spent, SYSTEM)
        assert scene.moved()["earnings"] == spent
    scene.proven()


def test_settlements_and_top_ups_move_between_gateway_and_bank(scene: Scene) -> None:
    with transaction():
        online.settlement(7, 500, SYSTEM)
        online.top_up(7, 200, SYSTEM)
    assert scene.moved() == {"bank": 300, "gateway": -300}
    with (
        pytest.raises(IntegrityError, match="uq_postings_subject_kind_n"),
        transaction(),
    ):
        online.settlement(7, 500, SYSTEM)
    for verb in (online.settlement, online.top_up):
        with pytest.raises(Unfit, match="above nothing"), transaction():
            verb(8, -1, SYSTEM)
    scene.proven()


def test_the_database_keeps_what_the_functions_refuse(scene: Scene) -> None:
    """Each rule by itself, as whoever forgets to ask would meet it."""
    order, payment_id = scene.paid()
    orders.cancel(order.code, SYSTEM)
    p, store = order.price_pesewas, scene.store_id
    for account in ledger.NEVER_DEBIT:
        with pytest.raises(IntegrityError, match="no_overdraft"):
            tables_owner.execute(
                f"UPDATE accounts SET balance_pesewas = 1 WHERE name = '{account}'"
            )
    row = (
        f"INSERT INTO gateway_refunds (store_id, payment_id, n, amount_pesewas, reason,"
        f" asked_by, asked_at, state) VALUES ({store}, {payment_id}, {{n}}, {{x}},"
        f" 'late', 'x', now(), '{{state}}')"
    )
    refused = {
        "no more is given back": row.format(n=1, x=p + 1, state="requested"),
        "uq_gateway_refunds_one_open": "; ".join(
            row.format(n=n, x=1, state="open") for n in (1, 2)
        ),
        "given back than was paid": row.format(n=1, x=p, state="done")
        + "; " + row.format(n=2, x=1, state="requested"),
        "uq_payouts_one_open": "; ".join(
            "INSERT INTO payouts (store_id, reference, amount_pesewas, fee_pesewas, way, account,"
            " account_name, requested_by, requested_at)"
            f" VALUES ({store}, 'mk-w-000000000000{n}', 1, 0, 'momo', '1', 'x', 'x', now())"
            for n in (1, 2)
        ),
        **{
            f"uq_online_payments_one_{state}": "; ".join(
                "INSERT INTO online_payments (store_id, purpose, order_id, reference, mode,"
                f" amount_pesewas, created_at, state) VALUES ({store}, 'order', {order.id}, 'R{n}',"
                f" 'test', 1, now(), '{state}')"
                for n in (1, 2)
            )
            for state in ("asked", "open")
        },
        "uq_online_payments_pays": (
            "INSERT INTO online_payments (store_id, purpose, order_id, pays_order_id, reference,"
            " mode, amount_pesewas, created_at, state, charged_pesewas, paid_at) VALUES"
            f" ({store}, 'order', {order.id}, {order.id}, 'R', 'test', 1, now(), 'paid', 1, now())"
        ),
        "ck_online_payments_paid": (
            f"UPDATE online_payments SET state = 'failed' WHERE id = {payment_id}"
        ),
        "ck_online_payments_owed": (
            f"UPDATE online_payments SET owed_pesewas = {p + 1} WHERE id = {payment_id}"
        ),
    }  # fmt: skip
    for word, statement in refused.items():
        with pytest.raises(IntegrityError, match=word):
            tables_owner.execute(statement)
    assert db.session.query(GatewayRefund).count() == 0


def test_online_payment_is_off_until_platform_and_store_have_it_on(ama: int) -> None:
    assert not online.is_on(ama)
    online.switch_store(ama, True, SYSTEM)
    assert not online.is_on(ama)
    online.switch_platform(True, SYSTEM)
    kofi = stores.by_slug("kofi")
    assert online.is_on(ama) and kofi is not None and not online.is_on(kofi.id)
    online.switch_platform(False, SYSTEM)
    assert not online.is_on(ama)


def test_a_paid_order_never_expires(scene: Scene) -> None:
    order, _payment = scene.paid()
    scene.superuser.execute(
        "UPDATE orders SET pending_since = now() - interval '9 days' WHERE id = %s",
        (order.id,),
    )
    db.session.rollback()
    with tenancy.across_stores():
        orders.expire_pending()
    assert scene.fresh(order).state == "pending"
