"""A file of evidence: put where the gateway said, without our key, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from integrations.payment_shapes import Unclear
from integrations.payments_port import Upload
from integrations.paystack import disputes
from integrations.paystack.client import Paystack
from integrations.ports import NotSent

KEY = "sk_test_abcdefgh"


def client(transport: httpx.BaseTransport) -> Paystack:
    return Paystack(
        KEY,
        mode="test",
        on_call=None,
        clock=lambda: datetime.now(UTC),
        base_url="http://127.0.0.1:9",
        transport=transport,
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [(200, "x.pdf"), (204, "x.pdf"), (302, None), (403, None), (500, None)],
)
def test_a_file_is_put_without_our_key(status: int, said: str | None) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status)

    where = Upload("http://127.0.0.1:9/upload/x.pdf", "x.pdf")
    found = client(httpx.MockTransport(answer)).put_file(where, b"%PDF-")
    assert found == said if said else isinstance(found, Unclear)
    [request] = seen
    assert (request.method, request.url.path) == ("PUT", "/upload/x.pdf")
    assert request.content == b"%PDF-"
    assert KEY not in str(dict(request.headers))


def test_a_file_that_was_not_sent_is_not_sent() -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    where = Upload("http://127.0.0.1:9/upload/x.pdf", "x.pdf")
    found = client(httpx.MockTransport(fail)).put_file(where, b"%PDF-")
    assert isinstance(found, NotSent)


@pytest.mark.parametrize(
    ("raw", "word", "needs_person"),
    [
        ("awaiting-merchant-feedback", "needs_answer", False),
        ("awaiting-bank-feedback", "waiting", False),
        ("pending", "pending", False),
        ("resolved", "resolved", False),
        ("archived", "resolved", False),
        ("moon-phase", "pending", True),
        ("", "pending", True),
    ],
)
def test_a_word_that_is_not_known_does_nothing(
    raw: str, word: str, needs_person: bool
) -> None:
    found = disputes.record({"id": 7, "status": raw})
    assert found is not None
    assert (found.status, found.needs_person) == (word, needs_person)
