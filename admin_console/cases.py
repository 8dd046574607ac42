"""The things only a person can settle: open cases with their evidence and the actions legal now,
and settled ones.

Decides how a press is read: what moves money carries the amount the person saw, and what may lose
money is read back before it is done. What is legal, and doing it, is `core.settling`; the words are
in `case_words`, `effects` and `evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import abort, flash, g, redirect, render_template, request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp, case_words, effects, evidence, figures
from admin_console.auth import needs
from admin_console.case_words import Button
from admin_console.evidence import Fact
from core import cases, ledger, orders, settling, stores
from core.audit import Actor
from core.base import config
from core.base.text_input import one_line, row_id
from core.cases import Case
from core.ledger import Posting
from core.orders import Order
from core.settling import Facts

SETTLED = 20
"""So many settled cases are listed, the newest first."""
NOT_OPEN = "There is no case of that number."
_REFUSED = "refused"
"""What the session holds between a press that was refused and its case's page: the case, why, and
the words typed."""


@dataclass(frozen=True)
class Shown:
    """One open case as the page shows it."""

    case: Case
    order: Order | None
    order_label: str
    evidence: list[tuple[datetime | None, list[Fact]]]
    buttons: list[Button]
    not_yet: list[str]
    still: str


@dataclass(frozen=True)
class Settled:
    """One settled case with the postings it made."""

    case: Case
    order_code: str | None
    postings: list[tuple[Posting, list[tuple[str, int]]]]


@bp.get("/cases")
def list_cases() -> str:
    return _page()


@bp.get("/cases/<int(max=999999999999999999):case_id>")
def show_case(case_id: int) -> str:
    """One case; after a press that was refused, or came before one was asked who one is, once with
    the words that were typed."""
    case = _case(case_id)
    kept = g.kept.take(rf"/cases/{case.id}/\w+")
    if kept is not None:
        return _page_of(case, None, one_line(kept.get("resolution", "")))
    found = session.get(_REFUSED)
    if not found or found[0] != case.id:
        return _page_of(case)
    session.pop(_REFUSED)
    return _page_of(case, found[1], found[2])


@bp.post("/cases/<int(max=999999999999999999):case_id>/<action>")
@needs("cases")
def settle_case(case_id: int, action: str) -> Response | tuple[str, int] | str:
    """Settle a case by one action. A refused action says why on the case's page; one that may
    lose money is shown for confirmation first."""
    case = _case(case_id)
    words = one_line(request.form.get("resolution", ""))
    seen = row_id(request.form.get("seen", ""))
    if settling.way_of(case.kind, action) is None and case.closed_at is None:
        return _back_to(case, "This cannot be done about a case of this kind.", words)
    if action in settling.NEEDS_WORDS and not words and case.closed_at is None:
        return _page_of(
            case, "Say in a few words what was done, or why; it is kept with the case."
        ), 422
    try:
        if (
            action in settling.ASKS_TWICE
            and request.form.get("confirm") != action
            and case.closed_at is None
        ):
            return _asked_twice(
                settling.facts_of(case),
                action,
                words,
                seen,
            )
        said = settling.settle(
            case_id,
            action,
            Actor.of_login(current_user),
            words=words,
            seen_pesewas=seen,
        )
    except settling.ActionRefused as refusal:
        return _back_to(case, refusal.sentence, words)
    flash(said, "moving" if action == "look_again" else "done")
    if action != "look_again":
        back = url_for(".list_cases")
    else:
        back = url_for(".show_case", case_id=case_id)
    return redirect(back, 303)


def _back_to(case: Case, sentence: str, words: str) -> Response:
    """To the page of a case a press was refused for: an answer to the post itself would be sent
    again by a reload."""
    session[_REFUSED] = [case.id, sentence, words]
    return redirect(url_for(".show_case", case_id=case.id), 303)


def _asked_twice(
    facts: Facts, action: str, words: str, seen_pesewas: int | None
) -> str:
    """The page that reads an action back before it is done. Raises `settling.ActionRefused` when
    it is not legal now."""
    way = settling.way_of(facts.case.kind, action)
    assert way is not None
    amounts = settling.amounts(way, facts)
    if (
        seen_pesewas is not None
        and amounts[0] is not None
        and seen_pesewas not in amounts
    ):
        raise settling.other_amount(amounts[0])
    choice = settling.Choice(
        way.action, seen_pesewas if seen_pesewas in amounts else amounts[0]
    )
    return render_template(
        "console/case_confirm.html",
        case=facts.case,
        order=facts.order,
        button=case_words.button(choice, facts),
        effects=effects.effects(choice, facts),
        posts=[ledger.KIND_TEXT[kind.split()[0]] for kind in way.posts],
        words=words,
    )


def _page() -> str:
    kind = request.args.get("kind", "")
    size = config.current().page_size
    kind = kind if kind in cases.KINDS else ""
    after = row_id(request.args.get("after", ""))
    found = cases.open_cases(size + 1, after, kind or None)
    older = (
        url_for(".list_cases", kind=kind or None, after=found[size - 1].id)
        if len(found) > size
        else None
    )
    return _rendered(
        found[:size],
        cases.settled_cases(SETTLED),
        kind=kind,
        counts=cases.open_counts(),
        first=url_for(".list_cases", kind=kind or None) if after else None,
        older=older,
    )


def _page_of(
    case: Case,
    problem: str | None = None,
    typed: str = "",
) -> str:
    """The page of one case, open or settled, with the sentence of a refused press."""
    is_open = case.closed_at is None
    return _rendered(
        [case] if is_open else [],
        [] if is_open else [case],
        one=case,
        problem=problem,
        typed=typed,
    )


def _rendered(
    open_: Sequence[Case],
    settled: Sequence[Case],
    **more: Any,
) -> str:
    codes = figures.codes_of(case.order_id for case in settled)
    made = ledger.legs_of([id_ for case in settled for id_ in case.posting_ids])
    return render_template(
        "console/cases.html",
        shown=[_shown(case) for case in open_],
        settled=[
            Settled(
                case,
                codes.get(case.order_id or 0),
                [made[id_] for id_ in case.posting_ids if id_ in made],
            )
            for case in settled
        ],
        stores=stores.by_ids([case.store_id for case in (*open_, *settled)]),
        short=case_words.SHORT,
        kind_text=ledger.KIND_TEXT,
        **{
            "one": None,
            "problem": None,
            "typed": "",
            "kind": "",
            "counts": {},
            "first": None,
            "older": None,
            **more,
        },
    )


def _shown(case: Case) -> Shown:
    facts = settling.facts_of(case)
    order = facts.order
    return Shown(
        case,
        order,
        orders.agent_look(order).label if order is not None else "",
        [
            (evidence.seen_at(entry), evidence.facts_in_words(entry))
            for entry in case.seen
        ],
        [case_words.button(choice, facts) for choice in settling.choices(facts)],
        [
            case_words.not_yet(action, sentence)
            for action, sentence in settling.waiting(facts).items()
        ],
        settling.still_stands(facts),
    )


def _case(case_id: int) -> Case:
    return cases.by_id(case_id) or abort(404, NOT_OPEN)
