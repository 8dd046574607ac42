"""Texts that people send on as a message, in signs that an SMS holds 160 of.

Decides how such a text is spelt. One sign outside of the alphabet of GSM 03.38, such as ɛ, makes a
message of 70 signs of it, and one paid for once becomes three.
"""

from __future__ import annotations

from core.base.language import say

ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
TWICE = frozenset("^{}\\[~]|€")
"""Signs of the alphabet's second table: each takes two places."""
PLACES = 160

_SPELT = str.maketrans(
    {
        "ɛ": "e", "Ɛ": "E", "ɔ": "o", "Ɔ": "O",
        "\N{NO-BREAK SPACE}": " ", "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "…": "...",
        "₵": "S",
    }
)  # fmt: skip
"""As people type it on a phone: e and o for ɛ and ɔ, and GHS for the cedi."""


def message(msgid: str, **values: object) -> str:
    """`say`, for a text that is meant to be sent on."""
    return spelt(say(msgid, **values))


def spelt(text: str) -> str:
    """`text` in signs of the alphabet. A name may hold others, which stay."""
    return text.translate(_SPELT)


def places(text: str) -> int | None:
    """How many of `PLACES` a text takes; None when it has a sign that makes each message short."""
    if not ALPHABET | TWICE >= set(text):
        return None
    return len(text) + sum(sign in TWICE for sign in text)
