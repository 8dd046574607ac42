"""The supplier as a process: flags, keys, log lines, a clean stop, and what a hard kill leaves
behind."""

from __future__ import annotations

import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sandbox_kit import FIRST, order

from integrations.sandbox import charges, profiles, serve, sockets


@pytest.mark.slow(seconds=0.3)
def test_it_serves_logs_and_stops(program):
    supplier = program(
        "--profile",
        "published",
        "--wallet",
        "20",
        "--rate-limit",
        "5",
        "--rate-window",
        "30",
    )
    with httpx.Client(base_url=supplier.url, headers=FIRST) as client:
        reply = client.post("/api/v1/purchase", json=order("MK-1"))
        assert reply.status_code == 201 and reply.json()["data"]["balance_after"] == 11
        assert reply.headers["X-RateLimit-Limit"] == "5"
        assert client.get("/api/v1/capacities").status_code == 404
        assert client.get("/api/v1/transactions/0241234567").status_code == 404
        assert client.get("/sandbox/state").json()["profile"] == "published"
    code, log = supplier.stop()
    assert code == 0 and "stopped" in log
    assert "POST /api/v1/purchase 201" in log and "ref MK-1" in log
    assert "GET /api/v1/transactions/024•••4567 404" in log and "0241234567" not in log
    kinds = [
        line["kind"]
        for line in charges.read(supplier.db.with_name("program.db.charges.jsonl"))
    ]
    assert kinds == ["opening", "opening", "charge"]


@pytest.mark.slow(seconds=0.3)
def test_a_stop_does_not_wait_for_held_requests(program, until):
    supplier = program()
    with (
        httpx.Client(base_url=supplier.url, headers=FIRST, timeout=10) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        client.post(
            "/sandbox/faults", json=[{"endpoint": "purchase", "fault": "hold_before"}]
        )
        held = pool.submit(client.post, "/api/v1/purchase", json=order())
        until(lambda: httpx.get(f"{supplier.url}/sandbox/inflight").json()["inflight"])
        code, _ = supplier.stop(signal.SIGINT)
        assert code == 0
        with pytest.raises(httpx.TransportError):
            held.result(5)


@pytest.mark.slow(seconds=0.3)
def test_a_stop_does_not_wait_for_late_webhooks(program):
    supplier = program("--webhook-delay-s", "300")
    with httpx.Client(base_url=supplier.url, headers=FIRST) as client:
        client.put("/api/v1/webhook", json={"webhook_url": "http://127.0.0.1:1/"})
        client.post("/api/v1/purchase", json=order())
        assert client.get("/sandbox/state").json()["webhooks"][0]["outcome"] == "queued"
    assert supplier.stop()[0] == 0  # waits fifteen seconds at most


@pytest.mark.slow(seconds=0.4)
def test_a_hard_kill_loses_no_charge(program, tmp_path):
    supplier = program()
    with httpx.Client(base_url=supplier.url, headers=FIRST) as client:
        for number in range(5):
            assert (
                client.post("/api/v1/purchase", json=order(f"MK-{number}")).status_code
                == 201
            )
    supplier.stop(signal.SIGKILL)
    again = program()
    state = httpx.get(f"{again.url}/sandbox/state").json()
    assert state["purchases"] == {f"MK-{number}": 1 for number in range(5)}
    assert state["balance_pesewas"] == 500_000 - 5 * 900
    assert again.stop()[0] == 0


@pytest.mark.slow(seconds=0.8)
def test_orders_finish_by_themselves(program, until):
    supplier = program("--auto-fulfil", "60", "--time-scale", "200")
    with httpx.Client(base_url=supplier.url, headers=FIRST) as client:
        client.post("/api/v1/purchase", json=order("MK-1"))

        def done():
            return (
                httpx.get(f"{supplier.url}/sandbox/state").json()["orders"][0]["status"]
                == "successful"
            )

        until(done)
    assert "timer: moved 1 order" in supplier.stop()[1]


def test_a_taken_port_is_told_in_one_line(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        before = {
            number: signal.getsignal(number)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            assert (
                serve.main(["--port", str(port), "--db", str(tmp_path / "s.db")]) == 1
            )
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ["--host", "0.0.0.0"],
        ["--profile", "live"],
        ["--statistics", "maybe"],
        ["--rate-limit", "0"],
        ["--dedupe", "perhaps"],
        ["--wallet", "1.005"],
        ["--wallet", "nan"],
        ["--wallet", "-1"],
    ],
)
def test_wrong_flags_are_refused(tmp_path, capsys, flags):
    with pytest.raises(SystemExit) as caught:
        serve.parse(["--db", str(tmp_path / "s.db"), *flags])
    assert caught.value.code == 2 and capsys.readouterr().err


def test_every_knob_has_a_flag(tmp_path):
    knobs = profiles.as_dict(profiles.preset("published"))
    flags = []
    for name, value in knobs.items():
        word = (
            ("off", "on")[value]
            if isinstance(value, bool)
            else ",".join(value)
            if isinstance(value, list)
            else value
        )
        flags += [f"--{name.replace('_', '-')}", str(word)]
    arguments = serve.parse(["--db", str(tmp_path / "s.db"), *flags])
    told = serve.chosen_knobs(arguments)
    assert set(told) == set(knobs) - {"profile"}
    assert profiles.as_dict(profiles.preset("published", **told)) == knobs


@pytest.mark.parametrize(
    "text, expected",
    [
        ("to 0241234567.", "to 024•••4567."),
        ("+233241234567", "+23324•••4567"),
        ("MK-00241234567890", "MK-00241234567890"),
        ("ref 12", "ref 12"),
    ],
)
def test_numbers_are_masked(text, expected):
    assert sockets.masked(text) == expected
