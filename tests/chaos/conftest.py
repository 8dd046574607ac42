"""A road to a purchase with a supplier of its own, for the tests that stop or freeze the worker on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_road import Road
from flask import Flask


@pytest.fixture
def road(app: Flask, tmp_path: Path, postgres: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    with app.app_context():
        made = Road(app, tmp_path, postgres["super"], monkeypatch)
        yield made
        made.close()
