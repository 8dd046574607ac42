"""Ghanaian mobile numbers: reading them as people type them, showing and masking them.

The prefix table is product.md §6 of November 2026. A prefix is a hint about the network, never
proof: numbers are portable, so callers may ask about a mismatch but never refuse it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote

from core.base import text_input
from core.base.language import later, say
from core.base.refusal import Refusal

Msisdn = str
"""A number in E.164: `+233241234567`."""


@dataclass(frozen=True)
class Network:
    name: str
    prefixes: tuple[str, ...]


NETWORKS: dict[str, Network] = {
    "mtn": Network("MTN", ("024", "025", "053", "054", "055", "059")),
    "telecel": Network("Telecel", ("020", "050")),
    "at": Network("AT", ("023", "026", "027", "056", "057")),
}
_NETWORK_OF_PREFIX = {
    prefix: key for key, network in NETWORKS.items() for prefix in network.prefixes
}
_LINK = re.compile(
    r"(?:tel:|sms:|smsto:|callto:|viber://chat/?\?number=|(?:https?://)?(?:www\.)?wa\.me/"
    r"|(?:https?://)?(?:(?:api|web)\.)?whatsapp(?:\.com|:/)/send/?\?(?:[^#]*&)?phone=)"
    r"([^?&#;:]*)(?:[?&#;:].*)?",
    re.IGNORECASE | re.DOTALL,
)
"""A number as phones and WhatsApp put it into a link, with whatever comes after it."""
_AROUND = "\"'<>,;:!?*_~`="
"""Quotes, stops and the signs by which chat programs make text bold, left at the ends of what was
copied."""
_LOST = "\ufffd"
"""Stands for a sign that somebody could not read, which may have been a digit."""
_SIGNS = str.maketrans(
    {
        chr(wide): chr(wide - 0xFEE0)
        for wide in range(0xFF01, 0xFF5F)
        if not chr(wide).isalnum()
    }
    | {"\ufe62": "+", "\u2212": "", "\u30fc": "", "\u2043": ""}
    | dict.fromkeys("\u00b7\u2024\u2027\u2219\u22c5\u3002\u30fb", ".")
)
"""What other keyboards have in place of our plus, stops, brackets, minus, and the dots between
groups."""
_WITHIN = re.compile(r"[.()/\\\[\]{}|*_~`]")
_WHOLE = re.compile(
    r"(?<![^\W_])(\+?(?:00)?233[ .\u00a0-]?\(?0?\)?|0)([25]\d)[ .\u00a0-]?\d{3}["
    r" .\u00a0-]?(\d{4})(?![^\W_])"
)
"""A number in any spelling with its country's or its leading zero; never a part of a longer word,
such as a reference."""
_HIDDEN = re.compile(r"(?:[^\d\s()+.\-/]|\.{2,})+")
"""What stands for digits that are not shown: `024****567`, `024 ••• 4567`, `024...567`."""
_TRAILING_ZERO = re.compile(r"\.0+$")
_EXAMPLE = later("like 024 123 4567")
_LONGEST = 30
"""Signs of a number without blanks. The longest spelling has 16; twice that is two numbers."""
_READ = 2_000
"""Signs of a typed text that are looked at: a link may carry a message."""


class BadNumber(Refusal):
    """A typed number that cannot be read. `sentence` says how to fix it."""

    def __init__(self, msgid: str, **values: object) -> None:
        super().__init__(say(msgid, example=say(_EXAMPLE), **values))


def parse(text: str) -> Msisdn:
    """Read a Ghanaian mobile number in any usual spelling and return it in E.164.

    Accepts `0XXXXXXXXX`, `+233…`, `00233…`, `233…`, nine digits starting 2 or 5, `+233 (0)24…`,
    digits of any script, blanks, dashes, dots and brackets anywhere, what nobody can see, `tel:`
    and `wa.me` links, and a number between stars, quotes or pictures. Raises `BadNumber` with a
    sentence for everything else.
    """
    compact = _compact(text[:_READ])
    if len(compact) > _LONGEST:
        raise BadNumber(
            "That is too long for one phone number. Type one number, %(example)s."
        )
    if not compact:
        raise BadNumber("Type the number that should receive the data, %(example)s.")
    if re.search(r"[oO]", compact) and re.fullmatch(r"\+?[0-9oO]+", compact):
        raise BadNumber("There is a letter O in the number. Type the digit 0 instead.")
    if re.search(r"[^0-9+]", compact):
        raise BadNumber("Use digits only, %(example)s.")
    if not re.fullmatch(r"\+?[0-9]+", compact):
        raise BadNumber(
            "The plus sign belongs at the front, like +233 24 123 4567, or type it"
            " %(example)s."
        )
    national = _national(compact)
    if national.startswith("03"):
        raise BadNumber(
            "This is a landline. Data can only go to a mobile number, %(example)s."
        )
    if national[:3] in ("028", "029"):
        raise BadNumber(
            "Numbers starting %(start)s cannot receive data bundles. Use an MTN, Telecel or AT"
            " number.",
            start=national[:3],
        )
    if national[:3] not in _NETWORK_OF_PREFIX:
        raise BadNumber(
            "No mobile network in Ghana uses %(start)s. Check the first digits; numbers look"
            " %(example)s.",
            start=national[:3],
        )
    return "+233" + national[1:]


def network_of(msisdn: Msisdn) -> str | None:
    """The network the prefix hints at: `mtn`, `telecel`, `at`, or None."""
    return _NETWORK_OF_PREFIX.get(local(msisdn)[:3])


def local(msisdn: Msisdn) -> str:
    """`+233241234567` -> `0241234567`."""
    return "0" + msisdn.removeprefix("+233")


def show(msisdn: Msisdn) -> str:
    """`+233241234567` -> `024 123 4567`, with no-break spaces so that it never wraps; a masked one
    stays masked."""
    if is_masked(msisdn):
        return mask(msisdn)
    digits = local(msisdn)
    return f"{digits[:3]}\u00a0{digits[3:6]}\u00a0{digits[6:]}"


def mask(msisdn: Msisdn) -> str:
    """`+233241234567` -> `024 ••• 4567`."""
    digits = local(msisdn)
    return f"{digits[:3]}\u00a0•••\u00a0{digits[6:]}"


def is_masked(msisdn: Msisdn) -> bool:
    """Whether this is a stored number whose middle was forgotten: `+23324xxx4567`."""
    return "x" in msisdn


def may_be_same(msisdn: Msisdn, digits: str) -> bool:
    """Whether the last nine of `digits` are those of a stored number; of a masked one, as far as it
    is known."""
    return _agree(msisdn.removeprefix("+233"), digits[-9:])


def may_be_meant(msisdn: Msisdn, said: str) -> bool:
    """Whether what somebody says may be this stored number: whole, with digits hidden, its last
    four, or no number at all."""
    plain = _TRAILING_ZERO.sub("", unicodedata.normalize("NFKC", said).strip())
    runs = [re.sub(r"\D", "", part) for part in _HIDDEN.split(plain)]
    if not any(runs):
        return True
    whole = [run for run in runs if len(run) >= 9]
    if whole:
        return any(may_be_same(msisdn, run) for run in whole)
    head = runs[0]
    tail = runs[-1]
    if len(runs) > 1:
        return _starts_with(msisdn, head) and _ends_with(msisdn, tail)
    # A number with digits missing is another one.
    return len(tail) <= 4 and _ends_with(msisdn, tail)


def _starts_with(msisdn: Msisdn, head: str) -> bool:
    """Whether `head` begins the number, as far as it is known, in one of its usual spellings."""
    known = msisdn.removeprefix("+233")
    spellings = (known, f"0{known}", f"233{known}", f"00233{known}")
    return any(_agree(spelling[: len(head)], head) for spelling in spellings)


def _ends_with(msisdn: Msisdn, tail: str) -> bool:
    known = msisdn.removeprefix("+233")
    return _agree(known[-len(tail) :] if tail else "", tail)


def _agree(ours: str, theirs: str) -> bool:
    return len(ours) == len(theirs) and all(
        own in ("x", other) for own, other in zip(ours, theirs, strict=True)
    )


def found_in(text: str) -> list[Msisdn]:
    """The whole Ghanaian numbers that stand in a longer text, in E.164."""
    return [
        "+233" + re.sub(r"\D", "", found[0])[-9:] for found in _WHOLE.finditer(text)
    ]


T = TypeVar("T")


def hide(told: T) -> T:
    """What is about to be stored, with every whole Ghanaian number in it masked; texts within lists
    and dicts too.

    A number stands whole in `orders` alone, where it can be forgotten.
    """
    if isinstance(told, str):
        # no pattern in its place: that is looked up for each text, also for one without a number
        hidden = _WHOLE.sub(lambda one: f"{one[1]}{one[2]}•••{one[3]}", told)
        return hidden  # type: ignore[return-value]
    if isinstance(told, dict):
        return {key: hide(value) for key, value in told.items()}  # type: ignore[return-value]
    if isinstance(told, list | tuple):
        return type(told)(hide(value) for value in told)
    return told


def _compact(text: str) -> str:
    """The digits, the plus sign and whatever is no part of a number, out of what surrounds and
    parts them."""
    bare = _bare(text)
    if link := _LINK.fullmatch(bare):
        bare = _bare(unquote(link[1]))
    return "".join(
        sign for sign in _WITHIN.sub("", bare) if unicodedata.category(sign) != "Pd"
    )


def _bare(text: str) -> str:
    """`text` in our own signs, without what stands around it: quotes, arrows, a telephone beside
    the number."""
    signs = text_input.compact(text).translate(_SIGNS)
    start = 0
    end = len(signs)
    while start < end and _is_around(signs[start]):
        start += 1
    while start < end and _is_around(signs[end - 1]):
        end -= 1
    return signs[start:end]


def _is_around(sign: str) -> bool:
    """Whether a sign at the end of a number is none of it. No other script has letters or digits of
    these categories."""
    if sign.isascii():
        return sign in _AROUND
    return sign != _LOST and (
        unicodedata.category(sign)[0] in "PS" or unicodedata.category(sign) == "Co"
    )


def _national(compact: str) -> str:
    """Ten digits starting 0, or `BadNumber` about the length or the country."""
    rest = _without_country(compact)
    if rest.startswith("0") and len(rest) == 10:
        rest = rest[1:]
    if len(rest) != 9:
        raise _wrong_length(len(rest) + 1)
    return "0" + rest


def _without_country(compact: str) -> str:
    """What follows the country's code, or the leading zero of a number without one. Raises
    `BadNumber` for another country, or a number without a code that is none of Ghana."""
    digits = compact.lstrip("+")
    had_plus = compact.startswith("+")
    if digits.startswith("00233"):
        return digits[5:]
    if digits.startswith("233") and (had_plus or len(digits) > 10):
        return digits[3:]
    if had_plus or digits.startswith("00"):
        raise BadNumber(
            "Only numbers of Ghana can receive these bundles. They start with +233 or 0."
        )
    if len(digits) == 9 and digits[0] in "25":
        return digits
    if len(digits) == 10 and not digits.startswith("0"):
        raise BadNumber("A Ghana number starts with 0, %(example)s.")
    if len(digits) != 10:
        raise _wrong_length(len(digits))
    return digits[1:]


def _wrong_length(count: int) -> BadNumber:
    if count == 1:
        return BadNumber("This number has 1 digit; a Ghana number has 10, %(example)s.")
    return BadNumber(
        "This number has %(n)s digits; a Ghana number has 10, %(example)s.",
        n=count,
    )
