"""What the benchmarks measure is there: a script that no longer starts measures nothing, and nobody
would notice."""

from __future__ import annotations

import http.client

import pytest

from benchmarks import side_by_side, thin


def asked(address: str, path: str) -> tuple[int, bytes]:
    line = http.client.HTTPConnection(address, timeout=10)
    try:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read()
    finally:
        line.close()


@pytest.mark.slow(seconds=2.1)
def test_our_front_around_the_empty_view_starts_and_answers_both_ways() -> None:
    with side_by_side.server(side_by_side.FRONT, "") as (address, _pid):
        assert asked(address, "/") == (204, b"")
        assert asked(address, "/stored") == (200, thin.STORED)
