"""The sum from our books to the supplier's figure, line by line.

Decides what each pesewa between the two is called.
"""

from __future__ import annotations

from dataclasses import dataclass

from admin_console.comparison import OPEN
from core.base import money
from core.supplier.balances import BalanceRead


@dataclass(frozen=True)
class Step:
    """One line of the sum from our books to the supplier's figure: what it is, and pesewas; a
    total, or an addend."""

    what: str
    pesewas: int
    is_total: bool = False
    why: str = ""


def steps(
    read: BalanceRead,
    float_pesewas: int,
    booked_pesewas: int = 0,
) -> list[Step]:
    """From our books now to the last answer of the supplier, each pesewa between the two with a
    name; they add up.

    `booked_pesewas`: of what our books gained since, so much is for what that answer showed. It
    belongs to its moment.
    """
    then = read.float_pesewas + booked_pesewas
    sum_so_far = [Step("Our books now", float_pesewas, is_total=True)]
    moved = then - float_pesewas
    if moved:
        sum_so_far += _until_its_answer(read, moved, then, booked_pesewas)
    gap = read.balance_pesewas - then
    doubts, left = _doubts(read, gap)
    sum_so_far += doubts
    if left:
        sum_so_far.append(_rest(read, left))
    if gap or len(sum_so_far) > 1:
        said = Step("The supplier said", read.balance_pesewas, is_total=True)
        sum_so_far.append(said)
    return sum_so_far


def _until_its_answer(
    read: BalanceRead, moved: int, then: int, booked_pesewas: int
) -> list[Step]:
    """From our books now to those of the moment of the supplier's answer."""
    return [
        Step(
            "Booked since its answer",
            moved,
            why="what was bought and what came back",
        ),
        Step(
            "Our books when it answered",
            then,
            is_total=True,
            why=_with_booked(read, booked_pesewas),
        ),
    ]


def _doubts(read: BalanceRead, gap: int) -> tuple[list[Step], int]:
    """What orders in doubt explain of `gap`, each up to what it may be; and what is left."""
    left = gap
    steps = []
    for what, most in (
        ("Orders sent and not answered for then", -read.unresolved_pesewas),
        (f"Charged after all for {OPEN}", -read.charged_again_pesewas),
        (f"Given back for {OPEN}", read.may_be_back_pesewas),
    ):
        part = _part(most, left)
        if part:
            if part == most:
                why = ""
            else:
                why = f"of up to {money.cedis(abs(most))}"
            steps.append(Step(what, part, why=why))
            left -= part
    return steps, left


def _part(most: int, left: int) -> int:
    """As much of `left` as `most` covers, on its side of zero."""
    if most < 0:
        return max(most, min(left, 0))
    return min(most, max(left, 0))


def _rest(read: BalanceRead, left: int) -> Step:
    if read.verdict.startswith("fits"):
        return Step(
            "Fractions of a pesewa",
            left,
            why="at most a pesewa for each purchase since the two last fitted",
        )
    return Step(
        "Has no reason", left, why="what a case asks about, if it is seen twice"
    )


def _with_booked(read: BalanceRead, booked_pesewas: int) -> str:
    if not booked_pesewas:
        return ""
    sign = "and" if booked_pesewas > 0 else "less"
    booked = money.cedis(abs(booked_pesewas))
    return (
        f"{money.cedis(read.float_pesewas)} then, {sign} {booked} booked since for what"
        " it showed"
    )
