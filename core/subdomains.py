"""Which addresses a store may have, by their letters alone, and which look like one another.

Decides no more than that: whether an address is somebody's already is asked in `slug_choice`.
"""

from __future__ import annotations

import re
import unicodedata

from core.base.refusal import Refusal

RESERVED = frozenset(
    [
        "portal",
        "admin",
        "www",
        "api",
        "hooks",
        "static",
        "mail",
        "pay",
        "app",
        "mtn",
        "telecel",
        "at",
        "vodafone",
        "airteltigo",
        "momo",
        "paystack",
        "gcb",
        "ecobank",
        "fidelity",
        "absa",
        "stanbic",
        "calbank",
        "bank",
        "makola",
        "support",
        "help",
        "status",
    ]
)
OF_THE_PLATFORM = frozenset(
    [
        "makola",
        "portal",
        "admin",
        "official",
        "support",
        "security",
        "verify",
        "login",
        "signup",
        "paystack",
    ]
)
"""Words by which a shop would pass for the platform, wherever they stand in an address."""
GIVEN_UP = "refused-"
"""So begins what stands in place of the address that was taken from a store nobody ever saw."""
SHORTEST, LONGEST = 3, 32
LOOK = "replace(replace(translate(slug, '01358i-', 'olesbl'), 'rn', 'm'), 'vv', 'w')"
"""`look_of`, as the database says it."""
_ALIKE = str.maketrans("01358i", "olesbl", "-")


class BadStore(Refusal):
    """A slug, colour or name that cannot be used. `sentence` says how to fix it."""


def check_slug(slug: str) -> str:
    """The slug as it may be used. Raises `BadStore` with a sentence."""
    slug = slug.strip().lower()
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{1,30}[a-z0-9])", slug):
        raise BadStore(
            "Use 3 to 32 letters a-z, digits and dashes for the store address, like ama-data."
        )
    if slug in RESERVED or slug.startswith("xn--"):
        raise BadStore(
            f"The address {slug} is reserved. Choose another, like {slug}-data."
        )
    return slug


def look_of(slug: str) -> str:
    """How an address looks at a glance: two that share it are taken for one another."""
    return slug.translate(_ALIKE).replace("rn", "m").replace("vv", "w")


LOOKS_RESERVED = frozenset(map(look_of, RESERVED))


def _folded(slug: str) -> str:
    """The look more loosely still: `4` is an a, a doubled letter one."""
    return re.sub(r"(.)\1+", r"\1", look_of(slug).replace("4", "a"))


_LOOKS_OF_PLATFORM = frozenset(map(_folded, OF_THE_PLATFORM))


def check_for_stranger(slug: str, held: str = "") -> str:
    """The same for somebody who signs up: nothing that looks reserved, none of the platform's
    words, nothing in `held`, addresses parted by blanks or commas. Raises `BadStore`."""
    slug = check_slug(slug)
    if slug.startswith(GIVEN_UP):
        raise BadStore(f"The address {slug} is reserved. Choose another.")
    look = look_of(slug)
    if look in LOOKS_RESERVED:
        raise BadStore(f"The address {slug} is kept back. Choose another.")
    if any(word in _folded(slug) for word in _LOOKS_OF_PLATFORM):
        raise BadStore(
            f"The address {slug} would pass for Makola’s own. Leave that word out."
        )
    if look in map(look_of, re.split(r"[\s,]+", held.lower())):
        raise BadStore(f"The address {slug} is kept back. Choose another.")
    return slug


def of_name(name: str) -> str:
    """An address made of a store's name: `Ama's Data` → `amas-data`; empty where the name has too
    few letters for one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    kept = re.sub(r"['’`]", "", plain.lower())
    slug = re.sub(r"[^a-z0-9]+", "-", kept).strip("-")[:LONGEST].strip("-")
    return slug if len(slug) >= SHORTEST else ""
