"""What each page costs: processor time of a request, in H.

    .venv/bin/python -m benchmarks.pages --rounds 3 --requests 200

H is the processor time of an empty Flask view under gunicorn's threads, asked in the same run over
the same kind of connection. One web process of the program serves the pages, and PostgreSQL's time
is told beside it. Pages take turns, round by round; the median of the rounds counts.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from benchmarks import figures
from benchmarks.side_by_side import GTHREAD, cpu_s, server
from tests.proofs.stage import Stage
from tests.support.people import Agent, Customer, Owner, Visitor
from tests.support.wire import Answer

EMPTY = "benchmarks.hello:create_app()"
ROWS = 50
ASK = {"Range": "bytes=0-"}
"""A header with which no stored page is shown."""
LAPSED_S = 2.1
"""After so long no stored answer is shown without a look whether it is still true."""
LIMITS = ("MAKOLA_ORDERS_OPEN_PER_ADDRESS", "MAKOLA_ORDERS_OPEN_PER_DEVICE")
"""What would refuse a visitor who asks so often."""
HTMX = {"HX-Request": "true"}
Request = tuple[str, str, Mapping[str, str], bytes | None]
"""Method, path, headers, body."""


@dataclass
class Page:
    """`requests(n)` gives the n-th request; `expects` is its status. `web_us` and `postgres_us` get
    one figure a round."""

    name: str
    goal: float | None
    expects: int
    request: Callable[[int], Request]
    leads: str = ""
    """What a redirect's address begins with."""
    renew: Callable[[], object] = lambda: None
    """Called before each round."""
    times: int = 1
    """So often as many requests as asked for: the kernel counts processor time in hundredths of a
    second."""
    web_us: list[float] = field(default_factory=list)
    postgres_us: list[float] = field(default_factory=list)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pages",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=200, help="of each round")
    parser.add_argument("--keep", type=Path, help="write the figures here, for compare")
    asked = parser.parse_args()
    many = dict.fromkeys(LIMITS, "1000000")
    with (
        Stage(workers=1, web_workers=1, supplier_cedis=50_000, env=many) as stage,
        server(GTHREAD, EMPTY) as (empty, empty_pid),
    ):
        pages = _pages(stage, asked.rounds + 1, asked.requests)
        h_us: list[float] = []
        view = Page("H", None, 204, lambda _n: ("GET", "/", {}, None), times=20)
        for number in range(asked.rounds + 1):
            many = asked.requests * view.times
            h_us.append(_spent(view, empty, empty_pid, number, many))
            for page in pages:
                _measure(stage, page, number, asked.requests)
    h = statistics.median(h_us[1:])
    _print(pages, h)
    if asked.keep:
        figures.write(
            asked.keep,
            {page.name: statistics.median(page.web_us) / h for page in pages},
        )
    return 0


