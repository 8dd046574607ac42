"""The application on a private PostgreSQL of its own, with the seed of the tests and one order."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask

from core import catalog, orders, stores
from core.base import tenancy
from core.base.config import Config
from core.base.db import db
from devkit import databases, servers, valkey_server
from tests import seed, tables_owner
from wsgi import create_app


@contextmanager
def application() -> Iterator[tuple[Flask, psycopg.Connection[Any]]]:
    with tempfile.TemporaryDirectory(prefix="makola-scale-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's PostgreSQL runs as nobody, who must walk through
        postgres = servers.start_postgres(folder / "postgres", fsync=False)
        valkey = valkey_server.start_valkey(folder / "valkey")
        try:
            words = {
                f"{role}_password": secrets.token_hex(8)
                for role in ("owner", "store", "platform")
            }
            made = databases.prepare_database(postgres, "makola_scale", **words)
            urls = {
                "admin": made.admin_url,
                "app": made.platform_url,
                "store": made.store_url,
            }
            tables_owner.migrate(urls)
            app = create_app(
                Config(
                    database_url=made.platform_url,
                    database_store_url=made.store_url,
                    database_admin_url=made.admin_url,
                    redis_url=valkey.url,
                    secret_key=tables_owner.SECRET_KEY,
                    data_mart_api_url="http://127.0.0.1:9/api",
                    data_mart_api_key="none",
                    data_mart_api_secret="none",
                    webhook_token=seed.WEBHOOK_TOKEN,
                    public_scheme="http",
                    instance_dir=str(folder / "instance"),
                )
            )
            with app.app_context():
                seed.seed_base()
            super_url = postgres.superuser_url.rpartition("/")[0] + "/makola_scale"
            with psycopg.connect(super_url, autocommit=True) as superuser:
                yield app, superuser
            with app.app_context():
                for engine in db.engines.values():
                    engine.dispose()
        finally:
            valkey.stop()
            postgres.stop()


def first_order(app: Flask) -> str:
    """One order of ama's, of which the others are copies."""
    with app.app_context(), tenancy.across_stores():
        store = stores.by_slug("ama")
        assert store is not None
    with app.app_context(), tenancy.inside(store.id):
        return orders.place(
            bundle_id=catalog.shelf()[0].bundle_id,
            recipient_msisdn="+233241234567",
            idempotency_key=secrets.token_urlsafe(16),
        ).order.code
