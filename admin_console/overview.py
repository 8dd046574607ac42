"""The first page: five figures that are links, the float in one plot, and what waits for a
decision.

Decides which troubles are said here, and in which order. Their words come from `own_problems` and
`supplier_problems`, the numbers from `figures`.
"""

from __future__ import annotations

from flask import render_template, request

from admin_console import bp, figures, floatplot, own_problems, supplier_problems
from admin_console.problem import Problem, at
from core import cases, reconcile
from core.availability import Now
from core.base import config
from core.supplier import supply

SPANS_H = (24, 168)


@bp.get("/")
def overview() -> str:
    text = request.args.get("hours", "")
    if text in map(str, SPANS_H):
        hours = int(text)
    else:
        hours = SPANS_H[0]
    seen = figures.at_once()
    platform = seen.platform
    link = supply.state()
    counted_pesewas = reconcile.countable_pesewas(link)
    open_cases = cases.open_cases(config.current().page_size)
    plot, rows = floatplot.draw(hours, platform)
    found = problems(seen.now, link, counted_pesewas)
    return render_template(
        "console/overview.html",
        day=seen.day,
        stuck=seen.stuck,
        platform=platform,
        held_pesewas=seen.held_pesewas,
        at_risk_pesewas=platform["in_flight"] + seen.held_pesewas,
        counted_pesewas=counted_pesewas,
        burn=figures.burn_by(seen.spent_pesewas, counted_pesewas),
        problems=found,
        alarms={
            problem.figure: problem for problem in reversed(found) if problem.figure
        },
        still=stands_still(seen.now),
        nothing_sold=seen.now.link is not None,
        chart=plot,
        chart_rows=rows,
        hours=hours,
        cases=open_cases,
        codes=figures.codes_of(case.order_id for case in open_cases),
        open_case_count=lambda: seen.open_cases,
    )


def problems(
    now: Now, link: supply.SupplierState, counted_pesewas: int
) -> list[Problem]:
    """What the owner should know before anything else, worst first. `now` is what can be bought,
    `counted_pesewas` what purchases may count on by our books."""
    return [
        *own_problems.of_books(),
        *supplier_problems.of_link(link),
        *supplier_problems.of_buying(now),
        *supplier_problems.of_float(now, link, counted_pesewas),
        *own_problems.of_disputes(),
        *own_problems.of_sales(now),
        *own_problems.of_stores(),
        *own_problems.of_requests(),
        *own_problems.of_gateway(),
        *own_problems.of_payouts(),
        *own_problems.of_queue(),
    ]


def stands_still(now: Now) -> str:
    """What the figures say instead of their calm words while not everything can be bought; empty
    when it can."""
    if now.link is not None:
        return f"buying stands still since {at(now.link.since)}"
    if now.short:
        many = len(now.short)
        return (
            f"cannot pay for {many} size{'s' if many != 1 else ''} since"
            f" {at(min(now.short.values()))}"
        )
    return ""
