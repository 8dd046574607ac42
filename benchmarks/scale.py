"""Pages of a store and of the console with many orders in the tables, beside the same with few, and
the plans behind them.

    .venv/bin/python -m benchmarks.scale --orders 400000 --stores 1000
    .venv/bin/python -m benchmarks.scale --orders 10000000 --stores 100000     an hour, 25 GB

Fills a private PostgreSQL (`scale_fill`) and prints how long each page takes by Flask's test client,
with how many times that of the small database it is. For each statement it says the indexes by which
the role that asks goes, under its policies, by a plan for any values: that is where a condition that
may leak loses its index. A large table read from end to end is named as such.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from flask import Flask
from sqlalchemy import event

from benchmarks import plans, scale_fill, scale_place
from core import stores
from core.accounts import logins, users
from core.base import round_trip, tenancy
from core.base.db import db
from tests.visitors import Visitor

GROWS: dict[str, set[str]] = {"console: books": {"accounts"}}
"""What is known to be read from end to end: the page that adds up all wallets is there to do so."""
FEW = (10_000, 10)
"""Orders and stores of the small database."""
LONGEST_S = 10.0
"""No page is asked for longer, after its fifth time."""


@dataclass
class Asked:
    """A page, how long it took, and the statements it sent."""

    name: str
    ms: list[float] = field(default_factory=list)
    sent: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """Statement → which role sent it, and the store it was in."""

    def quantiles(self) -> tuple[float, float]:
        """p50 and p95."""
        ms = sorted(self.ms)
        return statistics.median(ms), ms[int(len(ms) * 0.95) - 1]


def main(words: Sequence[str] | None = None) -> int:
    """Print times and plans; 1 when a large table is read from end to end by a page that is not
    known for it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--orders", type=int, default=400_000)
    parser.add_argument("--stores", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", nargs="*", default=[], help="pages that begin so")
    parser.add_argument("--keep", type=Path, help="write p50 and p95 here")
    parser.add_argument("--alone", action="store_true", help="no small database")
    asked = parser.parse_args(words)
    few = {} if asked.alone else _of_few(asked.rounds)
    with scale_place.application() as (app, superuser):
        code = scale_place.first_order(app)
        began = time.monotonic()
        scale_fill.fill(superuser, code, asked.orders, asked.stores)
        size = superuser.execute(
            "SELECT pg_size_pretty(pg_database_size(current_database()))"
        ).fetchone()
        print(f"filled in {time.monotonic() - began:.0f} s: {size[0]}", flush=True)  # type: ignore[index]
        pages = []
        grows = False
        for page in _measured(app, code, asked.rounds, tuple(asked.only)):
            pages.append(page)
            with app.app_context():
                grows |= _print(page, few, superuser)
    if asked.keep:
        kept = {page.name: page.quantiles() for page in pages}
        asked.keep.write_text(json.dumps(kept))
    return int(grows)


def _of_few(rounds: int) -> dict[str, list[float]]:
    """p50 and p95 of each page with few orders, in a process of its own."""
    with tempfile.NamedTemporaryFile(suffix=".json") as kept:
        orders_, stores_ = FEW
        words = ["--orders", str(orders_), "--stores", str(stores_), "--alone"]
        words += ["--rounds", str(rounds)]
        subprocess.run(
            [sys.executable, "-m", "benchmarks.scale", *words, "--keep", kept.name],
            check=False,  # small tables are rightly read whole
            stdout=subprocess.DEVNULL,
        )
        found: dict[str, list[float]] = json.loads(Path(kept.name).read_text())
        return found


def _measured(
    app: Flask, code: str, rounds: int, only: tuple[str, ...] = ()
) -> Iterator[Asked]:
    agent = _logged_in(app, "ama@example.test", "portal", "ama")
    owner = _logged_in(app, "owner@example.test", "console", None)
    customer = Visitor(app, "ama")
    nr = scale_fill.OF_ONE_IN * 100
    old = f"{nr:X}".zfill(10)
    number = scale_fill.local_number(nr)
    searches = {
        "a code": old,
        "a reference": f"MK-Z{nr:016}",
        "supplier's": f"SR{nr}",
        "a number": number,
        "last three": number[-3:],
        "last four": number[-4:],
        "last six": number[-6:],
        "beginning": number[:6],
        "network": number[:3],
        "a name": "efua",
        "begun name": "efu",
        "two names": "efua mensah",
        "name, digits": f"ama {number[-4:]}",
        "a middle": number[4:8],
        "nothing": "zzzz",
    }
    for name, visitor, path in (
        ("store", customer, "/?bundle=1"),
        ("order", customer, f"/orders/{old}"),
        ("poll", customer, f"/orders/{code}/status"),
        ("portal: home", agent, "/"),
        ("portal: new", agent, "/orders"),
        ("portal: done", agent, "/orders?tab=done"),
        ("portal: order", agent, f"/orders/{old}"),
        ("portal: wallet", agent, "/wallet"),
        ("portal: days of it", agent, "/wallet?from=2026-01-01&to=2030-01-01"),
        ("portal: fundings", agent, "/wallet?kind=fund_wallet"),
        ("portal: holds", agent, "/wallet?kind=hold&from=2026-01-01"),
        ("portal: earnings", agent, "/earnings"),
        ("portal: by month", agent, "/earnings?by=month"),
        ("portal: customers", agent, "/customers"),
        *(
            (f"portal: {what}", agent, f"/orders?q={quote(typed)}")
            for what, typed in searches.items()
        ),
        ("console: overview", owner, "/"),
        ("console: a week", owner, "/?hours=168"),
        ("console: orders", owner, "/orders"),
        ("console: of a store", owner, "/orders?store=ama"),
        ("console: order", owner, f"/orders/{old}"),
        ("console: store", owner, "/stores/ama"),
        ("console: funding", owner, "/funding"),
        ("console: stores", owner, "/stores"),
        ("console: stores by", owner, "/stores?q=shop+1"),
        ("console: cases", owner, "/cases"),
        ("console: audit", owner, "/audit"),
        ("console: books", owner, "/books"),
        *(
            (f"console: {what}", owner, f"/orders?q={quote(typed)}")
            for what, typed in searches.items()
        ),
    ):
        if only and not name.startswith(only):
            continue
        page = Asked(name)
        with _heard(app, page):
            visitor.get(path)
        since = time.perf_counter()
        for turn in range(rounds):
            began = time.perf_counter()
            if turn > 5 and began - since > LONGEST_S:
                break
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

    def hear(connection: Any, _k: Any, statement: str, *_more: Any) -> None:
        role = str(connection.engine.url.username)
        page.sent.setdefault(statement, (role, tenancy._scope.get().store_id))

    read = round_trip._send

    def send(connection: Any, store_id: int | None, asks: Any) -> Any:
        for one in asks:
            page.sent.setdefault(one.statement, (connection.info.user, store_id))
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


def _print(
    page: Asked,
    few: dict[str, list[float]],
    superuser: psycopg.Connection[Any],
) -> bool:
    """Whether the page reads a large table whole and is not known for it."""
    p50, p95 = page.quantiles()
    said = f"{page.name:<21} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms"
    if page.name in few:
        was = few[page.name]
        said += f"  with few {was[0]:6.1f} {was[1]:6.1f}  times {p50 / was[0]:.1f} {p95 / was[1]:.1f}"
    print(said, flush=True)
    grows = False
    for statement, (role, store_id) in page.sent.items():
        if not statement.lstrip().upper().startswith(("SELECT", "WITH")):
            continue
        superuser.execute(f"SET ROLE {role}")  # type: ignore[call-overload]
        told = tenancy.told(store_id)["store"]
        superuser.execute("SELECT set_config('makola.store', %s, false)", (told,))
        try:
            by, scanned = plans.walked(plans.for_any_values(superuser, statement))
        except RuntimeError as error:
            by, scanned = {f"unknown: {str(error).splitlines()[0]}"}, set()
        superuser.execute("RESET ROLE")
        grows |= bool(scanned - GROWS.get(page.name, set()))
        if by or scanned:
            whole = "".join(f"; {table} FROM END TO END" for table in sorted(scanned))
            words = " ".join(statement.split())[:60]
            print(f"    {words}… by {', '.join(sorted(by))}{whole}")
    return grows


if __name__ == "__main__":
    sys.exit(main())
