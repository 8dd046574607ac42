"""What must hold of online payments, as `rules.ROWS` has it: each account of theirs is the sum of
its open rows, and each row that moved money has its postings."""

from __future__ import annotations

from core.online.model import OPEN_PAYOUT
from core.online.standing import OWED
from core.orders.states import WORK

_UNDER_WAY = tuple(sorted(WORK))


def _of_store(account: str, open_rows: str) -> str:
    """Stores whose account is not what `open_rows` (store_id, pesewas) sum up to."""
    return f"""
        SELECT s.slug FROM stores s JOIN accounts a ON a.store_id = s.id AND a.name = '{account}' LEFT JOIN (
          SELECT store_id, sum(pesewas) AS pesewas FROM ({open_rows}) x GROUP BY store_id
        ) o ON o.store_id = s.id WHERE a.balance_pesewas <> -coalesce(o.pesewas, 0)
        """  # noqa: S608 - words of this room


ROWS: dict[str, tuple[str, str]] = {
    "customer_funds": (
        "Stores whose customers' money is not that of payments waiting to be used",
        _of_store(
            "customer_funds",
            """
            SELECT p.store_id, CASE WHEN p.pays_order_id IS NULL THEN p.charged_pesewas ELSE o.price_pesewas END
              AS pesewas FROM online_payments p LEFT JOIN orders o ON o.id = p.pays_order_id
            WHERE p.state = 'paid' AND p.funded_at IS NULL
              AND CASE WHEN p.pays_order_id IS NULL THEN p.owed_pesewas = 0
                ELSE o.state IN ('awaiting_payment', 'pending') END
            """,
        ),
    ),
    "earnings_pending": (
        "Stores whose earnings on the way are not the profits of their paid orders under way",
        _of_store(
            "earnings_pending",
            f"""
            SELECT store_id, price_pesewas - agent_price_pesewas AS pesewas FROM orders
            WHERE paid_online AND state IN {_UNDER_WAY}
            """,  # noqa: S608 - words of the state table
        ),
    ),
    "refund_due": (
        "Stores that owe customers something else than what is to go back of their payments",
        _of_store(
            "refund_due",
            f"SELECT store_id, greatest(0, owed - refunded - taken) AS pesewas FROM ({OWED}) d",  # noqa: S608
        ),
    ),
    "refund_due_of_payment": (
        "Payments of which the books owe something else than what is to go back of them",
        f"""
        SELECT d.id FROM ({OWED}) d LEFT JOIN (
          SELECT payment_id, sum(e.amount_pesewas) AS booked FROM (
            SELECT p.id AS payment_id, b.id AS posting_id FROM online_payments p
              JOIN postings b ON b.subject = 'payment:' || p.id
            UNION ALL SELECT p.id, b.id FROM online_payments p JOIN postings b ON b.order_id = p.pays_order_id
            UNION ALL SELECT r.payment_id, b.id FROM gateway_refunds r JOIN postings b ON b.subject = 'refund:' || r.id
            UNION ALL SELECT x.payment_id, b.id FROM disputes x JOIN postings b ON b.subject = 'dispute:' || x.id
          ) m JOIN entries e ON e.posting_id = m.posting_id
          JOIN accounts a ON a.id = e.account_id AND a.name = 'refund_due' GROUP BY payment_id
        ) b ON b.payment_id = d.id WHERE coalesce(-b.booked, 0) <> greatest(0, d.owed - d.refunded - d.taken)
        """,  # noqa: S608
    ),
    "payouts_open": (
        "Stores whose payouts on the way are not their open payouts with their fees",
        _of_store(
            "payouts_open",
            f"SELECT store_id, amount_pesewas + fee_pesewas AS pesewas FROM payouts WHERE state IN {OPEN_PAYOUT}",  # noqa: S608
        ),
    ),
    "payments_booked": (
        "Payments that are paid and not in the books, or the other way round",
        """
        SELECT p.id FROM online_payments p LEFT JOIN postings b ON b.subject = 'payment:' || p.id
          AND b.kind = CASE WHEN p.funded_at IS NULL THEN 'pay_in' ELSE 'fund_online' END
        WHERE (p.state = 'paid') <> (b.id IS NOT NULL)
        """,
    ),
    "fundings_taken_back": (
        "Fundings taken back whose wallet gave something else than what neither the store owes nor we bear",
        """
        SELECT p.id FROM online_payments p JOIN LATERAL (
          SELECT sum(taken_pesewas) AS taken, sum(owed_pesewas + borne_pesewas) AS ours FROM disputes d
          WHERE d.payment_id = p.id
        ) d ON d.taken IS NOT NULL
        LEFT JOIN LATERAL (
          SELECT coalesce(-sum(e.amount_pesewas) FILTER (WHERE a.name = 'gateway'), 0) AS taken,
            coalesce(sum(e.amount_pesewas) FILTER (WHERE a.name = 'dispute_loss'), 0) AS ours
          FROM postings b JOIN entries e ON e.posting_id = b.id JOIN accounts a ON a.id = e.account_id
          WHERE b.kind = 'loss_to_agent' AND b.subject = 'payment:' || p.id OR b.kind = 'fund_reversed'
            AND b.subject IN (SELECT 'dispute:' || x.id FROM disputes x WHERE x.payment_id = p.id)
        ) b ON p.funded_at IS NOT NULL
        WHERE CASE WHEN p.funded_at IS NULL THEN d.ours <> 0 ELSE (d.taken, d.ours) <> (b.taken, b.ours) END
        """,
    ),
    "refunds_booked": (
        "Refunds whose state is not what was booked for them",
        """
        SELECT r.id FROM gateway_refunds r WHERE (r.state IN ('done', 'returned'), r.state = 'returned') <>
          (EXISTS (SELECT FROM postings b WHERE b.subject = 'refund:' || r.id
             AND b.kind = CASE r.way WHEN 'transfer' THEN 'refund_by_transfer' ELSE 'refund_done' END),
           EXISTS (SELECT FROM postings b WHERE b.subject = 'refund:' || r.id AND b.kind = 'refund_returned'))
        """,
    ),
    "payouts_booked": (
        "Payouts whose state is not what was booked for them",
        """
        SELECT p.id FROM payouts p WHERE ARRAY(SELECT b.kind FROM postings b WHERE b.subject = 'payout:' || p.id
          ORDER BY b.id) <> CASE
          WHEN p.state = 'paid' THEN '{payout_requested,payout_paid}'::text[]
          WHEN p.state = 'reversed' THEN '{payout_requested,payout_paid,payout_reversed}'
          WHEN p.state IN ('failed', 'rejected', 'cancelled') THEN '{payout_requested,payout_returned}'
          ELSE '{payout_requested}' END
        """,
    ),
    "payments_taken_back": (
        "Payments of which the gateway took more than was paid",
        """
        SELECT p.id FROM online_payments p JOIN disputes d ON d.payment_id = p.id
        GROUP BY p.id HAVING sum(d.taken_pesewas) > coalesce(p.charged_pesewas, 0)
        """,
    ),
    "settlements_booked": (
        "Settlements of the gateway that are not booked as their row says",
        """
        SELECT s.gateway_id FROM gateway_settlements s LEFT JOIN postings b
          ON b.subject = 'settlement:' || s.id AND b.kind = 'settlement'
        LEFT JOIN entries e ON e.posting_id = b.id AND e.amount_pesewas > 0
        WHERE coalesce(e.amount_pesewas, 0) <> s.booked_pesewas
        """,
    ),
    "gateway_differences": (
        "Differences of settlements that are accepted and not in the books, or the other way round",
        """
        SELECT coalesce(s.gateway_id, b.subject, 'posting ' || b.id) FROM gateway_settlements s
        FULL JOIN (SELECT * FROM postings WHERE kind = 'gateway_difference') b ON b.subject = 'settlement:' || s.id
        LEFT JOIN entries e ON e.posting_id = b.id AND e.account_id =
          (SELECT id FROM accounts WHERE name = 'gateway' AND store_id IS NULL)
        WHERE s.id IS NULL OR coalesce(-e.amount_pesewas, 0) <> s.accepted_pesewas
        """,
    ),
    "paid_orders": (
        "Orders paid online that went on unpaid, or expired though they were paid",
        """
        SELECT substr(o.code, 1, 4) || '-' || substr(o.code, 5, 4) || '-' || substr(o.code, 9) FROM orders o
        LEFT JOIN online_payments p ON p.pays_order_id = o.id WHERE CASE
          WHEN p.id IS NOT NULL THEN NOT o.paid_online OR o.state IN ('awaiting_payment', 'expired')
          ELSE o.paid_online AND o.state NOT IN ('awaiting_payment', 'cancelled', 'expired') END
        """,
    ),
}
