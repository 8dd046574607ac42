"""The Chromium of browser tests: which one, and how it is started."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

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
    """The headless browser of this process. Raises `Failed` where there is none.

    It is started once and ends with the process: starting it and its driver takes longer than most
    of what is tried in it, and its driver allows no second one beside it. Each test opens a
    context of its own, which shares nothing.
    """
    must(PROGRAM, "no Chromium here: install one, e.g. `apt install chromium`")
    browser = _browser()
    yield browser
    for context in browser.contexts:
        context.close()


@cache
def _browser() -> Browser:
    driver = sync_playwright().start()
    atexit.register(driver.stop)
    return driver.chromium.launch(
        executable_path=PROGRAM, args=["--no-sandbox", "--disable-gpu"]
    )
