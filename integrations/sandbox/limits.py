"""The supplier's rate limit: a fixed window per key, kept in memory, lost on restart.

Decides whether one more request fits. Which requests are counted is the application's business.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass

from integrations.sandbox.clock import Clock

REMEMBERED = 100_000


@dataclass(frozen=True)
class Quota:
    """How a key stands after one more request. `reset_at` is in epoch seconds."""

    limit: int
    hits: int
    reset_at: float
    now: float

    @property
    def exceeded(self) -> bool:
        return self.hits > self.limit

    def headers(self) -> dict[str, str]:
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(self.limit - self.hits, 0)),
            "X-RateLimit-Reset": str(math.ceil(self.reset_at)),
        }
        if self.exceeded:
            headers["Retry-After"] = str(max(math.ceil(self.reset_at - self.now), 0))
        return headers


@dataclass(frozen=True)
class Counted:
    """One request that used up quota, or was refused for lack of it. `at` is in epoch seconds,
    `window` its number."""

    at: float
    api_key: str
    endpoint: str
    window: int
    exceeded: bool


class RateLimiter:
    """Counts requests per key; the window of a key opens with its first request. Remembers the last
    of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}
        self._opened = 0
        self._counted: deque[Counted] = deque(maxlen=REMEMBERED)

    def hit(
        self,
        key: str,
        limit: int,
        window_s: float,
        endpoint: str = "",
    ) -> Quota:
        with self._lock:
            now = self._clock.now()
            reset_at, hits = self._windows.get(key, (0.0, 0))
            if now >= reset_at:
                reset_at = now + window_s
                hits = 0
                self._opened += 1
            # the knob was turned down while this window was open
            reset_at = min(reset_at, now + window_s)
            self._windows[key] = (reset_at, hits + 1)
            quota = Quota(limit, hits + 1, reset_at, now)
            self._counted.append(
                Counted(now, key, endpoint, self._opened, quota.exceeded)
            )
        return quota

    def counted(self, key: str, since: float = 0.0) -> list[Counted]:
        """The requests of one key that came at `since` or later, oldest first."""
        with self._lock:
            return [
                one for one in self._counted if one.api_key == key and one.at >= since
            ]

    def forget(self) -> None:
        """Start all windows anew, as a restart does."""
        with self._lock:
            self._windows.clear()
