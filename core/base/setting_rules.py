"""What a setting must look like when it is given, and the sentence when it does not.

Decides about texts and numbers only. Which settings there are, and what each is for, is decided in
`config`.
"""

from __future__ import annotations

import re
from typing import Any

from core.base import clear_text, payment_rules

SHORTEST_RETENTION_DAYS = 1
MOST_FEE_BP = 5_000
_WORD = r"[A-Za-z0-9_-]{22,128}"
_POSTGRESQL = r"postgresql(\+psycopg)?://.*"
_IS_POSTGRESQL = "must start with postgresql:// (only PostgreSQL is supported)."
_SHAPES = {
    "secret_key": (
        r".{32,}",
        "MAKOLA_SECRET_KEY is too short: use at least 32 random characters.",
    ),
    "secret_key_fallbacks": (
        r"[\s,]*([^\s,]{32,}([\s,]+|$))*",
        "MAKOLA_SECRET_KEY_FALLBACKS has a key that is too short: each has at least 32 characters.",
    ),
    "webhook_token": (
        _WORD,
        "MAKOLA_WEBHOOK_TOKEN must be 22 to 128 characters of A-Z a-z 0-9 _ -.",
    ),
    "webhook_token_previous": (
        _WORD,
        "MAKOLA_WEBHOOK_TOKEN_PREVIOUS must be 22 to 128 characters of A-Z a-z 0-9 _ -, or empty.",
    ),
    "database_url": (_POSTGRESQL, f"DATABASE_URL {_IS_POSTGRESQL}"),
    "database_store_url": (_POSTGRESQL, f"DATABASE_STORE_URL {_IS_POSTGRESQL}"),
    "database_admin_url": (_POSTGRESQL, f"DATABASE_ADMIN_URL {_IS_POSTGRESQL}"),
    "bulk": (r"off|auto", "MAKOLA_BULK must be off or auto."),
    "messages": (r"off|console", "MAKOLA_MESSAGES must be off or console."),
    "terms_url": (
        r"https?://[!-~]{3,200}",
        "MAKOLA_TERMS_URL must be an http:// or https:// address, or empty.",
    ),
    "metrics_token": (
        _WORD,
        "MAKOLA_METRICS_TOKEN must be 22 to 128 characters of A-Z a-z 0-9 _ -, or empty.",
    ),
    "push_key": (
        r"[A-Za-z0-9_-]{43}\.B[A-Za-z0-9_-]{86}",
        "MAKOLA_PUSH_KEY must be what `flask --app wsgi push-key` prints, or empty.",
    ),
    "push_hosts": (
        r"[\s,]*((\*\.)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+([\s,]+|$))*",
        "MAKOLA_PUSH_HOSTS must be names of hosts, like fcm.googleapis.com or *.push.apple.com.",
    ),
    "security_contact": (
        r"(mailto:|tel:|https://)[!-~]{3,200}",
        "MAKOLA_SECURITY_CONTACT must be a mailto:, https:// or tel: address, or empty.",
    ),
    "paystack_secret_key": (
        payment_rules.KEY,
        f"PAYSTACK_SECRET_KEY {payment_rules.IS_KEY}",
    ),
    "paystack_previous_key": (
        payment_rules.KEY,
        f"PAYSTACK_PREVIOUS_SECRET_KEY {payment_rules.IS_KEY}",
    ),
    "refund_fee_bearer": (
        r"owner|agent",
        "MAKOLA_REFUND_FEE_BEARER must be owner or agent.",
    ),
    "paystack_settles_to": (
        r"bank|balance",
        "PAYSTACK_SETTLES_TO must be bank or balance.",
    ),
    "dispute_loss_bearer": (
        r"owner|agent",
        "MAKOLA_DISPUTE_LOSS_BEARER must be owner or agent.",
    ),
    "paystack_mode": (r"test|live", "PAYSTACK_MODE must be test or live, or empty."),
    "public_scheme": (r"https?", "MAKOLA_PUBLIC_SCHEME must be https or http."),
}
"""What a setting that is given must look like, and the sentence when it does not."""
_LEAST = {
    "orders_open_per_device": (
        1,
        "MAKOLA_ORDERS_OPEN_PER_DEVICE must be at least 1: with 0 nobody could order.",
    ),
    "pay_expires_s": (
        120,
        "MAKOLA_PAY_EXPIRES_S must be at least 120: a prompt on a phone lives for three minutes.",
    ),
    "orders_open_per_address": (
        1,
        "MAKOLA_ORDERS_OPEN_PER_ADDRESS must be at least 1: with 0 nobody could order.",
    ),
    "retention_days": (
        SHORTEST_RETENTION_DAYS,
        (
            f"MAKOLA_RETENTION_DAYS must be at least {SHORTEST_RETENTION_DAYS}: a finished order"
            " may be asked about."
        ),
    ),
}


def problems(values: dict[str, Any]) -> list[str]:
    """Rules one value cannot show by its type. `values` holds what is given."""
    found = []
    for key, (shape, sentence) in _SHAPES.items():
        if key in values and not re.fullmatch(shape, values[key], re.DOTALL):
            found.append(sentence)
    for key, (least, sentence) in _LEAST.items():
        if values.get(key, least) < least:
            found.append(sentence)
    if problem := clear_text.problem_of_supplier(
        values.get("data_mart_api_url", "https://x")
    ):
        found.append(problem)
    found += payment_rules.problems(values)
    if values.get("gateway_fee_bp", 0) >= MOST_FEE_BP:
        found.append(
            f"MAKOLA_GATEWAY_FEE_BP must be below {MOST_FEE_BP}: it is in hundredths of a percent."
        )
    if values.get("proxy_host") and not values.get("proxy_hops"):
        found.append(
            "MAKOLA_PROXY_HOST is set but MAKOLA_PROXY_HOPS is 0: set it to the number of your"
            " proxies."
        )
    domain = values.get("base_domain", "localhost")
    if values.get("messages") == "console" and not is_this_machine(domain):
        found.append(
            "MAKOLA_MESSAGES is console, which writes codes into a file, but MAKOLA_BASE_DOMAIN is"
            f" {domain}: use it with localhost only."
        )
    return found


def is_this_machine(domain: str) -> bool:
    """Whether a base domain is one that nobody else reaches."""
    return domain == "localhost" or domain.endswith(".localhost")
