"""What pages of one's own log-in have in common: their frame, what was typed, the way out."""

from __future__ import annotations

from flask import flash, g, redirect, request
from werkzeug.wrappers import Response

from edge import hosts

Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]

NAMES = {hosts.PORTAL: "portal", hosts.CONSOLE: "console"}
"""The blueprint of each room with log-ins."""
_LONGEST_TYPED = 1_024


def layout() -> str:
    """The template of the room's pages."""
    return f"{NAMES[hosts.place().room]}/layout.html"


def typed(name: str) -> str:
    """A field of the form, cut where nobody types any more."""
    return request.form.get(name, "")[:_LONGEST_TYPED]


def leave(sentence: str) -> Response:
    """To the log-in page, with nothing of this log-in left in the browser."""
    g.entrance.leave()
    return to_log_in(sentence)


def to_log_in(sentence: str, kind: str = "done") -> Response:
    """To the log-in page, with a sentence."""
    flash(sentence, kind)
    return redirect("/login", 303)
