"""What each step of one purchase asks of the database, against limits that are written here and
nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from counting import Cost, counted
from desk import AMA, Desk
from flask import Flask
from test_webhooks import Hook, update

from core import catalog, leases, orders, outbox
from core.base import clock, config, tenancy
from core.orders import Order
from fulfilment import jobs
from integrations.sandbox.store import DEFAULT_SECRET
from tests.support.settings import Using

LIMITS = {
    # step: statements, commits, reads of the order
    "place": (10, 1, 2),
    "process": (10, 1, 1),
    "let go": (13, 3, 2),
    "lease": (2, 1, 0),
    "buy": (25, 5, 3),
    "look up": (9, 3, 2),
    "webhook": (6, 1, 1),
    "settle": (11, 3, 2),
}
"""`buy` and `look up` include the lease's own transaction and the end of the row. The draft is
counted in the store's tests."""


class Road:
    """Walks one order down its road and keeps what each step cost."""

    def __init__(self, desk: Desk, hook: Hook) -> None:
        self.desk, self.hook = desk, hook
        self.costs: dict[str, Cost] = {}

    def walk(self) -> Order:
        with self.desk.inside("ama"):
            bundle_id = catalog.shelf()[0].bundle_id
            with counted() as self.costs["place"]:
                order = orders.place(
                    bundle_id=bundle_id,
                    recipient_msisdn="+233241119999",
                    idempotency_key="the-one-and-only-order",
                ).order
        with self.desk.inside("ama"), counted() as self.costs["process"]:
            orders.process(order.code, AMA)
        self.desk.jump(config.current().undo_s + 1)
        self._job(order, "let go")
        assert self.desk.read(order).state == "queued"
        self._job(order, "buy")
        assert self.desk.read(order).state == "processing"
        self._jump_to(order)
        self._job(order, "look up")
        self.desk.settle(order, "successful")
        self.desk.jump(config.current().ring_gap_s + 1)
        body = update(order.order_ref, "successful", secret=DEFAULT_SECRET)
        with counted() as self.costs["webhook"]:
            assert self.hook.post(body) == 204
        self._job(order, "settle")
        return self.desk.read(order)

    def _jump_to(self, order: Order) -> None:
        """Move the clock to the moment this order's row falls due."""
        with tenancy.across_stores():
            row = outbox.of_order(order.id)
        assert row is not None
        self.desk.jump((row.due_at - clock.now()).total_seconds() + 0.01)

    def _job(self, order: Order, step: str) -> None:
        with tenancy.across_stores():
            row = outbox.of_order(order.id)
            assert row is not None
            with counted() as self.costs["lease"]:
                leased = leases.lease_due(100, only=[row.id])
        assert len(leased) == 1, step
        with counted() as self.costs[step]:
            jobs.run(*leased[0])


@pytest.fixture
def road(desk: Desk, app: Flask, using: Using) -> Road:
    """After a first purchase: what is made once, such as the row of the supplier link, is there."""
    desk.release()
    desk.work(2)
    using(undo_s=5)
    return Road(desk, Hook(app))


@pytest.mark.slow(seconds=0.2)
def test_each_step_of_a_purchase_stays_within_its_limits(road: Road) -> None:
    assert road.walk().state == "completed"
    found = {
        step: (len(cost.statements), cost.commits, cost.reads_of("orders"))
        for step, cost in road.costs.items()
    }
    over = {
        step: (counts, LIMITS[step])
        for step, counts in found.items()
        if any(count > limit for count, limit in zip(counts, LIMITS[step], strict=True))
    }
    assert over == {}, found
    assert found.keys() == LIMITS.keys()


@pytest.mark.slow(seconds=0.2)
def test_a_counter_that_counts_nothing_is_seen(
    desk: Desk, run_twice: Callable[[], Cost]
) -> None:
    cost = run_twice()
    assert (cost.commits, len(cost.statements) >= 2, cost.reads_of("orders") >= 1) == (
        1,
        True,
        True,
    )


@pytest.fixture
def run_twice(desk: Desk) -> Callable[[], Cost]:
    def run() -> Cost:
        order = desk.place()
        with desk.inside("ama"), counted() as cost:
            orders.raise_case(order.id, "broken", {"error": "made up"})
        return cost

    return run
