"""Sending events: signed with the secret key, again and again until they are taken.

Decides signature, schedule, order, copies and losses. What is worth an event is left to the
callers. Only receivers on this machine are called.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from integrations.paystack_sandbox.knobs import Knobs
from integrations.paystack_sandbox.store import Store
from integrations.paystack_sandbox.wire import compact
from integrations.sandbox.webhooks import is_loopback

SENDERS = 8
REORDER_S = 0.3
"""How far every other webhook is held back, so that the next one overtakes it."""
SOON_S, SOON_TRIES, HOURLY_S = 180.0, 4, 3600.0
LIVE_FOR_S, TEST_FOR_S = 72 * 3600.0, 10 * 3600.0
HEADER = "x-paystack-signature"


def next_try_s(tries: int, age_s: float, *, as_live: bool) -> float | None:
    """Seconds to the next try after so many, or None when no more is made."""
    if not as_live:
        return HOURLY_S if age_s + HOURLY_S <= TEST_FOR_S else None
    wait_s = SOON_S if tries < SOON_TRIES else HOURLY_S
    return wait_s if age_s + wait_s <= LIVE_FOR_S else None


class Webhooks:
    """The outgoing side. `keys` gives the current and the previous key of a world."""

    def __init__(
        self,
        store: Store,
        knobs: Knobs,
        now: Callable[[], float],
        keys: Callable[[str], tuple[str, str]],
        seed: int = 0,
    ) -> None:
        self._store, self._knobs, self._now, self._keys = store, knobs, now, keys
        self._random = random.Random(seed)
        self._pool = ThreadPoolExecutor(SENDERS, "webhook")
        self._under_way: set[int] = set()
        self._lock = threading.Lock()
        self._held_back = False

    def put(
        self, world: str, event: str, reference: str, data: Any, at: float
    ) -> int | None:
        """Keep an event to be sent, once for each copy. Returns the first one's number."""
        if not self._store.note(f"webhook_url.{world}"):
            return None
        body = compact({"event": event, "data": data})
        first = None
        for _ in range(max(self._knobs.webhook_copies, 1)):
            is_lost = (
                not self._knobs.webhooks
                or self._random.random() < self._knobs.webhook_drop
            )
            due = None if is_lost else at
            if due is not None and self._knobs.webhook_reorder:
                self._held_back = not self._held_back
                due += REORDER_S if self._held_back else 0
            state = "dropped" if is_lost else "waiting"
            number = self._store.write(
                "INSERT INTO hooks (world, event, reference, body, began, next, state)"
                " VALUES (?,?,?,?,?,?,?)",
                world, event, reference, body, at, due, state,
            )  # fmt: skip
            first = first or number
        return first

    def tick(self) -> int:
        """Send what is due, beside each other. Returns how many."""
        with self._lock:
            rows = self._store.rows(
                "SELECT id FROM hooks WHERE next <= ? ORDER BY next, id LIMIT 100",
                self._now(),
            )
            due = [row["id"] for row in rows if row["id"] not in self._under_way]
            self._under_way.update(due)
        for number in due:
            try:
                self._pool.submit(self._send_one, number)
            except RuntimeError:  # it was closed meanwhile
                return 0
        return len(due)

    def deliver(self, number: int) -> None:
        """Send this one now, and come back when it was answered."""
        with self._lock:
            if number in self._under_way:
                return
            self._under_way.add(number)
        self._send_one(number)

    def drain(self, timeout_s: float = 10.0) -> bool:
        """Send all that is due now and wait for it. False when some was not done in time."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            self.tick()
            with self._lock:
                if not self._under_way:
                    return True
            time.sleep(0.005)
        return False

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def sent(self, world: str, limit: int = 500) -> list[dict[str, Any]]:
        """The newest webhooks and what came of them."""
        rows = self._store.rows(
            "SELECT * FROM hooks WHERE world = ? ORDER BY id DESC LIMIT ?", world, limit
        )
        return [{**dict(row), "body": row["body"].decode()} for row in rows]

    def _send_one(self, number: int) -> None:
        try:
            (row,) = self._store.rows("SELECT * FROM hooks WHERE id = ?", number)
            if row["next"] is None:
                return
            said = self._post(row["world"], row["body"])
            self._close(dict(row), said)
        finally:
            with self._lock:
                self._under_way.discard(number)

    def _close(self, row: dict[str, Any], said: str) -> None:
        now = self._now()
        tries = row["tries"] + 1
        scale = self._knobs.time_scale
        wait_s = None
        if said != "200":
            as_live = row["world"] == "live" or self._knobs.live_schedule
            age_s = (now - row["began"]) * scale
            wait_s = next_try_s(tries, age_s, as_live=as_live)
        state = (
            "taken" if said == "200" else "given_up" if wait_s is None else "waiting"
        )
        self._store.write(
            "UPDATE hooks SET tries = ?, state = ?, next = ?, answers = ? WHERE id = ?",
            tries,
            state,
            None if wait_s is None else now + wait_s / scale,
            f"{row['answers']} {said}".strip()[-400:],
            row["id"],
        )

    def _post(self, world: str, body: bytes) -> str:
        """The status of the answer, or what went wrong."""
        url = self._store.note(f"webhook_url.{world}")
        parts = urlsplit(url)
        if parts.scheme != "http" or not is_loopback(url):
            return "not_this_machine"
        timeout_s = max(self._knobs.webhook_timeout_s / self._knobs.time_scale, 1.0)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port or 80, timeout=timeout_s
        )
        path = parts.path or "/"
        headers = {"Content-Type": "application/json", HEADER: self._sign(world, body)}
        try:
            connection.request(
                "POST", f"{path}?{parts.query}" if parts.query else path, body, headers
            )
            return str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as problem:
            return type(problem).__name__
        finally:
            connection.close()

    def _sign(self, world: str, body: bytes) -> str:
        current, previous = self._keys(world)
        key = previous if self._knobs.webhook_key == "previous" else current
        if self._knobs.webhook_wrong_signature:
            key = f"{key}?"
        return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()
