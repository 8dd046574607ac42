"""The gateway as a process: flags, keys, a clean stop, and what a hard kill leaves behind."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paystack_kit import PAYOUT, REF, page, payout

from integrations.payment_shapes import (
    NotFound,
    Payment,
    Recipient,
    RecipientRequest,
    Started,
    Transfer,
)
from integrations.paystack.client import Paystack
from integrations.paystack_sandbox import knobs, serve

ROOT = Path(__file__).parents[3]
KEY = "sk_test_" + "ab" * 20

pytestmark = pytest.mark.slow(seconds=1)
Start = Callable[..., tuple[subprocess.Popen[str], Paystack]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(*flags: str) -> tuple[subprocess.Popen[str], Paystack]:
        argv = [
            sys.executable,
            "-m",
            "integrations.paystack_sandbox.serve",
            "--port",
            "0",
        ]
        process = subprocess.Popen(
            [*argv, "--db", str(tmp_path / "gateway.db"), *flags],
            cwd=ROOT,
            env={"PAYSTACK_SANDBOX_TEST_KEY": KEY},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "ready at " in line, line
        client = Paystack(
            KEY,
            mode="test",
            on_call=None,
            clock=lambda: datetime.now(UTC),
            base_url=line.split("ready at ")[1].strip(),
        )
        return process, client

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_hard_kill_loses_nothing_and_a_stop_is_clean(start: Start) -> None:
    first, client = start("--balance", "50000", "--time-scale", "1000")
    assert isinstance(client.initialise(page()), Started)
    whom = client.recipient(
        RecipientRequest("mobile_money", "Ama", "0241234567", "MTN")
    )
    assert isinstance(whom, Recipient)
    assert isinstance(client.transfer(payout(whom.code)), Transfer)
    first.kill()
    first.wait(10)
    again, client = start("--balance", "99", "--auto-approve-s", "0")
    assert isinstance(client.verify(REF), Payment)
    assert client.verify("MK-P-NOBODY") == NotFound("MK-P-NOBODY")
    found = client.verify_transfer(PAYOUT)
    assert isinstance(found, Transfer) and found.amount_pesewas == 2_000
    assert client.holdings().balance_pesewas == 47_900  # type: ignore[union-attr]
    again.send_signal(signal.SIGTERM)
    output, _ = again.communicate(timeout=15)
    assert again.returncode == 0 and "sandbox gateway stopped" in output
    assert "GET /transaction/verify/" in output and KEY not in output


def test_flags_that_are_wrong_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags in (
        ["--host", "0.0.0.0"],
        ["--settle-to", "pocket"],
        ["--time-scale", "0"],
        ["--otp", "perhaps"],
        ["--balance", "x"],
    ):
        with pytest.raises(SystemExit) as caught:
            serve.parse(["--db", str(tmp_path / "g.db"), *flags])
        assert caught.value.code == 2 and capsys.readouterr().err
    every = [
        word
        for knob in fields(knobs.Knobs)
        for word in (f"--{knob.name.replace('_', '-')}", str(knob.default))
    ]
    arguments = serve.parse(["--db", str(tmp_path / "g.db"), *every])
    turned = knobs.Knobs()
    knobs.turn(turned, serve.chosen_knobs(arguments))
    assert turned == knobs.Knobs()


def test_a_taken_port_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
        try:
            assert (
                serve.main(["--port", str(port), "--db", str(tmp_path / "g.db")]) == 1
            )
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
