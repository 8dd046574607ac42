"""Other settings than those the tests run by, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

from core.base import config
from core.base.config import Config


@contextmanager
def using(**changes: Any) -> Iterator[Config]:
    """The settings with these `changes`, inside; those from before, afterwards."""
    before = config.current()
    changed = replace(before, **changes)
    config.use(changed)
    try:
        yield changed
    finally:
        config.use(before)


class Using(Protocol):
    """The fixture of that name: `using` until the test is over."""

    def __call__(self, **changes: Any) -> Config: ...
