"""Taking money online, where a payment meets its order, or a wallet (`funding` asks for it,
`into_wallets` is what becomes of it): what customers do (`asking`), what becomes
of an attempt once the gateway was asked (`judging`), the same of a prompt on a phone (`prompts`),
what each verdict does (`deeds`), what is done where no gateway can be asked (`unwatched`), what the
platform's people see (`listing`), how attempts ended (`ends`), all of one payment (`story`), what a
store's people see (`own_lists`), sums by day (`by_day`) and a store's own switch (`switching`). The
rule itself and the books are `core.online`'s."""

from core.taking import (
    by_day,
    ends,
    funding,
    into_wallets,
    own_lists,
    prompts,
    story,
)
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
from core.taking.unwatched import end_unasked, expire

__all__ = [
    "Covered",
    "Line",
    "NotReady",
    "Standing",
    "ask_anew",
    "by_day",
    "close",
    "end_of_time",
    "end_unasked",
    "ends",
    "expire",
    "funding",
    "into_wallets",
    "items",
    "may_be_asked",
    "may_try",
    "needed",
    "newest",
    "not_opened",
    "opened",
    "own_lists",
    "prompts",
    "returned",
    "ring",
    "standing",
    "story",
    "switch",
    "take",
    "try_again",
]
