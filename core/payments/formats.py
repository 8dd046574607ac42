"""The shapes of mobile-money messages: one table, from whose words alone anything is read.

What others type (a name, a reference) may not contain the words between which it stands, nor name
money: nobody writes a second message into a reference. Where a shape was found is said with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PROVIDERS = {"mtn": "MTN MoMo", "telecel": "Telecel Cash", "at": "AT Money"}
"""By the network whose numbers they pay."""

STARTS = re.compile(
    r"Payment received for|Payment made for|Payment for GHS|Cash In |Cash Out |Your payment of"
    r"|[0-9]{8,20} Confirmed\b|(?:AT Money: ?)?You have received",
    re.IGNORECASE,
)
"""With these words a message begins, at the beginning of a line."""
HALF = re.compile(r"[0-9]{8,20} Confirmed\.?", re.IGNORECASE)
"""A first line after which its message goes on, whatever the next begins with."""
SENDERS = re.compile(
    r"MobileMoney|MTN MoMo|T-?CASH|(?:Telecel|Vodafone) Cash|(?:AT|AirtelTigo) ?Money"
    r"|[0-9]{1,2}:[0-9]{2}(?: ?[AP]M)?",
    re.IGNORECASE,
)
"""What inboxes put above a message: who sent it, and when."""
CHATS = re.compile(
    r"(?:\[[^\]\n]{4,40}\]|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4},? [0-9]{1,2}:[0-9]{2}[^-\n]{0,6}-)"
    r" ?[^:\n]{1,60}: ?"
)
"""What chat programs put before a copied line: when it was sent, and by whom."""


@dataclass(frozen=True)
class Format:
    """Messages of one shape. `seen_in`: where it was found."""

    name: str
    provider: str
    is_in: bool
    shape: re.Pattern[str]
    seen_in: str


_PARTS = {
    "amount": r"GHS ?(?P<amount>[0-9][0-9,]*\.[0-9]{2})",
    "balance": r"GHS ?(?P<balance>[0-9][0-9,]*\.[0-9]{2})",
    "money": r"GHS ?[0-9][0-9,]*\.[0-9]{2}",
    "payer": r"(?P<payer>(?:(?!GHS|Balance|Transaction)[^:]){1,80}?)",
    "whom": r"(?:(?!GHS|Balance|Transaction)[^:]){1,80}?",
    "reference": r"(?P<reference>(?:(?!GHS|Trans|Balance:|Confirmed).){0,100}?)",
    # where only adverts follow: as far as its first stop
    "word": r"(?P<reference>(?:(?!GHS|Trans|Confirmed)[^.]){0,100}+)",
    "id": r"(?P<id>[0-9]{6,20})",
    "at": (
        r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}/[0-9]{2}/[0-9]{4})"
        r" (?:at )?(?P<time>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)"
    ),
    "fee": r"(?:GHS ?)?(?P<fee>[0-9][0-9,]*\.[0-9]{1,2})",
    # adverts and warnings; neither money nor a second transaction
    "advert": r"(?:(?!GHS|Trans|received|Confirmed).){0,250}",
    "rest": r".{0,300}",
}


def _shape(words: str) -> re.Pattern[str]:
    """The shape of these words, in which `<name>` stands for one of `_PARTS`."""
    filled = re.sub(r"(?<!P)<([a-z]+)>", lambda found: _PARTS[found[1]], words)
    return re.compile(filled, re.IGNORECASE)


_MTN = r"Current Balance: ?<balance> ?\.?(?: Available Balance: ?<money> ?\.?)?"
_TELECEL = r"on <at>\. ?Your (?:new )?(?:Telecel|Vodafone) Cash balance is <balance>\."

FORMATS = (
    Format(
        "MTN, money received",
        "mtn",
        True,
        _shape(
            rf"Payment received for <amount> from <payer> ?[.,]? {_MTN}"
            r" Reference: ?<reference> ?\.? Transaction ID: <id>\.?"
            r"(?: TRANSACTION FEE: <fee>)?\.?<advert>"
        ),
        "many public parsers of messages, 2021 to 2026",
    ),
    Format(
        "MTN, cash in at an agent",
        "mtn",
        True,
        _shape(
            rf"Cash In received for <amount> from <payer> ?[.,]? {_MTN}"
            r"(?: Reference: ?<reference> ?\.?)? (?:Financial )?Transaction ID: <id>\.?<advert>"
        ),
        "one public parser's test, 2026, without its transaction",
    ),
    Format(
        "Telecel Cash, money received",
        "telecel",
        True,
        _shape(
            r"<id> Confirmed\. ?You have received <amount> from"
            r" (?:<whom> with transaction reference: ?Transfer From: ?)?<payer>"
            rf" {_TELECEL}(?: Ref(?:erence)?: ?<word>\.?)?<advert>"
        ),
        "several public parsers of messages, 2025 and 2026",
    ),
    Format(
        "AT Money, money received",
        "at",
        True,
        _shape(
            r"(?:AT Money: ?)?You have received <amount> from <payer> ?\."
            r"(?: Reference: ?<reference> ?\.)? Trans\.? ?ID: ?(?P<id>[0-9A-Z.]{6,30}?)\."
            r"(?: Date: ?<at>\.)? (?:Your )?(?:new|available) balance(?::| is) ?<balance>"
            r"\.?<advert>"
        ),
        "one public sample, 2026",
    ),
    Format(
        "MTN, money sent",
        "mtn",
        False,
        _shape(
            rf"Payment made for <amount> to <whom> ?[.,]? {_MTN}"
            r"(?: Reference: ?<reference> ?\.?)? Transaction ID: <id>\.?"
            r"(?: (?:TRANSACTION FEE|Fee charged): <fee>)?<rest>"
        ),
        "several public parsers of messages, 2024 to 2026",
    ),
    Format(
        "MTN, cash out",
        "mtn",
        False,
        _shape(
            rf"Cash Out made for <amount> to <whom> ?[.,]? ?{_MTN}"
            r" (?:Financial )?Transaction I[dl]: <id>\.?"
            r"(?:(?!Fee charged:).){0,300}(?:Fee charged: <fee>)?\.?"
        ),
        "several public parsers of messages, 2019 to 2026",
    ),
    Format(
        "MTN, paid to a merchant",
        "mtn",
        False,
        _shape(
            rf"Payment for <amount> to <whom> ?\.? ?{_MTN} Transaction I[dl]: <id>\.?"
            r"(?: Fee charged: <fee>)?<rest>"
        ),
        "two public parsers, 2026",
    ),
    Format(
        "MTN, airtime or a bill",
        "mtn",
        False,
        _shape(
            r"Your payment of <amount> to <whom> has been completed at <at>\."
            r" Your new balance: <balance>\.(?: Fee was <fee>)?"
            r"(?:(?!Financial).){0,160}Financial Transaction Id: <id>\.<rest>"
        ),
        "one public parser's test, 2026",
    ),
    Format(
        "Telecel Cash, money sent or paid",
        "telecel",
        False,
        _shape(
            rf"<id> Confirmed\. ?<amount> (?:paid|sent) to <whom> {_TELECEL}"
            r"(?: You were charged <fee>)?<rest>"
        ),
        "two public parsers, 2025 and 2026",
    ),
    Format(
        "Telecel Cash, withdrawn or airtime",
        "telecel",
        False,
        _shape(
            r"<id> Confirmed\. ?You (?:have withdrawn|bought) <amount> (?:from|of) <whom>"
            rf" {_TELECEL}<rest>"
        ),
        "two public parsers, 2025 and 2026",
    ),
)
