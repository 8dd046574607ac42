"""What must hold of what is kept beside the books, as `rules.ROWS` has it: requests for money that were
approved, and the sums of what stores earned.
"""

from __future__ import annotations

ROWS: dict[str, tuple[str, str]] = {
    "funded_as_asked": (
        "Approved requests for money whose posting is not a funding of that amount and store",
        """
        SELECT r.id FROM fund_requests r LEFT JOIN postings p ON p.id = r.posting_id AND p.kind = 'fund_wallet'
          AND p.store_id = r.store_id
        LEFT JOIN accounts a ON a.store_id = r.store_id AND a.name = 'wallet'
        LEFT JOIN entries e ON e.posting_id = p.id AND e.account_id = a.id
        WHERE r.decision = 'approved' AND e.amount_pesewas IS DISTINCT FROM -r.amount_pesewas
        """,
    ),
    "earned": (
        "Stores whose sums by day are not those of their delivered orders",
        """
        SELECT s.slug FROM (
          SELECT coalesce(o.store_id, d.store_id) AS store_id FROM (
            SELECT store_id, bundle_id, count(*) AS orders, sum(price_pesewas) AS sales, sum(agent_price_pesewas) AS cost
            FROM orders WHERE state = 'completed' AND completed_at IS NOT NULL AND NOT is_test GROUP BY 1, 2
          ) o FULL JOIN (
            SELECT store_id, bundle_id, sum(orders) AS orders, sum(sales_pesewas) AS sales, sum(cost_pesewas) AS cost
            FROM store_days GROUP BY 1, 2
          ) d ON d.store_id = o.store_id AND d.bundle_id = o.bundle_id
          WHERE (o.orders, o.sales, o.cost) IS DISTINCT FROM (d.orders, d.sales, d.cost) GROUP BY 1
        ) x JOIN stores s ON s.id = x.store_id
        """,
    ),
}
