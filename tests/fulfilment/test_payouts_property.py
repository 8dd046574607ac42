"""Earnings are never paid twice: whatever order crashes, lost answers, webhooks, a gateway's moods
and people's presses come in, the gateway has paid out what our books say, and no more than was
earned.

Drawn from seeds. PAYOUT_RUNS=200 in the environment is the long form.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask

from core import payouts
from core.audit import Actor
from core.base import tenancy
from core.online import Payout
from core.payouts import BadPayout
from tests.support.payouts_desk import Payday, paydays
from tests.support.settings import Using

RUNS, STEPS = int(os.environ.get("PAYOUT_RUNS", "3")), 25
ACCIDENTS = ("died_before", "died_after", "lost", "lost_before", "died", "", "", "")
PEOPLE = (Actor("owner", "Owner", 901), Actor("owner", "Finance", 902))
BACK = "('failed', 'rejected', 'cancelled', 'reversed')"
OVER = ("paid", "failed", "rejected", "reversed", "cancelled")


@pytest.fixture
def payday(
    context: Flask,
    tmp_path: Path,
    superuser: psycopg.Connection[Any],
    jump: Callable[[float], None],
) -> Iterator[Payday]:
    with paydays(context, tmp_path, superuser, jump) as build:
        made = build()
        made.with_number()
        yield made


class Story:
    """One run of things that happen, and what must hold after them."""

    def __init__(self, payday: Payday, seed: int) -> None:
        self.payday, self.draw = payday, random.Random(seed)
        self.earned = 0

    def step(self) -> None:
        self.draw.choices(
            (self.payday_by_accident, self.work, self.ring, self.wait, self.mood)
            + (self.cancel, self.say_yes, self.stop, self.ask),
            weights=(5, 4, 2, 4, 1, 1, 1, 1, 1),
        )[0]()

    def earn(self) -> None:
        self.payday.earned(self.draw.randrange(2_200, 9_000))

    def ask(self) -> None:
        try:
            self.payday.ask()
        except BadPayout:
            pass

    def work(self) -> None:
        self.payday.work()

    def twice(self) -> None:
        """Two workers at one payout, as after a lease that ran out."""
        self.payday.work()
        self.payday.pass_(self.draw.choice((0, 16, 121)))
        self.payday.work()

    def wait(self) -> None:
        self.payday.pass_(self.draw.choice((5, 31, 301, 700, 4_000, 90_000, 180_000)))

    def plan(self) -> None:
        self.payday.wire.plan = self.draw.choices(ACCIDENTS, k=3)

    def payday_by_accident(self) -> None:
        """Money, a new day, a payout that people say yes to, and something goes wrong in it."""
        self.earn()
        for _ in range(3):
            self.payday.pass_(28_800)
            self.payday.work()
        with tenancy.across_stores():
            payouts.stopping.go_on(PEOPLE[0])
        self.ask()
        for _ in range(2):
            self.say_yes()
        self.plan()
        self.twice()

    def mood(self) -> None:
        self.payday.knobs(
            otp=self.draw.random() < 0.2,
            starter=self.draw.random() < 0.1,
            transfer_404_s=self.draw.choice((0, 0, 20, 290)),
            transfer_outcome=self.draw.choice(
                ("success", "success", "failed", "reversed")
            ),
        )

    def ring(self) -> None:
        for payout in self.all():
            if self.draw.random() < 0.5:
                self.payday.ring(payout.reference)

    def cancel(self) -> None:
        for payout in self.all():
            try:
                payouts.asking.cancel(self.payday.store_id, payout.id, self.payday.ama)
            except BadPayout:
                pass

    def say_yes(self) -> None:
        for payout in self.all():
            with tenancy.across_stores():
                try:
                    payouts.deciding.approve(payout.id, self.draw.choice(PEOPLE))
                except BadPayout:
                    pass

    def stop(self) -> None:
        with tenancy.across_stores():
            payouts.stopping.stop("a test", PEOPLE[0])
            if self.draw.random() < 0.7:
                payouts.stopping.go_on(PEOPLE[0])

    def all(self) -> list[Payout]:
        """The newest; older ones are over."""
        with tenancy.inside(self.payday.store_id):
            ids = [one.id for one in payouts.listing.newest(self.payday.store_id, 3)]
        return [self.payday.read(id_) for id_ in ids]

    def never_twice(self) -> None:
        """At each moment: no more has left the gateway than is set aside here, or is paid."""
        assert self.payday.paid_out() <= _sum(f"state NOT IN {BACK}")

    def to_the_end(self) -> None:
        """Nothing goes wrong any more: all that was asked for comes to an end."""
        self.payday.wire.plan = []
        self.payday.knobs(
            otp=False, starter=False, transfer_404_s=0, transfer_outcome="success"
        )
        with tenancy.across_stores():
            payouts.stopping.go_on(PEOPLE[0])
            for payout in self.all_waiting():
                for person in PEOPLE:
                    try:
                        payouts.deciding.approve(payout, person)
                    except BadPayout:
                        pass
        for payout in self.all():
            if payout.state not in OVER:
                self.payday.settle(payout, 400)
        self.payday.pass_(300_000)
        self.payday.work()

    def all_waiting(self) -> list[int]:
        return [one.payout.id for one in payouts.listing.waiting(9)]


@pytest.mark.slow(seconds=8)
def test_earnings_are_never_paid_twice(payday: Payday, using: Using) -> None:
    using(payout_by_itself_pesewas=9_000)
    for seed in range(RUNS):
        story = Story(payday, seed)
        for _ in range(STEPS):
            story.step()
            story.never_twice()
        story.to_the_end()
        story.never_twice()
        assert payday.paid_out() == _sum("state = 'paid'"), seed
        payday.proven()
    assert len(payday.transfers()) > 3 * RUNS  # or nothing was tried


def _sum(where: str) -> int:
    found = tables_owner.read(
        f"SELECT coalesce(sum(amount_pesewas), 0) FROM payouts WHERE {where}"
    )
    return int(found[0])
