"""Runs migrations as the owner of the tables, then gives each role of the application what it may
do, and no more."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

from alembic import context
from sqlalchemy import create_engine, pool, text

from core import (  # noqa: F401 - tables
    audit,
    cases,
    catalog,
    ledger,
    onboarding,
    orders,
    outbox,
    proof,
)
from core.accounts import (  # noqa: F401 - tables
    devices,
    guessing,
    logins,
    resets,
    users,
)
from core.base import (  # noqa: F401 - tables  # noqa: F401 - tables  # noqa: F401 - tables
    config,
    database_identity,
    heartbeats,
)
from core.base.db import Model
from core.base.rights import Roles
from core.supplier import (  # noqa: F401 - tables
    records,
    supply,
)
from migrations import granting


def _driver(url: str) -> str:
    return re.sub(r"^postgresql(\+psycopg)?://", "postgresql+psycopg://", url)


def _told(name: str, variable: str) -> str:
    """What the caller said, or else the program that runs this, or else the environment."""
    try:
        of_program = str(getattr(config.current(), name))
    except RuntimeError:
        of_program = ""
    return (
        context.config.attributes.get(name)
        or of_program
        or os.environ.get(variable, "")
    )


def _roles() -> Roles | None:
    """The roles of the application; None when only the owner's address is known, as for a look at
    the tables."""
    store, platform = (
        unquote(urlsplit(_told(*names)).username or "")
        for names in (
            ("database_store_url", "DATABASE_STORE_URL"),
            ("database_url", "DATABASE_URL"),
        )
    )
    return Roles(store, platform) if store and platform else None


def _secret_keys() -> list[str]:
    """The program's key, and those it still accepts."""
    of_caller = context.config.attributes
    before = (
        of_caller.get("secret_key_fallbacks", "")
        if "secret_key" in of_caller
        else _told("secret_key_fallbacks", "MAKOLA_SECRET_KEY_FALLBACKS")
    )
    return [
        _told("secret_key", "MAKOLA_SECRET_KEY"),
        *filter(None, re.split(r"[\s,]+", before)),
    ]


def run() -> None:
    url = (
        _told("database_admin_url", "DATABASE_ADMIN_URL") or os.environ["DATABASE_URL"]
    )
    engine = create_engine(_driver(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '10s'"))
        connection.commit()
        context.configure(
            connection=connection, target_metadata=Model.metadata, compare_type=True
        )
        with context.begin_transaction():
            made_now = not connection.execute(
                text("SELECT to_regclass('public.alembic_version')")
            ).scalar_one()
            context.run_migrations()
            roles = _roles()
            # the list of rights is about the newest tables
            newest = set(context.script.get_heads())
            if roles and set(context.get_context().get_current_heads()) == newest:
                granting.run(connection, roles, _secret_keys())
            if (
                made_now
                and connection.execute(
                    text("SELECT to_regclass('public.settings') IS NOT NULL")
                ).scalar_one()
            ):
                database_identity.remember(
                    connection
                    # never for tables that were there already: they may be a restored backup
                )
    engine.dispose()


run()
