"""What must hold in the books, each rule with the sentence people read when it does not.

The rules of product.md §3 asked of every row there is: the database and the state machine make them
true, this only looks. A rule gives the subjects that break it: ids of postings or entries, names of
accounts, codes of orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from core import ledger
from core.base import money
from core.base.db import db
from core.orders.states import WORK
from core.proof import kept, online

NAMED = 20
"""A finding names so many subjects; the rest are counted."""


@dataclass(frozen=True)
class Finding:
    """One rule that does not hold: the sentence, and the subjects it names."""

    rule: str
    sentence: str
    subjects: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "sentence": self.sentence,
            "subjects": list(self.subjects),
        }


_CODE = (
    "substr(o.code, 1, 4) || '-' || substr(o.code, 5, 4) || '-' || substr(o.code, 9)"
)
"""An order's code as people read it."""
_UNDER_WAY = f"({', '.join(repr(state) for state in sorted(WORK))})"
ROWS: dict[str, tuple[str, str]] = {
    "entries_without_posting": (
        "Entries whose posting is not there",
        (
            "SELECT e.id FROM entries e WHERE NOT EXISTS (SELECT FROM postings p WHERE p.id ="
            " e.posting_id)"
        ),
    ),
    "running_balance": (
        "Entries whose balance is not the one before plus their amount",
        """
        SELECT id FROM (
          SELECT id, balance_pesewas, amount_pesewas
            + lag(balance_pesewas, 1, 0::bigint) OVER (PARTITION BY account_id ORDER BY id) AS expected FROM entries
        ) e WHERE balance_pesewas <> expected
        """,
    ),
    "limit": (
        "Accounts beyond their limit",
        f"""
        SELECT name || coalesce(' of store ' || store_id, '') FROM accounts
        WHERE (name IN {ledger.NEVER_DEBIT} AND balance_pesewas > 0) OR (name = 'in_flight' AND balance_pesewas < 0)
        """,  # noqa: S608 - names of accounts
    ),
    "sums": (
        "Accounts whose sums of both sides are not those of their entries",
        """
        SELECT a.name || coalesce(' of store ' || a.store_id, '') FROM accounts a LEFT JOIN (
          SELECT account_id, sum(greatest(amount_pesewas, 0)) AS debits, sum(greatest(-amount_pesewas, 0)) AS credits
          FROM entries GROUP BY account_id
        ) e ON e.account_id = a.id
        WHERE a.debits_pesewas <> coalesce(e.debits, 0) OR a.credits_pesewas <> coalesce(e.credits, 0)
        """,
    ),
    "charges_alternate": (
        "Orders whose charges by the supplier and their ends do not take turns",
        f"""
        SELECT DISTINCT {_CODE} FROM orders o JOIN (
          SELECT order_id, kind = 'commit' AS charge,
            lag(kind = 'commit', 1, false) OVER (PARTITION BY order_id ORDER BY id) AS charge_before
          FROM postings WHERE kind IN ('commit', 'supplier_refund', 'write_off') AND order_id IS NOT NULL
        ) p ON p.order_id = o.id WHERE charge = charge_before
        """,  # noqa: S608 - from above
    ),
    "money_of_no_order": (
        "Postings of no order that move held money or money in flight",
        """
        SELECT DISTINCT p.id FROM accounts a JOIN entries e ON e.account_id = a.id
        JOIN postings p ON p.id = e.posting_id WHERE a.name IN ('held', 'in_flight') AND p.order_id IS NULL
        """,
    ),
    "taken_back": (
        "Stores from which more was taken back than was funded",
        """
        SELECT s.slug FROM stores s JOIN (
          SELECT p.store_id, sum(e.amount_pesewas) AS out FROM postings p JOIN entries e ON e.posting_id = p.id
          JOIN accounts a ON a.id = e.account_id AND a.name = 'wallet'
          WHERE p.kind IN ('fund_wallet', 'take_back', 'fund_online', 'fund_reversed') GROUP BY p.store_id
        ) w ON w.store_id = s.id WHERE w.out > 0
        """,
    ),
    "rounding": (
        (
            "Roundings that are larger than a fraction of a pesewa for each of many purchases, or"
            " move other accounts"
        ),
        f"""
        SELECT DISTINCT p.id FROM postings p JOIN entries e ON e.posting_id = p.id
        JOIN accounts a ON a.id = e.account_id WHERE p.kind = 'rounding'
        AND (abs(e.amount_pesewas) > {ledger.MOST_ROUNDING_PESEWAS} OR a.name NOT IN ('supplier_float', 'price_variance'))
        """,  # noqa: S608 - from above
    ),
    "people": (
        "People or memberships that are not as the audit says",
        "SELECT * FROM makola_people_off() AS subject",
    ),
    "test_without_money": (
        "Test orders that moved money, or are named by a call to the supplier or a payment",
        f"""
        SELECT {_CODE} FROM orders o WHERE o.is_test AND (
          EXISTS (SELECT FROM postings p WHERE p.order_id = o.id) OR o.charged_pesewas IS NOT NULL
          OR EXISTS (SELECT FROM supplier_calls c WHERE c.order_refs @> ARRAY[o.order_ref])
          OR EXISTS (SELECT FROM payment_messages m WHERE m.order_id = o.id))
        """,  # noqa: S608 - from above
    ),
    "held_of_store": (
        "Stores whose held money is not the agent price of their orders under way",
        f"""
        SELECT s.slug FROM stores s JOIN accounts a ON a.store_id = s.id AND a.name = 'held' LEFT JOIN (
          SELECT store_id, sum(agent_price_pesewas) AS price FROM orders WHERE state IN {_UNDER_WAY} AND NOT is_test
          GROUP BY store_id
        ) o ON o.store_id = s.id WHERE a.balance_pesewas <> -coalesce(o.price, 0)
        """,  # noqa: S608 - words of the state table
    ),
    **kept.ROWS,
    **online.ROWS,
}
"""Rule → what its subjects are, and the query that finds them."""

