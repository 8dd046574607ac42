"""One payment as our books, the gateway's list and its settlements have it: does it fit, and if
not, for which one cause. Pure: it asks nothing and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from core.base import clock
from core.online.accepting import CURRENCY
from core.online.attempts import PREFIX


@dataclass(frozen=True)
class Ours:
    """Of our books. `paid_at` and `charged_pesewas` are None of one that is not in them."""

    mode: str
    is_refused: bool
    charged_pesewas: int | None
    fees_pesewas: int | None
    paid_at: datetime | None
    refunded_pesewas: int
    """Given back, or on its way."""
    taken_pesewas: int
    """By disputes."""


@dataclass(frozen=True)
class Theirs:
    """Of the gateway's lists. `word` as `GatewayLine` has it; `mode` empty when it does not say."""

    word: str
    mode: str
    currency: str
    charged_pesewas: int | None
    fees_pesewas: int | None
    paid_at: datetime | None
    is_settled: bool

    @property
    def is_money(self) -> bool:
        """Whether it was paid, whatever became of it."""
        return self.word in ("paid", "reversed")


@dataclass(frozen=True)
class Frame:
    """Which day is compared, and how it is judged whether money should be settled by now."""

    day: date
    settles: bool
    """False of a test world that has never settled anything."""
    settled_by: datetime
    """What was paid before this should be settled."""


@dataclass(frozen=True)
class Row:
    """A reference with what each of the three says; None: nothing."""

    reference: str
    ours: Ours | None
    theirs: Theirs | None

    @property
    def is_foreign(self) -> bool:
        return self.ours is None and not self.reference.startswith(PREFIX)


@dataclass(frozen=True)
class Judged:
    """`cause` None: it fits. The amounts are what it counts in each column of the day."""

    cause: str | None
    ours_pesewas: int | None
    theirs_pesewas: int | None
    settled_pesewas: int | None

    @property
    def differs_pesewas(self) -> int:
        return (self.ours_pesewas or 0) - (self.theirs_pesewas or 0)


def judge(row: Row, frame: Frame) -> Judged:
    """What a payment counts on this day, and why it does not fit if it does not."""
    theirs = None if row.is_foreign else row.theirs
    there = _counts_there(theirs, frame)
    is_settled = theirs is not None and theirs.is_settled
    return Judged(
        _cause(row, frame),
        _counts_here(row.ours, frame),
        there,
        there if is_settled else None,
    )


def _counts_here(ours: Ours | None, frame: Frame) -> int | None:
    if ours is None or day_of(ours.paid_at) != frame.day:
        return None
    return ours.charged_pesewas


def _counts_there(theirs: Theirs | None, frame: Frame) -> int | None:
    if theirs is None or not theirs.is_money or day_of(theirs.paid_at) != frame.day:
        return None
    return theirs.charged_pesewas or 0


def day_of(moment: datetime | None) -> date | None:
    """The day of Accra that holds it."""
    return moment.astimezone(clock.ACCRA).date() if moment else None


def _cause(row: Row, frame: Frame) -> str | None:
    ours, theirs = row.ours, row.theirs
    if ours is None:
        return "foreign" if row.is_foreign else "lost"
    if theirs is None or theirs.word == "absent":
        return "settled_unlisted" if theirs and theirs.is_settled else "not_there"
    return (
        _unpaid(ours, theirs)
        or _other(ours, theirs)
        or _fee(ours, theirs)
        or _rest(ours, theirs, frame)
    )


def _unpaid(ours: Ours, theirs: Theirs) -> str | None:
    """Not paid here, or not there."""
    if ours.paid_at is None:
        return "refused" if ours.is_refused else "unheard"
    if theirs.is_money:
        return None
    # what is being given back may be called by a word that nobody has seen
    goes_back = theirs.word == "waiting" and ours.refunded_pesewas > 0
    return "given_back" if goes_back else "not_paid_there"


def _other(ours: Ours, theirs: Theirs) -> str | None:
    """Paid in both: what of it is another here and there, or went back."""
    if theirs.mode != ours.mode:
        return "other_world"
    if theirs.currency != CURRENCY:
        return "other_currency"
    if theirs.charged_pesewas != ours.charged_pesewas:
        return "other_amount"
    if theirs.word == "reversed":
        if ours.refunded_pesewas >= (ours.charged_pesewas or 0):
            return "given_back"
        whole = ours.refunded_pesewas + ours.taken_pesewas
        return "taken_back" if whole >= (ours.charged_pesewas or 0) else "taken_there"
    return None


def _fee(ours: Ours, theirs: Theirs) -> str | None:
    if theirs.fees_pesewas is None:
        return None if ours.fees_pesewas is not None else "fee_unknown"
    if ours.fees_pesewas is None:
        return "fee_late"
    return "other_fee" if ours.fees_pesewas != theirs.fees_pesewas else None


def _rest(ours: Ours, theirs: Theirs, frame: Frame) -> str | None:
    """The same in both, fee and all: is it on one day, and settled?"""
    if day_of(ours.paid_at) != day_of(theirs.paid_at):
        return "other_day"
    if theirs.is_settled:
        return None
    if theirs.paid_at is None or theirs.paid_at >= frame.settled_by:
        return "not_settled_yet"
    return "not_settled" if frame.settles else "never_settled"
