"""How far tests and the demo have moved the clock of all processes.

Decides how often that is read. Whether it may be moved at all is a setting.
"""

from __future__ import annotations

import time

from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.base import db

CLOCK_LOCK_MS = 200
"""A locked table of settings must not hold up whoever asks for the time."""
CLOCK_FRESH_S = 0.2
"""A jump of the clock reaches every process within this."""


class ClockJumps:
    """How far the settings row `clock.offset_s`, `{"seconds": n}`, moves the clock; read every
    `CLOCK_FRESH_S`."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._offset_s = 0.0
        self._read_at = float("-inf")

    def seconds(self) -> float:
        if time.monotonic() - self._read_at > CLOCK_FRESH_S:
            self._read_at = time.monotonic()
            try:
                with self._app.app_context(), db.db.engine.connect() as connection:
                    connection.execute(
                        text(f"SET LOCAL lock_timeout = {CLOCK_LOCK_MS}")
                    )
                    found = connection.scalar(
                        text(
                            "SELECT value ->> 'seconds' FROM settings WHERE key = 'clock.offset_s'"
                        )
                    )
            except (
                DBAPIError
            ):  # no table yet, or the database is down: the clock stays where it was
                return self._offset_s
            self._offset_s = float(found or 0)
        return self._offset_s
