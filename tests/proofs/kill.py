"""The kill test: real processes, a lying supplier, and a nemesis with kill -9; then the checker's
verdict.

    .venv/bin/python -m tests.proofs.kill --orders 300 --kills 60 --scale 10 --seed 1 [--bulk auto] [--mutant NAME]
    .venv/bin/python -m tests.proofs.kill --long [--seeds 1-3]      1,000 orders, 200 kills, nothing scaled: about an hour each

Decides what the supplier does wrong and how often, when a run is over, and what the checker gets to
read. Prints the seed first and a line every few seconds. Exit status 0 when every run is green, 1
when one is red, 2 when one broke off.
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
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from core.base.fixed import FixedLimits
from tests.proofs import ROOT, mutants
from tests.proofs.diary import Diary, read
from tests.proofs.load import Crowd, Staff, crowd, fund
from tests.proofs.nemesis import Nemesis
from tests.proofs.stage import Stage
from tests.support.people import Owner, form_of
from tests.support.running import Failed, must
from tests.support.supplier import Supplier

INJECT = ROOT / "tests" / "proofs" / "inject"
WINDOW_S = 60
AIMABLE_S = 0.4
"""A purchase takes so long, whatever the scale: to see it and freeze its worker takes the nemesis a
tenth of a second and more on a busy machine, and with calls shorter than that too few kills hit
one."""
FAILED_WATCH_S = 200
"""A failed order is watched for minutes here, not for a day, so that it ends within the run."""
WAITING = {"off": 25, "auto": 70}
"""Orders placed and not bought yet, at most. Several share a call only when many are due."""
CALLS_AN_ORDER = 2.7
"""What an order takes of the call budget, the unclear ones included: measured, for the expected
length of a run."""
TAIL_S = 600
STUCK_S = 120
"""With the tail and the longest pause between two looks at an order: after so long without any
change the run is over, whatever is still open. Not scaled."""
LONGEST_PAUSE_S = max(FixedLimits.processing_ladder_s)
CALLS_A_WINDOW = 50
FEW_IN_CASES = 3
"""So many orders may end in a case in a run of less than 150: one in a hundred does."""
LINE_S = 5.0
LATE_CASES_S = 600
LONG = {"orders": 1_000, "kills": 200, "scale": 1.0}

# What the supplier does to a purchase, each kind once in every so many.
BAD_PURCHASES: dict[str, dict[str, Any]] = {
    "delay": {"seconds": 5},
    "text_429": {"seconds": 10},
    "http_500_before": {},
    "http_500_after": {},
    "reset_before": {},
    "reset_after": {},
    "html_200_after": {},
    "truncated_json": {},
    "hang_after": {"seconds": 12},
    "lookup_lag": {"seconds": 20},
}
BAD_LOOK_UPS: dict[str, int] = {"http_500_before": 15, "html_502": 25}
"""The fewer look-ups a run needs, the fewer of these: 250 are enough for ten of each, and the least
seen was 450."""
BENT_WEBHOOKS = ("dropped", "doubled", "shuffled", "before_answer")


@dataclass(frozen=True)
class Wanted:
    """One run as it was asked for."""

    orders: int
    kills: int
    scale: float
    seed: int
    bulk: str = "off"
    mutant: str | None = None
    keep_in: Path | None = None

    @property
    def expected_s(self) -> float:
        return (
            self.orders * CALLS_AN_ORDER * WINDOW_S / CALLS_A_WINDOW + TAIL_S
        ) / self.scale

    @property
    def every(self) -> dict[str, int]:
        """Each kind of fault strikes once in so many calls that buy. There are fewer of those for
        several orders."""
        purchase = 30 if self.orders <= 300 else 40
        return {"purchase": purchase} | (
            {"bulk": purchase // 2} if self.bulk != "off" else {}
        )

    @property
    def least_of_a_kind(self) -> int:
        return 10 if self.orders >= 300 else max(1, self.orders // 50)

    @property
    def env(self) -> dict[str, str]:
        return {
            "MAKOLA_FAILED_WATCH_S": str(FAILED_WATCH_S),
            **({"CHAOS_MUTANT": self.mutant} if self.mutant else {}),
        }

    @property
    def knobs(self) -> dict[str, Any]:
        return {
            "dedupe": False,
            "rate_window": WINDOW_S / self.scale,
            "transaction_s": 0.3 / self.scale,
            "answer_s": max(
                AIMABLE_S, (1.0 if self.bulk == "off" else 2.0) / self.scale
            ),  # fewer calls: longer ones
            "webhook_drop_probability": 0.2,
            "webhook_duplicate_probability": 0.2,
            "webhook_shuffle_s": 10 / self.scale,
            "webhook_before_probability": 0.15 if self.bulk == "off" else 0.5,
        }


def plan(wanted: Wanted) -> list[dict[str, Any]]:
    """The plan of faults for the sandbox."""
    entries = []
    for fault, more in BAD_PURCHASES.items():
        scaled = {name: value / wanted.scale for name, value in more.items()}
        if fault == "text_429":
            # the header carries whole seconds
            scaled = {"seconds": max(1.0, scaled["seconds"])}
        entries += [
            {"endpoint": name, "fault": fault, "every": n, **scaled}
            for name, n in wanted.every.items()
        ]
    entries += [
        {"endpoint": "status", "fault": fault, "every": every}
        for fault, every in BAD_LOOK_UPS.items()
    ]
    random.Random(wanted.seed).shuffle(entries)
    return entries


class Run:
    """One run from an empty stage to a verdict."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.began = time.monotonic()
        self.times_s: dict[str, float] = {}
        self.stop = threading.Event()

    def go(self) -> int:
        """0 green, 1 red. Raises `Failed` when the run itself broke off."""
        wanted = self.wanted
        self.say(
            f"seed {wanted.seed}: {wanted.orders} orders, {wanted.kills} kills, time scale"
            f" {wanted.scale:g}, bulk"
            f" {wanted.bulk}{f', mutant {wanted.mutant}' if wanted.mutant else ''}; expected about"
            f" {wanted.expected_s:.0f} s"
        )
        with ExitStack() as stack:
            stage = stack.enter_context(
                Stage(
                    scale=wanted.scale,
                    workers=3,
                    bulk=wanted.bulk,
                    knobs=wanted.knobs,
                    supplier_cedis=30 * wanted.orders,
                    supplier_seed=wanted.seed,
                    env=wanted.env,
                    python_path=(INJECT,) if wanted.mutant else (),
                    keep_in=wanted.keep_in,
                )
            )
            # goes with the stage, also when this process is killed
            folder = stage.folder / "run"
            folder.mkdir()
            written = Diary(folder / "diary.jsonl")
            stack.callback(written.close)
            stack.callback(self.stop.set)
            return self._play(stage, folder, written)

    def _play(self, stage: Stage, folder: Path, written: Diary) -> int:
        wanted, running = self.wanted, stage.running
        supplier = Supplier(running)
        self._mark("start")
        if wanted.mutant == "double_entry_check":
            with psycopg.connect(
                running.facts["database_admin_url"], autocommit=True
            ) as owner:
                mutants.disable_double_entry(owner)
                mutants.insert_unbalanced(owner)
        fund(running, wanted.orders)
        supplier.plan_with(plan(wanted), wanted.seed)
        people = crowd(
            running, supplier.charge_file, written, self.stop, seed=wanted.seed,
            orders=wanted.orders, scale=wanted.scale,
            waiting=WAITING[wanted.bulk],
        )  # fmt: skip
        assert people.staff is not None
        staff = people.staff
        nemesis = Nemesis(
            stage, written, self.stop, lambda: staff.bought / wanted.orders, seed=wanted.seed,
            kills=wanted.kills,
            scale=wanted.scale,
        )  # fmt: skip
        self._mark("funding")
        people.start()
        nemesis.start()
        self._watch(stage, people, nemesis, written)
        supplier.plan()
        self._settle_float(stage, supplier)
        self._mark("float")
        revived = self._revive(stage, staff, supplier, written)
        self._mark("late successes")
        facts = {
            "seed": wanted.seed,
            "bulk": wanted.bulk,
            "scale": wanted.scale,
            "mutant": wanted.mutant,
            "charge_file": str(supplier.charge_file),
            "diary": str(written.path),
            "database_url": running.facts["database_admin_url"],
            "plan": self._planned(),
            "faults": self._faults(running.facts["sandbox_url"]),
            "revived": revived,
            "times_s": self.times_s | {"in all": time.monotonic() - self.began},
            **nemesis.report(),
        }
        place = folder / "run.json"
        place.write_text(json.dumps(facts), encoding="utf-8")
        status = subprocess.run(
            [sys.executable, "-m", "tests.proofs.checker", str(place)],
            cwd=ROOT,
            check=False,
        ).returncode
        if wanted.keep_in is not None:
            wanted.keep_in.mkdir(parents=True, exist_ok=True)
            for path in folder.iterdir():
                shutil.copy(path, wanted.keep_in / path.name)
            (wanted.keep_in / "timelines.txt").write_text(
                "\n".join(timelines(stage)), encoding="utf-8"
            )
        must(status in (0, 1), f"the checker itself ended with status {status}")
        return status

    def _watch(
        self, stage: Stage, people: Crowd, nemesis: Nemesis, written: Diary
    ) -> None:
        """Until every order is over, or nothing can be expected any more: then the checker says
        what is wrong."""
        shown, moved, last = 0.0, time.monotonic(), None
        assert people.staff is not None
        patience_s = STUCK_S + (TAIL_S + LONGEST_PAUSE_S) / self.wanted.scale
        while time.monotonic() - moved < patience_s:
            people.check()
            if nemesis.failure is not None:
                raise nemesis.failure
            counts = counted(stage)
            seen = (
                counts,
                people.staff.bought,
                written.counts["placed"],
                len(nemesis.kills),
            )
            if seen != last:
                moved, last = time.monotonic(), seen
            if time.monotonic() - shown > LINE_S:
                shown = time.monotonic()
                kinds = Counter(kill.kind for kill in nemesis.kills)
                self.say(
                    f"placed {written.counts['placed']}, bought {people.staff.bought},"
                    f" {', '.join(f'{state} {n}' for state, n in counts.items())}; killed"
                    f" {len(nemesis.kills)}"
                    f" ({', '.join(f'{kind} {n}' for kind, n in sorted(kinds.items()))})"
                )
            is_over = (
                counts
                and not counts.get("open")
                and sum(counts.values()) >= self.wanted.orders
            )
            if people.has_ordered and "load" not in self.times_s:
                self._mark("load")
            if is_over and people.has_ordered and people.staff.idle and nemesis.is_done:
                break
            time.sleep(0.5)
        else:
            self.say("nothing has moved for too long; what is open now stays open")
        self._mark("settled")

    def _settle_float(self, stage: Stage, supplier: Supplier) -> None:
        """Let the books hear of the supplier's last refunds: the owner presses *Refresh balance*
        until they agree."""
        owner = Owner.logged_in(stage.running)
        deadline = time.monotonic() + max(30, 180 / self.wanted.scale)
        pressed = 0.0
        while time.monotonic() < deadline:
            if our_float(stage) == supplier.state()["balance_pesewas"]:
                return
            if time.monotonic() - pressed > 5:
                pressed = time.monotonic()
                owner.post(
                    "/supplier/refresh",
                    form_of(owner.get("/supplier").text, "/supplier/refresh"),
                )
            time.sleep(0.5)
        self.say("the float account and the supplier's balance do not agree")

    def _revive(
        self, stage: Stage, staff: Staff, supplier: Supplier, written: Diary
    ) -> list[str]:
        """The supplier delivers two orders after all that we have refunded. Returns their
        references, told each time."""
        supplier.turn(webhook_drop_probability=0)
        failed = [
            line["reference"]
            for line in read(written.path)
            if line["what"] == "fate" and line["fate"] in ("failed", "quiet")
        ]
        chosen = refunded_of(stage, failed)[:2]
        for reference in chosen:
            staff.mark(reference, status="successful")
        deadline = time.monotonic() + LATE_CASES_S / self.wanted.scale + 10
        while time.monotonic() < deadline and len(late_of(stage, chosen)) < len(chosen):
            time.sleep(0.5)
        return chosen

    def _planned(self) -> dict[str, Any]:
        buying = "+".join(self.wanted.every)
        faults = [
            *(f"{buying}.{fault}" for fault in BAD_PURCHASES),
            *(f"status.{fault}" for fault in BAD_LOOK_UPS),
            *(f"webhook.{kind}" for kind in BENT_WEBHOOKS),
        ]
        acts = {"flush": 2, "postgres": 1, "freeze": 1}
        return {
            "kills": self.wanted.kills,
            "acts": acts,
            "faults": faults,
            "least_of_a_kind": self.wanted.least_of_a_kind,
            "few_in_cases": FEW_IN_CASES,
        }

    def _faults(self, sandbox_url: str) -> dict[str, int]:
        """How many orders each kind struck; a bad answer to a call for ten is ten orders in the
        dark."""
        counts = httpx.get(f"{sandbox_url}/sandbox/counts", trust_env=False).json()
        found: Counter[str] = Counter()
        for name, n in counts["struck_at"].items():
            endpoint, fault = name.split(".")
            found[
                f"{'+'.join(self.wanted.every) if endpoint in self.wanted.every else endpoint}.{fault}"
            ] += n
        found.update(
            {
                f"webhook.{kind}": counts["webhooks_bent"].get(kind, 0)
                for kind in BENT_WEBHOOKS
            }
        )
        return dict(found)

    def say(self, text: str) -> None:
        """One line of the run, with the seconds since it began."""
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)

    def _mark(self, name: str) -> None:
        self.times_s[name] = round(
            time.monotonic() - self.began - sum(self.times_s.values()), 1
        )


