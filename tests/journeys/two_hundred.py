#!/usr/bin/env python3
"""An agent's day against a running `dev.py up`: 200 customers order, 180 of them pay by mobile
money, and the owner of the store, in a browser on a phone, matches and processes them while a
cashier, who came in by invitation, presses the same twice at the same moment. Then a list of 1,000
lines of which 37 are wrong, and pages with thousands of orders open.

Fails unless each of the 180 is bought once, the other 20 not at all, and the books hold. Prints the
presses, how long each took, and what pages take.

  --open N   lists are placed until so many orders are open (default 1,000)

Once an instance, since its inbox begins anew. Start `up` with MAKOLA_ORDERS_OPEN_PER_ADDRESS and
MAKOLA_ORDERS_PER_ADDRESS_MINUTE at 1000: all customers come from one machine.
"""

from __future__ import annotations

import csv
import re
import secrets
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO

from playwright.sync_api import Browser, Page, expect

from tests.support import books, chromium
from tests.support.messages import Inbox
from tests.support.people import (
    Agent,
    Customer,
    Fields,
    form_of,
    have_money_for,
    headline,
)
from tests.support.running import Running, must, options, report, until
from tests.support.supplier import Supplier

CUSTOMERS, PAYING = 200, 180
MOST_PRESSES = 5
LINES, WRONG = 1_000, 37
FIRST = 1_000_000 + secrets.randbelow(8_000_000)
"""Whose numbers begin there: a number that had the same an hour ago is asked about."""
BOUGHT_S = 300
PHONE = (360, 740)
LOOKS = 20
STEP_MS = 60_000
PLACED_MS = 300_000
PAGES = {
    "queue, new": "/orders?tab=new",
    "queue, all": "/orders?tab=all",
    "home": "/",
    "payments": "/payments",
    "last four digits": "/orders?q=4567",
    "filter, MTN": "/orders?tab=new&network=mtn",
}


@dataclass
class Presses:
    """What somebody pressed, and the seconds until the next page stood."""

    running: Running
    took: list[float] = field(default_factory=list)

    def __call__(self, what: str, press: Callable[[], None]) -> None:
        began = time.monotonic()
        press()
        self.took.append(time.monotonic() - began)
        self.running.say(f"press {len(self.took)}: {what}, {self.took[-1]:.1f} s")


def run(running: Running, open_orders: int) -> None:
    """The whole day. Raises `Failed` at the first thing that is not so."""
    agent, supplier = Agent.logged_in(running, "ama"), Supplier(running)
    with supplier.keeping_pace(running.time_scale), chromium.launched() as browser:
        numbers = ordered(running, agent)
        rows = {row["Number"].replace(" ", ""): row for row in sheet(agent)}
        paying = dict(list(numbers.items())[:PAYING])
        cashier = joined(running, agent)
        processed(running, browser, cashier, [rows[number] for number in paying])
        until(lambda: bought(supplier, paying) >= PAYING, BOUGHT_S, "180 are bought")
        counts = charges(supplier)
        must(
            all(counts[number[-9:]] == 1 for number in paying),
            "not each paid order was bought exactly once",
        )
        must(
            not any(counts[number[-9:]] for number in set(numbers) - set(paying)),
            "an order that nobody paid was bought",
        )
        running.say(f"{PAYING} bought once each, {CUSTOMERS - PAYING} unpaid ones not")
        listed(running, browser)
    fill(running, agent, open_orders)
    timings(running, agent)
    proof = books.prove(running)
    must(proof.hold, f"the books do not hold: {proof}")
    running.say(str(proof))
    supplier.close()


