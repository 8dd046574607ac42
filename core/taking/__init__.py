"""Taking money online, where a payment meets its order: what customers do (`asking`), what becomes
of an attempt once the gateway was asked (`judging`), and what each verdict does (`deeds`). The rule
itself and the books are `core.online`'s."""

from core.taking.asking import may_be_asked, most_tries, returned, ring, try_again
from core.taking.judging import (
    ask_anew,
    close,
    end_of_time,
    not_opened,
    opened,
    take,
)

__all__ = [
    "ask_anew",
    "close",
    "end_of_time",
    "may_be_asked",
    "most_tries",
    "not_opened",
    "opened",
    "returned",
    "ring",
    "take",
    "try_again",
]
