"""Fixtures of the door's tests: a second application with other settings, and the address of
nothing."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from core import outbox
from core.base import clock
from core.base import config as settings
from core.base.config import Config
from core.base.db import db


@pytest.fixture
def door_app(app: Flask, config: Config) -> Iterator[Callable[..., Flask]]:
    """`door_app(form_bytes=10)`: another application on the same seeded tables. Puts the process
    back afterwards."""
    from wsgi import create_app

    made: list[Flask] = []
    ring = outbox.ring

    def make(**changes: Any) -> Flask:
        made.append(create_app(dataclasses.replace(config, **changes)))
        made[-1].testing = True
        outbox.ring = ring
        return made[-1]

    yield make
    for other in made:
        with other.app_context():
            for engine in db.engines.values():
                engine.dispose()
    settings.use(config)
    outbox.ring = ring
    clock.offset_source = None


@pytest.fixture(scope="module")
def doors() -> Iterator[dict[object, Flask]]:
    """The other applications of a file, by what their settings say otherwise."""
    made: dict[object, Flask] = {}
    yield made
    for other in made.values():
        with other.app_context():
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture
def door(
    app: Flask, config: Config, doors: dict[object, Flask]
) -> Iterator[Callable[..., Flask]]:
    """`door(proxy_hops=1)`: as `door_app`, but made once a file, for tests that leave nothing in
    it."""
    from wsgi import create_app

    ring = outbox.ring

    def opened(**changes: Any) -> Flask:
        changed, key = dataclasses.replace(config, **changes), tuple(changes.items())
        if key not in doors:
            doors[key] = create_app(changed)
            doors[key].testing = True
        settings.use(changed)
        outbox.ring = ring
        return doors[key]

    yield opened
    settings.use(config)
    outbox.ring = ring
    clock.offset_source = None


@pytest.fixture
def dead_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word, like a frozen server."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield int(server.getsockname()[1])
