"""The people of a run with online payments: customers who order and pay at the gateway's page, or do
not, or too late, or twice; and a person at the console who settles what is asked.

All over HTTP and by the pages' own forms, as `load` has it. What a customer does between two
moments waits in a list (`Later`), so that nobody stands still while a page expires.
"""

from __future__ import annotations

import heapq
import itertools
import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx

from tests.proofs.diary import Diary
from tests.proofs.load import STORES, Person
from tests.support.people import Bundle, Customer, Owner, form_of, headline
from tests.support.running import Failed, Running
from tests.support.wire import Answer

LOOKS = 400
"""How often a customer loads the page that leads to the gateway before giving up."""
CLOSED_S = 2.0
"""A shop that sells nothing just now is looked at again after this."""
WAITING = 40
"""Orders placed and not settled by their customers yet, at most."""
_PREFIX = {"mtn": "024", "telecel": "020", "at": "026"}

FATES = {
    "returns": 0.42,  # pays and comes back
    "gone": 0.14,  # pays and is never seen again
    "phone": 0.10,  # by a number of theirs, whose ending says what its owner does
    "declines": 0.08,  # and tries again
    "walks_off": 0.06,  # never pays
    "late": 0.09,  # pays after the order's end
    "twice": 0.07,  # pays in both of two tabs
    "odd": 0.04,  # less is charged, or in another currency
}
PHONES = ("0551110007", "0551110008", "0551110009", "0551110000")
"""Failed and then paid; more charged, for the fee; paid, and no webhook; paid."""
Step = Callable[[], None]


def fates(orders: int, chance: random.Random) -> list[str]:
    """What becomes of so many orders, in a drawn order; each kind at least once where there are
    enough."""
    drawn = [
        name
        for name, share in FATES.items()
        for _ in range(max(1, round(orders * share)))
    ]
    drawn += ["returns"] * (orders - len(drawn))
    drawn = drawn[len(drawn) - orders :]
    chance.shuffle(drawn)
    return drawn


