"""Released orders at the start of their first purchase, as often as wanted, and a supplier that
outlives the worker.

Decides how the supplier answers, how time and people bring an order to its end after the worker
died, and what must be true then. Where the worker dies is decided by `tests.proofs.crash_points`
and the tests.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

import httpx
import psycopg
import pytest
from desk import Desk
from flask import Flask
from seed import FLOAT_PESEWAS, WALLET_PESEWAS
from sqlalchemy import select

from core import leases, ledger, orders, reconcile
from core.base import clock, config, database_identity, tenancy
from core.base.db import db
from core.orders import Order
from core.supplier import supply
from fulfilment import jobs
from fulfilment.buying import call_log
from integrations.datamart.client import DataMart
from integrations.sandbox import app as sandbox_app
from integrations.sandbox import orders as theirs
from integrations.sandbox import processing
from integrations.sandbox.sockets import Server
from integrations.sandbox.store import (
    DEFAULT_KEY,
    DEFAULT_SECRET,
    FIRST_ID,
    SECOND_ID,
    Store,
)
from tests.proofs import crash_world
from tests.support.settings import Using

AGENT, LOOKS = 470, 60


@dataclass(frozen=True)
class Answer:
    """What the supplier does with a purchase, and how an order ends whose first answer was written
    down."""

    name: str
    ends: str = "completed"
    fault: str | None = None
    knobs: dict[str, Any] = field(default_factory=dict)
    wallet_pesewas: int = FLOAT_PESEWAS
    taken_by_a_stranger: bool = False
    second_is_a_person_s: bool = False
    """Given to the resend of an unclear attempt it proves nothing, and a second resend is a
    person's to decide."""
    lines: int = 1
    """Orders bought in one call."""

    @property
    def endpoint(self) -> str:
        return "purchase" if self.lines == 1 else "bulk"


