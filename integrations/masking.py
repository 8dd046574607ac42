"""What the call log may show of a request and its answer.

Decides what is hidden: keys always, phone numbers but their last three digits, mail addresses,
secret parts of addresses. Masks first and cuts afterwards, so that a cut never uncovers anything.
Where it is kept is left to others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from integrations.strict_json import text

MAX_BYTES = 8 * 1024
HIDDEN = "***"

# Ghana's numbers in every spelling the wire uses, alone or in a sentence, also right behind an
# escaped line break or plus sign; hex ids and references are longer words.
_NUMBER = re.compile(
    r"(?:(?<![0-9A-Za-z.])|(?<=\\[nrt])|(?<=%2B))"
    r"(?:\+?233|00233|0)?[ -]?[235][0-9][ -]?[0-9]{3}[ -]?[0-9]{4}(?![0-9A-Za-z])"
)
# Whatever stands in these members is a number, however it is spelled.
_NUMBER_MEMBER = re.compile(
    r'("(?:beneficiary|beneficiary_number|phone|phoneNumber|provided|msisdn)"\s*:\s*"?)([0-9+'
    r" ()./-]{4,40})"
)
_MAIL = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"
)
_ADDRESS = re.compile(r"https?:\\?/\\?/[^\s\"'<>]{1,2000}")
# the unguessable part of our webhook address
_SECRET_SEGMENT = re.compile(r"(?<=/)[A-Za-z0-9_~-]{16,}")

_TEXT = r'"[^"\\]*(?:\\.[^"\\]*)*"?'
"""A text of JSON, also one that was cut."""


class Mask:
    """Knows the secrets of one account. Shows none of them, not even in its own `repr`.

    Of `members` no value is shown, in JSON or in an address, whatever it looks like.
    """

    def __init__(self, secrets: Sequence[str], members: Sequence[str] = ()) -> None:
        names = "|".join(map(re.escape, members))
        self._hidden: tuple[tuple[re.Pattern[str], str], ...] = (
            (
                re.compile(
                    rf'("(?:{names})"\s{{0,20}}:\s{{0,20}})(?:{_TEXT}|[-+.0-9eE]+)',
                    re.DOTALL,
                ),
                rf'\1"{HIDDEN}"',
            ),
            (re.compile(rf"([?&](?:{names})=)[^&\s\"]*"), rf"\1{HIDDEN}"),
        )
        if not members:
            self._hidden = ()
        plain = {secret for secret in secrets if secret}
        self._secrets = sorted(
            plain | {json.dumps(secret)[1:-1] for secret in plain},
            key=len,
            reverse=True,
        )

    def __call__(self, shown: str | bytes) -> str:
        """`shown` as the call log may keep it, at most 8 KiB of UTF-8."""
        if isinstance(shown, bytes):
            whole = shown.decode("utf-8", "replace")
        else:
            whole = shown
        for secret in self._secrets:
            whole = whole.replace(secret, HIDDEN)
        for pattern, instead in self._hidden:
            whole = pattern.sub(instead, whole)
        whole = _ADDRESS.sub(lambda match: _SECRET_SEGMENT.sub(HIDDEN, match[0]), whole)
        whole = _MAIL.sub(HIDDEN + "@" + HIDDEN, whole)
        whole = _NUMBER_MEMBER.sub(
            lambda match: match[1] + _all_but_three(match[2]), whole
        )
        whole = _NUMBER.sub(lambda match: _all_but_three(match[0]), whole)
        whole = "\n".join(text(line, len(line)) for line in whole.split("\n"))
        return whole.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")


def _all_but_three(number: str) -> str:
    hide = len(re.findall("[0-9]", number)) - 3
    if hide > 0:
        return re.sub("[0-9]", "*", number, count=hide)
    return number
