"""What a page is judged by once it is whole: its width on the narrowest phone, and axe."""

from __future__ import annotations

from typing import Any

from tests.support import axe

NARROW = 320
WIDTH = "document.scrollingElement.scrollWidth"


def whole(page: Any) -> None:
    """Wait for the page: after a press the next one may be there and have no body yet."""
    page.wait_for_load_state("load")


def fits(page: Any) -> None:
    """At 320 px nothing runs off, and axe finds nothing wrong. The page keeps its size."""
    whole(page)
    before = page.viewport_size
    page.set_viewport_size({"width": NARROW, "height": 640})
    assert page.evaluate(WIDTH) <= NARROW, page.url
    assert axe.faults(page) == [], page.url
    page.set_viewport_size(before)
