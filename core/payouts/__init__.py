"""Payouts: where earnings go to (`accounts`), what could be had (`offering`), asking for it by a
press (`asking`) or each Monday (`mondays`), the word of the platform's people (`deciding`,
`stopping`), one payout at the gateway (`sending`, `records`), what the gateway asks us before it
pays (`confirming`), its balance beside our books (`holdings`), pages of payouts (`listing`).

Postings, and the rows they hang on, are `core.online`'s. Makes no call; who does is
`fulfilment.payouts`.
"""

from core.payouts import (
    accounts,
    asking,
    confirming,
    deciding,
    holdings,
    listing,
    mondays,
    names,
    offering,
    sending,
    stopping,
)
from core.payouts.refusing import BadPayout, NoSuchPayout

__all__ = [
    "BadPayout",
    "NoSuchPayout",
    "accounts",
    "asking",
    "confirming",
    "deciding",
    "holdings",
    "listing",
    "mondays",
    "names",
    "offering",
    "sending",
    "stopping",
]
