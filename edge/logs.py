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
from flask import Flask, Response, g, request

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
    renderer = structlog.processors.JSONRenderer() if config.log_json else readable
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    handler.set_name("makola")
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if h.get_name() != "makola"] + [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "werkzeug", "flask-limiter"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def install(app: Flask) -> None:
    app.before_request(begin)
    app.after_request(end)
    app.teardown_request(lambda _error: structlog.contextvars.clear_contextvars())


def begin() -> None:
    """Name the request. A name from outside counts only in a shape that cannot carry anything
    else."""
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
    g.started = time.monotonic()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        request_id=g.request_id, address=addresses.key(request.remote_addr)
    )


def end(response: Response) -> Response:
    place = hosts.place()
    log.info(
        "request",
        method=request.method,
        room=place.room,
        slug=place.slug,
        rule=str(request.url_rule) if request.url_rule else None,
        status=response.status_code,
        person=_person(),
        ms=round((time.monotonic() - g.started) * 1_000, 1) if "started" in g else None,
    )
    response.headers["X-Request-Id"] = g.get("request_id", "-")
    return response


def _person() -> int | None:
    """The id of the person this request turned out to be of. Asks nothing: most pages never look
    who it is."""
    login = g.get("_login_user")
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
