"""The line to the supplier: one purchase in flight per wallet, the breaker, what each kind of
answer does to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import BigInteger, Connection, func, literal, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from core import orders
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.base.locks import Lock
from core.reconcile import Standing
from core.supplier import supply
from integrations.ports import (
    LookupResult,
    NoAnswer,
    NotSent,
    Rejected,
    SubmitResult,
    Unknown,
)

_TURN_WAIT_MS = 3_000
_TRY = select(func.pg_try_advisory_lock(literal(Lock.WALLET, BigInteger)))
_WAIT = select(func.pg_advisory_lock(literal(Lock.WALLET, BigInteger)))
_UNLOCK = select(func.pg_advisory_unlock(literal(Lock.WALLET, BigInteger)))
NO_BULK = ("bulk_moved", "no_bulk", "batch_refused")
"""Reasons for which a line of a bulk call was not bought though the supplier was reached
(`ports.Supplier.submit_bulk`)."""
UNREACHABLE_S = 15
"""A supplier nobody could connect to is tried again after this, by one order."""
_STOPPED_AGAIN_S = 60
"""While a charge is unexplained, an order in line looks again after this; a balance that fits again
wakes it sooner."""


_SILENCE = {
    "unclear": "what came back was not the supplier's own answer, so it says nothing",
    "endpoint_gone": "the supplier has no such endpoint any more",
    "rate_limited": "the supplier's rate limit is used up",
    "credentials": "the supplier refuses our credentials",
    "unreachable": "the supplier cannot be reached",
    "broken": "the supplier's answer was an error",
}

log = structlog.get_logger("link")


@dataclass(frozen=True)
class Closed:
    """Nothing may be bought before `until`, and why (a key of `orders.WAIT_TEXT`)."""

    reason: str
    until: datetime


@contextmanager
def wallet_turn() -> Iterator[bool]:
    """Hold the supplier's wallet for one purchase or one comparison of balances. Yields False when
    others have it.

    Two purchases at once on one wallet provoke PROCESSING_ERROR there. By a session's advisory
    lock, which PostgreSQL frees when the process dies, so a kill never leaves it held. On a
    connection of its own, in autocommit, so that no transaction is open during the call.
    """
    with db.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        is_free = False
        try:
            is_ours = _take_turn(connection)
            yield is_ours
            is_free = _is_given_back(connection, is_ours)
        finally:
            if not is_free:
                # Closed, not returned to the pool: wherever a time limit struck, this session must
                # not keep the lock.
                connection.invalidate()


def _take_turn(connection: Connection) -> bool:
    if connection.scalar(_TRY):
        return True
    connection.execute(text(f"SET lock_timeout = {_TURN_WAIT_MS}"))
    is_ours = _comes_in_time(connection)
    connection.execute(text("RESET lock_timeout"))
    return is_ours


def _comes_in_time(connection: Connection) -> bool:
    try:
        connection.execute(_WAIT)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":  # lock_not_available
            raise
        return False
    return True


def _is_given_back(connection: Connection, was_ours: bool) -> bool:
    """Whether this session has not got the lock any more. A connection that is lost has freed it:
    what was done with the turn stands."""
    if not was_ours:
        return True
    try:
        return bool(connection.scalar(_UNLOCK))
    except DBAPIError:
        return False


def closed(found: Standing) -> Closed | None:
    """Whether purchases are stopped: the breaker, refused credentials, or a charge that no order
    explains."""
    link = found.link
    if link.breaker_open_until is not None and link.breaker_open_until > clock.now():
        return Closed(link.breaker_reason or "breaker", link.breaker_open_until)
    if found.is_stopped:
        return Closed("balance_break", clock.after(_STOPPED_AGAIN_S))
    return None


def note_purchase(
    results: Sequence[SubmitResult], *, was_in_order: bool = False
) -> datetime | None:
    """Update the breaker from one purchase call. A bulk call counts once.

    `was_in_order`: the link had nothing to clear away when the call began
    (`SupplierState.is_in_order`). Returns when a purchase that was turned away may try again; None
    when the link itself is in order.
    """
    limited = _rate_limit(results)
    if limited is not None:
        return told_to_wait(limited.retry_after_s)
    if any(isinstance(one, Rejected) and one.kind == "credentials" for one in results):
        return refused_credentials()
    unsent = [one.reason for one in results if isinstance(one, NotSent)]
    if _reached_nobody(results, unsent):
        return unreachable()
    if "no_bulk" in unsent:
        _go_one_by_one(config.current().bulk_off_s)
    elif _names_no_line(results, unsent):
        # one by one finds out which line it was refused for
        _go_one_by_one(config.current().breaker_open_s)
    elif all(isinstance(one, Unknown) for one in results):
        unclear()
    elif not was_in_order:
        answered()
    return None


def _rate_limit(results: Sequence[SubmitResult]) -> NotSent | None:
    for one in results:
        if isinstance(one, NotSent) and one.rate_limited:
            return one
    return None


def _reached_nobody(results: Sequence[SubmitResult], unsent: list[str]) -> bool:
    """Whether no line was sent, for want of a connection."""
    return len(unsent) == len(results) and unsent[0] not in NO_BULK


def _names_no_line(results: Sequence[SubmitResult], unsent: list[str]) -> bool:
    """Whether a bulk call was refused as a whole, without the line that it was refused for."""
    if not unsent or unsent[0] == "bulk_moved":
        return False
    return not any(isinstance(one, Rejected) for one in results)


def answered() -> None:
    """A trustworthy answer came: the breaker closes."""
    with transaction():
        link = supply.locked_state()
        link.unknown_streak = 0
        link.breaker_open_until = link.breaker_reason = None
        link.credentials_refused_since = link.unreachable_since = None


def unclear() -> None:
    """A purchase had no trustworthy answer. `breaker_unknowns` in a row stop purchases for
    `breaker_open_s`."""
    settings = config.current()
    with transaction():
        link = supply.locked_state()
        link.unknown_streak += 1
        if link.unknown_streak >= settings.breaker_unknowns:
            link.breaker_open_until = clock.after(settings.breaker_open_s)
            link.breaker_reason = "breaker"


def refused_credentials() -> datetime:
    """401 or 403 in the supplier's own words: stop purchases, say since when, try one again after
    `credentials_wait_s`. Returns that moment."""
    until = clock.after(config.current().credentials_wait_s)
    with transaction():
        link = supply.locked_state()
        link.credentials_refused_since = link.credentials_refused_since or clock.now()
        link.breaker_open_until = until
        link.breaker_reason = "credentials"
    return until


def let_in() -> None:
    """A call was answered well after we had been refused, or reached nobody: buying goes on, who
    waited is woken."""
    log.warning("the supplier lets us in again: buying goes on")
    with tenancy.across_stores():
        orders.wake("credentials")
        orders.wake("supplier_unreachable")


def unreachable() -> datetime:
    """No connection could be made: say since when, and let one order at a time try again, not all
    of them."""
    until = clock.after(UNREACHABLE_S)
    with transaction():
        link = supply.locked_state()
        link.unreachable_since = link.unreachable_since or clock.now()
        link.breaker_open_until = until
        link.breaker_reason = "supplier_unreachable"
    return until


def note_look(result: LookupResult) -> datetime | None:
    """What a look-up says about the line. Returns when anybody may call again; None: as before."""
    if not isinstance(result, NoAnswer):
        return None
    if result.kind == "credentials":
        refused_credentials()
    if result.kind == "rate_limited":
        return told_to_wait(result.retry_after_s)
    return None


def note_silence(answer: NoAnswer) -> datetime | None:
    """What a read without an answer says about the line. Returns when anybody may call again; None:
    as before."""
    if answer.kind == "credentials":
        refused_credentials()
    elif answer.kind == "unreachable":
        unreachable()
    elif answer.kind == "rate_limited":
        return told_to_wait(answer.retry_after_s)
    return None


def in_words(answer: NoAnswer) -> str:
    """Why a read brought nothing, for a person: what it means, and the wire's own word for it."""
    return f"{_SILENCE[answer.kind]} ({answer.reason.replace('_', ' ')})"


def told_to_wait(seconds: float | None) -> datetime:
    """After a 429 nobody calls before the moment it names. The wait is the supplier's own, so it
    is not scaled."""
    wait_s = min(max(seconds or 60.0, 1.0), 600.0)
    until = clock.now() + timedelta(seconds=wait_s)
    supply.close_until(until)
    return until


def _go_one_by_one(seconds: float) -> None:
    with transaction():
        supply.locked_state().bulk_off_until = clock.after(seconds)
