"""Taking money online, where a payment meets its order: what customers do (`asking`), what becomes
of an attempt once the gateway was asked (`judging`), what each verdict does (`deeds`), what the
platform's people see (`listing`) and a store's own switch (`switching`). The rule itself and the
books are `core.online`'s."""

from core.taking.asking import (
    may_be_asked,
    may_try,
    returned,
    ring,
    try_again,
)
from core.taking.judging import (
    ask_anew,
    close,
    end_of_time,
    not_opened,
    opened,
    take,
)
from core.taking.listing import Line, Standing, newest, standing
from core.taking.switching import Covered, NotReady, items, needed, switch

__all__ = [
    "Covered",
    "Line",
    "NotReady",
    "Standing",
    "ask_anew",
    "close",
    "end_of_time",
    "items",
    "may_be_asked",
    "may_try",
    "needed",
    "newest",
    "not_opened",
    "opened",
    "returned",
    "ring",
    "standing",
    "switch",
    "take",
    "try_again",
]
