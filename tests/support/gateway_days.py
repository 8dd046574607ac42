"""Days at a till: time that jumps from midday to night, payments of other shops at the gateway, and
the comparison as relay and worker run it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from core import gateway_days, leases, outbox
from core.audit import SYSTEM
from core.base import clock, tenancy
from core.base.db import db
from core.online.listed import GatewayDay, GatewayLine, GatewaySettlement
from core.orders import Order
from fulfilment import jobs
from fulfilment.gateway_days import OTHERS_S
from tests.support.till import TEST_KEY, Till

WEDNESDAY = 2
HEAD = {"Authorization": f"Bearer {TEST_KEY}"}
_DAY = timedelta(days=1)


class Calendar:
    """A till on a Wednesday at noon: nobody waits for a weekend, and midnight is far."""

    def __init__(self, till: Till) -> None:
        self.till = till
        noon = clock.accra_midnight() + _DAY / 2
        days = (WEDNESDAY - noon.weekday()) % 7 or 7
        self.to(noon + _DAY * days)
        self.day = clock.now().astimezone(clock.ACCRA).date()

    def to(self, moment: Any) -> None:
        self.till._jump_to(moment.timestamp())

    def night(self, days: int = 1) -> None:
        """Half past one, so many days after the Wednesday; what fell due has been done."""
        at = clock.accra_midnight() + _DAY / 16
        while at.astimezone(clock.ACCRA).date() < self.day + _DAY * days:
            at += _DAY
        self.till.pass_by((at - clock.now()).total_seconds())

    def paid(self) -> Order:
        order = self.till.opened()
        self.till.pay(self.till.reference(order))
        self.till.pass_by(61)
        assert self.till.state(order) == "queued"
        return order

    def strange(self, reference: str, pesewas: int = 700) -> None:
        """Paid at the gateway, asked for by nobody here."""
        body = {
            "email": "who@example.test",
            "amount": pesewas,
            "currency": "GHS",
            "reference": reference,
        }
        said = self.till.tools.post("/transaction/initialize", json=body, headers=HEAD)
        assert said.status_code == 200, said.text
        self.till.pay(reference)

    def thing(self, kind: str, reference: str, **doc: Any) -> None:
        """At the gateway it is so now."""
        store = self.till.fake.gateway.store
        found = store.named(kind, "test", reference)
        assert found is not None
        found.doc |= doc
        store.save(found)

    def compare(self, limit: int = 60) -> None:
        """What the relay plans, and a worker does until it rests."""
        with self.till.across():
            if gateway_days.plan():
                outbox.request(gateway_days.WORK, SYSTEM)
        self.work(limit)

    def anew(self, day: date) -> None:
        with self.till.across():
            gateway_days.ask_anew(day, SYSTEM)
        self.work()

    def work(self, limit: int = 60) -> int:
        """Run the comparison while it is due. Returns how many jobs that took."""
        for ran in range(limit):
            with self.till.across():
                of = outbox.OutboxRow.kind == gateway_days.WORK
                leased = leases.lease_due(1, of=of)
            if not leased:
                if not self._rests_for_others():
                    return ran
                continue
            with self.till.app.app_context():
                jobs.run(*leased[0])
            tenancy.clear()
        raise AssertionError("it never rests")

    def _rests_for_others(self) -> bool:
        """Whether it goes on in a moment, once others had their turn: that moment passes."""
        soon = clock.now() + timedelta(seconds=OTHERS_S + 1)
        row = outbox.OutboxRow
        goes_on = select(row.id).where(
            row.kind == gateway_days.WORK, row.done_at.is_(None), row.due_at <= soon
        )
        with self.till.across():
            found = db.session.scalar(goes_on)
        if found is not None:
            self.till._jump_to(soon.timestamp())
        return found is not None

    def read(self, day: date | None = None) -> GatewayDay:
        with self.till.across():
            db.session.rollback()
            found = db.session.get_one(GatewayDay, day or self.day)
            db.session.expunge(found)
            return found

    def counts(self, day: date | None = None) -> tuple[int, int, int]:
        """Ours, theirs, settled."""
        found = self.read(day)
        assert found.step is None
        return found.ours_count, found.theirs_count, found.settled_count

    def causes(self, day: date | None = None) -> dict[str, int]:
        return {name: one["count"] for name, one in self.read(day).causes.items()}

    def settlements(self) -> list[GatewaySettlement]:
        with self.till.across():
            db.session.rollback()
            found = list(
                db.session.query(GatewaySettlement).order_by(GatewaySettlement.id)
            )
            db.session.expunge_all()
            return found

    def lines(self) -> int:
        with self.till.across():
            return db.session.query(GatewayLine).count()

    def bank(self) -> int:
        """What our bank has by our books."""
        with self.till.across():
            found = db.session.connection().exec_driver_sql(
                "SELECT balance_pesewas FROM accounts WHERE name = 'bank'"
            )
            return int(found.scalar_one())
