"""The things only a person can settle: open cases with their evidence, and closing one with a resolution.

What opens a case, and what closing it means, is decided by `core.cases`; a rise of the float by `core.reconcile`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp, figures
from admin_console.auth import needs
from admin_console.typed import one_line
from core import cases, config, money, reconcile
from core.audit import Actor


@bp.get("/cases")
def list_cases() -> str:
    return _page()


@bp.post("/cases/<int(max=999999999999999999):case_id>/close")
@needs("cases")
def close_case(case_id: int) -> Response | tuple[str, int]:
    resolution = one_line(request.form.get("resolution", ""))
    if not resolution:
        return _page(case_id, "Say in a few words how it was settled; it is kept with the case."), 422
    if cases.close(case_id, resolution, Actor.of_login(current_user)) is None:
        abort(404, "There is no open case of that number. Somebody may have closed it already.")
    flash("The case is closed.")
    return redirect(url_for(".list_cases"), 303)


@bp.post("/cases/<int(max=999999999999999999):case_id>/funding")
@needs("cases")
def confirm_funding(case_id: int) -> Response | tuple[str, int]:
    """The owner says that the rise of the supplier's balance was a funding of the float: it is booked."""
    try:
        booked = reconcile.confirm_funding(case_id, Actor.of_login(current_user))
    except reconcile.NotConfirmable as refusal:
        return _page(case_id, refusal.sentence), 409
    flash(f"{money.cedis(booked)} is booked as funding of the float, and the case is closed.")
    return redirect(url_for(".list_cases"), 303)


def _page(problem_case_id: int | None = None, problem: str | None = None) -> str:
    found = cases.open_cases(config.current().page_size)
    return render_template(
        "console/cases.html",
        cases=found,
        evidence={case.id: [_dated(entry) for entry in case.evidence] for case in found},
        codes=figures.codes_of(case.order_id for case in found),
        stores=figures.store_names(),
        problem_case_id=problem_case_id,
        problem=problem,
        typed=request.form.get("resolution", ""),
    )


def _dated(entry: dict[str, Any]) -> tuple[datetime | None, dict[str, Any]]:
    """One piece of evidence: when it was seen, and what it says."""
    said = dict(entry)
    at = said.pop("at", None)
    return (datetime.fromisoformat(at) if isinstance(at, str) else None), said
