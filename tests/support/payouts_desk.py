"""Payouts in tests: a store with earnings, a gateway of its own on the same clock, workers that run
what is due, and a wire that loses what a test says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import tables_owner
from flask import Flask
from sqlalchemy import select

from core import cases, catalog, leases, online, orders, payouts, stores
from core.accounts import users
from core.audit import Actor
from core.base import clock, tenancy
from core.base.db import db
from core.online import Payout, PayoutAccount
from core.orders import Order
from core.outbox import OutboxRow
from fulfilment import jobs
from integrations.payment_shapes import Transfer, TransferRequest, Unclear
from integrations.payments_port import TransferResult
from integrations.paystack.client import Paystack
from integrations.paystack_sandbox import app as sandbox
from integrations.paystack_sandbox.store import TEST_KEY, Store
from integrations.ports import NoAnswer
from integrations.sandbox.clock import Clock
from tests.support.online_money import Scene

# as the sandbox names their holders
NUMBER, OTHER, UNNAMED = "024 123 4010", "024 123 4011", "024 123 4199"
CLOSED, BARRED = "024 123 4198", "024 123 4297"
AMA = "Ama Owusu"
_keys = itertools.count(1)


class Died(BaseException):
    """A worker is killed: nothing after this happens."""


class Wire(Paystack):
    """Our client, which may lose an answer, or be killed, at a call. `plan` is what happens to the
    calls to come: `lost` after its effect, `not_sent` before it, `died_before`, `died_after`."""

    def __init__(self, gateway: sandbox.Paystack) -> None:
        super().__init__(
            TEST_KEY,
            mode="test",
            on_call=None,
            clock=clock.now,
            base_url="http://127.0.0.1:1",
            transport=httpx.WSGITransport(app=gateway),
        )
        self.plan: list[str] = []
        self.sent: list[str] = []
        self.looks = 0

    def transfer(self, request: TransferRequest) -> TransferResult:
        self.sent.append(request.reference)
        what = self.plan.pop(0) if self.plan else ""
        if what == "died_before":
            raise Died
        if what == "lost_before":
            return Unclear("timeout")
        said = super().transfer(request)
        if what == "died_after":
            raise Died
        return Unclear("timeout") if what == "lost" else said

    def verify_transfer(self, reference: str) -> Any:
        self.looks += 1
        what = self.plan.pop(0) if self.plan else ""
        said = super().verify_transfer(reference)
        if what.startswith("died"):
            raise Died
        return NoAnswer("timeout", "lost") if what.startswith("lost") else said


class Payday:
    """One store, ama, that earned; and how it is paid."""

    def __init__(
        self,
        app: Flask,
        store_id: int,
        folder: Path,
        superuser: psycopg.Connection[Any],
        jump: Callable[[float], None],
        **knobs: Any,
    ) -> None:
        self.app, self.jump, self.store_id = app, jump, store_id
        self.scene = Scene(store_id, _place, superuser)
        store = Store(folder / "gateway.db", opening_pesewas=1_000_000)
        at = Clock(lambda: clock.now().timestamp())
        self.sandbox = sandbox.create(store, clock=at, webhooks=False, **knobs)
        self.wire = Wire(self.sandbox)
        app.extensions["payments"] = self.wire
        ama = users.by_email("ama@example.test")
        assert ama is not None
        self.ama = Actor("agent", AMA, ama.id)
        with_second_step(ama.id)

    def earned(self, *profits: int) -> None:
        """Orders, paid online, delivered and a day old; one of GH₵ 60 unless some are named. Those
        of before grow older by a day too."""
        tenancy.clear()
        tenancy.use(self.store_id, as_platform=True)
        for profit in profits or (6_000,):
            order, _payment = self.scene.paid(extra=profit, fee=0)
            self.scene.to("completed", order)
        self.scene.day_later()
        tenancy.clear()

    def with_number(self, number: str = NUMBER) -> PayoutAccount:
        """A number that is named and checked."""
        payouts.accounts.name_number(self.store_id, number, "mtn", self.ama)
        self.work()
        return self.account()

    def account(self) -> PayoutAccount:
        with tenancy.inside(self.store_id):
            found = online.paid_to.account(self.store_id)
            assert found is not None
            db.session.expunge(found)
            return found

    def offer(self) -> payouts.offering.Offer:
        with tenancy.inside(self.store_id):
            return payouts.offering.offer(self.store_id)

    def ask(self, pesewas: int | None = None) -> Payout:
        asked = pesewas or self.offer().amount_pesewas
        return self.read(payouts.asking.ask(self.store_id, asked, self.ama).id)

    def read(self, payout: Payout | int) -> Payout:
        id_ = payout if isinstance(payout, int) else payout.id
        with tenancy.inside(self.store_id):
            found = db.session.get_one(Payout, id_, populate_existing=True)
            db.session.expunge(found)
            return found

    def payable(self) -> int:
        with tenancy.inside(self.store_id):
            return online.payable(self.store_id)

    def work(self, rounds: int = 1) -> int:
        """Run what is due, as relay and worker would. A worker that is killed leaves its lease."""
        ran = 0
        for _ in range(rounds):
            tenancy.clear()
            with tenancy.across_stores():
                kinds = OutboxRow.kind.in_(
                    ("check_payout_account", "send_payout", "read_gateway")
                )
                leased = leases.lease_due(100, of=kinds)
            for outbox_id, lease_no in leased:
                try:
                    jobs.run(outbox_id, lease_no)
                except Died:
                    db.session.rollback()
                    tenancy.clear()
            ran += len(leased)
        return ran

    def pass_(self, seconds: float) -> None:
        """Time passes here and at the gateway."""
        self.jump(seconds)
        self.sandbox.tick()

    def ring(self, reference: str) -> bool:
        """As the gateway's webhook does."""
        with tenancy.across_stores():
            return payouts.sending.ring(reference)

    def settle(self, payout: Payout, limit: int = 80) -> Payout:
        """From due row to due row, until it is over; watched ones are over."""
        for _ in range(limit):
            self.work()
            payout = self.read(payout)
            if payout.state in ("paid", "failed", "rejected", "reversed", "cancelled"):
                return payout
            self.pass_(self._next_s())
        raise AssertionError(f"{payout.state} after {limit} looks")

    def due_in_s(self, payout: Payout) -> float | None:
        """When its row is looked at next; None when it is done."""
        row = self.row(payout)
        if row.done_at is not None:
            return None
        return (row.due_at - clock.now()).total_seconds()

    def row(self, payout: Payout) -> OutboxRow:
        with tenancy.across_stores():
            found = db.session.scalars(
                select(OutboxRow)
                .where(
                    OutboxRow.kind == "send_payout", OutboxRow.subject_id == payout.id
                )
                .execution_options(populate_existing=True)
            ).one()
            db.session.expunge(found)
            return found

    def _next_s(self) -> float:
        with tenancy.across_stores():
            rows = db.session.scalars(
                select(OutboxRow).where(
                    OutboxRow.done_at.is_(None), OutboxRow.kind == "send_payout"
                )
            ).all()
        assert rows, "nothing is left to look at"
        moment = min(max(row.due_at, row.lease_until or row.due_at) for row in rows)
        return max(0.0, (moment - clock.now()).total_seconds()) + 0.01

    def cases(self) -> list[str]:
        with tenancy.across_stores():
            rows = db.session.scalars(
                select(cases.Case.kind).where(cases.Case.closed_at.is_(None))
            )
            return sorted(rows)

    def paid_out(self) -> int:
        """What the gateway paid out, by its own books."""
        rows = self.sandbox.gateway.store.rows(
            "SELECT coalesce(-sum(amount), 0) AS paid FROM books WHERE kind = 'paid_out'"
        )
        return int(rows[0]["paid"])

    def transfers(self) -> list[str]:
        """The state of each transfer at the gateway."""
        found = self.sandbox.gateway.store.newest("transfer", "test", 100)
        return [one.status for one in found]

    def knobs(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.sandbox.gateway.knobs, name, value)

    def transfer(self, payout: Payout) -> Transfer:
        said = Paystack.verify_transfer(self.wire, payout.reference)
        assert isinstance(said, Transfer)
        return said

    def proven(self) -> None:
        self.scene.proven()

    def close(self) -> None:
        self.app.extensions["payments"] = None
        self.sandbox.close()


