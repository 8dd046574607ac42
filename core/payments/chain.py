"""Whether the balances that messages name can follow from each other. Pure.

Each message of a number leads from one balance to another. True ones, in some order, are one road:
where the one ends the next begins. A made-up message begins where nothing ends, or where another
one begins too. What order they came in is not asked: inboxes show the newest first, and many
messages name no time.

A made-up loop, away from a balance and back to it, fits any road that names that balance: so what
lies on a loop is doubted, also when money really came and went again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.base import money


@dataclass(frozen=True)
class Link:
    """What one message says of the balance, in pesewas; `is_known`: a person has said that it is
    true, or it was matched."""

    id: int
    before: int
    after: int
    is_known: bool


Road = list[Link]


def doubts(links: Sequence[Link]) -> dict[int, str]:
    """What is to be said of each message of one number that does not follow; none of the others."""
    said: dict[int, str] = {}
    roads = _roads(links)
    known = _known(roads)
    for road in roads:
        said |= _forks(road)
        if road is not known and not any(link.is_known for link in road):
            is_first = len(links) == 1
            for link in road:
                said.setdefault(link.id, _break(link, is_first=is_first))
    for link in _loops(links):
        said.setdefault(link.id, _loop(link))
    for link in links:
        if link.before < 0:
            said[link.id] = "It names a balance smaller than the payment itself."
    return said


def _known(roads: Sequence[Road]) -> Road | None:
    """Where nothing is known yet: the longest road, if it is the only one of its length and longer
    than one message."""
    if any(link.is_known for road in roads for link in road):
        return None
    by_length = sorted(roads, key=len, reverse=True)
    if not by_length or len(by_length[0]) == 1:
        return None
    if len(by_length) > 1 and len(by_length[1]) == len(by_length[0]):
        return None
    return by_length[0]


def _roads(links: Iterable[Link]) -> list[Road]:
    """Messages that hang together by their balances."""
    leads: dict[int, int] = {}

    def root(balance: int) -> int:
        while leads.setdefault(balance, balance) != balance:
            leads[balance] = leads[leads[balance]]
            balance = leads[balance]
        return balance

    links = list(links)
    for link in links:
        leads[root(link.before)] = root(link.after)
    found: dict[int, Road] = defaultdict(list)
    for link in links:
        found[root(link.before)].append(link)
    return list(found.values())


def _forks(road: Road) -> dict[int, str]:
    """Of messages that cannot be put into one order: those that begin, or end, at a balance where
    more do than can."""
    begin = Counter(link.before for link in road)
    end = Counter(link.after for link in road)
    if sum((begin - end).values()) <= 1:
        return {}
    said = {}
    for link in road:
        if begin[link.before] > max(1, end[link.before]):
            said[link.id] = _fork(link.before)
        elif end[link.after] > max(1, begin[link.after]):
            said[link.id] = _fork(link.after)
    return said


def _loops(links: Sequence[Link]) -> list[Link]:
    """Messages from whose end others, or they alone, lead back to where they begin (Kosaraju)."""
    onward: dict[int, list[int]] = defaultdict(list)
    back: dict[int, list[int]] = defaultdict(list)
    for link in links:
        onward[link.before].append(link.after)
        back[link.after].append(link.before)
    loop_of: dict[int, int] = {}
    for balance in reversed(_by_end(onward)):
        waiting = [balance]
        while waiting:
            one = waiting.pop()
            if one not in loop_of:
                loop_of[one] = balance
                waiting += back.get(one, ())
    return [link for link in links if loop_of[link.before] == loop_of[link.after]]


def _by_end(onward: dict[int, list[int]]) -> list[int]:
    """All balances, each after all that it leads to, as a walk leaves them for good."""
    left: list[int] = []
    seen: set[int] = set()
    waiting = [(balance, False) for balance in onward]
    while waiting:
        balance, is_left = waiting.pop()
        if is_left:
            left.append(balance)
        elif balance not in seen:
            seen.add(balance)
            waiting.append((balance, True))
            waiting += [(after, False) for after in onward.get(balance, ())]
    return left


def _loop(link: Link) -> str:
    return (
        f"It leads from {money.cedis(link.before)} back to there, alone or with other messages:"
        " made-up ones can do that at any balance."
    )


def _fork(balance: int) -> str:
    return (
        f"Its balance, {money.cedis(balance)}, does not fit with that of another message: one of"
        " them is not true."
    )


def _break(link: Link, *, is_first: bool) -> str:
    if is_first:
        return (
            "There is no other message of this number yet to compare its balance with."
        )
    return (
        f"Before it {money.cedis(link.before)} must have been there, and no message that is known"
        " to be true says so."
    )
