"""Disputes of all stores: what waits for an answer and for how long, one with its evidence and what
each answer does to the money, and the answer itself.

Decides words and what a person sees before they answer. Whether an answer can be given, and what it
sends, is `core.disputes`'.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp
from admin_console.auth import needs
from core import disputes
from core.audit import Actor
from core.base import clock, config, money
from core.base.text_input import one_line, row_id
from core.disputes import BadAnswer
from core.disputes.listing import FILTERS, Effect, Left, Listed
from core.disputes.model import Answer
from core.orders import Moment

STATES: dict[str, tuple[str, str]] = {
    "heard": ("waiting", "Being looked up"),
    "needs_answer": ("waiting", "Needs an answer"),
    "answering": ("moving", "Being answered"),
    "sent": ("moving", "Contested"),
    "won": ("done", "Won"),
    "lost": ("stopped", "Lost"),
    "accepted": ("returned", "Accepted"),
    "auto_accepted": ("stopped", "Auto-accepted"),
    "unknown": ("stopped", "Unknown there"),
}
ANSWERS: dict[str, tuple[str, str]] = {
    "asked": ("waiting", "to be sent"),
    "submitting": ("moving", "being sent"),
    "taken": ("done", "taken by the gateway"),
    "refused": ("stopped", "refused by the gateway"),
    "dropped": ("returned", "too late"),
}
TABS = {
    "answer": "To answer",
    "bank": "With the bank",
    "won": "Won",
    "lost": "Money taken",
    "all": "All",
}
GIVEN: dict[Answer, str] = {
    "accept": "Accepted. The gateway gives {} back in a moment.",
    "contest": "Contested with this evidence. It is sent in a moment.",
}


@bp.get("/disputes")
def list_disputes() -> str:
    wanted = request.args.get("show", "all")
    if wanted not in FILTERS:
        wanted = "all"
    size = config.current().page_size
    found = disputes.listing.listed(wanted, size + 1)
    return render_template(
        "console/disputes.html",
        found=found[:size],
        is_more=len(found) > size,
        wanted=wanted,
        tabs_of=[(word, _path(key), None) for key, word in TABS.items()],
        here_tab=_path(wanted),
        states=STATES,
        left_words=left_words,
        until=until,
    )


@bp.get("/disputes/<dispute_id>")
def show_dispute(dispute_id: str) -> str:
    return _one(_of(dispute_id))


@bp.post("/disputes/<dispute_id>/accept")
@needs("fund")
def accept_dispute(dispute_id: str) -> Response | tuple[str, int]:
    """The payer gets the money back."""
    return _answer(dispute_id, "accept")


@bp.post("/disputes/<dispute_id>/contest")
@needs("fund")
def contest_dispute(dispute_id: str) -> Response | tuple[str, int]:
    """Send the evidence; the payer's bank decides."""
    return _answer(dispute_id, "contest")


def left_words(left: Left) -> str:
    """The working time left, as people say it."""
    minutes = int(left.time / timedelta(minutes=1))
    if minutes <= 0:
        return "the time is over"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [
        f"{many} {word}{'s' if many != 1 else ''}"
        for many, word in ((days, "day"), (hours, "hour"), (minutes, "minute"))
        if many
    ]
    return f"{' '.join(parts[:2])} of working time left"


def until(moment: datetime) -> str:
    """A deadline with its day of the week: "Tue 8 Dec, 18:00"."""
    local = moment.astimezone(clock.ACCRA)
    return f"{local:%a} {local.day} {local:%b, %H:%M}"


def _answer(dispute_id: str, answer: Answer) -> Response | tuple[str, int]:
    found = _of(dispute_id)
    words = one_line(request.form.get("words", ""), disputes.answering.MOST_WORDS)
    effect = disputes.listing.effect(found)
    if request.form.get("seen") != _seen(effect):
        problem = "What this does to the money has changed: read it and press again."
        return _one(found, {answer: problem}, words), 422
    try:
        disputes.give(found.dispute.id, answer, words, Actor.of_login(current_user))
    except BadAnswer as refusal:
        return _one(_of(dispute_id), {answer: refusal.sentence}, words), 422
    flash(GIVEN[answer].format(money.cedis(effect.taken_pesewas)))
    return redirect(url_for(".show_dispute", dispute_id=found.dispute.id), 303)


def _of(dispute_id: str) -> Listed:
    return disputes.listing.by_id(row_id(dispute_id) or abort(404)) or abort(404)


def _one(found: Listed, problems: dict[str, str] | None = None, words: str = "") -> str:
    effect = disputes.listing.effect(found)
    pack = disputes.listing.pack(found)
    return render_template(
        "console/dispute.html",
        one=found,
        dispute=found.dispute,
        state=STATES[found.dispute.state],
        effect=effect,
        seen=_seen(effect),
        pack=pack,
        delivered=disputes.evidence.is_delivered(found.order),
        answers=disputes.listing.answers(found.dispute.id),
        answer_states=ANSWERS,
        moments=_moments(found),
        left_words=left_words,
        until=until,
        problems=problems or {},
        typed=words,
        longest=disputes.answering.MOST_WORDS,
    )


def _moments(found: Listed) -> list[Moment]:
    return [
        Moment(datetime.fromisoformat(line["at"]), line["who"], line["text"])
        for line in found.dispute.timeline
    ]


def _seen(effect: Effect) -> str:
    """What a press was shown: it counts only while that stands."""
    return f"{effect.taken_pesewas}/{effect.owed_pesewas}/{effect.agent_pesewas}"


def _path(key: str) -> str:
    return "/disputes" if key == "all" else f"/disputes?show={key}"
