"""A webhook body of Data Mart: what it says, and whether its signature holds.

Decides the reading only. A webhook rings and proves nothing; who may ring, and what happens then,
is left to others.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.datamart import status
from integrations.ports import StatusWord, WebhookNews
from integrations.strict_json import loads, text

MODES = (
    "platform_data_secret",
    "platform_data_key",
    "body_secret",
    "static_token",
    "none",
)

_SIGN_DATA = ("platform_data_secret", "platform_data_key")
"""These vouch for the member `data` and for nothing around it."""
_REFERENCES = ("reference", "orderReference", "ref", "bulk_reference", "transactionId")
_STATUSES = ("new_status", "status", "orderStatus")
# the latter means that a batch was accepted
_NO_STATUS = (
    "webhook.test",
    "bulk_purchase.completed",
)
_REFERENCE = re.compile(r"[\x21-\x7e]{1,64}")
_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, repr=False)
class Verifier:
    """The modes to try, in order, and the key of each. An empty key never verifies anything."""

    modes: Sequence[str]
    api_secret: str = ""
    data_key: str = ""
    body_secret: str = ""
    static_token: str = ""

    def __post_init__(self) -> None:
        for mode in self.modes:
            if mode not in MODES:
                raise ValueError(
                    f"{mode!r} is no way to verify a webhook; there are: {' '.join(MODES)}"
                )


def read_event(
    body: bytes, headers: Mapping[str, str], verifier: Verifier
) -> WebhookNews:
    """What `body` says. Never raises, whatever the bytes; a body that is no JSON object says
    nothing."""
    lowered = {name.lower(): value for name, value in headers.items()}
    try:
        members = loads(body)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        members = {}
    inner = members.get("data")
    if isinstance(inner, dict):
        places = [inner, members]
    else:
        places = [members]
    event = text(members.get("event"), 60)
    order_ref = _first(places, _REFERENCES)
    word, raw = _status(event, places)
    verified_by = _verified_by(body, members, lowered, verifier)
    if verified_by in _SIGN_DATA and not _says_so_itself(inner, order_ref, raw):
        verified_by = None
    return WebhookNews(
        event=event,
        order_ref=order_ref if order_ref and _REFERENCE.fullmatch(order_ref) else None,
        status=word,
        raw_status=raw,
        verified_by=verified_by,
    )


def data_text(body: bytes) -> bytes | None:
    """The exact bytes of the top-level `data` value, which are what the supplier signs. Written
    again from the parsed value they might differ in a number or in the order of keys.
    """
    try:
        return _member(body.decode("utf-8"), "data")
    except (ValueError, RecursionError):
        return None


def _member(text: str, name: str) -> bytes | None:
    """Walks the top level of an object; of two members with one name the last counts, as in
    JSON.parse."""
    decoder = json.JSONDecoder()
    found = None
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":
        return None
    sign = ","
    while sign == ",":
        key, at = decoder.raw_decode(text, _after_space(text, at + 1))
        at = _after_space(text, at)
        if text[at : at + 1] != ":":
            return None
        start = _after_space(text, at + 1)
        _, at = decoder.raw_decode(text, start)
        if key == name:
            found = text[start:at].encode()
        at = _after_space(text, at)
        sign = text[at : at + 1]
    return found if sign == "}" else None


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    if match:
        return match.end()
    return at


def _says_so_itself(
    data: Any,
    order_ref: str | None,
    raw_status: str | None,
) -> bool:
    """Whether the reference and the status were read from `data`. A signed "webhook.test" has
    neither: put into another wrapping, it must not vouch for a reference and a word written beside
    it."""
    if isinstance(data, dict):
        places = [data]
    else:
        places = []
    return order_ref == _first(places, _REFERENCES) and (
        raw_status is None or raw_status == _first(places, _STATUSES)
    )


def _status(
    event: str, places: Sequence[Mapping[str, Any]]
) -> tuple[StatusWord | None, str | None]:
    """Our word and theirs. A word that is not in the table stays theirs only: it is a hint and
    needs no alarm."""
    if event in _NO_STATUS:
        return None, None
    raw = _first(places, _STATUSES)
    if raw is not None:
        return status.known(raw), raw
    suffix = event.rpartition(".")[2]
    word = status.known(suffix)
    return word, (suffix if word else None)


def _first(places: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str | None:
    for place in places:
        for name in names:
            value = place.get(name)
            if isinstance(value, str) and value.strip():
                return text(value.strip(), 80)
    return None


def _verified_by(
    body: bytes,
    members: Mapping[str, Any],
    headers: Mapping[str, str],
    verifier: Verifier,
) -> str | None:
    in_body = members.get("signature")
    signature = headers.get("x-platform-signature") or (
        in_body if isinstance(in_body, str) else ""
    )
    data = data_text(body)
    for mode in verifier.modes:
        if mode == "platform_data_secret":
            holds = _signed(verifier.api_secret, data, signature)
        elif mode == "platform_data_key":
            holds = _signed(verifier.data_key, data, signature)
        elif mode == "body_secret":
            holds = _signed(
                verifier.body_secret, body, headers.get("x-datamart-signature", "")
            )
        elif mode == "static_token":
            tokens = (
                headers.get("x-api-key", ""),
                headers.get("x-webhook-signature", ""),
            )
            holds = bool(verifier.static_token) and any(
                _same(verifier.static_token, token) for token in tokens
            )
        else:
            holds = False
        if holds:
            return mode
    return None


def _signed(key: str, signed: bytes | None, signature: str) -> bool:
    if not key or signed is None:
        return False
    return _same(hmac.new(key.encode(), signed, hashlib.sha256).hexdigest(), signature)


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(
        expected.encode("utf-8", "replace"), given.encode("utf-8", "replace")
    )
