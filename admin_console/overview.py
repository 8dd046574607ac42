"""The first page: five figures that are links, the float in one plot, and what waits for a
decision.

Decides which troubles of the set-up are said here and in which words. The numbers come from
`figures`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import render_template, request

from admin_console import bp, figures, floatplot
from core import availability, cases, catalog, ledger, orders, outbox, proof, reconcile
from core.availability import Now
from core.base import clock, config, money, phones
from core.supplier import supply

SPANS_H = (24, 168)
QUEUE_BEHIND_S = 60
"""Work due longer than this means that nobody takes it."""


@dataclass(frozen=True)
class Problem:
    """One sentence about what stands in the way of selling, and where to act on it."""

    kind: str
    sentence: str
    href: str | None = None
    link: str = ""
    figure: str = ""
    """The figure below that it belongs to; that figure carries the alarm, with `short` in place of
    its calm words."""
    short: str = ""


@bp.get("/")
def overview() -> str:
    text = request.args.get("hours", "")
    hours = int(text) if text in map(str, SPANS_H) else SPANS_H[0]
    platform, held = ledger.platform_balances(), ledger.held_total()
    counted_pesewas = reconcile.countable_pesewas(supply.state())
    open_cases = cases.open_cases(config.current().page_size)
    plot, rows = floatplot.draw(hours, platform)
    now = availability.now()
    found = problems(now)
    return render_template(
        "console/overview.html",
        day=figures.today(),
        stuck=figures.stuck_count(),
        platform=platform,
        held_pesewas=held,
        at_risk_pesewas=platform["in_flight"] + held,
        counted_pesewas=counted_pesewas,
        burn=figures.burn(counted_pesewas),
        problems=found,
        alarms={
            problem.figure: problem for problem in reversed(found) if problem.figure
        },
        still=stands_still(now),
        nothing_sold=now.line is not None,
        chart=plot,
        chart_rows=rows,
        hours=hours,
        cases=open_cases,
        codes=figures.codes_of(case.order_id for case in open_cases),
    )


def problems(now: Now) -> list[Problem]:
    """What the owner should know before anything else, worst first. `now` is what can be bought."""
    supplier = [*_supplier_problems(), *_buying_problems(now)]
    return [
        *_books_problems(),
        *supplier,
        *_float_problems(now),
        *_sales_problems(),
        *_queue_problems(),
    ]


def _books_problems() -> list[Problem]:
    standing, found = proof.standing(), []
    last = standing.newest
    if last is not None and not last.ok:
        more = len(last.findings) - 1
        found.append(
            Problem(
                "stopped",
                f"The books do not hold. Found at {_at(last.at)}:"
                f" {last.findings[0]['sentence']}"
                f"{f' And {more} more.' if more else ''}",
                "/books",
                "See all that was found",
                "risk",
                "the books do not hold",
            )
        )
    if standing.overdue:
        since = (
            f"were last proven at {_at(last.at)}" if last else "have never been proven"
        )
        sentence = (
            f"The books {since}, and should be every hour. Is the worker running?"
        )
        found.append(Problem("waiting", sentence, "/books", "Open the books"))
    return found


def _supplier_problems() -> list[Problem]:
    link, now, found = supply.state(), clock.now(), []
    if link.credentials_refused_since:
        found.append(
            Problem(
                "stopped",
                "The supplier refuses our credentials since"
                f" {_at(link.credentials_refused_since)}. Nothing can be bought until"
                " DATA_MART_API_KEY and DATA_MART_API_SECRET are right.",
                "/supplier",
                "See the supplier",
                "float",
                "nothing can be bought",
            )
        )
    if link.unreachable_since:
        found.append(
            Problem(
                "stopped",
                f"The supplier cannot be reached since {_at(link.unreachable_since)}."
                " Orders wait in line and are sent when it answers again.",
                "/calls",
                "See the calls",
                "float",
                "nothing can be bought",
            )
        )
    is_said = link.breaker_reason in ("credentials", "supplier_unreachable") and bool(
        found
    )
    if link.breaker_open_until and link.breaker_open_until > now and not is_said:
        found.append(
            Problem(
                "waiting",
                f"Buying is paused until {_at(link.breaker_open_until)}: "
                f"{orders.WAIT_TEXT.get(link.breaker_reason or 'breaker', link.breaker_reason)}.",
                "/calls",
                "See the calls",
                "float",
                "buying is paused",
            )
        )
    if link.balance_failed_at and not (
        link.unreachable_since or link.credentials_refused_since
    ):
        last = (
            f"the figures here are those of {_at(link.last_balance_at)}"
            if link.last_balance_at
            else "none was ever read"
        )
        found.append(
            Problem(
                "waiting",
                "The supplier's balance could not be read at"
                f" {_at(link.balance_failed_at)}, {last}: {link.balance_failure}.",
                "/supplier",
                "See the supplier",
            )
        )
    gap = link.break_pesewas or 0
    if reconcile.buying_stopped():
        took = money.cedis(-gap) if gap < 0 else "money"
        found.append(
            Problem(
                "stopped",
                f"Buying is stopped: the supplier took {took} that no order of ours"
                " explains. Orders wait in line. Look for it in the calls and in the"
                " supplier's list, then settle the case; buying goes on when the"
                " balance fits our books again.",
                "/cases",
                "Settle the case",
                "float",
                "buying is stopped",
            )
        )
    elif _is_break(link):
        found.append(
            Problem(
                "stopped",
                f"The supplier holds {money.cedis(abs(gap))}"
                f" {'more' if gap > 0 else 'less'} than our books explain, seen twice"
                f" since {_at(link.break_since)}.",
                "/supplier",
                "Compare them",
                "float",
                f"the supplier has {money.cedis(abs(gap))}"
                f" {'more' if gap > 0 else 'less'}",
            )
        )
    return found


def _buying_problems(now: Now) -> list[Problem]:
    """What closes shelves and is not said elsewhere: silence, a long wait, sizes the float cannot
    pay, nobody looking."""
    found = []
    if now.line is not None and now.line.reason in ("supplier_silent", "rate"):
        sentence = (
            f"Buying stands still since {_at(now.line.since)}:"
            f" {orders.WAIT_TEXT[now.line.reason]}. Stores sell nothing meanwhile, and"
            " orders wait in line. It goes on by itself with the supplier's next"
            " answer."
        )
        found.append(Problem("stopped", sentence, "/calls", "See the calls"))
    if now.unsure_since is not None:
        sentence = (
            f"Nobody has looked since {_at(now.unsure_since)} what can be bought"
            f"{', so stores sell nothing' if now.line else ''}. Is the relay running?"
        )
        found.append(Problem("stopped" if now.line else "waiting", sentence))
    if now.short and now.line is None:
        bundles = [bundle for bundle in catalog.all_bundles() if bundle.active]
        out = availability.sold_out(
            now, ((one.id, one.network, catalog.size_text(one.mb)) for one in bundles)
        )
        names = "; ".join(
            f"{phones.NETWORKS[one.network].name} {one.sizes}" for one in out
        )
        many, since = len(now.short), _at(min(now.short.values()))
        sentence = (
            f"{many} of {len(bundles)} sizes are off all shelves, the first since"
            f" {since}: {names}. The float, less its reserve and the orders in line,"
            " cannot pay for them. Fund it; they come back by themselves."
        )
        found.append(
            Problem(
                "stopped" if many == len(bundles) else "waiting",
                sentence,
                "/supplier",
                "See the float",
            )
        )
    return found


def _float_problems(now: Now) -> list[Problem]:
    waiting = orders.waiting_for_float()
    if waiting is None:
        return []
    one = waiting.orders == 1
    many = "One order waits" if one else f"{waiting.orders} orders wait"
    since = f"{many} for float, the oldest in line since {_at(waiting.since)}"
    spendable, reserve = (
        reconcile.spendable_pesewas(),
        config.current().float_reserve_pesewas,
    )
    if waiting.least_cost_pesewas <= spendable:
        if now.line is not None:
            said = (
                "Money is there, but buying stands still: they go when it goes on, the"
                " oldest first"
            )
            return [
                Problem(
                    "waiting",
                    f"{since}. {said}.",
                    "/supplier",
                    "See the float",
                    "float",
                    "buying stands still",
                )
            ]
        sentence = (
            f"{since}. Money is there now: it buys them one after the other, the oldest"
            " first."
        )
        return [Problem("moving", sentence, "/supplier", "See the float")]
    kept = f" and keep the reserve of {money.cedis(reserve)}" if reserve else ""
    return [
        Problem(
            "stopped",
            f"{since}: {money.cedis(spendable + reserve)} cannot pay for"
            f" {'it' if one else 'any of them'}{kept}. Fund the float; the oldest goes"
            " first.",
            "/supplier",
            "See the float",
            "float",
            "too low for orders in line",
        )
    ]


def stands_still(now: Now) -> str:
    """What the figures say instead of their calm words while not everything can be bought; empty
    when it can."""
    if now.line is not None:
        return f"buying stands still since {_at(now.line.since)}"
    if now.short:
        many = len(now.short)
        return (
            f"cannot pay for {many} size{'s' if many != 1 else ''} since"
            f" {_at(min(now.short.values()))}"
        )
    return ""


def _sales_problems() -> list[Problem]:
    found, sync = [], catalog.last_sync()
    if sync is not None and not sync.ok:
        found.append(
            Problem(
                "stopped",
                f"The last catalogue sync, at {_at(sync.at)}, failed: {sync.sentence}",
                "/catalogue",
                "Sync again",
            )
        )
    elif sync is not None and sync.left_out:
        many = len(sync.left_out)
        said = (
            f"{many} product{'s' if many != 1 else ''} of the supplier's list"
            f" {'are' if many != 1 else 'is'} left out"
        )
        found.append(
            Problem(
                "waiting",
                f"{said}, so no store sells them.",
                "/catalogue",
                "See which, and why",
            )
        )
    if asked := catalog.count_asked():
        lines = (
            "One line of the supplier's list waits"
            if asked == 1
            else f"{asked} lines of the supplier's list wait"
        )
        found.append(
            Problem(
                "waiting", f"{lines} for your approval.", "/catalogue", "Look at them"
            )
        )
    if not any(bundle.active for bundle in catalog.all_bundles()):
        why = (
            "the catalogue was never synced"
            if sync is None
            else "the last sync left nothing to sell"
        )
        found.append(
            Problem(
                "waiting",
                f"No bundles yet: {why}, so stores have empty shelves.",
                "/catalogue",
                "Open the catalogue",
            )
        )
    if pause := catalog.sales_paused():
        found.append(
            Problem(
                "waiting",
                f"All sales are paused since {_at(pause.since)}: {pause.reason}.",
                "/catalogue",
                "Resume",
                "orders",
                "all sales are paused",
            )
        )
    for network, pause in catalog.paused_networks().items():
        name = phones.NETWORKS[network].name
        found.append(
            Problem(
                "waiting",
                f"{name} is paused since {_at(pause.since)}: {pause.reason}.",
                "/catalogue",
                "Resume",
            )
        )
    return found


def _queue_problems() -> list[Problem]:
    health = outbox.health()
    if health.oldest_due_s <= clock.seconds(QUEUE_BEHIND_S):
        return []
    return [
        Problem(
            "waiting",
            f"{health.due} piece{'s' if health.due != 1 else ''} of work"
            f" wait{'s' if health.due == 1 else ''} to be taken, the oldest since"
            f" {_at(clock.now() - timedelta(seconds=health.oldest_due_s))}. Is the"
            " worker running?",
        )
    ]


def _is_break(link: supply.SupplierState) -> bool:
    """A difference counts once two reads, long enough apart, have seen it; one alone may be a
    purchase under way."""
    if link.break_since is None or link.last_balance_at is None:
        return False
    return link.last_balance_at - link.break_since >= clock.delta(
        config.current().balance_break_gap_s
    )


def _at(moment: datetime | None) -> str:
    if moment is None:
        return "–"
    local = moment.astimezone(clock.ACCRA)
    today = local.date() == clock.now().astimezone(clock.ACCRA).date()
    return f"{local:%H:%M}" if today else f"{local.day} {local:%b %H:%M}"