def counted(stage: Stage) -> dict[str, int]:
    """Orders by what they are to a run: final states, `in a case`, and `open`. Empty while the
    database is away."""
    rows = _rows(
        stage,
        "SELECT CASE WHEN state IN ('completed', 'refunded', 'cancelled', 'expired') THEN state"
        " WHEN id IN (SELECT order_id FROM cases WHERE closed_at IS NULL) THEN 'in a case' ELSE"
        " 'open' END, count(*) FROM orders GROUP BY 1 ORDER BY 1",
    )
    return dict(rows)


def our_float(stage: Stage) -> int | None:
    """The float account, in pesewas."""
    rows = _rows(
        stage, "SELECT balance_pesewas FROM accounts WHERE name = 'supplier_float'"
    )
    return int(rows[0][0]) if rows else None


def refunded_of(stage: Stage, references: list[str]) -> list[str]:
    """Those references whose orders are refunded, oldest first."""
    rows = _rows(
        stage,
        "SELECT order_ref FROM orders WHERE state = 'refunded' AND order_ref = ANY(%s) ORDER BY id",
        references,
    )
    return [row[0] for row in rows]


def late_of(stage: Stage, references: list[str]) -> list[str]:
    """Those references about which an open case says that the supplier contradicts a final
    state."""
    rows = _rows(
        stage,
        "SELECT DISTINCT o.order_ref FROM orders o JOIN cases c ON c.order_id = o.id WHERE"
        " c.closed_at IS NULL AND c.kind IN ('late_success', 'contradiction') AND o.order_ref ="
        " ANY(%s)",
        references,
    )
    return [row[0] for row in rows]


