"""Each webhook five times, shuffled, some before the purchase's own answer: the same ledger as one
run in order.

What the supplier does to an order is a story; it is told once in order, and then in as many
shuffles as `MAKOLA_SHUFFLES` says (default 25), drawn from `MAKOLA_SEED`.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from desk import Desk
from sqlalchemy import select
from test_webhooks import Hook

from core import ledger, outbox, stores
from core.audit import SYSTEM
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.cases import Case
from core.ledger.model import Account, Entry, Posting
from core.orders import Order
from fulfilment.buying import call_log
from integrations.datamart.client import DataMart
from integrations.sandbox import app as sandbox_app
from integrations.sandbox.store import DEFAULT_KEY, DEFAULT_SECRET, FIRST_ID

pytestmark = pytest.mark.matrix

SHUFFLES = int(os.environ.get("MAKOLA_SHUFFLES", "25"))
SEED = int(os.environ.get("MAKOLA_SEED", "20261123"))
COPIES = 5
STORIES: dict[str, tuple[tuple[str, bool], ...]] = {
    "delivered": (("sent", False), ("successful", False)),
    "delivered at once": (("successful", False),),
    "failed": (("sent", False), ("failed", True)),
    "reversed": (("sent", False), ("reversed", True)),
    "failed, taken up again, delivered": (
        ("failed", True),
        ("pending", False),
        ("sent", False),
        ("successful", False),
    ),
}
"""The words the supplier gives an order one after the other, and whether its money goes back with
them."""
LOOKS = 12
WATCHES_S = 26 * 3_600
"""Longer than any watch over an order, so that each jump ends one."""
ENOUGH_PESEWAS = 5_000_000


@dataclass(frozen=True)
class Ending:
    """All that must not depend on the order of the webhooks."""

    state: str
    charges: int
    postings: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    cases: tuple[str, ...]


class Early:
    """The supplier, whose webhooks overtake the answer to the purchase: it acts once between charge
    and answer."""

    def __init__(self, sandbox: sandbox_app.Supplier) -> None:
        self._sandbox = sandbox
        self.before_the_answer: Callable[[], None] | None = None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        answer = list(self._sandbox(environ, start_response))
        if environ["REQUEST_METHOD"] == "POST" and self.before_the_answer is not None:
            meanwhile = threading.Thread(target=self.before_the_answer)
            meanwhile.start()
            meanwhile.join()
        return answer


class Teller:
    """Tells stories about one order after the other."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.hook, self.early = desk, Hook(desk.app), Early(desk.sandbox)
        desk.client = DataMart(
            "http://127.0.0.1/api",
            DEFAULT_KEY,
            DEFAULT_SECRET,
            on_call=call_log.record,
            clock=clock.now,
            transport=httpx.WSGITransport(app=self.early),
        )
        desk.app.extensions["supplier"] = desk.client
        # Each event is written to the sandbox's log, from which we deliver it ourselves.
        desk.sandbox.sandbox.store.set_account(
            FIRST_ID, webhook_url="http://127.0.0.1:9/nobody"
        )
        desk.sandbox.sandbox.knobs.webhooks = False

    def in_order(self, story: str) -> Ending:
        order = self.desk.release()
        self.desk.work()
        for word, refund in STORIES[story]:
            self.desk.settle(order, word, refund=refund)
            self._deliver(self._bodies(order)[-1])
            self.desk.jump(31)
            self.desk.work()
        return self._end(order)

    def shuffled(self, story: str, draw: random.Random) -> Ending:
        """The same story; every event `COPIES` times at moments drawn from those after it
        happened."""
        self.desk.look_anew()
        order = self.desk.release()
        steps = list(STORIES[story])
        waiting: list[bytes] = []
        told = 0

        def hear() -> None:
            nonlocal told
            bodies = self._bodies(order)
            waiting.extend(body for body in bodies[told:] for _ in range(COPIES))
            told = len(bodies)

        def before_the_answer() -> None:
            with self.desk.app.app_context():
                hear()
                for _ in range(draw.randint(0, COPIES)):
                    self._deliver(waiting.pop(draw.randrange(len(waiting))))

        self.early.before_the_answer = before_the_answer
        self.desk.work()
        self.early.before_the_answer = None
        hear()
        while steps or waiting:
            act = draw.choice(
                ["supplier"] * bool(steps)
                + ["webhook"] * 4 * bool(waiting)
                + ["work", "jump"]
            )
            if act == "supplier":
                word, refund = steps.pop(0)
                self.desk.settle(order, word, refund=refund)
                hear()
            elif act == "webhook":
                self._deliver(waiting.pop(draw.randrange(len(waiting))))
            elif act == "work":
                self.desk.work()
            else:
                self.desk.jump(draw.choice((1, 10, 31, 70)))
        return self._end(order)

    def _bodies(self, order: Order) -> list[bytes]:
        log = self.desk.sandbox.sandbox.store.webhook_log()
        reference = self.desk.read(order).order_ref
        return [
            line["body"].encode()
            for line in reversed(log)
            if line["reference"] == reference
        ]

    def _deliver(self, body: bytes) -> None:
        assert self.hook.post(body) == 204

    def _end(self, order: Order) -> Ending:
        """Let time pass until the order's work is over, then read what became of it."""
        for _ in range(LOOKS):
            self.desk.work()
            with tenancy.across_stores():
                row = outbox.of_order(order.id)
                if row is not None and row.done_at is not None:
                    break
            self.desk.jump(WATCHES_S)
        else:
            raise AssertionError(
                f"order {order.id} is still {self.desk.read(order).state} after {LOOKS} looks"
            )
        with tenancy.across_stores():
            rows = db.session.execute(
                select(Posting.id, Posting.kind, Account.name, Entry.amount_pesewas)
                .join(Entry, Entry.posting_id == Posting.id)
                .join(Account, Account.id == Entry.account_id)
                .where(Posting.order_id == order.id)
                .order_by(Posting.id, Account.name)
            ).all()
            opened = db.session.scalars(
                select(Case.kind).where(Case.order_id == order.id).order_by(Case.kind)
            ).all()
        postings: dict[int, tuple[str, tuple[tuple[str, int], ...]]] = {}
        for number, kind, account, amount in rows:
            postings[number] = (
                kind,
                (*postings.get(number, (kind, ()))[1], (account, amount)),
            )
        charged = len(self.desk.charges(order))
        return Ending(
            self.desk.read(order).state,
            charged,
            tuple(postings.values()),
            tuple(opened),
        )


