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
from typing import Any

import structlog
from sqlalchemy import select

from core import cases, ledger, orders
from core.audit import SYSTEM
from core.base import clock, config, money
from core.base.db import transaction
from core.cases import Case
from core.reconcile import returned, rounding, suspects
from core.reconcile.doubts import Doubts, doubts
from core.reconcile.float_books import (
    DROP,
    RISE,
    SUBJECT,
    books_mark,
    float_pesewas,
    spendable_pesewas,
)
from core.supplier import supply
from core.supplier.balances import BalanceRead
from core.supplier.supply import SUPPLIER

log = structlog.get_logger("balance")

BY_PURCHASE = " (told with a purchase)"


def note_balance(
    balance_pesewas: int,
    *,
    by_purchase: bool = False,
    mark: int | None = None,
    said: str = "",
) -> str:
    """Keep one balance of the supplier and judge it against the books. Returns the verdict in
    words.

    `by_purchase`: it came in the answer to a purchase, whose own charge is booked already. `mark`:
    the `books_mark` from before the supplier was asked; if the books moved since, a difference says
    nothing. `said`: the figure in cedis with every digit, as it was sent. Needs `across_stores`.

    The first balance of an empty ledger opens it. A rise that failed orders explain beyond doubt is
    booked as their refund, but only from a read that asked for the balance: one told with a
    purchase may be as old as its call.
    """
    with transaction() as session:
        locked = (
            frozenset()
            if by_purchase
            else returned.lock_candidates(balance_pesewas, float_pesewas())
        )
        link = supply.locked_state()
        breaks = session.scalars(
            select(Case)
            .where(
                Case.kind.in_((RISE, DROP)),
                Case.subject == SUBJECT,
                Case.closed_at.is_(None),
            )
            .order_by(Case.id)
            .with_for_update()
        ).all()
        orders.lock_questions(locked)
        float_now = ledger.hold_float()
        newest, doubt = books_mark(), doubts()
        moved = mark is not None and mark != newest
        slack = 0
        if newest == 0 and balance_pesewas != 0:
            ledger.fund_float(
                balance_pesewas, "opening balance, as the supplier reports it", SYSTEM
            )
            float_now, verdict, ask = balance_pesewas, "opening balance booked", False
            link.fit_entry_id = books_mark()
        else:
            back, settled = 0, rounding.Settled(0, fits=False)
            if not moved:
                back = returned.book(link, balance_pesewas - float_now, doubt, locked)
                if back:
                    float_now, doubt = ledger.hold_float(), doubts()
                told = said or money.format_ghs(balance_pesewas)
                settled = rounding.settle(
                    link, balance_pesewas - float_now, doubt, told
                )
                float_now, slack = (
                    float_now + settled.booked_pesewas,
                    settled.slack_pesewas,
                )
                if settled.fits:
                    link.fit_entry_id = (
                        books_mark() if back or settled.booked_pesewas else newest
                    )
            verdict, ask = _judge(
                link,
                balance_pesewas,
                float_now,
                doubt,
                breaks,
                moved=moved,
                slack=slack,
            )
            if back:
                verdict += f": money came back for {back} failed order{'s' if back != 1 else ''}"
            if settled.booked_pesewas:
                verdict += f", rounding of {money.cedis(settled.booked_pesewas)} booked"
        difference, since = link.break_pesewas, link.break_since
        link.last_balance_pesewas, link.last_balance_at = balance_pesewas, clock.now()
        link.last_balance_said, link.balance_failed_at, link.balance_failure = (
            said or None,
            None,
            None,
        )
        link.unreachable_since = link.credentials_refused_since = None
        session.add(
            BalanceRead(
                at=clock.now(),
                supplier=SUPPLIER,
                balance_pesewas=balance_pesewas,
                said=said,
                float_pesewas=float_now,
                unresolved_pesewas=sum(doubt.unresolved),
                charged_again_pesewas=sum(doubt.charged_again),
                may_be_back_pesewas=doubt.may_be_back_pesewas,
                verdict=verdict + (BY_PURCHASE if by_purchase else ""),
            )
        )
        stopped = any(case.kind == DROP for case in breaks)
        stops = (stopped or link.break_since is not None) and cases.is_open(
            DROP, SUBJECT
        )
        waits = orders.waiting_for_float() is not None
    if ask and difference is not None and since is not None:
        suspects.ring(difference, since, slack)
    if stops and not stopped:
        log.error(
            "buying is stopped: the supplier took money no order explains",
            verdict=verdict,
        )
    if stopped and not stops:
        log.warning("buying goes on: the balance fits again", verdict=verdict)
        orders.wake("balance_break")
    if waits:
        orders.wake("float", spendable_pesewas())
    return verdict


def _judge(
    link: supply.SupplierState,
    balance: int,
    float_now: int,
    doubt: Doubts,
    breaks: Sequence[Case],
    *,
    moved: bool,
    slack: int,
) -> tuple[str, bool]:
    """The verdict, and whether to ask the orders that could explain a difference. `slack`: what
    rounding may explain.

    Asked when it is first seen and when it becomes a break; after that only while it stops buying,
    since then reads are rare: a funding that nobody confirms must not use up the look-ups of all
    other orders.
    """
    low, high = (
        float_now - doubt.may_be_gone_pesewas,
        float_now + doubt.may_be_back_pesewas,
    )
    if low - slack <= balance <= high + slack:
        link.break_pesewas = link.break_since = None
        for case in breaks:
            cases.close_row(
                case,
                f"Closed itself: at {_at()} the supplier's balance fitted our books again.",
                SYSTEM,
            )
        return "fits", False
    difference = balance - high if balance > high else balance - low
    said = f"{'more' if difference > 0 else 'less'} than expected by {money.cedis(abs(difference))}"
    if moved:
        return f"{said}, but our books moved meanwhile: not counted", False
    if link.break_since is None or (link.break_pesewas or 0) * difference < 0:
        link.break_since, link.break_pesewas = clock.now(), difference
        return f"{said}, seen once", True
    link.break_pesewas = difference
    if clock.now() - link.break_since < clock.delta(
        config.current().balance_break_gap_s
    ):
        return f"{said}, seen again too soon", False
    evidence: dict[str, Any] = {
        "supplier_pesewas": balance,
        "float_pesewas": float_now,
        "unresolved_pesewas": sum(doubt.unresolved),
        "difference_pesewas": difference,
    }
    if doubt.charged_again:
        evidence["charged_again_pesewas"] = sum(doubt.charged_again)
    if doubt.may_be_back_pesewas:
        evidence["may_be_back_pesewas"] = doubt.may_be_back_pesewas
    if could_be := suspects.codes(difference, slack):
        evidence["could_be"] = could_be
    kind = RISE if difference > 0 else DROP
    cases.open_case(kind, SUBJECT, evidence)
    return f"{said}: a break", kind == DROP or all(case.kind != kind for case in breaks)


def _at() -> str:
    return f"{clock.now().astimezone(clock.ACCRA):%H:%M}"
