"""`flask --app wsgi db …`, the commands of Flask-Migrate, read when one of them is asked for.

Alembic takes an eighth of the time in which a process starts, and web, workers and relay never need
it.
"""

from __future__ import annotations

import logging
from typing import Any

import click
from flask import Flask

from core.base.db import db


class SchemaCommands(click.Command):
    """Stands for the group `db` until it is used."""

    def __init__(self, app: Flask, migrations: str) -> None:
        super().__init__(
            "db", help="Bring the tables to this version, and look at theirs."
        )
        self._app, self._migrations = app, migrations

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        # it names each of its parts as it is read
        logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
        from flask_migrate import Migrate

        Migrate(self._app, db, directory=self._migrations)
        return self._app.cli.commands["db"].make_context(
            info_name, args, parent, **extra
        )