class Road:
    """One answer's orders, their supplier, and the job that would buy them."""

    def __init__(
        self,
        app: Flask,
        folder: Path,
        superuser_url: str,
        monkeypatch: pytest.MonkeyPatch,
        using: Using,
    ) -> None:
        self._passed_s = 0.0
        monkeypatch.setattr(clock, "offset_source", lambda: self._passed_s)
        monkeypatch.setattr(
            clock,
            "steady_source",
            lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + self._passed_s,
        )
        self._using = using
        self.store = Store(
            folder / "supplier.db", wallet_pesewas=10_000 * FLOAT_PESEWAS
        )
        self.sandbox = sandbox_app.create_sandbox(
            self.store, dropped=httpx.ReadError, dedupe=False, rate_limit=10**6
        )
        self.server = start_server(self.sandbox)
        self.desk = Desk(app, self.sandbox, self.let_pass)
        self._wired = DataMart(
            f"http://127.0.0.1:{self.server.server_port}/api",
            DEFAULT_KEY,
            DEFAULT_SECRET,
            on_call=call_log.record,
            clock=clock.now,
        )
        self.superuser = psycopg.connect(superuser_url, autocommit=True)
        self._warm_up()

    def close(self) -> None:
        db.session.remove()
        self.superuser.close()
        self.server.shutdown()
        self.server.server_close()
        self.sandbox.close()

    def let_pass(self, seconds: float) -> None:
        """Let time pass for this process, by both clocks; the wait of a worker that is frozen is
        real."""
        self._passed_s += seconds

    def prepare(self, answer: Answer) -> None:
        """Release the orders and keep every table as it is then."""
        self._tables = [
            row[0]
            for row in self.superuser.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'seed'"
            )
        ]
        self._fill_from("seed")
        self._look_as_a_relay_does()
        for _ in range(answer.lines):
            self.desk.release()
        with tenancy.across_stores():
            assert reconcile.note_balance(FLOAT_PESEWAS) == "fits"
        if answer.lines > 1:  # calls scarcer than orders: then one call buys them all
            settings = self._using(bulk="auto", bulk_lines=answer.lines)
            for _ in range(settings.rate_calls - answer.lines + 1):
                assert supply.take_call("purchase") == 0.0
        self.superuser.execute(
            "DROP SCHEMA IF EXISTS released CASCADE; CREATE SCHEMA released"
        )
        for table in self._tables:
            self.superuser.execute(
                f"CREATE TABLE released.{table} AS TABLE public.{table}"
            )
        crash_world.watch(self.superuser, self._tables)
        self._numbers = crash_world.Numbers(self.superuser)
        db.session.remove()

    def start(self, answer: Answer) -> tuple[list[Order], Callable[[], None]]:
        """The orders as they were released, under references nobody has used, and the job that
        would buy them."""
        self._passed_s = 0.0
        tenancy.clear()
        db.session.remove()
        self._fill_from("released")
        self._numbers.set_back()
        self._start = crash_world.Start(self.superuser)
        for (order_id,) in self.superuser.execute("SELECT id FROM orders").fetchall():
            self.superuser.execute(
                "UPDATE orders SET order_ref = %s WHERE id = %s",
                (orders.new_order_ref(), order_id),
            )
        # Moments that must not depend on how long the cases before took; a balance of the future
        # never grows old.
        self.superuser.execute(
            "UPDATE outbox SET due_at = now(); "
            "UPDATE supplier_state SET last_balance_at = now() + interval '60 s', "
            "purchase_calls = array_fill(now(), ARRAY[cardinality(purchase_calls)])"
        )
        self._set_up_supplier(answer)
        with tenancy.across_stores():
            released = list(db.session.scalars(select(Order).order_by(Order.id)))
            if answer.taken_by_a_stranger:
                for order in released:
                    self._sell_to_a_stranger(order)
            leased = leases.lease_due(answer.lines)
        db.session.remove()

        def job() -> None:
            self.desk.app.extensions["supplier"] = self._wired
            jobs.run(*leased[0])

        return released, job

    def world(self, released: Sequence[Order]) -> str:
        """What the worker left behind: in our database, and at the supplier, who answers as planned
        and knows of these orders what it knows."""
        self.server.settle()
        references = [order.order_ref for order in released]
        theirs_now = [
            (references.index(one.reference), one.status)
            for one in theirs.newest(self.store, FIRST_ID, limit=len(references))
            if one.reference in references
        ]
        plan = [entry["times"] for entry in self.sandbox.sandbox.faults.entries()]
        money = len(self.charges()), self.store.account().balance_pesewas
        return f"{self._start.left_behind(references)}\n{theirs_now} {plan} {money}"

    def end_of(self, released: Sequence[Order], *, rung_by_rung: bool) -> list[Order]:
        """What relay, workers, the supplier's staff and its bookkeeper do, until all is over or
        with a person."""
        self.server.settle()
        for _ in range(LOOKS):
            self._settle_at_the_supplier()
            self.desk.work()
            now = [self.desk.read(order) for order in released]
            open_ = [
                order
                for order in now
                if not order.is_final and not self._is_with_a_person(order)
            ]
            if not open_:
                return now
            if any(order.wait_reason == "float" for order in open_):
                self.store.top_up(
                    max(FLOAT_PESEWAS - self.store.account().balance_pesewas, 0)
                )
            if rung_by_rung or any(order.state != "submitting" for order in open_):
                self.desk.jump_to_next()
            # nobody looked for as long as absence needs to count: what is found is the same, with fewer looks
            else:
                self.let_pass(config.current().grace_s + 1)
        raise AssertionError(
            f"still {[o.state for o in now]} after {LOOKS} looks: {self.desk.told(open_[0])}"
        )

    def charges(self) -> list[str]:
        """References the supplier's own charge file says we paid for since the orders were
        released."""
        with self.store.charge_file.path.open() as file:
            file.seek(self._charge_file_from)
            lines = [json.loads(line) for line in file]
        return [
            line["reference"]
            for line in lines
            if line["kind"] == "charge" and line["account"] == "first"
        ]

    def wrong(self, answer: Answer, ended: Sequence[Order]) -> str:
        """What is not as it must be at the end, in words; empty when all is well."""
        charges, found = self.charges(), []
        back = ["hold", "release"]
        postings = {
            "completed": ["hold", "commit", "capture"],
            "refunded": back,
            "cancelled": back,
            "submitting": ["hold"],
        }
        for order in ended:
            person = (
                order.state in ("submitting", "cancelled")
                and order.resends == 1
                and answer.second_is_a_person_s
            )
            state = order.state if person else answer.ends
            with self.desk.inside("ama"):
                booked = [
                    posting.kind for posting, _legs in ledger.postings_of(order.id)
                ]
            if order.state != state or booked != postings[state]:
                found.append(
                    f"order {order.id} is {order.state}, booked {booked}: {self.desk.told(order)}"
                )
            if charges.count(order.order_ref) != (state == "completed"):
                found.append(
                    f"order {order.id} was charged {charges.count(order.order_ref)} times"
                )
        states = [order.state for order in ended]
        spent, held = states.count("completed"), states.count("submitting")
        money, books, balance = (
            self.desk.wallet(),
            self.desk.books(),
            self.store.account().balance_pesewas,
        )
        if len(charges) != spent:
            found.append(f"{len(charges)} charges for {spent} deliveries")
        if money != (WALLET_PESEWAS - AGENT * (spent + held), AGENT * held):
            found.append(f"the wallet holds {money}")
        if books["supplier_float"] != balance or books["in_flight"] != 0:
            found.append(
                f"our float is {books['supplier_float']}, in flight {books['in_flight']}, theirs"
                f" {balance}"
            )
        return "; ".join(found)

    def _fill_from(self, schema: str) -> None:
        statements = [
            "SET session_replication_role = replica",
            *(f"DELETE FROM public.{name}" for name in self._tables),
        ]
        statements += [
            f"INSERT INTO public.{name} SELECT * FROM {schema}.{name}"
            for name in self._tables
        ]
        self.superuser.execute(
            "; ".join(
                [
                    *statements,
                    database_identity.REMEMBER,
                    "SET session_replication_role = origin",
                ]
            )
        )

    def _set_up_supplier(self, answer: Answer) -> None:
        knobs = self.sandbox.sandbox.knobs
        knobs.products, knobs.dedupe = ("YELLOW",), False
        for name, value in answer.knobs.items():
            setattr(knobs, name, value)
        self.store.top_up(answer.wallet_pesewas - self.store.account().balance_pesewas)
        self._charge_file_from = self.store.charge_file.path.stat().st_size
        if answer.fault:
            self.desk.plan(answer.fault, answer.endpoint, times=1)
        else:
            self.sandbox.sandbox.faults.install([])

    def _is_with_a_person(self, order: Order) -> bool:
        return order.resends == 1 and "resend_limit" in self.desk.cases()

    def _settle_at_the_supplier(self) -> None:
        charged = self.charges()
        for ours in theirs.newest(self.store, FIRST_ID, limit=len(charged)):
            if ours.status == "pending" and ours.reference in charged:
                processing.change_status(self.sandbox.sandbox, ours, "successful")

    def _sell_to_a_stranger(self, order: Order) -> None:
        bought = theirs.Purchase(
            order.order_ref,
            "YELLOW",
            "YELLOW_1GB",
            "1GB",
            "30 days",
            "0240000009",
            amount_pesewas=460,
        )
        theirs.buy(self.store, SECOND_ID, bought)

    def _look_as_a_relay_does(self) -> None:
        """Without a relay that looks at what can be bought nothing is sold."""
        self.superuser.execute(
            "UPDATE buying SET renewed_at = now() + %s",
            (timedelta(seconds=self._passed_s),),
        )

    def _warm_up(self) -> None:
        """Buy once here, so that no child has to import and compile what every purchase needs."""
        self._look_as_a_relay_does()
        order = self.desk.release()
        self.desk.app.extensions["supplier"] = self._wired
        self.desk.work()
        assert self.desk.read(order).state == "processing"
        self.desk.app.extensions["supplier"] = self.desk.client


class PatientServer(Server):
    """The supplier's server, which knows when it is idle: a killed client's request may still be at
    work."""

    def __init__(self, application: WSGIApplication) -> None:
        self._at_work = 0
        self._idle = threading.Condition()
        super().__init__(("127.0.0.1", 0), application, lambda _line: None)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._idle:
            self._at_work += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._at_work -= 1
                self._idle.notify_all()

    def settle(self) -> None:
        """Wait until every request that had reached this server is over. Connections are taken in
        order, so one of ours that was answered shows that all earlier ones have been taken.
        """
        with socket.create_connection(
            ("127.0.0.1", self.server_port), timeout=10
        ) as probe:
            probe.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            while probe.recv(4096):
                pass
        with self._idle:
            if not self._idle.wait_for(lambda: self._at_work == 0, timeout=10):
                raise RuntimeError("the supplier is still at work")


def start_server(application: WSGIApplication) -> PatientServer:
    """Serve a supplier on a free port of the loopback address, in a thread."""
    server = PatientServer(application)
    threading.Thread(
        target=server.serve_forever, args=(0.05,), name="supplier", daemon=True
    ).start()
    return server
