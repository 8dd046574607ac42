"""What the environment may say: each setting with its variable, its meaning and its default.

`.env.example` is written from here. Leaves to `config` how the text is read, and to `setting_rules`
what of it is refused. Durations are in seconds and unscaled; who waits by them asks
`clock.seconds()`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


def _var(name: str, help_text: str, default: Any = ...) -> Any:
    """A field read from the environment variable `name`; without a default it is required."""
    metadata = {"env": name, "help": help_text}
    if default is ...:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Environment:
    """What the operator told one running Makola."""

    database_url: str = _var(
        "DATABASE_URL",
        "PostgreSQL address of the platform's role (owns nothing, no BYPASSRLS)",
    )
    database_store_url: str = _var(
        "DATABASE_STORE_URL",
        "the stores' role's: docs/operate.md, 'Roles of the database'",
    )
    redis_url: str = _var(
        "REDIS_URL",
        "Valkey or Redis address; it only carries rings, it never remembers",
    )
    secret_key: str = _var(
        "MAKOLA_SECRET_KEY", "signs cookies and tokens; at least 32 characters, random"
    )
    data_mart_api_url: str = _var(
        "DATA_MART_API_URL", "base address of the supplier, ending in /api"
    )
    data_mart_api_key: str = _var(
        "DATA_MART_API_KEY", "X-API-Key of the supplier account"
    )
    data_mart_api_secret: str = _var(
        "DATA_MART_API_SECRET", "X-API-Secret of the supplier account"
    )
    webhook_token: str = _var(
        "MAKOLA_WEBHOOK_TOKEN",
        "unguessable path segment of the webhook address, 22+ letters",
    )

    database_admin_url: str = _var(
        "DATABASE_ADMIN_URL", "PostgreSQL address of the owner, for migrations only", ""
    )
    base_domain: str = _var(
        "MAKOLA_BASE_DOMAIN",
        "stores live at <slug>.<this>; without a port",
        "localhost",
    )
    public_port: int = _var(
        "MAKOLA_PUBLIC_PORT", "port in links shown to people; 0 for the scheme's own", 0
    )
    secret_key_fallbacks: str = _var(
        "MAKOLA_SECRET_KEY_FALLBACKS",
        "earlier secret keys, parted by blanks or commas: still accepted, nothing new is signed"
        " with them",
        "",
    )
    webhook_token_previous: str = _var(
        "MAKOLA_WEBHOOK_TOKEN_PREVIOUS",
        "the earlier webhook token: accepted until the supplier rings at the new one",
        "",
    )
    public_scheme: str = _var(
        "MAKOLA_PUBLIC_SCHEME",
        "scheme in links shown to people: https or http",
        "https",
    )
    proxy_hops: int = _var(
        "MAKOLA_PROXY_HOPS",
        "how many proxies of ours set X-Forwarded-*; 0 trusts none",
        0,
    )
    proxy_host: bool = _var(
        "MAKOLA_PROXY_HOST",
        "1 when those proxies put the host into X-Forwarded-Host",
        False,
    )
    webhook_modes: str = _var(
        "MAKOLA_WEBHOOK_MODES",
        "ways to verify a webhook, tried in order: platform_data_secret platform_data_key"
        " body_secret static_token",
        "platform_data_secret platform_data_key",
    )
    webhook_data_key: str = _var(
        "MAKOLA_WEBHOOK_DATA_KEY", "extra key for platform_data_key, if disclosed", ""
    )
    webhook_body_secret: str = _var(
        "MAKOLA_WEBHOOK_BODY_SECRET", "secret for body_secret", ""
    )
    webhook_static_token: str = _var(
        "MAKOLA_WEBHOOK_STATIC_TOKEN", "shared token for static_token", ""
    )
    time_scale: float = _var(
        "MAKOLA_TIME_SCALE", "divides every duration; tests and demo only", 1.0
    )
    clock_jumps: bool = _var(
        "MAKOLA_CLOCK_JUMPS",
        "1 lets the settings row clock.offset_s move the clock",
        False,
    )
    instance_dir: str = _var(
        "MAKOLA_INSTANCE", "folder for built static files and logs", "instance"
    )
    log_json: bool = _var("MAKOLA_LOG_JSON", "1 writes logs as JSON lines", False)
    security_contact: str = _var(
        "MAKOLA_SECURITY_CONTACT",
        "mailto:, https: or tel: address for reports of faults, in /.well-known/security.txt;"
        " empty: no such page",
        "",
    )

    agent_price_fixed_pesewas: int = _var(
        "MAKOLA_AGENT_PRICE_FIXED", "pesewas added to cost for agents", 0
    )
    agent_price_bp: int = _var(
        "MAKOLA_AGENT_PRICE_BP", "basis points of cost added for agents", 200
    )
    store_markup_bp: int = _var(
        "MAKOLA_STORE_MARKUP_BP",
        "basis points a new store adds to the agent price",
        800,
    )
    orders_per_recipient_hour: int = _var(
        "MAKOLA_ORDERS_PER_RECIPIENT_HOUR",
        "orders processed in an hour per store and number",
        10,
    )
    orders_open_per_device: int = _var(
        "MAKOLA_ORDERS_OPEN_PER_DEVICE",
        "unprocessed orders per store and device; beyond, one more each 20 s",
        5,
    )
    orders_open_per_address: int = _var(
        "MAKOLA_ORDERS_OPEN_PER_ADDRESS",
        "unprocessed orders per store and address; beyond, one more each 20 s",
        30,
    )
    pending_expires_s: int = _var(
        "MAKOLA_PENDING_EXPIRES_S",
        "an order nobody processed for this long expires",
        86_400,
    )
    answer_s: int = _var(
        "MAKOLA_ANSWER_S",
        "a customer whom the store has not answered for this long is a case of the owner's",
        86_400,
    )
    retention_days: int = _var(
        "MAKOLA_RETENTION_DAYS",
        "customers' numbers are masked so long after the order",
        548,
    )
    orders_per_address_minute: int = _var(
        "MAKOLA_ORDERS_PER_ADDRESS_MINUTE", "new orders per client address", 60
    )
    failed_watch_s: int = _var(
        "MAKOLA_FAILED_WATCH_S",
        "how long a failed order is watched before release",
        86_400,
    )
    late_processing_s: int = _var(
        "MAKOLA_LATE_PROCESSING_S", "processing longer than this is late", 3_600
    )
    late_queued_s: int = _var(
        "MAKOLA_LATE_QUEUED_S", "queued longer than this is late", 600
    )
    supplier_dedupes: bool = _var(
        "MAKOLA_SUPPLIER_DEDUPES",
        "1 once proven that a repeated reference buys once",
        False,
    )
    workers: int = _var("MAKOLA_WORKERS", "RQ worker processes under supervise", 2)
    bulk: str = _var(
        "MAKOLA_BULK",
        "several purchases in one call: off, or auto when calls are scarce",
        "off",
    )
    float_reserve_pesewas: int = _var(
        "MAKOLA_FLOAT_RESERVE", "pesewas of float that no purchase may touch", 0
    )
    undo_s: int = _var(
        "MAKOLA_UNDO_S",
        "a pressed order goes so many seconds later and can be undone; 0 sends at once",
        5,
    )
    fund_note: str = _var(
        "MAKOLA_FUND_NOTE",
        "how agents pay you for their wallets; their wallet page shows it",
        "",
    )
    reset_link_s: int = _var(
        "MAKOLA_RESET_LINK_S", "how long a one-time reset link works", 86_400
    )
    own_idle_s: int = _var(
        "MAKOLA_SESSION_IDLE_S",
        "a portal log-in on one's own device ends unused after this",
        43_200,
    )
    sign_ups_a_day: int = _var(
        "MAKOLA_SIGN_UPS_A_DAY",
        "stores that strangers may open in a day; 0: nobody signs up",
        50,
    )
    approve_by_itself: bool = _var(
        "MAKOLA_APPROVE_BY_ITSELF",
        "1 approves who signs up at once, 0 leaves it to the owner",
        False,
    )
    held_names: str = _var(
        "MAKOLA_HELD_NAMES",
        "addresses that nobody gets by signing up, parted by blanks or commas",
        "",
    )
    terms_url: str = _var(
        "MAKOLA_TERMS_URL",
        "address of the terms that agents agree to; empty: they are not asked",
        "",
    )
    messages: str = _var(
        "MAKOLA_MESSAGES",
        "how codes reach people: off, or console for a file in the instance folder, on this"
        " machine alone",
        "off",
    )
    low_wallet_pesewas: int = _var(
        "MAKOLA_LOW_WALLET",
        "pesewas: agents are told that their wallet is low when less than this is left",
        5_000,
    )
    push_key: str = _var(
        "MAKOLA_PUSH_KEY",
        "key pair by which browsers take notices from us, as `flask --app wsgi push-key` makes it;"
        " empty: no notices are sent to devices",
        "",
    )
    push_hosts: str = _var(
        "MAKOLA_PUSH_HOSTS",
        "push services that notices may be handed to, parted by blanks or commas; *. before a name"
        " for all below it",
        "fcm.googleapis.com updates.push.services.mozilla.com *.push.apple.com"
        " *.notify.windows.com",
    )
    paystack_secret_key: str = _var(
        "PAYSTACK_SECRET_KEY",
        "secret key of the Paystack account that takes payments; empty: none is taken",
        "",
    )
    paystack_previous_key: str = _var(
        "PAYSTACK_PREVIOUS_SECRET_KEY",
        "the earlier secret key, while keys are changed: it still signs webhooks, and asks nothing",
        "",
    )
    paystack_mode: str = _var(
        "PAYSTACK_MODE",
        "which of Paystack's two worlds the keys are of: test or live",
        "",
    )
    paystack_api_url: str = _var(
        "PAYSTACK_API_URL",
        "base address of Paystack's API; empty: https://api.paystack.co",
        "",
    )
    paystack_settles_to: str = _var(
        "PAYSTACK_SETTLES_TO",
        "where Paystack settles what it collected: bank, or balance (of which it pays out)",
        "bank",
    )
    pay_expires_s: int = _var(
        "MAKOLA_PAY_EXPIRES_S",
        "seconds: an order that is to be paid online expires when nobody has paid for so long",
        1_800,
    )
    pay_unbuyable_s: int = _var(
        "MAKOLA_PAY_UNBUYABLE_S",
        "seconds: an order that was paid online and cannot be bought for so long is cancelled, and"
        " its money goes back",
        7_200,
    )
    gateway_fee_bp: int = _var(
        "MAKOLA_GATEWAY_FEE_BP",
        "hundredths of a percent that the gateway keeps of a payment; prices must cover it",
        195,
    )
    refund_fee_bearer: str = _var(
        "MAKOLA_REFUND_FEE_BEARER",
        "who bears the fee of a payment that goes back because its agent cancelled: owner or agent",
        "owner",
    )
    fund_least_pesewas: int = _var(
        "MAKOLA_FUND_LEAST", "pesewas: the least paid into a wallet online", 1_000
    )
    fund_most_pesewas: int = _var(
        "MAKOLA_FUND_MOST", "pesewas: the most of it at a time", 500_000
    )
    dispute_loss_bearer: str = _var(
        "MAKOLA_DISPUTE_LOSS_BEARER",
        "who bears what a lost dispute takes: owner, or agent, out of the store's earnings",
        "owner",
    )
    payout_least_pesewas: int = _var(
        "MAKOLA_PAYOUT_LEAST",
        "pesewas: the smallest payout of earnings; below GH₵ 20 its fee is more than a twentieth",
        2_000,
    )
    payout_by_itself_pesewas: int = _var(
        "MAKOLA_PAYOUT_BY_ITSELF",
        "pesewas: payouts up to this need nobody's word; above, two people of the platform approve",
        50_000,
    )
    payout_day_pesewas: int = _var(
        "MAKOLA_PAYOUT_DAY",
        "pesewas: the most that one store is paid out on one day, with fees",
        500_000,
    )
    metrics_token: str = _var(
        "MAKOLA_METRICS_TOKEN",
        "bearer token of /metrics, 22+ letters; empty turns it off",
        "",
    )

    @property
    def signing_keys(self) -> list[str]:
        """Every key that a signature of ours may carry. The last is the present one, and the only
        one that signs."""
        return [*_listed(self.secret_key_fallbacks), self.secret_key]

    @property
    def push_public_key(self) -> str:
        """The half of the key pair that browsers are told; empty while no notices are sent."""
        return self.push_key.partition(".")[2]

    @property
    def push_host_names(self) -> list[str]:
        """The push services that may be called, in lower case."""
        return _listed(self.push_hosts.lower())

    @property
    def webhook_tokens(self) -> list[str]:
        """The tokens at which the supplier may ring."""
        return [
            token
            for token in (self.webhook_token, self.webhook_token_previous)
            if token
        ]

    def address(self, label: str = "") -> str:
        """The public address of a host of ours, without a trailing slash: a store, `portal`,
        `admin` or the bare one."""
        host = f"{label}.{self.base_domain}" if label else self.base_domain
        port = f":{self.public_port}" if self.public_port else ""
        return f"{self.public_scheme}://{host}{port}"


def _listed(text: str) -> list[str]:
    return [key for key in re.split(r"[\s,]+", text) if key]
