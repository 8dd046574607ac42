"""When something shows on a phone with almost no network: first render, whole load and bytes.

    .venv/bin/python -m benchmarks.slow_phone [--stills FOLDER]

A real Chromium as the network's emulation slows it: 280 ms to and fro, 50 kbit/s both ways, nothing
kept from before. `--stills` keeps a picture of each of the first half seconds.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, CDPSession, Error

from tests.proofs.stage import Stage
from tests.support import chromium
from tests.support.people import Customer
from tests.support.running import Failed

LATENCY_MS, BITS_A_SECOND = 280, 50_000
GOAL_MS = 2_000
STILL_S, LAST_STILL_S = 0.5, 3.0
LONGEST_S = 15.0
PAINTED = """() => {
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  const whole = performance.getEntriesByType('navigation')[0];
  return paint && whole.loadEventEnd > 0 ? [paint.startTime, whole.loadEventEnd] : null;
}"""


@dataclass
class Load:
    """One load: milliseconds from the navigation on, and bytes that came."""

    painted_ms: float
    loaded_ms: float
    received: int


def main() -> int:
    """Print the table; 1 when the store's first render takes longer than the goal."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.slow_phone",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stills", type=Path, help="folder for pictures of the loads")
    asked = parser.parse_args()
    if asked.stills is not None:
        asked.stills.mkdir(parents=True, exist_ok=True)
    with Stage(workers=1, web_workers=1) as stage, chromium.launched() as browser:
        customer = Customer.of(stage.running, "ama")
        code = customer.order(customer.shelf()[0], "024 123 4567")
        slow = True
        for name, path in (("store", "/"), ("order", f"/orders/{code}")):
            address = f"{customer.url}{path}"
            loads = [
                _load(browser, address, asked.stills if round_no == 0 else None, name)
                for round_no in range(asked.rounds)
            ]
            painted = median(load.painted_ms for load in loads)
            whole = median(load.loaded_ms for load in loads)
            print(
                f"{name:6} first render {painted:6.0f} ms, loaded {whole:6.0f} ms,"
                f" {loads[0].received:,} bytes"
            )
            if name == "store":
                slow = painted > GOAL_MS
    return int(slow)


def _load(browser: Browser, address: str, stills: Path | None, name: str) -> Load:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    received: list[float] = []
    wire.on(
        "Network.loadingFinished",
        lambda told: received.append(told["encodedDataLength"]),
    )
    a_second = BITS_A_SECOND / 8
    wire.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY_MS,
            "downloadThroughput": a_second,
            "uploadThroughput": a_second,
        },
    )
    began = time.monotonic()
    page.goto(address, wait_until="commit")
    found = None
    for moment_s in _half_seconds(began):
        if stills is not None and moment_s <= LAST_STILL_S:
            _keep_still(wire, stills / f"{name}-{moment_s:.1f}s.png")
        found = page.evaluate(PAINTED)
        if found is not None and (stills is None or moment_s >= LAST_STILL_S):
            break
    context.close()
    if found is None:
        raise Failed(f"{address} has not loaded in {LONGEST_S} s")
    painted_ms, loaded_ms = found
    return Load(painted_ms, loaded_ms, int(sum(received)))


def _keep_still(wire: CDPSession, path: Path) -> None:
    """What the page shows just now; nothing while it has nothing to show."""
    try:
        still = wire.send("Page.captureScreenshot")["data"]
    except Error:
        return
    path.write_bytes(base64.b64decode(still))


def _half_seconds(began: float) -> Iterator[float]:
    """Each half second since `began` (monotonic), when it comes."""
    for number in range(1, int(LONGEST_S / STILL_S) + 1):
        moment_s = number * STILL_S
        time.sleep(max(0.0, began + moment_s - time.monotonic()))
        yield moment_s


if __name__ == "__main__":
    sys.exit(main())
