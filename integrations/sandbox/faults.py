"""What goes wrong on purpose: the plan of faults.

Decides which fault meets which request. Carrying a fault out is left to `app.py`, and to `serve.py`
where a socket is needed.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.sandbox import spellings, strangers

GATE = frozenset(
    {
        "drop_before",
        "reset_before",
        "html_502",
        "empty_503",
        "text_429",
        "http_401",
        "http_500_auth",
        "http_500_before",
        "refused",
        *strangers.ANSWERS,
    }
)
"""Answered before the supplier has looked at the request: nothing is charged. `refused` is the
supplier's own refusal, with `status` (400) and the code it `says`."""
BEFORE = frozenset({"delay", "hold_before"})
SPELLED = frozenset(spellings.SPELLINGS)
"""The same answer in another spelling, or about another size: see `spellings.py`."""
INSIDE = frozenset(
    {"lookup_lag", "provider_error", "edited_list", "not_sold", "other_amount"}
)
"""Done by the endpoint itself. `edited_list` changes what the list shows, by its `rows`; `not_sold`
answers a purchase with 404 PRODUCT_NOT_FOUND; `other_amount` charges `cedis` whatever the list
says."""
AFTER = frozenset(
    {
        "drop_after",
        "reset_after",
        "http_500_after",
        "html_200_after",
        "html_502_after",
        "empty_503_after",
        "truncated_json",
        "short_body",
        "trickle",
        "hold_after",
        "hang_after",
    }
)
"""Done to an answer that was already earned: the charge stands."""
EDITED = frozenset({"edited_answer"})
"""Puts `members` over the `data` of a good answer, objects within objects too; null leaves one
out."""
FIGURES = frozenset({"odd_figures"})
"""Done to the figures of a good answer: `price_thousandths` of a cedi on each price,
`wallet_thousandths` on the wallet, `kept` in one of `KEPT`, or the wallet written as `says`."""
KEPT = ("exactly", "in_floats", "rounded_purchase", "rounded_up", "rounded_balance")
FAULTS = GATE | BEFORE | INSIDE | AFTER | SPELLED | EDITED | FIGURES
STACKED = (
    frozenset({"delay", "lookup_lag", "edited_list", "other_amount"}) | EDITED | FIGURES
)
"""Let a further fault of the plan meet the same request."""

ENDPOINTS = frozenset(
    {
        "any",
        "buying",  # purchase and bulk
        "account",
        "balance",
        "products",
        "product",
        "capacities",
        "purchase",
        "bulk",
        "status",
        "transactions",
        "webhook",
        "webhook_test",
        "statistics",
    }
)
DEFAULT_SECONDS = {"delay": 1.0, "text_429": 60.0, "lookup_lag": 5.0, "trickle": 2.0}


class BadPlan(ValueError):
    """The plan of faults cannot be read; the text says which entry and why."""


class ConnectionDropped(ConnectionError):
    """The supplier closed the connection without an answer, and no socket was there to show it."""


@dataclass
class Fault:
    """One entry of the plan. `times` counts down; None with a probability or `every` means for
    ever.

    `every: 20` strikes once in each block of 20 requests it could meet, at a place drawn anew for
    each block; where another fault has that request already, at the next one that is free.
    """

    fault: str
    endpoint: str = "any"
    times: int | None = 1
    probability: float | None = None
    seconds: float | None = None
    match_reference: str | None = None
    every: int | None = None
    price_thousandths: int | None = None
    wallet_thousandths: int | None = None
    kept: str | None = None
    says: str | float | None = None
    cedis: float | None = None
    status: int | None = None
    members: dict[str, Any] | None = None
    rows: list[dict[str, Any]] | None = None
    """Members by `product_code`: they replace those of the list's product, null leaves one out,
    `drop` the whole product; an unknown code is a product more."""

    @property
    def duration_s(self) -> float:
        if self.seconds is None:
            return DEFAULT_SECONDS.get(self.fault, 0.0)
        return self.seconds

    def meets(self, endpoint: str, references: Iterable[str]) -> bool:
        aims = {"any": True, "buying": endpoint in ("purchase", "bulk")}.get(
            self.endpoint, self.endpoint == endpoint
        )
        if not aims or self.times == 0:
            return False
        return self.match_reference is None or self.match_reference in references


