"""The supplier's envelopes, numbers and door: how answers look and who may ask.

Decides JSON shapes, money as JSON numbers, authentication and request bodies. What is answered is
left to the calls.
"""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from integrations.sandbox.clock import Clock, iso
from integrations.sandbox.profiles import Knobs
from integrations.sandbox.store import Account, Store

BODY_LIMIT_BYTES = 10 * 1024 * 1024
JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"


class Refused(Exception):
    """Carries the answer that ends a request early."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def compact(value: Any) -> str:
    """JSON text as the supplier's language writes it: no spaces, no escapes beyond need."""
    return json.dumps(
        value,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def as_json(status: int, payload: Mapping[str, Any]) -> Response:
    # Half a surrogate pair may come in as JSON, but no UTF-8 can carry it out.
    return Response(
        compact(payload).encode("utf-8", "replace"), status, content_type=JSON_TYPE
    )


def success(
    clock: Clock, message: str, payload: Mapping[str, Any], status: int = 200
) -> Response:
    """The full envelope; members that are None are left out, at every depth."""
    body = {
        "success": True,
        "message": message,
        "data": present(payload),
        "timestamp": iso(clock.now()),
    }
    return as_json(status, body)


def failure(
    clock: Clock, status: int, message: str, code: str, **extra: Any
) -> Response:
    error = {"code": code, **present(extra)}
    return as_json(
        status,
        {
            "success": False,
            "message": message,
            "error": error,
            "timestamp": iso(clock.now()),
        },
    )


def short_failure(status: int, message: str) -> Response:
    """The envelope of the door: no error, no timestamp."""
    return as_json(status, {"success": False, "message": message})


def plain(status: int, text: str, **headers: str) -> Response:
    """Bare text that says it is HTML, as the rate limiter and the hosting proxy answer."""
    return Response(
        text,
        status,
        headers=headers,
        content_type=HTML_TYPE,
    )


def present(value: Any) -> Any:
    """The same value without members that are None."""
    if isinstance(value, Mapping):
        return {
            key: present(member) for key, member in value.items() if member is not None
        }
    if isinstance(value, list):
        return [present(member) for member in value]
    return value


def omit(payload: dict[str, Any], paths: tuple[str, ...]) -> dict[str, Any]:
    """The payload without the members at these dotted paths."""
    for path in paths:
        *parents, last = path.split(".")
        node: Any = payload
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(last, None)
    return payload


def edit(response: Response, members: Mapping[str, Any]) -> None:
    """Put `members` over the `data` of a good answer, at every depth; None leaves one out."""
    if response.is_json:
        body = json.loads(response.get_data())
    else:
        body = {}
    if isinstance(body.get("data"), dict):
        body["data"] = present(_merged(body["data"], members))
        response.set_data(compact(body).encode("utf-8", "replace"))


def _merged(value: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    return dict(value) | {
        name: _merged(value[name], wanted)
        if isinstance(wanted, Mapping) and isinstance(value.get(name), dict)
        else wanted
        for name, wanted in members.items()
    }


def number(value: float) -> int | float:
    """A number as JavaScript prints it: `10`, not `10.0`."""
    if value == math.floor(value) and abs(value) < 1e15:
        return int(value)
    return value


def cedis(pesewas: int) -> int | float:
    return number(pesewas / 100)


def balance(account: Account, knobs: Knobs) -> int | float:
    """The wallet as the wire shows it, with as much float noise as the knob says."""
    if knobs.float_noise == "off":
        return cedis(account.balance_pesewas)
    if knobs.float_noise == "always":
        return math.nextafter(account.balance_pesewas / 100, math.inf)
    return number(account.balance_float)


def read_body(request: Request) -> Any:
    """The parsed JSON body, or an empty object when there is none or it is no JSON. Raises Refused
    400 or 413."""
    raw = _read_bytes(request)
    if not raw or request.mimetype != "application/json":
        return {}
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise Refused(short_failure(400, _parser_text(raw, problem))) from None
    if not isinstance(body, (dict, list)):
        raise Refused(short_failure(400, _parser_text(raw, None)))
    return body


def authenticate(
    store: Store,
    request: Request,
    body: Any,
) -> Account:
    """The account behind the two headers. Raises Refused 401 or 403."""
    key = request.headers.get("X-API-Key")
    secret = request.headers.get("X-API-Secret")
    if not key or not secret:
        raise Refused(short_failure(401, "API credentials required"))
    account = store.account_by_key(key)
    if account is None or account.status != "active":
        raise Refused(short_failure(401, "Invalid API key"))
    if not hmac.compare_digest(secret.encode(), account.api_secret.encode()):
        raise Refused(short_failure(401, "Invalid API credentials"))
    sent_url = body.get("webhookUrl") if isinstance(body, dict) else None
    if sent_url and account.webhook_url and sent_url != account.webhook_url:
        raise Refused(short_failure(403, "Webhook URL mismatch"))
    return account


def _read_bytes(request: Request) -> bytes:
    too_large = Refused(short_failure(413, "request entity too large"))
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        # Read a little of it, so that the client sees the answer and not a reset.
        left = 2 * BODY_LIMIT_BYTES
        while left > 0 and (chunk := request.stream.read(min(left, 65536))):
            left -= len(chunk)
        raise too_large
    raw = request.stream.read(BODY_LIMIT_BYTES + 1)
    if len(raw) > BODY_LIMIT_BYTES:
        raise too_large
    return raw


def _no_constant(word: str) -> Any:
    raise ValueError(word)  # NaN and Infinity are Python's, not JSON's


def _parser_text(raw: bytes, problem: Exception | None) -> str:
    text = raw.decode("utf-8", "replace")
    if isinstance(problem, json.JSONDecodeError):
        at = problem.pos
    else:
        at = 0
    if at >= len(text):
        return "Unexpected end of JSON input"
    return f"Unexpected token {text[at]} in JSON at position {at}"
