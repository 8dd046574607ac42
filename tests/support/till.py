"""A shop that takes money online: our side in process, the fake gateway without a socket, and people
who pay at it."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from core import (
    cases,
    catalog,
    leases,
    ledger,
    online,
    orders,
    outbox,
    proof,
    stores,
    taking,
)
from core.audit import Actor
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.cases import Case
from core.online import OnlinePayment
from core.orders import Order
from fulfilment import jobs
from fulfilment.buying import call_log
from integrations.paystack.client import Paystack
from integrations.paystack_sandbox import app as fake_gateway
from integrations.paystack_sandbox import disputes as fake_disputes
from integrations.paystack_sandbox.store import TEST_KEY, Store
from integrations.sandbox.clock import Clock
from tests.support.settings import Using

SWITCH = (
    "INSERT INTO settings (key, value) VALUES ('pay_online', '{}') ON CONFLICT DO NOTHING",
    "UPDATE stores SET pay_online = true WHERE slug = 'ama'",
    # a price that leaves the agent price after the fee
    "UPDATE store_bundles SET price_pesewas = price_pesewas + 200",
)
SETTINGS = {"paystack_secret_key": TEST_KEY, "paystack_mode": "test"}
AMA = Actor("agent", "Ama")
_numbers = itertools.count(1)


class Till:
    """Orders that are paid online; one instance a test. Payments are looked after by `work`."""

    def __init__(
        self,
        app: Flask,
        folder: Path,
        jump: Callable[[float], None],
        superuser: psycopg.Connection[Any],
    ) -> None:
        self.app, self.jump = app, jump
        for statement in SWITCH:
            superuser.execute(statement)
        self.fake = fake_gateway.create(Store(folder / "gateway.db"), clock=Clock())
        over = httpx.WSGITransport(app=self.fake)
        self.tools = httpx.Client(base_url="http://127.0.0.1:9", transport=over)
        self.client = Paystack(
            TEST_KEY,
            mode="test",
            on_call=call_log.record,
            clock=clock.now,
            base_url="http://127.0.0.1:9",
            transport=over,
        )
        app.extensions["payments"] = self.client

    def close(self) -> None:
        self.app.extensions["payments"] = None
        self.tools.close()
        self.fake.gateway.webhooks.drain()
        self.fake.close()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Work in ama's store as a job does; a context of its own, as pages have theirs."""
        with self.app.app_context():
            store = stores.by_slug("ama")
            assert store is not None
            with tenancy.inside(store.id):
                yield

    @contextmanager
    def across(self) -> Iterator[None]:
        with self.app.app_context(), tenancy.across_stores():
            yield

    def order(self, *, by_prompt: bool = False) -> Order:
        """One that waits for its payment, as the press on the review page makes it."""
        with self.inside():
            line = catalog.shelf()[0]
            number = next(_numbers)
            return orders.place(
                bundle_id=line.bundle_id,
                recipient_msisdn=f"+23324{2_000_000 + number}",
                idempotency_key=f"till-{number:020}",
                online=True,
                by_prompt=by_prompt,
            ).order

    def opened(self) -> Order:
        """One whose page at the gateway is there."""
        order = self.order()
        self.work()
        assert self.attempts(order)[0].state == "open"
        return order

    def fund(self, pesewas: int = 5_000) -> int:
        """An attempt to pay so much into ama's wallet, as the press makes it; its id."""
        with self.inside():
            store = stores.by_slug("ama")
            assert store is not None
            asked = taking.funding.Ask.parse(f"{pesewas / 100:.2f}")
            assert not asked.problems
            return taking.funding.ask(store, asked, AMA).id

    def funded(self, pesewas: int = 5_000) -> OnlinePayment:
        """One that is paid and in the wallet."""
        payment_id = self.fund(pesewas)
        self.work()
        self.pay(self.attempt(payment_id).reference)
        self.pass_by(61)
        found = self.attempt(payment_id)
        assert found.funded_at is not None
        return found

    def attempt(self, payment_id: int) -> OnlinePayment:
        """An attempt as it is now."""
        with self.inside():
            db.session.rollback()
            return db.session.get_one(OnlinePayment, payment_id)

    def wallet(self) -> int:
        """What is free in ama's wallet, in pesewas."""
        return -self.store_balance("wallet")

    def empty_wallet(self, *, but: int = 0) -> None:
        """As though it was spent."""
        with self.across():
            store = stores.by_slug("ama")
            assert store is not None
            ledger.take_back(store.id, self.wallet() - but, "spent", AMA)

    def lose(self, reference: str, pesewas: int | None = None) -> None:
        """The payer disputes it at the gateway, nobody answers, and the money is gone."""
        body: dict[str, Any] = {"reference": reference, "world": "test"}
        if pesewas is not None:
            body["amount"] = pesewas
        made = self.tools.post("/sandbox/dispute", json=body).json()
        self._tool("/act", kind="dispute", act="expire", world="test", id=made["id"])

    def work(self) -> int:
        """Look after every payment and dispute that is due, as the relay and the worker would.
        Returns how many were."""
        of = outbox.OutboxRow.kind.in_(outbox.OF_GATEWAY)
        with self.across():
            leased = leases.lease_due(100, of=of)
        for outbox_id, lease_no in leased:
            with self.app.app_context():
                jobs.run(outbox_id, lease_no)
        return len(leased)

    def pass_by(self, seconds: float) -> None:
        """So much time passes, and whatever falls due meanwhile is done at its own moment; over
        hours and days by a worker that comes late, at most six times."""
        until = clock.now().timestamp() + seconds
        step = seconds / 6 if seconds > 600 else 0
        while (at := self.next_at()) is not None and at < until:
            at = max(at, min(clock.now().timestamp() + step, until - 0.02))
            self._jump_to(at + 0.01)
            self.work()
        self._jump_to(until)
        self.work()

    def next_at(self) -> float | None:
        """When the next payment is looked at."""
        row = outbox.OutboxRow
        with self.across():
            rows = db.session.scalars(
                select(row).where(
                    row.kind.in_(outbox.OF_GATEWAY), row.done_at.is_(None)
                )
            ).all()
            due = [max(one.due_at, one.lease_until or one.due_at) for one in rows]
        return min(moment.timestamp() for moment in due) if due else None

    def _jump_to(self, moment: float) -> None:
        wait = max(0.0, moment - clock.now().timestamp())
        self.fake.gateway.clock.advance(wait)
        self.fake.tick()
        self.jump(wait)

    def pay(self, reference: str, act: str = "approve", **changes: Any) -> None:
        """Somebody does this at the gateway: approve, decline, leave, approve_raised."""
        self._tool(
            "/act",
            kind="payment",
            act=act,
            reference=reference,
            world="test",
            **changes,
        )

    def dispute(self, reference: str, **more: Any) -> int:
        """The payer's bank asks for the money back; the gateway's number of that."""
        answer = self.tools.post(
            "/sandbox/dispute",
            json={"reference": reference, "world": "test", **more},
        )
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    def lose_again(self, gateway_id: int) -> None:
        """A dispute that was won is lost after all, at a later round of the banks."""
        gateway = self.fake.gateway
        kept = gateway.store.numbered("dispute", "test", gateway_id)
        assert kept is not None
        fake_disputes._lose(gateway, kept, "merchant-accepted", kept.doc["amount"])

    def bank(self, gateway_id: int, act: str) -> None:
        """What falls due of a dispute there: remind, expire, verdict."""
        self._tool("/act", kind="dispute", act=act, id=gateway_id, world="test")

    def plan(self, fault: str, call: str, **more: Any) -> None:
        """The gateway's next misbehaviour."""
        self._tool("/faults", plan=[{"fault": fault, "call": call, **more}])

    def plan_each(self, faults: Iterable[dict[str, Any]]) -> None:
        """A misbehaviour each, named by its payment's reference."""
        self._tool("/faults", plan=list(faults))

    def knobs(self, **changes: Any) -> None:
        self._tool("/knobs", **changes)

    def _tool(self, path: str, **body: Any) -> None:
        answer = self.tools.post(f"/sandbox{path}", json=body)
        assert answer.status_code == 200, answer.text

    def attempts(self, order: Order) -> list[OnlinePayment]:
        """The attempts for an order, newest first."""
        with self.inside():
            db.session.rollback()
            return list(online.of_order(order.id))

    def reference(self, order: Order) -> str:
        return self.attempts(order)[0].reference

    def read(self, order: Order) -> Order:
        with self.inside():
            db.session.rollback()
            return orders.by_id(order.id)

    def state(self, order: Order) -> str:
        return self.read(order).state

    def cases(self) -> list[str]:
        with self.across():
            return [case.kind for case in cases.open_cases(100)]

    def case(self, kind: str) -> Case:
        with self.across():
            return next(one for one in cases.open_cases(100) if one.kind == kind)

    def settled(self, kind: str) -> Case:
        with self.across():
            return db.session.scalars(
                select(Case).where(Case.kind == kind, Case.closed_at.is_not(None))
            ).one()

    def balances(self) -> dict[str, int]:
        """The accounts of online payments, ama's and the platform's, that are not at zero."""
        names = ("gateway", "gateway_fees", "customer_funds", "refund_due", "held")
        names += ("earnings_pending", "dispute_loss")
        with self.across():
            db.session.rollback()
            rows = db.session.connection().exec_driver_sql(
                "SELECT name, balance_pesewas FROM accounts WHERE (store_id IS NULL OR store_id ="
                " (SELECT id FROM stores WHERE slug = 'ama'))"
            )
            found = {name: pesewas for name, pesewas in rows if name in names}
        return {name: pesewas for name, pesewas in found.items() if pesewas}

    def store_balance(self, account: str) -> int:
        """What ama has in an account, as the books write it."""
        with self.across():
            found = db.session.connection().exec_driver_sql(
                f"SELECT balance_pesewas FROM accounts WHERE name = '{account}' AND store_id ="
                " (SELECT id FROM stores WHERE slug = 'ama')"
            )
            return int(found.scalar_one())

    def initialised(self) -> int:
        """How often the gateway was asked for a page."""
        return int(self.fake.gateway.calls["initialize"])

    def verified(self) -> int:
        return int(self.fake.gateway.calls["verify"])

    def proven(self) -> None:
        """Nothing that the proof of the books would find."""
        with self.across():
            db.session.rollback()
            assert proof.look() == []


def ring_in(till: Till, reference: str) -> None:
    """Somebody knows that this payment may have changed."""
    with till.across(), transaction():
        payment = online.by_reference(reference)
        assert payment is not None
        online.ring(payment)


@pytest.fixture
def till(
    app: Flask,
    tmp_path: Path,
    jump: Callable[[float], None],
    superuser: psycopg.Connection[Any],
    using: Using,
) -> Iterator[Till]:
    """A shop that takes money online."""
    using(**SETTINGS)
    made = Till(app, tmp_path, jump, superuser)
    yield made
    made.close()


def webhook(
    reference: str,
    event: str = "charge.success",
    key: str = TEST_KEY,
    **data: Any,
) -> tuple[bytes, dict[str, str]]:
    """The bytes of a webhook and its headers, signed."""
    said = {"id": 9_007_199_254_740_993, "domain": "test", "status": "success"}
    said |= {"reference": reference, "amount": 500, "currency": "GHS", **data}
    body = json.dumps({"event": event, "data": said}, separators=(",", ":")).encode()
    signature = hmac.new(key.encode(), body, hashlib.sha512).hexdigest()
    headers = {
        "X-Paystack-Signature": signature,
        "Content-Type": "application/json",
    }
    return body, headers
