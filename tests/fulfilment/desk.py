"""A desk for tests of fulfilment: our side in process, the sandbox as the supplier, time that
jumps."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import httpx
from flask import Flask
from sqlalchemy import select

from core import cases, catalog, leases, ledger, orders, outbox, reconcile, stores
from core.audit import Actor
from core.base import clock, tenancy
from core.base.db import db
from core.orders import Order
from fulfilment import jobs
from fulfilment.buying import call_log
from integrations.datamart.client import DataMart
from integrations.sandbox import app as sandbox_app
from integrations.sandbox import charges, faults, processing
from integrations.sandbox.store import DEFAULT_KEY, DEFAULT_SECRET, FIRST_ID

AMA = Actor("agent", "Ama")
_numbers = itertools.count(1)


class Desk:
    """Places, releases, works and looks at orders; one instance a test."""

    def __init__(
        self, app: Flask, sandbox: sandbox_app.Supplier, jump: Callable[[float], None]
    ) -> None:
        self.app = app
        self.sandbox = sandbox
        self.jump = jump
        self.client = DataMart(
            "http://127.0.0.1/api",
            DEFAULT_KEY,
            DEFAULT_SECRET,
            on_call=call_log.record,
            clock=clock.now,
            transport=httpx.WSGITransport(app=sandbox),
        )
        app.extensions["supplier"] = self.client
        tenancy.clear()

    def place(
        self,
        slug: str = "ama",
        *,
        network: str = "mtn",
        gb: int = 1,
        number: str | None = None,
    ) -> Order:
        with self.inside(slug):
            line = next(
                item
                for item in catalog.shelf()
                if (item.network, item.mb) == (network, gb * 1024)
            )
            count = next(_numbers)
            number = number or f"+23324{1_000_000 + count}"
            return orders.place(
                bundle_id=line.bundle_id,
                recipient_msisdn=number,
                idempotency_key=f"desk-{count:020}",
            ).order

    def look_anew(self) -> None:
        """The relay looks what can be bought, as it does each second: for tests that last."""
        with tenancy.across_stores():
            reconcile.renew()

    def release(self, slug: str = "ama", **wish: Any) -> Order:
        order = self.place(slug, **wish)
        with self.inside(slug):
            return orders.release(order.code, AMA)

    def inside(self, slug: str) -> Any:
        store = stores.by_slug(slug)
        assert store is not None
        return tenancy.inside(store.id)

    def work(self, rounds: int = 1) -> int:
        """Run every due row once, as the relay and a worker would; `rounds` times. Returns how many
        ran."""
        ran = 0
        for _ in range(rounds):
            with tenancy.across_stores():
                leased = leases.lease_due(100)
            for outbox_id, lease_no in leased:
                jobs.run(outbox_id, lease_no)
            ran += len(leased)
        return ran

    def work_until(self, order: Order, *states: str, limit: int = 60) -> Order:
        """Jump from due row to due row until the order is in one of `states`."""
        for _ in range(limit):
            self.work()
            order = self.read(order)
            if order.state in states:
                return order
            self.jump_to_next()
        raise AssertionError(f"{order.state} after {limit} looks, wanted {states}")

    def jump_to_next(self) -> None:
        """Move the clock to the moment the next row falls due or its lease ends."""
        with tenancy.across_stores():
            rows = db.session.scalars(
                select(outbox.OutboxRow).where(outbox.OutboxRow.done_at.is_(None))
            ).all()
        assert rows, "nothing is left to look at"
        moment = min(max(row.due_at, row.lease_until or row.due_at) for row in rows)
        wait = (moment - clock.now()).total_seconds()
        self.jump(max(wait, 0) + 0.01)

    def read(self, order: Order) -> Order:
        with tenancy.across_stores():
            return db.session.scalars(select(Order).where(Order.id == order.id)).one()

    def plan(self, fault: str, endpoint: str = "purchase", **more: Any) -> None:
        """The supplier's next misbehaviour."""
        self.sandbox.sandbox.faults.install(
            faults.read_plan([{"fault": fault, "endpoint": endpoint} | more])
        )

    def settle(self, order: Order, status: str, refund: bool | None = None) -> None:
        """The supplier's person settles an order by hand."""
        theirs = processing.find(
            self.sandbox.sandbox, FIRST_ID, self.read(order).order_ref
        )
        processing.change_status(self.sandbox.sandbox, theirs, status, refund=refund)

    def charges(self, order: Order | None = None) -> list[str]:
        """References the supplier's own charge file says were paid for."""
        lines = charges.read(self.sandbox.sandbox.store.charge_file.path)
        refs = [line["reference"] for line in lines if line["kind"] == "charge"]
        return (
            refs
            if order is None
            else [ref for ref in refs if ref == self.read(order).order_ref]
        )

    def books(self) -> dict[str, int]:
        with tenancy.across_stores():
            assert ledger.books().hold
            return ledger.platform_balances()

    def wallet(self, slug: str = "ama") -> tuple[int, int]:
        with self.inside(slug):
            wallet = ledger.wallet()
            return wallet.available_pesewas, wallet.held_pesewas

    def cases(self) -> list[str]:
        with tenancy.across_stores():
            return [case.kind for case in cases.open_cases(100)]

    def details(self, order: Order, kind: str) -> list[dict[str, Any]]:
        """What the events of a kind carry beside their sentence."""
        with tenancy.across_stores():
            return [
                event.detail or {}
                for event in orders.timeline(self.read(order))
                if event.kind == kind
            ]

    def told(self, order: Order) -> list[str]:
        with tenancy.across_stores():
            return [event.text for event in orders.timeline(self.read(order))]
