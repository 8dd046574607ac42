"""How much a request may bring, by room and path, and that it came whole: one table and one check.

Decides before a body is read what is too large or of unknown length, and afterwards whether all of
it arrived. The server asks `judge` before a thread is taken; `require_whole` asks the same inside
the application, so that it holds under any server.
"""

from __future__ import annotations

import io
import re
from functools import lru_cache

from flask import abort
from flask_login import current_user

import http_server
from core.base import config
from core.base.config import Config
from edge import hosts
from http_server import Allowance, Head, Refusal, reading
from http_server.pool import path_of


@lru_cache(maxsize=2)
def table(settings: Config) -> dict[tuple[str, str], Allowance]:
    """Every address with a limit of its own, by room and path; `<>` stands for one changing part.
    All others: `usual`.

    A webhook may come in chunks, since the sender is not ours to change: its limit then holds by
    count.
    """
    upload = Allowance(settings.form_bytes, bytes_logged_in=settings.upload_bytes)
    return {
        (hosts.HOOKS, "/datamart/<>"): Allowance(
            settings.webhook_bytes, may_be_chunked=True
        ),
        (hosts.HOOKS, "/paystack"): Allowance(
            settings.gateway_bytes, may_be_chunked=True
        ),
        (hosts.HOOKS, "/paystack/approval"): Allowance(
            settings.webhook_bytes, may_be_chunked=True
        ),
        (hosts.PORTAL, "/lists"): upload,
        (hosts.PORTAL, "/store/logo"): upload,
        (hosts.PORTAL, "/payments"): Allowance(
            settings.form_bytes, bytes_logged_in=settings.pasted_bytes
        ),
    }


DEAR = re.compile("/login(/code)?|/account/(password|confirm)|/reset/[^/]+|/join/[^/]+")
"""Where the portal and the console hash a password, and where guessers send theirs."""


def usual(settings: Config) -> Allowance:
    return Allowance(settings.form_bytes)


def allowed(room: str, path: str) -> Allowance:
    """What may come to this address."""
    settings = config.current()
    for (its_room, its_path), allowance in table(settings).items():
        if room == its_room and re.fullmatch(
            re.escape(its_path).replace("<>", "[^/]+"), path
        ):
            return allowance
    return usual(settings)


def judge(head: Head) -> Allowance:
    """What this request may bring; before any of its body is read. Raises `Refusal` 400 when it
    names two hosts."""
    settings = config.current()
    forwarded = [
        value.decode("latin-1")
        for name, value in head.headers
        if name == b"x-forwarded-host"
    ]
    if forwarded or not head.path.startswith("/"):
        hosts.refuse_other_host(
            head.host, head.target, [] if settings.proxy_host else forwarded
        )
    if not head.length and not head.is_chunked:
        return usual(settings)
    return allowed(_room(head, forwarded), head.path)


def is_dear(head: Head) -> bool:
    """Whether a password comes with this request. Hashing one is costly, so such requests wait
    apart from pages."""
    if head.method != "POST" or not DEAR.fullmatch(path_of(head)):
        return False
    forwarded = [
        value.decode("latin-1")
        for name, value in head.headers
        if name == b"x-forwarded-host"
    ]
    return _room(head, forwarded) in (hosts.PORTAL, hosts.CONSOLE)


def _room(head: Head, forwarded: list[str]) -> str:
    settings = config.current()
    try:
        return hosts.place_of(
            hosts.forwarded_host(head.host, forwarded, settings), settings.base_domain
        ).room
    except hosts.BadHost:
        return hosts.NOWHERE


def require_whole() -> None:
    """400 for a body that was cut off, 411 and 413 as in `judge`. What the server has read is not
    read again."""
    request = hosts.present()
    is_chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    length = request.content_length
    if not length and not is_chunked:
        return
    allowance = allowed(hosts.place().room, request.path)
    try:
        allowance.check(length, is_chunked)
    except Refusal as refusal:
        abort(refusal.status, refusal.sentence or None)
    most = allowance.bytes_most
    if (length or 0) > most:
        if not current_user.is_authenticated:
            abort(413)
        most = allowance.bytes_logged_in
    request.max_content_length = request.max_form_memory_size = most
    if http_server.WHOLE in request.environ:
        return
    try:
        body = reading.read(request.environ["wsgi.input"], length, most)
    except Refusal as refusal:
        abort(refusal.status, refusal.sentence or None)
    request.environ["wsgi.input"] = io.BytesIO(body)
    request.environ["CONTENT_LENGTH"] = str(len(body))
