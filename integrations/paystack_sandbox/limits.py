"""The rate limits of the gateway: windows of a minute, one for everything and one for some calls.

Decides whether one more call fits.
"""

from __future__ import annotations

import threading

from integrations.paystack_sandbox.knobs import Knobs
from integrations.sandbox.clock import Clock

WINDOW_S = 60.0
EVERYTHING = {"live": 600, "test": 100}
OWN = {
    "verify": 3000,
    "resolve": 1500,
    "initialize": 1200,
    "charge": 1200,
    "pending": 1200,
    "transfer": 900,
}
"""Calls of the live world that have a window to themselves."""


class Limits:
    """Counts in memory; a restart forgets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def over(self, knobs: Knobs, world: str, call: str) -> float | None:
        """Seconds to wait when this call is one too many, else None."""
        if not knobs.rate_limits:
            return None
        has_own = world == "live" and call in OWN
        most = OWN[call] if has_own else EVERYTHING[world]
        window = (world, call if has_own else "everything")
        with self._lock:
            now = self._clock.now()
            ends, counted = self._windows.get(window, (0.0, 0))
            if now >= ends:
                ends, counted = now + WINDOW_S / knobs.time_scale, 0
            self._windows[window] = (ends, counted + 1)
        return ends - now if counted >= most else None
