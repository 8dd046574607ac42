"""What our own books say of the float, our prepaid money at the supplier, and whether buying is
stopped over it. Reads only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, select

from core import cases
from core.base import config
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.ledger import Account, Entry, Posting
from core.reconcile.doubts import never_taken_pesewas
from core.supplier import supply

SUBJECT = "float"
RISE, DROP = "float_funded", "unexpected_charge"
_IS_FLOAT = and_(
    Account.name == "supplier_float",
    Account.store_id.is_(None),  # of no store, as its index says
)
FLOAT = select(Account.balance_pesewas).where(_IS_FLOAT)
"""Our float at the supplier by our own books."""
_FLOAT_ACCOUNT = select(Account.id).where(_IS_FLOAT).scalar_subquery()
MARK = (
    select(Entry.id)
    .where(Entry.account_id == _FLOAT_ACCOUNT)
    .order_by(Entry.id.desc())
    .limit(1)
)
"""As `books_mark`; no row for an empty ledger."""


@needs_across_stores
def float_pesewas() -> int:
    """Our float at the supplier by our own books."""
    return int(db.session.scalar(FLOAT) or 0)


@needs_across_stores
def spendable_pesewas(
    link: supply.SupplierState | None = None, countable: int | None = None
) -> int:
    """What purchases may cost now: the lower of our float and the supplier's last word, less the
    reserve; may be negative.

    With `link` and `countable` when they are known already.
    """
    link = link or supply.state()
    known = countable_pesewas(link) if countable is None else countable
    if link.last_balance_pesewas is not None:
        known = min(known, link.last_balance_pesewas)
    return known - config.current().float_reserve_pesewas


@needs_across_stores
def countable_pesewas(link: supply.SupplierState) -> int:
    """What purchases may count on by our books: the float, and what a charge that is no price took
    from it in them alone.

    That counts once the supplier has told a balance since, and whoever asks goes by the lower of
    this and that balance: it is there, or the balance says that it is not.
    """
    if link.last_balance_at is None or link.last_balance_pesewas is None:
        return float_pesewas()
    return float_pesewas() + never_taken_pesewas(link.last_balance_at)


@needs_across_stores
def money_came_since(moment: datetime) -> bool:
    """Whether the float account grew at any time after `moment`."""
    newest = (
        select(Posting.at)
        .join(Entry, Entry.posting_id == Posting.id)
        .where(Entry.account_id == _FLOAT_ACCOUNT, Entry.amount_pesewas > 0)
        .order_by(Entry.id.desc())
        .limit(1)
    )
    grew_at = db.session.scalar(newest)
    return grew_at is not None and grew_at > moment


@needs_across_stores
def buying_stopped() -> bool:
    """Whether a charge nobody can explain has stopped all purchases."""
    return cases.is_open(DROP, SUBJECT)


@needs_across_stores
def books_mark() -> int:
    """Names the present state of the float account: it differs as soon as anything is booked
    there."""
    return int(db.session.scalar(MARK) or 0)
