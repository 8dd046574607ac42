"""No process hands an open connection of the database to its children: they would read each other's
rows.

Row 51 of docs/faults.md. A web server may fork after `create_app`; a worker starts with a pool of
its own.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flask import Flask

from core.base import config
from core.base.config import Config
from core.base.db import db
from operations import worker


def sockets_to(port: int) -> int:
    """How many open sockets this process has to a port of this machine."""
    mine = {
        os.readlink(f"/proc/self/fd/{name}")
        for name in os.listdir("/proc/self/fd")
        if exists(name)
    }
    wanted = f":{port:04X}"
    lines = [
        line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
    ]
    return sum(
        line[2].endswith(wanted) and f"socket:[{line[9]}]" in mine for line in lines
    )


def exists(name: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{name}")


def test_a_server_may_fork_after_the_application_is_made(
    app: Flask, config: Config
) -> None:
    from wsgi import create_app

    port = int(config.database_url.rpartition(":")[2].partition("/")[0])
    before = sockets_to(port)
    second = create_app(config)
    try:
        # those of tests before may have been dropped meanwhile
        assert sockets_to(port) <= before
        before = sockets_to(port)
        with second.app_context():
            assert db.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
            with db.engine.connect():
                assert sockets_to(port) == before + 1  # so the counting counts
    finally:
        with second.app_context():
            db.engine.dispose()


def test_a_worker_begins_with_nothing_opened_before_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    disposed: list[bool] = []
    with app.app_context():
        with db.engine.connect():
            pass
        assert db.engine.pool.checkedin() > 0  # type: ignore[attr-defined]

        class Seen(Exception):
            pass

        def look(*_words: object, **_settings: object) -> None:
            disposed.append(db.engine.pool.checkedin() == 0)  # type: ignore[attr-defined]
            raise Seen

        monkeypatch.setattr(worker, "MarkedWorker", look)
        with pytest.raises(Seen):
            worker.run(app, config.current().redis_url)
    assert disposed == [True]
