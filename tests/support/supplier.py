"""The sandbox supplier's admin API and its own charge file: what really was bought, whatever we
believe.

The charge file has one line for every movement of the wallet, written before the answer goes out;
it alone judges how often an order was bought.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.running import Running, must

CALLS_IN_A_WINDOW_S = 60


class Supplier:
    """The sandbox of one `up`."""

    def __init__(self, running: Running) -> None:
        must(
            running.facts["sandbox_url"],
            "this `up` has a supplier of somebody else's: journeys need the sandbox",
        )
        self._http = httpx.Client(
            base_url=running.facts["sandbox_url"], trust_env=False, timeout=30
        )
        self.charge_file = Path(self.state()["charges_file"])

    def close(self) -> None:
        self._http.close()

    def state(self) -> dict[str, Any]:
        return self._asked(self._http.get("/sandbox/state"))

    def in_flight(self) -> list[dict[str, Any]]:
        """Requests held open now."""
        held: list[dict[str, Any]] = self._asked(self._http.get("/sandbox/inflight"))[
            "inflight"
        ]
        return held

    def plan(self, *faults: dict[str, Any]) -> None:
        """Replace the plan of faults; none clears it."""
        self._asked(self._http.post("/sandbox/faults", json=list(faults)))

    def plan_with(self, faults: Sequence[dict[str, Any]], seed: int) -> None:
        """Replace the plan of faults; its draws come from the seed."""
        self._asked(
            self._http.post(
                "/sandbox/faults", json={"plan": list(faults), "seed": seed}
            )
        )

    def release(self, reference: str) -> None:
        """Let a held request go on."""
        said = self._asked(
            self._http.post("/sandbox/release", json={"reference": reference})
        )
        must(
            said["released"] == 1,
            f"the sandbox released {said['released']} requests of one reference",
        )

    def mark(self, reference: str, status: str) -> None:
        """What the supplier's staff does with an order on its page."""
        self._asked(
            self._http.post(
                f"/sandbox/orders/{reference}/status",
                data={"status": status},
                headers={"Accept": "application/json"},
            )
        )

    @contextmanager
    def knobs(self, **wanted: Any) -> Iterator[None]:
        """Turn knobs, and turn them back afterwards."""
        before = self._asked(self._http.get("/sandbox/knobs"))["knobs"]
        self.turn(**wanted)
        try:
            yield
        finally:
            self.turn(**{name: before[name] for name in wanted})

    def turn(self, **knobs: Any) -> None:
        """Turn knobs for good."""
        self._asked(self._http.post("/sandbox/knobs", json=knobs))

    @contextmanager
    def keeping_pace(self, scale: float) -> Iterator[None]:
        """Divide the supplier's own window of calls by the time scale too: its clock is not ours to
        scale."""
        with self.knobs(rate_window=CALLS_IN_A_WINDOW_S / scale):
            yield

    def references_to(self, number: str) -> list[str]:
        """The supplier's orders for a number; numbers differ by how they are written."""
        tail = number[-9:]
        return [
            order["reference"]
            for order in self.state()["orders"]
            if order["beneficiary"][-9:] == tail
        ]

    def charges(self, references: Sequence[str]) -> list[dict[str, Any]]:
        """The lines of the charge file that took money for these references."""
        lines = [
            json.loads(line)
            for line in self.charge_file.read_text().splitlines()
            if line.endswith("}")
        ]
        return [
            line
            for line in lines
            if line["kind"] == "charge" and line["reference"] in references
        ]

    def charges_to(self, number: str) -> int:
        """How often money was taken for bundles to a number, under whatever reference."""
        return len(self.charges(self.references_to(number)))

    def webhooks_of(self, reference: str) -> list[dict[str, Any]]:
        """The sandbox's log of webhooks about one order."""
        return [
            line for line in self.state()["webhooks"] if line["reference"] == reference
        ]

    @staticmethod
    def _asked(answer: httpx.Response) -> dict[str, Any]:
        must(
            answer.status_code == 200,
            f"the sandbox's admin API answered {answer.status_code}: {answer.text[:200]}",
        )
        said: dict[str, Any] = answer.json()
        return said
