"""Pages of a store and of the console with many orders in the tables, and the plans behind them.

    .venv/bin/python -m benchmarks.scale --orders 400000 --stores 1000
    .venv/bin/python -m benchmarks.scale --orders 10000000 --stores 100000     half an hour, 20 GB

Fills a private PostgreSQL by statements of its own, past triggers: one store has two orders of a
hundred, the others share the rest, each order has two lines. Then it prints how long each page takes
by Flask's test client, and for each statement the indexes it goes by; a table read from end to end
is named as such. It makes no postings: wallets and statements are as long as a new store's.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import event

from benchmarks import plans
from core import catalog, orders, stores
from core.accounts import logins, users
from core.base import round_trip, tenancy
from core.base.config import Config
from core.base.db import db
from devkit import databases, servers, valkey_server
from tests import seed, tables_owner
from tests.visitors import Visitor
from wsgi import create_app

GROWS = {
    "console: orders": {"stores"},
    "console: a code": {"stores"},
    "console: overview": {"orders"},
}
"""What is known to be read from end to end: the choice of a store on the console's list of orders, and
the day's orders of all stores, which few orders altogether are most of."""
FIRST_ID = 1_000_000
ROUNDS = 20
OF_ONE_IN = 50
"""Every so manyth order is the one store's."""


@dataclass
class Asked:
    """A page, how long it took, and the statements it sent."""

    name: str
    ms: list[float] = field(default_factory=list)
    sent: dict[str, Any] = field(default_factory=dict)
    """Statement → its values."""


