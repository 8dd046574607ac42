"""Orders for tests of core."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from core import catalog, orders
from core.orders import Order

_keys = itertools.count()


@pytest.fixture
def place() -> Callable[..., Order]:
    """Place an order in the current store; a number of its own unless one is given."""

    def placed(number: str | None = None, **wish: Any) -> Order:
        count = next(_keys)
        wish.setdefault("idempotency_key", f"core-{count:020}")
        wish.setdefault("bundle_id", catalog.shelf()[0].bundle_id)
        return orders.place(
            recipient_msisdn=number or f"+23324{3_000_000 + count}", **wish
        ).order

    return placed