# One pass over the orders with all their legs. `open` charges: taken by the supplier, and neither
# given back nor written off. A capture pays the open one, so that it is in flight no more.
_ORDERS = f"""
WITH one AS (
  SELECT p.order_id, p.id, p.kind,
    coalesce(sum(e.amount_pesewas) FILTER (WHERE e.account_id = ANY (SELECT id FROM accounts WHERE name = 'held')), 0)
      AS held,
    coalesce(sum(e.amount_pesewas) FILTER (WHERE e.account_id = (SELECT id FROM accounts WHERE name = 'in_flight')), 0)
      AS in_flight
  FROM postings p LEFT JOIN entries e ON e.posting_id = p.id
  WHERE p.order_id IS NOT NULL GROUP BY p.id
), money AS (
  SELECT order_id, sum(held) AS held, sum(in_flight) AS in_flight, count(*) AS postings,
    count(*) FILTER (WHERE kind = 'hold') AS holds,
    count(*) FILTER (WHERE kind = 'capture') AS captures,
    count(*) FILTER (WHERE kind = 'release') AS releases,
    count(*) FILTER (WHERE kind = 'commit') AS commits,
    count(*) FILTER (WHERE kind = 'commit') - count(*) FILTER (WHERE kind IN ('supplier_refund', 'write_off')) AS open,
    (array_agg(in_flight ORDER BY id DESC) FILTER (WHERE kind = 'commit'))[1] AS last_charge
  FROM one GROUP BY order_id
), asked AS (
  SELECT {_CODE} AS code, o.state, o.agent_price_pesewas AS price, o.state IN {_UNDER_WAY} AS under_way,
    coalesce(m.holds, 0) AS holds, coalesce(m.captures, 0) AS captures, coalesce(m.releases, 0) AS releases,
    coalesce(m.commits, 0) AS commits, coalesce(m.open, 0) AS open, coalesce(m.postings, 0) AS postings,
    coalesce(m.held, 0) AS held, coalesce(m.in_flight, 0) AS in_flight,
    CASE WHEN m.open = 1 AND m.captures = 0 THEN m.last_charge ELSE 0 END AS due_in_flight
  FROM orders o LEFT JOIN money m ON m.order_id = o.id WHERE NOT o.is_test
)
"""  # noqa: S608 - words of the state table
ORDERS: dict[str, tuple[str, str]] = {
    "completed": (
        "Completed orders without exactly one hold and one capture",
        "state = 'completed' AND (holds, captures, releases) <> (1, 1, 0)",
    ),
    "refunded": (
        "Refunded orders without exactly one hold and one release",
        "state = 'refunded' AND (holds, captures, releases) <> (1, 0, 1)",
    ),
    "under_way": (
        "Orders under way without exactly one hold, or settled already",
        "under_way AND (holds, captures, releases) <> (1, 0, 0)",
    ),
    "cancelled": (
        "Cancelled orders whose hold was not given back, or that the supplier was paid for",
        "state = 'cancelled' AND (holds > 1 OR releases <> holds OR captures > 0 OR commits > 0)",
    ),
    "not_released": (
        "Orders nobody has processed that moved money",
        "state IN ('awaiting_payment', 'pending', 'expired') AND postings > 0",
    ),
    "open_charges": (
        "Orders whose state does not fit what the supplier has taken for them",
        """
        open NOT IN (0, 1) OR (state IN ('processing', 'completed') AND open <> 1)
        OR (state IN ('queued', 'submitting') AND commits > 0)
        """,
    ),
    "held_of_order": (
        "Orders that do not hold their agent price while under way, and nothing after",
        "held <> CASE WHEN under_way THEN -price ELSE 0 END",
    ),
    "in_flight_of_order": (
        "Orders whose money in flight is not their open charge",
        "in_flight <> due_in_flight",
    ),
}
"""Rule → what its subjects are, and the condition that an order breaking it meets."""


