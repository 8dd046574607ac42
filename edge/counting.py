"""What counts for a limit, and when: before the answer is known, or after it.

Decides how the counts of `limits` are kept; which there are is decided there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Response, g, make_response
from flask_limiter import Limiter, RateLimitExceeded
from limits import parse
from redis import RedisError

from core.base import addresses
from edge import hosts, refusals

SLOW_DOWN_S = 60
"""What a caller over a limit of the table is told to wait: one window."""
PREFIX = "makola"
"""Of what is counted, as Flask-Limiter puts it together."""


@dataclass(frozen=True)
class Limit:
    """`amount` per window in the notation of Flask-Limiter, counted under the name `scope`.

    `asked` says which requests are held to it, `counts` which answers use it up; None: all. `key`
    says who is counted; None: the address. `is_usual`: most answers count, so each is counted
    before it is known, which is one exchange with Valkey, and given back if it does not.
    """

    scope: str
    amount: str
    asked: Callable[[], bool] | None = None
    counts: Callable[[Response | None], bool] | None = None
    key: Callable[[], str] | None = None
    is_usual: bool = False


def caller() -> str:
    """The key of this request's client."""
    return addresses.key(hosts.present().remote_addr)


class Counted:
    """A limit and what counts for it."""

    def __init__(self, limiter: Limiter, limit: Limit) -> None:
        self.limit = limit
        self._limiter, self._item = limiter, parse(limit.amount)
        self._take = limiter.shared_limit(
            limit.amount,
            scope=limit.scope,
            key_func=limit.key,
            deduct_when=None if limit.is_usual else limit.counts,
        )(_asked(limit.scope))

    def take(self) -> bool:
        """Ask whether this request may go on; whether it is counted already. Raises
        `RateLimitExceeded`."""
        if self.limit.asked is not None and not self.limit.asked():
            return False
        self._take()
        return self.limit.is_usual

    def settle(self) -> None:
        """Give back what was taken for an answer that does not count."""
        if self.limit.counts is None or self.limit.counts(None):
            return
        whose = (self.limit.key or caller)()
        try:
            self._limiter.limiter.hit(
                self._item, PREFIX, whose, self.limit.scope, cost=-1
            )
        except RedisError:
            pass  # lost, until the window is over


def told_when_over(
    view: Callable[..., Any], counted: list[Counted]
) -> Callable[..., Any]:
    """The view, which finds in `g.slow_down_s` how long its caller should wait, and in
    `g.over_limit` for the sake of which limit; it alone can keep what was typed."""

    @wraps(view)
    def told(*words: Any, **named: Any) -> Response:
        over, taken = None, []
        try:
            for one in counted:
                if one.take():
                    taken.append(one)
        except RateLimitExceeded as error:
            over = error
            g.slow_down_s, g.over_limit = SLOW_DOWN_S, one.limit.scope
            taken += [one] if one.limit.is_usual else []
        try:
            response = make_response(view(*words, **named))
        finally:
            for one in taken:
                one.settle()
        if over is not None and g.get("refused_as", response.status_code) == 429:
            refusals.note(over)
        return response

    return told


def _asked(scope: str) -> Callable[[], None]:
    """What is limited: one more request of this kind. Raises `RateLimitExceeded` once it is."""

    def asked() -> None:
        pass

    asked.__name__ = asked.__qualname__ = (
        f"asked_{scope}"  # by which the limits of a function are found
    )
    return asked
