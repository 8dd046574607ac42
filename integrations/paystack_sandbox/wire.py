"""The gateway's envelopes and door: how answers look, what a body is, and who may ask.

What is answered is left to the calls.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from integrations.sandbox.clock import iso

BODY_LIMIT_BYTES = 1024 * 1024
CURRENCY = "GHS"


class Refused(Exception):
    """Carries the answer that ends a call; whatever it changed is undone."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass
class Call:
    """One request past the door. `world` is that of the key."""

    request: Request
    world: str
    body: Mapping[str, Any]
    argument: str = ""
    deliver: list[int] = field(default_factory=list)
    """Webhooks that go out before the answer."""

    def text(self, name: str, default: str = "") -> str:
        value = self.body.get(name)
        return value if isinstance(value, str) else default

    def amount(self, least: int = 1) -> int:
        """The amount in pesewas, as a number or text of digits. Raises `Refused`."""
        value = self.body.get("amount")
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value, re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise bad("Invalid Amount Sent")
        return value


def compact(value: Any) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")


def answer(status: int, body: Mapping[str, Any]) -> Response:
    return Response(
        compact(body), status, content_type="application/json; charset=utf-8"
    )


def ok(message: str, data: Any = None, **more: Any) -> Response:
    return answer(200, {"status": True, "message": message, "data": data, **more})


def done(message: str) -> Response:
    return answer(200, {"status": True, "message": message})


def refusal(status: int, message: str, code: str = "", **more: Any) -> Response:
    """With a code as newer errors are; without one as the older ones, which have a text alone."""
    body: dict[str, Any] = {"status": False, "message": message}
    if code:
        kind = "api_error" if status >= 500 else "validation_error"
        body |= {"type": kind, "code": code, "meta": {"nextStep": "Look at the docs"}}
    return answer(status, body | more)


def bad(message: str, code: str = "invalid_params", status: int = 400) -> Refused:
    return Refused(refusal(status, message, code))


def missing(what: str) -> Refused:
    return Refused(refusal(404, f"{what} not found", "not_found"))


def read_body(request: Request) -> Mapping[str, Any]:
    """The JSON object, or a form's fields. Raises `Refused`."""
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        raise bad("That is too much", status=413)
    raw = request.get_data()
    if not raw:
        return {}
    if request.mimetype == "application/x-www-form-urlencoded":
        return dict(request.form)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise bad("That is not JSON") from None
    if not isinstance(body, dict):
        raise bad("Send an object")
    return body


def world_of(request: Request, keys: Mapping[str, str]) -> str:
    """The world whose secret key came along. Raises `Refused`."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    for world, key in keys.items():
        if hmac.compare_digest(given, key.encode()):
            return world
    raise Refused(refusal(401, "Invalid key", "invalid_Key"))


def moment(at: float | None) -> str | None:
    return None if at is None else iso(at)


def pages(request: Request, total: int) -> tuple[int, int, dict[str, Any]]:
    """How many rows are skipped and shown, and what the list says of itself."""
    per_page = _number(request, "perPage", 50, most=100)
    page = _number(request, "page", 1, most=10_000)
    skipped = (page - 1) * per_page
    meta = {
        "total": total,
        "skipped": skipped,
        "perPage": per_page,
        "page": page,
        "pageCount": -(-total // per_page),
    }
    return skipped, per_page, meta


def _number(request: Request, name: str, default: int, most: int) -> int:
    value = request.args.get(name, default=default, type=int)
    return min(max(value, 1), most)
