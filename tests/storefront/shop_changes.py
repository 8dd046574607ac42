"""Everything after which a shop's front page says something else."""

from __future__ import annotations

CHANGES = {
    "price": "UPDATE store_bundles SET price_pesewas = price_pesewas + 100",
    "one hidden": (
        "UPDATE store_bundles SET hidden = true WHERE bundle_id IN"
        " (SELECT bundle_id FROM store_bundles LIMIT 1)"
    ),
    "one recommended": (
        "UPDATE store_bundles SET featured = true WHERE bundle_id IN"
        " (SELECT max(id) FROM bundles WHERE network = 'mtn')"
    ),
    "one put first": (
        "UPDATE store_bundles SET place = 1 WHERE bundle_id IN"
        " (SELECT id FROM bundles WHERE network = 'mtn' ORDER BY mb DESC LIMIT 1)"
    ),
    "validity": "UPDATE bundles SET validity = '7 days' WHERE validity <> '7 days'",
    "sales paused": (
        "INSERT INTO settings (key, value) VALUES ('paused.sales',"
        """ '{"since": "2026-01-05T10:00:00+00:00", "reason": "x"}')"""
    ),
    "network paused": (
        "INSERT INTO settings (key, value) VALUES ('paused.mtn',"
        """ '{"since": "2026-01-05T10:00:00+00:00", "reason": "x"}')"""
    ),
    "buying stopped": (
        "UPDATE buying SET stopped = 'breaker', stopped_since = renewed_at"
    ),
    "sold out": (
        "UPDATE buying SET short = (SELECT jsonb_object_agg(id::text, renewed_at)"
        " FROM bundles WHERE network = 'mtn')"
    ),
    "unsure": "UPDATE buying SET renewed_at = renewed_at - interval '30 minutes'",
    "record": (
        "INSERT INTO store_records (store_id, delivered, half_within_minutes, renewed_at)"
        " SELECT id, 40, 12, now() FROM stores"
    ),
}
OF_A_STORE = {
    "name": "Other",
    "colour": "#123456",
    "whatsapp": "233201234567",
    "momo_number": "233241112223",
    "welcome": "Hello there",
    "announcement": "MTN is slow today",
    "pay_words": "MTN only",
    "status": "closed",
    "closed_note": "Back at noon",
    "logo": "0123456789abcdef",
}
