"""One run of the simulation: the clock, the processes, the people, the nemesis, and which event
comes next.

Every choice is drawn from one generator, so a seed is a run. What the processes do is shipped code
behind the seams of `sim_seams`; what must hold is in `sim_checks`.
"""

from __future__ import annotations

import heapq
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from redis.exceptions import RedisError
from rq.timeouts import BaseTimeoutException
from sqlalchemy.exc import IntegrityError

from core import clock_changes, orders, outbox, reconcile
from core.audit import SYSTEM
from core.audit import Actor as Person
from core.base import clock, tenancy
from fulfilment import housekeeping, jobs, relay, webhooks
from tests.proofs import sim_profile, sim_seams
from tests.proofs.sim_actors import NEVER, Actor, Dead, Wallet, current
from tests.proofs.sim_checks import Checks
from tests.proofs.sim_profile import COSTS, BulkMode, Profile
from tests.proofs.sim_store import Store
from tests.proofs.sim_supplier import FakeSupplier, Record

AGENT = Person("agent", "Ama")
OWNER = Person("owner", "Efua")
RESTART_S = 1.0
NEARLY_PESEWAS = 100
_STEPS_PER_ORDER = 50
_CALM_STEPS_PER_ORDER = 600
_CALM_FUEL = 50
"""With nobody to disturb them processes need not take turns at every seam."""
_CALM_ROUNDS = 5
_HEARD_S = 200.0
"""A look-up may wait for the call budget; by then what the last webhooks rang for has been
asked."""


@dataclass
class Slot:
    """One worker process: what it works on, and until when it is not there."""

    number: int
    actor: Actor | None = None
    began: float = 0.0
    down_until: float = 0.0


