"""What a store owes of fundings that were taken back: whatever is funded, spent, taken back, settled
and borne in whatever order, postings sum to zero, no wallet is below nothing, and the store may
process orders exactly while it owes nothing.

Drawn from seeds. FUNDING_RUNS=200 in the environment is the long form.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import tables_owner
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core import cases, ledger, online, orders, proof
from core.audit import SYSTEM, Actor
from core.base import tenancy
from core.base.db import db, transaction
from core.online import Dispute, Unfit, wallet_debts
from core.orders import Order, refusals
from tests.support.online_money import Scene

RUNS, STEPS = int(os.environ.get("FUNDING_RUNS", "2")), 30
AMA = Actor("agent", "Ama")


@pytest.fixture
def scene(
    ama: int, place: Callable[..., Order], superuser: psycopg.Connection[Any]
) -> Scene:
    return Scene(ama, place, superuser)


def funded(scene: Scene, pesewas: int, fee: int | None = 20) -> int:
    payment_id = scene.ask(None, pesewas)
    with transaction():
        online.fund(scene.payment(payment_id), pesewas, fee, SYSTEM)
    return payment_id


def take(scene: Scene, payment_id: int, pesewas: int) -> int:
    with transaction():
        return online.take_funding_back(scene.payment(payment_id), pesewas, SYSTEM)


def left(scene: Scene, payment_id: int) -> int:
    with transaction():
        return online.left_of_funding(scene.payment(payment_id))


def empty(scene: Scene, but: int = 0) -> None:
    free = ledger.wallet().available_pesewas
    ledger.take_back(scene.store_id, free - but, "spent", SYSTEM)


def owed(scene: Scene) -> int:
    db.session.rollback()
    return wallet_debts.owed(scene.store_id)


def test_the_earnings_may_give_what_is_owed(scene: Scene) -> None:
    payment_id = funded(scene, 1_000)
    empty(scene)
    assert take(scene, payment_id, 1_000) == 1_000 == owed(scene)
    with transaction():
        online.loss_to_agent(scene.payment(payment_id), 400, SYSTEM)
    assert owed(scene) == 600
    with transaction():
        wallet_debts.bear(payment_id)
    assert owed(scene) == 0
    scene.proven()
    with transaction():
        online.loss_to_agent(scene.payment(payment_id), 600, SYSTEM)
    scene.proven()


def test_no_more_is_taken_of_a_funding_than_was_paid(scene: Scene) -> None:
    payment_id = funded(scene, 1_000)
    take(scene, payment_id, 600)
    assert left(scene, payment_id) == 400
    with pytest.raises(Unfit, match="no more"):
        take(scene, payment_id, 401)
    take(scene, payment_id, 400)
    scene.proven()
    with pytest.raises(Unfit):
        take(scene, payment_id, 1)
    assert online.taken_of([payment_id]) == {payment_id: 1_000}


def test_two_debts_are_settled_oldest_first_and_each_case_closes(scene: Scene) -> None:
    first, second = funded(scene, 1_000), funded(scene, 2_000)
    empty(scene)
    take(scene, first, 1_000)
    take(scene, second, 2_000)
    online.fund_wallet(scene.store_id, 1_500, "by hand", SYSTEM)
    assert owed(scene) == 1_500 == wallet_debts.owed_of(second)
    subject = f"payment:{first}"
    assert not cases.is_open(wallet_debts.CASE, subject)
    assert cases.is_open(wallet_debts.CASE, f"payment:{second}")
    with pytest.raises(Unfit, match="more is owed"), transaction():
        wallet_debts.take_all(second, SYSTEM)
    funded(scene, 5_000)
    assert owed(scene) == 0 and ledger.wallet().available_pesewas == 3_500
    scene.proven()


def test_the_proof_sees_a_debt_that_was_forgotten(scene: Scene) -> None:
    payment_id = funded(scene, 1_000)
    empty(scene)
    take(scene, payment_id, 1_000)
    scene.proven()
    tables_owner.execute(
        f"UPDATE disputes SET owed_pesewas = 0 WHERE payment_id = {payment_id}"
    )
    db.session.rollback()
    with tenancy.across_stores():
        assert "Fundings taken back" in str(proof.look())
    with pytest.raises(IntegrityError, match="ck_disputes_owed"):
        tables_owner.execute(
            f"UPDATE disputes SET owed_pesewas = 1001 WHERE payment_id = {payment_id}"
        )


class Story:
    """What happens to one wallet, drawn from a seed."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene, self.draw = scene, random.Random(seed)
        self.fundings: list[int] = []

    def step(self) -> None:
        self.draw.choices(
            (self.fund, self.fund_by_hand, self.reverse, self.release, self.cancel)
            + (self.spend, self.settle, self.bear),
            weights=(4, 1, 3, 4, 1, 3, 1, 1),
        )[0]()

    def fund(self) -> None:
        self.fundings.append(funded(self.scene, self.draw.randrange(20, 3_000)))

    def fund_by_hand(self) -> None:
        amount = self.draw.randrange(1, 2_000)
        online.fund_wallet(self.scene.store_id, amount, "by hand", SYSTEM)

    def reverse(self) -> None:
        if not self.fundings:
            return
        payment_id = self.draw.choice(self.fundings)
        most = left(self.scene, payment_id)
        if most:
            part = self.draw.choice((most, self.draw.randrange(1, most + 1)))
            take(self.scene, payment_id, part)

    def release(self) -> None:
        order = self.scene.place()
        owes = owed(self.scene)
        try:
            orders.release(order.code, AMA)
        except refusals.StoreOwes:
            assert owes
        except refusals.InsufficientWallet:
            assert not owes
        else:
            assert not owes

    def cancel(self) -> None:
        order = db.session.scalars(
            select(Order).where(Order.state == "queued").limit(1)
        ).first()
        db.session.rollback()
        if order is not None:
            orders.cancel(order.code, AMA)

    def spend(self) -> None:
        free = ledger.wallet().available_pesewas
        if free:
            empty(self.scene, self.draw.choice((0, self.draw.randrange(free))))

    def settle(self) -> None:
        payment_id = self.owing()
        try:
            with transaction():
                if payment_id:
                    wallet_debts.take_all(payment_id, SYSTEM)
        except Unfit:
            pass

    def bear(self) -> None:
        payment_id = self.owing()
        if payment_id:
            with transaction():
                wallet_debts.bear(payment_id)

    def owing(self) -> int | None:
        found = db.session.scalar(
            select(Dispute.payment_id).where(Dispute.owed_pesewas > 0).limit(1)
        )
        db.session.rollback()
        return found


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("seed", range(RUNS))
def test_in_whatever_order_the_books_hold(scene: Scene, seed: int) -> None:
    story = Story(scene, seed)
    for _ in range(STEPS):
        story.step()
        moved = scene.moved()  # sums to zero
        assert ledger.wallet().available_pesewas >= 0
        assert moved.get("dispute_loss", 0) >= owed(scene)
    scene.proven()
