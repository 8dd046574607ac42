"""One running gateway: its memory, its knobs, its time, and what every part of it needs of these.

Decides what "now" is: the clock's moment, or that of the act which is being caught up with.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from integrations.paystack_sandbox.faults import FaultPlan
from integrations.paystack_sandbox.knobs import Knobs
from integrations.paystack_sandbox.store import Store, Thing
from integrations.paystack_sandbox.webhooks import Webhooks
from integrations.sandbox.clock import Clock


@dataclass
class Gateway:
    """What the calls and acts share. An act that is late sees the moment at which it was due."""

    store: Store
    knobs: Knobs
    clock: Clock
    webhooks: Webhooks
    faults: FaultPlan = field(default_factory=FaultPlan)
    calls: Counter[str] = field(default_factory=Counter)
    address: str = ""
    """Where its own pages are, as the request at hand names it."""
    _moment: float | None = None

    def now(self) -> float:
        return self.clock.now() if self._moment is None else self._moment

    def at(self, moment: float | None) -> None:
        """Set the moment of the act at hand; None is the clock's again. Inside `store.change`."""
        self._moment = moment

    def later(self, thing: Thing, act: str, seconds: float) -> None:
        """Let `act` happen to the thing after so many seconds of the trade."""
        self.store.later(self.now() + seconds / self.knobs.time_scale, thing.id, act)

    def tell(self, thing: Thing, event: str, data: Any) -> int | None:
        """Put a webhook in line. Returns its number."""
        return self.webhooks.put(thing.world, event, thing.reference, data, self.now())

    def is_real(self, world: str) -> bool:
        """Whether this world is as Ghana is: prompts take time, transfers fail, money settles."""
        return world == "live" or self.knobs.as_ghana
