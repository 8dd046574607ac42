"""The people of a run: customers who order, agents who press *Process*, the supplier's staff who
deliver.

All over HTTP and by the pages' own forms. When the web dies under a press, a person presses again:
the same form, so the same idempotency key. What they did is in the diary; whether it was right is
the checker's business.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx

from tests.proofs.diary import Diary
from tests.support.people import (
    Agent,
    Bundle,
    Customer,
    Fields,
    Owner,
    form_of,
    headline,
)
from tests.support.running import Failed, Running
from tests.support.wire import Answer

STORES = ("ama", "kofi")
DEAREST_PESEWAS = 2_600
"""Customers of a run buy the smaller bundles, so that the supplier's wallet lasts."""
PATIENCE_S = 90
AGAIN_S = 0.3
FUND_PESEWAS = 90_000
"""Less than the console asks about twice."""
_PREFIX = {"mtn": "024", "telecel": "020", "at": "026"}
_NO_ANSWER = (OSError, http.client.HTTPException)
T = TypeVar("T")


class Person(threading.Thread):
    """Somebody who goes on until his work is done, `stop` is set or his patience is over."""

    def __init__(self, name: str, diary: Diary, stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self.diary = diary
        self.stop = stop
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            self.act()
        except Exception as error:  # noqa: BLE001 - carried to the run, which fails with it
            self.failure = error

    def act(self) -> None:
        raise NotImplementedError

    def until_taken(self, press: Callable[[], Answer]) -> Answer:
        """Press until a page answers that is no error of the server, as a person would. Raises
        `Failed`."""
        deadline, said = time.monotonic() + PATIENCE_S, ""
        while time.monotonic() < deadline and not self.stop.is_set():
            try:
                answer = press()
            except _NO_ANSWER as error:
                said = type(error).__name__
                self.diary.note("no_answer", who=self.name, said=said)
            else:
                if answer.status < 500:
                    return answer
                said = f"{answer.status} {headline(answer.text)}"
                self.diary.note(f"answer_{answer.status}", who=self.name, said=said)
            time.sleep(AGAIN_S)
        raise Failed(f"{self.name} gave up: {said}")


class Shopper(Person):
    """Places every `step`th of `total` orders, one after another, at both stores, while
    `may_order()`."""

    def __init__(
        self, running: Running, diary: Diary, stop: threading.Event, seed: int, number: int,
        step: int, total: int,
        may_order: Callable[[], bool], shelves: Mapping[str, list[Bundle]],
    ) -> None:  # fmt: skip
        super().__init__(f"customer {number}", diary, stop)
        self._random = random.Random(f"{seed} customer {number}")
        self._numbers, self._may_order, self._shelves = (
            range(number, total, step),
            may_order,
            shelves,
        )
        self._visitors = {store: Customer.of(running, store) for store in STORES}

    def act(self) -> None:
        for number in self._numbers:
            while not self._may_order():
                if self.stop.wait(0.1):
                    return
            store = self._random.choice(STORES)
            bundle = self._random.choice(self._shelves[store])
            recipient = f"{_PREFIX[bundle.network]}{number:04d}{self._random.randrange(1_000):03d}"
            code = self._order(self._visitors[store], bundle, recipient)
            self.diary.note("placed", store=store, code=code, recipient=recipient)

    def _order(self, customer: Customer, bundle: Bundle, recipient: str) -> str:
        """Review, confirm, and confirm again whatever page comes back, with the key that the form
        carries."""
        page = self._review(customer, bundle, recipient)
        for _ in range(20):
            if (
                'name="idempotency_key"' not in page.text
            ):  # the shop closed in between: nothing was ordered
                page = self._review(customer, bundle, recipient)
            form = form_of(page.text, "/orders")
            page = self.until_taken(lambda form=form: customer.post("/orders", form))
            found = re.fullmatch(r"/orders/([0-9A-Z]{10})", page.location)
            if found:
                return found[1]
            self.diary.note(
                "asked_again",
                who=self.name,
                said=f"{page.status} {headline(page.text)}",
            )
        raise Failed(f"{self.name} was never given an order: {headline(page.text)}")

    def _review(self, customer: Customer, bundle: Bundle, recipient: str) -> Answer:
        """The review page; later, when the shop says that this cannot be bought now."""
        while True:
            page = self.until_taken(lambda: customer.review(bundle, recipient))
            if page.status != 422:
                return page
            self.diary.note("not_now", who=self.name, said=headline(page.text))
            if self.stop.wait(AGAIN_S):
                raise Failed(
                    f"{self.name} could not order until the end: {headline(page.text)}"
                )


class Presser(Person):
    """One store's agent: presses *Process* on what is new, now on one order, now on a whole
    selection."""

    def __init__(
        self,
        running: Running,
        diary: Diary,
        stop: threading.Event,
        seed: int,
        store: str,
    ) -> None:
        super().__init__(f"agent {store}", diary, stop)
        self._random = random.Random(f"{seed} agent {store}")
        self._agent = Agent.logged_in(running, store)

    def act(self) -> None:
        while not self.stop.is_set():
            page = self.until_taken(lambda: self._agent.get("/orders?tab=new"))
            codes = re.findall(r'name="order" value="([0-9A-Z]{10})"', page.text)
            if codes and self._random.random() < 0.5:
                self._press_selection(page.text, codes)
            elif codes:
                self._press_one(codes[0])
            if self.stop.wait(0.2 if codes else 0.6):
                return

    def _press_one(self, code: str) -> None:
        page = self.until_taken(lambda: self._agent.get(f"/orders/{code}"))
        try:
            form = form_of(page.text, f"/orders/{code}/process")
        except Failed:  # an earlier press went through although its answer was lost
            return
        answer = self.until_taken(
            lambda: self._agent.post(f"/orders/{code}/process", form)
        )
        self.diary.note(
            "processed" if answer.is_done else "refused",
            code=code,
            status=answer.status,
        )

    def _press_selection(self, page: str, codes: list[str]) -> None:
        form: Fields = [*_selection_form(page), *(("order", code) for code in codes)]
        answer = self.until_taken(lambda: self._agent.post("/orders/process", form))
        self.diary.note("selection", codes=codes, status=answer.status)


@dataclass
class Fates:
    """What becomes of the supplier's orders, as shares; the rest succeeds."""

    failed: float = 0.04  # with the money back, and the webhook says so
    quiet: float = 0.015  # the same, and nobody is told
    # failed without the money back, then taken up again and delivered
    revived: float = 0.02
    slow: float = 0.08  # marked sent first

    def draw(self, chance: random.Random) -> str:
        point = chance.random()
        for fate, share in vars(self).items():
            if point < share:
                return str(fate)
            point -= share
        return "successful"


class Staff(Person):
    """The supplier's people: they see what was charged, and deliver it, or fail it, after a
    while."""

    def __init__(
        self,
        sandbox_url: str,
        charge_file: Path,
        diary: Diary,
        stop: threading.Event,
        seed: int,
        scale: float,
    ) -> None:
        super().__init__("supplier's staff", diary, stop)
        self._http = httpx.Client(base_url=sandbox_url, trust_env=False, timeout=10)
        self._file, self._random, self._scale = (
            charge_file,
            random.Random(f"{seed} staff"),
            scale,
        )
        self._fates = Fates()
        self._read, self._seen = 0, set[str]()
        self._due: list[tuple[float, str, dict[str, str]]] = []

    def act(self) -> None:
        while not self.stop.wait(0.1):
            for reference in self._new():
                self._plan(reference)
            now = time.monotonic()
            ready = [one for one in self._due if one[0] <= now]
            self._due = [one for one in self._due if one[0] > now]
            for _, reference, form in sorted(ready, key=lambda one: one[0]):
                self.mark(reference, **form)

    def mark(self, reference: str, **form: str) -> None:
        """A button of the supplier's page."""
        said = self._http.post(
            f"/sandbox/orders/{reference}/status",
            data=form,
            headers={"Accept": "application/json"},
        )
        self.diary.note(
            "marked",
            reference=reference,
            status=said.status_code,
            **{f"form_{k}": v for k, v in form.items()},
        )

    @property
    def bought(self) -> int:
        """How many references were charged so far."""
        return len(self._seen)

    @property
    def idle(self) -> bool:
        """Nothing is left to be marked."""
        return not self._due

    def _new(self) -> list[str]:
        with self._file.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        lines = [json.loads(line) for line in whole.splitlines()]
        fresh = [
            line["reference"]
            for line in lines
            if line["kind"] == "charge" and line["cause"] == "purchase"
        ]
        fresh = [
            reference
            for reference in dict.fromkeys(fresh)
            if reference not in self._seen
        ]
        self._seen.update(fresh)
        return fresh

    def _plan(self, reference: str) -> None:
        fate = self._fates.draw(self._random)
        first_s = self._random.uniform(15, 35)
        steps: list[tuple[float, dict[str, str]]] = {
            "successful": [(first_s, {"status": "successful"})],
            "slow": [
                (first_s / 2, {"status": "sent"}),
                (first_s * 1.5, {"status": "successful"}),
            ],
            "failed": [(first_s, {"status": "failed", "refund": "1"})],
            "quiet": [(first_s, {"status": "failed", "refund": "1", "quiet": "1"})],
            "revived": [
                (first_s, {"status": "failed", "refund": "0"}),
                (first_s + 60, {"status": "successful"}),
            ],
        }[fate]
        self.diary.note("fate", reference=reference, fate=fate)
        self._due += [
            (time.monotonic() + wait_s / self._scale, reference, form)
            for wait_s, form in steps
        ]


def affordable(running: Running, store: str) -> list[Bundle]:
    """The bundles of a store that customers of a run choose from."""
    costs = Agent.logged_in(running, store).costs()
    return [
        bundle
        for bundle in Customer.of(running, store).shelf()
        if costs[bundle.bundle_id] <= DEAREST_PESEWAS
    ]


def fund(running: Running, orders: int) -> None:
    """Put enough into both stores' wallets for `orders` of the dearest bundle each, through the
    console."""
    owner = Owner.logged_in(running)
    for store in STORES:
        for number in range(1 + orders * DEAREST_PESEWAS * 2 // 3 // FUND_PESEWAS):
            owner.fund(store, FUND_PESEWAS, f"MoMo for the run, part {number + 1}")


def _selection_form(page: str) -> Fields:
    """The form of the whole selection: the last of two that post there."""
    start = page.index('<form id="selection"')
    return form_of(page[start:], "/orders/process")


@dataclass
class Crowd:
    """Everybody of one run."""

    people: list[Person] = field(default_factory=list)
    staff: Staff | None = None

    def start(self) -> None:
        for person in self.people:
            person.start()

    def check(self) -> None:
        """Raise the failure of whoever gave up."""
        for person in self.people:
            if person.failure is not None:
                raise person.failure

    @property
    def has_ordered(self) -> bool:
        return not any(
            person.is_alive() for person in self.people if isinstance(person, Shopper)
        )


def crowd(
    running: Running, charge_file: Path, diary: Diary, stop: threading.Event, *, seed: int,
    orders: int, scale: float,
    waiting: int,
) -> Crowd:  # fmt: skip
    """Three customers, an agent for each store, the supplier's staff. No more than `waiting` orders
    are placed and not yet bought: a slow machine makes the run longer, not different."""
    customers = 3
    staff = Staff(running.facts["sandbox_url"], charge_file, diary, stop, seed, scale)

    def may_order() -> bool:
        return diary.counts["placed"] - staff.bought < waiting

    shelves = {
        store: affordable(running, store) for store in STORES
    }  # now, while nobody kills anything yet
    shoppers = [
        Shopper(
            running, diary, stop, seed, number, customers, orders, may_order, shelves
        )
        for number in range(customers)
    ]
    pressers = [Presser(running, diary, stop, seed, store) for store in STORES]
    return Crowd([*shoppers, *pressers, staff], staff)
