"""The envelope around every Paystack answer, and all that comes instead of one.

Decides whether an answer is Paystack's own word (a JSON object with a boolean `status`), and what a
refusal proves. That `status` is about the call alone; the state of a payment, refund or transfer is
`data.status`, read beside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations import http
from integrations.payment_shapes import NotFound, RefusalKind, Refused, Unclear
from integrations.payments_port import NotDone
from integrations.ports import NoAnswer, NotSent
from integrations.strict_json import loads, text

RESET_LEAST_S, RESET_MOST_S = 1.0, 60.0
EPOCH_FROM = 1_000_000_000
"""A reset above this is a moment, below it a time to wait: which one comes is unproven."""
_PROVES_NOTHING = frozenset({408, 409, 421, 423, 425, 499})
"""Refusals that may come although, or while, the call is being worked on."""

_BY_CODE: dict[str, RefusalKind] = {
    "invalid_key": "credentials",
    "missing_params": "invalid",
    "invalid_params": "invalid",
    "invalid_email_address": "invalid",
    "duplicate_reference": "duplicate_reference",
    "duplicate_transfer_reference": "duplicate_reference",
    "insufficient_balance": "insufficient_balance",
    "transaction_reversed": "already_refunded",
    "invalid_transfer_recipient": "recipient",
    "transaction_not_found": "not_found",
    "not_found": "not_found",
}
_BY_TEXT: tuple[tuple[str, RefusalKind], ...] = (
    ("duplicate", "duplicate_reference"),
    ("balance is not enough", "insufficient_balance"),
    ("starter business", "starter_business"),
    ("to this recipient", "recipient"),
    ("account closed", "recipient"),
    ("bank code is invalid", "recipient"),
    ("fully reversed", "already_refunded"),
    ("not found", "not_found"),
    ("reference is invalid", "not_found"),
)
"""Older errors have no code. The first of these that stands in the message decides."""
_NOT_FOUND = frozenset({"transaction_not_found", "not_found"})


@dataclass(frozen=True)
class Envelope:
    """Paystack's own word. `data` may be there on refusals too."""

    http_status: int
    is_true: bool
    code: str
    message: str
    next_step: str
    data: Any = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """True in the body *and* in the HTTP status; one without the other says nothing."""
        return self.is_true and 200 <= self.http_status < 300

    @property
    def refuses_us(self) -> bool:
        return not self.is_true and self.http_status in (401, 403)

    @property
    def is_not_found(self) -> bool:
        """A statement about the object, not the router's about the address."""
        if self.is_true or self.http_status not in (400, 404):
            return False
        if self.code:
            return self.code.lower() in _NOT_FOUND
        return "not found" in self.message.lower()


@dataclass(frozen=True)
class Foreign:
    """An answer that is not an envelope: of a proxy, or cut on its way."""

    reason: str


def read(answer: http.Answer) -> Envelope | Foreign:
    """What kind of answer this is. Never raises, whatever the bytes."""
    try:
        body = loads(answer.body)
    except ValueError:
        return Foreign("empty" if not answer.body.strip() else "not_json")
    if not isinstance(body, dict) or not isinstance(body.get("status"), bool):
        return Foreign("no_envelope")
    meta = body.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    return Envelope(
        http_status=answer.status,
        is_true=body["status"],
        code=text(body.get("code"), 60),
        message=text(body.get("message")),
        next_step=text(meta.get("nextStep") or meta.get("next_step")),
        data=body.get("data"),
        meta=meta,
    )


def acted(reply: http.Reply, now_s: float) -> Envelope | NotDone:
    """What the answer to an act proves; a success is handed back to be read.

    Only a refusal in Paystack's own words with a 4xx proves that this call did nothing.
    """
    if isinstance(reply, http.NotConnected):
        return NotSent(reply.reason)
    if isinstance(reply, http.Lost):
        return Unclear(reply.reason)
    if reply.status == 429:
        return NotSent("http_429", reset_s(reply, now_s), rate_limited=True)
    answer = read(reply)
    if isinstance(answer, Foreign):
        return Unclear(f"http_{reply.status}_{answer.reason}")
    if answer.is_ok:
        return answer
    if answer.is_true or not 400 <= answer.http_status < 500:
        return Unclear(f"http_{answer.http_status}_{answer.code or 'no_code'}")
    if answer.http_status in _PROVES_NOTHING:
        return Unclear(f"http_{answer.http_status}")
    return Refused(
        _kind(answer),
        answer.code or f"HTTP_{answer.http_status}",
        answer.message,
        answer.next_step,
    )


def found(
    reply: http.Reply, now_s: float, reference: str
) -> Envelope | NotFound | NoAnswer:
    """The successful answer to a look-up, Paystack's "not found", or why neither is known."""
    answer = read(reply) if isinstance(reply, http.Answer) else None
    if isinstance(answer, Envelope):
        if answer.is_ok:
            return answer
        if answer.is_not_found:
            return NotFound(reference)
    return no_answer(reply, now_s)


def listed(reply: http.Reply, now_s: float) -> Envelope | NoAnswer:
    """A successful answer whose `data` is a list."""
    answer = read(reply) if isinstance(reply, http.Answer) else None
    if isinstance(answer, Envelope) and answer.is_ok and isinstance(answer.data, list):
        return answer
    return no_answer(reply, now_s)


def no_answer(reply: http.Reply, now_s: float) -> NoAnswer:
    """Why a read brought no information, in the caller's words: wait, alarm, or ask again."""
    if not isinstance(reply, http.Answer):
        return NoAnswer("unreachable", reply.reason)
    if reply.status == 429:
        return NoAnswer("rate_limited", "http_429", reset_s(reply, now_s))
    answer = read(reply)
    kind = "broken" if reply.status >= 400 else "unclear"
    if isinstance(answer, Foreign):
        return _none(kind, f"http_{reply.status}_{answer.reason}")
    if answer.refuses_us:
        return NoAnswer("credentials", f"http_{reply.status}: {answer.message}")
    if answer.is_true:
        return NoAnswer("unclear", f"http_{reply.status}_success_of_another_shape")
    return _none(kind, f"http_{reply.status}_{answer.code or answer.message}")


def reset_s(answer: http.Answer, now_s: float) -> float:
    """Seconds to wait after a 429, by `x-ratelimit-reset`: from 1 to 60, 60 when it says none."""
    wish = answer.headers.get("x-ratelimit-reset", "").strip()
    if not re.fullmatch(r"[0-9]{1,12}", wish):
        return RESET_MOST_S
    seconds = float(wish)
    if seconds > EPOCH_FROM:
        seconds -= now_s
    return min(max(seconds, RESET_LEAST_S), RESET_MOST_S)


def _none(kind: str, reason: str) -> NoAnswer:
    if kind == "broken":
        return NoAnswer("broken", reason)
    return NoAnswer("unclear", reason)


def _kind(answer: Envelope) -> RefusalKind:
    if answer.refuses_us:
        return "credentials"
    known = _BY_CODE.get(answer.code.lower())
    if answer.http_status == 422 and known in (None, "invalid"):
        return "wrong_state"
    if known:
        return known
    said = answer.message.lower()
    return next((kind for words, kind in _BY_TEXT if words in said), "other")
