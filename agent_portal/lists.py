"""Lists of orders that an agent pastes or uploads: read, mended, confirmed once, placed some at a
time.

Decides how a form is read and which page answers. What a line means, what may go, and what becomes
of it is decided by `core.batches`.
"""

from __future__ import annotations

import re

from flask import Response, abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from agent_portal import bp, standing
from agent_portal.auth import access_no, actor, may, needs
from agent_portal.sheet import Cell, Sheet, amount
from core import availability, onboarding
from core.base import phones
from core.base.refusal import Refusal
from core.base.text_input import row_id
from core.batches import checking, files, keeping, placing, results, splitting
from core.batches.keeping import BatchRefused, Seen
from core.batches.results import Result
from core.orders.batching import OrderBatch

SHOWN = 50
"""Lines of a kind on one page."""
GOES_ON_MS = 300
SLOW_DOWN = (
    "Very many lists come from your connection just now. Wait a minute and press again: what you"
    " pasted is kept."
)
FILE_AGAIN = " Choose the file again, too: a browser does not keep it."
_FIELD = re.compile(r"line-([0-9]{1,9})")
HEAD = (
    "Line", "Number", "Bundle", "Price GHS", "Result", "Order", "State now", "Why",
    "As it was written",
)  # fmt: skip
BECAME = {
    "ordered": "Ordered",
    "refused": "Not ordered",
    "left_out": "Left out",
    "waiting": "Not placed yet",
    "open": "Not confirmed",
}


@bp.get("/lists")
def lists() -> ResponseReturnValue:
    """Where a list is pasted, and the newest ones. `?again=` brings what was left of one."""
    kept = g.kept.take("/lists") if may("cashier") else None
    if kept is not None:
        return _paste_page(kept.get("text", ""))
    left = row_id(request.args.get("again"))
    if left is None:
        return _paste_page()
    return _paste_page(results.of_batch(_batch(left)).left_text)


@bp.post("/lists")
@needs("cashier")
def bring_list() -> ResponseReturnValue:
    """Keep what was pasted or uploaded, then show it line by line."""
    text = request.form.get("text", "")
    upload = request.files.get("file")
    if "slow_down_s" in g:
        return _paste_page(text, SLOW_DOWN), 429, {"Retry-After": str(g.slow_down_s)}
    try:
        onboarding.needs_approval(g.store)
        batch_id = _kept(text, upload)
    except Refusal as refusal:
        more = FILE_AGAIN if upload and upload.filename else ""
        return _paste_page(text, refusal.sentence + more), 422
    return redirect(url_for(".show_list", batch_id=batch_id), 303)


def _kept(text: str, upload: FileStorage | None) -> int:
    if upload is None or not upload.filename:
        return keeping.keep(text, actor())
    if text.strip():
        raise BatchRefused(
            "There are lines in the box and a file beside it. Empty the box, or leave the file out."
        )
    with upload.stream as file:
        read, note = files.text_of(file.read())
    return keeping.keep(read, actor(), upload.filename, note)


@bp.get("/lists/<int:batch_id>")
def show_list(batch_id: int) -> ResponseReturnValue:
    """A list as it stands: what is wrong and what it comes to, or how far it is and what came."""
    batch = _batch(batch_id)
    if batch.confirmed_at is None:
        return _check_page(batch)
    return _results_page(batch)


@bp.post("/lists/<int:batch_id>/lines")
@needs("cashier")
def mend_lines(batch_id: int) -> ResponseReturnValue:
    """Save mended lines and answers. Lines that are not on the page stay as they are."""
    form = request.form
    texts = {
        int(found[1]): text
        for name, text in form.items()
        if (found := _FIELD.fullmatch(name))
    }
    batch = _batch(batch_id)
    left_out = _numbers("out")
    accepted = _numbers("meant")
    if form.get("all") in ("out", "meant"):
        checklist = checking.check(batch, keeping.lines_of(batch))
        if form["all"] == "out":
            left_out |= {line.n for line in checklist.wrong}
        else:
            accepted |= {line.n for line in checklist.asked}
    try:
        keeping.mend(batch_id, texts, left_out=left_out, accepted=accepted)
    except BatchRefused as refusal:
        flash(refusal.sentence, "stopped")
    return redirect(url_for(".show_list", batch_id=batch_id), 303)


