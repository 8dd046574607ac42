"""Online payments as tests make them: an order that waits for its payment, attempts, what the
gateway says, and the books by their difference to the beginning."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import inspect, select

from core import online, orders, proof
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db, transaction
from core.online import Dispute, GatewayRefund, OnlinePayment, Payout
from core.orders import Order
from tests.support.claims import claim_one

FEE = 10
_references = itertools.count(1)
_WAITS = (
    "UPDATE orders SET state = 'awaiting_payment', paid_online = true WHERE id = %s"
)
_DAY_LATER = "UPDATE postings SET at = at - interval '25 hours' WHERE kind = 'capture'"


class Scene:
    """One store with online payments, and how its books have moved since the scene began."""

    def __init__(
        self,
        store_id: int,
        place: Callable[..., Order],
        superuser: psycopg.Connection[Any],
    ) -> None:
        self.store_id, self.place, self.superuser = store_id, place, superuser
        self.before = self._balances()

    def moved(self) -> dict[str, int]:
        """Account → how its balance differs from the beginning; those that do."""
        now = self._balances()
        found = {name: now[name] - self.before[name] for name in now}
        assert sum(found.values()) == 0
        return {name: pesewas for name, pesewas in found.items() if pesewas}

    def order(self, extra: int = 30) -> Order:
        """One that waits for its payment, with so much profit."""
        made = self.place()
        self.superuser.execute(_WAITS, (made.id,))
        self.superuser.execute(
            "UPDATE orders SET price_pesewas = agent_price_pesewas + %s WHERE id = %s",
            (extra, made.id),
        )
        return self.fresh(made)

    def fresh(self, order: Order) -> Order:
        """As it is now; `order` may be of a session that is over."""
        tenancy.use(self.store_id, as_platform=True)
        state = inspect(order, raiseerr=False)
        id_ = state.identity[0] if state is not None else order.id
        found = select(Order).where(Order.id == id_)
        return db.session.scalars(found.execution_options(populate_existing=True)).one()

    def ask(self, order: Order | None, pesewas: int | None = None) -> int:
        """An attempt for an order, or into the wallet; its id."""
        with transaction() as session:
            payment = OnlinePayment(
                store_id=self.store_id,
                purpose="order" if order else "wallet",
                order_id=order.id if order else None,
                reference=f"MK-P-{next(_references):08}",
                mode="test",
                amount_pesewas=pesewas or (order.price_pesewas if order else 0),
            )
            session.add(payment)
            session.flush()
            payment.state = "watched"  # so that another may be asked for beside it
            return payment.id

    def pay(
        self, payment_id: int, pesewas: int, order: Order | None, fee: int | None = FEE
    ) -> None:
        """It succeeded; with `order`, that goes on to *pending*."""
        with transaction():
            payment = online.locked_payment(payment_id)
            pays = orders.by_id(order.id) if order else None
            online.pay_in(payment, pesewas, fee, SYSTEM, pays)
            if order:
                assert orders.advance(order.id, "pending", text="Paid.", actor=SYSTEM)

    def paid(self, extra: int = 30, fee: int | None = FEE) -> tuple[Order, int]:
        """An order that is paid and *pending*, and the payment's id."""
        order = self.order(extra)
        payment_id = self.ask(order)
        self.pay(payment_id, order.price_pesewas, order, fee)
        return self.fresh(order), payment_id

    def to(self, state: str, order: Order) -> Order:
        """The order, taken from *pending* to a state by what everybody calls."""
        orders.release(order.code, SYSTEM)
        if state == "cancelled":
            orders.cancel(order.code, SYSTEM)
        if state in ("processing", "completed", "refunded"):
            assert claim_one(order.id)
            assert orders.advance(order.id, "processing", text="Accepted.")
        if state == "completed":
            assert orders.advance(order.id, "completed", text="Delivered.")
        if state == "refunded":
            back = orders.News(money_back=True)
            assert orders.advance(order.id, "refunded", text="Reversed.", news=back)
        return self.fresh(order)

    def payment(self, payment_id: int) -> OnlinePayment:
        return online.locked_payment(payment_id)

    def refund(self, payment_id: int, pesewas: int, reason: str = "cancelled") -> int:
        with transaction():
            asked = online.ask_refund(self.payment(payment_id), pesewas, reason, SYSTEM)
            return asked.id

    def settle(self, refund_id: int, verb: Callable[..., None], *more: Any) -> None:
        with transaction():
            verb(online.locked(GatewayRefund, refund_id), *more, SYSTEM)

    def dispute(
        self, payment_id: int, pesewas: int, state: str = "needs_answer"
    ) -> int:
        with transaction() as session:
            made = Dispute(
                store_id=self.store_id,
                payment_id=payment_id,
                gateway_id=next(_references),
                amount_pesewas=pesewas,
                category="fraud",
                state=state,
            )
            session.add(made)
            session.flush()
            return made.id

    def reverse(self, dispute_id: int, pesewas: int) -> None:
        with transaction():
            online.reverse(online.locked(Dispute, dispute_id), pesewas, SYSTEM)

    def day_later(self) -> None:
        """What was delivered may be paid out."""
        with self.superuser.transaction():
            self.superuser.execute("SET LOCAL session_replication_role = replica")
            self.superuser.execute(_DAY_LATER)

    def payout(self, pesewas: int, fee: int) -> int:
        with transaction():
            return online.request_payout(
                self.store_id,
                pesewas,
                fee,
                way="bank" if fee > 100 else "momo",
                reference=f"mk-w-{next(_references):016x}",
                account="0241234567",
                account_name="Ama Mensah",
                actor=SYSTEM,
            ).id

    def send(self, payout_id: int) -> None:
        """Approved and taken by the gateway."""
        with transaction():
            payout = online.locked(Payout, payout_id)
            payout.approved_by, payout.approved_at = "Owner", payout.requested_at
            payout.state = "in_transit"

    def with_payout(
        self, payout_id: int, verb: Callable[..., None], *more: Any
    ) -> None:
        with transaction():
            verb(online.locked(Payout, payout_id), *more, SYSTEM)

    def proven(self) -> None:
        """Nothing that the proof of the books would find."""
        db.session.rollback()
        with tenancy.across_stores():
            assert proof.look() == []

    def _balances(self) -> dict[str, int]:
        rows = self.superuser.execute(
            "SELECT name, balance_pesewas FROM accounts WHERE store_id IS NULL OR store_id = %s",
            (self.store_id,),
        )
        return dict(rows.fetchall())
