"""Many orders, their lines, words and postings, by statements of their own, past triggers.

One store has two orders of a hundred, the others share the rest, one in six seconds. Each order has
two lines, one in five a name. Postings are made for the newest orders and for all of the one store.
Rows go in before the indexes, as in a restore: each is made anew at the end.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg

FIRST_ID = 1_000_000
OF_ONE_IN = 50
"""Every so manyth order is the one store's."""
WITH_POSTINGS = 1_000_000
"""So many of the newest orders have postings; older ones of the other stores have none."""
TABLES = ("orders", "order_events", "order_words", "postings", "entries")
STATE = (
    "CASE WHEN n < 500 AND n %% 5 = 0 THEN 'pending' WHEN n < 500 AND n %% 5 = 1 THEN 'processing'"
    " WHEN n %% 20 = 3 THEN 'refunded' WHEN n %% 20 = 10 THEN 'cancelled' ELSE 'completed' END"
)
"""What is open is among the newest five hundred, as it is with few orders too."""
GIVEN_BACK = {"given_back_by": "'Ama'", "given_back_how": "'momo'"}
NAMES = "(ARRAY['Ama','Kofi','Akosua','Yaw','Efua','Kwame','Abena','Kojo'])[1 + n %% 8]"
FAMILIES = "(ARRAY['Mensah','Owusu','Boateng','Asante','Addo'])[1 + n %% 5]"


def local_number(nr: int) -> str:
    """The recipient's number of the order that was placed as the so manyth from now."""
    return f"024{nr * 7919 % 9_999_991:07}"


def fill(superuser: psycopg.Connection[Any], code: str, many: int, shops: int) -> None:
    """Copies of the order `code`, `many` of them, in its store and in `shops` new ones."""
    superuser.execute("SET session_replication_role = replica")
    superuser.execute("SET maintenance_work_mem = '1GB'")
    _stores(superuser, shops)
    indexes = _without_indexes(superuser)
    for what in (_orders, _days, _events, _words, _postings):
        began = time.monotonic()
        what(superuser, code, many, shops)
        print(f"{what.__name__[1:]} in {time.monotonic() - began:.0f} s", flush=True)
    began = time.monotonic()
    for index in indexes:
        superuser.execute(index)  # type: ignore[call-overload]
    print(f"{len(indexes)} indexes in {time.monotonic() - began:.0f} s", flush=True)
    superuser.execute("UPDATE buying SET renewed_at = now() + interval '10 hours'")
    superuser.execute("VACUUM ANALYZE")


def _without_indexes(superuser: psycopg.Connection[Any]) -> list[str]:
    """Drop every index of the large tables that is no constraint. Returns how to make them."""
    found = superuser.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " WHERE i.indrelid = ANY (%s::text[]::regclass[])"
        " AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
        (list(TABLES),),
    ).fetchall()
    for name, _ in found:
        superuser.execute(f"DROP INDEX {name}")  # type: ignore[call-overload]
    return [made for _, made in found]


def _stores(superuser: psycopg.Connection[Any], shops: int) -> None:
    superuser.execute(
        "INSERT INTO stores (slug, name, colour, welcome, status, closed_note, auto_process,"
        " markup_bp, version, created_at) SELECT 's' || n, 'Shop ' || n, colour, '', 'open', '',"
        " false, markup_bp, 1, now() FROM stores, generate_series(1, %s) n WHERE slug = 'ama'",
        (shops,),
    )
    superuser.execute(
        "INSERT INTO accounts (store_id, name, balance_pesewas)"
        " SELECT s.id, a, 0 FROM stores s CROSS JOIN unnest('{wallet,held}'::text[]) a"
        " WHERE s.slug LIKE 's%' ON CONFLICT DO NOTHING"
    )


