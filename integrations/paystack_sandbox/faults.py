"""What goes wrong on purpose with single calls: the plan of faults.

Decides which fault meets which call. Carrying it out is left to `app.py`.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

BEFORE = frozenset(
    {
        "lost_before",
        "reset_before",
        "http_500",
        "http_503",
        "html",
        "http_429",
        "http_401",
    }
)
"""Nothing was done."""
AFTER = frozenset(
    {
        "lost_after",
        "reset_after",
        "http_500_after",
        "html_after",
        "truncated",
        "short_body",
    }
)
"""It was done, and the answer is lost or spoiled."""
FAULTS = BEFORE | AFTER | {"delay"}


class BadPlan(ValueError):
    """The plan cannot be read; the text says which entry and why."""


@dataclass
class Fault:
    """One entry. It meets calls of this name (`any`: all) about this reference (empty: any), first
    the `nth` of them from now, then `times` in a row (0: for ever), each with `probability`."""

    fault: str
    call: str = "any"
    nth: int = 1
    times: int = 1
    reference: str = ""
    probability: float = 1.0
    seconds: float = 1.0
    """How long a delay is, or how long a 429 asks to wait."""


class FaultPlan:
    """The entries in order; one call meets at most one of them, and a delay besides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Fault] = []
        self._random = random.Random(0)
        self.fired: Counter[str] = Counter()

    def install(self, entries: list[Fault], seed: int = 0) -> None:
        with self._lock:
            self._entries = entries
            self._random = random.Random(seed)

    def entries(self) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(vars(entry)) for entry in self._entries]

    def draw(self, call: str, reference: str) -> list[Fault]:
        met: list[Fault] = []
        with self._lock:
            for entry in self._entries:
                is_taken = any(one.fault != "delay" for one in met)
                if is_taken and entry.fault != "delay":
                    continue
                if self._strikes(entry, call, reference):
                    self.fired[f"{call}.{entry.fault}"] += 1
                    met.append(entry)
        return met

    def _strikes(self, entry: Fault, call: str, reference: str) -> bool:
        if entry.call not in ("any", call) or entry.times < 0:
            return False
        if entry.reference not in ("", reference):
            return False
        if entry.nth > 1:
            entry.nth -= 1
            return False
        if entry.probability < 1 and self._random.random() >= entry.probability:
            return False
        if entry.times:
            entry.times = entry.times - 1 or -1
        return True


def read_plan(entries: Any, calls: frozenset[str]) -> list[Fault]:
    """Entries from JSON. Raises `BadPlan`."""
    if not isinstance(entries, list):
        raise BadPlan("a plan is a list of objects")
    return [_read(number, entry, calls) for number, entry in enumerate(entries)]


def _read(number: int, entry: Any, calls: frozenset[str]) -> Fault:
    if not isinstance(entry, dict) or set(entry) - set(Fault.__dataclass_fields__):
        names = ", ".join(Fault.__dataclass_fields__)
        raise BadPlan(f"entry {number} is an object with members of {names}")
    if entry.get("fault") not in FAULTS:
        raise BadPlan(f"entry {number}: fault is one of {', '.join(sorted(FAULTS))}")
    if entry.get("call", "any") not in calls | {"any"}:
        raise BadPlan(
            f"entry {number}: call is any or one of {', '.join(sorted(calls))}"
        )
    for name in ("nth", "times", "seconds", "probability"):
        value = entry.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise BadPlan(f"entry {number}: {name} is a number from 0 up")
    return Fault(**entry)
