"""Whether the name of an account is plainly the name of a person.

One plain rule: every word of the shorter name stands in the longer one, and it has two or more.
Case, accents, order and initials do not matter. All else is left to a person, who may see more: a
name that is spelt otherwise, or a mother's number.
"""

from __future__ import annotations

import re
import unicodedata

LEAST_WORDS = 2
TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "rev", "prof"})


def alike(person: str, account: str) -> bool:
    """Whether `account` is plainly the name of `person`."""
    shorter, longer = sorted((_words(person), _words(account)), key=len)
    return len(shorter) >= LEAST_WORDS and shorter <= longer


def _words(name: str) -> frozenset[str]:
    plain = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    found = re.split(r"[\W\d_]+", letters)
    return frozenset(word for word in found if len(word) > 1) - TITLES