def _orders(
    superuser: psycopg.Connection[Any], code: str, many: int, shops: int
) -> None:
    moment = "now() - n * interval '6 seconds'"
    later = f"{moment} + interval '5 minutes'"
    other = {
        "id": f"{FIRST_ID} + {many} - n",
        "code": "upper(lpad(to_hex(n), 10, '0'))",
        "order_ref": "'MK-Z' || lpad(n::text, 16, '0')",
        "idempotency_key": "'s' || lpad(n::text, 30, '0')",
        "store_id": f"CASE WHEN n %% {OF_ONE_IN} = 0 THEN o.store_id ELSE s.first + n %% {shops} END",
        # a prime, so that neighbours in time are none in number
        "recipient_msisdn": "'+23324' || lpad((n::bigint * 7919 %% 9999991)::text, 7, '0')",
        "customer_name": f"CASE WHEN n %% 5 = 0 THEN {NAMES} || ' ' || {FAMILIES} ELSE '' END",
        "state": STATE,
        **dict.fromkeys(("created_at", "queued_at", "processing_at"), moment),
        "submitted_at": moment,
        "completed_at": f"CASE {STATE} WHEN 'completed' THEN {later} END",
        "final_at": f"CASE WHEN {STATE} NOT IN ('pending', 'processing') THEN {later} END",
        **{
            column: f"CASE WHEN n > 1000 AND {STATE} IN ('refunded', 'cancelled') THEN {value} END"
            for column, value in GIVEN_BACK.items()
        },
        "given_back_at": f"CASE WHEN n > 1000 AND {STATE} IN ('refunded', 'cancelled') THEN {later} END",
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


def _events(superuser: psycopg.Connection[Any], *_: object) -> None:
    superuser.execute(
        "INSERT INTO order_events (store_id, order_id, at, who, who_name, kind, text, customer_text)"
        " SELECT store_id, id, created_at, 'customer', '', kind, 'x', 'x'"
        " FROM orders, (VALUES ('placed'), ('completed')) k (kind) WHERE id > %s",
        (FIRST_ID - 1,),
    )


def _days(superuser: psycopg.Connection[Any], *_: object) -> None:
    superuser.execute(
        "INSERT INTO store_days (store_id, day, bundle_id, orders, sales_pesewas, cost_pesewas)"
        " SELECT store_id, (completed_at AT TIME ZONE 'Africa/Accra')::date, bundle_id, count(*),"
        " sum(price_pesewas), sum(agent_price_pesewas) FROM orders WHERE state = 'completed'"
        " AND completed_at IS NOT NULL AND id >= %(first)s GROUP BY 1, 2, 3 ON CONFLICT DO NOTHING",
        {"first": FIRST_ID},
    )


def _words(superuser: psycopg.Connection[Any], *_: object) -> None:
    superuser.execute(
        "INSERT INTO order_words (store_id, order_id, word)"
        " SELECT store_id, id, '#' || reverse(right(recipient_msisdn, 4)) FROM orders"
        " WHERE id >= %(first)s"
        " UNION ALL SELECT store_id, id, word FROM orders, makola_words_of_name(customer_name) word"
        " WHERE id >= %(first)s AND customer_name <> ''",
        {"first": FIRST_ID},
    )


def _postings(
    superuser: psycopg.Connection[Any], code: str, many: int, _shops: int
) -> None:
    """Each order's hold, charge and capture, after one funding of each store that can pay for
    all of them. The balance after each entry is left at zero."""
    superuser.execute(
        "INSERT INTO postings (store_id, kind, n, note, actor_name, at)"
        " SELECT id, 'fund_wallet', 1, 'x', 'Owner', now() - interval '10 years' FROM stores"
    )
    superuser.execute(
        "INSERT INTO postings (store_id, order_id, kind, n, note, actor_name, at)"
        " SELECT o.store_id, o.id, kind, 1, '', 'x', o.created_at"
        " FROM orders o CROSS JOIN unnest('{hold,commit,capture}'::text[]) WITH ORDINALITY k (kind, nr)"
        " WHERE o.id >= %(first)s AND (o.id >= %(first)s + %(many)s - %(newest)s"
        " OR o.store_id = (SELECT store_id FROM orders WHERE code = %(code)s))"
        " ORDER BY o.id, nr",
        {"first": FIRST_ID, "many": many, "newest": WITH_POSTINGS, "code": code},
    )
    superuser.execute(
        "INSERT INTO entries (posting_id, account_id, store_id, amount_pesewas, balance_pesewas)"
        " SELECT p.id, a.id, a.store_id, CASE l.share WHEN 'all' THEN 100000000"
        " WHEN 'price' THEN o.agent_price_pesewas WHEN 'cost' THEN o.cost_pesewas"
        " ELSE o.agent_price_pesewas - o.cost_pesewas END * l.sign, 0"
        " FROM postings p LEFT JOIN orders o ON o.id = p.order_id JOIN (VALUES"
        " ('fund_wallet', 'bank', 'all', 1), ('fund_wallet', 'wallet', 'all', -1),"
        " ('hold', 'wallet', 'price', 1), ('hold', 'held', 'price', -1),"
        " ('commit', 'in_flight', 'cost', 1), ('commit', 'supplier_float', 'cost', -1),"
        " ('capture', 'held', 'price', 1), ('capture', 'in_flight', 'cost', -1),"
        " ('capture', 'margin', 'margin', -1)) l (kind, account, share, sign) ON l.kind = p.kind"
        " JOIN accounts a ON a.name = l.account AND coalesce(a.store_id, 0) ="
        " CASE WHEN l.account IN ('wallet', 'held') THEN p.store_id ELSE 0 END"
        " WHERE p.note = 'x' OR o.id >= %s ORDER BY p.id",
        (FIRST_ID,),
    )
    superuser.execute(
        "UPDATE accounts a SET balance_pesewas = s.debits - s.credits, debits_pesewas = s.debits,"
        " credits_pesewas = s.credits FROM (SELECT account_id,"
        " coalesce(sum(amount_pesewas) FILTER (WHERE amount_pesewas > 0), 0) AS debits,"
        " coalesce(-sum(amount_pesewas) FILTER (WHERE amount_pesewas < 0), 0) AS credits"
        " FROM entries GROUP BY account_id) s WHERE s.account_id = a.id"
    )
