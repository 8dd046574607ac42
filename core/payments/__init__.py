"""Payment messages: what mobile-money messages say (`formats`, `reading`), what of that cannot be
(`chain`, `judging`), which orders they pay (`matching`) and what pages show of them (`listing`).

A message proves nothing: it orders the queue and helps a person to decide. Callers say
`payments.paste`.
"""

from core.payments.formats import PROVIDERS
from core.payments.judging import Found
from core.payments.listing import (
    LATELY_SHOWN,
    OPEN_SHOWN,
    Paid,
    Undecided,
    lately,
    matched,
    of_order,
    open_count,
    undecided,
    usual_number,
)
from core.payments.matching import (
    Outcome,
    accept,
    paste,
    put_away,
    take_back,
)
from core.payments.model import PaymentMessage
from core.payments.reading import MOST
from core.payments.refusing import NoSuchMessage, NotMatched

__all__ = [
    "LATELY_SHOWN",
    "MOST",
    "OPEN_SHOWN",
    "PROVIDERS",
    "Found",
    "NoSuchMessage",
    "NotMatched",
    "Outcome",
    "Paid",
    "PaymentMessage",
    "Undecided",
    "accept",
    "lately",
    "matched",
    "of_order",
    "open_count",
    "paste",
    "put_away",
    "take_back",
    "undecided",
    "usual_number",
]
