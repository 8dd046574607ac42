"""The supplier of the simulation: speaks the port, charges what arrives, and misbehaves as its seed
says.

It does what the contract allows and no more: what it answers well-formed is true at that moment; a
purchase it has not charged `purchase_call_s` and `supplier_longest_s` after the call began never
happens; a record may be invisible to look-ups for `LAG_S`. Unless it `dedupes`, a reference that
arrives twice is charged twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from integrations.ports import (
    Absent,
    Accepted,
    Balance,
    BulkLine,
    BulkResult,
    Found,
    LookupResult,
    NoAnswer,
    NotSent,
    PurchaseRequest,
    Rejected,
    StatusWord,
    SubmitResult,
    Unknown,
    WebhookNews,
)
from tests.proofs import sim_actors

if TYPE_CHECKING:
    from tests.proofs.sim_world import World

LAG_S = 55.0
"""The longest a charged order stays invisible to look-ups. Less than the gap between the two "not
found" that count."""
PURCHASE_FAULTS = (
    "lost",  # charged, the answer never came
    "late",  # we hung up, the charge came after that
    "before",  # an error before anything was charged
    "not_sent",
    "rate_limited",
    "credentials",
    "invalid",
    "wrong_order",
    "unseen_word",
    "other_amount",
    "says_failed",
)
BULK_FAULTS = (
    "no_bulk",  # no such endpoint: one by one
    "bulk_moved",
    "batch_refused",  # one bad line has all refused, and no line is named
    "line_missing",  # the answer names fewer lines than were sent
    "half_way",  # the lines after some moment never arrive
)
LOOK_FAULTS = (
    "unclear",
    "endpoint_gone",
    "rate_limited",
    "credentials",
    "unreachable",
    "broken",
    "blink",
)


@dataclass
class Record:
    """One charged purchase at the supplier. Amounts in pesewas."""

    order_ref: str
    recipient: str
    capacity: str
    supplier_ref: str
    amount: int
    visible_at: float
    status: StatusWord = "pending"
    paid: int = 0
    """What it keeps of our money now."""
    blinked: bool = False


@dataclass
class Character:
    """How this supplier behaves: drawn once for a seed."""

    dedupes: bool = False
    names_amount: float = 1.0
    purchase_faults: dict[str, float] = field(default_factory=dict)
    bulk_faults: dict[str, float] = field(default_factory=dict)
    look_faults: dict[str, float] = field(default_factory=dict)
    slow: float = 0.1
    lag_s: float = 0.0
    fails: float = 0.1
    refunds: float = 0.5
    revives: float = 0.3
    reverses: float = 0.05
    foreign: float = 0.0
    webhooks_lost: float = 0.2
    webhooks_doubled: float = 0.2
    webhooks_signed: float = 0.5
    fulfil_s: float = 600.0


