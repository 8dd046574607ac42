"""A running Makola as a script from outside sees it: what `ready.json` says, and nothing else.

Decides how a journey waits, prints and fails. Leaves what people do to `people`, the supplier's
admin API to `supplier`, the proof of the books to `books`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psutil

ROOT = Path(__file__).resolve().parents[2]
LOOK_EVERY_S = 0.05
T = TypeVar("T")


class Failed(AssertionError):
    """What must be shown was not: one sentence with the figures."""


@dataclass(frozen=True)
class Running:
    """One `dev.py up`, by the facts of its `ready.json`."""

    instance: Path
    facts: dict[str, Any]
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def at(cls, instance: Path) -> Running:
        """Read `ready.json`. Raises `Failed` with the fix when nothing is running there."""
        try:
            return cls(instance, json.loads((instance / "ready.json").read_text()))
        except (OSError, ValueError) as error:
            raise Failed(
                f"nothing is ready in {instance} ({error}): start `python3 dev.py up` first, or"
                " name its folder with --instance"
            ) from error

    def pids(self, kind: str) -> list[int]:
        """The processes of a kind as of now: `up` rewrites the file when one is replaced."""
        try:
            found: list[int] = json.loads((self.instance / "ready.json").read_text())[
                "pids"
            ][kind]
        except ValueError:
            return []
        return found

    @property
    def port(self) -> int:
        return int(self.facts["web_address"].rpartition(":")[2])

    @property
    def sandbox_port(self) -> int:
        return urlsplit(self.facts["sandbox_url"]).port or 80

    @property
    def time_scale(self) -> float:
        """How many times faster durations run, as the web processes themselves were told."""
        told = (
            psutil.Process(self.pids("web")[0]).environ().get("MAKOLA_TIME_SCALE", "")
        )
        return float(told or 1)

    def say(self, text: str) -> None:
        """One line of the journey, with the seconds since it began."""
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)


def until(condition: Callable[[], T], seconds: float, what: str) -> T:
    """Wait for a true value and return it. Raises `Failed` naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"still waiting after {seconds:.0f} s: {what}")
        time.sleep(LOOK_EVERY_S)
    return value


def must(true: object, what: str) -> None:
    """Raise `Failed` with `what` unless `true`."""
    if not true:
        raise Failed(what)


def options(description: str | None) -> argparse.ArgumentParser:
    """A parser with the option every journey has."""
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--instance",
        type=Path,
        default=Path(os.environ.get("MAKOLA_INSTANCE") or ROOT / "instance"),
        help="data folder of the running `dev.py up` (default: the project's own)",
    )
    return parser


def report(journey: Callable[[], None]) -> None:
    """Run a script's journey and leave with 0, or with 1 and the sentence of what was not shown."""
    try:
        journey()
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")
    print("PASSED", flush=True)