def ordered(running: Running, agent: Agent) -> dict[str, str]:
    """Each customer orders for a number of their own; number to order code."""
    bundle = Customer.of(running, "ama").shelf()[0]
    have_money_for(running, agent, "ama", CUSTOMERS, bundle)
    began, codes = time.monotonic(), {}
    for n in range(CUSTOMERS):
        customer = Customer.of(running, "ama")
        number = f"024{FIRST + n}"
        codes[number] = customer.order(bundle, number)
    took = time.monotonic() - began
    running.say(f"{CUSTOMERS} customers ordered {bundle.size_text}, {took:.0f} s")
    return codes


def joined(running: Running, owner: Agent) -> Agent:
    """A cashier whom the store's owner invited, with a log-in of their own."""
    invited = owner.post(
        "/people",
        [*_but(form_of(owner.get("/people").text, "/people"), "name", "address", "role"),
         ("name", "Cousin"), ("address", ""), ("role", "cashier")],
    )  # fmt: skip
    link = re.search(r"https?://[^\s\"<>]+(/join/[\w-]+)", invited.text)
    must(link, f"no invitation: {invited.status} {headline(invited.text)}")
    assert link
    cashier = Agent(running, running.facts["portal_url"])
    form = form_of(cashier.get(link[1]).text, link[1])
    log_in = f"cousin-{secrets.token_hex(4)}@example.test"
    answer = cashier.post(
        link[1],
        [*_but(form, "name", "log_in", "password"), ("name", "Cousin"),
         ("log_in", log_in), ("password", secrets.token_urlsafe(12))],
    )  # fmt: skip
    must(answer.status == 303, f"not let in: {headline(answer.text)}")
    must(
        "Only the store’s owner may invite" in cashier.get("/people").text,
        "who was invited as a cashier may do what only the owner may",
    )
    return cashier


def sheet(agent: Agent) -> list[dict[str, str]]:
    """The newest orders as the portal exports them."""
    text = agent.get("/orders.csv?tab=new").text.lstrip("\ufeff")
    return list(csv.DictReader(StringIO(text)))


def processed(
    running: Running, browser: Browser, cashier: Agent, rows: list[dict[str, str]]
) -> None:
    """The messages are pasted, matched and processed by the owner, on a phone; the cashier sends
    the last press at the same moment, twice."""
    inbox = Inbox()
    pasted = "\n\n".join(
        inbox.came(round(float(row["Price GHS"]) * 100), row["Pay code"])
        for row in rows
    )
    page, press = phone(running, browser), Presses(running)
    press("Payments", lambda: _go(page, "/payments", "Payments"))
    page.get_by_label(re.compile("Messages of")).fill(pasted)
    press("Match", lambda: _press(page, re.compile("^Match$"), re.compile("Payments")))
    press(
        "Process all matched",
        lambda: _press(
            page, re.compile("^Process all"), re.compile(f"{PAYING} orders")
        ),
    )
    other = cashier.get("/payments")
    asked = cashier.post("/payments/process", form_of(other.text, "/payments/process"))
    form = form_of(asked.text, "/orders/process")
    answers: list[int] = []
    clicks = [
        threading.Thread(
            target=lambda: answers.append(cashier.post("/orders/process", form).status)
        )
        for _ in range(2)
    ]

    def confirm() -> None:
        for click in clicks:
            click.start()
        _press(page, re.compile("^Yes, process"), re.compile("."))
        for click in clicks:
            click.join()

    press("Yes, beside the cashier", confirm)
    must(
        len(answers) == len(clicks) and all(status < 400 for status in answers),
        f"the cashier was answered {answers}",
    )
    must(len(press.took) <= MOST_PRESSES, f"{len(press.took)} presses")
    running.say(
        f"{PAYING} matched and processed in {len(press.took)} presses,"
        f" {sum(press.took):.1f} s; the cashier's two clicks were answered {answers}"
    )


