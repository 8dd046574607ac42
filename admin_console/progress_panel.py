"""What became of a request a button left in the outbox, for the page that waits for it.

Decides when a waiting page asks again, what it says meanwhile and when it stops asking. The request
itself is run by fulfilment; the answer is in its outbox row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from flask import request

from core import outbox
from core.base import clock
from core.base.text_input import row_id

Step = Literal["waiting", "slow", "given_up", "failed", "done"]

SLOW_S = 30
"""Longer than this is unusual: the page says so."""
GIVE_UP_S = 600
"""Longer than this the page stops asking; the request itself stays in the outbox."""
OF_SUPPLIER = (
    "Asking the supplier. The answer shows here by itself.",
    "This takes longer than usual. A supplier that was asleep needs about a minute to wake.",
)
WORDS = {
    "prove_books": (
        "Proving the books. The result shows here by itself.",
        "This takes longer than usual. Large books need a minute or two.",
    )
}
"""What a page says while a request of a kind waits, and when it waits long; `OF_SUPPLIER` for all
others."""


@dataclass(frozen=True)
class Progress:
    """One press of a button. `every_ms` is how often the page asks again; None when there is
    nothing more to learn."""

    row_id: int
    step: Step
    sentence: str
    asked_at: datetime
    every_ms: int | None


def of_request() -> Progress | None:
    """The request named by `?asked=<id>`; None when there is none or it is unknown."""
    asked_id = row_id(request.args.get("asked"))
    row = None if asked_id is None else outbox.requested(asked_id)
    if row is None:
        return None
    return of_row(row)


def of_row(row: outbox.OutboxRow) -> Progress:
    if row.done_at is not None:
        step: Step = "done" if row.result_ok else "failed"
        return Progress(
            row.id,
            step,
            row.result_text or "Done.",
            row.created_at,
            None,
        )
    waiting, slow = WORDS.get(row.kind, OF_SUPPLIER)
    age_s = (clock.now() - row.created_at).total_seconds()
    if age_s > clock.seconds(GIVE_UP_S):
        sentence = (
            "No answer for ten minutes. Is the worker running? The request stays in line; reload to"
            " see."
        )
        return Progress(row.id, "given_up", sentence, row.created_at, None)
    if age_s > clock.seconds(SLOW_S):
        return Progress(row.id, "slow", slow, row.created_at, 5_000)
    return Progress(row.id, "waiting", waiting, row.created_at, 2_000)


def nothing_new(progress: Progress) -> bool:
    """Whether the page that polls already shows this step (it says so in `?step=`)."""
    return request.args.get("step") == progress.step