class FakeSupplier:
    name = "datamart"

    def __init__(
        self, world: World, rng: Random, character: Character, balance: int
    ) -> None:
        self.world, self.rng, self.character, self.balance_pesewas = (
            world,
            rng,
            character,
            balance,
        )
        self.records: dict[str, list[Record]] = {}
        self.foreign: set[str] = set()
        self.calm = False
        """The end of a run: no faults, no lag, everything is settled."""
        self.in_flight = 0
        self._costs: dict[str, int] = {}
        self._bodies: dict[bytes, WebhookNews] = {}
        self._charged = 0

    def knows(self, recipient: str, cost: int) -> None:
        """An order of ours for this number, and the price it has here."""
        self._costs[recipient] = cost

    # The port

    def submit(self, request: PurchaseRequest) -> SubmitResult:
        self.world.checks.sent([request.order_ref])
        self.world.checks.called()
        with self._flight():
            (result,) = self._purchase([request])
        self.world.answer_came()
        return result

    def submit_bulk(
        self, requests: Sequence[PurchaseRequest], bulk_ref: str
    ) -> BulkResult:
        self.world.checks.sent([request.order_ref for request in requests])
        self.world.checks.called()
        self.world.count("bulk calls")
        with self._flight():
            results = self._bulk(requests)
        self.world.answer_came()
        lines = (
            BulkLine(request.order_ref, result)
            for request, result in zip(requests, results, strict=True)
        )
        return BulkResult(tuple(lines), self.balance_pesewas)

    def status(self, order_ref: str) -> LookupResult:
        self.world.checks.called()
        fault = self._draw(self.character.look_faults)
        took = self._duration(fault is not None)
        seen = self._seen(order_ref, blink=fault == "blink")
        sim_actors.current().sleep(took)
        self.world.answer_came()
        self.world.count(f"look-up {fault or type(seen).__name__.lower()}")
        if fault is None or fault == "blink":
            return seen
        return NoAnswer(fault, fault, 5.0 if fault == "rate_limited" else None)  # type: ignore[arg-type]

    def balance(self) -> Balance | NoAnswer:
        self.world.checks.called()
        fault = self._draw(self.character.look_faults)
        amount = self.balance_pesewas
        sim_actors.current().sleep(self._duration(fault is not None))
        if fault in (None, "blink"):
            return Balance(amount)
        return NoAnswer(fault, fault, 5.0 if fault == "rate_limited" else None)  # type: ignore[arg-type]

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> WebhookNews:
        return self._bodies[body]

    # A purchase

    def _flight(self) -> Any:
        return _Flight(self)

    def _purchase(self, requests: Sequence[PurchaseRequest]) -> list[SubmitResult]:
        """Each line is decided when it arrives, which may be after we hung up; the answer may be
        lost."""
        settings, rng, actor = self.world.settings, self.rng, sim_actors.current()
        fault = self._draw(self.character.purchase_faults)
        self.world.count(f"purchase {fault or 'answered'}")
        if fault in ("not_sent", "rate_limited", "credentials", "before"):
            actor.sleep(self._duration(slow=fault == "before"))
            return [_TURNED_AWAY[fault]] * len(requests)
        hang_up = (
            settings.purchase_call_s
            if fault == "late"
            else self._duration(slow=fault == "lost")
        )
        latest = settings.purchase_call_s + settings.supplier_longest_s
        decided: dict[int, SubmitResult] = {}
        for number, request in enumerate(requests):
            arrives = rng.uniform(0, hang_up)
            if fault == "late":
                arrives = (
                    rng.uniform(*rng.choice(((0, latest), (latest - 20, latest)))) - 0.1
                )
            line_fault = (
                fault
                if rng.random() < 1 / len(requests) or fault in ("lost", "late")
                else None
            )
            self.world.at(
                self.world.time + arrives,
                self._arrival(decided, number, request, line_fault),
            )
        actor.sleep(hang_up)
        if fault in ("lost", "late"):
            return [Unknown(fault)] * len(requests)
        return [decided.get(number, Unknown("half")) for number in range(len(requests))]

    def _bulk(self, requests: Sequence[PurchaseRequest]) -> list[SubmitResult]:
        """An envelope. Its own faults first: refused as a whole, or an answer that names only some
        of its lines."""
        fault = self._draw(self.character.bulk_faults)
        if fault in ("no_bulk", "bulk_moved", "batch_refused"):
            sim_actors.current().sleep(self._duration(slow=False))
            return [NotSent(fault)] * len(requests)
        if fault is None:
            return self._purchase(requests)
        reached = self.rng.randrange(len(requests))
        if fault == "half_way":
            return [
                *self._purchase(requests[:reached]),
                *[Unknown(fault)] * (len(requests) - reached),
            ]
        results = self._purchase(requests)
        results[reached] = Unknown(fault)
        return results

    def _arrival(
        self,
        decided: dict[int, SubmitResult],
        number: int,
        request: PurchaseRequest,
        fault: str | None,
    ) -> Callable[[], None]:
        def arrive() -> None:
            decided[number] = self._decide(request, fault)

        return arrive

    def _decide(self, request: PurchaseRequest, fault: str | None) -> SubmitResult:
        """The real order of its checks: the balance before duplicates."""
        amount = self._costs[request.recipient_msisdn]
        if fault == "invalid":
            return Rejected(
                "invalid", "INVALID_PHONE", "the number cannot receive this bundle"
            )
        if fault == "other_amount":
            amount += self.rng.choice((-7, 3, 11))
        if self.balance_pesewas < amount:
            self.world.count("purchase without money")
            return Rejected(
                "insufficient_balance",
                "INSUFFICIENT_BALANCE",
                "not enough money",
                amount,
                self._says_balance(),
            )
        if request.order_ref in self.foreign or (
            self.character.dedupes and request.order_ref in self.records
        ):
            self.world.count("purchase of a reference that exists")
            return Rejected(
                "duplicate_reference", "DUPLICATE_REFERENCE", "the reference exists"
            )
        record = self._charge(request, amount)
        if fault == "says_failed":
            self._settle(record, "failed")
        return Accepted(
            record.status,
            record.status,
            record.supplier_ref,
            amount if self.rng.random() < self.character.names_amount else None,
            self.balance_pesewas,
            request.recipient_msisdn if fault != "wrong_order" else "+233200000000",
            request.order_ref,
            needs_person=fault == "unseen_word",
        )

    def _says_balance(self) -> int | None:
        return self.balance_pesewas if self.rng.random() < 0.5 else None

    def _charge(self, request: PurchaseRequest, amount: int) -> Record:
        self._charged += 1
        lag = (
            self.rng.uniform(0, self.character.lag_s)
            if self.character.lag_s and not self.calm
            else 0.0
        )
        record = Record(
            request.order_ref,
            request.recipient_msisdn,
            request.capacity,
            f"DM{self._charged:06}",
            amount,
            self.world.time + lag,
        )
        self.records.setdefault(request.order_ref, []).append(record)
        self._pay(record, amount)
        self.world.checks.charged(request.recipient_msisdn, request.order_ref)
        self.world.note(
            f"  the supplier charges {amount} for {record.order_ref} ({record.supplier_ref})"
        )
        self._tell(record)
        self._plan(record)
        return record

    # What its people do later

    def _plan(self, record: Record) -> None:
        """Deliver it after a while, or fail it, take that back, reverse it."""
        rng, character = self.rng, self.character
        when = self.world.time + rng.expovariate(1 / character.fulfil_s)
        if rng.random() >= character.fails:
            self._later(when, record, "completed")
            if rng.random() < character.reverses:
                self._later(when + rng.uniform(1, 3_000), record, "refunded")
            return
        self._later(when, record, "failed")
        if rng.random() < character.revives:
            again = when + rng.expovariate(1 / 3_000)
            self._later(again, record, "processing")
            self._later(
                again + rng.expovariate(1 / character.fulfil_s), record, "completed"
            )
        elif rng.random() < character.reverses:
            self._later(when + rng.expovariate(1 / 3_000), record, "refunded")

    def _later(self, moment: float, record: Record, word: StatusWord) -> None:
        self.world.at(moment, lambda: self._settle(record, word))

    def _settle(self, record: Record, word: StatusWord) -> None:
        """One change of status, with its money: a refund may come with `failed`, a revival charges
        again."""
        if record.status == word or (record.status, word) in (
            ("refunded", "completed"),
            ("completed", "processing"),
        ):
            return
        if word == "failed" and record.status == "completed":
            return
        record.status = word
        self.world.note(f"  the supplier sets {record.order_ref} to {word}")
        gives_back = word == "refunded" or (
            word == "failed" and self.rng.random() < self.character.refunds
        )
        if gives_back and record.paid:
            self._pay(record, -record.paid)
        if word in ("processing", "completed") and not record.paid:
            self._pay(record, record.amount)
        self._tell(record)

    def settle_all(self) -> None:
        """The end of a run: every order under way is delivered or failed."""
        for records in self.records.values():
            for record in records:
                if record.status in ("pending", "processing"):
                    self._settle(
                        record,
                        "failed"
                        if self.rng.random() < self.character.fails
                        else "completed",
                    )

    def _pay(self, record: Record, amount: int) -> None:
        record.paid += amount
        self.balance_pesewas -= amount

    # Webhooks

    def _tell(self, record: Record) -> None:
        rng, character = self.rng, self.character
        if not self.calm and rng.random() < character.webhooks_lost:
            return
        self.world.mail.append(
            self.webhook(
                record, signed=self.calm or rng.random() < character.webhooks_signed
            )
        )
        if not self.calm and rng.random() < character.webhooks_doubled:
            self.world.mail.append(self.world.mail[-1])

    def webhook(self, record: Record, *, signed: bool) -> bytes:
        """A body that says how an order stands; each is unlike every other."""
        body = f"{len(self._bodies)}:{record.order_ref}:{record.status}".encode()
        self._bodies[body] = WebhookNews(
            f"purchase.{record.status}",
            record.order_ref,
            record.status,
            record.status,
            "platform_data_secret" if signed else None,
        )
        return body

    # Look-ups

    def _seen(self, order_ref: str, *, blink: bool) -> LookupResult:
        records = [
            one
            for one in self.records.get(order_ref, ())
            if one.visible_at <= self.world.time or self.calm
        ]
        if not records:
            return Absent(order_ref)
        record = records[-1]
        if blink and not record.blinked:
            record.blinked = True  # one "not found" too many, never two for one order
            return Absent(order_ref)
        return Found(
            order_ref,
            record.status,
            record.status,
            record.supplier_ref,
            record.amount,
            record.recipient,
            record.capacity,
        )

    def _draw(self, faults: Mapping[str, float]) -> str | None:
        if self.calm:
            return None
        roll = self.rng.random()
        for fault, share in faults.items():
            roll -= share
            if roll < 0:
                return fault
        return None

    def _duration(self, slow: bool) -> float:
        if self.calm:
            return 0.05
        if slow or self.rng.random() < self.character.slow:
            longest = self.world.settings.purchase_call_s
            return self.rng.uniform(1, longest if self.rng.random() < 0.2 else 15)
        return self.rng.uniform(0.05, 0.8)


_TURNED_AWAY: dict[str, SubmitResult] = {
    "not_sent": NotSent("connection refused"),
    "rate_limited": NotSent("429", 7.0, rate_limited=True),
    "credentials": Rejected("credentials", "INVALID_CREDENTIALS", "unknown key"),
    "before": Unknown("500 before anything was charged"),
}


class _Flight:
    """Counts the purchases that living processes of ours are making now."""

    def __init__(self, supplier: FakeSupplier) -> None:
        self._supplier = supplier

    def __enter__(self) -> None:
        self._supplier.in_flight += 1
        self._supplier.world.checks.in_flight(self._supplier.in_flight)

    def __exit__(self, *_error: object) -> None:
        self._supplier.in_flight -= 1
