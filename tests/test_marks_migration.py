"""The migration of marks on orders, on tables with rows in it, and the way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0025"


@pytest.mark.slow(seconds=0.6)
def test_orders_that_are_there_have_no_marks_and_a_note_is_forgotten(
    postgres: dict[str, str],
) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            # what granting.py makes policies for, and nobody has granted here
            session.execute("ALTER TABLE order_words NO FORCE ROW LEVEL SECURITY")
        fill(url)
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            marks = "SELECT aside, note, taken_by, taken_at FROM orders"
            assert session.execute(marks).fetchall() == [(None,) * 4] * 3
            session.execute("UPDATE orders SET note = 'call 024 123 4567'")
            session.execute("SELECT set_config('makola.scope', 'all', false)")
            session.execute("SELECT makola_mask_orders(ARRAY[1, 2, 3])")
            left = "SELECT note IS NULL, strpos(recipient_msisdn, 'x') > 0 FROM orders"
            found = session.execute(left).fetchall()
            assert all(gone == masked for gone, masked in found)
            assert any(masked for _, masked in found)
        command.downgrade(alembic, "-1")
        command.upgrade(alembic, REVISION)
