"""Puts Makola together: settings, database, edge, rooms, supplier. Programs name it, no file does.

`flask --app wsgi web` serves it, `flask --app wsgi …` runs its other commands. Importing it
reads no environment and opens nothing.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

# Nothing that is read here is garbage: a process starts an eighth sooner when nobody looks.
COLLECTS = gc.isenabled()
gc.disable()

from click import ClickException
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import admin_console.commands
import agent_portal
import core.base.config
import edge
import http_server.cli
import storefront
from core import notices, outbox
from core.base import clear_text, clock, connections, db, poolers, rights
from core.base.config import Config, ConfigError
from core.orders import watching
from edge.hosts import Makola
from edge.limits import valkey
from edge.logs import log
from fulfilment import (
    gateway_hooks,
    payment_line,
    payout_approval,  # noqa: F401 - its address registers itself
    relay,
    webhooks,
)
from fulfilment.buying import call_log
from integrations.datamart.client import DataMart
from integrations.payments_port import Payments
from integrations.paystack.client import Paystack
from integrations.ports import Supplier
from integrations.push_port import Push
from integrations.webpush import WebPush
from integrations.webpush.command import push_key_command
from operations import cli
from operations.clock_jumps import ClockJumps

if COLLECTS:
    gc.enable()

ROOT = Path(__file__).resolve().parent

POOL, POOL_MORE = 5, 5
"""Connections that each role keeps open in a process once it needed them, and those it opens beyond
under load."""
CONNECT_S = 3
POOL_WAIT_S = 3
STATEMENT_MS, IDLE_MS, DEAD_LINE_MS = 15_000, 30_000, 20_000
ANSWER_S, PING_S = 20, 2
"""The longest wait for an answer of the database, after its own limit for a statement; and for a
sign of life."""
OURS_TO_SAY = {
    "search_path": "public",
    "local_preload_libraries": "",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": r"read\ committed",
    "row_security": "on",
    "client_encoding": "UTF8",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "idle_session_timeout": 0,
    "transaction_timeout": 0,
}
"""What each connection says of itself. A role may give itself other settings for ever, and no right
forbids that, but what a connection asks for comes before them: a statement that was smuggled in
once cannot stop the program with one."""


def create_app(
    config: Config | None = None, *, supplier: Supplier | None = None
) -> Flask:
    """The application, wired. `config` defaults to the environment, `supplier` to Data Mart as
    configured.

    Raises `ConfigError` naming everything missing or wrong, and `core.base.rights.WrongRights` when
    a role of the database may do more or less than it should, `core.base.poolers.Pooled` when an
    address leads to a pooler; a command says the same as one sentence. A database that is merely
    down is no reason not to start.
    """
    try:
        return _create_app(config or Config.from_environ(os.environ), supplier)
    except (ConfigError, rights.WrongRights, poolers.Pooled) as refusal:
        if not _is_command():
            raise
        raise ClickException(str(refusal)) from refusal


def _create_app(settings: Config, supplier: Supplier | None) -> Flask:
    core.base.config.use(settings)
    app = Makola(
        "makola",
        root_path=str(ROOT),
        instance_path=str(Path(settings.instance_dir).resolve()),
    )
    connect_database(app, settings)
    app.extensions["redis"] = valkey(settings.redis_url)
    edge.install(app, settings)
    say_cautions(settings)
    for blueprint in (
        storefront.bp,
        agent_portal.bp,
        admin_console.bp,
        webhooks.bp,
        gateway_hooks.bp,
    ):
        app.register_blueprint(blueprint)
    edge.finish(app, settings)
    cli.register(app)
    admin_console.commands.register(app)
    http_server.cli.register(app)
    app.cli.add_command(push_key_command)
    app.extensions["supplier"] = supplier or data_mart(settings)
    app.extensions["push"] = web_push(settings)
    app.extensions["payments"] = paystack(settings)
    outbox.ring, outbox.ring_payment = relay.ring, payment_line.ring
    watching.keep, watching.keep_look = relay.watch, relay.look
    return app


def connect_database(app: Flask, settings: Config) -> None:
    """Two pools per process, one for each role, with limits on every wait."""
    limits = {
        # On SSD; without it one large store makes the planner sort its whole history.
        "random_page_cost": "1.1",
        # Outside sessions; `tenancy` says it anew for each of their transactions.
        "lock_timeout": db.lock_limit_ms(),
        "statement_timeout": STATEMENT_MS,
        "idle_in_transaction_session_timeout": IDLE_MS,
        **OURS_TO_SAY,
    }
    options = {
        "pool_pre_ping": True,
        # the connection used last is the one that needs no sign of life and has every plan
        "pool_use_lifo": True,
        "pool_size": POOL,
        "max_overflow": POOL_MORE,
        "pool_timeout": POOL_WAIT_S,
        # A customer's number must not reach the log with a statement that failed.
        "hide_parameters": True,
        "connect_args": {
            "connect_timeout": CONNECT_S,
            "tcp_user_timeout": DEAD_LINE_MS,
            "application_name": "makola",
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        },
    }
    app.config["SQLALCHEMY_DATABASE_URI"] = psycopg_url(settings.database_url)
    # heard for the first address alone
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    app.config["SQLALCHEMY_BINDS"] = {
        db.STORE: {"url": psycopg_url(settings.database_store_url), **options}
    }
    db.db.init_app(app)
    with app.app_context():
        for engine in db.db.engines.values():
            connections.limit_waits(engine, answer_s=ANSWER_S, ping_s=PING_S)
    RoleGuard(app).install()
    clock.offset_source = ClockJumps(app).seconds if settings.clock_jumps else None


def say_cautions(settings: Config) -> None:
    """Log what the settings allow and a stranger on the network might read."""
    for caution in clear_text.cautions(
        databases={
            "DATABASE_URL": settings.database_url,
            "DATABASE_STORE_URL": settings.database_store_url,
        },
        redis_url=settings.redis_url,
        public_scheme=settings.public_scheme,
        base_domain=settings.base_domain,
    ):
        log.warning("settings", detail=caution)


def psycopg_url(url: str) -> str:
    """`postgresql://…` as SQLAlchemy wants it for psycopg 3."""
    return "postgresql+psycopg://" + url.partition("://")[2]


def data_mart(settings: Config) -> Supplier:
    return DataMart(
        settings.data_mart_api_url,
        settings.data_mart_api_key,
        settings.data_mart_api_secret,
        on_call=call_log.record,
        clock=clock.now,
        scale=clock.seconds,
        webhook_modes=settings.webhook_modes.split(),
        webhook_data_key=settings.webhook_data_key,
        webhook_body_secret=settings.webhook_body_secret,
        webhook_static_token=settings.webhook_static_token,
    )


def paystack(settings: Config) -> Payments | None:
    """Where online payments are taken; None without a key."""
    if not settings.paystack_secret_key:
        return None
    return Paystack(
        settings.paystack_secret_key,
        mode=settings.paystack_mode,
        previous_key=settings.paystack_previous_key,
        base_url=settings.paystack_api_url,
        on_call=call_log.record,
        clock=clock.now,
        scale=clock.seconds,
    )


def web_push(settings: Config) -> Push:
    """Push services ask for an address at which they find whoever sends."""
    contact = settings.security_contact
    if not contact.startswith(("mailto:", "https:")):
        contact = settings.address("portal")
    return WebPush(settings.push_key, contact, notices.devices.may_be_called, clock.now)


class RoleGuard:
    """Looks once whether each address leads to PostgreSQL itself, and each role may do what it
    should and no more; refuses everything until so.

    At start when the database answers; otherwise before the first request, so that a restart during
    an outage works.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._passed = _is_for_the_owner()

    def install(self) -> None:
        self._app.before_request(self.look)
        try:
            with self._app.app_context():
                self.look()
        except OperationalError as error:
            log.warning("database is down at start", detail=str(error.orig))
        finally:
            with self._app.app_context():
                for engine in db.db.engines.values():
                    # A server may fork after this; its children must not share a connection.
                    engine.dispose()

    def look(self) -> None:
        if not self._passed:
            poolers.refuse(db.db.engines[db.PLATFORM], "DATABASE_URL")
            poolers.refuse(db.db.engines[db.STORE], "DATABASE_STORE_URL")
            with db.db.engines[db.PLATFORM].connect() as connection:
                if connection.scalar(
                    text("SELECT to_regclass('public.alembic_version') IS NULL")
                ):
                    # An empty database, such as one that a backup is about to be brought into.
                    return
                rights.refuse_wrong(
                    connection, rights.PLATFORM, "platform", "DATABASE_URL"
                )
            with db.db.engines[db.STORE].connect() as connection:
                rights.refuse_wrong(
                    connection, rights.STORE, "store", "DATABASE_STORE_URL"
                )
                rights.refuse_stranger(connection)
            self._passed = True


def _is_for_the_owner() -> bool:
    """Whether this process is `flask db …`, `backup`, `restore` or `restore-check`, which work when
    the rights are not yet right."""
    return _is_command() and not {
        "db",
        "backup",
        "restore",
        "restore-check",
    }.isdisjoint(sys.argv)


def _is_command() -> bool:
    """Whether this process is `flask …` or `python -m flask …`, at which a person sits who reads
    what it ends with."""
    program = Path(sys.argv[0])
    return program.stem == "flask" or program.parts[-2:] == ("flask", "__main__.py")
