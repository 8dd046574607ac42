"""Money paid online against a model of it: whatever comes in whatever order, the accounts are what
the model says after each step, and the proof of the books finds nothing at the end.

Hypothesis chooses; the rooms' own verbs book it in PostgreSQL. ONLINE_RUNS=100 in the environment is
the long form.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core import online, orders
from core.audit import SYSTEM
from core.base.db import transaction
from core.online import Unfit
from core.orders import Order
from tests.support.claims import claim_one
from tests.support.online_money import FEE, Scene

RUNS, STEPS = int(os.environ.get("ONLINE_RUNS", "8")), 40
pick = st.integers(0, 30)


@dataclass
class Paid:
    """A payment as the model has it."""

    order: Order
    payment_id: int
    worth: int
    stray: bool = False
    state: str = "pending"
    fee: int | None = FEE
    owed: int = 0
    back: int = 0
    taken: int = 0
    refund: int | None = None
    part: int = 0

    @property
    def due(self) -> int:
        return max(0, self.owed - self.back - self.taken)


def have(*states: str) -> Callable[[Any], bool]:
    """Whether there is a payment in one of these states: a rule without one would do nothing."""
    return lambda machine: machine.one(0, *states) is not None


class Machine(RuleBasedStateMachine):
    scene: Scene

    def __init__(self) -> None:
        super().__init__()
        self.scene.before = self.scene._balances()
        self.have: Counter[str] = Counter()
        self.all: list[Paid] = []

    def book(self, **legs: int) -> None:
        assert sum(legs.values()) == 0
        self.have.update(legs)

    def one(self, number: int, *states: str) -> Paid | None:
        found = [paid for paid in self.all if paid.state in states]
        return found[number % len(found)] if found else None

    def change(self, paid: Paid, *, gateway: int = 0, **legs: int) -> None:
        """Something was owed, refunded or taken: the difference is the customer's or ours."""
        before = paid.due
        paid.owed += legs.pop("owed", 0)
        paid.back += legs.pop("back", 0)
        paid.taken += legs.pop("taken", 0)
        legs |= {"gateway": gateway, "refund_due": before - paid.due}
        self.book(**legs, dispute_loss=-sum(legs.values()))

    @initialize()
    def two_are_paid_and_one_is_in_line(self) -> None:
        self.pays(30, FEE)
        self.pays(5, None)
        self.goes_in_line(0)

    @rule(extra=st.integers(0, 60), fee=st.sampled_from([FEE, None]))
    def pays(self, extra: int, fee: int | None) -> None:
        order, payment_id = self.scene.paid(extra, fee)
        price = order.price_pesewas
        self.all.append(Paid(order, payment_id, price, fee=fee))
        self.book(
            gateway=price - (fee or 0), gateway_fees=fee or 0, customer_funds=-price
        )

    @precondition(have("pending", "held", "bought", "delivered", "over"))
    @rule(number=pick, pesewas=st.integers(FEE, 900))
    def pays_once_more(self, number: int, pesewas: int) -> None:
        if paid := self.one(number, "pending", "held", "bought", "delivered", "over"):
            again = self.scene.ask(paid.order, paid.worth)
            self.scene.pay(again, pesewas, None)
            self.all.append(Paid(paid.order, again, pesewas, True, "stray"))
            self.book(gateway=pesewas - FEE, gateway_fees=FEE, customer_funds=-pesewas)

    @precondition(have("stray"))
    @rule(number=pick)
    def owes_the_stray(self, number: int) -> None:
        if paid := self.one(number, "stray"):
            with transaction():
                online.owe(self.scene.payment(paid.payment_id), SYSTEM)
            paid.state = "over"
            self.change(paid, owed=paid.worth, customer_funds=paid.worth)

    @precondition(have("pending"))
    @rule(number=pick)
    def goes_in_line(self, number: int) -> None:
        if paid := self.one(number, "pending"):
            if paid.taken:
                with pytest.raises(orders.OrderRefused):
                    orders.release(paid.order.code, SYSTEM)
                return
            orders.release(paid.order.code, SYSTEM)
            paid.state, a = "held", paid.order.agent_price_pesewas
            self.book(
                customer_funds=paid.worth, held=-a, earnings_pending=a - paid.worth
            )

    @precondition(have("held"))
    @rule(number=pick)
    def is_bought(self, number: int) -> None:
        if paid := self.one(number, "held"):
            assert claim_one(paid.order.id)
            assert orders.advance(paid.order.id, "processing", text="Accepted.")
            paid.state, c = "bought", paid.order.cost_pesewas
            self.book(in_flight=c, supplier_float=-c)

    @precondition(have("bought"))
    @rule(number=pick)
    def is_delivered(self, number: int) -> None:
        if paid := self.one(number, "bought"):
            assert orders.advance(paid.order.id, "completed", text="Delivered.")
            paid.state, order = "delivered", paid.order
            a, c, fee = order.agent_price_pesewas, order.cost_pesewas, paid.fee or 0
            profit = paid.worth - a
            self.book(held=a, in_flight=-c, margin=c - a)
            self.book(earnings_pending=profit, earnings=fee - profit, gateway_fees=-fee)

    @precondition(have("pending", "held", "bought"))
    @rule(number=pick)
    def ends(self, number: int) -> None:
        """Cancelled before the claim, given back after it."""
        if paid := self.one(number, "pending", "held", "bought"):
            order, a, c = paid.order, paid.order.agent_price_pesewas, 0
            if paid.state == "bought":
                news, c = orders.News(money_back=True), order.cost_pesewas
                assert orders.advance(order.id, "refunded", text="Back.", news=news)
            else:
                orders.cancel(order.code, SYSTEM)
            if paid.state == "pending":
                legs = {"customer_funds": paid.worth}
            else:
                legs = {"held": a, "earnings_pending": paid.worth - a}
            paid.state = "over"
            self.change(paid, owed=paid.worth, **legs)
            self.book(supplier_float=c, in_flight=-c)

    @precondition(lambda self: any(p.fee is None for p in self.all))
    @rule(number=pick)
    def fee_is_found(self, number: int) -> None:
        found = [paid for paid in self.all if paid.fee is None]
        if found:
            paid = found[number % len(found)]
            with transaction():
                online.fee_found(self.scene.payment(paid.payment_id), FEE, SYSTEM)
            paid.fee = FEE
            self.book(gateway=-FEE, gateway_fees=FEE)

    @precondition(have("over", "delivered", "pending"))
    @rule(number=pick, pesewas=st.integers(1, 900), whole=st.booleans())
    def refund_is_asked(self, number: int, pesewas: int, whole: bool) -> None:
        if paid := self.one(number, "over", "delivered", "pending"):
            pesewas = paid.due or 1 if whole else pesewas
            fits = pesewas <= paid.due and paid.refund is None
            if not fits:
                with pytest.raises(Unfit):
                    self.scene.refund(paid.payment_id, pesewas)
                return
            paid.refund = self.scene.refund(paid.payment_id, pesewas)
            paid.part = pesewas

    @rule(
        number=pick, by=st.sampled_from(["gateway", "transfer"]), returns=st.booleans()
    )
    def refund_is_done(self, number: int, by: str, returns: bool) -> None:
        found = [paid for paid in self.all if paid.refund is not None]
        if not found:
            return
        paid = found[number % len(found)]
        fee = 100 if by == "transfer" else 0
        more: tuple[Any, ...] = (fee,) if fee else ()
        verb = online.refund_by_transfer if fee else online.refund_done
        self.scene.settle(paid.refund, verb, *more)
        self.change(paid, back=paid.part, gateway=-paid.part)
        self.book(gateway=-fee, gateway_fees=fee)
        if returns:
            self.scene.settle(paid.refund, online.refund_returned)
            self.change(paid, back=-paid.part, gateway=paid.part)
        paid.refund, paid.part = None, 0

    @precondition(have("pending", "held", "bought", "delivered", "over", "stray"))
    @rule(number=pick, share=st.integers(1, 4))
    def is_taken_back(self, number: int, share: int) -> None:
        states = ("pending", "held", "bought", "delivered", "over", "stray")
        paid = self.one(number, *states)
        if paid and not paid.taken:
            taken = max(1, paid.worth // share)
            self.scene.reverse(
                self.scene.dispute(paid.payment_id, paid.worth, "accepted"), taken
            )
            self.change(paid, taken=taken, gateway=-taken)

    @invariant()
    def the_accounts_are_as_the_model_says(self) -> None:
        said = {name: pesewas for name, pesewas in self.have.items() if pesewas}
        assert self.scene.moved() == said

    def teardown(self) -> None:
        self.scene.proven()


@pytest.mark.slow(seconds=5)
def test_money_paid_online_is_where_the_model_says(
    ama: int, place: Callable[..., Order], superuser: psycopg.Connection[Any]
) -> None:
    Machine.scene = Scene(ama, place, superuser)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
