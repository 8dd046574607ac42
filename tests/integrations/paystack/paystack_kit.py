"""What the tests of payments share: a gateway on a real socket, our client on it, somebody who hears
its webhooks, and a client over a scripted wire."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from integrations.payment_shapes import (
    ChargeRequest,
    Payment,
    PaymentRequest,
    Recipient,
    RecipientRequest,
    RefundRequest,
    Started,
    TransferRequest,
)
from integrations.paystack.client import Paystack
from integrations.paystack_sandbox import app
from integrations.paystack_sandbox.store import LIVE_KEY, TEST_KEY, Store
from integrations.ports import CallRecord
from integrations.sandbox import sockets
from integrations.sandbox.clock import Clock

WEDNESDAY = datetime(2026, 2, 4, 9, 0, tzinfo=UTC)
REF = "MK-P-8W3J0T5QX2ZD"
PAYOUT = "mk-w-0123456789abcdef"
EMAIL = "c8w3j@pay.makola.example"
BACK = "http://127.0.0.1:9/orders/8W3J0T5QX2?from=pay"


def page(reference: str = REF, amount: int = 500, **changes: Any) -> PaymentRequest:
    return PaymentRequest(reference, EMAIL, amount, BACK, **changes)


def prompt(ending: str, reference: str = REF, amount: int = 500) -> ChargeRequest:
    return ChargeRequest(reference, EMAIL, amount, f"+2332412345{ending}", "mtn")


def refund(amount: int, note: str = "MK-R-1", reference: str = REF) -> RefundRequest:
    return RefundRequest(reference, amount, note)


def payout(whom: str, amount: int = 2_000, reference: str = PAYOUT) -> TransferRequest:
    return TransferRequest(reference, amount, whom, "earnings of the week")


class Ear:
    """Hears webhooks. `answers` are the statuses to come, 200 when there are none."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                ear.heard.append((headers, body))
                self.send_response(ear.answers.pop(0) if ear.answers else 200)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/paystack"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]

    @property
    def events(self) -> list[str]:
        return [body["event"] for body in self.bodies]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class Pair:
    """A gateway on a socket of its own, and our client on it. Time stands still until it is
    moved."""

    def __init__(
        self, folder: Path, *, mode: str = "test", balance: int = 100_000, **knobs: Any
    ) -> None:
        self.clock = Clock(WEDNESDAY.timestamp)
        store = Store(folder / "gateway.db", opening_pesewas=balance)
        self.app = app.create(store, clock=self.clock, **knobs)
        self.gateway = self.app.gateway
        self._server = sockets.Server(("127.0.0.1", 0), self.app, lambda line: None)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.mode = mode
        self.key = {"test": TEST_KEY, "live": LIVE_KEY}[mode]
        self.records: list[CallRecord] = []
        self.http = httpx.Client(base_url=self.url, verify=False, trust_env=False)
        self.client = self.with_key(self.key)
        self.ear = Ear()
        self.tool("/webhook", url=self.ear.url, world=mode)

    def with_key(self, key: str, **options: Any) -> Paystack:
        return Paystack(
            key,
            mode=self.mode,
            on_call=self.records.append,
            clock=self.now,
            base_url=self.url,
            **options,
        )

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    def close(self) -> None:
        self.http.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        self.gateway.webhooks.drain()
        self.app.close()
        self.ear.close()

    def tool(self, path: str, **body: Any) -> Any:
        """The gateway's API for tests."""
        answer = self.http.post(f"/sandbox{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def books(self, reference: str | None = None) -> dict[str, int]:
        asked = {"world": self.mode} | ({"reference": reference} if reference else {})
        found: dict[str, int] = self.http.get("/sandbox/books", params=asked).json()
        return found

    def knobs(self, **changes: Any) -> None:
        self.tool("/knobs", **changes)

    def plan(self, fault: str, call: str, **more: Any) -> None:
        self.tool("/faults", plan=[{"fault": fault, "call": call, **more}])

    def pass_(self, seconds: float) -> None:
        """Let time pass, and all happen and be told that falls due in it."""
        self.clock.advance(seconds)
        self.app.tick()
        assert self.gateway.webhooks.drain()

    def act(self, kind: str, act: str, reference: str = REF, **more: Any) -> Any:
        done = self.tool(
            "/act", kind=kind, act=act, reference=reference, world=self.mode, **more
        )
        assert self.gateway.webhooks.drain()
        return done

    def raw(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call without our client, as somebody else's would make it."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.http.request(method, path, json=body, headers=headers)

    def start(self, **changes: Any) -> Started:
        said = self.client.initialise(page(**changes))
        assert isinstance(said, Started)
        return said

    def verify(self, reference: str = REF) -> Payment:
        said = self.client.verify(reference)
        assert isinstance(said, Payment), said
        return said

    def paid(self, reference: str = REF, amount: int = 500, **changes: Any) -> Payment:
        """A payment that was made on the hosted page."""
        self.start(reference=reference, amount=amount)
        self.act("payment", "approve", reference, **changes)
        return self.verify(reference)

    def whom(self, number: str = "0241234567", kind: Any = "mobile_money") -> str:
        code = {"mobile_money": "MTN", "ghipss": "030100"}[kind]
        said = self.client.recipient(RecipientRequest(kind, "Ama Mensah", number, code))
        assert isinstance(said, Recipient), said
        return said.code


def scripted(
    answer: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response],
    records: list[CallRecord] | None = None,
    **options: Any,
) -> Paystack:
    """A client whose wire answers so."""

    def handler(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    return Paystack(
        TEST_KEY,
        mode="test",
        on_call=None if records is None else records.append,
        clock=lambda: WEDNESDAY,
        transport=httpx.MockTransport(handler),
        **options,
    )


def said(status: int, body: Any, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=json.dumps(body).encode(), headers=names)


def ok(data: Any, **more: Any) -> httpx.Response:
    return said(200, {"status": True, "message": "fine", "data": data, **more})


def refused(
    status: int, code: str = "", message: str = "no", **more: Any
) -> httpx.Response:
    body: dict[str, Any] = {"status": False, "message": message, **more}
    if code:
        body |= {"code": code, "type": "validation_error", "meta": {"nextStep": "x"}}
    return said(status, body)


def each(names: str, rows: Sequence[Any]) -> Callable[[Any], Any]:
    """A test of a table in one piece: once for each row, which a failure names. A test whose first
    argument is `pair` gets a gateway of its own each time."""

    def wrap(test: Any) -> Any:
        has_pair = next(iter(inspect.signature(test).parameters)) == "pair"

        def rows_of(make: Any = None) -> None:
            for row in rows:
                values = row if isinstance(row, tuple) else (row,)
                try:
                    test(*((make(), *values) if has_pair else values))
                except BaseException as problem:
                    problem.add_note(f"in the row {names} = {row!r}")
                    raise

        if has_pair:

            def whole(make: Any) -> None:
                rows_of(make)
        else:

            def whole() -> None:  # type: ignore[misc]
                rows_of()

        whole.__name__ = test.__name__
        return whole

    return wrap
