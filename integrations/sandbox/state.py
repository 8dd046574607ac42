"""One running supplier: its store, knobs, faults and senders in one place, and one call to it.

Decides who has a wallet to himself. It holds things together; the calls do the work.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from integrations.sandbox.clock import Clock
from integrations.sandbox.faults import ConnectionDropped, Fault, FaultPlan
from integrations.sandbox.holds import Holds
from integrations.sandbox.limits import RateLimiter
from integrations.sandbox.profiles import Knobs
from integrations.sandbox.store import Account, Store
from integrations.sandbox.webhooks import Webhooks


class WalletBusy(Exception):
    """Another purchase holds the wallet and the supplier does not queue."""


class Crashed(Exception):
    """The supplier dies after its commit: no answer will come."""


@dataclass
class Sandbox:
    """Everything one supplier needs. `dropped` makes the exception of a lost connection where there
    is no socket."""

    store: Store
    knobs: Knobs
    webhooks: Webhooks
    limiter: RateLimiter
    faults: FaultPlan = field(default_factory=FaultPlan)
    holds: Holds = field(default_factory=Holds)
    dropped: Callable[[str], Exception] = ConnectionDropped
    notice: str = ""
    buying: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Purchases being worked on now, by the port of their client."""
    abandoned: list[dict[str, Any]] = field(default_factory=list)
    """Purchases whose client was gone when their answer was ready (see
    `misbehaviour.Misconduct.on_record`)."""
    _wallets: dict[int, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def clock(self) -> Clock:
        return self.store.clock

    @contextmanager
    def wallet(self, account_id: int) -> Iterator[None]:
        """Have one wallet to oneself. Raises WalletBusy when it is taken and the conflict knob is
        on."""
        with self._lock:
            lock = self._wallets.setdefault(account_id, threading.Lock())
        if not lock.acquire(blocking=not self.knobs.wallet_conflict):
            raise WalletBusy
        try:
            yield
        finally:
            lock.release()


@dataclass
class Call:
    """One request to an endpoint, past the door."""

    request: Request
    endpoint: str
    body: Any
    account: Account
    path_argument: str = ""
    faults: list[Fault] = field(default_factory=list)
    note_charge: Callable[[], None] = lambda: None
    """Called each time money was taken for this request."""

    def fault(self, name: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.fault == name), None)


Endpoint = Callable[[Sandbox, Call], Response]
