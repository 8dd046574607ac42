"""How the supplier's balance and our books compare, in words.

Decides words only. What is in doubt comes from `core.reconcile`.
"""

from __future__ import annotations

from core import reconcile
from core.base import money
from core.reconcile import Doubts
from core.supplier.balances import BalanceRead

OPEN = "orders that failed or have a case"
"""Whose charge at the supplier is in doubt."""


def compared(
    read: BalanceRead | None,
    said_pesewas: int | None,
    float_pesewas: int,
    booked_pesewas: int,
) -> tuple[str, str]:
    """The last answer beside our books as they stood when it came: what was bought since is no
    difference."""
    doubt = reconcile.doubts()
    stopped = reconcile.buying_stopped()
    if read is None or read.balance_pesewas != said_pesewas:
        return difference(said_pesewas, float_pesewas, doubt, stopped=stopped)
    then = read.float_pesewas + booked_pesewas
    kind, sentence = difference(read.balance_pesewas, then, doubt, stopped=stopped)
    # what was in doubt then is settled by now
    if kind in ("waiting", "stopped") and read.verdict.startswith("fits"):
        kind = "moving"
        sentence = _explained_then(read.balance_pesewas - then)
    if booked_pesewas:
        more = "more" if booked_pesewas > 0 else "less"
        booked = f"{money.cedis(abs(booked_pesewas))} {more}"
        sentence += f" A person has booked {booked} since, for what that answer showed."
    moved = float_pesewas - then
    if moved:
        sentence += (
            " That was at its last answer; our books have moved by"
            f" {money.cedis(moved)} since."
        )
    return kind, sentence


def _explained_then(gap: int) -> str:
    more = "more" if gap > 0 else "less"
    return (
        f"The supplier held {money.cedis(abs(gap))} {more} than our books: orders in"
        " doubt explained it."
    )


def difference(
    said_pesewas: int | None,
    float_pesewas: int,
    doubt: Doubts,
    *,
    stopped: bool = False,
) -> tuple[str, str]:
    """How the supplier's balance and our books compare, as (kind of note, sentence).

    `doubt` is what it may have taken or given back without our knowing: such a difference is
    explained, and said so. `stopped`: an unexplained charge has stopped buying.
    """
    if said_pesewas is None:
        return (
            "waiting",
            "The supplier has not told us its balance yet. Press “Refresh balance”.",
        )
    gap = said_pesewas - float_pesewas
    if gap == 0:
        return "done", "They agree: the supplier and our books say the same."
    if gap > 0:
        return _holds_more(gap, doubt)
    return _holds_less(-gap, doubt, stopped=stopped)


def _holds_more(gap: int, doubt: Doubts) -> tuple[str, str]:
    more = f"The supplier holds {money.cedis(gap)} more than our books."
    back = doubt.may_be_back_pesewas
    if gap <= back:
        return (
            "moving",
            f"{more} It may have given so much back for {OPEN}: that explains it.",
        )
    if back:
        more += (
            f" {money.cedis(back)} of it may be back for {OPEN},"
            f" {money.cedis(gap - back)} has no reason."
        )
    sentence = (
        f"{more} Either the float was funded, or money came back for an order"
        " that we have not seen returned."
    )
    return "waiting", sentence


def _holds_less(
    gap: int,
    doubt: Doubts,
    *,
    stopped: bool,
) -> tuple[str, str]:
    less = f"The supplier holds {money.cedis(gap)} less than our books."
    gone = doubt.may_be_gone_pesewas
    if gap <= gone:
        explained = " and ".join(_what_it_may_have_taken(doubt))
        first = explained[:1].upper()
        rest = explained[1:]
        return "moving", f"{less} {first}{rest}: that explains it."
    if gone:
        less += (
            f" {money.cedis(gone)} of it may be orders in doubt,"
            f" {money.cedis(gap - gone)} has no reason."
        )
    less += " Something was charged there that our books do not have."
    if stopped:
        return (
            "stopped",
            f"{less} Buying is stopped: find out what it was and settle the case.",
        )
    sentence = (
        f"{less} The orders that could be why are asked about. Seen again after a"
        " minute, it becomes a case and stops buying."
    )
    return "stopped", sentence


def _what_it_may_have_taken(doubt: Doubts) -> list[str]:
    why = []
    if doubt.unresolved:
        sent = len(doubt.unresolved)
        many = f"{sent} orders were" if sent != 1 else "one order was"
        why.append(
            f"{many} sent and not yet answered for, which may have cost up to"
            f" {money.cedis(sum(doubt.unresolved))}"
        )
    if doubt.charged_again:
        most = money.cedis(sum(doubt.charged_again))
        why.append(f"{OPEN} may have cost up to {most} after all")
    return why