def broken() -> tuple[ledger.Books, list[Finding]]:
    """Ask every rule of every row this snapshot shows. Returns the figures of the books and what
    does not hold."""
    books = ledger.books()
    found = _of_books(books)
    for rule, (what, query) in ROWS.items():
        rows = db.session.execute(
            text(
                f"SELECT subject::text, count(*) OVER () FROM ({query}) x(subject) ORDER BY 1 LIMIT"  # noqa: S608 - both from above
                f" {NAMED}"
            )
        ).all()
        if rows:
            found.append(
                finding(rule, what, [subject for subject, _ in rows], rows[0][1])
            )
    return books, found + _of_orders()


def finding(
    rule: str,
    what: str,
    subjects: Sequence[str],
    count: int | None = None,
) -> Finding:
    """`Completed orders without …: A, B and 3 more.`"""
    more = (
        f" and {count - len(subjects)} more"
        if count is not None and count > len(subjects)
        else ""
    )
    return Finding(rule, f"{what}: {', '.join(subjects)}{more}.", tuple(subjects))


def _of_books(books: ledger.Books) -> list[Finding]:
    found = []
    if books.total_pesewas:
        found.append(
            Finding(
                "total",
                f"All entries sum to {money.cedis(books.total_pesewas)}, not to zero.",
                (),
            )
        )
    if books.unbalanced:
        found.append(
            finding(
                "posting_sum",
                "Postings that do not sum to zero",
                [str(id_) for id_ in books.unbalanced],
            )
        )
    if books.drifted:
        found.append(
            finding(
                "balance",
                "Balances that are not the sum of their entries",
                books.drifted,
            )
        )
    return found


def _of_orders() -> list[Finding]:
    rules = ", ".join(
        f"('{rule}', {condition})" for rule, (_, condition) in ORDERS.items()
    )
    rows = db.session.execute(
        text(
            f"{_ORDERS} SELECT rule, code, count FROM (SELECT rule, code, count(*) OVER (PARTITION BY rule) AS count, "  # noqa: S608 - all from above
            "row_number() OVER (PARTITION BY rule ORDER BY code) AS place "
            f"FROM asked CROSS JOIN LATERAL (VALUES {rules}) AS asking(rule, broken) WHERE"
            " broken) x "
            f"WHERE place <= {NAMED} ORDER BY rule, code"
        )
    ).all()
    named: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for rule, code, count in rows:
        named.setdefault(rule, []).append(code)
        counts[rule] = count
    return [
        finding(rule, ORDERS[rule][0], named[rule], counts[rule])
        for rule in ORDERS
        if rule in named
    ]