class Later(Person):
    """Does what was put off, each at its moment."""

    def __init__(self, diary: Diary, stop: threading.Event) -> None:
        super().__init__("later", diary, stop)
        self._due: list[tuple[float, int, Step]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def put(self, seconds: float, step: Step) -> None:
        with self._lock:
            entry = (time.monotonic() + seconds, next(self._numbers), step)
            heapq.heappush(self._due, entry)

    def act(self) -> None:
        while not self.stop.wait(0.02):
            with self._lock:
                is_due = self._due and self._due[0][0] <= time.monotonic()
                step = self._due[0][2] if is_due else None
            if step is None:
                continue
            step()
            with self._lock:  # only now: who asks whether all is done must not miss it
                self._due = [one for one in self._due if one[2] is not step]
                heapq.heapify(self._due)

    @property
    def idle(self) -> bool:
        return not self._due


class Payer(Person):
    """Places every `step`th of the orders and does what its fate says."""

    def __init__(
        self, running: Running, diary: Diary, stop: threading.Event, seed: int, number: int,
        step: int, drawn: list[str], shelves: Mapping[str, list[Bundle]], later: Later,
        may_order: Callable[[], bool], expires_s: float, again_s: float,
        late_s: float,
    ) -> None:  # fmt: skip
        super().__init__(f"customer {number}", diary, stop)
        self._running, self._later, self._may_order = running, later, may_order
        self._random = random.Random(f"{seed} payer {number}")
        self._orders = list(enumerate(drawn))[number::step]
        self._shelves = shelves
        self._expires_s, self._again_s, self._late_s = expires_s, again_s, late_s
        self._gateway = running.facts["gateway_url"]
        self._http = httpx.Client(trust_env=False, timeout=20)

    def act(self) -> None:
        for number, fate in self._orders:
            while not self._may_order():
                if self.stop.wait(0.05):
                    return
            store = self._random.choice(STORES)
            bundle = self._random.choice(self._shelves[store])
            middle, end = divmod(number, 1_000)
            recipient = f"{_PREFIX[bundle.network]}{middle % 10}{end:03d}{self._random.randrange(1_000):03d}"
            customer = Customer.of(self._running, store)
            code = self._order(customer, bundle, recipient)
            self.diary.note("placed", store=store, code=code, fate=fate)
            getattr(self, f"_{fate}")(customer, code)

    # fates

    def _returns(self, customer: Customer, code: str) -> None:
        if page := self._led(customer, code):
            self._come_back(customer, self._press(page, act="approve"))

    def _gone(self, customer: Customer, code: str) -> None:
        if page := self._led(customer, code):
            self._press(page, act="approve")

    def _phone(self, customer: Customer, code: str) -> None:
        if page := self._led(customer, code):
            phone = self._random.choice(PHONES)
            self._press(page, act="momo", phone=phone, provider="mtn")
            self._later.put(1.0, lambda: self._back(customer, code))

    def _declines(self, customer: Customer, code: str) -> None:
        if page := self._led(customer, code):
            self._press(page, act="decline")
            self._back(customer, code)
            self._try_again(customer, code, self._returns)

    def _walks_off(self, customer: Customer, code: str) -> None:
        if page := self._led(customer, code):
            self._come_back(customer, self._press(page, act="walk_away"))

    def _late(self, customer: Customer, code: str) -> None:
        if page := self._led(customer, code):
            after_s = self._expires_s + self._random.uniform(0.2, 1) * self._late_s
            self._later.put(after_s, lambda: self._approve(page))

    def _twice(self, customer: Customer, code: str) -> None:
        first = self._led(customer, code)
        if first is None:
            return

        def both(customer: Customer, code: str) -> None:
            second = self._led(customer, code)
            self._approve(first)
            if second is not None:
                self._approve(second)

        self._later.put(
            self._again_s + 1, lambda: self._try_again(customer, code, both)
        )

    def _odd(self, customer: Customer, code: str) -> None:
        page = self._led(customer, code)
        if page is None:
            return
        asked = self._asked(page)
        changes = self._random.choice(({"amount": asked[1] - 1}, {"currency": "NGN"}))
        what = {"kind": "payment", "reference": asked[0], "act": "approve", **changes}
        said = self._http.post(f"{self._gateway}/sandbox/act", json=what)
        self.diary.note("odd", reference=asked[0], status=said.status_code, **changes)

    # what they are made of

    def _order(self, customer: Customer, bundle: Bundle, recipient: str) -> str:
        """Review, confirm, sometimes twice at once, and again whatever page comes back."""
        page = self.until_taken(lambda: customer.review(bundle, recipient))
        for _ in range(200):
            if 'name="idempotency_key"' not in page.text:
                self.diary.note("not_now", who=self.name, said=headline(page.text))
                if self.stop.wait(CLOSED_S):
                    raise Failed(f"{self.name} could not order: {headline(page.text)}")
                page = self.until_taken(lambda: customer.review(bundle, recipient))
                continue
            form = [*form_of(page.text, "/orders"), ("pay", "online")]
            presses = 2 if self._random.random() < 0.15 else 1
            for _press in range(presses):
                page = self.until_taken(
                    lambda form=form: customer.post("/orders", form)
                )
            found = re.fullmatch(r"/orders/([0-9A-Z]{10})(?:/pay)?", page.location)
            if found:
                return found[1]
        raise Failed(f"{self.name} was never given an order: {headline(page.text)}")

    def _led(self, customer: Customer, code: str) -> str | None:
        """The page at the gateway to which the order's own leads; None when it leads there no
        more."""
        path = f"/orders/{code}/pay"
        for _ in range(LOOKS):
            said = self.until_taken(lambda path=path: customer.get(path))
            if said.location.startswith(f"{self._gateway}/checkout/"):
                return said.location
            if said.status != 200:
                self.diary.note("not_led", code=code, to=said.location)
                return None
            told = next(
                value for name, value in said.headers if name.lower() == "refresh"
            )
            wait_s, _, path = told.partition(";url=")
            if int(wait_s) and self.stop.wait(0.15):
                return None
        self.diary.note("never_led", code=code)
        return None

    def _approve(self, page: str) -> None:
        self._press(page, act="approve")

    def _press(self, page: str, **form: str) -> httpx.Response:
        """A button of the gateway's page."""
        self._http.get(page)
        answer = self._http.post(page, data=form)
        self.diary.note("at_gateway", page=page, act=form["act"])
        return answer

    def _asked(self, page: str) -> tuple[str, int]:
        """The reference and the amount that a page of the gateway's shows."""
        rows = self._http.get(f"{self._gateway}/sandbox/state").json()["payments"]
        code = page.rpartition("/")[2]
        found = next(row for row in rows if row.get("access_code") == code)
        return str(found["reference"]), int(found["amount"])

    def _come_back(self, customer: Customer, answer: httpx.Response) -> None:
        """As the gateway's answer leads, if it leads to the shop."""
        parts = urlsplit(answer.headers.get("location", ""))
        if parts.path.endswith("/back"):
            self._looks(customer, f"{parts.path}?{parts.query}")

    def _back(self, customer: Customer, code: str) -> None:
        """By the link of the order's page."""
        self._looks(customer, f"/orders/{code}/back")

    def _looks(self, customer: Customer, path: str) -> None:
        said = self.until_taken(lambda: customer.get(path))
        if said.location:
            self.until_taken(lambda: customer.led_by(said))

    def _try_again(
        self, customer: Customer, code: str, then: Callable[[Customer, str], None]
    ) -> None:
        """By the form of the order's page, as soon as it is there."""
        self._try(customer, code, then, time.monotonic() + self._expires_s)

    def _try(
        self,
        customer: Customer,
        code: str,
        then: Callable[[Customer, str], None],
        until: float,
    ) -> None:
        page = self.until_taken(lambda: customer.get(f"/orders/{code}"))
        try:
            form = form_of(page.text, f"/orders/{code}/pay")
        except Failed:  # not offered yet, or any more
            if time.monotonic() < until:
                self._later.put(0.5, lambda: self._try(customer, code, then, until))
            return
        self.until_taken(lambda: customer.post(f"/orders/{code}/pay", form))
        self.diary.note("tried_again", code=code)
        then(customer, code)


class Desk(Person):
    """The owner at the console: money that came late, twice or short is given back, as its case
    offers."""

    def __init__(self, running: Running, diary: Diary, stop: threading.Event) -> None:
        super().__init__("owner", diary, stop)
        self._running = running
        self._owner = Owner.logged_in(running)

    def act(self) -> None:
        while not self.stop.wait(2.0):
            self.give_back()

    def give_back(self) -> None:
        page = self.until_taken(lambda: self._owner.get("/cases"))
        for number in sorted(set(re.findall(r'"/cases/(\d+)', page.text))):
            for action in ("owe_back", "refund"):
                self._press(number, action)
            if self.stop.is_set():
                return

    def _press(self, number: str, action: str) -> None:
        shown = self.until_taken(lambda: self._owner.get(f"/cases/{number}"))
        where = f"/cases/{number}/{action}"
        if f'formaction="{where}"' not in shown.text:  # a case of another kind
            return
        form = form_of(shown.text, f"/cases/{number}/close")
        words = [(name, value) for name, value in form if name != "resolution"]
        words.append(("resolution", "The customer wants it back."))
        asked: Answer = self.until_taken(lambda: self._owner.post(where, words))
        if asked.location.startswith("/account/confirm"):  # asked who they are
            self._owner = Owner.logged_in(self._running)
            return
        try:
            again = form_of(asked.text, where)
        except Failed:
            self.diary.note("not_settled", case=number, said=headline(asked.text))
            return
        done = self.until_taken(lambda: self._owner.post(where, again))
        self.diary.note("settled", case=number, action=action, status=done.status)
