"""What a person does about a case: the table of actions (`table`), which are legal now
(`legality`, of fundings `of_fundings`, of settlements `of_gateway`), what a page offers
(`offering`), doing one (`acting`).

Callers say `settling.settle`. Opening a case and its evidence is `core.cases`; the moves and
postings themselves are `core.orders` and `core.ledger`.
"""

from core.settling.acting import NoSuchCase, settle
from core.settling.facts import ActionRefused, Facts, NotYet, other_amount
from core.settling.legality import charge_of, judge
from core.settling.offering import (
    Choice,
    amounts,
    choices,
    facts_of,
    still_stands,
    waiting,
)
from core.settling.table import (
    ACTIONS,
    ASKS_TWICE,
    NEEDS_WORDS,
    TABLE,
    Action,
    Way,
    printed,
    way_of,
    ways_of,
)

__all__ = [
    "ACTIONS",
    "ASKS_TWICE",
    "NEEDS_WORDS",
    "TABLE",
    "Action",
    "ActionRefused",
    "Choice",
    "Facts",
    "NoSuchCase",
    "NotYet",
    "Way",
    "amounts",
    "charge_of",
    "choices",
    "facts_of",
    "judge",
    "other_amount",
    "printed",
    "settle",
    "still_stands",
    "waiting",
    "way_of",
    "ways_of",
]
