"""Two who save prices of one store at once: neither waits in a circle, and of a first price the
second press sees the first one's row."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from core import catalog
from core.audit import Actor
from core.catalog import Markup

AMA = Actor("agent", "Ama")
OWN = "SELECT id FROM store_bundles WHERE store_id = %s ORDER BY id"

ANEW = (
    "WITH gone AS (DELETE FROM store_bundles WHERE id = %s RETURNING *)"
    " INSERT INTO store_bundles SELECT * FROM gone"
)


@pytest.fixture
def held(superuser: psycopg.Connection[Any], postgres: dict[str, Any]) -> Any:
    """A session that holds rows until it is closed."""
    with psycopg.connect(postgres["super"]) as connection:
        yield connection


@pytest.fixture
def press(in_store: Callable[..., Any], superuser: Any) -> Any:
    """Do something in Ama's store beside the test; returns once it waits for a lock."""
    with ThreadPoolExecutor(4) as beside:
        waiting = 0

        def begin(deed: Callable[[], Any]) -> Future[Any]:
            nonlocal waiting
            waiting += 1
            begun = beside.submit(in_store, "ama", deed)
            until = time.monotonic() + 3
            asked = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
            while superuser.execute(asked).fetchone()[0] < waiting:
                assert time.monotonic() < until, "it waits for nobody"
                time.sleep(0.01)
            return begun

        yield begin


@pytest.mark.slow(seconds=2)
def test_one_who_saves_and_one_who_arranges_do_not_wait_in_a_circle(
    press: Any, held: Any, superuser: Any, in_store: Any
) -> None:
    lines = in_store("ama", catalog.arrangement)
    ama = superuser.execute("SELECT id FROM stores WHERE slug = 'ama'").fetchone()[0]
    [first, second, *_] = [row[0] for row in superuser.execute(OWN, (ama,)).fetchall()]
    # by id they come first, where they lie in the table last
    for one in (first, second):
        superuser.execute(ANEW, (one,))
    held.execute("SELECT FROM store_bundles WHERE id = %s FOR UPDATE", (second,))
    last = lines[-1]
    arranged = press(lambda: catalog.put(lines[3].bundle_id, 1, AMA))
    wanted = {last.bundle_id: (last.price_pesewas + 1, False)}
    saved = press(lambda: catalog.save_prices(wanted, AMA))
    held.rollback()
    assert arranged.result(10) and saved.result(10) == {}


@pytest.mark.parametrize("how", ["typed", "ruled"])
def test_a_first_price_pressed_twice_at_once_is_saved_once(
    press: Any, held: Any, superuser: Any, in_store: Any, how: str
) -> None:
    line = in_store("ama", catalog.shelf)[-1]
    one = "bundle_id = %s AND store_id = (SELECT id FROM stores WHERE slug = 'ama')"
    superuser.execute(f"DELETE FROM store_bundles WHERE {one}", (line.bundle_id,))
    markup = Markup(line.network, bp=1_000)
    shown = in_store("ama", lambda: catalog.mark(catalog.preview(markup)))

    def save() -> Any:
        if how == "ruled":
            return catalog.save_ruled(markup, shown, AMA)
        return catalog.save_prices({line.bundle_id: (line.price_pesewas, False)}, AMA)

    held.execute("SELECT FROM store_bundles FOR UPDATE")
    presses = [press(save) for _ in range(2)]
    held.rollback()
    for each in presses:
        each.result(10)
    moves = superuser.execute(
        f"SELECT count(*) FROM price_moves WHERE {one}", (line.bundle_id,)
    )
    assert moves.fetchone()[0] == 1
