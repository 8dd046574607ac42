"""The language in which a customer is spoken to, and every text in it.

Decides which languages there are and how a text is found in one. A text stands in English where it
is said and is its own name (gettext); the others are read from `translations/`. Nobody chooses a
language in the portal and the console, and what is stored is English: `later` marks it, and it is
said when it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

ENGLISH = "en"
NAMES = {ENGLISH: "English", "tw": "Twi"}
"""Each language by its own name. The keys are tags of BCP 47."""
ROOTS = {code: "" if code == ENGLISH else f"/{code}" for code in NAMES}
"""What the addresses of each begin with."""
FOLDER = Path(__file__).resolve().parents[2] / "translations"
DOMAIN = "makola"

_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)


def current() -> str:
    return _spoken.get()


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Say everything in `language`, a key of `NAMES`, within this block."""
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def say(msgid: str, **values: object) -> str:
    """`msgid` in the language of now, with `%(name)s` filled in. What has not been translated is
    said in English."""
    return wording(msgid) % values


def later(msgid: str) -> str:
    """The text as it is: it is stored or handed on, and `say` says it where it is shown."""
    return msgid


def wording(msgid: str) -> str:
    """`msgid` in the language of now, nothing filled in."""
    language = _spoken.get()
    if language == ENGLISH:
        return msgid
    return texts(language).get(msgid) or msgid


@cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of a language by their English. Read when its first text is said: most commands
    never say one."""
    from babel.messages import pofile

    with path_of(language).open("rb") as file:
        found = pofile.read_po(file)
    return {
        str(message.id): str(message.string)
        for message in found
        if message.id and message.string and not message.fuzzy
    }


def path_of(language: str) -> Path:
    return FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


_LASTS = re.compile(r"([0-9]+)\s*(hour|day|week|month)s?", re.IGNORECASE)
_LASTING = {
    "hour": later("%(n)s hours"),
    "day": later("%(n)s days"),
    "week": later("%(n)s weeks"),
    "month": later("%(n)s months"),
}


def stored(words: str) -> str:
    """What is stored in English, in the language of now: a line of a timeline, how long a bundle
    lasts. What no language knows stays as it is."""
    language = _spoken.get()
    if language == ENGLISH:
        return words
    known = texts(language).get(words)
    lasts = _LASTS.fullmatch(words)
    if known or lasts is None:
        return known or words
    return say(_LASTING[lasts[2].lower()], n=lasts[1])
