"""Deliveries that took so long, without the road to them: copies of one order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import tables_owner
from flask import Flask

from core import orders
from core.base import clock, tenancy

_numbers = itertools.count(1)
_NAMES = [
    column.name for column in orders.Order.__table__.columns if column.name != "id"
]


def deliver(
    code: str,
    minutes: Sequence[float],
    *,
    ago: timedelta = timedelta(hours=1),
    **more: Any,
) -> None:
    """For each of `minutes` an order like that of `code`, delivered so long after it was processed,
    `ago`. `more` names columns that are otherwise."""
    done = clock.now() - ago
    rows = [
        {
            "state": "completed",
            "queued_at": done - timedelta(minutes=took),
            "completed_at": done,
            "final_at": done,
        }
        | more
        for took in minutes
    ]
    _copy(code, rows)


def copy(code: str, **values: Any) -> None:
    """One more order like that of `code`, with these values."""
    _copy(code, [values])


def _copy(code: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        number = next(_numbers)
        row |= {
            "code": f"COPY{number:06}",
            "order_ref": f"copy-{number}",
            "idempotency_key": f"copy-{number}",
            "pay_code": None,
        }
    taken = ", ".join(f":{name}" if name in rows[0] else name for name in _NAMES)
    tables_owner.execute_many(
        f"INSERT INTO orders ({', '.join(_NAMES)}) SELECT {taken} FROM orders WHERE code = :of_code",
        [row | {"of_code": code} for row in rows],
    )


def renew(app: Flask) -> int:
    """Count anew, as the relay does."""
    with app.app_context(), tenancy.across_stores():
        return orders.estimates.renew()


def estimate(network: str = "mtn", **values: Any) -> None:
    """A row as if it had been counted: 40 minutes, of 50 deliveries, right for 93 of 100."""
    row: dict[str, int | datetime] = {
        "minutes": 40,
        "counted": 50,
        "in_time": 93,
        "estimated": 100,
        "renewed_at": clock.now(),
    }
    tables_owner.execute(
        "INSERT INTO delivery_estimates (network, minutes, counted, in_time, estimated, renewed_at)"
        " VALUES (:network, :minutes, :counted, :in_time, :estimated, :renewed_at)"
        " ON CONFLICT (network) DO UPDATE SET minutes = excluded.minutes, counted ="
        " excluded.counted, in_time = excluded.in_time, estimated = excluded.estimated, renewed_at ="
        " excluded.renewed_at",
        network=network,
        **(row | values),
    )
