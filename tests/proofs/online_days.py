"""Days of taking money online, in one process and drawn from a seed: customers, a gateway with moods, and
a worker that is killed at any of its seams.

What the simulation is for purchases this is for payments, with rows and rules as they are on a real
PostgreSQL, and a clock that jumps. At the end everything calms down, and the invariants of the kill
test are asked.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from core import cases, orders, settling, taking
from core.audit import Actor
from core.base import clock
from core.online import refund_sending, refunds
from core.orders import Order, OrderRefused
from core.settling import ActionRefused
from tests.proofs import patching
from tests.support.till import Till, webhook

OWNER, AMA = Actor("owner", "Owner"), Actor("agent", "Ama")
DEATH = 0.12
LEASE_S = 121
FAULTS = ("http_500", "http_500_after", "html", "html_after", "truncated", "http_503")
CALLS = (
    "initialize",
    "verify",
    "verify",
    "refund",
    "refund",
    "refunds",
    "refund_record",
)
WAITS_S = (4, 20, 61, 301, 1_000, 1_900, 4_000, 20_000)
ACTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("approve", {}),
    ("approve", {}),
    ("approve", {}),
    ("approve_raised", {}),
    ("approve_silently", {}),
    ("decline", {}),
    ("leave", {}),
    ("approve", {"amount": 100}),
    ("approve", {"currency": "NGN"}),
)
UNASKED = frozenset({"order_has_an_end", "beyond_the_ladder", "enough_happened"})
"""There is no supplier here who brings orders to their end, and time jumps."""


class Killed(BaseException):
    """As kill -9: nothing of the program runs after it."""


class Days:
    """One run of things that happen."""

    def __init__(
        self, till: Till, post: Callable[[bytes, dict[str, str]], int], seed: int
    ) -> None:
        self.till, self.post, self.draw = till, post, random.Random(seed)
        self.orders: list[Order] = []
        self.happened: Counter[str] = Counter()
        self._is_calm = False

    def play(self, steps: int) -> None:
        with self._deadly():
            for _ in range(steps):
                step = self.draw.choices(
                    (self.place, self.pay, self.ring, self.come_back, self.try_again)
                    + (self.cancel, self.work, self.wait, self.mood, self.give_back),
                    weights=(4, 6, 3, 2, 2, 2, 4, 3, 3, 1),
                )[0]
                self.happened[step.__name__] += 1
                step()
        self._calm()

    def place(self) -> None:
        if len(self.orders) < 12:
            self.orders.append(self.till.order())
            self.work()

    def pay(self) -> None:
        """Somebody does something at a page of the gateway's, of any attempt that has one."""
        pages = [
            row.reference
            for row in self.till.fake.gateway.store.newest("payment", "test", 50)
        ]
        if pages:
            act, changes = self.draw.choice(ACTS)
            self.till.pay(self.draw.choice(pages), act, **changes)

    def ring(self) -> None:
        """A webhook comes, perhaps twice, perhaps of nothing that happened."""
        pages = self.till.fake.gateway.store.newest("payment", "test", 50)
        if pages:
            said = webhook(self.draw.choice(pages).reference)
            for _ in range(self.draw.choice((1, 1, 2))):
                assert self.post(*said) == 200

    def come_back(self) -> None:
        if self.orders:
            order = self.draw.choice(self.orders)
            with self.till.inside():
                taking.returned(order, self.draw.choice(("", "MK-P-0", order.code)))

    def try_again(self) -> None:
        if self.orders:
            order = self.draw.choice(self.orders)
            newest = self.till.attempts(order)[0]
            with self.till.inside():
                try:
                    taking.try_again(order.code, newest.id)
                except OrderRefused:
                    pass

    def cancel(self) -> None:
        """By its agent, of any order: what was paid goes back."""
        if self.orders:
            with self.till.inside():
                try:
                    orders.cancel(self.draw.choice(self.orders).code, AMA)
                except OrderRefused:
                    pass

    def work(self) -> None:
        """A worker does what is due, or dies of it: then its leases run out."""
        try:
            self.till.work()
        except Killed:
            self.happened["killed"] += 1
            self._skip(LEASE_S)

    def wait(self) -> None:
        self._skip(self.draw.choice(WAITS_S))

    def mood(self) -> None:
        """What the gateway does to the next calls."""
        entry = {"fault": self.draw.choice(FAULTS), "call": self.draw.choice(CALLS)}
        self.till.plan(**entry, times=self.draw.choice((1, 1, 2)))

    def give_back(self) -> None:
        """The owner settles what waits for a word."""
        with self.till.across():
            for case in list(cases.open_cases(50)):
                for choice in settling.choices(settling.facts_of(case)):
                    if choice.action in ("owe_back", "refund"):
                        self._settle(case.id, choice)
                        break

    def _settle(self, case_id: int, choice: settling.Choice) -> None:
        try:
            settling.settle(
                case_id,
                choice.action,
                OWNER,
                words="asked for",
                seen_pesewas=choice.amount_pesewas,
            )
        except ActionRefused:  # by now it cannot be done
            pass

    def _skip(self, seconds: float) -> None:
        """So much time passes; whoever works meanwhile may die again."""
        left = seconds
        while left > 0:
            at = self.till.next_at()
            now = clock.now().timestamp()
            part = left if at is None else min(left, max(0.05, at - now + 0.01))
            self.till._jump_to(clock.now().timestamp() + part)
            left -= part
            try:
                self.till.work()
            except Killed:
                self.happened["killed"] += 1

    def _calm(self) -> None:
        self._is_calm = True
        self.till.tools.post("/sandbox/faults", json={"plan": []})
        self.till.pass_by(6 * 3_600)
        self.give_back()
        self.till.pass_by(6 * 86_400)

    @contextmanager
    def _deadly(self) -> Iterator[None]:
        """A worker may die before or after each thing that it does."""
        seams = [
            (taking, name) for name in ("opened", "take", "ask_anew", "end_of_time")
        ]
        seams += [(refund_sending, name) for name in ("begin_sending", "note_absent")]
        seams += [(refunds, "take")]
        undos = [
            patching.attribute(room, name, self._dying(getattr(room, name)))
            for room, name in seams
        ]
        client = type(self.till.client)
        for name in ("initialise", "verify", "refund", "refunds_of"):
            undos.append(
                patching.attribute(client, name, self._dying(getattr(client, name)))
            )
        try:
            yield
        finally:
            patching.undo_all(undos)

    def _dying(self, shipped: Callable[..., Any]) -> Callable[..., Any]:
        def does(*args: Any, **more: Any) -> Any:
            point = self.draw.random()
            if point < DEATH / 2:
                raise Killed
            said = shipped(*args, **more)
            if point < DEATH:
                raise Killed
            return said

        return does
