"""What changes in a shop is seen by every web process within two seconds, and no order is taken at
a price other than the one its review showed.

    .venv/bin/python -m tests.proofs.two_processes

Each web process has a connection of its own, over which the shop is asked for twenty times a
second, so that a stored page never grows cold. An agent changes a price, the owner pauses a network
and all sales, buying stops, the shop closes; how long each process went on showing the old page is
measured from the answer to the press, or from the commit.
"""

from __future__ import annotations

import http.client
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil
import psycopg

from tests.proofs.stage import Stage
from tests.support.people import Agent, Bundle, Customer, Owner, form_of, some_number
from tests.support.running import must, until

SEEN_S = 2.0
ASKED_EVERY_S = 0.05
GIVEN_UP_S = 15.0
CONNECTIONS = 64


@dataclass(frozen=True)
class Seen:
    """How long the web processes went on showing what was not true any more."""

    change: str
    seconds: tuple[float, ...]

    def __str__(self) -> str:
        each = ", ".join(f"{one:.2f} s" for one in self.seconds)
        return f"{self.change}: seen after {each}"


class Window:
    """A connection to one web process, at one shop."""

    def __init__(self, stage: Stage, store: str) -> None:
        url = urlsplit(stage.running.facts["store_urls"][store])
        self._line = http.client.HTTPConnection(
            stage.running.facts["web_address"], timeout=10
        )
        self._headers = {"Host": url.netloc, "Accept-Encoding": "identity"}
        self.page()

    @property
    def port(self) -> int:
        return int(self._line.sock.getsockname()[1])

    def page(self) -> str:
        self._line.request("GET", "/", headers=self._headers)
        return self._line.getresponse().read().decode()

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> str:
        """Where the answer leads; empty when nowhere."""
        self._line.request("POST", path, body, self._headers | headers)
        answer = self._line.getresponse()
        answer.read()
        return answer.getheader("Location") or ""

    def close(self) -> None:
        self._line.close()


def windows(stage: Stage, store: str) -> list[Window]:
    """One for each web process. Which one took a connection is seen from outside."""
    found: dict[int, Window] = {}
    processes = stage.pids("web")[1:]
    for _ in range(CONNECTIONS):
        window = Window(stage, store)
        owner = next(
            (
                pid
                for pid in processes
                for one in psutil.Process(pid).net_connections("tcp")
                if one.raddr and one.raddr.port == window.port
            ),
            None,
        )
        if owner is None or owner in found:
            window.close()
        else:
            found[owner] = window
        if len(found) == len(processes):
            break
    must(len(found) == len(processes) >= 2, f"{len(found)} of {len(processes)} met")
    return list(found.values())


def run(stage: Stage) -> list[Seen]:
    """Every change, in turn; the shop is as before afterwards. Raises `Failed`."""
    running = stage.running
    customer, agent = Customer.of(running, "ama"), Agent.logged_in(running, "ama")
    owner, bundle = Owner.logged_in(running), customer.shelf()[0]
    asked = windows(stage, "ama")
    seen = []
    try:
        prices_refused(agent, customer, bundle, asked, seen)
        for path, says in (
            (f"/catalogue/networks/{bundle.network}", "is paused since"),
            ("/catalogue/sales", "Sales are paused"),
        ):
            press(owner, f"{path}/pause", reason="a test")
            seen.append(
                Seen(
                    f"{path} paused", told(asked, lambda page, says=says: says in page)
                )
            )
            press(owner, f"{path}/resume")
            seen.append(
                Seen(
                    f"{path} resumed",
                    told(asked, lambda page, says=says: says not in page),
                )
            )
        seen += stopped(stage, asked)
    finally:
        for window in asked:
            window.close()
    return seen


