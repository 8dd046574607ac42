"""Customers, agents and the owner over plain HTTP: what a browser sends, without one.

`*.localhost` resolves in browsers only, and cookies marked Secure stay home on plain http elsewhere: so requests go to
127.0.0.1 with a Host header, and the cookies are carried by hand. What pages mean is read from the pages alone.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from tests.support.running import Failed, Running, must
from tests.support.wire import Answer, Call

BUSY_S = 30
AGAIN_S = 0.5
Fields = Sequence[tuple[str, str]]
V = TypeVar("V", bound="Visitor")


@dataclass
class Visitor:
    """One browser at one host: its cookies, its Origin."""

    running: Running
    url: str
    cookies: dict[str, str] = field(default_factory=dict)
    source: str = ""
    """The address they come from; empty: the usual one of this machine."""

    def call(
        self, method: str, path: str, fields: Fields | None = None, htmx: bool = False
    ) -> Call:
        """The request as the browser would send it."""
        headers = {
            "Host": urlsplit(self.url).netloc,
            "Connection": "close",
            "Accept": "text/html",
        }
        if self.cookies:
            headers["Cookie"] = "; ".join(
                f"{name}={value}" for name, value in self.cookies.items()
            )
        if htmx:
            headers["HX-Request"] = "true"
        if method == "GET":
            return Call(
                self.running.facts["web_address"],
                method,
                path,
                headers,
                None,
                self.source,
            )
        headers |= {
            "Origin": self.url,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urlencode(fields or ()).encode()
        return Call(
            self.running.facts["web_address"], method, path, headers, body, self.source
        )

    def get(self, path: str) -> Answer:
        return self._kept(self.call("GET", path).send())

    def post(self, path: str, fields: Fields) -> Answer:
        return self._kept(self.call("POST", path, fields).send())

    def led_by(self, answer: Answer) -> Answer:
        """The page that an answer leads to, with the cookies it brought."""
        return self.get(self._kept(answer).location)

    def _kept(self, answer: Answer) -> Answer:
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return answer


@dataclass(frozen=True)
class Bundle:
    """One line of a store's shelf."""

    bundle_id: str
    network: str
    size_text: str


class Customer(Visitor):
    """Somebody at a store."""

    @classmethod
    def of(cls, running: Running, store: str) -> Customer:
        return cls(running, running.facts["store_urls"][store])

    def shelf(self) -> list[Bundle]:
        """What the store sells, in its own order. Raises `Failed` when that is nothing."""
        page = self.get("/").text
        found = [
            Bundle(bundle_id, part.partition('"')[0], size)
            for part in page.split('<div class="net" id="')[1:]
            for bundle_id, size in re.findall(
                r'name="bundle" value="(\d+)".*?<b>(.*?)</b>', part
            )
        ]
        must(found, f"{self.url} sells nothing")
        return found

    def post(self, path: str, fields: Fields) -> Answer:
        """Post as a browser does: a confirmed form that was not taken leads back to its review
        page."""
        answer = super().post(path, fields)
        is_asked_again = ("confirm", "1") in fields and answer.location.startswith(
            "/review/"
        )
        return self.get(answer.location) if is_asked_again else answer

    def review(self, bundle: Bundle, number: str) -> Answer:
        """The first post, which orders nothing, and the review page to which it leads."""
        answer = self.post(
            "/orders", [("bundle", bundle.bundle_id), ("recipient", number)]
        )
        return self.get(answer.location) if answer.status == 303 else answer

    def filled_form(self, bundle: Bundle, number: str) -> Fields:
        """The confirmed form of the review page, ready to be sent once or fifty times."""
        answer = self.review(bundle, number)
        must(
            answer.status == 200,
            f"the review page answered {answer.status}: {headline(answer.text)}",
        )
        return form_of(answer.text, "/orders")

    def order(self, bundle: Bundle, number: str) -> str:
        """Order and confirm; the order's code."""
        return code_of(self.post("/orders", self.filled_form(bundle, number)))

    def sees(self, code: str) -> str:
        """What the order page says, as "Pending. Ama's Data has your order …"."""
        return told(self.get(f"/orders/{code}/status"))

    def is_with_the_network(self, code: str) -> bool:
        """Whether the order was bought, as its page says."""
        return self.sees(code).startswith(
            ("Processing. With the network", "Completed.")
        )

    def is_completed(self, code: str) -> bool:
        return self.sees(code).startswith("Completed.")


