"""Codes of orders: made here, and found again in whatever somebody typed or pasted.

`codes_in` is the one reader of pasted text: our own share text, a line of WhatsApp, a link, a code
between stars. It only says what may be a code; the database says which is one.
"""

from __future__ import annotations

import re
import secrets
from urllib.parse import unquote

from core.base import text_input

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, so that a code survives being read aloud."""
REF_PREFIX = "MK-"
TEST_PREFIX = "TEST-"
"""Of the references of test orders, which no supplier ever hears."""
LONGEST_PASTED = 1_000
"""Characters of a pasted text that are read. Our longest share text has about 300."""
_MOST = 8
"""Candidates of one text; each is asked of the database in the same statement."""
_SIGNS = "0-9A-Z"
_DASHES = re.compile(r"[\u00ad\u2010-\u2015\u2212\u30fb\u00b7_.-]")
_GROUPS = rf"([{_SIGNS}]{{4}})GAP([{_SIGNS}]{{4}})GAP([{_SIGNS}]{{2}})(?![{_SIGNS}])"
_CLOSE = _GROUPS.replace("GAP", "-?")
_WIDE = _GROUPS.replace("GAP", " ?-? ?")
_ALONE = re.compile(
    rf"[^{_SIGNS}]{{0,9}}[{_SIGNS}](?:[ -]{{0,3}}[{_SIGNS}]){{9}}[^{_SIGNS}]{{0,9}}"
)
"""Ten characters and nothing else, whatever parts or surrounds them."""
_LINK = re.compile(rf"/ORDERS/{_CLOSE}")
_TIGHT = re.compile(rf"(?<![{_SIGNS}])(?={_CLOSE})")
_LOOSE = re.compile(rf"(?<![{_SIGNS}])(?={_WIDE})")
_EXACT = re.compile(f"[{ALPHABET}]{{10}}")
"""As our own addresses have it."""
_ALIKE = str.maketrans("OIL", "011")


def new_code() -> str:
    """Ten random characters for people: 50 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(10))


def new_order_ref() -> str:
    """A reference for the supplier: our prefix and 85 random bits, 20 characters of A-Z, 0-9 and a
    dash."""
    return REF_PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(17))


def new_test_ref() -> str:
    """A reference for a test order, as `new_order_ref`."""
    return TEST_PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(17))


def read_order_ref(said: str) -> str:
    """A reference as somebody else spells it: one of ours in our own letters, any other as it
    is."""
    if said.upper().startswith(REF_PREFIX):
        return said.upper()
    return said


def read_code(text: str) -> str | None:
    """A code as people type it (`k7qm-2xr9-4t`, with o for 0 and l for 1), or None when it cannot
    be one."""
    plain = _plain(text)
    if not _ALONE.fullmatch(plain):
        return None
    return _as_code(re.sub(r"[^0-9A-Z]", "", plain))


def codes_in(text: str) -> list[str]:
    """What may be codes in a typed or pasted text, each once, the likeliest first. Empty when
    nothing can be one."""
    if _EXACT.fullmatch(text):
        return [text]
    plain = _plain(unquote(text[: LONGEST_PASTED * 3]))
    found = [read_code(text)]
    for pattern in (_LINK, _TIGHT, _LOOSE):
        found += [
            _as_code(match[1] + match[2] + match[3])
            for match in pattern.finditer(plain)
        ]
    return list(dict.fromkeys(code for code in found if code))[:_MOST]


def _plain(text: str) -> str:
    return _DASHES.sub(
        "-", text_input.one_line(text_input.with_digits(text), LONGEST_PASTED)
    ).upper()


def _as_code(plain: str) -> str | None:
    code = plain.translate(_ALIKE)
    if len(code) == 10 and all(character in ALPHABET for character in code):
        return code
    return None
