"""One line of a list as people write it: a number, a size, perhaps a network and a name.

Decides what a line says, and never guesses: where two readings are possible the line is wrong, and
its sentence says how to mend it. What is on sale, and at what price, is decided by `checking`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from core.base import phones, text_input
from core.base.phones import Msisdn
from core.base.refusal import Refusal

LONGEST = 200
"""Characters of a line."""
LONGEST_NAME = 60
MB_OF_GB = 1024
MOST_MB = 1_000_000

_CHAT = re.compile(
    r"\A(?:\[[0-9/.,: \-APMapm]{8,30}\]|\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4},? \d{1,2}:\d{2}"
    r"[:0-9 APMapm.]{0,9} [-–])\s*[^:]{1,60}:\s+"
)
"""Who wrote it and when, as WhatsApp puts it before a message."""
_BULLET = re.compile(r"\A\s*(?:[•*▪➤>–-]+|\d{1,4}[.)])\s+(?=\S)")
_SHORTENED = re.compile(r"\b\d+(?:[.,]\d+)?[eE]\+?\d+\b")
_NUMBER = re.compile(
    r"(?<![\w+.])(?:"
    # in groups, none of which could be a size
    r"(?:\+?(?:00)?233[ .-]?\(?0?\)?[ .-]?|\(?0)?[25]\d\)?[ .-]\d{3}[ .-]\d{4}"
    r"|0[25]\d\d[ .-]\d{3}[ .-]\d{3}"
    r"|0[25]\d[ .-]\d{7}"
    r"|\+?(?:00)?233[ .-](?:\(?0\)?)?[25]\d[ .-]?\d{7}"
    # in one piece
    r"|\+?[\doO]{7,}"
    r")(?:\.0+)?(?![\w+]|\.\d)"
)
_MONEY = re.compile(
    r"(?:\bghs|\bgh₵|\bgh¢|₵|¢)\s*\d[\d.]*|\b\d[\d.]*\s*(?:ghs|gh₵|gh¢|₵|cedis?)(?!\w)",
    re.IGNORECASE,
)
_SIZE = re.compile(
    r"(?<![\w.])(\d{1,7}(?:\.\d{1,3})?)\s*"
    r"(gigabytes?|megabytes?|gigs?|megs?|gb|mb|g|m)?(?![\w]|\.\d)",
    re.IGNORECASE,
)
_NETWORKS = {
    "mtn": "mtn",
    "telecel": "telecel",
    "vodafone": "telecel",
    "voda": "telecel",
    "vod": "telecel",
    "at": "at",
    "airteltigo": "at",
    "airtel": "at",
    "tigo": "at",
}
_IDLE = frozenset(
    ["data", "bundle", "bundles", "to", "for", "send", "please", "pls", "plz"]
)
"""Words that say nothing."""
_PARTS = re.compile(r"[\s,;|:=]+")


class BadLine(Refusal):
    """A line that cannot be read. `sentence` says how to mend it."""


@dataclass(frozen=True)
class Wish:
    """What a line asks for. `network` is what it names; None when it names none."""

    recipient_msisdn: Msisdn
    mb: int
    network: str | None
    name: str


def read(text: str) -> Wish:
    """What a line says. Raises `BadLine`."""
    if len(text) > LONGEST:
        raise BadLine(
            f"This line has {len(text)} characters; {LONGEST} is the most. Leave the number and the"
            " size."
        )
    line = _plain(text)
    if shortened := _SHORTENED.search(line):
        raise BadLine(
            f"The spreadsheet has shortened the number to {shortened[0]}, so digits are lost. Type"
            " it whole, or format its column as text."
        )
    number, rest = _number(line)
    mb, rest = _size(_MONEY.sub(" ", rest))
    network, name = _words(rest)
    return Wish(number, mb, network, name)


def _plain(text: str) -> str:
    """`text` in our digits and blanks, without what chat programs and lists put before it."""
    line = text_input.with_digits(text).translate(_BLANKS)
    line = "".join(sign for sign in line if sign.isprintable() or sign == "\t")
    line = _CHAT.sub("", line.strip(), count=1)
    line = _BULLET.sub("", line, count=1)
    return line.replace('"', " ").replace("'", " ").strip(" \t")


_BLANKS = {ord(sign): " " for sign in "\u00a0\u2007\u202f\u2009\u2800"} | {
    ord(sign): "-" for sign in "\u2010\u2011\u2012\u2212"
}


def _number(line: str) -> tuple[Msisdn, str]:
    """The one number of a line, and what is left without it."""
    if (whole := _whole_cell(line)) is not None:
        return whole
    found = list(_NUMBER.finditer(line))
    if not found:
        raise _no_number(line)
    numbers = {_parsed(each[0]) for each in found}
    if len(numbers) > 1:
        raise BadLine(
            "There are two numbers in this line. Write a line for each, like 0241234567 5."
        )
    return numbers.pop(), _NUMBER.sub(" ; ", line)


def _no_number(line: str) -> BadLine:
    if len(re.sub(r"\D", "", line)) < 5:
        return BadLine(
            "There is no phone number in this line. Write it like 0241234567 5."
        )
    digits = re.search(r"\+?\d[\d-]{4,}", line)
    if digits is not None:
        try:
            _parsed(digits[0])
        except BadLine as bad:
            return bad
    return BadLine(
        "The phone number cannot be told from the rest. Write it in one piece, like 0241234567 5."
    )


def _whole_cell(line: str) -> tuple[Msisdn, str] | None:
    """A number that has a cell to itself may be spelt in any way that a number field takes."""
    cells = re.split(r"[\t;|,]", line)
    if len(cells) < 2:
        return None
    numbers = {}
    for at, cell in enumerate(cells):
        # a last group of one or two digits may be a size
        if re.fullmatch(r"[+()\d\s./-]{6,17}\d{3}(\.0+)?", cell.strip()):
            try:
                numbers[at] = _parsed(cell.strip())
            except BadLine:
                continue
    if len(numbers) != 1:
        return None
    ((at, number),) = numbers.items()
    rest = " ; ".join(cells[:at] + cells[at + 1 :])
    if _NUMBER.search(rest):
        return None
    return number, rest


def _parsed(typed: str) -> Msisdn:
    try:
        return phones.parse(re.sub(r"\.0+$", "", typed))
    except phones.BadNumber as bad:
        raise BadLine(bad.sentence) from bad


def _size(rest: str) -> tuple[int, str]:
    """The one size of what is left of a line, in MB, and the rest without it. A size without a unit
    is in GB."""
    found = list(_SIZE.finditer(rest))
    if not found:
        raise BadLine(
            "There is no size in this line. Write it after the number, like 0241234567 5."
        )
    if len(found) > 1:
        said = " and ".join(each[0].strip() for each in found[:3])
        raise BadLine(
            f"Which is the size, {said}? Leave only the number and the size, like 0241234567 5."
        )
    (size,) = found
    mb = _mb(size[1], size[2] or "")
    return mb, rest[: size.start()] + " " + rest[size.end() :]


def _mb(figure: str, unit: str) -> int:
    amount = Decimal(figure)
    mb = amount if unit.lower().startswith("m") else amount * MB_OF_GB
    if not 0 < mb <= MOST_MB or mb != int(mb):
        raise BadLine(
            f"There is no bundle of {figure} {unit or 'GB'}. Write a size that you sell, like 5."
        )
    return int(mb)


def _words(rest: str) -> tuple[str | None, str]:
    """The network that the words name, and the name that is left."""
    words = [word.strip(".()[]-–+/*_~") for word in _PARTS.split(rest)]
    known = {_NETWORKS[word.lower()] for word in words if word.lower() in _NETWORKS}
    if len(known) > 1:
        raise BadLine("This line names two networks. Leave one of them.")
    left = [
        word
        for word in words
        if word.lower() not in _NETWORKS and word.lower() not in _IDLE
    ]
    unread = next((word for word in left if re.search(r"\d", word)), None)
    if unread is not None:
        raise BadLine(
            f"“{unread[:20]}” is neither a number nor a size. Leave only the number and the size,"
            " like 0241234567 5."
        )
    named = [word for word in left if re.search(r"[^\W\d_]", word)]
    name = text_input.one_line(" ".join(named), LONGEST_NAME)
    return (known.pop() if known else None), name
