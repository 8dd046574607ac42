"""Logs: one line per request and per event, readable or JSON, each with its request's id.

Decides what never reaches a log: values of fields that name a secret, customers' numbers (also when
a statement of the database failed with one in it), and line breaks that would forge a line. Paths
are logged by their rule, so that codes and tokens in addresses stay out.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import structlog
from flask import Flask, Response

from core.base import addresses, phones
from core.base.config import Config
from edge import hosts

_SECRET = re.compile(
    r"(?i)password|secret|token|cookie|authorization|api_?key|signature"
)
_PLAIN = re.compile(r"[^\s\x00-\x1f\x7f\u2028\u2029\"=]+")
_PLAIN_WORDS = re.compile(r"[^\x00-\x1f\x7f\u2028\u2029\"]*")
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_LONGEST = 2_000

log = structlog.get_logger("edge")

_steps: list[Any] = []
"""What an event goes through. One list for ever, since each logger keeps what it is made of."""


def configure(config: Config) -> None:
    """Send everything, the standard library's loggers included, to standard error in one format."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    _steps[:] = [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=_steps,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _leave_out_what_no_line_says()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        Lines(
            structlog.processors.JSONRenderer() if config.log_json else readable, shared
        )
    )
    handler.set_name("makola")
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if h.get_name() != "makola"] + [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "werkzeug", "flask-limiter"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _leave_out_what_no_line_says() -> None:
    """Neither place in the code nor thread nor process, in the way that the library's manual
    names: it looks for them for each record."""
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class Lines(structlog.stdlib.ProcessorFormatter):
    """structlog's formatter, which copies each record; an event of ours is a line without that."""

    def __init__(self, render: Any, foreign: list[Any]) -> None:
        super().__init__(
            foreign_pre_chain=foreign, processors=[self.remove_processors_meta, render]
        )
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, dict):
            line: str = self._render(None, "", dict(record.msg))
            return line
        return super().format(record)


def install(app: Flask) -> None:
    app.before_request(begin)
    app.after_request(end)
    app.teardown_request(lambda _error: structlog.contextvars.clear_contextvars())


def begin() -> None:
    """Name the request. A name from outside counts only in a shape that cannot carry anything
    else."""
    request, notes = hosts.present(), hosts.notes()
    given = request.headers.get("X-Request-Id", "")
    notes.request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
    notes.started = time.monotonic()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        request_id=notes.request_id, address=addresses.key(request.remote_addr)
    )


def end(response: Response) -> Response:
    request, notes = hosts.present(), hosts.notes()
    place = hosts.place()
    rule, started = request.url_rule, notes.get("started")
    log.info(
        "request",
        method=request.method,
        room=place.room,
        slug=place.slug,
        rule=rule.rule if rule else None,
        status=response.status_code,
        person=_person(notes.get("_login_user")),
        ms=round((time.monotonic() - started) * 1_000, 1) if started else None,
    )
    response.headers["X-Request-Id"] = notes.get("request_id", "-")
    return response


def _person(login: Any) -> int | None:
    """The id of the person this request turned out to be of. Asks nothing: most pages never look
    who it is."""
    if getattr(login, "is_authenticated", False):
        person_id: int = login.user.id
        return person_id
    return None


def hide_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Blank the value of every field whose name says it is a secret, and mask phone numbers in all
    others."""
    for key, value in event.items():
        event[key] = "[hidden]" if _is_secret(key) else phones.hide(value)
    return event


@lru_cache(maxsize=1_000)
def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name))


def readable(
    _logger: Any,
    _method: str,
    event: MutableMapping[str, Any],
) -> str:
    """`10:04:07 info edge request method=GET status=200`; text that could break the line is quoted
    as JSON."""
    stamp = str(event.pop("timestamp", ""))[11:19]
    level = event.pop("level", "info")
    name = event.pop("logger", "")
    message = event.pop("event", "")
    trace = event.pop("exception", None)
    fields = " ".join(
        f"{key}={_plain(value)}" for key, value in event.items() if value is not None
    )
    line = f"{stamp} {level:<7} {name} {_plain(message, spaces=True)} {fields}".rstrip()
    if trace:
        return f"{line}\n{trace}"
    return line


def _plain(value: Any, *, spaces: bool = False) -> str:
    text = str(value)[:_LONGEST]
    allowed = _PLAIN_WORDS if spaces else _PLAIN
    if allowed.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)
