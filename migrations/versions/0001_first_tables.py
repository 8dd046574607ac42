"""The first tables, the two layers that separate stores, and the guards of the books.

Row-level security with FORCE on every table of a store; a statement-level trigger that refuses entries that do not
sum to zero; triggers that refuse to change what is append only. Grants are made by env.py after every upgrade.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STORE_TABLES = (
    "accounts",
    "cases",
    "entries",
    "order_events",
    "orders",
    "outbox",
    "postings",
    "store_bundles",
)
APPEND_ONLY = ("postings", "entries", "audit", "order_events")
PLATFORM_ACCOUNTS = (
    "supplier_float",
    "in_flight",
    "gateway",
    "bank",
    "margin",
    "price_variance",
    "write_off",
)

# NULLIF: after a transaction-local setting ends, PostgreSQL reads it as an empty string.
POLICY = (
    "store_id = NULLIF(current_setting('makola.store', true), '')::bigint "
    "OR current_setting('makola.scope', true) = 'all'"
)

# The transition table is not subject to row-level security, so the sum sees all legs; a deferred trigger that
# selects from the table would be blind to the legs of the other side.
BALANCED = """
CREATE FUNCTION makola_refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh GROUP BY posting_id HAVING sum(amount_pesewas) <> 0) THEN
    RAISE EXCEPTION 'posting does not sum to zero' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER entries_balanced AFTER INSERT ON entries
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION makola_refuse_unbalanced();
"""
FROZEN = """
CREATE FUNCTION makola_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "balance_reads",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("balance_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("float_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("unresolved_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_reads")),
    )
    op.create_index(op.f("ix_balance_reads_at"), "balance_reads", ["at"], unique=False)
    op.create_table(
        "login_attempts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_attempts")),
    )
    op.create_index(
        op.f("ix_login_attempts_key"), "login_attempts", ["key"], unique=False
    )
    op.create_table(
        "settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_settings")),
    )
    op.create_table(
        "stores",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("colour", sa.Text(), nullable=False),
        sa.Column("whatsapp", sa.Text(), nullable=True),
        sa.Column("momo_number", sa.Text(), nullable=True),
        sa.Column("welcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("closed_note", sa.Text(), nullable=False),
        sa.Column("auto_process", sa.Boolean(), nullable=False),
        sa.Column("markup_bp", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("colour ~ '^#[0-9a-f]{6}$'", name=op.f("ck_stores_colour")),
        sa.CheckConstraint(
            "slug ~ '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$'", name=op.f("ck_stores_slug")
        ),
        sa.CheckConstraint(
            "status IN ('open', 'closed', 'suspended')", name=op.f("ck_stores_status")
        ),
        sa.CheckConstraint("markup_bp >= 0", name=op.f("ck_stores_markup")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stores")),
        sa.UniqueConstraint("slug", name=op.f("uq_stores_slug")),
    )
    op.create_table(
        "supplier_calls",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("order_refs", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=True),
        sa.Column("request_body", sa.Text(), nullable=False),
        sa.Column("http_status", sa.BigInteger(), nullable=True),
        sa.Column("response_body", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier_calls")),
    )
    op.create_index(
        "ix_supplier_calls_endpoint", "supplier_calls", ["endpoint", "id"], unique=False
    )
    op.create_index(
        "ix_supplier_calls_refs",
        "supplier_calls",
        ["order_refs"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_table(
        "supplier_offers",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column("product_code", sa.Text(), nullable=False),
        sa.Column("product_name", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("mb", sa.BigInteger(), nullable=False),
        sa.Column("validity", sa.Text(), nullable=False),
        sa.Column("cost_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplier_offers")),
        sa.UniqueConstraint(
            "supplier",
            "product_code",
            name=op.f("uq_supplier_offers_supplier_product_code"),
        ),
    )
    op.create_table(
        "supplier_state",
        sa.Column("supplier", sa.Text(), nullable=False),
        sa.Column(
            "purchase_calls",
            postgresql.ARRAY(sa.DateTime(timezone=True)),
            nullable=False,
        ),
        sa.Column(
            "other_calls", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False
        ),
        sa.Column(
            "ring_lookups", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False
        ),
        sa.Column("closed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unknown_streak", sa.BigInteger(), nullable=False),
        sa.Column("breaker_open_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breaker_reason", sa.Text(), nullable=True),
        sa.Column(
            "credentials_refused_since", sa.DateTime(timezone=True), nullable=True
        ),
        sa.Column("unreachable_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_balance_pesewas", sa.BigInteger(), nullable=True),
        sa.Column("last_balance_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("break_pesewas", sa.BigInteger(), nullable=True),
        sa.Column("break_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("supplier", name=op.f("pk_supplier_state")),
    )
    op.create_table(
        "sync_reports",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("new", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("gone", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("moved", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("beaten", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "below_floor", postgresql.JSONB(astext_type=sa.Text()), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_reports")),
    )
    op.create_index("ix_sync_reports_at", "sync_reports", ["at"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("platform_role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "platform_role IN ('none', 'owner', 'finance', 'support')",
            name=op.f("ck_users_platform_role"),
        ),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_users_email_lower")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("order_ref", sa.Text(), nullable=True),
        sa.Column("raw_status", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("verified_by", sa.Text(), nullable=True),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("event_key", name=op.f("uq_webhook_events_event_key")),
    )
    op.create_index(
        op.f("ix_webhook_events_order_ref"),
        "webhook_events",
        ["order_ref"],
        unique=False,
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("balance_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(name IN ('wallet', 'held')) = (store_id IS NOT NULL)",
            name=op.f("ck_accounts_owner"),
        ),
        sa.CheckConstraint(
            "name <> 'in_flight' OR balance_pesewas >= 0",
            name=op.f("ck_accounts_in_flight"),
        ),
        sa.CheckConstraint(
            "name NOT IN ('wallet', 'held') OR balance_pesewas <= 0",
            name=op.f("ck_accounts_no_overdraft"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_accounts_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    op.create_index(
        "uq_accounts_platform",
        "accounts",
        ["name"],
        unique=True,
        postgresql_where=sa.text("store_id IS NULL"),
    )
    op.create_index(
        "uq_accounts_store",
        "accounts",
        ["store_id", "name"],
        unique=True,
        postgresql_where=sa.text("store_id IS NOT NULL"),
    )
    op.create_index(
        "uq_accounts_store_id_id", "accounts", ["store_id", "id"], unique=True
    )
    op.create_table(
        "bundles",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("mb", sa.BigInteger(), nullable=False),
        sa.Column("validity", sa.Text(), nullable=False),
        sa.Column("cost_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("agent_price_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("offer_id", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "network IN ('mtn', 'telecel', 'at')", name=op.f("ck_bundles_network")
        ),
        sa.CheckConstraint(
            "cost_pesewas > 0 AND agent_price_pesewas > cost_pesewas",
            name=op.f("ck_bundles_never_below_cost"),
        ),
        sa.CheckConstraint("mb > 0", name=op.f("ck_bundles_mb")),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["supplier_offers.id"], name=op.f("fk_bundles_offer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundles")),
        sa.UniqueConstraint(
            "network", "mb", "validity", name=op.f("uq_bundles_network_mb_validity")
        ),
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "role IN ('owner', 'cashier', 'viewer')", name=op.f("ck_memberships_role")
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_memberships_store_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_memberships_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "store_id", name=op.f("pk_memberships")),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_sessions_store_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("customer_name", sa.Text(), nullable=False),
        sa.Column("recipient_msisdn", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("mb", sa.BigInteger(), nullable=False),
        sa.Column("validity", sa.Text(), nullable=False),
        sa.Column("bundle_id", sa.BigInteger(), nullable=False),
        sa.Column("product_name", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Text(), nullable=False),
        sa.Column("price_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("agent_price_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("cost_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("charged_pesewas", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("wait_reason", sa.Text(), nullable=True),
        sa.Column("next_look_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unknown_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ever_unknown", sa.Boolean(), nullable=False),
        sa.Column("absent_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resends", sa.BigInteger(), nullable=False),
        sa.Column("lookups_gone", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("supplier_ref", sa.Text(), nullable=True),
        sa.Column("supplier_status", sa.Text(), nullable=True),
        sa.Column("failure_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("processing_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("final_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "recipient_msisdn ~ '^\\+233[0-9]{9}$'", name=op.f("ck_orders_recipient")
        ),
        sa.CheckConstraint(
            "state IN ('awaiting_payment', 'pending', 'queued', 'submitting', 'processing', 'completed', 'failed', 'refunded', 'cancelled', 'expired')",
            name=op.f("ck_orders_state"),
        ),
        sa.CheckConstraint(
            "cost_pesewas > 0 AND agent_price_pesewas > cost_pesewas AND price_pesewas >= agent_price_pesewas",
            name=op.f("ck_orders_never_below_cost"),
        ),
        sa.ForeignKeyConstraint(
            ["bundle_id"], ["bundles.id"], name=op.f("fk_orders_bundle_id")
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_orders_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("code", name=op.f("uq_orders_code")),
        sa.UniqueConstraint("order_ref", name=op.f("uq_orders_order_ref")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_orders_store_id_id")),
        sa.UniqueConstraint(
            "store_id",
            "idempotency_key",
            name=op.f("uq_orders_store_id_idempotency_key"),
        ),
    )
    op.create_index("ix_orders_created", "orders", ["created_at"], unique=False)
    op.create_index(
        "ix_orders_open",
        "orders",
        ["state", "id"],
        unique=False,
        postgresql_where=sa.text(
            "state IN ('pending', 'queued', 'submitting', 'processing', 'failed')"
        ),
    )
    op.create_index(
        "ix_orders_recipient",
        "orders",
        ["store_id", "recipient_msisdn", "created_at"],
        unique=False,
    )
    op.create_index(
        "ix_orders_store_newest", "orders", ["store_id", "id"], unique=False
    )
    op.create_index(
        "ix_orders_store_state", "orders", ["store_id", "state", "id"], unique=False
    )
    op.create_index(
        "ix_orders_supplier_ref",
        "orders",
        ["supplier_ref"],
        unique=False,
        postgresql_where=sa.text("supplier_ref IS NOT NULL"),
    )
    op.create_table(
        "store_bundles",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("bundle_id", sa.BigInteger(), nullable=False),
        sa.Column("price_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("price_pesewas > 0", name=op.f("ck_store_bundles_price")),
        sa.ForeignKeyConstraint(
            ["bundle_id"], ["bundles.id"], name=op.f("fk_store_bundles_bundle_id")
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_store_bundles_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_store_bundles")),
        sa.UniqueConstraint(
            "store_id", "bundle_id", name=op.f("uq_store_bundles_store_id_bundle_id")
        ),
        sa.UniqueConstraint(
            "store_id", "id", name=op.f("uq_store_bundles_store_id_id")
        ),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("store_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_cases_store_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_cases_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index(
        "uq_cases_open",
        "cases",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "order_events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("who_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("customer_text", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_order_events_store_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_order_events_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_events")),
    )
    op.create_index(
        "ix_order_events_order", "order_events", ["order_id", "id"], unique=False
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_no", sa.BigInteger(), nullable=False),
        sa.Column("rung_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result_ok", sa.Boolean(), nullable=True),
        sa.Column("result_text", sa.Text(), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("store_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_outbox_store_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_outbox_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_index(
        "uq_outbox_order",
        "outbox",
        ["order_id"],
        unique=True,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_index(
        "uq_outbox_platform",
        "outbox",
        ["kind"],
        unique=True,
        postgresql_where=sa.text("order_id IS NULL AND done_at IS NULL"),
    )
    op.create_table(
        "postings",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_postings_store_id_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_postings_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
    )
    op.create_index(
        "uq_postings_order_kind_n",
        "postings",
        ["order_id", "kind", "n"],
        unique=True,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_index(
        "uq_postings_resolved",
        "postings",
        ["order_id"],
        unique=True,
        postgresql_where=sa.text("kind IN ('capture', 'release')"),
    )
    op.create_index(
        "uq_postings_store_id_id", "postings", ["store_id", "id"], unique=True
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("posting_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("balance_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("amount_pesewas <> 0", name=op.f("ck_entries_not_zero")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_entries_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["posting_id"], ["postings.id"], name=op.f("fk_entries_posting_id")
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "account_id"],
            ["accounts.store_id", "accounts.id"],
            name=op.f("fk_entries_store_id_account_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "posting_id"],
            ["postings.store_id", "postings.id"],
            name=op.f("fk_entries_store_id_posting_id"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_entries_store_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
    )
    op.create_index("ix_entries_account", "entries", ["account_id", "id"], unique=False)
    op.create_index(
        "uq_entries_posting_account",
        "entries",
        ["posting_id", "account_id"],
        unique=True,
    )
    _walls()
    _guards()


def _walls() -> None:
    for table in STORE_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY store_wall ON {table} USING ({POLICY}) WITH CHECK ({POLICY})"
        )


def _guards() -> None:
    op.execute(BALANCED)
    op.execute(FROZEN)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION makola_refuse_change()"
        )
    # The owner is under FORCE too, so it sees and writes platform rows only with the scope set.
    op.execute("SELECT set_config('makola.scope', 'all', true)")
    for name in PLATFORM_ACCOUNTS:
        op.execute(f"INSERT INTO accounts (name, balance_pesewas) VALUES ('{name}', 0)")
    op.execute("SELECT set_config('makola.scope', '', true)")


def downgrade() -> None:
    for table in (
        "entries",
        "postings",
        "outbox",
        "order_events",
        "cases",
        "store_bundles",
        "orders",
        "sessions",
        "memberships",
        "bundles",
        "accounts",
        "webhook_events",
        "users",
        "sync_reports",
        "supplier_state",
        "supplier_offers",
        "supplier_calls",
        "stores",
        "settings",
        "login_attempts",
        "balance_reads",
        "audit",
    ):
        op.drop_table(table)
    op.execute(
        "DROP FUNCTION makola_refuse_unbalanced(); DROP FUNCTION makola_refuse_change()"
    )
