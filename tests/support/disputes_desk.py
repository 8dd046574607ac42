"""A shop whose payments are disputed: the till, and what the payer's bank and our people do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from core import disputes, orders
from core.audit import Actor
from core.base.db import db, transaction
from core.disputes import DisputeAnswer, listing
from core.disputes.model import Answer
from core.online import Dispute, OnlinePayment
from core.orders import News, Order
from tests.support.claims import claim_one
from tests.support.till import Till

OWNER = Actor("owner", "Owner")
EVENT = "charge.dispute.create"


class Desk:
    """One order that was paid online, and disputes of its payment."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.order = till.opened()
        self.reference = till.reference(self.order)
        till.pay(self.reference)
        till.pass_by(61)
        assert till.state(self.order) == "queued"
        self.gateway_id = 0

    def deliver(self, to: str = "completed") -> Order:
        """Bought; and, as asked, still under way, delivered or given back."""
        with self.till.inside():
            assert claim_one(self.order.id)
            assert orders.advance(self.order.id, "processing", text="Accepted.")
            if to == "completed":
                assert orders.advance(self.order.id, "completed", text="Delivered.")
            if to == "refunded":
                back = News(money_back=True)
                assert orders.advance(
                    self.order.id, "refunded", text="Reversed.", news=back
                )
        return self.till.read(self.order)

    def open(self, **more: Any) -> Dispute:
        """The payer's bank disputes it, and the signed news of that comes here."""
        self.gateway_id = self.till.dispute(self.reference, **more)
        assert self.hear()
        self.till.work()
        return self.dispute

    def hear(self, event: str = EVENT) -> bool:
        with self.till.across(), transaction():
            return disputes.heard(str(self.gateway_id), self.reference, event)

    def give(self, answer: Answer, words: str = "") -> None:
        with self.till.inside():
            disputes.give(self.dispute.id, answer, words, OWNER)

    def bank(self, act: str) -> None:
        """The bank's or gateway's move, and its signed news."""
        self.till.bank(self.gateway_id, act)
        self.hear("charge.dispute.resolve")
        self.till.work()

    @property
    def dispute(self) -> Dispute:
        return self.every()[-1]

    @property
    def state(self) -> str:
        return self.dispute.state

    def every(self) -> list[Dispute]:
        query = select(Dispute).order_by(Dispute.id)
        return self._read(lambda: list(db.session.scalars(query)))

    def sent_pack(self) -> dict[str, Any]:
        """The evidence that was sent."""
        query = select(Dispute.evidence)
        return self._read(lambda: dict(db.session.scalars(query).one()))

    def pack(self) -> dict[str, Any]:
        """The evidence as its page shows it."""
        dispute_id = self.dispute.id
        return self._read(lambda: listing.pack(listing.by_id(dispute_id)))

    def answers(self) -> list[DisputeAnswer]:
        query = select(DisputeAnswer).order_by(DisputeAnswer.id)
        return self._read(lambda: list(db.session.scalars(query)))

    def payment(self) -> OnlinePayment:
        query = select(OnlinePayment).where(OnlinePayment.reference == self.reference)
        return self._read(lambda: db.session.scalars(query).one())

    def timeline(self) -> str:
        query = select(Dispute.timeline)
        return self._read(lambda: str(db.session.scalars(query).all()))

    def notes(self) -> list[str]:
        """What the books say of what was taken."""
        with self.till.across():
            found = db.session.connection().exec_driver_sql(
                "SELECT note FROM postings WHERE kind IN ('reversed', 'fund_reversed')"
            )
            return [row[0] for row in found]

    def called(self, name: str) -> int:
        return int(self.till.fake.gateway.calls[name])

    def _read(self, what: Callable[[], Any]) -> Any:
        with self.till.across():
            db.session.rollback()
            return what()
