"""One balance beside the books: kept, judged, and what follows when it does not fit.

Compared only while no purchase is in flight (the caller holds the wallet's turn). Expected is a
range: the float account, less what the supplier may have taken and plus what it may have given back
without our knowing yet (`doubts`). Outside it twice, `balance_break_gap_s` apart, is a named break
and a case; the orders that could explain it are asked about from the first time on. While an
unexpected charge is open nothing is bought. Nothing here moves money by itself except the opening
of an empty ledger, money seen to come back for failed orders (`returned`), and fractions of a
pesewa (`rounding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from core import cases, ledger, orders
from core.audit import SYSTEM
from core.base import clock, config, money
from core.base.db import db, transaction
from core.base.preconditions import needs_across_stores
from core.cases import Case
from core.reconcile import returned, rounding, standing, suspects
from core.reconcile.doubts import Doubts, doubts
from core.reconcile.float_books import (
    DROP,
    RISE,
    SUBJECT,
    books_mark,
    buying_stopped,
    float_pesewas,
    spendable_pesewas,
)
from core.supplier.balances import BalanceRead
from core.supplier.supply import SUPPLIER, SupplierState

log = structlog.get_logger("balance")

BY_PURCHASE = " (told with a purchase)"


@dataclass
class _Reading:
    """One balance beside our books, all in pesewas. The books move with what is booked for it."""

    link: SupplierState
    balance_pesewas: int
    told: str
    """The balance in cedis with every digit, as the supplier sent it; may be empty."""
    float_pesewas: int
    mark: int
    """`books_mark` before anything was booked for this balance."""
    doubt: Doubts
    slack_pesewas: int = 0
    """How much of a difference rounding may explain."""

    @property
    def rise_pesewas(self) -> int:
        """What the supplier holds beyond our books; negative when it holds less."""
        return self.balance_pesewas - self.float_pesewas


@needs_across_stores
def note_balance(
    balance_pesewas: int,
    *,
    by_purchase: bool = False,
    mark: int | None = None,
    said: str = "",
) -> str:
    """Keep one balance of the supplier and judge it by the books. Returns the verdict in words.

    `by_purchase`: it came in the answer to a purchase, whose own charge is booked already. `mark`:
    the `books_mark` from before the supplier was asked; if the books moved since, a difference says
    nothing. `said`: the figure in cedis with every digit, as it was sent.
    The first balance of an empty ledger opens it. A rise that failed orders explain beyond doubt is
    booked as their refund, but only from a read that asked for the balance: one told with a
    purchase may be as old as its call.
    """
    with transaction():
        candidates: frozenset[int] = frozenset()
        if not by_purchase:
            candidates = returned.lock_candidates(balance_pesewas, float_pesewas())
        link, breaks = standing.locked_link()
        orders.lock_questions(candidates)
        held_pesewas = ledger.hold_float()
        beside = standing.beside()  # what is said of a float that stands still
        reading = _Reading(
            link,
            balance_pesewas,
            said,
            float_pesewas=held_pesewas,
            mark=beside.mark,
            doubt=beside.doubt,
        )
        verdict, ask = _verdict(reading, breaks, candidates, mark)
        difference = link.break_pesewas
        since = link.break_since
        _keep(reading, verdict + (BY_PURCHASE if by_purchase else ""))
        was_stopped = any(case.kind == DROP for case in breaks)
        may_stop = was_stopped or since is not None
        is_stopped = may_stop and buying_stopped()
    if ask and difference is not None and since is not None:
        suspects.ring(difference, since, reading.slack_pesewas)
    _say_what_stops(was_stopped, is_stopped, verdict)
    if beside.some_wait:
        orders.wake("float", spendable_pesewas())
    return verdict


def _verdict(
    reading: _Reading,
    breaks: Sequence[Case],
    candidates: frozenset[int],
    asked_at_mark: int | None,
) -> tuple[str, bool]:
    """Book what is certain and judge the rest. The verdict, and whether to ask the orders that
    could explain a difference."""
    if reading.mark == 0 and reading.balance_pesewas != 0:
        _open_ledger(reading)
        return "opening balance booked", False
    moved = asked_at_mark is not None and asked_at_mark != reading.mark
    booked = "" if moved else _book_what_is_certain(reading, candidates)
    verdict, ask = _judge(reading, breaks, moved=moved)
    return verdict + booked, ask


def _open_ledger(reading: _Reading) -> None:
    """Book the first balance of an empty ledger."""
    ledger.fund_float(
        reading.balance_pesewas,
        "opening balance, as the supplier reports it",
        SYSTEM,
    )
    reading.float_pesewas = reading.balance_pesewas
    reading.link.fit_entry_id = books_mark()


def _book_what_is_certain(reading: _Reading, candidates: frozenset[int]) -> str:
    """Book money that came back for failed orders, then rounding. Returns what to add to the
    verdict."""
    link = reading.link
    back = returned.book(link, reading.rise_pesewas, reading.doubt, candidates)
    if back:
        reading.float_pesewas = ledger.hold_float()
        reading.doubt = doubts()
    told = reading.told or money.format_ghs(reading.balance_pesewas)
    settled = rounding.settle(link, reading.rise_pesewas, reading.doubt, told)
    rounded_pesewas = settled.booked_pesewas
    reading.float_pesewas += rounded_pesewas
    reading.slack_pesewas = settled.slack_pesewas
    if settled.fits:
        has_moved = back or rounded_pesewas
        link.fit_entry_id = books_mark() if has_moved else reading.mark
    words = ""
    if back:
        plural = "s" if back != 1 else ""
        words += f": money came back for {back} failed order{plural}"
    if rounded_pesewas:
        words += f", rounding of {money.cedis(rounded_pesewas)} booked"
    return words


def _judge(
    reading: _Reading,
    breaks: Sequence[Case],
    *,
    moved: bool,
) -> tuple[str, bool]:
    """The verdict, and whether to ask the orders that could explain a difference. `moved`: our
    books did while the supplier was asked.

    Asked when it is first seen and when it becomes a break; after that only while it stops buying,
    since then reads are rare: a funding that nobody confirms must not use up the look-ups of all
    other orders.
    """
    link = reading.link
    difference = _difference(reading)
    if difference == 0:
        link.break_pesewas = link.break_since = None
        _close(breaks)
        return "fits", False
    direction = "more" if difference > 0 else "less"
    said = f"{direction} than expected by {money.cedis(abs(difference))}"
    if moved:
        return f"{said}, but our books moved meanwhile: not counted", False
    turned = (link.break_pesewas or 0) * difference < 0
    if link.break_since is None or turned:
        link.break_since = clock.now()
        link.break_pesewas = difference
        return f"{said}, seen once", True
    link.break_pesewas = difference
    gap = clock.delta(config.current().balance_break_gap_s)
    if clock.now() - link.break_since < gap:
        return f"{said}, seen again too soon", False
    kind = RISE if difference > 0 else DROP
    cases.open_case(kind, SUBJECT, _evidence(reading, difference))
    is_new = all(case.kind != kind for case in breaks)
    return f"{said}: a break", kind == DROP or is_new


def _difference(reading: _Reading) -> int:
    """How far the balance is outside what the books expect, in pesewas: + more, − less, 0 when it
    fits."""
    balance = reading.balance_pesewas
    slack = reading.slack_pesewas
    low = reading.float_pesewas - reading.doubt.may_be_gone_pesewas
    high = reading.float_pesewas + reading.doubt.may_be_back_pesewas
    if low - slack <= balance <= high + slack:
        return 0
    if balance > high:
        return balance - high
    return balance - low


def _close(breaks: Sequence[Case]) -> None:
    said = f"Closed itself: at {_at()} the supplier's balance fitted our books again."
    for case in breaks:
        cases.close_row(case, said, SYSTEM)


def _evidence(reading: _Reading, difference: int) -> dict[str, Any]:
    """What a person is shown about a break; amounts that are 0 are left out where they say
    nothing."""
    doubt = reading.doubt
    evidence: dict[str, Any] = {
        "supplier_pesewas": reading.balance_pesewas,
        "float_pesewas": reading.float_pesewas,
        "unresolved_pesewas": sum(doubt.unresolved),
        "difference_pesewas": difference,
    }
    telling = {
        "charged_again_pesewas": sum(doubt.charged_again),
        "may_be_back_pesewas": doubt.may_be_back_pesewas,
        "could_be": suspects.codes(difference, reading.slack_pesewas),
    }
    return evidence | {name: value for name, value in telling.items() if value}


def _keep(reading: _Reading, verdict: str) -> None:
    """Store the balance as the supplier's newest, end the stops that an answer disproves, and add a
    row to the reads."""
    link = reading.link
    doubt = reading.doubt
    now = clock.now()
    link.last_balance_pesewas = reading.balance_pesewas
    link.last_balance_at = now
    link.last_balance_said = reading.told or None
    link.balance_failed_at = link.balance_failure = None
    link.unreachable_since = link.credentials_refused_since = None
    db.session.add(
        BalanceRead(
            at=now,
            supplier=SUPPLIER,
            balance_pesewas=reading.balance_pesewas,
            said=reading.told,
            float_pesewas=reading.float_pesewas,
            unresolved_pesewas=sum(doubt.unresolved),
            charged_again_pesewas=sum(doubt.charged_again),
            may_be_back_pesewas=doubt.may_be_back_pesewas,
            verdict=verdict,
        )
    )


def _say_what_stops(was_stopped: bool, is_stopped: bool, verdict: str) -> None:
    """Log that buying is stopped from now on, or that it goes on and wake the orders that waited
    for it."""
    if is_stopped and not was_stopped:
        log.error(
            "buying is stopped: the supplier took money no order explains",
            verdict=verdict,
        )
    if was_stopped and not is_stopped:
        log.warning("buying goes on: the balance fits again", verdict=verdict)
        orders.wake("balance_break")


def _at() -> str:
    return f"{clock.now().astimezone(clock.ACCRA):%H:%M}"
