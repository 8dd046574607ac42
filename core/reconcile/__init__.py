"""The supplier's word about our money beside our own books: what the books say (`float_books`),
what is in doubt (`doubts`), what fits and what is a named break (`comparing`), money that came back
for failed orders (`returned`), fractions of a pesewa (`rounding`), the orders to ask when something
does not fit (`suspects`), what a person confirms (`funding`), and what can be bought now
(`renewing`). Callers say `reconcile.note_balance(...)`.

Whoever locks several things here does it in the order of the rest of core: orders (by id), rows of
the outbox, the link's row, cases, accounts (by id). Rows of the outbox are made due in a
transaction of their own.
"""

from core.reconcile.comparing import note_balance
from core.reconcile.doubts import Doubts, doubts
from core.reconcile.float_books import (
    books_mark,
    buying_stopped,
    countable_pesewas,
    float_pesewas,
    money_came_since,
    spendable_pesewas,
)
from core.reconcile.funding import (
    NotConfirmable,
    booked_for,
    confirm_funding,
    funding_amounts,
)
from core.reconcile.renewing import free_pesewas, renew
from core.reconcile.rounding import today_pesewas as rounding_today
from core.reconcile.standing import Standing, held_standing, standing

__all__ = [
    "Doubts",
    "NotConfirmable",
    "Standing",
    "booked_for",
    "books_mark",
    "buying_stopped",
    "confirm_funding",
    "countable_pesewas",
    "doubts",
    "float_pesewas",
    "free_pesewas",
    "funding_amounts",
    "held_standing",
    "money_came_since",
    "note_balance",
    "renew",
    "rounding_today",
    "spendable_pesewas",
    "standing",
]
