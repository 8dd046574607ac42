"""Who kills: workers, relay, supervisor, web and Valkey by SIGKILL, spread over the run while work
is due.

Decides, from a seed, whom and when; also the two floods of Valkey's memory, the one death of
PostgreSQL and the one worker that is frozen over its lease. A victim is frozen first, so that its
connections can be read, then killed: whether that hit a purchase in flight is for the supplier to
say, by the ports of those whose answer nobody took.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import redis

import supervision
from tests.proofs.diary import Diary
from tests.proofs.stage import Stage

SHARES = {"worker": 0.54, "web": 0.16, "relay": 0.15, "supervise": 0.05, "valkey": 0.1}
AIMED = 0.7
"""The share of worker kills that wait for a worker in the middle of a purchase."""
AIM_S = 8.0
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


def deck(
    kills: int, chance: random.Random, shares: Mapping[str, float] = SHARES
) -> list[str]:
    """The kinds of all kills in a drawn order, each kind in its share and at least once."""
    cards = [
        kind
        for kind, share in shares.items()
        for _ in range(max(1, round(kills * share)))
    ]
    cards = (
        (cards + ["worker"] * kills)[:kills] if len(cards) < kills else cards[:kills]
    )
    chance.shuffle(cards)
    return cards


class Nemesis(threading.Thread):
    """Kills in step with `progress()`, 0 to 1; what else it does has its place on the same
    scale."""

    def __init__(
        self, stage: Stage, diary: Diary, stop: threading.Event, progress: Callable[[], float], *,
        seed: int, kills: int,
        scale: float, shares: Mapping[str, float] = SHARES,
    ) -> None:  # fmt: skip
        super().__init__(name="nemesis", daemon=True)
        self._stage, self._diary, self._ending, self._progress = (
            stage,
            diary,
            stop,
            progress,
        )
        self._random, self._scale = random.Random(f"{seed} nemesis"), scale
        self._deck = deck(kills, self._random, shares)
        self._total = kills
        acts = self.plan()
        self._acts = sorted(
            (place + self._random.uniform(-0.08, 0.08), number)
            for number, (place, _) in enumerate(acts)
        )
        self._act_of = [act for _, act in acts]
        self._door = httpx.Client(
            base_url=stage.running.facts["sandbox_url"], trust_env=False, timeout=10
        )
        self.kills: list[Kill] = []
        self.acts: Counter[str] = Counter()
        self.failure: Exception | None = None

    def plan(self) -> list[tuple[float, Callable[[], None]]]:
        """What it does besides killing, each with its place on the scale."""
        return [
            (0.25, self.flush),
            (0.65, self.flush),
            (0.45, self.end_postgres),
            (0.35, self.freeze),
        ]

    @property
    def is_done(self) -> bool:
        return not self._deck and not self._acts

    def run(self) -> None:
        try:
            while not self._ending.is_set() and not self.is_done:
                self._turn()
        except Exception as error:  # noqa: BLE001 - carried to the run, which fails with it
            self.failure = error

    def _turn(self) -> None:
        done = self._progress()
        if self._acts and self._acts[0][0] <= done:
            self._act_of[self._acts.pop(0)[1]]()
        elif self._deck and len(self.kills) < done * self._total:
            self._kill(self._deck.pop())
            self._ending.wait(self._random.uniform(0.05, 0.4))
        else:
            self._ending.wait(0.05)

    def _kill(self, kind: str) -> None:
        aimed = kind == "worker" and self._random.random() < AIMED
        found = self._buyer() if aimed else None
        if (
            found is not None
        ):  # frozen already, and no time to lose: its answer may come at any moment
            supervision.send(found[0], signal.SIGKILL)
            kill = Kill(time.time(), kind, found[0], True, [found[1]])
        else:
            pid = self._somebody(kind)
            if pid is None:
                self._deck.insert(0, kind)  # nobody of that kind is alive now: later
                return
            kill = Kill(time.time(), kind, pid)
            if kind in ("worker", "supervise"):
                supervision.send(pid, signal.SIGSTOP)
                victims = (
                    [pid] if kind == "worker" else self._stage.pids("worker")
                )  # they die with their supervisor
                kill.ports = ports(victims, self._stage.running.sandbox_port)
            supervision.send(pid, signal.SIGKILL)
            kill.at = time.time()
        self.kills.append(kill)
        self._diary.note(
            "killed", kind=kind, pid=kill.pid, aimed=kill.aimed, ports=kill.ports
        )

    def _buyer(self) -> tuple[int, int] | None:
        """A worker in the middle of a purchase, frozen, and its port; waited for a little. The
        supplier says who it is."""
        deadline = time.monotonic() + AIM_S
        while time.monotonic() < deadline and not self._ending.is_set():
            for port in self._buying():
                for pid in self._stage.pids("worker"):
                    if port in ports([pid], self._stage.running.sandbox_port):
                        supervision.send(pid, signal.SIGSTOP)
                        if port in self._buying():
                            return pid, port
                        # its answer came meanwhile
                        supervision.send(pid, signal.SIGCONT)
            time.sleep(_LOOK_S)
        return None

    def _buying(self) -> list[int]:
        """The ports of those whose purchase the supplier is at."""
        return [
            one["peer_port"]
            for one in self._door.get("/sandbox/buying").json()["buying"]
        ]

    def _somebody(self, kind: str) -> int | None:
        deadline = time.monotonic() + VICTIM_S
        while time.monotonic() < deadline and not self._ending.is_set():
            if pids := self._stage.pids(kind):
                return self._random.choice(pids)
            time.sleep(_LOOK_S)
        return None

    def flush(self) -> None:
        """Valkey forgets everything it was told."""
        deadline = time.monotonic() + VICTIM_S
        while time.monotonic() < deadline:
            try:
                with redis.Redis.from_url(
                    self._stage.running.facts["redis_url"], socket_timeout=2
                ) as connection:
                    connection.flushall()
                break
            except redis.RedisError:  # just killed: once it is back
                time.sleep(0.1)
        self._did("flush")

    def end_postgres(self) -> None:
        """PostgreSQL dies as by a power cut, and recovers."""
        for pid in self._stage.pids("postgres"):
            supervision.send(pid, signal.SIGKILL)
        self._did("postgres")

    def freeze(self) -> None:
        """A worker in the middle of a call sleeps over its lease, then goes on as if nothing had
        been."""
        found = self._buyer()
        pid = found[0] if found else self._somebody("worker")
        if pid is None:
            return
        self._hold("freeze", pid)

    def _hold(self, act: str, pid: int) -> None:
        """A process sleeps over the lease of what it is doing."""
        frozen_s = SEND_LEASE_S / self._scale * 1.1
        supervision.send(pid, signal.SIGSTOP)
        try:
            self._ending.wait(frozen_s)
        finally:
            supervision.send(pid, signal.SIGCONT)
        self._did(act, pid=pid, seconds=round(frozen_s, 1))

    def _did(self, act: str, **facts: Any) -> None:
        self.acts[act] += 1
        self._diary.note(act, **facts)

    def report(self) -> dict[str, Any]:
        """Kills and acts for the checker, the hits as the supplier saw them."""
        abandoned = self._door.get("/sandbox/abandoned").json()["abandoned"]
        for kill in self.kills:
            kill.hit = any(
                one["peer_port"] in kill.ports
                and kill.at - 1 <= one["at"] <= kill.at + HIT_WINDOW_S
                for one in abandoned
            )
        stages = Counter(one["stage"] for one in abandoned)
        return {
            "kills": [asdict(kill) for kill in self.kills],
            "acts": dict(self.acts),
            "abandoned": {"all": len(abandoned), **stages},
        }


def ports(pids: list[int], to_port: int) -> list[int]:
    """The local ports by which these processes are connected to a port of this machine, straight
    from the kernel's tables: fast, since answers take milliseconds."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    wanted = f":{to_port:04X}"
    by_inode = {
        row[9]: int(row[1].partition(":")[2], 16)
        for row in rows
        if row[2].endswith(wanted) and row[3] == "01"
    }
    return [
        by_inode[inode] for pid in pids for inode in _sockets(pid) if inode in by_inode
    ]


def _sockets(pid: int) -> list[str]:
    found = []
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            if target.startswith("socket:["):
                found.append(target[8:-1])
    except OSError:  # gone, or a file closed meanwhile
        pass
    return found