def main(words: Sequence[str] | None = None) -> int:
    """Print times and plans; 1 when a large table is read from end to end by a page that is not
    known for it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--orders", type=int, default=400_000)
    parser.add_argument("--stores", type=int, default=1_000)
    asked = parser.parse_args(words)
    with _application() as (app, superuser):
        code = _first_order(app)
        began = time.monotonic()
        _fill(superuser, code, asked.orders, asked.stores)
        print(f"filled in {time.monotonic() - began:.0f} s", flush=True)
        pages = list(_measured(app, code))
        grows = _print(pages, superuser)
    return int(grows)


@contextmanager
def _application() -> Iterator[tuple[Flask, psycopg.Connection[Any]]]:
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


def _first_order(app: Flask) -> str:
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


def _fill(superuser: psycopg.Connection[Any], code: str, many: int, shops: int) -> None:
    superuser.execute("SET session_replication_role = replica")
    superuser.execute(
        "INSERT INTO stores (slug, name, colour, welcome, status, closed_note, auto_process,"
        " markup_bp, version, created_at) SELECT 's' || n, 'Shop ' || n, colour, '', 'open', '',"
        " false, markup_bp, 1, now() FROM stores, generate_series(1, %s) n WHERE slug = 'ama'",
        (shops,),
    )
    moment = "now() - n * interval '6 seconds'"
    later = f"{moment} + interval '5 minutes'"
    other = {
        "id": f"{FIRST_ID} + {many} - n",
        "code": "upper(lpad(to_hex(n), 10, '0'))",
        "order_ref": "'MK-Z' || lpad(n::text, 16, '0')",
        "idempotency_key": "'s' || lpad(n::text, 30, '0')",
        "store_id": f"CASE WHEN n %% {OF_ONE_IN} = 0 THEN o.store_id ELSE s.first + n %% {shops} END",
        "recipient_msisdn": "'+23324' || lpad((n %% 9999999)::text, 7, '0')",
        "state": "'completed'",
        **dict.fromkeys(
            ("created_at", "queued_at", "submitted_at", "processing_at"), moment
        ),
        **dict.fromkeys(("completed_at", "final_at"), later),
        **dict.fromkeys(
            ("pay_code", "pending_since", "placed_device", "placed_address"), "NULL"
        ),
        "supplier_ref": "'SR' || n",
    }
    columns = [
        name
        for (name,) in superuser.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND"
            " table_name = 'orders' ORDER BY ordinal_position"
        )
    ]
    values = ", ".join(other.get(name, f"o.{name}") for name in columns)
    superuser.execute(
        f"INSERT INTO orders ({', '.join(columns)}) SELECT {values} FROM orders o,"  # type: ignore[call-overload]
        " (SELECT min(id) AS first FROM stores WHERE slug LIKE 's%%') s,"
        " generate_series(1, %s) n WHERE o.code = %s",
        (many, code),
    )
    superuser.execute(
        "INSERT INTO order_events (store_id, order_id, at, who, who_name, kind, text, customer_text)"
        " SELECT store_id, id, created_at, 'customer', '', kind, 'x', 'x'"
        " FROM orders, (VALUES ('placed'), ('completed')) k (kind) WHERE id > %s",
        (FIRST_ID,),
    )
    superuser.execute("UPDATE buying SET renewed_at = now() + interval '1 hour'")
    superuser.execute("VACUUM ANALYZE")


def _measured(app: Flask, code: str) -> Iterator[Asked]:
    agent = _logged_in(app, "ama@example.test", "portal", "ama")
    owner = _logged_in(app, "owner@example.test", "console", None)
    customer = Visitor(app, "ama")
    old = f"{OF_ONE_IN * 100:X}".zfill(10)
    for name, visitor, path in (
        ("store", customer, "/?bundle=1"),
        ("order", customer, f"/orders/{old}"),
        ("poll", customer, f"/orders/{code}/status"),
        ("portal: home", agent, "/"),
        ("portal: new", agent, "/orders"),
        ("portal: done", agent, "/orders?tab=done"),
        ("portal: order", agent, f"/orders/{old}"),
        ("portal: a code", agent, f"/orders?q={old}"),
        ("portal: wallet", agent, "/wallet"),
        ("console: overview", owner, "/"),
        ("console: orders", owner, "/orders"),
        ("console: a code", owner, f"/orders?q={old}"),
        ("console: store", owner, "/stores/ama"),
    ):
        page = Asked(name)
        with _heard(app, page):
            visitor.get(path)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            answer = visitor.get(path)
            page.ms.append((time.perf_counter() - began) * 1_000)
            if answer.status_code != 200:
                raise RuntimeError(f"{name}: {answer.status}")
        yield page


def _logged_in(app: Flask, email: str, door: Any, slug: str | None) -> Visitor:
    with app.app_context(), tenancy.across_stores():
        user = users.by_email(email)
        assert user is not None
        store = stores.by_slug(slug) if slug else None
        token = logins.start_login(user, door, store.id if store else None)
        db.session.remove()
    return Visitor(app, "portal" if door == "portal" else "admin", token)


@contextmanager
def _heard(app: Flask, page: Asked) -> Iterator[None]:
    """What a page sends, by the session and in round trips."""

    def hear(_c: Any, _k: Any, statement: str, values: Any, *_more: Any) -> None:
        page.sent.setdefault(statement, values)

    read = round_trip._send

    def send(connection: Any, store_id: int, asks: Any) -> Any:
        for one in asks:
            page.sent.setdefault(one.statement, one.values)
        return read(connection, store_id, asks)

    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "before_cursor_execute", hear)
    round_trip._send = send
    try:
        yield
    finally:
        round_trip._send = read
        for engine in engines:
            event.remove(engine, "before_cursor_execute", hear)


def _print(pages: list[Asked], superuser: psycopg.Connection[Any]) -> bool:
    grows = False
    for page in pages:
        page.ms.sort()
        p95 = page.ms[int(len(page.ms) * 0.95) - 1]
        print(
            f"{page.name:<18} p50 {statistics.median(page.ms):6.1f} ms  p95 {p95:6.1f} ms"
        )
        for statement, values in page.sent.items():
            if not statement.lstrip().upper().startswith("SELECT"):
                continue
            plan = superuser.execute(
                f"EXPLAIN (FORMAT JSON) {statement}",
                values or None,  # type: ignore[call-overload]
            ).fetchone()
            by, scanned = plans.walked(plan[0][0]["Plan"])
            grows |= bool(scanned - GROWS.get(page.name, set()))
            if by or scanned:
                whole = "".join(
                    f"; {table} FROM END TO END" for table in sorted(scanned)
                )
                print(
                    f"    {' '.join(statement.split())[:60]}… by {', '.join(sorted(by))}{whole}"
                )
    return grows


if __name__ == "__main__":
    sys.exit(main())