def prices_refused(
    agent: Agent,
    customer: Customer,
    bundle: Bundle,
    asked: list[Window],
    seen: list[Seen],
) -> None:
    """A price goes up. Whoever reviewed the old one gets no order from any process, at once."""
    old = price_of(agent, bundle)
    new = f"{float(old) + 1:.2f}"
    reviewed = [customer.filled_form(bundle, some_number()) for _ in asked]
    change_price(agent, bundle, new)
    for window, form in zip(asked, reviewed, strict=True):
        call = customer.call("POST", "/orders", form)
        assert call.body is not None
        sent = {
            name: value
            for name, value in call.headers.items()
            if name not in ("Host", "Connection")
        }
        leads = window.post("/orders", call.body, sent)
        must(
            leads.startswith("/review/"),
            f"an order was taken at a price nobody saw: {leads!r}",
        )
    shown = re.compile(rf'value="{bundle.bundle_id}".*?{re.escape(new)}', re.DOTALL)
    seen.append(Seen("a price", told(asked, lambda page: bool(shown.search(page)))))
    change_price(agent, bundle, old)


def stopped(stage: Stage, asked: list[Window]) -> list[Seen]:
    """Buying stops and goes on, as the relay writes it; the shop closes and opens, by its row."""
    seen = []
    with (
        stage.without("relay"),
        psycopg.connect(
            stage.running.facts["database_admin_url"], autocommit=True
        ) as database,
    ):
        for what, statement, says in (
            (
                "buying stopped",
                "UPDATE buying SET renewed_at = now(), stopped = 'breaker', stopped_since = now()",
                lambda page: "given no clear answers" in page,
            ),
            (
                "buying goes on",
                "UPDATE buying SET renewed_at = now(), stopped = NULL, stopped_since = NULL",
                lambda page: "given no clear answers" not in page,
            ),
            (
                "shop closed",
                "UPDATE stores SET status = 'closed', closed_note = 'back at six' WHERE slug = 'ama'",
                lambda page: "back at six" in page,
            ),
            (
                "shop open",
                "UPDATE stores SET status = 'open', closed_note = '' WHERE slug = 'ama'",
                lambda page: 'type="radio"' in page,
            ),
        ):
            database.execute(statement)
            seen.append(Seen(what, told(asked, says)))
    until(lambda: stage.pids("relay"), 30, "the relay is back")
    return seen


def told(asked: list[Window], is_true: Callable[[str], bool]) -> tuple[float, ...]:
    """Seconds until each process shows it, all being asked the whole time."""
    began, first = time.monotonic(), dict[Window, float]()
    while len(first) < len(asked) and time.monotonic() - began < GIVEN_UP_S:
        for window in asked:
            if is_true(window.page()):
                first.setdefault(window, time.monotonic() - began)
            else:
                first.pop(window, None)
        time.sleep(ASKED_EVERY_S)
    return tuple(first.get(window, GIVEN_UP_S) for window in asked)


def press(owner: Owner, path: str, **typed: str) -> None:
    form = [
        one
        for one in form_of(owner.get("/catalogue").text, path)
        if one[0] not in typed
    ]
    answer = owner.post(path, [*form, *typed.items()])
    must(answer.status == 303, f"{path} answered {answer.status}")


def price_of(agent: Agent, bundle: Bundle) -> str:
    return dict(form_of(agent.get("/prices").text, "/prices"))[
        f"price-{bundle.bundle_id}"
    ]


def change_price(agent: Agent, bundle: Bundle, cedis: str) -> None:
    name = f"price-{bundle.bundle_id}"
    form = [
        one for one in form_of(agent.get("/prices").text, "/prices") if one[0] != name
    ]
    answer = agent.post("/prices", [*form, (name, cedis)])
    must(answer.status == 303, f"a new price was answered {answer.status}")


def main() -> int:
    """Print what was seen; 1 when something was seen too late."""
    with Stage(workers=1, web_workers=2) as stage:
        seen = run(stage)
    print(*seen, sep="\n")
    return int(max(max(one.seconds) for one in seen) > SEEN_S)


if __name__ == "__main__":
    sys.exit(main())
