"""The migration of online payments on tables with money in them: every store gets the new accounts,
what was held stays, orders and stores are not switched; and the way back until money came in."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0033"
ACCOUNTS = "SELECT name, balance_pesewas FROM accounts WHERE store_id = 1 ORDER BY name"
BOOKED = (
    "INSERT INTO accounts (store_id, name, balance_pesewas) VALUES (1, 'wallet', -90), (1, 'held', -410)",
    (
        "INSERT INTO postings (id, store_id, order_id, kind, n, note, actor_name, at)"
        " VALUES (1, 1, 2, 'hold', 1, '', 'Ama', now())"
    ),
)
PAYOUT = (
    "INSERT INTO payouts (store_id, reference, amount_pesewas, fee_pesewas, way, account, account_name,"
    " requested_by, requested_at) VALUES (1, 'mk-w-0000000000000001', 1, 0, 'momo', '1', 'x', 'x', now())"
)


@pytest.mark.slow(seconds=1)
def test_books_of_before_get_the_accounts_of_online_payments(
    postgres: dict[str, str],
) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            for table in ("order_words", "store_days", "customers"):
                # what granting.py makes policies for, and nobody has granted here
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            for statement in BOOKED:
                session.execute(statement)
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            assert session.execute(ACCOUNTS).fetchall() == [
                ("customer_funds", 0),
                ("earnings", 0),
                ("earnings_pending", 0),
                ("held", -410),
                ("payouts_open", 0),
                ("refund_due", 0),
                ("wallet", -90),
            ]
            assert session.execute(
                "SELECT (SELECT bool_or(paid_online) FROM orders), (SELECT bool_or(pay_online) FROM"
                " stores), (SELECT max(subject) FROM postings), (SELECT count(*) FROM accounts"
                " WHERE store_id IS NULL AND name IN ('gateway', 'gateway_fees', 'dispute_loss'))"
            ).fetchone() == (False, False, None, 3)
        command.downgrade(alembic, "-1")
        with psycopg.connect(url, autocommit=True) as session:
            assert session.execute(ACCOUNTS).fetchall() == [
                ("held", -410),
                ("wallet", -90),
            ]
        # granted, so that its owner sees the rows
        command.upgrade(alembic, "head")
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("ALTER TABLE payouts NO FORCE ROW LEVEL SECURITY")
            session.execute(PAYOUT)
        with pytest.raises(RuntimeError, match="older code does not know"):
            command.downgrade(alembic, "0032")
