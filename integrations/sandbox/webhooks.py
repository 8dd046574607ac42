"""Sending events: signed as the profile says, once, with a short timeout, never again.

Decides signature, order, copies and losses of webhooks, and logs each. What is worth an event is
left to the callers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from integrations.sandbox.clock import iso
from integrations.sandbox.profiles import Knobs
from integrations.sandbox.store import Account, Store
from integrations.sandbox.wire import compact, present

SENDERS = 8
REORDER_S = 0.5
"""How far the first of a pair is held back, so that the second overtakes it."""


class Webhooks:
    """The outgoing side of one supplier. Only loopback receivers are called: this is a sandbox."""

    def __init__(
        self,
        store: Store,
        knobs: Knobs,
        *,
        seed: int = 0,
    ) -> None:
        self._store = store
        self._knobs = knobs
        self._random = random.Random(seed)
        self._turns = threading.BoundedSemaphore(SENDERS)
        self._lock = threading.Lock()
        self._pending: set[threading.Thread] = set()
        self._stopping = threading.Event()
        self._held_back = False
        self.bent: Counter[str] = Counter()
        """How many events were dropped, doubled, shuffled or sent before the answer, those sent in
        all included."""

    def event(
        self,
        account: Account,
        event: str,
        payload: Mapping[str, Any],
        *,
        of_purchase: bool = False,
    ) -> None:
        """Send an event to the account's URL, if it has one.

        That of a purchase may go before the purchase's own answer; then this returns only when it
        was taken.
        """
        if not account.webhook_url:
            return
        at_once = of_purchase and (
            self._knobs.webhook_before_response
            or self._draw(self._knobs.webhook_before_probability)
        )
        reference = payload.get("reference") or payload.get("bulk_reference")
        text, headers = self._sign(account, event, payload)
        doubled = self._knobs.webhook_duplicate or self._draw(
            self._knobs.webhook_duplicate_probability
        )
        self._count("sent", doubled=doubled, before_answer=at_once)
        for _ in range(2 if doubled else 1):
            self._dispatch(
                event, reference, account.webhook_url, text, headers, at_once=at_once
            )

    def test(self, account: Account, payload: Mapping[str, Any]) -> str | None:
        """Send `webhook.test` and wait for the answer. Returns None when it went well, else what
        went wrong."""
        text, headers = self._sign(account, "webhook.test", payload)
        log_id = self._store.log_webhook(
            "webhook.test", None, account.webhook_url, "queued", text
        )
        return self._post(log_id, account.webhook_url, text, headers, 0.0)

    def callback(self, url: str, payload: Mapping[str, Any]) -> None:
        """One unsigned POST to the `callback_url` of a purchase."""
        headers = {"Content-Type": "application/json"}
        self._dispatch(
            "callback",
            payload.get("reference"),
            url,
            compact(present(payload)),
            headers,
            at_once=False,
        )

    def drain(self, timeout_s: float = 10.0) -> bool:
        """Wait for what is under way. False when some was not done in time."""
        end = time.monotonic() + timeout_s
        with self._lock:
            pending = list(self._pending)
        for sender in pending:
            sender.join(max(end - time.monotonic(), 0))
        return not any(sender.is_alive() for sender in pending)

    def close(self) -> None:
        """Send nothing more; what is under way ends with the process."""
        self._stopping.set()

    def _dispatch(
        self,
        event: str,
        reference: str | None,
        url: str,
        text: str,
        headers: dict[str, str],
        *,
        at_once: bool,
    ) -> None:
        with self._lock:
            lost = (
                self._random.random() < self._knobs.webhook_drop_probability
                or not self._knobs.webhooks
            )
            delay_s = self._knobs.webhook_delay_s
            if self._knobs.webhook_reorder:
                self._held_back = not self._held_back
                delay_s += REORDER_S if self._held_back else 0.0
            if self._knobs.webhook_shuffle_s and not at_once:
                delay_s += self._random.uniform(0, self._knobs.webhook_shuffle_s)
                self.bent["shuffled"] += not lost
            self.bent["dropped"] += lost
        log_id = self._store.log_webhook(
            event, reference, url, "dropped" if lost else "queued", text
        )
        if lost:
            return
        if at_once:
            self._post(log_id, url, text, headers, delay_s)
            return
        # Daemons: a receiver that does not answer must not keep a stopped supplier alive.
        sender = threading.Thread(
            target=self._post_in_turn,
            args=(log_id, url, text, headers, delay_s),
            name="webhook",
            daemon=True,
        )
        with self._lock:
            self._pending.add(sender)
        sender.start()

    def _draw(self, probability: float) -> bool:
        with self._lock:
            return self._random.random() < probability

    def _count(self, kind: str, **more: bool) -> None:
        with self._lock:
            self.bent.update(
                [kind, *(name for name, happened in more.items() if happened)]
            )

    def _post_in_turn(
        self, log_id: int, url: str, text: str, headers: dict[str, str], delay_s: float
    ) -> None:
        try:
            if self._stopping.wait(delay_s):
                return
            with self._turns:
                self._post(log_id, url, text, headers, 0.0)
        except sqlite3.ProgrammingError:
            # else the store is closed, and nobody reads the log any more
            if not self._stopping.is_set():
                raise
        finally:
            with self._lock:
                self._pending.discard(threading.current_thread())

    def _post(
        self, log_id: int, url: str, text: str, headers: dict[str, str], delay_s: float
    ) -> str | None:
        if self._stopping.wait(delay_s):
            return "stopping"
        if not is_loopback(url):
            self._store.finish_webhook(
                log_id,
                "failed",
                None,
                "not a loopback address; a sandbox calls no one else",
            )
            return "connect ECONNREFUSED"
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(
                    url,
                    data=text.encode(),
                    headers=headers,
                    timeout=self._knobs.webhook_timeout_s,
                    allow_redirects=False,
                    stream=True,
                )
                answer.close()
        except requests.RequestException as problem:
            self._store.finish_webhook(log_id, "failed", None, type(problem).__name__)
            if isinstance(problem, requests.Timeout):
                return "timeout of 5000ms exceeded"
            return "connect ECONNREFUSED"
        self._store.finish_webhook(
            log_id, "sent", answer.status_code, answer.reason or ""
        )
        ok = 200 <= answer.status_code < 300
        if ok:
            return None
        return f"Request failed with status code {answer.status_code}"

    def _sign(
        self, account: Account, event: str, payload: Mapping[str, Any]
    ) -> tuple[str, dict[str, str]]:
        signed = present(payload)
        body = {
            "event": event,
            "data": signed,
            "timestamp": iso(self._store.clock.now()),
        }
        headers = {"Content-Type": "application/json", "X-Platform-Event": event}
        key = signature_key(account.api_secret, self._knobs.signature_key)
        if key is not None:
            signature = hmac.new(
                key.encode(), compact(signed).encode(), hashlib.sha256
            ).hexdigest()
            headers["X-Platform-Signature"] = body["signature"] = signature
        return compact(body), headers


def signature_key(api_secret: str, kind: str) -> str | None:
    """The key of the signature: the secret as documented, a text like its stored hash as coded, or
    none."""
    if kind == "none":
        return None
    if kind == "plain_secret":
        return api_secret
    digest = hashlib.sha512(b"sandbox bcrypt stand-in" + api_secret.encode()).digest()
    return "$2a$10$" + base64.b64encode(digest, altchars=b"./").decode()[:53]


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine, by number or by a reserved name."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
