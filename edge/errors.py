"""What people read when something is refused or breaks: a sentence, and what to do.

Decides the words per status and which theme they wear; a room may give its own sentence by
`abort(404, "…")`. A store known to the request answers in its own theme when
`storefront/error.html` exists, except when the database is down.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, Response, g, make_response, render_template, request
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from jinja2 import TemplateNotFound
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as BaseResponse

from core.base import browsers, db, hashing, language
from core.base.language import later, wording
from edge import bind, hosts, logs, refusals, sessions
from edge.filters import wants_fragment


@dataclass(frozen=True)
class Words:
    title: str
    sentence: str
    advice: str


WORDS = {
    400: Words(
        later("That request was not complete"),
        later("We could not read it."),
        later("Go back, reload the page and send it again."),
    ),
    403: Words(
        later("Not allowed"),
        later("You may not do this here."),
        later("Go back and start from the page itself."),
    ),
    404: Words(
        later("Nothing here"),
        later("There is no page at this address."),
        later("Check the link, or start again from the front."),
    ),
    405: Words(
        later("Not that way"),
        later("This page cannot be used like that."),
        later("Go back and use the buttons on the page."),
    ),
    408: Words(
        later("That took too long"),
        later("What you sent did not arrive within ten seconds, so nothing was done."),
        later(
            "Look at your connection and send it again. Sending the same form twice never orders"
            " twice."
        ),
    ),
    410: Words(
        later("This shop has moved"),
        later("It has another address now, so nothing was done here."),
        later("Open it there and do it once more."),
    ),
    411: Words(
        later("That request was not complete"),
        later("It did not say how long it is."),
        later("Go back and send it from the page."),
    ),
    413: Words(
        later("Too much at once"),
        later("What you sent is larger than any form of ours."),
        later("Go back and send less."),
    ),
    431: Words(
        later("Too much at once"),
        later("Your browser sent more along than we read."),
        later("Clear the cookies of this site and load it again."),
    ),
    429: Words(
        later("A little slower, please"),
        later("Too many tries from your connection."),
        later("Wait some minutes and try again."),
    ),
    500: Words(
        later("Something broke on our side"),
        later("It has been written down for us to mend."),
        later(
            "Go back and try once more. Sending the same form twice never orders twice."
        ),
    ),
    503: Words(
        later("Back in a moment"),
        later("We cannot reach our records just now."),
        later(
            "Wait a minute and send it again. Sending the same form twice never orders twice."
        ),
    ),
}
BUSY = Words(
    later("Busy for a moment"),
    later("Somebody else is at the same thing just now."),
    later(
        "Wait a moment and send it again. Sending the same form twice never orders twice."
    ),
)
"""A 503 whose reason is another transaction that would not end."""
NO_COOKIES = Words(
    later("This browser keeps no cookies"),
    later("Its forms need one, and none came with this one, so nothing was done."),
    later(
        "Allow cookies for this site in the browser's settings, leave its private window, or use"
        " another browser. Then open the page again."
    ),
)
"""A 400 whose form had no token to fit, because there is no cookie at all."""
TWO_LOG_INS = Words(
    "This browser sends two log-ins",
    "One of them is not yours, so nothing was done.",
    "Clear the cookies of this site and of the addresses beside it in the browser's settings, then"
    " log in again. If it comes back, use a newer browser: this one lets other sites plant cookies"
    " here.",
)
_LIKE = {
    401: 403,
    406: 400,
    414: 413,
    415: 400,
    502: 503,
    504: 503,
}
CROWDED = Words(
    later("Busy for a moment"),
    later("Very many people are here just now."),
    WORDS[503].advice,
)
"""A 503 of the server: too many requests wait, or too many are being sent."""
RETRY_S = 10


def install(app: Flask) -> None:
    app.register_error_handler(HTTPException, refused)
    app.register_error_handler(DataError, unreadable)
    app.register_error_handler(hashing.Busy, busy)
    for down in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(down, database_down)


def refused(error: HTTPException) -> BaseResponse:
    """Any refusal, with the room's own sentence when it gave one. A bug arrives here too, logged by
    Flask, as a 500."""
    if error.response is not None:
        return error.response
    status = error.code or 500
    if isinstance(error, CSRFError) and (answer := _old_page()) is not None:
        return answer
    refusals.note(error)
    own, words = _what_to_say(error)
    response = page(status, own, words=words)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    if status == 429:
        response.headers.setdefault("Retry-After", "60")
    return response


def _old_page() -> BaseResponse | None:
    try:
        return bind.answer_old_page()
    except SQLAlchemyError:  # nobody can say who is logged in just now
        return None


def unreadable(_error: DataError) -> Response:
    """The database could not take a value as it stands, such as a NUL or a number too large."""
    return page(400, later("Something in it cannot be stored as it stands."))


def _what_to_say(error: HTTPException) -> tuple[str | None, Words | None]:
    """The room's own sentence, and words in place of those of the status; None for either when
    there are none."""
    if isinstance(error, sessions.TwoLogIns):
        return None, TWO_LOG_INS
    if isinstance(error, CSRFError):
        if browsers.keeps_ours(request.cookies):
            return later("This page had grown old, so nothing was done."), None
        return None, NO_COOKIES
    if isinstance(error, RateLimitExceeded):
        return None, None
    if error.description == type(error).description:
        return None, None
    return error.description, None


def database_down(error: Exception) -> Response:
    logs.log.error(
        "database",
        problem=type(error).__name__,
        detail=str(getattr(error, "orig", error)),
    )
    response = page(503, words=BUSY if db.is_conflict(error) else None)
    response.headers["Retry-After"] = str(RETRY_S)
    return response


def busy(error: hashing.Busy) -> Response:
    """Too many passwords are being hashed; a page with a form of its own says so itself."""
    response = page(503, error.sentence)
    response.headers["Retry-After"] = str(error.wait_s)
    return response


def page(
    status: int, sentence: str | None = None, *, words: Words | None = None
) -> Response:
    """The answer for `status`: a whole page, or for htmx a small part without any trigger.

    That there is no shop is said in English whatever the address: it is one page for all of them.
    """
    spoken = language.ENGLISH if g.get("no_shop") else language.current()
    with language.spoken(spoken):
        return _page(status, sentence, words)


def _page(status: int, sentence: str | None, words: Words | None) -> Response:
    words = (
        words
        or WORDS.get(status)
        or WORDS[_LIKE.get(status, 400 if status < 500 else 500)]
    )
    values = {
        "status": status,
        "title": wording(words.title),
        "sentence": wording(sentence or words.sentence),
        "advice": wording(words.advice),
        "request_id": g.get("request_id", "-"),
        "again": _fields() if status == 503 else [],
        "moved_to": g.get("moved_to"),
        "log_in_again": words is NO_COOKIES
        and hosts.place().room in (hosts.PORTAL, hosts.CONSOLE),
        "known_host": (
            g.get("store") is not None
            or hosts.place().room in (hosts.PORTAL, hosts.CONSOLE, hosts.BARE)
        ),
    }
    if wants_fragment():
        return make_response(render_template("shared/_error.html", **values), status)
    return make_response(_page_html(status, values), status)


def _page_html(status: int, values: dict[str, object]) -> str:
    if (
        g.get("store") is not None
        and hosts.place().room == hosts.STORE
        and status not in (500, 503)
    ):
        try:
            return render_template("storefront/error.html", **values)
        except TemplateNotFound:
            pass
    return render_template("bare/error.html", **values)


def _fields() -> list[tuple[str, str]]:
    """What was posted, for a page that can send it again; nothing when there is a password in
    it."""
    try:
        fields = list(request.form.items(multi=True))
    except HTTPException:  # too much, and not read before
        return []
    if any("password" in name for name, _ in fields):
        return []
    return fields
