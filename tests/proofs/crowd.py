"""A crowd that goes on whatever it is answered: customers order and look at their orders, agents
press *Process*.

Every answer is noted with its time. Whether it was right is judged by the proof that sent the
crowd.

    with Crowd(stage) as crowd:     # they begin
        ...
        crowd.finish()              # the last form is answered, nothing waits for an agent
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from tests.proofs.stage import Stage
from tests.support.people import (
    Agent,
    Customer,
    form_of,
    have_money_for,
    headline,
    some_number,
)
from tests.support.running import Failed, must
from tests.support.wire import Answer

STORES = ("ama", "kofi")
PATIENCE_S = 120
BETWEEN_ORDERS_S = 1.5
"""Two stores at this pace, looked up again and again, stay within the supplier's limit at a scale
of ten."""
BETWEEN_LOOKS_S = 0.3
ORDERS_PAID_FOR = 200
_NO_ANSWER = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Seen:
    """One answer, or none, as somebody outside saw it. `at` is when it was asked for, in epoch
    seconds."""

    at: float
    what: str
    status: int
    ms: float
    said: str = ""


@dataclass
class Log:
    """Everything that was seen and ordered. Lists only grow."""

    seen: list[Seen] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)


class Crowd:
    """At both stores a customer who orders, one who looks, and an agent."""

    def __init__(self, stage: Stage) -> None:
        self.log = Log()
        self._gone_home, self._shop_closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._failures: list[str] = []
        self._customers: list[threading.Thread] = []
        self._agents: list[threading.Thread] = []
        for store in STORES:
            customer, agent = (
                Customer.of(stage.running, store),
                Agent.logged_in(stage.running, store),
            )
            have_money_for(
                stage.running, agent, store, ORDERS_PAID_FOR, customer.shelf()[0]
            )
            codes: list[str] = []
            self._customers.append(
                self._person(
                    lambda customer=customer, codes=codes: self._order(customer, codes)
                )
            )
            self._customers.append(
                self._person(
                    lambda customer=customer, codes=codes: self._look(customer, codes)
                )
            )
            self._agents.append(self._person(lambda agent=agent: self._process(agent)))

    def __enter__(self) -> Self:
        for thread in (*self._customers, *self._agents):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._gone_home.set()
        self._shop_closed.set()

    def check(self) -> None:
        """Raise `Failed` when somebody gave up."""
        must(not self._failures, f"somebody gave up: {self._failures[:2]}")

    def finish(self) -> None:
        """Customers finish the form in hand, then agents all that waits for them. Raises
        `Failed`."""
        for told, threads in (
            (self._gone_home, self._customers),
            (self._shop_closed, self._agents),
        ):
            told.set()
            for thread in threads:
                thread.join(PATIENCE_S)
            must(
                not any(thread.is_alive() for thread in threads),
                "somebody does not come to an end",
            )
        self.check()

    def _person(self, act: Callable[[], None]) -> threading.Thread:
        def live() -> None:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - told by `check`
                self._failures.append(repr(error))

        return threading.Thread(target=live, daemon=True)

    def _ask(self, what: str, press: Callable[[], Answer]) -> Answer | None:
        """One request, noted. None when there was no answer, or one that asks to come again."""
        at, began = time.time(), time.perf_counter()
        try:
            answer = press()
        except _NO_ANSWER as error:
            self.log.seen.append(
                Seen(at, what, 0, (time.perf_counter() - began) * 1_000, repr(error))
            )
            return None
        said = headline(answer.text) if answer.status >= 400 else ""
        self.log.seen.append(Seen(at, what, answer.status, answer.ms, said))
        return answer if answer.status < 500 else None

    def _insist(self, what: str, press: Callable[[], Answer]) -> Answer:
        """Press until it is answered, as a person does who was told to send it again."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = self._ask(what, press)
            if answer is not None:
                return answer
            time.sleep(BETWEEN_LOOKS_S)
        raise Failed(f"{what} was never answered")

    def _order(self, customer: Customer, codes: list[str]) -> None:
        bundle = customer.shelf()[0]
        while not self._gone_home.is_set():
            number = some_number()
            review = self._insist(
                "review", lambda number=number: customer.review(bundle, number)
            )
            # it cannot be bought just now, and the page says why
            if review.status == 422:
                self._gone_home.wait(BETWEEN_ORDERS_S)
                continue
            form = form_of(review.text, "/orders")
            with self._lock:
                self.log.recipients.append(number)
            answer = self._insist(
                "confirm", lambda form=form: customer.post("/orders", form)
            )
            if answer.status == 422:
                with self._lock:
                    self.log.recipients.remove(number)
                continue
            found = re.fullmatch(r"/orders/([0-9A-Z]{10})", answer.location)
            must(found, f"confirming answered {answer.status} {headline(answer.text)}")
            assert found
            codes.append(found[1])
            with self._lock:
                self.log.codes.append(found[1])
            self._gone_home.wait(BETWEEN_ORDERS_S)

    def _look(self, customer: Customer, codes: list[str]) -> None:
        while not self._gone_home.wait(BETWEEN_LOOKS_S):
            self._ask("front", lambda: customer.get("/"))
            if codes:
                self._ask("status", lambda: customer.get(f"/orders/{codes[-1]}/status"))

    def _process(self, agent: Agent) -> None:
        while True:
            is_closing = self._shop_closed.is_set()
            page = self._insist("queue", lambda: agent.get("/orders?tab=new"))
            codes = re.findall(r'name="order" value="([0-9A-Z]{10})"', page.text)
            if not codes and is_closing:
                return
            for code in codes:
                shown = self._insist(
                    "order", lambda code=code: agent.get(f"/orders/{code}")
                )
                if f'action="/orders/{code}/process"' not in shown.text:
                    # an earlier press went through although its answer was lost
                    continue
                form = form_of(shown.text, f"/orders/{code}/process")
                self._insist(
                    "process",
                    lambda code=code, form=form: agent.post(
                        f"/orders/{code}/process", form
                    ),
                )
            self._shop_closed.wait(BETWEEN_LOOKS_S)
