"""The Chromium of browser tests: which one, and how it is started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from devkit import test
from tests.support.running import must

PROGRAM = test.chromium(os.environ)
"""Its path, or None: browser tests are left out then."""
NEEDED = pytest.mark.skipif(
    PROGRAM is None,
    reason="no Chromium on this machine: browser tests are left out",
)


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser. Raises `Failed` where there is none. Left open longer than a file of
    tests, its driver would refuse the others theirs."""
    must(PROGRAM, "no Chromium here: install one, e.g. `apt install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()
