"""Every setting, limit, timeout and batch size of Makola, written down once.

Decides what the environment may say and reports all that is missing or wrong at once. Leaves to
others what the numbers mean: money in `ledger`, time in `clock`, the supplier's pace in
`fulfilment`. Durations are in seconds and unscaled here; who waits by them asks `clock.seconds()`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from core.base import setting_rules


class ConfigError(Exception):
    """One or more settings are missing or wrong; the message lists every one of them with its
    fix."""


def _var(name: str, help_text: str, default: Any = ...) -> Any:
    """A field read from the environment variable `name`; without a default it is required."""
    metadata = {"env": name, "help": help_text}
    if default is ...:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Config:
    """What one running Makola was told. Build it with `Config.from_environ`."""

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
    metrics_token: str = _var(
        "MAKOLA_METRICS_TOKEN",
        "bearer token of /metrics, 22+ letters; empty turns it off",
        "",
    )

    # Limits nobody sets by hand. Each is named by the rule it serves; sources in docs/decisions.md.
    open_wait_s: int = (
        # between further orders of a caller who has too many unprocessed ones; unscaled
        20
    )
    # same number and size within this asks again (product §4)
    repeat_window_s: int = 300
    job_timeout_s: int = 120  # an RQ job; longer than connect 10 + read 90
    # a worker busy longer than job_timeout + this is killed
    supervise_grace_s: int = 30
    # a claim's call may begin this long after the claim, never later
    send_lease_s: int = 100
    # the longest a purchase call may take, from connect to the last byte
    purchase_call_s: int = 110
    # the supplier may still charge this long after we hung up (contract §5)
    supplier_longest_s: int = 80
    # absence counts only this long after the claim: see `__post_init__`
    grace_s: int = 300
    absence_gap_s: int = 60  # between the two "not found" that prove absence
    max_unproven_resends: int = 1  # while supplier_dedupes is not proven
    # once it is: then a person, because the supplier contradicts itself
    max_proven_resends: int = 5
    # a balance read older than this is read again before a purchase
    balance_fresh_s: int = 60
    # an order over 10 % of the float reads the balance first
    large_order_bp: int = 1_000
    balance_break_gap_s: int = 60  # two reads this far apart make a difference a break
    rate_window_s: int = 60  # the supplier's window
    rate_calls: int = 50  # all our calls in a window (the supplier allows 60)
    rate_reserved_for_purchases: int = 20
    # the last calls of a window, which routine leaves to signed news
    rate_reserved_for_news: int = 10
    # look-ups that unverified rings may cause in a rate window
    ring_lookups_per_window: int = 10
    # an unverified ring never looks sooner than this after the last look-up
    ring_gap_s: int = 30
    breaker_unknowns: int = 5  # unknown answers in a row that open the breaker
    breaker_open_s: int = 60
    credentials_wait_s: int = 300  # after 401/403, before one purchase tries again
    low_float_wait_s: int = 60  # queued for float: looked at again after this
    watched_s: int = 100  # an open page that asks each minute counts so long as waiting
    watched_again_s: int = 30  # said again after this: not at each poll
    relay_round_s: float = 1.0
    relay_lease_s: int = 15  # a rung row is not rung again within this
    relay_batch: int = 50
    # What can be bought was looked at longer ago: nothing is promised; unscaled, as heartbeats are.
    unsure_s: int = 15
    # A shop's front page may be shown again for so long; unscaled. A price, a pause or a shop that
    # closes is seen by then everywhere.
    stored_page_s: float = 1.0
    # "Nothing new" may be said again to an order's page for so long; unscaled.
    stored_poll_s: float = 2.0
    unwatched_s: int = (
        # longer ago: nothing is sold, since whoever should send it seems to be away; unscaled
        60
    )
    slow_s: int = (
        # a call under way for this long has no answer so far, and another address is asked
        4
    )
    silent_s: int = (
        # no answer of the supplier for this long, at two of its addresses: buying stands still
        12
    )
    # the same at one purchase alone: workers may all hang at calls by then
    silent_purchase_s: int = 45
    # Told by the supplier to wait longer than this: buying stands still; unscaled, as its wait.
    long_rate_wait_s: int = 60
    probe_s: int = (
        # asked this often while it is away, or has said nothing while people look at a shop
        6
    )
    # a shop or review page that was shown counts for this long as looked at
    looked_s: int = 60
    looked_again_s: int = 5  # said again after this: not at each page
    queue_full: int = 200  # above this many jobs in RQ nothing is rung
    balance_every_s: int = 300  # the timed balance read
    catalogue_every_s: int = 3_600  # the timed catalogue sync
    estimates_every_s: int = 300  # how long deliveries take is counted anew
    no_estimate_s: int = 10_800  # an order without an estimate is overdue then
    # the timed proof of the books; twice this old, it is said to be overdue
    proof_every_s: int = 3_600
    # webhooks of one order that its timeline shows; the log keeps all
    webhook_lines: int = 20
    webhook_bytes: int = 64 * 1024
    # events of one order that are kept; genuine ones are three to five
    webhooks_kept_of_order: int = 100
    # events that name no order of ours, kept in an hour; the rest are counted
    strangers_kept_in_hour: int = 500
    stranger_bytes_in_hour: int = 2 * 1024 * 1024  # their bodies together
    webhook_keep_days: int = 30
    call_keep_days: int = 90
    form_bytes: int = 64 * 1024
    gateway_bytes: int = 256 * 1024  # a payment gateway's webhook
    upload_bytes: int = 1024 * 1024  # a file that an agent with a live log-in sends
    pasted_bytes: int = 256 * 1024  # two hundred messages that they paste
    uploads_at_once: int = 8  # in all web processes together
    # Of a page or one order of a selection that lost against another transaction; unscaled, as
    # locks are.
    db_tries: int = 5
    db_patience_s: float = 6.0  # no try begins later than this after the first
    # before the second try, about twice this; doubled each time
    db_pause_s: float = 0.01
    lock_read_s: float = (
        # the longest a page waits for a lock in PostgreSQL; these are unscaled, as locks are
        1.0
    )
    # a press of a person: what a store, the portal or the console was sent
    lock_press_s: float = 2.0
    lock_hook_s: float = 1.0  # a webhook, whose sender hangs up after 5 s
    lock_work_s: float = 5.0  # relay, workers and commands
    lock_crowd: int = (
        # requests of one process that may wait that long at once: half of its threads
        2
    )
    lock_crowded_read_s: float = (
        # a page beyond them, so that threads are left for others: it waits for tables alone
        0.2
    )
    # a press beyond them: two clicks on one order are no crowd
    lock_crowded_press_s: float = 0.4
    lock_last_s: float = (
        # what takes the last thread of a process: others queue behind it for that thread
        0.3
    )
    # the further orders of a selection, once one was waited for in vain
    lock_spent_s: float = 0.02
    page_size: int = 50
    process_many: int = 200  # orders in one bulk Process
    # at the console, and at the portal on a device that others use
    session_idle_s: int = 1_800
    code_s: int = 600  # a code that was sent is good for so long; unscaled
    code_tries: int = 5  # wrong ones, then it is none
    code_gap_s: int = 60  # between two codes for one address
    codes_a_day: int = 5  # for one person and kind of address
    session_absolute_s: int = 43_200
    # a portal log-in on a person's own device lives no longer
    own_absolute_s: int = 604_800
    gone_gap_s: int = 600  # missing from two syncs this far apart hides a product
    lookup_ladder_s: tuple[int, ...] = (5, 15, 60, 300)  # unresolved submitting
    processing_ladder_s: tuple[int, ...] = (60, 120, 300, 600, 1_200, 1_800, 3_600)
    failed_ladder_s: tuple[int, ...] = (3_600,)
    completed_watch_s: int = 86_400  # looked at once more this long after completion
    refunded_ladder_s: tuple[int, ...] = (
        3_600,
        21_600,
        86_400,
    )  # the money went back: the supplier may yet deliver
    unknown_case_s: int = 86_400  # without a clear answer this long, a person is asked
    # accepted this long ago and not delivered: a person is asked
    never_fulfilled_case_s: int = 86_400
    # purchases in one call; fewer orders due are bought one by one
    bulk_lines: int = 10
    bulk_off_s: int = 3_600  # the supplier has no bulk endpoint: tried again after this

    def __post_init__(self) -> None:
        """The arithmetic of leases (reliability §1), once: whoever could still buy is done before
        absence counts.

        Two roads lead to a late charge: a call begun at the last moment of its lease, and a job
        that runs into its time limit and is killed by the supervisor. After either the supplier
        itself may still work on it.
        """
        if (
            self.rate_reserved_for_purchases + self.rate_reserved_for_news
            >= self.rate_calls
        ):
            raise ConfigError(
                "rate_calls leaves nothing beside what is reserved for purchases and for signed"
                " news"
            )
        latest = max(
            self.send_lease_s + self.purchase_call_s,
            self.job_timeout_s + self.supervise_grace_s,
        )
        if self.grace_s < latest + self.supplier_longest_s:
            raise ConfigError(
                f"grace_s is {self.grace_s}: it must be at least"
                f" {latest + self.supplier_longest_s}, when the last call that could still buy is"
                " over"
            )

    @property
    def signing_keys(self) -> list[str]:
        """Every key that a signature of ours may carry. The last is the present one, and the only
        one that signs."""
        return [*_listed(self.secret_key_fallbacks), self.secret_key]

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

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Config:
        """Read every setting. Raises `ConfigError` naming all that are missing or wrong, each with
        its fix."""
        values: dict[str, Any] = {}
        problems: list[str] = []
        for f in fields(cls):
            name = f.metadata.get("env")
            if name is None:
                continue
            text = environ.get(name, "").strip()
            if not text:
                # both are MISSING: the field has no default
                if f.default is f.default_factory:
                    problems.append(f"{name} is missing: {f.metadata['help']}.")
                continue
            try:
                values[f.name] = _read(str(f.type), text)
            except ValueError as error:
                problems.append(
                    f"{name} is {text!r}, but {error}: {f.metadata['help']}."
                )
        problems += setting_rules.problems(values)
        if problems:
            raise ConfigError(
                "Makola cannot start:\n" + "\n".join(f"  - {p}" for p in problems)
            )
        return cls(**values)


def _read(kind: str, text: str) -> Any:
    if kind == "bool":
        if text.lower() not in ("0", "1", "true", "false", "yes", "no"):
            raise ValueError("it must be 1 or 0")
        return text.lower() in ("1", "true", "yes")
    if kind == "int":
        if not re.fullmatch(r"\d{1,9}", text):
            raise ValueError("it must be a whole number")
        return int(text)
    if kind == "float":
        if not re.fullmatch(r"\d{1,6}(\.\d+)?", text) or float(text) <= 0:
            raise ValueError("it must be a number above 0")
        return float(text)
    return text


def _listed(text: str) -> list[str]:
    return [key for key in re.split(r"[\s,]+", text) if key]


_current: Config | None = None


def use(config: Config) -> None:
    """Make `config` the one this process runs by."""
    global _current
    _current = config


def current() -> Config:
    """The configuration of this process. Raises `RuntimeError` before `use`."""
    if _current is None:
        raise RuntimeError("no configuration yet: create_app() sets it")
    return _current
