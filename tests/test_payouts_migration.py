"""The migration of payouts on tables of before: what was paid out stays, and the way back until
then."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before

REVISION = "0035"
STORE = (
    "INSERT INTO stores (id, slug, name, colour, welcome, status, closed_note, auto_process, markup_bp,"
    " version, created_at) VALUES (1, 'ama', 'Ama', '#000000', '', 'open', '', false, 0, 1, now())"
)
PAYOUT = (
    "INSERT INTO payouts (store_id, reference, amount_pesewas, fee_pesewas, way, account, account_name,"
    " requested_by, requested_at) VALUES (1, 'mk-w-0000000000000001', 1, 0, 'momo', '1', 'x', 'x', now())"
)


@pytest.mark.slow(seconds=1)
def test_a_payout_of_before_stays_and_there_is_a_way_back_without_one(
    postgres: dict[str, str],
) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(STORE)
        command.upgrade(alembic, REVISION)
        command.downgrade(alembic, "-1")
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(PAYOUT)
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute(
                "SELECT asked_as, payable_pesewas, needs_two, account_id FROM payouts"
            ).fetchall()
            assert found == [("now", 0, False, None)]
            # what granting.py makes policies for, and nobody has granted here
            session.execute("ALTER TABLE payouts NO FORCE ROW LEVEL SECURITY")
        with pytest.raises(RuntimeError, match="does not know who approved"):
            command.downgrade(alembic, "-1")
