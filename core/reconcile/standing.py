"""What decides whether anything may be bought now, read in one statement: the link to the supplier,
a charge nobody can explain, the float, who waits for it; and what a balance is compared with. Reads
and locks only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, literal, select

from core import cases, orders
from core.base import config
from core.base.db import db
from core.base.preconditions import inside_use_case, needs_across_stores
from core.cases import Case
from core.reconcile.doubts import DOUBTFUL, Doubts, doubts_of, never_taken
from core.reconcile.float_books import DROP, FLOAT, MARK, RISE, SUBJECT
from core.supplier import supply
from core.supplier.supply import SUPPLIER, SupplierState


@dataclass(frozen=True)
class Standing:
    """Amounts in pesewas. `is_stopped`: a charge nobody can explain has stopped all purchases.
    `countable_pesewas`: as `float_books.countable_pesewas`. `some_wait`: for float."""

    link: SupplierState
    is_stopped: bool
    countable_pesewas: int
    some_wait: bool

    @property
    def spendable_pesewas(self) -> int:
        """As `float_books.spendable_pesewas`."""
        told = self.link.last_balance_pesewas
        known = self.countable_pesewas
        least = known if told is None else min(known, told)
        return least - config.current().float_reserve_pesewas


_ONE = select(literal(1)).subquery()
_SAID = select(
    SupplierState,
    cases.some_open(DROP, SUBJECT).label("is_stopped"),
    FLOAT.scalar_subquery().label("float_pesewas"),
    never_taken("supplier_state.last_balance_at").label("never_taken_pesewas"),
    orders.SOME_WAIT_FOR_FLOAT.label("some_wait"),
)
_IS_OURS = SupplierState.supplier == SUPPLIER
_ASK = _SAID.select_from(_ONE.outerjoin(SupplierState, _IS_OURS))
_ASK_HELD = _SAID.where(_IS_OURS).with_for_update(of=SupplierState)


@needs_across_stores
def standing() -> Standing:
    """How it stands now."""
    return _read(db.session.execute(_ASK).one())


@needs_across_stores
@inside_use_case
def held_standing() -> Standing | None:
    """`standing`, the link locked. None when nothing was ever asked."""
    row = db.session.execute(_ASK_HELD).one_or_none()
    if row is None:
        return None
    found = _read(row)
    supply.hold(found.link)
    return found


def _read(row: Any) -> Standing:
    return Standing(
        row.SupplierState or supply.never_asked(),
        row.is_stopped,
        (row.float_pesewas or 0) + row.never_taken_pesewas,
        row.some_wait,
    )


@inside_use_case
def locked_link() -> tuple[SupplierState, Sequence[Case]]:
    """The link and the open cases about a balance that does not fit, locked."""
    row = db.session.execute(_LINK).one_or_none()
    if row is None:  # nothing was ever asked
        return supply.locked_state(), ()
    link, some_breaks = row
    supply.hold(link)
    # none is opened meanwhile: only who has the wallet's turn does that
    return link, db.session.scalars(_BREAKS).all() if some_breaks else ()


_IS_BREAK = and_(
    Case.kind.in_((RISE, DROP)), Case.subject == SUBJECT, Case.closed_at.is_(None)
)
_BREAKS = select(Case).where(_IS_BREAK).order_by(Case.id).with_for_update()
_LINK = (
    select(SupplierState, select(Case.id).where(_IS_BREAK).exists())
    .where(_IS_OURS)
    .with_for_update(of=SupplierState)
)


@dataclass(frozen=True)
class Beside:
    """What a balance is compared with besides the float: `float_books.books_mark`, what is in
    doubt, and whether some order waits for float."""

    mark: int
    doubt: Doubts
    some_wait: bool


@needs_across_stores
def beside() -> Beside:
    """As it is now; in one statement."""
    row: Any = db.session.execute(_BESIDE).one()
    return Beside(row.mark or 0, doubts_of(row.doubtful or []), row.some_wait)


_BESIDE = select(
    MARK.scalar_subquery().label("mark"),
    DOUBTFUL.label("doubtful"),
    orders.SOME_WAIT_FOR_FLOAT.label("some_wait"),
)