def timelines(stage: Stage) -> list[str]:
    """Every line of every order's timeline, and every call, by order and time: for whoever looks
    into a red run."""
    rows = _rows(
        stage,
        "SELECT o.id, o.order_ref, o.state, e.at, e.who, e.kind, e.text FROM orders o JOIN"
        " order_events e ON e.order_id = o.id UNION ALL SELECT o.id, o.order_ref, o.state,"
        " coalesce(c.answered_at, c.at), 'call', c.endpoint, concat_ws(' ', c.http_status,"
        " c.outcome, c.note, c.duration_ms) FROM orders o JOIN supplier_calls c ON o.order_ref ="
        " ANY(c.order_refs) ORDER BY 1, 4",
    )
    return [
        f"{row[0]:5} {row[1]} {row[2]:10} {row[3]:%H:%M:%S.%f} {row[4]:9} {row[5]:10} {row[6]}"
        for row in rows
    ]


def _rows(stage: Stage, query: str, *values: Any) -> list[Any]:
    """What a reading transaction over all stores sees; nothing while PostgreSQL is down."""
    try:
        with psycopg.connect(
            stage.running.facts["database_admin_url"], connect_timeout=5
        ) as connection:
            connection.read_only = True
            return connection.execute(query, values).fetchall()
    except psycopg.OperationalError:
        return []


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.kill",
        description="No order lost, no cedi lost, under kill -9.",
    )
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument(
        "--scale",
        type=float,
        default=10.0,
        help="time scale, of the supplier's window too (default 10)",
    )
    parser.add_argument(
        "--seed", type=int, default=None, help="default: drawn, and printed"
    )
    parser.add_argument(
        "--seeds", metavar="A-B", help="several runs, one after another"
    )
    parser.add_argument("--bulk", choices=("off", "auto"), default="off")
    parser.add_argument(
        "--mutant",
        choices=mutants.MUTANTS,
        help="take one rule out (see docs/proofs.md)",
    )
    parser.add_argument(
        "--long", action="store_true", help="1,000 orders, 200 kills, unscaled"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep logs, diary and report of each run here",
    )
    return parser


def seeds_of(chosen: argparse.Namespace) -> list[int]:
    """The seeds to run: the one named, also where several are (`prove` names them first), or one
    that is drawn."""
    if chosen.seed is not None:
        return [chosen.seed]
    if chosen.seeds:
        first, _, last = chosen.seeds.partition("-")
        return list(range(int(first), int(last or first) + 1))
    return [random.SystemRandom().randrange(1, 10**6)]


def main() -> int:
    """Run what was asked for; 0 green, 1 red, 2 broke off."""
    chosen = options().parse_args()
    sizes = (
        LONG
        if chosen.long
        else {"orders": chosen.orders, "kills": chosen.kills, "scale": chosen.scale}
    )
    worst = 0
    for seed in seeds_of(chosen):
        keep_in = chosen.keep / f"seed-{seed}-{chosen.bulk}" if chosen.keep else None
        wanted = Wanted(
            seed=seed, bulk=chosen.bulk, mutant=chosen.mutant, keep_in=keep_in, **sizes
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
