"""Hearing whether the supplier answers, while workers may all hang at it: the relay asks, beside
its rounds.

Whom to ask, and when silence closes the shops, is decided in `core.reconcile`. Each call has a
thread of its own: one that hangs holds up no round, and a supplier that is back is heard though
older calls still hang. A call is taken from the budget as routine is, so signed news and purchases
keep what is theirs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.base import clock, config, tenancy
from core.base.db import end_read
from core.supplier import supply
from fulfilment.buying import balance, supplier_link
from integrations.ports import NoAnswer, Supplier

_MOST = 4
"""Calls of ours that may hang at once."""
_LEAVE_S = 2.0
"""The longest that a relay which was told to stop waits for calls under way; unscaled."""

log = structlog.get_logger("listening")


@dataclass
class _Call:
    """One call of the probe. `at`: since when the supplier has it; None while it waits for the
    wallet's turn or the database, which says nothing about the supplier."""

    endpoint: str
    at: datetime | None = None
    thread: threading.Thread | None = None

    def begin(self) -> None:
        self.at = clock.now()


class Listener:
    """What one relay has asked of the supplier and not been answered yet."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._calls: list[_Call] = []
        self._asked: dict[str, float] = {}

    def under_way(self) -> dict[str, datetime]:
        """Since when the oldest call to each address is under way."""
        self._calls = [
            call for call in self._calls if call.thread and call.thread.is_alive()
        ]
        return {
            call.endpoint: call.at
            for call in reversed(self._calls)
            if call.at is not None
        }

    def ask(self, endpoint: str | None) -> None:
        """Ask the supplier at this address, at most once in `probe_s`. None: nobody."""
        now = time.monotonic()
        if endpoint is None or len(self._calls) >= _MOST:
            return
        if now - self._asked.get(endpoint, float("-inf")) < clock.seconds(
            config.current().probe_s
        ):
            return
        self._asked[endpoint] = now
        call = _Call(endpoint)
        call.thread = threading.Thread(
            target=self._call, args=(call,), name=f"listening {endpoint}", daemon=True
        )
        self._calls.append(call)
        call.thread.start()

    def close(self) -> None:
        """Give calls under way a moment to be written down. A call at a supplier that hangs is left
        to the end of the process: nothing of it is lost."""
        until = time.monotonic() + _LEAVE_S
        for call in self._calls:
            if call.thread is not None:
                call.thread.join(max(0.0, until - time.monotonic()))

    def _call(self, call: _Call) -> None:
        supplier: Supplier = self._app.extensions["supplier"]
        try:
            with self._app.app_context(), tenancy.across_stores():
                if call.endpoint == "balance" and _ask_balance(supplier, call.begin):
                    return
                call.endpoint = "products"
                call.at = None
                _ask_products(supplier, call.begin)
        except (DBAPIError, PoolTimeout) as error:
            log.warning("not asked: database unavailable", error=type(error).__name__)


def _ask_balance(supplier: Supplier, begin: Callable[[], None]) -> bool:
    """Whether the balance could be asked: not while somebody else has the wallet's turn."""
    with supplier_link.wallet_turn() as turn:
        if turn and supply.take_call("other") == 0.0:
            balance.listen(supplier, begin)
        return turn


def _ask_products(supplier: Supplier, begin: Callable[[], None]) -> None:
    """Read the list to hear whether the supplier answers. It is not applied: the catalogue sync
    does that, at its own time and with an audit."""
    if supply.take_call("other") != 0.0:
        return
    end_read()
    begin()
    answer = supplier.offers()
    if isinstance(answer, NoAnswer):
        balance.note_unheard(answer)
