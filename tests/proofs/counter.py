"""Many orders at once, without a page for each: placed in both stores by the same verbs that pages
use.

A process of its own, with the settings of a stage. It places, says so, and releases when it reads a
line:

    with Counter(stage, 300) as counter:
        counter.release()
"""

from __future__ import annotations

import argparse
import random
import secrets
import subprocess
import sys
from typing import Self

import psutil

from core import catalog, ledger, orders, outbox, stores
from core.audit import SYSTEM, Actor
from core.base import tenancy
from tests.proofs import ROOT
from tests.proofs.stage import Stage
from tests.support.running import must

STORES = ("ama", "kofi")
AGENT = Actor("agent", "Counter")
DEAREST_PESEWAS = 1_000
PATIENCE_S = 180


class Counter:
    """The process, seen from the harness."""

    def __init__(self, stage: Stage, count: int, seed: int = 0) -> None:
        words = [
            sys.executable,
            "-m",
            "tests.proofs.counter",
            "--count",
            str(count),
            "--seed",
            str(seed),
        ]
        self._process = subprocess.Popen(
            words, cwd=ROOT, env=settings_of(stage), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.codes: list[str] = []

    def __enter__(self) -> Self:
        self.codes = self._heard("placed").split()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with self._process:  # waits, and closes its pipes
            pass

    def release(self) -> None:
        """Have every order released, in the order placed. Returns when the last one is."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        self._heard("released")

    def _heard(self, word: str) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        must(line.startswith(word), f"the counter said {line!r} instead of {word!r}")
        return line.removeprefix(word)


def settings_of(stage: Stage) -> dict[str, str]:
    """The environment of the stage's web, which is that of worker and relay too."""
    return dict(psutil.Process(stage.pids("web")[0]).environ())


def main() -> int:
    """Place, wait for a line, release."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.counter")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    # a program names it; nothing of ours imports it on import
    from wsgi import create_app

    app = create_app()
    outbox.ring = (
        outbox.silent
    )  # the relay finds the rows; a ring for each would be three hundred jobs at once
    with app.app_context():
        codes = _place(asked.count, random.Random(asked.seed))
        print("placed", *(code for _, code in codes), flush=True)
        sys.stdin.readline()
        for store_id, code in codes:
            with tenancy.inside(store_id):
                orders.release(code, AGENT)
        print("released", flush=True)
        sys.stdin.readline()  # until the harness ends us
    return 0


def _place(count: int, chance: random.Random) -> list[tuple[int, str]]:
    ids = [store.id for store in map(stores.by_slug, STORES) if store is not None]
    with tenancy.across_stores():
        for store_id in ids:
            ledger.fund_wallet(
                store_id,
                count * DEAREST_PESEWAS,
                f"for {chance.getrandbits(40)}",
                SYSTEM,
            )
    placed = []
    for number in range(count):
        store_id = ids[number % len(ids)]
        with tenancy.inside(store_id):
            line = next(
                item
                for item in catalog.shelf()
                if item.network == "mtn" and item.mb == 1024
            )
            digits = f"{chance.randrange(10**7):07d}"
            found = orders.place(
                bundle_id=line.bundle_id,
                recipient_msisdn=f"+23324{digits}",
                # Never an order of an earlier counter with this seed.
                idempotency_key=f"counter-{secrets.token_hex(10)}",
                repeat_confirmed=True,
            )
            placed.append((store_id, found.order.code))
    return placed


if __name__ == "__main__":
    sys.exit(main())
