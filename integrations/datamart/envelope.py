"""The envelope around every Data Mart answer, and all that comes instead of one.

Decides whether an answer is the supplier's own word (a JSON object with a boolean `success`) or
something foreign: HTML, plain text, an empty or cut body. What a code means for money is left to
`purchases` and `transactions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrations import http
from integrations.ports import NoAnswer
from integrations.strict_json import loads, text

RETRY_AFTER_DEFAULT_S = 60.0  # the supplier's window, when it names no time
RETRY_AFTER_MAX_S = 300.0  # five windows; a longer wish is a mistake on the wire
ENDPOINT_GONE = "ENDPOINT_NOT_FOUND"

_HIDDEN = re.compile(r"(?:[*•●▪#?]|\.{2,}|…)+")
"""What stands for a part of a reference that is not shown."""
_NO_REFERENCE = frozenset(
    {"", "-", "--", "N/A", "NA", "NONE", "NULL", "UNDEFINED", "HIDDEN"}
)
_ABOUT_US = re.compile(
    r"\b(keys?|secrets?|credentials?|tokens?|signature|ip|accounts?|suspended|scopes?|permissions?"
    r"|auth\w*|unauthori[sz]ed|forbidden|webhook)\b"
)


@dataclass(frozen=True)
class Envelope:
    """The supplier's own word. Absent members are omitted on the wire and empty here."""

    status: int
    success: bool
    code: str
    message: str
    data: Mapping[str, Any] | None = None
    error: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Success in the body *and* in the HTTP status; one without the other says nothing."""
        return self.success and 200 <= self.status < 300

    @property
    def refuses_us(self) -> bool:
        """The supplier turns us away, whatever is asked for: key, secret, address or account.

        Both documented 403s come without a code. A 403 with one may be a rule that this request
        broke, such as a largest size (`API_RULE_VIOLATION`): it is about us only where it says so.
        """
        if self.success or not self.message:
            return False
        if self.status == 403 and self.code:
            said = re.sub(r"[\W_]+", " ", f"{self.code} {self.message}").lower()
            return _ABOUT_US.search(said) is not None
        return self.status in (401, 403)

    @property
    def is_endpoint_gone(self) -> bool:
        """The router knows no such path: a statement about the API, never about an order."""
        return self.status == 404 and not self.success and self.code == ENDPOINT_GONE


@dataclass(frozen=True)
class Foreign:
    """An answer that is not an envelope: of a proxy, a rate limiter, or cut on its way."""

    status: int
    reason: str


def read(answer: http.Answer) -> Envelope | Foreign:
    """What kind of answer this is. Never raises, whatever the bytes."""
    try:
        body = loads(answer.body)
    except ValueError:
        return Foreign(
            answer.status, "empty" if not answer.body.strip() else "not_json"
        )
    if not isinstance(body, dict) or not isinstance(body.get("success"), bool):
        return Foreign(answer.status, "no_envelope")
    error = body.get("error")
    data = body.get("data")
    error = error if isinstance(error, dict) else {}
    return Envelope(
        status=answer.status,
        success=body["success"],
        code=text(error.get("code"), 60),
        message=text(body.get("message")),
        data=data if isinstance(data, dict) else None,
        error=error,
    )


def data_or_no_answer(reply: http.Reply) -> Mapping[str, Any] | NoAnswer:
    """The `data` of a successful read, or why there is no information."""
    if isinstance(reply, http.Answer):
        answer = read(reply)
        if isinstance(answer, Envelope) and answer.is_ok and answer.data is not None:
            return answer.data
    return no_answer(reply)


def no_answer(reply: http.Reply) -> NoAnswer:
    """Why a read brought no information, in the caller's words: wait, alarm, or use another
    road."""
    if not isinstance(reply, http.Answer):
        return NoAnswer("unreachable", reply.reason)
    answer = read(reply)
    if reply.status == 429:
        return NoAnswer("rate_limited", "http_429", retry_after(reply))
    if isinstance(answer, Foreign):
        return NoAnswer(
            "broken" if reply.status >= 500 else "unclear",
            f"http_{reply.status}_{answer.reason}",
        )
    if answer.refuses_us:
        return NoAnswer("credentials", f"http_{reply.status}: {answer.message}")
    if answer.is_endpoint_gone:
        return NoAnswer("endpoint_gone", answer.code)
    if answer.success:
        return NoAnswer("unclear", f"http_{reply.status}_success_without_data")
    refused = 400 <= reply.status < 600
    return NoAnswer(
        "broken" if refused else "unclear",
        f"http_{reply.status}_{answer.code or answer.message}",
    )


def retry_after(answer: http.Answer) -> float:
    """Seconds of the supplier's own clock to wait after a 429: `Retry-After`, 60 when missing,
    never above 300."""
    wish = answer.headers.get("retry-after", "").strip()
    if not re.fullmatch(r"[0-9]{1,9}", wish):
        return RETRY_AFTER_DEFAULT_S
    return min(max(float(wish), 1.0), RETRY_AFTER_MAX_S)


def same_reference(said: object, order_ref: str) -> bool:
    """Whether the supplier means our reference, however it spells it: letters of either case,
    blanks around."""
    return isinstance(said, str) and said.strip().upper() == order_ref.upper()


def names_nobody(said: object, order_ref: str) -> bool:
    """Whether a member for a reference names none: missing, empty, a word for nothing, or hidden
    but for what is ours too."""
    if said is None:
        return True
    if not isinstance(said, str):
        return False
    plain = said.strip().upper()
    if plain in _NO_REFERENCE or not _HIDDEN.sub("", plain):
        return True
    shown = _HIDDEN.split(plain)
    head = shown[0]
    tail = shown[-1]
    return (
        len(shown) > 1
        and order_ref.upper().startswith(head)
        and order_ref.upper().endswith(tail)
    )
