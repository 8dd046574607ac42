"""A selection of orders, processed or cancelled: each in a transaction of its own, with a result
for each.

The oldest go first. Where the wallet ends, the selection ends: a cheap younger order does not
overtake a dear older one unless somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from sqlalchemy.exc import DBAPIError

from core.audit import Actor
from core.base import config
from core.base.db import is_conflict, limit_lock_waits, retry_on_conflict
from core.orders import pressing, refusals, releasing
from core.orders.codes import read_code
from core.orders.model import Order
from core.orders.searching import by_codes
from core.orders.states import AGENT_LABELS, FINAL

Became = Literal["moved", "before", "over", "short", "refused", "busy"]
"""In this order: done by this press; done before; over before; the wallet does not reach; refused;
somebody else works on it."""

IN_THE_WAY = (
    "Somebody else is at this order just now, so nothing was changed. Press again in a"
    " moment."
)
"""A row of a selection whose lock nobody let go in time. The others of the selection are done all
the same."""
SHORT = "Your wallet does not reach for it."
_UNKNOWN = (2**63, "")


@dataclass(frozen=True)
class RowResult:
    """What became of one order of a selection, and the sentence that says so."""

    code: str
    became: Became
    sentence: str

    @property
    def ok(self) -> bool:
        """Whether the order is where the press wanted it."""
        return self.became in ("moved", "before")


def release_many(
    codes: Sequence[str],
    actor: Actor,
    *,
    past_short: bool = False,
) -> list[RowResult]:
    """Process a selection, the oldest order first. Never raises `OrderRefused`.

    The first order that the wallet does not reach for ends it: the younger ones that are still new
    are not tried. With `past_short` they are.
    """
    act = lambda code: releasing.release_anew(code, actor)
    return _one_by_one(codes, act, "Sent.", past_short=past_short)


def process_many(
    codes: Sequence[str],
    actor: Actor,
    access_no: int | None = None,
    *,
    past_short: bool = False,
) -> list[RowResult]:
    """`release_many` with a moment to undo: as `pressing.process` does one."""
    undo_s = config.current().undo_s
    act = lambda code: pressing.process_anew(code, actor, access_no)
    return _one_by_one(
        codes, act, f"Goes in {undo_s} s." if undo_s else "Sent.", past_short=past_short
    )


def undo_many(codes: Sequence[str], actor: Actor) -> list[RowResult]:
    """Take the presses of a selection back, each that has not gone. Never raises `OrderRefused`."""
    return _one_by_one(
        codes, lambda code: pressing.undo_anew(code, actor), "Undone. Nothing was sent."
    )


def cancel_many(codes: Sequence[str], actor: Actor) -> list[RowResult]:
    """Cancel a selection of *pending* orders, as `release_many` processes one. Never raises
    `OrderRefused`.

    One that somebody has processed since it was ticked was paid for in somebody's eyes: it goes on.
    """
    act = lambda code: releasing.cancel_anew(code, actor, only_new=True)
    return _one_by_one(codes, act, "Cancelled. Nothing was sent.")


def _one_by_one(
    codes: Sequence[str],
    act: Callable[[str], tuple[Order, bool]],
    done: str,
    *,
    past_short: bool = True,
) -> list[RowResult]:
    """`act` on each order by itself: none is held up by another that is refused or locked."""
    results: list[RowResult] = []
    is_short = False
    before = None
    for code, state in _oldest_first(codes):
        if is_short and not past_short and state == "pending":
            results.append(RowResult(code, "short", SHORT))
            continue
        result = _tried(code, act, done)
        is_short = is_short or result.became == "short"
        if result.became == "busy" and before is None:
            # One was waited for. A thread that waited so long for each of two hundred would be lost
            # to everybody.
            before = (limit_lock_waits(config.current().lock_spent_s),)
        results.append(result)
    if before is not None:
        limit_lock_waits(*before)
    return results


def _oldest_first(codes: Sequence[str]) -> list[tuple[str, str]]:
    """Each code once, with the state its order has now; what is no order of this store comes last,
    as refused."""
    once_each = list(dict.fromkeys(codes))
    wanted = once_each[: config.current().process_many]
    # a test order costs nothing, so no wallet that ends holds it up
    known = {
        order.code: (order.id, "test" if order.is_test else str(order.state))
        for order in by_codes(wanted)
    }
    line = []
    for code in wanted:
        id_and_state = known.get(read_code(code) or "", _UNKNOWN)
        line.append((id_and_state, code))
    line.sort()
    return [(code, state) for (_id, state), code in line]


def _tried(
    code: str,
    act: Callable[[str], tuple[Order, bool]],
    done: str,
) -> RowResult:
    try:
        order, moved = retry_on_conflict(partial(act, code))
    except refusals.InsufficientWallet:
        return RowResult(code, "short", SHORT)
    except refusals.Over as refusal:
        return RowResult(code, "over", refusal.sentence)
    except refusals.OrderRefused as refusal:
        return RowResult(code, "refused", refusal.sentence)
    except DBAPIError as error:
        if not is_conflict(error):
            raise
        return RowResult(code, "busy", IN_THE_WAY)
    if moved:
        return RowResult(code, "moved", releasing.in_line(order) or done)
    if order.state == "pending":
        return RowResult(
            code,
            "before",
            "It goes in a moment." if order.release_at else "It was undone before.",
        )
    is_over = order.state in FINAL and order.state != "cancelled"
    label = AGENT_LABELS[order.state]
    return RowResult(code, "over" if is_over else "before", f"{label}.")
