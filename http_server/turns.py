"""What waits for a thread: each address has its turn, however many requests another one sends.

Decides who goes next and when too much waits. Work of one address keeps its order. Not for two
threads at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

Work = Callable[[], None]


class Task(NamedTuple):
    """Work to do now, whose it is, and whether it is dear."""

    who: str
    is_dear: bool
    work: Work


class Waiting:
    """Work of one kind by address, who is next first. A newcomer waits for one work of each other
    address."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_of_one = most - most // 4
        self._by_address: dict[str, deque[Work]] = {}
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._by_address)

    def add(self, work: Work, who: str) -> bool:
        """False when too much waits already: in all, or of this address; a quarter is kept for
        others."""
        own = self._by_address.get(who)
        if self._count >= self._most or (
            own is not None and len(own) >= self._most_of_one
        ):
            return False
        if own is None:
            own = self._by_address[who] = deque()
        own.append(work)
        self._count += 1
        return True

    def take(self) -> tuple[str, Work]:
        """The next work; its address goes to the end of the line. There must be some."""
        who, own = next(iter(self._by_address.items()))
        del self._by_address[who]
        work = own.popleft()
        self._count -= 1
        if own:
            self._by_address[who] = own
        return who, work


class Turns:
    """Usual and dear work, `most` of each; where both wait, they alternate."""

    def __init__(self, most: int) -> None:
        self._usual, self._dear = Waiting(most), Waiting(most)
        self._was_dear = False

    def add(self, work: Work, who: str, *, is_dear: bool) -> bool:
        """Take `work` of this address in; False when too much of its kind waits already."""
        return (self._dear if is_dear else self._usual).add(work, who)

    def has(self, *, is_dear: bool) -> bool:
        return bool(self._dear if is_dear else self._usual)

    def take(self, *, may_be_dear: bool) -> Task:
        """The next work. There must be some that may be taken."""
        is_dear = (
            may_be_dear and bool(self._dear) and not (self._usual and self._was_dear)
        )
        self._was_dear = is_dear
        who, work = (self._dear if is_dear else self._usual).take()
        return Task(who, is_dear, work)