def apart(request: Callable[[], Any]) -> Any:
    """Make a request of a visitor's in a thread of its own: the desk has a context open here, and
    one request must not find what the one before it left in it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(request).result()


@contextmanager
def paydays(
    app: Flask, folder: Path, superuser: psycopg.Connection[Any], jump: Any
) -> Iterator[Callable[..., Payday]]:
    """Makes them for ama, and ends them."""
    store = stores.by_slug("ama")
    assert store is not None
    made: list[Payday] = []

    def build(**knobs: Any) -> Payday:
        own = folder / str(len(made))
        own.mkdir()
        made.append(Payday(app, store.id, own, superuser, jump, **knobs))
        return made[-1]

    yield build
    for one in made:
        one.close()


def with_second_step(user_id: int) -> None:
    """As if this person had switched it on."""
    tables_owner.execute(
        "INSERT INTO second_steps (user_id, secret, made_at, confirmed_at, last_step, tries,"
        " tries_since) VALUES (:user, 'x', now(), now(), 0, 0, now()) ON CONFLICT DO NOTHING",
        user=user_id,
    )


def _place() -> Order:
    """An order in the current store, for a number of its own."""
    count = next(_keys)
    return orders.place(
        recipient_msisdn=f"+23324{4_000_000 + count}",
        bundle_id=catalog.shelf()[0].bundle_id,
        idempotency_key=f"payday-{count:018}",
    ).order
