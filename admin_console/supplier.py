"""The supplier's balance beside our float account, the state of the link, and the button that asks
it again.

Decides the words for the difference of the two. The balance shown is always the last stored answer
with its age: only fulfilment calls the supplier.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import abort, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp, figures, overview, progress_panel
from admin_console.auth import needs
from core import availability, ledger, orders, outbox, reconcile
from core.audit import Actor
from core.base import clock, config, money
from core.reconcile import Doubts
from core.supplier import balances, supply
from core.supplier.balances import BalanceRead

READS = 20
OPEN = "orders that failed or have a case"
"""Whose charge at the supplier is in doubt."""


@bp.get("/supplier")
def show_supplier() -> str:
    return render_template(
        "console/supplier.html", **_panel(progress_panel.of_request())
    )


@bp.get("/supplier/panel")
def supplier_panel() -> str | tuple[str, int]:
    """The same panel as in the page, asked for by it while a refresh runs; 204 while there is
    nothing new to say."""
    progress = progress_panel.of_request() or abort(404)
    if progress_panel.nothing_new(progress):
        return "", 204
    return render_template("console/_supplier_panel.html", **_panel(progress))


@bp.post("/supplier/refresh")
@needs("supplier")
def refresh_balance() -> Response:
    row = outbox.request("refresh_balance", Actor.of_login(current_user))
    return redirect(url_for(".show_supplier", asked=row.id), 303)


def difference(
    said_pesewas: int | None,
    float_pesewas: int,
    doubt: Doubts,
    *,
    stopped: bool = False,
) -> tuple[str, str]:
    """How the supplier's balance and our books compare, as (kind of note, sentence).

    `doubt` is what it may have taken or given back without our knowing: such a difference is
    explained, and said so. `stopped`: an unexplained charge has stopped buying.
    """
    if said_pesewas is None:
        return (
            "waiting",
            "The supplier has not told us its balance yet. Press “Refresh balance”.",
        )
    gap = said_pesewas - float_pesewas
    if gap == 0:
        return "done", "They agree: the supplier and our books say the same."
    if gap > 0:
        more = f"The supplier holds {money.cedis(gap)} more than our books."
        if gap <= doubt.may_be_back_pesewas:
            return (
                "moving",
                f"{more} It may have given so much back for {OPEN}: that explains it.",
            )
        if doubt.may_be_back_pesewas:
            back = money.cedis(doubt.may_be_back_pesewas)
            more += (
                f" {back} of it may be back for {OPEN},"
                f" {money.cedis(gap - doubt.may_be_back_pesewas)} has no reason."
            )
        return (
            "waiting",
            (
                f"{more} Either the float was funded, or money came back for an order"
                " that we have not seen returned."
            ),
        )
    less = f"The supplier holds {money.cedis(-gap)} less than our books."
    why = []
    if doubt.unresolved:
        sent = len(doubt.unresolved)
        many = f"{sent} orders were" if sent != 1 else "one order was"
        why.append(
            f"{many} sent and not yet answered for, which may have cost up to"
            f" {money.cedis(sum(doubt.unresolved))}"
        )
    if doubt.charged_again:
        why.append(
            f"{OPEN} may have cost up to {money.cedis(sum(doubt.charged_again))}"
            " after all"
        )
    if -gap <= doubt.may_be_gone_pesewas:
        explained = " and ".join(why)
        return (
            "moving",
            f"{less} {explained[:1].upper()}{explained[1:]}: that explains it.",
        )
    if doubt.may_be_gone_pesewas:
        explained = money.cedis(doubt.may_be_gone_pesewas)
        less += (
            f" {explained} of it may be orders in doubt,"
            f" {money.cedis(-gap - doubt.may_be_gone_pesewas)} has no reason."
        )
    less += " Something was charged there that our books do not have."
    if stopped:
        return (
            "stopped",
            f"{less} Buying is stopped: find out what it was and settle the case.",
        )
    return (
        "stopped",
        (
            f"{less} The orders that could be why are asked about. Seen again after a"
            " minute, it becomes a case and stops buying."
        ),
    )


@dataclass(frozen=True)
class Step:
    """One line of the sum from our books to the supplier's figure: what it is, and pesewas; a
    total, or an addend."""

    what: str
    pesewas: int
    is_total: bool = False
    why: str = ""


def steps(read: BalanceRead, float_pesewas: int, booked_pesewas: int = 0) -> list[Step]:
    """From our books now to the last answer of the supplier, each pesewa between the two with a
    name; they add up.

    `booked_pesewas`: of what our books gained since, so much is for what that answer showed. It
    belongs to its moment.
    """
    then = read.float_pesewas + booked_pesewas
    now = [Step("Our books now", float_pesewas, is_total=True)]
    if moved := then - float_pesewas:
        now.append(
            Step(
                "Booked since its answer",
                moved,
                why="what was bought and what came back",
            )
        )
        now.append(
            Step(
                "Our books when it answered",
                then,
                is_total=True,
                why=_with_booked(read, booked_pesewas),
            )
        )
    gap = left = read.balance_pesewas - then
    doubts = (
        ("Orders sent and not answered for then", -read.unresolved_pesewas),
        (f"Charged after all for {OPEN}", -read.charged_again_pesewas),
        (f"Given back for {OPEN}", read.may_be_back_pesewas),
    )
    for what, most in doubts:
        part = max(most, min(left, 0)) if most < 0 else min(most, max(left, 0))
        if part:
            now.append(
                Step(
                    what,
                    part,
                    why="" if part == most else f"of up to {money.cedis(abs(most))}",
                )
            )
            left -= part
    if left and read.verdict.startswith("fits"):
        now.append(
            Step(
                "Fractions of a pesewa",
                left,
                why="at most a pesewa for each purchase since the two last fitted",
            )
        )
    elif left:
        now.append(
            Step(
                "Has no reason", left, why="what a case asks about, if it is seen twice"
            )
        )
    if gap or len(now) > 1:
        now.append(Step("The supplier said", read.balance_pesewas, is_total=True))
    return now


def _with_booked(read: BalanceRead, booked_pesewas: int) -> str:
    if not booked_pesewas:
        return ""
    sign, booked = (
        "and" if booked_pesewas > 0 else "less",
        money.cedis(abs(booked_pesewas)),
    )
    return (
        f"{money.cedis(read.float_pesewas)} then, {sign} {booked} booked since for what"
        " it showed"
    )


def _compared(
    read: BalanceRead | None,
    said_pesewas: int | None,
    float_pesewas: int,
    booked_pesewas: int,
) -> tuple[str, str]:
    """The last answer beside our books as they stood when it came: what was bought since is no
    difference."""
    doubt, stopped = reconcile.doubts(), reconcile.buying_stopped()
    if read is None or read.balance_pesewas != said_pesewas:
        return difference(said_pesewas, float_pesewas, doubt, stopped=stopped)
    then = read.float_pesewas + booked_pesewas
    kind, sentence = difference(read.balance_pesewas, then, doubt, stopped=stopped)
    if kind in ("waiting", "stopped") and read.verdict.startswith(
        "fits"
    ):  # what was in doubt then is settled by now
        more = "more" if read.balance_pesewas > then else "less"
        gap = money.cedis(abs(read.balance_pesewas - then))
        kind, sentence = (
            "moving",
            (
                f"The supplier held {gap} {more} than our books: orders in doubt"
                " explained it."
            ),
        )
    if booked_pesewas:
        booked = money.cedis(abs(booked_pesewas))
        what = f"{booked} {'more' if booked_pesewas > 0 else 'less'}"
        sentence += f" A person has booked {what} since, for what that answer showed."
    moved = float_pesewas - then
    if moved:
        sentence += (
            " That was at its last answer; our books have moved by"
            f" {money.cedis(moved)} since."
        )
    return kind, sentence


def _as_sent(link: supply.SupplierState) -> str | None:
    """The last figure with every digit, if it is not the whole pesewas that stand beside it."""
    said = link.last_balance_said
    return (
        said
        if said is not None and Decimal(said) * 100 != link.last_balance_pesewas
        else None
    )


def _panel(progress: progress_panel.Progress | None) -> dict[str, Any]:
    link, platform, settings, now = (
        supply.state(),
        ledger.platform_balances(),
        config.current(),
        clock.now(),
    )
    window = clock.delta(settings.rate_window_s)
    used = sum(
        1
        for moment in (*link.purchase_calls, *link.other_calls)
        if now - window < moment <= now + window
    )
    reads = balances.newest(READS)
    counted_pesewas = reconcile.countable_pesewas(link)
    booked_pesewas = reconcile.booked_for(reads[0]) if reads else 0
    kind, sentence = _compared(
        reads[0] if reads else None,
        link.last_balance_pesewas,
        platform["supplier_float"],
        booked_pesewas,
    )
    if kind == "done" and link.balance_failed_at is not None:
        kind, sentence = (
            "waiting",
            f"{sentence} That was its last answer that could be read.",
        )
    return {
        "progress": progress,
        "link": link,
        "platform": platform,
        "counted_pesewas": counted_pesewas,
        "burn": figures.burn(counted_pesewas),
        "still": overview.stands_still(availability.now()),
        "kind": kind,
        "sentence": sentence,
        "stale": (
            link.last_balance_at is not None
            and now - link.last_balance_at > clock.delta(3_600)
        ),
        "buying_stopped": reconcile.buying_stopped(),
        "breaker_open": (
            link.breaker_open_until is not None and link.breaker_open_until > now
        ),
        "why_paused": orders.WAIT_TEXT.get(
            link.breaker_reason or "", link.breaker_reason
        ),
        "closed": link.closed_until is not None and link.closed_until > now,
        "calls_used": used,
        "settings": settings,
        "reads": reads,
        "steps": (
            steps(reads[0], platform["supplier_float"], booked_pesewas) if reads else []
        ),
        "as_sent": _as_sent(link),
        "rounding_pesewas": reconcile.rounding_today(link),
        "health": outbox.health(),
    }
