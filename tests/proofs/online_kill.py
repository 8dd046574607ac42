"""The kill test with online payments: real processes, a lying supplier, a lying gateway, and a nemesis
with kill -9; then the verdict of `online_checker`.

    .venv/bin/python -m tests.proofs.online_kill --orders 300 --kills 60 --scale 10 --seed 1 [--mutant NAME]

Decides what both do wrong and how often, and when a run is over. Exit status 0 when every run is
green, 1 when one is red, 2 when one broke off.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from core.base.environment import Environment
from core.base.fixed import FixedLimits
from tests.proofs import ROOT, online_mutants
from tests.proofs.diary import Diary
from tests.proofs.earners import Earners
from tests.proofs.kill import INJECT, our_float, seeds_of, timelines
from tests.proofs.load import STORES, Fates, Person, Staff
from tests.proofs.nemesis import Nemesis
from tests.proofs.online_crowd import WAITING, Desk, Later, Payer, fates
from tests.proofs.online_standing import (
    all_taken,
    open_money,
    open_shops,
    proven,
    shelf_of,
    standing,
)
from tests.proofs.stage import Stage
from tests.support.running import Failed, must
from tests.support.supplier import Supplier

SHORT_ORDERS, SHORT_KILLS = 30, 12
"""With no more than these, waits are shorter, and PostgreSQL lives: nothing goes on until it is
back."""
SHARES = {
    "payments": 0.34,
    "worker": 0.26,
    "web": 0.16,
    "relay": 0.12,
    "supervise": 0.04,
    "valkey": 0.08,
}
CUSTOMERS = 10
STUCK_S = 90
"""With the longest pause between two looks: after so long without any change the run is over,
whatever is still open. Not scaled."""
LINE_S = 5.0
# What the gateway does to a call, each with its share of the calls of that name.
FAULTS: dict[str, dict[str, float]] = {
    "initialize": {
        "lost_before": 0.05,
        "lost_after": 0.08,
        "http_500_after": 0.03,
        "truncated": 0.02,
        "http_429": 0.02,
    },
    "verify": {
        "lost_after": 0.05,
        "http_500": 0.04,
        "html": 0.03,
        "reset_before": 0.02,
    },
    "refund": {"lost_before": 0.15, "lost_after": 0.25, "http_500_after": 0.1},
    "refunds": {"lost_after": 0.05, "html": 0.05},
    "refund_record": {"lost_after": 0.05},
    "transfer": {"lost_before": 0.15, "lost_after": 0.3, "short_body": 0.1},
    "verify_transfer": {"lost_after": 0.1},
}


@dataclass(frozen=True)
class Times:
    """Durations of a run, in seconds and unscaled. What takes hours and days is to be seen in
    minutes: how long a late payment is looked for, and when earnings may leave."""

    expires_s: int = Environment.pay_expires_s
    again_s: int = FixedLimits.payment_again_s
    watch_s: tuple[int, ...] = (300, 600, 1_200, 86_400)
    earned_s: int = 200
    failed_watch_s: int = 150
    refund_s: int = 300
    late_s: int = 90


LONG = Times()
SHORT = Times(300, 40, (60, 120, 300, 86_400), 60, 60, 60, 20)


@dataclass(frozen=True)
class Wanted:
    """One run as it was asked for."""

    orders: int
    kills: int
    scale: float
    seed: int
    mutant: str | None = None
    keep_in: Path | None = None

    @property
    def is_long(self) -> bool:
        return self.orders > SHORT_ORDERS

    @property
    def times(self) -> Times:
        return LONG if self.is_long else SHORT

    @property
    def env(self) -> dict[str, str]:
        limits = {
            "earnings_wait_s": self.times.earned_s,
            "payment_again_s": self.times.again_s,
            "payment_watch_ladder_s": self.times.watch_s,
        }
        return {
            "MAKOLA_FAILED_WATCH_S": str(self.times.failed_watch_s),
            "MAKOLA_PAY_EXPIRES_S": str(self.times.expires_s),
            "MAKOLA_PAYOUT_LEAST": "500",
            "CHAOS_LIMITS": json.dumps(limits),
            **({"CHAOS_MUTANT": self.mutant} if self.mutant else {}),
        }

    @property
    def supplier(self) -> dict[str, Any]:
        return {
            "dedupe": False,
            "rate_window": 60 / self.scale,
            "transaction_s": 0.3 / self.scale,
            "answer_s": 0.3,
            "webhook_drop_probability": 0.2,
            "webhook_duplicate_probability": 0.2,
            "webhook_shuffle_s": 10 / self.scale,
        }

    @property
    def gateway(self) -> dict[str, Any]:
        return {
            "balance": 2_000_000,
            "seed": self.seed,
            "latency_s": 0.1,
            "answer_s": 10,
            "refund_s": self.times.refund_s,
            "transfer_s": 60,
            "webhook_copies": 2,
            "webhook_reorder": True,
            "webhook_drop": 0.2,
        }

    @property
    def plan(self) -> dict[str, int]:
        """What must have happened at least, for a run to have shown something."""
        least = {"kills": self.kills, "freeze": 1}
        # or nothing was shown, however green
        least |= {"paid": self.orders // 4, "bought": self.orders // 5}
        if self.is_long:
            part = self.orders / 300
            least |= {
                "refunds": int(25 * part),
                "payouts": int(8 * part),
                "lost webhooks": int(80 * part),
                "kinds of faults": 10,
                "flush": 2,
                "postgres": 1,
            }
        return least


class OnlineNemesis(Nemesis):
    """Kills the workers of payments as well, and lets one sleep over its lease."""

    def plan(self) -> list[tuple[float, Callable[[], None]]]:
        long = [(0.25, self.flush), (0.65, self.flush), (0.45, self.end_postgres)]
        return [
            *(long if self._total > SHORT_KILLS else []),
            (0.35, self.freeze_payments),
        ]

    def freeze_payments(self) -> None:
        pid = self._somebody("payments")
        if pid is not None:
            self._hold("freeze", pid)


class Run:
    """One run from an empty stage to a verdict."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.began = time.monotonic()
        self.times_s: dict[str, float] = {}
        self.stop = threading.Event()
        self.over = 0
        """How many orders have an end, as far as was seen."""

    def go(self) -> int:
        """0 green, 1 red. Raises `Failed` when the run itself broke off."""
        wanted = self.wanted
        self.say(
            f"seed {wanted.seed}: {wanted.orders} orders paid online, {wanted.kills} kills, time"
            f" scale {wanted.scale:g}"
            f"{f', mutant {wanted.mutant}' if wanted.mutant else ''}"
        )
        with ExitStack() as stack:
            stage = stack.enter_context(
                Stage(
                    scale=wanted.scale,
                    workers=3,
                    knobs=wanted.supplier,
                    gateway=wanted.gateway,
                    supplier_cedis=40 * wanted.orders,
                    supplier_seed=wanted.seed,
                    env=wanted.env,
                    python_path=(INJECT,),
                    keep_in=wanted.keep_in,
                )
            )
            folder = stage.folder / "run"
            folder.mkdir()
            written = Diary(folder / "diary.jsonl")
            stack.callback(written.close)
            stack.callback(self.stop.set)
            return self._play(stage, folder, written)

    def _play(self, stage: Stage, folder: Path, written: Diary) -> int:
        wanted = self.wanted
        self._mark("start")
        open_shops(stage)
        self._take_out(stage)
        supplier = Supplier(stage.running)
        gateway = httpx.Client(
            base_url=stage.running.facts["gateway_url"], trust_env=False, timeout=20
        )
        self._misbehave(gateway)
        staff, people, later = self._people(stage, supplier.charge_file, written)
        nemesis = OnlineNemesis(
            stage, written, self.stop,
            lambda: (written.counts["placed"] + self.over) / (2 * wanted.orders),
            seed=wanted.seed, kills=wanted.kills, scale=wanted.scale, shares=SHARES,
        )  # fmt: skip
        with Earners(stage, folder / "earners.jsonl"):
            for person in (*people, staff):
                person.start()
            nemesis.start()
            self._watch(stage, [*people, staff], later, nemesis, gateway, written)
        self._settle_last(stage, gateway, people, nemesis)
        status = self._judge(stage, folder, supplier, gateway, nemesis, written)
        self._keep(stage, folder)
        return status

    def _take_out(self, stage: Stage) -> None:
        """What a mutant takes out of the database itself."""
        mutant = online_mutants.MUTANTS.get(self.wanted.mutant or "")
        if mutant is not None and mutant.in_database is not None:
            with psycopg.connect(
                stage.running.facts["database_admin_url"], autocommit=True
            ) as owner:
                mutant.in_database(owner)

    def _misbehave(self, gateway: httpx.Client) -> None:
        entries = [
            {
                "call": call,
                "fault": fault,
                "probability": share,
                "times": 0,
                "seconds": 1,
            }
            for call, faults in FAULTS.items()
            for fault, share in faults.items()
        ]
        said = gateway.post(
            "/sandbox/faults", json={"plan": entries, "seed": self.wanted.seed}
        )
        must(said.status_code == 200, f"the gateway takes no faults: {said.text}")

    def _people(
        self, stage: Stage, charge_file: Path, written: Diary
    ) -> tuple[Staff, list[Person], Later]:
        wanted, running = self.wanted, stage.running
        staff = Staff(
            running.facts["sandbox_url"], charge_file, written, self.stop, wanted.seed,
            wanted.scale,
        )  # fmt: skip
        staff._fates = Fates(failed=0.13, quiet=0.02, revived=0.02, slow=0.08)
        later = Later(written, self.stop)
        drawn = fates(wanted.orders, random.Random(f"{wanted.seed} fates"))
        shelves = {store: shelf_of(stage, store) for store in STORES}

        def may_order() -> bool:
            waits = written.counts["placed"] * 0.75 - staff.bought
            return waits < WAITING

        payers = [
            Payer(
                running, written, self.stop, wanted.seed, number, CUSTOMERS, drawn, shelves,
                later, may_order, wanted.times.expires_s / wanted.scale,
                wanted.times.again_s / wanted.scale, wanted.times.late_s / wanted.scale,
            )
            for number in range(CUSTOMERS)
        ]  # fmt: skip
        return staff, [*payers, later, Desk(running, written, self.stop)], later

    def _watch(
        self, stage: Stage, people: list[Person], later: Later, nemesis: Nemesis,
        gateway: httpx.Client, written: Diary,
    ) -> None:  # fmt: skip
        """Until all is over, or nothing can be expected any more: then the checker says what is
        wrong."""
        shown, moved, last = 0.0, time.monotonic(), ""
        patience_s = STUCK_S + max(FixedLimits.processing_ladder_s) / self.wanted.scale
        payers = [one for one in people if isinstance(one, Payer)]
        staff = next(one for one in people if isinstance(one, Staff))
        while time.monotonic() - moved < patience_s:
            for person in people:
                if person.failure is not None:
                    raise person.failure
            if nemesis.failure is not None:
                raise nemesis.failure
            seen = standing(stage)
            self.over = seen.get("orders over", self.over)
            text = f"placed {written.counts['placed']}, bought {staff.bought}; {seen}"
            text += f"; killed {len(nemesis.kills)}"
            if text != last:
                moved, last = time.monotonic(), text
            if time.monotonic() - shown > LINE_S:
                shown = time.monotonic()
                self.say(text)
            have_ordered = not any(payer.is_alive() for payer in payers)
            if have_ordered and "load" not in self.times_s:
                self._mark("load")
            is_quiet = have_ordered and later.idle and staff.idle and nemesis.is_done
            is_over = seen.get("orders open") == 0 and not open_money(seen)
            if is_quiet and is_over and all_taken(stage, gateway):
                break
            time.sleep(0.5)
        else:
            self.say("nothing has moved for too long; what is open now stays open")
        self._mark("settled")

    def _settle_last(
        self,
        stage: Stage,
        gateway: httpx.Client,
        people: list[Person],
        nemesis: Nemesis,
    ) -> None:
        """No payout is asked for any more: those on their way end, and so do the last refunds."""
        deadline = time.monotonic() + max(60.0, 1_500 / self.wanted.scale)
        while time.monotonic() < deadline:
            seen = standing(stage)
            if seen and not open_money(seen) and not seen.get("payouts open"):
                break
            time.sleep(0.5)
        self.stop.set()
        for person in people:
            person.join(30)
        self._mark("last")

    def _judge(
        self, stage: Stage, folder: Path, supplier: Supplier, gateway: httpx.Client,
        nemesis: Nemesis, written: Diary,
    ) -> int:  # fmt: skip
        wanted, state = self.wanted, gateway.get("/sandbox/state").json()
        facts = {
            "seed": wanted.seed,
            "mutant": wanted.mutant,
            "scale": wanted.scale,
            "expires_s": wanted.times.expires_s,
            "ladder_s": list(FixedLimits.payment_ladder_s),
            "watch_ladder_s": list(wanted.times.watch_s),
            "plan": wanted.plan,
            "charge_file": str(supplier.charge_file),
            "gateway_db": str(stage.instance / "gateway" / "gateway.db"),
            "diary": str(written.path),
            "database_url": stage.running.facts["database_admin_url"],
            "float": {
                "ours": our_float(stage),
                "theirs": supplier.state()["balance_pesewas"],
            },
            "calls": state["calls"],
            "fired": state["fired"],
            "proof": proven(stage),
            "times_s": self.times_s
            | {"in all": round(time.monotonic() - self.began, 1)},
            **nemesis.report(),
        }
        place = folder / "run.json"
        place.write_text(json.dumps(facts), encoding="utf-8")
        words = [sys.executable, "-m", "tests.proofs.online_checker", str(place)]
        status = subprocess.run(words, cwd=ROOT, check=False).returncode
        must(status in (0, 1), f"the checker itself ended with status {status}")
        return status

    def _keep(self, stage: Stage, folder: Path) -> None:
        if self.wanted.keep_in is None:
            return
        self.wanted.keep_in.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            shutil.copy(path, self.wanted.keep_in / path.name)
        (self.wanted.keep_in / "timelines.txt").write_text(
            "\n".join(timelines(stage)), encoding="utf-8"
        )

    def say(self, text: str) -> None:
        """One line of the run, with the seconds since it began."""
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)

    def _mark(self, name: str) -> None:
        so_far = sum(self.times_s.values())
        self.times_s[name] = round(time.monotonic() - self.began - so_far, 1)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.online_kill",
        description="No order lost, no cedi lost, under kill -9, with money paid online.",
    )
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--scale", type=float, default=10.0, help="default 10")
    parser.add_argument(
        "--seed", type=int, default=None, help="default: drawn, and printed"
    )
    parser.add_argument(
        "--seeds", metavar="A-B", help="several runs, one after another"
    )
    parser.add_argument(
        "--mutant", choices=online_mutants.MUTANTS, help="take one rule out"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep logs, diary and report here"
    )
    return parser


def main() -> int:
    """Run what was asked for; 0 green, 1 red, 2 broke off."""
    chosen = options().parse_args()
    worst = 0
    for seed in seeds_of(chosen):
        keep_in = chosen.keep / f"seed-{seed}" if chosen.keep else None
        wanted = Wanted(
            chosen.orders, chosen.kills, chosen.scale, seed, chosen.mutant, keep_in
        )
        try:
            worst = max(worst, Run(wanted).go())
        except Failed as failure:
            print(f"BROKE OFF with seed {seed}: {failure}", flush=True)
            worst = 2
    return worst


if __name__ == "__main__":
    # by the way that ends the stage
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