class FaultPlan:
    """The entries in order; the first that meets a request is used up on it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Fault] = []
        self._blocks: dict[int, _Block] = {}
        self._random = random.Random(0)
        self.fired: Counter[str] = Counter()
        self.fired_at: Counter[str] = Counter()
        """The same by endpoint, as `status.http_500_before`."""
        self.struck_at: Counter[str] = Counter()
        """The orders named in those requests: a call for ten counts ten."""

    def install(
        self, entries: list[Fault], *, seed: int = 0, keep: bool = False
    ) -> None:
        """Replace the plan, or add to it when `keep`; the draw of probabilities starts anew from
        the seed."""
        with self._lock:
            self._entries = [*(self._entries if keep else []), *entries]
            self._random = random.Random(seed)
            kept = {id(entry) for entry in self._entries}
            self._blocks = {
                key: block for key, block in self._blocks.items() if key in kept
            }

    def draw(self, endpoint: str, references: Iterable[str]) -> list[Fault]:
        """The faults that meet this request: any number of stacked ones and at most one other."""
        met: list[Fault] = []
        names = list(references)
        is_taken = False
        with self._lock:
            for entry in self._entries:
                if not entry.meets(endpoint, names):
                    continue
                if entry.every:
                    self._blocks.setdefault(id(entry), _Block()).count(
                        entry.every, self._random
                    )
                if (is_taken and entry.fault not in STACKED) or not self._strikes(
                    entry
                ):
                    continue
                entry.times = None if entry.times is None else entry.times - 1
                self.fired[entry.fault] += 1
                self.fired_at[f"{endpoint}.{entry.fault}"] += 1
                self.struck_at[f"{endpoint}.{entry.fault}"] += len(names)
                met.append(entry)
                is_taken |= entry.fault not in STACKED
        return met

    def edits(self) -> list[dict[str, Any]]:
        """The rows of every edited list of the plan, used up or not: whoever lists a product so
        sells it so."""
        with self._lock:
            return [row for entry in self._entries for row in entry.rows or ()]

    def entries(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(vars(entry)) for entry in self._entries]

    def _strikes(self, entry: Fault) -> bool:
        if entry.every:
            return self._blocks[id(entry)].take()
        return entry.probability is None or self._random.random() < entry.probability


@dataclass
class _Block:
    """Where an `every` entry stands: requests counted in this block, its place in it, strikes still
    owed."""

    counted: int = 0
    place: int = 0
    owed: int = 0

    def count(self, every: int, draw: random.Random) -> None:
        if self.counted == 0:
            self.place = draw.randrange(every)
        self.owed += self.counted == self.place
        self.counted = (self.counted + 1) % every

    def take(self) -> bool:
        if not self.owed:
            return False
        self.owed -= 1
        return True


def read_plan(entries: Any) -> list[Fault]:
    """Entries from JSON. Raises `BadPlan`."""
    if not isinstance(entries, list):
        raise BadPlan("a plan is a list of objects")
    return [_read_entry(number, entry) for number, entry in enumerate(entries)]


def _read_entry(number: int, entry: Any) -> Fault:
    if not isinstance(entry, Mapping):
        raise BadPlan(f"entry {number} is not an object")
    unknown = set(entry) - set(Fault.__dataclass_fields__)
    if unknown:
        raise BadPlan(
            f"entry {number} has unknown members: {', '.join(sorted(unknown))}"
        )
    for is_right, rule in (*_choices(entry), *_members(entry), *_numbers(entry)):
        if not is_right:
            raise BadPlan(f"entry {number}: {rule}")
    lasts = "probability" in entry or entry.get("every") is not None
    if lasts and "times" not in entry:
        chance = {"times": None}
    else:
        chance = {}
    return Fault(**{**chance, **entry})


def _choices(entry: Mapping[str, Any]) -> list[tuple[bool, str]]:
    return [
        (entry.get("fault") in FAULTS, f"fault is one of {', '.join(sorted(FAULTS))}"),
        (
            entry.get("endpoint", "any") in ENDPOINTS,
            f"endpoint is one of {', '.join(sorted(ENDPOINTS))}",
        ),
        (entry.get("kept", KEPT[0]) in KEPT, f"kept is one of {', '.join(KEPT)}"),
    ]


def _members(entry: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """What a fault needs beside its name."""
    fault = entry.get("fault")
    return [
        (
            fault != "edited_list" or _are_rows(entry.get("rows")),
            "rows is a list of objects with a product_code each",
        ),
        (
            fault != "other_amount" or entry.get("cedis") is not None,
            "cedis says how much is charged",
        ),
        (
            fault not in EDITED or isinstance(entry.get("members"), dict),
            "members is an object",
        ),
        (
            isinstance(entry.get("says", ""), str | int | float),
            "says is a text or a number",
        ),
    ]


def _numbers(entry: Mapping[str, Any]) -> list[tuple[bool, str]]:
    from_zero = [
        (_is_number(entry.get(name, 0)), f"{name} is a number from 0 up")
        for name in ("times", "probability", "seconds", "cedis")
    ]
    thousandths = [
        (
            _is_whole(entry.get(name, 0), 0, 10_000),
            f"{name} is a whole number from 0 up",
        )
        for name in ("price_thousandths", "wallet_thousandths")
    ]
    every = entry.get("every")
    return [
        *from_zero,
        *thousandths,
        (
            _is_whole(entry.get("status", 400), 400, 600),
            "status is a number from 400 to 599",
        ),
        (every is None or _is_whole(every, 1), "every is a whole number from 1 up"),
    ]


def _is_number(value: Any) -> bool:
    """Whether it is a number from 0 up, or is not there."""
    if value is None:
        return True
    return not isinstance(value, bool) and isinstance(value, int | float) and value >= 0


def _is_whole(value: Any, least: int, below: float = float("inf")) -> bool:
    return (
        not isinstance(value, bool)
        and isinstance(value, int)
        and least <= value < below
    )


def _are_rows(rows: Any) -> bool:
    return isinstance(rows, list) and all(
        isinstance(row, dict) and isinstance(row.get("product_code"), str)
        for row in rows
    )