class Agent(Visitor):
    """Somebody at the portal."""

    @classmethod
    def logged_in(cls, running: Running, name: str) -> Agent:
        return log_in(
            cls(running, running.facts["portal_url"]), running.facts["logins"][name]
        )

    def wallet_pesewas(self) -> int:
        """What is free to use in the wallet."""
        found = re.search(
            r'id="wallet-now"[^>]*data-available="(-?\d+)"', self.get("/orders").text
        )
        must(found, "the portal does not say what is in the wallet")
        assert found
        return int(found[1])

    def costs(self) -> dict[str, int]:
        """What each bundle takes from the wallet, by bundle id, in pesewas."""
        found = re.findall(
            r'data-floor="(\d+)" data-bundle="(\d+)"', self.get("/prices").text
        )
        must(found, "the portal's price table is empty")
        return {bundle_id: int(cost) for cost, bundle_id in found}

    def process_form(self, code: str) -> Fields:
        """The fields of the order page's *Process*."""
        return form_of(self.get(f"/orders/{code}").text, f"/orders/{code}/process")

    def process(self, code: str) -> None:
        """Press *Process* on an order's page. Raises `Failed` when it is refused."""
        answer = self.post(f"/orders/{code}/process", self.process_form(code))
        must(
            answer.is_done,
            f"processing {code} answered {answer.status}: {headline(answer.text)}",
        )

    def cancel(self, code: str) -> None:
        """Press *Cancel order*, read what is asked, and press again."""
        where = f"/orders/{code}/cancel"
        asked = self.post(where, form_of(self.get(f"/orders/{code}").text, where))
        must(
            "GH₵" in asked.text,
            f"cancelling {code} names no amount: {headline(asked.text)}",
        )
        answer = self.post(where, form_of(asked.text, where))
        must(
            answer.is_done,
            f"cancelling {code} answered {answer.status}: {headline(answer.text)}",
        )


class Owner(Visitor):
    """Somebody at the console."""

    @classmethod
    def logged_in(cls, running: Running) -> Owner:
        return log_in(
            cls(running, running.facts["console_url"]), running.facts["logins"]["owner"]
        )

    def fund(self, store: str, pesewas: int, reason: str) -> None:
        """Put money into a store's wallet, less than the amount the console asks about twice."""
        form = [
            (name, value)
            for name, value in form_of(
                self.get(f"/stores/{store}").text, f"/stores/{store}/fund"
            )
            if name not in ("amount", "reason")
        ]
        form += [("amount", f"{pesewas / 100:.2f}"), ("reason", reason)]
        answer = self.post(f"/stores/{store}/fund", form)
        must(
            answer.status == 303,
            f"funding {store} answered {answer.status}: {headline(answer.text)}",
        )


def log_in(visitor: V, login: dict[str, str]) -> V:
    """Log in through the page. Raises `Failed` when that is refused.

    A process looks at two passwords at once and says *busy* to the next: then the button is pressed
    again, as it asks.
    """
    form = [
        (name, value)
        for name, value in form_of(visitor.get("/login").text, "/login")
        if name not in ("email", "password")
    ]
    form += [("email", login["email"]), ("password", login["password"])]
    deadline = time.monotonic() + BUSY_S
    while (
        answer := visitor.post("/login", form)
    ).status == 503 and time.monotonic() < deadline:
        time.sleep(AGAIN_S)
    must(
        answer.status == 303,
        f"logging in at {visitor.url} answered {answer.status}: {headline(answer.text)}",
    )
    return visitor


def have_money_for(
    running: Running, agent: Agent, store: str, orders: int, bundle: Bundle
) -> None:
    """See to it that the store's wallet pays for so many orders: the owner funds what earlier
    journeys spent."""
    missing = orders * agent.costs()[bundle.bundle_id] - agent.wallet_pesewas()
    if missing > 0:
        Owner.logged_in(running).fund(store, missing, "for a journey")


def some_number() -> str:
    """An MTN number nobody used in this run, so that no limit for one number is met."""
    return f"024{secrets.randbelow(10**7):07d}"


def form_of(page: str, action: str) -> Fields:
    """The fields of the page's form that posts to `action`. Raises `Failed` when there is none."""
    reader = _Forms()
    reader.feed(page)
    found = next((fields for where, fields in reader.forms if where == action), None)
    if found is None:
        raise Failed(f"no form for {action} on this page: {headline(page)}")
    return found


def told(answer: Answer) -> str:
    """What the moving part of an order page says to its customer."""
    found = re.search(r'id="label" data-news="([^"]*)"', answer.text)
    must(found, f"the order page answered {answer.status}: {headline(answer.text)}")
    assert found
    return unescape(found[1])


def code_of(answer: Answer) -> str:
    """The order an answer names."""
    found = re.fullmatch(r"/orders/([0-9A-Z]{10})", answer.location)
    must(found, f"no order was named: {answer.status} {headline(answer.text)}")
    assert found
    return found[1]


def headline(page: str) -> str:
    """The first words of a page, for a sentence about what went wrong."""
    body = re.sub(r"(?s)<(style|script|head)\b.*?</\1>", " ", page)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())[:300]


class _Forms(HTMLParser):
    """Every form of a page with what it would send, buttons left out."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, list[tuple[str, str]]]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = True
            self.forms.append((told.get("action", ""), []))
        elif tag == "input" and self._inside and "name" in told:
            is_sent = told.get("type") not in ("radio", "checkbox") or "checked" in told
            self.forms[-1][1].extend(
                [(told["name"], told.get("value", ""))] if is_sent else []
            )

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
