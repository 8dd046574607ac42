"""Who kills: workers, relay, supervisor, web and Valkey by SIGKILL, spread over the run while work is due.

Decides, from a seed, whom and when; also the two floods of Valkey's memory, the one death of PostgreSQL and the one
worker that is frozen over its lease. A victim is frozen first, so that its connections can be read, then killed:
whether that hit a purchase in flight is for the supplier to say, by the ports of those whose answer nobody took.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import psutil
import redis

from chaos.diary import Diary
from chaos.stage import Stage
from devkit import leash

SHARES = {"worker": 0.5, "web": 0.16, "relay": 0.14, "supervise": 0.1, "valkey": 0.1}
AIMED = 0.75
"""The share of worker kills that wait for a worker with a connection to the supplier."""
AIM_S = 4.0
VICTIM_S = 15.0
SEND_LEASE_S = 100
HIT_WINDOW_S = 30.0
"""A purchase abandoned this long after a kill, from a port of the victim, is the one it held."""
_LOOK_S = 0.02


@dataclass
class Kill:
    """One death, and the local ports by which the victim was connected to the supplier."""

    at: float
    kind: str
    pid: int
    aimed: bool = False
    ports: list[int] = field(default_factory=list)
    hit: bool = False


def deck(kills: int, chance: random.Random) -> list[str]:
    """The kinds of all kills in a drawn order, each kind in its share and at least once."""
    cards = [kind for kind, share in SHARES.items() for _ in range(max(1, round(kills * share)))]
    cards = (cards + ["worker"] * kills)[:kills] if len(cards) < kills else cards[:kills]
    chance.shuffle(cards)
    return cards


class Nemesis(threading.Thread):
    """Kills in step with `progress()`, 0 to 1; what else it does has its place on the same scale."""

    def __init__(
        self, stage: Stage, diary: Diary, stop: threading.Event, progress: Callable[[], float], *, seed: int, kills: int,
        scale: float,
    ) -> None:  # fmt: skip
        super().__init__(name="nemesis", daemon=True)
        self._stage, self._diary, self._stop, self._progress = stage, diary, stop, progress
        self._random, self._scale = random.Random(f"{seed} nemesis"), scale
        self._deck = deck(kills, self._random)
        self._total = kills
        acts = [(0.25, self.flush), (0.65, self.flush), (0.45, self.end_postgres), (0.35, self.freeze)]
        self._acts = sorted(
            (place + self._random.uniform(-0.08, 0.08), number) for number, (place, _) in enumerate(acts)
        )
        self._act_of = [act for _, act in acts]
        self.kills: list[Kill] = []
        self.acts: Counter[str] = Counter()
        self.failure: Exception | None = None

    @property
    def is_done(self) -> bool:
        return not self._deck and not self._acts

    def run(self) -> None:
        try:
            while not self._stop.is_set() and not self.is_done:
                self._turn()
        except Exception as error:  # noqa: BLE001 - carried to the run, which fails with it
            self.failure = error

    def _turn(self) -> None:
        done = self._progress()
        if self._acts and self._acts[0][0] <= done:
            self._act_of[self._acts.pop(0)[1]]()
        elif self._deck and len(self.kills) < done * self._total:
            self._kill(self._deck.pop())
            self._stop.wait(self._random.uniform(0.05, 0.4))
        else:
            self._stop.wait(0.05)

    def _kill(self, kind: str) -> None:
        aimed = kind == "worker" and self._random.random() < AIMED
        found = self._holder() if aimed else None
        pid = found or self._somebody(kind)
        if pid is None:
            self._deck.insert(0, kind)  # nobody of that kind is alive now: later
            return
        kill = Kill(time.time(), kind, pid, found is not None)
        if kind in ("worker", "supervise"):
            leash.send(pid, signal.SIGSTOP)
            victims = [pid] if kind == "worker" else self._stage.pids("worker")  # they die with their supervisor
            kill.ports = [port for victim in victims for port in self._ports(victim)]
            kill.at = time.time()
        leash.send(pid, signal.SIGKILL)
        self.kills.append(kill)
        self._diary.note("killed", kind=kind, pid=pid, aimed=kill.aimed, ports=kill.ports)

    def _holder(self) -> int | None:
        """A worker with a connection to the supplier, waited for a little."""
        deadline = time.monotonic() + AIM_S
        while time.monotonic() < deadline and not self._stop.is_set():
            holders = [pid for pid in self._stage.pids("worker") if self._ports(pid)]
            if holders:
                return self._random.choice(holders)
            time.sleep(_LOOK_S)
        return None

    def _somebody(self, kind: str) -> int | None:
        deadline = time.monotonic() + VICTIM_S
        while time.monotonic() < deadline and not self._stop.is_set():
            if pids := self._stage.pids(kind):
                return self._random.choice(pids)
            time.sleep(_LOOK_S)
        return None

    def _ports(self, pid: int) -> list[int]:
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            return []
        supplier = self._stage.running.sandbox_port
        return [
            one.laddr.port
            for one in connections
            if one.status == psutil.CONN_ESTABLISHED and one.raddr and one.raddr.port == supplier
        ]

    def flush(self) -> None:
        """Valkey forgets everything it was told."""
        deadline = time.monotonic() + VICTIM_S
        while time.monotonic() < deadline:
            try:
                with redis.Redis.from_url(self._stage.running.facts["redis_url"], socket_timeout=2) as connection:
                    connection.flushall()
                break
            except redis.RedisError:  # just killed: once it is back
                time.sleep(0.1)
        self._did("flush")

    def end_postgres(self) -> None:
        """PostgreSQL dies as by a power cut, and recovers."""
        for pid in self._stage.pids("postgres"):
            leash.send(pid, signal.SIGKILL)
        self._did("postgres")

    def freeze(self) -> None:
        """A worker in the middle of a call sleeps over its lease, then goes on as if nothing had been."""
        pid = self._holder() or self._somebody("worker")
        if pid is None:
            return
        frozen_s = SEND_LEASE_S / self._scale * 1.1
        leash.send(pid, signal.SIGSTOP)
        try:
            self._stop.wait(frozen_s)
        finally:
            leash.send(pid, signal.SIGCONT)
        self._did("freeze", pid=pid, seconds=round(frozen_s, 1))

    def _did(self, act: str, **facts: Any) -> None:
        self.acts[act] += 1
        self._diary.note(act, **facts)

    def report(self) -> dict[str, Any]:
        """Kills and acts for the checker, the hits as the supplier saw them."""
        with httpx.Client(base_url=self._stage.running.facts["sandbox_url"], trust_env=False, timeout=10) as door:
            abandoned = door.get("/sandbox/abandoned").json()["abandoned"]
        for kill in self.kills:
            kill.hit = any(
                one["peer_port"] in kill.ports and kill.at - 1 <= one["at"] <= kill.at + HIT_WINDOW_S
                for one in abandoned
            )
        stages = Counter(one["stage"] for one in abandoned)
        return {
            "kills": [asdict(kill) for kill in self.kills],
            "acts": dict(self.acts),
            "abandoned": {"all": len(abandoned), **stages},
        }