@bp.post("/lists/<int:batch_id>/confirm")
@needs("cashier")
def confirm_list(batch_id: int) -> ResponseReturnValue:
    """Confirm what the page said, and place the first orders. Pressed twice it is done once."""
    _batch(batch_id)
    form = request.form
    count, price_pesewas, cost_pesewas = (
        row_id(form.get(name)) or 0 for name in ("count", "price", "cost")
    )
    seen = Seen(count, price_pesewas, cost_pesewas, "again" in form)
    try:
        keeping.confirm(batch_id, seen, form.get("then") == "process", actor())
    except BatchRefused as refusal:
        return _check_page(_batch(batch_id), refusal.sentence), 409
    return _placed_some(_batch(batch_id))


@bp.post("/lists/<int:batch_id>/place")
@needs("cashier")
def place_next(batch_id: int) -> ResponseReturnValue:
    """Place the next lines of a confirmed list; a page with script asks for this until all are."""
    return _placed_some(_batch(batch_id))


def _placed_some(batch: OrderBatch) -> ResponseReturnValue:
    found = placing.place_some(batch.id, actor(), access_no())
    here = url_for(".show_list", batch_id=batch.id)
    if "part" not in request.args:
        if found.stopped:
            flash(found.stopped, "stopped")
        return redirect(here, 303)
    if found.waiting:
        return _progress(batch, found)
    # the results are a page of their own
    return Response(status=204, headers={"HX-Redirect": here})


@bp.post("/lists/<int:batch_id>/throw-away")
@needs("cashier")
def throw_list_away(batch_id: int) -> ResponseReturnValue:
    """End a list: what is not placed yet will not be."""
    _batch(batch_id)
    batch = keeping.throw_away(batch_id, actor())
    if batch.confirmed_at is not None:
        flash("Stopped. What was placed before stands in the queue.")
        return redirect(url_for(".show_list", batch_id=batch_id), 303)
    flash("Thrown away. Nothing was ordered.")
    return redirect(url_for(".lists"), 303)


@bp.get("/lists/<int:batch_id>.csv")
def list_file(batch_id: int) -> ResponseReturnValue:
    """What became of each line, for a spreadsheet."""
    batch = _batch(batch_id)
    sheet = Sheet(*HEAD)
    for row in results.of_batch(batch).rows:
        sheet.row(*_cells(row))
    return sheet.answer(f"list-{batch.id}")


def _cells(row: Result) -> list[Cell]:
    line = row.line
    order = row.order
    return [
        line.n,
        phones.show(order.recipient_msisdn).replace("\N{NO-BREAK SPACE}", " ")
        if order
        else "",
        order.bundle_text if order else "",
        amount(order.price_pesewas) if order else "",
        BECAME[line.state],
        order.shown_code if order else "",
        order.state if order else "",
        line.words,
        line.text,
    ]


def _batch(batch_id: int) -> OrderBatch:
    """The list of this store; another store's reads the same as none."""
    if row_id(str(batch_id)) is None:
        abort(404)
    try:
        return keeping.find(batch_id)
    except keeping.NoSuchBatch:
        abort(404)


def _numbers(name: str) -> set[int]:
    found = (row_id(text) for text in request.form.getlist(name))
    return {n for n in found if n is not None}


def _paste_page(text: str = "", refusal: str = "") -> str:
    return render_template(
        "portal/lists.html",
        text=text,
        refusal=refusal,
        newest=keeping.newest(),
        most=splitting.MOST_LINES,
        **standing.notes(),
    )


def _check_page(batch: OrderBatch, refusal: str = "") -> str:
    checklist = checking.check(batch, keeping.lines_of(batch))
    first = row_id(request.args.get("from")) or 0
    good = [line for line in checklist.good if line.n > first]
    return render_template(
        "portal/list_check.html",
        batch=batch,
        list=checklist,
        refusal=refusal,
        same=checklist.same and keeping.same_words(checklist.same),
        good=good[:SHOWN],
        first=bool(first),
        more=good[SHOWN - 1].n if len(good) > SHOWN else None,
        shown=SHOWN,
        **standing.notes(availability.now()),
    )


def _results_page(batch: OrderBatch) -> str:
    return render_template(
        "portal/list_results.html",
        batch=batch,
        found=results.of_batch(batch),
        progress=placing.progress(batch.id),
        old=placing.OLD,
        goes_on_ms=GOES_ON_MS,
        shown=SHOWN,
        became=BECAME,
    )


def _progress(batch: OrderBatch, found: placing.Progress) -> str:
    return render_template(
        "portal/_list_progress.html",
        batch=batch,
        progress=found,
        goes_on_ms=GOES_ON_MS,
    )
