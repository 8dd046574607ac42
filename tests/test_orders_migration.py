"""The migration that lets orders end, on tables with rows in it, and the way back (faults S13,
S21)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config as AlembicConfig

from tests.support.old_tables import NUMBER, before, fill

ROOT = Path(__file__).parents[1]
REVISION = "0006"


@pytest.fixture
def old(postgres: dict[str, str]) -> Iterator[tuple[AlembicConfig, str]]:
    with before(REVISION, postgres) as made:
        yield made


@pytest.mark.slow(seconds=0.6)
def test_it_masks_what_is_there_keeps_the_walls_and_can_be_taken_back(
    old: tuple[AlembicConfig, str],
) -> None:
    alembic, url = old
    fill(url)
    command.upgrade(alembic, REVISION)
    with psycopg.connect(url, autocommit=True) as session:
        texts = session.execute(
            "SELECT e.text, e.detail::text, c.evidence::text, o.failure_reason, o.recipient_msisdn"
            " FROM order_events e JOIN cases c ON c.order_id = e.order_id JOIN orders o ON o.id ="
            " e.order_id"
        ).fetchone()
        assert texts is not None
        assert all("024•••4567" in text for text in texts[:4])
        assert not any("241234567" in text for text in texts[:4])
        assert texts[4] == NUMBER
        since = session.execute(
            "SELECT id, pending_since = created_at FROM orders ORDER BY id"
        ).fetchall()
        assert since == [(1, True), (2, None), (3, None)]
        forced = session.execute(
            "SELECT bool_and(relforcerowsecurity) FROM pg_class WHERE relname IN ('orders',"
            " 'cases', 'order_events')"
        ).fetchone()
        assert forced == (True,)
        with pytest.raises(psycopg.errors.RestrictViolation):
            session.execute("UPDATE order_events SET text = ''")
        assert session.execute(
            "SELECT makola_mask_orders(ARRAY[1, 2, 3])"
        ).fetchone() == (0,), "under row-level security"
        session.execute("SELECT set_config('makola.scope', 'all', false)")
        assert session.execute(
            "SELECT makola_mask_orders(ARRAY[1, 2, 3])"
        ).fetchone() == (1,)
        masked = session.execute(
            "SELECT recipient_msisdn FROM orders ORDER BY id"
        ).fetchall()
        assert masked == [(NUMBER,), (NUMBER,), ("+23324xxx4567",)]
    command.downgrade(alembic, "-1")
    command.upgrade(alembic, REVISION)