@pytest.fixture
def teller(make_desk: Callable[..., Desk]) -> Teller:
    """Money enough for every story."""
    desk = make_desk(wallet_pesewas=ENOUGH_PESEWAS, rate_limit=1_000_000)
    store = stores.by_slug("ama")
    assert store is not None
    with tenancy.across_stores():
        ledger.fund_wallet(store.id, ENOUGH_PESEWAS, "for stories", SYSTEM)
        with transaction():
            ledger.fund_float(
                ENOUGH_PESEWAS - ledger.platform_balances()["supplier_float"],
                "for stories",
                SYSTEM,
            )
    return Teller(desk)


@pytest.mark.slow(seconds=38)
@pytest.mark.timeout(1_200)
def test_five_of_each_webhook_in_any_order_end_like_one_of_each_in_order(
    teller: Teller,
) -> None:
    expected = {story: teller.in_order(story) for story in STORIES}
    assert {story: ending.state for story, ending in expected.items()} == {
        "delivered": "completed",
        "delivered at once": "completed",
        "failed": "refunded",
        "reversed": "refunded",
        "failed, taken up again, delivered": "completed",
    }
    for number in range(SHUFFLES):
        story = sorted(STORIES)[number % len(STORIES)]
        seed = f"{SEED}-{number}"
        assert teller.shuffled(story, random.Random(seed)) == expected[story], (
            f"{story}, MAKOLA_SEED part {seed}"
        )
    assert [story for story, ending in expected.items() if ending.cases] == [
        "failed"
    ]  # is its money back? asks a person
