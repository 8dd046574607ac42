"""One HTTP request at a time, timed, or fifty in one moment. What they mean is left to `people`."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.running import Failed, must

WAIT_S = 60


@dataclass(frozen=True)
class Answer:
    """One answer and how long it took from the first byte sent to the last byte read."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str
    ms: float

    @property
    def location(self) -> str:
        return next(
            (value for name, value in self.headers if name.lower() == "location"), ""
        )

    @property
    def is_refusal(self) -> bool:
        """Whether a press on an order was answered with the way to the sentence that refuses it."""
        return self.status == 303 and self.location.endswith("#refused")

    @property
    def is_done(self) -> bool:
        """Whether a press on an order was taken, now or before."""
        return self.status == 303 and not self.is_refusal


@dataclass
class Call:
    """A request ready to go: `connect` first, so that many can be sent in one moment."""

    address: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None
    source: str = ""
    """The address it comes from; empty: the usual one of this machine."""
    _connection: http.client.HTTPConnection | None = None

    def connect(self) -> None:
        source = (self.source, 0) if self.source else None
        self._connection = http.client.HTTPConnection(
            self.address, timeout=WAIT_S, source_address=source
        )
        self._connection.connect()

    def send(self) -> Answer:
        began = time.perf_counter()
        if self._connection is None:
            self.connect()
        connection = self._connection
        assert connection is not None
        try:
            connection.request(self.method, self.path, self.body, self.headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        finally:
            connection.close()
        return Answer(
            response.status,
            tuple(response.getheaders()),
            text,
            (time.perf_counter() - began) * 1000,
        )


def at_once(calls: Sequence[Call]) -> list[Answer]:
    """Send all calls in one moment: each on a connection of its own, all let go by one barrier."""
    barrier = threading.Barrier(len(calls))
    answers: list[Answer | Exception] = [Failed("never sent")] * len(calls)

    def run(number: int, call: Call) -> None:
        try:
            call.connect()
            barrier.wait(WAIT_S)
            answers[number] = call.send()
        except Exception as error:  # noqa: BLE001 - carried to the caller below
            barrier.abort()
            answers[number] = error

    threads = [
        threading.Thread(target=run, args=pair, daemon=True)
        for pair in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAIT_S)
    lost = [answer for answer in answers if isinstance(answer, Exception)]
    must(
        not lost,
        f"{len(lost)} of {len(calls)} simultaneous requests had no answer, the first: {lost[:1]!r}",
    )
    return [answer for answer in answers if isinstance(answer, Answer)]