def _pages(stage: Stage, rounds: int, requests: int) -> list[Page]:
    """The pages, of a shop with `ROWS` orders that wait."""
    customer = Customer.of(stage.running, "ama")
    bundle = customer.shelf()[0]
    codes = [customer.order(bundle, f"024{n:07d}") for n in range(1_000, 1_000 + ROWS)]
    agent, owner = Agent.logged_in(stage.running, "ama"), Owner.logged_in(stage.running)
    order = f"/orders/{codes[-1]}"

    def get(visitor: Visitor, path: str, **headers: str) -> Callable[[int], Request]:
        sent = {**visitor.call("GET", path).headers, **headers}
        del sent["Connection"]
        return lambda _n: ("GET", path, sent, None)

    poll: dict[str, str] = {}

    def look_again() -> None:
        """What the page asks changes with its age."""
        poll["path"] = _poll(customer, order)

    def ask(**headers: str) -> Callable[[int], Request]:
        look_again()
        _, _, sent, _ = get(customer, poll["path"], **HTMX, **headers)(0)
        return lambda _n: ("GET", poll["path"], sent, None)

    def lapsed(
        request: Callable[[int], Request], renew: Callable[[], object] = lambda: None
    ) -> tuple[Callable[[int], Request], Callable[[], None]]:
        """The same of as many stored answers as are asked for, each of them too old to be shown
        without a look. They differ by what a proxy would say."""

        def one(number: int) -> Request:
            method, path, sent, body = request(number)
            return (
                method,
                path,
                {**sent, "X-Forwarded-Proto": f"p{number % requests}"},
                body,
            )

        def store_all() -> None:
            renew()
            _send(stage.running.facts["web_address"], map(one, range(requests)))
            time.sleep(LAPSED_S)

        return one, store_all

    front, front_lapses = lapsed(get(customer, "/"))
    polled, poll_lapses = lapsed(ask(), look_again)
    etag = _header(customer.get("/"), "ETag")
    first = urlencode(
        {"bundle": bundle.bundle_id, "recipient": "024 123 4567"}
    ).encode()
    review = customer.post(
        "/orders", [("bundle", bundle.bundle_id), ("recipient", "024 123 4567")]
    ).location
    most = rounds * requests
    confirmed = [
        customer.filled_form(bundle, f"020{n:07d}") for n in range(1, most + 1)
    ]

    def post(
        visitor: Visitor, path: str, body: Callable[[int], bytes]
    ) -> Callable[[int], Request]:
        sent = dict(visitor.call("POST", path).headers)
        del sent["Connection"]
        return lambda n: ("POST", path, sent, body(n))

    return [
        Page("store, stored", 0.2, 200, get(customer, "/"), times=20),
        Page("its 304", 0.15, 304, get(customer, "/", **{"If-None-Match": etag}), times=20),
        Page("store, looked at", 2.4, 200, front, renew=front_lapses),
        Page("store, not stored", None, 200, get(customer, "/", **ASK)),
        Page("store, drawn anew", None, 200, get(customer, f"/?bundle={bundle.bundle_id}")),
        Page("order", 4, 200, get(customer, order)),
        Page("poll, nothing new", 0.65, 204, ask(), renew=look_again, times=20),
        Page("poll, looked at", None, 204, polled, renew=poll_lapses),
        Page("poll, asked anew", None, 204, ask(**ASK), renew=look_again),
        Page("first post", None, 303, post(customer, "/orders", lambda _n: first), "/review/"),
        Page("review", None, 200, get(customer, review)),
        Page("placing", 8, 303, post(customer, "/orders", lambda n: urlencode(confirmed[n]).encode()), "/orders/"),
        Page("unknown shop", 0.5, 404, get(customer, "/", Host="nobody.localhost"), times=20),
        Page(f"portal's orders, {ROWS} rows", 8, 200, get(agent, "/orders")),
        Page("console's orders", 10, 200, get(owner, "/orders")),
    ]  # fmt: skip


def _poll(customer: Customer, order: str) -> str:
    page = customer.get(order).text
    return page.partition('data-hx-get="')[2].partition('"')[0].replace("&amp;", "&")


def _header(answer: Answer, name: str) -> str:
    return next(value for key, value in answer.headers if key.lower() == name.lower())


def _measure(stage: Stage, page: Page, number: int, requests: int) -> None:
    address = stage.running.facts["web_address"]
    page.renew()
    web = stage.pids("web")[0]
    database = stage.pids("postgres")[0]
    before = cpu_s(database)
    us = _spent(page, address, web, number, requests * page.times)
    if number:
        page.web_us.append(us)
        postgres_s = cpu_s(database) - before
        page.postgres_us.append(postgres_s / (requests * page.times) * 1e6)


def _send(address: str, requests: Iterable[Request]) -> None:
    line = http.client.HTTPConnection(address, timeout=30)
    for method, path, headers, body in requests:
        line.request(method, path, body, dict(headers))
        line.getresponse().read()
    line.close()


def _spent(page: Page, address: str, pid: int, number: int, requests: int) -> float:
    """Processor time of one request, in µs. Raises `RuntimeError` at another status."""
    line = http.client.HTTPConnection(address, timeout=30)
    before = cpu_s(pid)
    for one in range(requests):
        method, path, headers, body = page.request(number * requests + one)
        line.request(method, path, body, dict(headers))
        answer = line.getresponse()
        said = answer.read()
        leads = answer.getheader("Location") or ""
        if answer.status != page.expects or not leads.startswith(page.leads):
            raise RuntimeError(f"{page.name}: {answer.status} {leads}, {said[:300]!r}")
    line.close()
    return (cpu_s(pid) - before) / requests * 1e6


def _print(pages: list[Page], h_us: float) -> None:
    print(f"H = {h_us:.0f} µs\n")
    print("| page | web µs | PostgreSQL µs | web, in H | goal |")
    print("| --- | --- | --- | --- | --- |")
    for page in pages:
        web = statistics.median(page.web_us)
        goal = "" if page.goal is None else f"{page.goal:g}"
        print(
            f"| {page.name} | {web:.0f} | {statistics.median(page.postgres_us):.0f} |"
            f" {web / h_us:.2f} | {goal} |"
        )


if __name__ == "__main__":
    sys.exit(main())
