"""Lighthouse on the customer's pages: its four marks out of 100, by a pinned version.

    npm install --prefix FOLDER lighthouse@12.8.2
    .venv/bin/python -m benchmarks.lighthouse --lighthouse FOLDER/node_modules/.bin/lighthouse

The store page must reach 98 in all four; review and order page, which nobody is to find by a search
machine, in the other three. The review is the page of a browser of its own, with its cookies.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.proofs.stage import Stage
from tests.support import chromium
from tests.support.people import Customer
from tests.support.running import must

LEAST = 98
MARKS = ("performance", "accessibility", "best-practices", "seo")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking"
LONGEST_S = 180


def main() -> int:
    """Print the marks; 1 when one that counts is below `LEAST`."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lighthouse",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--lighthouse", type=Path, required=True, help="its program")
    asked = parser.parse_args()
    is_low = False
    with Stage(workers=1, web_workers=1) as stage:
        customer = Customer.of(stage.running, "ama")
        bundle = customer.shelf()[0]
        review = customer.post(
            "/orders", [("bundle", bundle.bundle_id), ("recipient", "024 123 4567")]
        ).location
        code = customer.order(bundle, "024 765 4321")
        for name, path in (
            ("store", "/"),
            ("store, Twi", "/tw/"),
            ("review", review),
            ("order", f"/orders/{code}"),
        ):
            marks = _marks(asked.lighthouse, customer, path)
            print(
                f"{name:10} "
                + ", ".join(f"{key} {mark}" for key, mark in marks.items())
            )
            counts = MARKS if name.startswith("store") else MARKS[:3]
            is_low |= min(marks[mark] for mark in counts) < LEAST
    return int(is_low)


def _marks(program: Path, customer: Customer, path: str) -> dict[str, int]:
    cookies = "; ".join(f"{key}={value}" for key, value in customer.cookies.items())
    with tempfile.TemporaryDirectory() as folder:
        report, extra = Path(folder) / "report.json", Path(folder) / "headers.json"
        extra.write_text(json.dumps({"Cookie": cookies}))
        words = [
            str(program), customer.url + path, "--quiet", "--output=json",
            f"--output-path={report}", f"--only-categories={','.join(MARKS)}",
            f"--extra-headers={extra}", f"--chrome-flags={FLAGS} --user-data-dir={folder}/chromium",
        ]  # fmt: skip
        done = subprocess.run(
            words,
            env={**os.environ, "CHROME_PATH": str(chromium.PROGRAM)},
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        must(done.returncode == 0, f"lighthouse: {done.stderr[-500:]}")
        found = json.loads(report.read_text())["categories"]
    return {mark: round(100 * found[mark]["score"]) for mark in MARKS}


if __name__ == "__main__":
    sys.exit(main())
