"""The journeys in short, against one `dev.py up` of their own: bought, raced, killed, and with
Valkey away.

The scripts beside this file do the same at full length against any running Makola.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import closed_shop
import killed_worker
import purchase
import pytest
import races
import valkey_down

from devkit import daemons, postgres_home, process_tree
from tests.support import chromium
from tests.support.running import ROOT, Running, until

TIME_SCALE = 10
READY_S = 120
MOST_MS = 1_000
"""Twice what `valkey_down.py` allows: other tests keep this machine busy. A page that waits for
Valkey takes seconds."""
STOPPED_S = 30
FOREIGN = ("MAKOLA_", "DATABASE_", "REDIS_", "DATA_MART_", "FLASK_", "GRANIAN_")

pytestmark = [
    pytest.mark.slow(seconds=7),
    pytest.mark.alone,
    pytest.mark.timeout(300),
]
in_a_browser = [pytest.mark.browser, chromium.NEEDED]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """One `up` in a folder that is thrown away, ten times as fast."""
    folder = Path(tempfile.mkdtemp(prefix="makola-journeys-"))
    folder.chmod(0o755)  # root's PostgreSQL runs as nobody, who must walk through
    instance, output = folder / "instance", folder / "output.txt"
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN)
    }
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "devkit.up",
                "--port",
                str(daemons.free_port()),
                "--time-scale",
                str(TIME_SCALE),
            ],
            cwd=ROOT,
            env=clean
            | {
                "MAKOLA_INSTANCE": str(instance),
                "MAKOLA_ORDERS_PER_ADDRESS_MINUTE": "1000",
                "MAKOLA_UNDO_S": "0",
            },
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        until(
            lambda: (instance / "ready.json").exists() or process.poll() is not None,
            READY_S,
            "`up` is ready",
        )
        assert process.poll() is None, output.read_text(errors="replace")
        yield Running.at(instance)
        below = process_tree.descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOPPED_S) == 0
        assert [pid for pid in below if process_tree.is_alive(pid)] == []
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(STOPPED_S)
        postgres_home.forget(instance / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


class TestInABrowser:
    pytestmark = in_a_browser

    def test_the_customers_open_page_turns_completed_without_navigating(
        self, running: Running
    ) -> None:
        done = purchase.run(running)
        assert done.navigations == 0
        assert "sent" in done.webhooks

    def test_without_javascript_and_without_one_webhook_it_turns_completed_too(
        self, running: Running
    ) -> None:
        done = purchase.run(running, javascript=False, drop_webhooks=True)
        assert done.navigations > 0
        assert set(done.webhooks) == {"dropped"}


def test_fifty_at_once_are_one_order_one_purchase_and_money_for_two_is_two(
    running: Running,
) -> None:
    done = races.run(running, rounds=1)
    assert [(one.name, sum(one.answers.values())) for one in done] == [
        ("submit", 50),
        ("process", 50),
        ("wallet", 8),
    ]
    assert done[2].answers == {"303": 2, "303 refused": 6}


def test_a_worker_killed_in_the_purchase_call_buys_once(running: Running) -> None:
    done = killed_worker.run(running, killed_worker.STAGES, runs=1)
    assert [(one.stage, one.charges) for one in done] == [("before", 1), ("after", 1)]


def test_orders_go_on_while_valkey_is_away_and_flow_when_it_is_back(
    running: Running,
) -> None:
    done = valkey_down.run(
        running, valkey_down.WAYS, times=4, outage_s=4, most_ms=MOST_MS
    )
    assert set(done) == {"frozen", "killed"}
    assert all(
        len(pages.codes) == 4 and flowed_s <= valkey_down.FLOWS_S
        for pages, flowed_s in done.values()
    )


def test_a_frozen_supplier_closes_the_shop_and_it_opens_by_itself(
    running: Running,
) -> None:
    done = closed_shop.run(running)
    assert done.charges == 2


@pytest.mark.parametrize("host", ["evil.example", "portal.localhost", "kofi.localhost"])
def test_an_absolute_address_leads_to_no_other_room(
    running: Running, host: str
) -> None:
    """`GET http://elsewhere/ HTTP/1.1` with a Host of ours: the server must not mix the two."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as line:
        asked = (
            f"GET http://{host}:{running.port}/ HTTP/1.1\r\nHost:"
            f" ama.localhost:{running.port}\r\nConnection: close\r\n\r\n"
        )
        line.sendall(asked.encode())
        answer = b""
        while part := line.recv(65_536):
            answer += part
    head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
    assert (
        head.startswith("HTTP/1.1 200")
        and "Ama" in body
        or head.split()[1] in ("400", "404")
    )
    assert host not in answer.decode(errors="replace")


def test_ready_names_living_processes_after_all_that(running: Running) -> None:
    facts = json.loads((running.instance / "ready.json").read_text())
    until(lambda: len(running.pids("worker")) == 2, 30, "both workers are back")
    assert all(
        process_tree.is_alive(pid)
        for kind in ("web", "relay", "valkey", "postgres", "sandbox")
        for pid in facts["pids"][kind]
    )
