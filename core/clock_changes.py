"""When the machine's wall clock is set: nothing that waits for a moment may wait as much longer as
it was set back.

Decides that every moment by which an open order, its row, money on its way at the gateway and the
line to the supplier go moves with the clock, so that each falls due as if nothing had happened.
What must not come too early goes by the steady clock as well (`orders.absence`) and needs nothing
from here. History stays as it was written. How often the clocks are looked at is the relay's
business.

The wall clock was set when it and the steady clock moved differently. `clock.offset_s`, by which
the demo lets time pass, is no such thing and moves neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from core.base import clock, config
from core.base.db import rows_changed, transaction
from core.base.preconditions import needs_across_stores
from core.catalog import Setting
from core.online.model import OPEN_DISPUTE, OPEN_PAYOUT, OPEN_REFUND
from core.orders import WORK

_OPEN = (*sorted(WORK), "pending")

NOTED_S = 5.0
"""Seconds, unscaled. A smaller step of the wall clock is ignored."""
_KEY = "clock.mark."
_LONGEST_CLOSED_S = 600
"""The longest a supplier's 429 is heeded (`fulfilment.buying.supplier_link`)."""

_ORDER = (
    "queued_at", "submitted_at", "claimed_at", "lease_until", "unknown_since", "absent_since",
    "processing_at",
    "failed_since", "looked_at", "next_look_at", "pending_since", "told_at", "told_first_at",
    "not_found_at", "missing_since",
)  # fmt: skip
_ROW = ("due_at", "lease_until", "rung_at", "taken_at", "looked_at")
_SHORTEN_LEASES = (
    "UPDATE outbox SET lease_until = :leased WHERE done_at IS NULL AND lease_until >"
    " :leased"
)
_LINK = (
    "credentials_refused_since",
    "unreachable_since",
    "last_balance_at",
    "balance_failed_at",
    "break_since",
    "bulk_off_until",
)
_CALLS = ("purchase_calls", "other_calls", "ring_lookups")

# Of the last seconds nobody knows by which time they were written: such a moment is taken for one
# of the new time.
_MOVED = "CASE WHEN {one} BETWEEN :since AND :now THEN {one} ELSE {one} + :by END"
_MOVE_ORDERS = (
    "UPDATE orders SET version = version + 1, "  # noqa: S608 - names from above
    + ", ".join(f"{one} = {_MOVED.format(one=one)}" for one in _ORDER)
    + f" WHERE state IN ({', '.join(repr(state) for state in _OPEN)})"
)
_MOVE_ROWS = (
    "UPDATE outbox SET "  # noqa: S608
    + ", ".join(f"{one} = {one} + :by" for one in _ROW)
    + " WHERE done_at IS NULL AND greatest(created_at, rung_at, taken_at, looked_at)"
    " NOT BETWEEN :since AND :now"
)
_AT_GATEWAY = {
    # its beginning is what an attempt's time and its looks are counted from
    "online_payments": (
        ("created_at", "opened_at", "prompted_at", "voucher_at"),
        ("asked", "open", "watched", "failed"),
    ),
    # by these a refund, or a transfer, is proven absent
    "gateway_refunds": (("sent_at", "absent_at"), OPEN_REFUND),
    "payouts": (("sent_at", "missing_since"), OPEN_PAYOUT),
    "disputes": (("missing_since",), OPEN_DISPUTE),
    "dispute_answers": (("sent_at", "absent_at"), ("asked", "submitting")),
}
_MOVE_AT_GATEWAY = [
    f"UPDATE {table} SET "  # noqa: S608
    + ", ".join(f"{one} = {_MOVED.format(one=one)}" for one in moments)
    + f" WHERE state IN ({', '.join(repr(state) for state in states)})"
    for table, (moments, states) in _AT_GATEWAY.items()
]
_MOVE_LINK = (
    "UPDATE supplier_state SET "  # noqa: S608
    + ", ".join(f"{one} = {_MOVED.format(one=one)}" for one in _LINK)
    + "".join(
        f", {one} = ARRAY(SELECT {_MOVED.format(one='moment')} FROM unnest({one}) AS moment)"  # noqa: S608
        for one in _CALLS
    )
    + "".join(
        f", {one} = CASE WHEN {one} + :by > {most} THEN {most} ELSE {one} + :by END"
        for one, most in (
            ("closed_until", ":closed"),
            ("breaker_open_until", ":breaker"),
        )
    )
)


@dataclass(frozen=True)
class ClockChange:
    """How far the wall clock was set, in seconds, and how many orders and rows of the outbox moved
    with it."""

    seconds: float
    orders: int
    rows: int


class Watch:
    """Compares the wall clock with the steady clock, in one process, at each `look`."""

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._looked_s = 0.0

    @needs_across_stores
    def look(self) -> ClockChange | None:
        """Move what waits when the wall clock was set since the last look, by this process or by
        one before it.

        None when it was not, or when another process has seen to it.
        """
        steady_s = clock.steady_s()
        offset_s = clock.wall().timestamp() - steady_s
        changed = None
        if self._offset_s is None:
            changed = _move(offset_s, 0.0)
        elif abs(offset_s - self._offset_s) >= NOTED_S:
            changed = _move(offset_s, steady_s - self._looked_s)
        self._offset_s = offset_s
        self._looked_s = steady_s
        return changed


def _move(offset_s: float, unsure_s: float) -> ClockChange | None:
    """Compare with the mark that all processes of this boot share, and move everything, once, in
    one transaction.

    What was written in the last `unsure_s` seconds may be of the new time already.
    """
    settings = config.current()
    now = clock.now()
    key = _KEY + clock.boot()
    with transaction() as session:
        session.execute(
            insert(Setting)
            .values(key=key, value={"offset_s": offset_s})
            .on_conflict_do_nothing()
        )
        mark = session.scalars(
            select(Setting).where(Setting.key == key).with_for_update()
        ).one()
        seconds = offset_s - float(str(mark.value["offset_s"]))
        if abs(seconds) < NOTED_S:
            return None
        mark.value = {"offset_s": offset_s}
        values = {
            "by": timedelta(seconds=seconds),
            "since": now - timedelta(seconds=unsure_s),
            "now": now,
        }
        # The line stays closed no longer than an answer of just now could have closed it.
        longest = {
            "closed": now + timedelta(seconds=_LONGEST_CLOSED_S),
            "breaker": (
                now
                + clock.delta(max(settings.breaker_open_s, settings.credentials_wait_s))
            ),
        }
        orders = rows_changed(text(_MOVE_ORDERS), values)
        for move in _MOVE_AT_GATEWAY:
            session.execute(text(move), values)
        rows = rows_changed(text(_MOVE_ROWS), values)
        # A row rung in the new time may be under a lease of the old: no job holds one longer than
        # it may last.
        session.execute(
            text(_SHORTEN_LEASES), {"leased": now + clock.delta(settings.job_timeout_s)}
        )
        session.execute(text(_MOVE_LINK), values | longest)
        return ClockChange(seconds, orders, rows)