def phone(running: Running, browser: Browser) -> Page:
    """A page of the portal, logged in."""
    width, height = PHONE
    context = browser.new_context(
        base_url=running.facts["portal_url"],
        viewport={"width": width, "height": height},
        locale="en-GB",
    )
    context.set_default_timeout(STEP_MS)
    page, login = context.new_page(), running.facts["logins"]["ama"]
    page.goto("/login")
    page.get_by_label(re.compile("E-mail")).fill(login["email"])
    page.get_by_label("Password", exact=True).fill(login["password"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
    return page


def _go(page: Page, path: str, heading: str) -> None:
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def _press(page: Page, button: re.Pattern[str], heading: re.Pattern[str]) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def charges(supplier: Supplier) -> Counter[str]:
    """How often money was taken, by the last nine digits of the number."""
    orders = {
        one["reference"]: one["beneficiary"] for one in supplier.state()["orders"]
    }
    lines = supplier.charges(list(orders))
    return Counter(orders[line["reference"]][-9:] for line in lines)


def bought(supplier: Supplier, numbers: dict[str, str]) -> int:
    counts = charges(supplier)
    return sum(1 for number in numbers if counts[number[-9:]])


def lines_of(first: int, wrong: int = 0) -> list[str]:
    """A list of `LINES`, of which the last `wrong` cannot be read."""
    good = [f"025{FIRST + first + n} 1" for n in range(LINES - wrong)]
    return good + [f"02512{n:02} 1GB" for n in range(wrong)]


def listed(running: Running, browser: Browser) -> None:
    """The list of 1,000 lines is read, and says which lines are wrong."""
    page, press = phone(running, browser), Presses(running)
    page.goto("/lists")
    page.get_by_label("Orders, one a line").fill("\n".join(lines_of(0, WRONG)))
    press(
        f"Read a list of {LINES} lines",
        lambda: _press(page, re.compile("Read the list"), re.compile("Check the list")),
    )
    text = page.locator("main").inner_text()
    must(f"{WRONG} wrong lines" in text, f"not {WRONG} wrong lines: {text[:300]}")
    press(
        "Order only, and all are placed",
        lambda: _press(page, re.compile("Order only"), re.compile(".")),
    )
    expect(page.locator("#progress")).to_have_count(0, timeout=PLACED_MS)
    running.say(f"{LINES - WRONG} of the list can go, {WRONG} are named with a reason")


def fill(running: Running, agent: Agent, open_orders: int) -> None:
    """Lists are placed until so many orders are open, by the presses of a page without script."""
    began, count = time.monotonic(), CUSTOMERS - PAYING + LINES - WRONG
    while count < open_orders:
        text = ("text", "\n".join(lines_of(LINES + count)))
        answer = agent.post(
            "/lists", [*_but(form_of(agent.get("/lists").text, "/lists"), "text"), text]
        )
        must(answer.status == 303, f"a list was not read: {headline(answer.text)}")
        path = answer.location.partition("?")[0]
        form = form_of(agent.get(path).text, f"{path}/confirm")
        agent.post(f"{path}/confirm", [*_but(form, "then"), ("then", "wait")])
        while f'action="{path}/place"' in (page := agent.get(path).text):
            agent.post(f"{path}/place", form_of(page, f"{path}/place"))
        count += LINES
    running.say(f"{count} orders are open, {time.monotonic() - began:.0f} s of placing")


def _but(form: Fields, *names: str) -> Fields:
    return [(key, value) for key, value in form if key not in names]


def timings(running: Running, agent: Agent) -> None:
    """What pages take now."""
    for name, path in PAGES.items():
        took = []
        for _ in range(LOOKS):
            began = time.monotonic()
            must(agent.get(path).status == 200, f"{path} is not shown")
            took.append((time.monotonic() - began) * 1_000)
        slow = sorted(took)[-2]
        running.say(
            f"{name:<18} p50 {statistics.median(took):5.0f} ms, p95 {slow:5.0f} ms"
        )


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--open", type=int, default=LINES, metavar="N")
    chosen = parser.parse_args()
    report(lambda: run(Running.at(chosen.instance), chosen.open))


if __name__ == "__main__":
    main()