class World:
    """A run of one seed. `run` makes it happen."""

    def __init__(
        self,
        seed: int,
        order_count: int,
        store: Store,
        *,
        bulk: BulkMode = "off",
        weather: Callable[[Profile], None] | None = None,
    ) -> None:
        """`store` is fresh. `weather` changes what the seed drew, for who looks for one thing."""
        self.seed, self.order_count = seed, order_count
        self.rng = Random(f"events {seed}")
        self.chance = Random(f"jitter {seed}")
        self.profile = sim_profile.drawn(seed, bulk)
        if weather is not None:
            weather(self.profile)
        self.settings = self.profile.settings
        self.store = store
        self.checks = Checks(self)
        self.wallet = Wallet()
        self.supplier = FakeSupplier(
            self,
            Random(f"supplier {seed}"),
            self.profile.character,
            self.profile.float_pesewas,
        )
        self.time = 0.0
        self.events = 0
        self.queue: list[tuple[int, int]] = []
        self.mail: list[bytes] = []
        self.valkey_is_down = False
        self.tracing = False
        self.trace: list[str] = []
        self.codes: list[str] = []
        self.counts: dict[str, int] = {}
        self._refs = 0
        self._aimed = self._holds_answer = False
        self._first_row = 1 << 40
        self._boots = 1
        self._booted_at = -1_000.0
        self._wall_ahead = 0.0
        self._timed: list[tuple[float, int, Callable[[], None]]] = []
        self._planned = 0
        self._slots = [Slot(number) for number in range(self.profile.workers)]
        self._web: list[Actor] = []
        self._relay: Actor | None = None
        self._clocks = clock_changes.Watch()
        self._clock_moved = False
        self._paid_in_pesewas = 0
        self._next_round = 0.0
        self._to_release: list[str] = []
        self._nemesis: list[tuple[Callable[[], None], float]] = [
            (getattr(self, f"_{name}"), weight)
            for name, weight in self.profile.nemesis.items()
        ]

    # Asked by the stand-ins

    def wall(self) -> float:
        """Seconds of wall time since the simulation's epoch."""
        return self.time + self._wall_ahead

    def steady(self) -> float:
        return self.time - self._booted_at

    @property
    def boot(self) -> str:
        return f"boot-{self._boots}"

    def next_ref(self) -> str:
        self._refs += 1
        ref = f"MK-{self.seed}-{self._refs}"
        if self.rng.random() < self.profile.character.foreign:
            self.supplier.foreign.add(ref)
        return ref

    def at(self, moment: float, act: Callable[[], None]) -> None:
        """Let something happen at a moment of the world's clock."""
        self._planned += 1
        heapq.heappush(self._timed, (moment, self._planned, act))

    def note(self, what: str) -> None:
        if self.tracing:
            self.trace.append(f"{self.time:10.2f}  {what}")

    def _told(self, _before: dict[str, Any] | None, line: dict[str, Any]) -> None:
        self.note(f"    order {line['order_id']} {line['kind']}: {line['text']}")

    def _hit_if_aimed(
        self, before: dict[str, Any] | None, after: dict[str, Any]
    ) -> None:
        """The nemesis waits for a claim: its worker stops right after it is committed."""
        if (
            self._aimed
            and before is not None
            and (before["state"], after["state"]) == ("queued", "submitting")
        ):
            self._aimed = False
            self.count("claims hit")
            actor, seconds = (
                current(),
                self.rng.choice(
                    (0.0, self.rng.uniform(80, 130), self.rng.uniform(100, 420))
                ),
            )
            actor.fuel = 1
            if seconds:
                self.note(
                    f"{actor.name} is frozen for {seconds:.0f} s between claim and call"
                )
                actor.frozen_until = self.time + seconds
            else:
                self.at(
                    self.time,
                    lambda: (
                        [
                            self._kill_slot(s, "kill -9")
                            for s in self._slots
                            if s.actor is actor
                        ]
                        and None
                    ),
                )

    # The run

    def run(self) -> tuple[str, str] | None:
        """Run to the end. The broken invariant and its evidence, or None when all held."""
        with sim_seams.running(self):
            self._open()
            steps = 0
            while (
                not self.checks.broken
                and steps < self.order_count * _STEPS_PER_ORDER
                and not self._all_over()
            ):
                self._step()
                steps += 1
            if not self.checks.broken:
                self._calm_down()
            self._end_all()
            self.store.compare()
        return self.checks.broken

    def _open(self) -> None:
        """Orders placed and paid for, a float at the supplier, money in the wallet."""
        rows = []
        sizes = list(COSTS)
        for number in range(1, self.order_count + 1):
            gb = self.rng.choice(sizes)
            cost, price = COSTS[gb]
            rows.append(
                {
                    "code": f"{self.seed % 10_000:04}{number:06}",
                    "order_ref": self.next_ref(),
                    "recipient_msisdn": f"+23324{number:07}",
                    "network": "mtn",
                    "mb": gb * 1024,
                    "product_name": sim_profile.PRODUCT,
                    "capacity": f"{gb}GB",
                    "price_pesewas": price + 50,
                    "agent_price_pesewas": price,
                    "cost_pesewas": cost,
                    "state": "pending",
                }
            )
        self.codes = [row["code"] for row in rows]
        self._to_release = list(self.codes)
        self.store.serve(self.supplier)
        ids = self.store.place(rows)
        for row, order_id in zip(rows, ids, strict=True):
            self.supplier.knows(row["recipient_msisdn"], row["cost_pesewas"])
            self.checks.knows(order_id, row["recipient_msisdn"])
        for table, listener in self.checks.listeners().items():
            self.store.listen(table, listener)
        self.store.listen("orders", self._hit_if_aimed)
        if self.tracing:
            self.store.listen("order_events", self._told)
        self.store.fund_float(self.profile.float_pesewas)
        self.store.fund_wallet(self.profile.wallet_pesewas)
        self.store.plant_unbalanced()
        self._look_as_left_out_rounds_did()
        self.checks.after_event()

    def _step(self) -> None:
        """One event."""
        self.events += 1
        self._happen()
        if self._paid_in_pesewas and self.rng.random() < 0.02:
            self._owner_answers()
        roll = self.rng.random()
        if roll < self.profile.nemesis_share and self._nemesis:
            acts, weights = zip(*self._nemesis, strict=True)
            self.rng.choices(acts, weights)[0]()
        elif (
            self._to_release
            and roll < self.profile.nemesis_share + self.profile.pace * 0.1
        ):
            self._people()
        elif self.mail and roll > 0.93:
            self._deliver_mail()
        elif not self._work():
            if self._to_release and self.rng.random() < self.profile.pace:
                self._people()
            elif self.mail and self.rng.random() < 0.5:
                self._deliver_mail()
            else:
                self._pass_time()
        self.checks.after_event()

    def _work(self) -> bool:
        """Let one process go on to its next seam, start a job or a round. False when nobody has
        anything to do now."""
        now = self.time
        ready: list[Slot | Actor | None] = []
        for slot in self._slots:
            if slot.actor is not None:
                if slot.actor.ready_at <= now:
                    ready.append(slot.actor)
            elif self.queue and not self.valkey_is_down and slot.down_until <= now:
                ready.append(slot)
        for actor in self._web:
            if actor.ready_at <= now:
                ready.append(actor)
        if self._relay is not None:
            if self._relay.ready_at <= now:
                ready.append(self._relay)
        elif self._next_round <= now and self._relay_has_work():
            ready.append(None)
        if not ready:
            return False
        chosen = ready[0] if len(ready) == 1 else self.rng.choice(ready)
        if chosen is None:
            self._start_round()
        elif isinstance(chosen, Slot):
            self._start_job(chosen)
        else:
            self._go_on(chosen)
        self.time += self.rng.random() * 0.02
        return True

    def _go_on(self, actor: Actor) -> None:
        fuel = actor.fuel = (
            _CALM_FUEL if self.supplier.calm else self.rng.choice(self.profile.fuel)
        )
        actor.switch()
        if self.tracing:
            self.note(
                f"{actor.name} {'ends' if actor.dead else 'waits'} after {fuel - actor.fuel} seams"
            )
        if (
            self.profile.stalls
            and not self.supplier.calm
            and self.rng.random() < self.profile.stalls
        ):
            actor.frozen_until = self.time + self.rng.expovariate(1 / 15)

    def _pass_time(self) -> None:
        """Nobody can do anything now: to the next moment at which somebody can, sometimes well past
        it."""
        moments = [self._timed[0][0]] if self._timed else []
        for slot in self._slots:
            if slot.actor is not None:
                moments.append(slot.actor.ready_at)
                if self.profile.supervised:
                    moments.append(slot.began + self._hung_after_s)
            elif self.queue and not self.valkey_is_down:
                moments.append(slot.down_until)
        moments += [actor.ready_at for actor in self._web]
        if self._relay is not None:
            moments.append(self._relay.ready_at)
        elif not self.valkey_is_down:
            moments.append(max(self._next_relay_work(), self._next_round))
        later = min(
            (moment for moment in moments if moment < NEVER), default=self.time + 60.0
        )
        if not self.supplier.calm and self._idle() and self.rng.random() < 0.4:
            later = max(later, self.time) + self.rng.expovariate(1 / 400)
        self.time = max(self.time + 0.001, later)

    def _happen(self) -> None:
        """What was planned for moments that have passed, in their order; and the supervisor's look
        at its workers."""
        while self._timed and self._timed[0][0] <= self.time:
            heapq.heappop(self._timed)[2]()
        if self.profile.supervised:
            for slot in self._slots:
                if (
                    slot.actor is not None
                    and self.time - slot.began > self._hung_after_s
                ):
                    self._kill_slot(slot, "the supervisor kills")

    @property
    def _hung_after_s(self) -> float:
        return self.settings.job_timeout_s + self.settings.supervise_grace_s

    def _next_due(self) -> float | None:
        """When a row falls due, by the world's clock."""
        due = self.store.next_due()
        if due is None:
            return None
        return self._by_our_clock(due)

    def _by_our_clock(self, moment: datetime) -> float:
        return (
            float((moment - sim_seams.EPOCH) / timedelta(seconds=1)) - self._wall_ahead
        )

    def _something_due(self) -> bool:
        due = self._next_due()
        return due is not None and due <= self.time

    def _next_relay_work(self) -> float:
        """The next moment at which a round of the relay would do anything. The rounds before it are
        left out."""
        if self._clock_moved:
            return self.time
        asks_again = self.store.newest_read_asked() + timedelta(
            seconds=self.settings.balance_every_s
        )
        due = self._next_due()
        asks = self._by_our_clock(asks_again)
        return asks if due is None else min(due, asks)

    def _relay_has_work(self) -> bool:
        return self._next_relay_work() <= self.time

    def _all_over(self) -> bool:
        return (
            not self._to_release
            and self.events % 20 == 0
            and not any(row["state"] in orders.WORK for row in self.store.orders())
        )

    # Processes

    def _actor(self, name: str, work: Callable[[], Any]) -> Actor:
        def live() -> None:
            with self.store.process():
                try:
                    work()
                except Dead:
                    pass
                except (BaseTimeoutException, RedisError):
                    self.count("timed out")
                except IntegrityError as refused:
                    self.checks.refused(name, refused)
                except Exception:  # noqa: BLE001 - whatever it is, an invariant is broken
                    self.checks.breaks(
                        "no_error_of_ours", f"{name}: {traceback.format_exc(limit=-4)}"
                    )
                finally:
                    self._gone(actor)

        actor = Actor(name, live, self)
        return actor

    def _start_job(self, slot: Slot) -> None:
        outbox_id, lease_no = self.queue.pop(0)
        self._first_row = min(self._first_row, outbox_id)
        self.note(
            f"worker {slot.number} takes row {outbox_id - self._first_row + 1}, lease {lease_no}"
        )
        slot.began = self.time
        slot.actor = self._actor(
            f"worker {slot.number}", lambda: jobs.run(outbox_id, lease_no)
        )
        if self.profile.time_limit:
            slot.actor.limit = self.time + self.settings.job_timeout_s
        self._go_on(slot.actor)

    def _start_round(self) -> None:
        def rounds() -> None:
            with tenancy.across_stores():
                housekeeping.watch_clocks(clocks)
                reconcile.renew()
                relay.round_once(sim_seams.FakeValkey())  # type: ignore[arg-type]
                if abs(clock.now() - self.store.newest_read_asked()) > every:
                    relay.ask_timed()

        every = timedelta(seconds=self.settings.balance_every_s)
        clocks, self._clock_moved = self._clocks, False
        self._next_round = self.time + self.settings.relay_round_s
        self._relay = self._actor("relay", rounds)
        self._go_on(self._relay)

    def _start_page(
        self, name: str, work: Callable[[], Any], body: bytes = b""
    ) -> None:
        actor = self._actor(name, work)
        actor.body = body
        self._web.append(actor)
        self._go_on(actor)

    def _gone(self, actor: Actor) -> None:
        for slot in self._slots:
            if slot.actor is actor:
                slot.actor = None
        if self._relay is actor:
            self._relay = None
        if actor in self._web:
            self._web.remove(actor)

    # People

    def _people(self) -> None:
        code = self._to_release.pop(self.rng.randrange(len(self._to_release)))
        roll = self.rng.random()
        if roll < 0.03:
            self._press("cancel", code, orders.cancel)
        else:
            self._press("process", code, orders.release)
            if roll > 0.9:
                self._press("process again", code, orders.release)
            if roll < 0.06:
                self.at(
                    self.time + self.rng.expovariate(1 / 60),
                    lambda: self._press("cancel", code, orders.cancel),
                )
            if roll > 0.95:
                later = self.time + self.rng.expovariate(1 / 600)
                self.at(
                    later, lambda: self._press("re-check", code, orders.request_look)
                )

    def _press(
        self, what: str, code: str, verb: Callable[[str, Person], object]
    ) -> None:
        def pressed() -> None:
            with tenancy.inside(self.store.store_id):
                try:
                    verb(code, AGENT)
                except orders.OrderRefused:
                    self.count("refused")

        self._look_as_left_out_rounds_did()
        self.note(f"the agent presses {what} for {code}")
        self._start_page(f"page {what}", pressed)

    def _look_as_left_out_rounds_did(self) -> None:
        """Rounds with nothing to do are left out, but not their look at what can be bought.

        Pages ask how old it is. It is left as it is while a round is under way, the relay is away,
        or the clock was set since.
        """
        if (
            self._relay is None
            and self._next_round <= self.time
            and not self._clock_moved
        ):
            with self.store.process(), tenancy.across_stores():
                reconcile.renew()

    def _deliver_mail(self) -> None:
        body = self.mail.pop(self.rng.randrange(len(self.mail)))
        self.note(f"webhook {body.decode()}")
        self._start_page("webhook", lambda: webhooks.receive(sim_profile.TOKEN), body)

    # The nemesis

    def _kill_worker(self) -> None:
        slot = self.rng.choice(self._slots)
        self._kill_slot(slot, "kill -9")

    def _kill_slot(self, slot: Slot, who: str) -> None:
        if slot.actor is not None:
            self.note(f"{who} worker {slot.number}")
            self.count("kills")
            self.count("kills in a purchase", int(self.wallet.holder is slot.actor))
            self._kill(slot.actor)
            slot.actor = None
            slot.down_until = self.time + RESTART_S

    def _kill_relay(self) -> None:
        if self._relay is not None:
            self.note("kill -9 relay")
            self._kill(self._relay)
            self._relay, self._next_round = None, self.time + RESTART_S
        self._clocks, self._clock_moved = clock_changes.Watch(), True

    def _kill_web(self) -> None:
        self.note("kill -9 web")
        for actor in list(self._web):
            self._kill(actor)

    def _kill(self, actor: Actor) -> None:
        actor.kill()

    def _freeze(self) -> None:
        """SIGSTOP, and SIGCONT a while later; one time in two for the worker that is buying."""
        buying = [
            slot
            for slot in self._slots
            if slot.actor is not None and slot.actor is self.wallet.holder
        ]
        slot = self.rng.choice(
            buying if buying and self.rng.random() < 0.5 else self._slots
        )
        if slot.actor is not None:
            low, high = self.rng.choice(((1, 60), (90, 125), (100, 160), (200, 420)))
            seconds = self.rng.uniform(low, high)
            self.note(f"worker {slot.number} is frozen for {seconds:.0f} s")
            self.count("freezes")
            slot.actor.frozen_until = self.time + seconds

    def _aim(self) -> None:
        self._aimed = True

    def _hold_answer(self) -> None:
        self._holds_answer = True

    def answer_came(self) -> None:
        """The nemesis waits for an answer of the supplier: its worker stops somewhere on the way to
        writing it down."""
        if self._holds_answer and not self.supplier.calm:
            self._holds_answer = False
            actor = current()
            actor.freezes_in = self.rng.randint(1, 4)
            actor.freeze_s = self.rng.uniform(
                *self.rng.choice(((15, 60), (100, 160), (360, 600)))
            )
            self.note(
                f"{actor.name} will be frozen for {actor.freeze_s:.0f} s with the answer in its"
                " hands"
            )
            self.count("answers held")

    def _flush(self) -> None:
        self.note("Valkey is flushed")
        self.queue.clear()

    def _valkey_down(self) -> None:
        def up() -> None:
            self.note("Valkey is back")
            self.valkey_is_down = False

        if not self.valkey_is_down:
            self.note("Valkey is down")
            self.valkey_is_down = True
            self.at(self.time + self.rng.uniform(1, 90), up)

    def _clock_jump(self) -> None:
        seconds = self.rng.choice((-3_600, 3_600, -60, 60, 300, -300))
        self.note(f"the wall clock jumps {seconds:+} s")
        if (
            self._relay is None
            # its rounds that had nothing to do were left out, but not its looks at the clocks
        ):
            self._clocks._looked_s = self.steady() - self.rng.uniform(
                0, self.settings.relay_round_s
            )
        self._wall_ahead += seconds
        self._clock_moved = True
        self.count("clock jumps")
        self.checks.clock_jumped()

    def _restart_machine(self) -> None:
        """Every process ends; the steady clock starts anew."""
        self.note("the machine restarts")
        for slot in self._slots:
            self._kill_slot(slot, "the restart ends")
        self._kill_relay()
        self._kill_web()
        self._boots += 1
        self._booted_at = self.time
        self._next_round = self.time + 5
        self.count("restarts")

    def _fund_float(self) -> None:
        """The owner pays in at the supplier. Makola sees the balance rise, asks, and is told
        (`_owner_answers`).

        Never an amount that failed orders could explain: Makola could not tell it from their money
        coming back.
        """
        amount = self.rng.choice((200_003, 500_009))
        self.note(f"the owner pays in {amount}")
        self.supplier.balance_pesewas += amount
        self._paid_in_pesewas += amount

    @property
    def unconfirmed_pesewas(self) -> int:
        """What the owner paid in at the supplier and has not said so yet."""
        return self._paid_in_pesewas and self._paid_in_pesewas - self.store.paid_in_by(
            OWNER.name
        )

    def _owner_answers(self) -> None:
        """Whoever sees the amount she paid in, but for a few pesewas, says so."""
        seen = self.store.funding_seen()
        if (
            seen is None
            or abs(seen[1] - self.unconfirmed_pesewas) > NEARLY_PESEWAS
            or self._web
        ):
            return

        def confirms() -> None:
            with tenancy.across_stores():
                try:
                    reconcile.confirm_funding(seen[0], OWNER, seen[1])
                    self.count("fundings confirmed")
                except reconcile.NotConfirmable:
                    self.count("refused")

        self._start_page("confirms a funding", confirms)

    def _refresh_balance(self) -> None:
        def asks() -> None:
            with tenancy.across_stores():
                outbox.request("refresh_balance", SYSTEM)

        self._start_page("asks for the balance", asks)

    # The end

    def _calm_down(self) -> None:
        """No more faults. Everything that is open comes to its end, all news is told, and the books
        are compared."""
        self.note("calm")
        self.supplier.calm = True
        self._nemesis, self._to_release = [], []
        if self.valkey_is_down:
            self.valkey_is_down = False
        self.supplier.balance_pesewas += 1_000_000
        self.store.fund_float(1_000_000)
        for code in self.codes:
            if self.store.state_of(code) == "pending":
                self._press("cancel", code, orders.cancel)
        for _ in range(
            _CALM_ROUNDS
        ):  # a question that answers itself meanwhile lets the orders it stopped go on
            if not self._quiet(lambda: not self._timed and not self._unsettled()):
                self.checks.breaks(
                    "everything_terminal_or_in_case",
                    f"not after {self.time:.0f} s: {self._unsettled()}",
                )
                return
            self.mail += [
                self.supplier.webhook(record, signed=True) for record in self._untold()
            ]
            heard_by = (
                self.time + _HEARD_S + 2 * self.settings.balance_every_s
            )  # a difference seen twice is a case
            self._quiet(
                lambda by=heard_by: self.time >= by and not self._something_due()
            )  # type: ignore[misc]
            if self.checks.broken or not self._unsettled():
                break
        if not self.checks.broken:
            self.checks.at_the_end()

    def _quiet(self, reached: Callable[[], bool]) -> bool:
        """Go on until everybody is idle and `reached`. False when that takes too long."""
        for _ in range(self.order_count * _CALM_STEPS_PER_ORDER):
            if self.checks.broken:
                return True
            self.events += 1
            self._happen()
            if self._paid_in_pesewas and self.rng.random() < 0.02:
                self._owner_answers()
            if not self._work():
                if self._idle() and not self.mail and reached():
                    return True
                if self.mail:
                    self._deliver_mail()
                else:
                    self.supplier.settle_all()
                    self._pass_time()
            self.checks.after_event()
        return False

    def _untold(self) -> list[Record]:
        """Purchases of which our books say something else than the supplier's."""
        by_ref = {row["order_ref"]: row for row in self.store.orders()}
        return [
            record
            for records in self.supplier.records.values()
            for record in records
            if (row := by_ref.get(record.order_ref)) is None
            or row["state"] != record.status
            or self.store.paid(row["id"]) != record.paid
        ]

    def _idle(self) -> bool:
        return (
            not self._web
            and self._relay is None
            and not self.queue
            and all(slot.actor is None for slot in self._slots)
        )

    def _unsettled(self) -> list[str]:
        asked = self.asked_about()
        return [
            f"order {row['id']} is {row['state']}"
            for row in self.store.orders()
            if row["state"] not in orders.FINAL and row["id"] not in asked
        ]

    def asked_about(self) -> set[int]:
        """Orders about which a person is asked: by a case of their own, or by the charge that has
        stopped all buying."""
        asked: set[int] = self.store.orders_in_cases()
        if self.store.buying_is_stopped():
            asked |= {
                row["id"]
                for row in self.store.orders()
                if row["wait_reason"] == "balance_break"
            }
        return asked

    def _end_all(self) -> None:
        """Leave no greenlet behind."""
        for actor in [*(slot.actor for slot in self._slots), *self._web, self._relay]:
            if actor is not None:
                self._kill(actor)

    def count(self, what: str, times: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + times
