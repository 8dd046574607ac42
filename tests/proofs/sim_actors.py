"""Who runs in the simulation: each job, page and round of the relay is an actor, a greenlet that
gives way at every seam.

A seam is where the real program gives others a chance: before and after a transaction, while it
waits for the supplier or for the wallet's turn. A killed actor raises `Dead` at every seam from
then on, so that nothing it does afterwards, not even in an `except` or a `finally`, reaches the
database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet
from rq.timeouts import JobTimeoutException

if TYPE_CHECKING:
    from tests.proofs.sim_world import World

NEVER = float("inf")


class Dead(BaseException):
    """This process was killed: whatever it tries now does not happen."""


class Actor(greenlet):
    """One piece of work of one process. Times are the world's own, in seconds; `fuel` is the seams
    until it gives way."""

    def __init__(self, name: str, work: Callable[[], Any], world: World) -> None:
        super().__init__(work)  # its parent is whoever drives the simulation
        self.name, self.world = name, world
        self.killed = False
        self.fuel = 1
        self.wake = self.frozen_until = 0.0
        self.freezes_in = 0
        """After so many seams more it stands still for `freeze_s`; 0: it does not."""
        self.freeze_s = 0.0
        self.limit = NEVER
        """When the job's time limit strikes, once."""
        self.body = b""
        """What a webhook's request brings."""

    @property
    def ready_at(self) -> float:
        wake = min(self.limit, self.wake)
        return max(self.frozen_until, wake)

    def pass_seam(self) -> None:
        if self.freezes_in:
            self.freezes_in -= 1
            if not self.freezes_in:
                self.frozen_until, self.fuel = self.world.time + self.freeze_s, 1
        self.fuel -= 1
        if self.fuel <= 0:
            self._give_way()
        elif self.killed or self.world.time >= self.limit:
            self._heed()

    def sleep(self, seconds: float) -> None:
        """Wait for the world's clock, or until the job's time is over."""
        self.wake = self.world.time + seconds
        self._give_way()
        while self.world.time < self.wake:
            self._give_way()

    def kill(self) -> None:
        self.killed = True
        if self and getcurrent() is not self:
            self.throw(Dead)

    def _give_way(self) -> None:
        assert self.parent is not None
        self.parent.switch()
        self._heed()

    def _heed(self) -> None:
        if self.killed:
            raise Dead
        if self.world.time >= self.limit:
            self.limit, self.wake = NEVER, 0.0
            raise JobTimeoutException("the job's time is over")


def seam() -> None:
    """Let others run, when an actor comes by here; nothing for whoever drives the simulation."""
    actor = getcurrent()
    if type(actor) is Actor:
        actor.pass_seam()


def current() -> Actor:
    """The actor that runs now."""
    actor = getcurrent()
    assert type(actor) is Actor, "only actors wait"
    return actor


class Wallet:
    """The supplier's wallet: one purchase at a time. The turn of a dead actor is free at once, as
    PostgreSQL's lock is."""

    wait_s = 20.0
    """Ours gives up after 3 s; a little longer is a slower machine, and a shorter simulation."""

    def __init__(self) -> None:
        self.holder: Actor | None = None

    @contextmanager
    def turn(self) -> Iterator[bool]:
        actor = current()
        seam()
        if self._taken():
            actor.sleep(self.wait_s)
        if self._taken():
            yield False
            return
        self.holder = actor
        try:
            yield True
        finally:
            if self.holder is actor:
                self.holder = None

    def _taken(self) -> bool:
        return self.holder is not None and not self.holder.killed
