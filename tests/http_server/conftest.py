"""Fronts with limits of a test's own, and no socket left open behind it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from raw_wire import Served
from served import served_programs


@pytest.fixture
def start_server() -> Iterator[Callable[..., Served]]:
    with served_programs() as start:
        yield start


@pytest.fixture(autouse=True)
def no_sockets_left() -> Iterator[None]:
    """Closes what a test opened: an open socket is a warning, and warnings are errors."""
    made: list[socket.socket] = []
    Served.opened = made
    yield
    for one in made:
        one.close()
