"""How often one address may ask for what: one table, endpoint to limit, and one count for guessed
codes.

Decides only crude limits against floods and guessing. Business limits (orders per number, wrong
passwords) live in `core`, in PostgreSQL. With Valkey down each process counts in memory, and pages
answer as before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Flask, Response, make_response
from flask_limiter import Limiter
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.base.config import Config
from edge import hosts, limit_keys
from edge.counting import PREFIX, Counted, Limit, caller, told_when_over

VALKEY_S = 0.2
"""Connect and read timeout of the client that rings."""
COUNT_S = 0.1
"""The same for counting. When Valkey freezes, a page waits for it twice here and once to ring:
within half a second."""
NO_RETRY = Retry(NoBackoff(), 0)


DRAFTS_EACH = 5
"""Orders that may be begun for each that may be placed: people look at several."""
MISSES = "60 per 10 minutes"
"""Codes that are no order's, per store and address, whichever page they are tried on and by
whichever method. Beyond, a miss reads 429 and a hit still passes: many customers share the address
of one who guesses."""
GUESSES = "20 per hour"
"""Pay codes that are no order's, per store and address. A number without a code guesses nothing and
is not counted: many customers share the address of one who guesses."""
GUESSES_OF_ONE, GUESSES_OF_ONE_A_DAY = "5 per hour", "30 per day"
"""The same for one phone number in a store, wherever they come from: of 100,000 pay codes they try
few."""
LISTS = "30 per minute"
"""Lists that are brought from one address: each is unpacked and read whole."""
PAYMENTS = "30 per minute"
"""Pastes of payment messages from one address: each is read whole, and its store's balances are
judged anew."""
PICTURES = "60 per minute"
"""Drawn for one address, of all stores. One that was drawn before counts for nothing."""
CODES_TO_ONE = "10 per day"
"""Codes to confirm an address with that are sent to one number or e-mail address, whoever asks: two
persons' worth. What one person may ask for is limited in `core.accounts.confirmations`."""
SIGN_UPS = "10 per hour"
"""Forms of one address that were whole and asked whether a log-in is somebody's."""
LOGOS = "10 per minute"
"""Pictures that are brought from one address: each is decoded and encoded anew."""
MOVES = "20 per hour"
"""New addresses that one address asks for: each tells whether somebody has it."""
JOINS = "10 per hour"
"""Log-ins of one address that were typed with an invitation and are somebody's already."""
INVITATIONS = "30 per hour"
"""Invitations that are made from one address."""
LOOKS = "60 per minute"
"""Addresses for a store that one address asks about as somebody types."""
CODES = (
    (hosts.STORE, "GET", "/orders/<>"),
    (hosts.STORE, "GET", "/orders/<>/status"),
    (hosts.STORE, "GET", "/orders/<>/receipt"),
    (hosts.STORE, "POST", "/orders/<>/cancel"),
    (hosts.STORE, "GET", "/orders/<>/pay"),
    (hosts.STORE, "POST", "/orders/<>/pay"),
    (hosts.STORE, "GET", "/orders/<>/prompt"),
    (hosts.STORE, "POST", "/orders/<>/prompt"),
    (hosts.STORE, "POST", "/orders/<>/voucher"),
    (hosts.STORE, "GET", "/orders/<>/back"),
    (hosts.STORE, "GET", "/orders/<>/paid"),
    (hosts.STORE, "POST", "/orders/<>/paid"),
    (hosts.STORE, "GET", "/orders/<>/not-received"),
    (hosts.STORE, "POST", "/orders/<>/not-received"),
    (hosts.STORE, "GET", "/track"),
)
"""The pages that find an order by its code, and answer 404 when there is none."""


class AskedLimits(Limiter):
    """Limits that are asked about where they stand. None of ours holds for every page, so there is
    nothing to look for before each of them."""

    def _check_request_limit(
        self, callable_name: str | None = None, in_middleware: bool = True
    ) -> None:
        if not in_middleware:
            super()._check_request_limit(callable_name, in_middleware)


def table(config: Config) -> dict[tuple[str, str, str], list[Limit]]:
    """Every limited address, by room, method and path. An order counts only when new, so a repeated
    form never does, and what was only begun has a count of its own.

    Webhooks have no limit here: a refused one may never come again, and what a ring may cause is
    limited in `core`.
    """
    most = config.orders_per_address_minute
    pictures = [Limit("pictures", PICTURES, counts=limit_keys.drew_a_picture)]
    to_one = Limit(
        "codes_to_one",
        CODES_TO_ONE,
        counts=limit_keys.sent_a_code,
        key=limit_keys.where_the_code_goes,
    )
    return {
        (hosts.STORE, "GET", "/preview.png"): pictures,
        (hosts.STORE, "GET", "/prices.png"): pictures,
        # one view with the other icons
        (hosts.STORE, "GET", "/icon-192.png"): pictures,
        (hosts.STORE, "POST", "/orders"): [
            Limit(
                "orders",
                f"{most} per minute",
                limit_keys.confirms,
                limit_keys.made_an_order,
                is_usual=True,
            ),
            Limit(
                "drafts",
                f"{most * DRAFTS_EACH} per minute",
                lambda: not limit_keys.confirms(),
                limit_keys.made_a_draft,
                is_usual=True,
            ),
        ],
        (hosts.PORTAL, "POST", "/lists"): [Limit("lists", LISTS)],
        (hosts.PORTAL, "POST", "/payments"): [Limit("payments", PAYMENTS)],
        (hosts.PORTAL, "POST", "/sign-up"): [
            Limit("sign_ups", SIGN_UPS, counts=limit_keys.asked_for_a_log_in),
            to_one,
        ],
        (hosts.PORTAL, "POST", "/people"): [Limit("invitations", INVITATIONS)],
        (hosts.PORTAL, "POST", "/join/<>"): [
            Limit("joins", JOINS, counts=limit_keys.asked_for_a_log_in)
        ],
        (hosts.PORTAL, "POST", "/confirm/<>/send"): [to_one],
        (hosts.PORTAL, "GET", "/sign-up/address"): [Limit("looks", LOOKS)],
        (hosts.PORTAL, "GET", "/store/address/check"): [Limit("looks", LOOKS)],
        (hosts.PORTAL, "POST", "/store/address"): [Limit("moves", MOVES)],
        (hosts.PORTAL, "POST", "/store/logo"): [Limit("logos", LOGOS)],
        (hosts.STORE, "POST", "/track/number"): [
            Limit(
                "numbers",
                GUESSES,
                counts=limit_keys.guessed_wrong,
                key=limit_keys.caller_of_store,
            ),
            *(
                Limit(
                    scope,
                    amount,
                    counts=limit_keys.guessed_wrong,
                    key=limit_keys.number_asked_for,
                )
                for scope, amount in (
                    ("numbers_of_one", GUESSES_OF_ONE),
                    ("numbers_of_one_a_day", GUESSES_OF_ONE_A_DAY),
                )
            ),
        ],
    }


def install(app: Flask, config: Config) -> None:
    """Put the table's limits on the registered endpoints. Raises `LookupError` for an address no
    room serves."""
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {
        "socket_timeout": COUNT_S,
        "socket_connect_timeout": COUNT_S,
        "retry": NO_RETRY,
    }
    limiter = AskedLimits(
        caller,
        storage_uri=config.redis_url,
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        key_prefix=PREFIX,
    )
    limiter.init_app(app)
    for (room, method, path), limits in table(config).items():
        endpoint = _endpoint(app, room, method, path)
        counted = [Counted(limiter, limit) for limit in limits]
        app.view_functions[endpoint] = told_when_over(
            app.view_functions[endpoint], counted
        )
    missed = limiter.shared_limit(
        MISSES, scope="codes", key_func=limit_keys.caller_of_store
    )(_missed)
    for room, method, path in CODES:
        endpoint = _endpoint(app, room, method, path)
        app.view_functions[endpoint] = _counting_misses(
            app.view_functions[endpoint], missed
        )


def valkey(url: str) -> Redis:
    """A client that gives up at once: no retries, short timeouts."""
    return Redis.from_url(
        url, socket_timeout=VALKEY_S, socket_connect_timeout=VALKEY_S, retry=NO_RETRY
    )


def _counting_misses(
    view: Callable[..., Any], missed: Callable[[], None]
) -> Callable[..., Any]:
    """The view, which looks first; only when it found nothing is the caller's count asked."""

    @wraps(view)
    def looked_up(*words: Any, **named: Any) -> Response:
        response = make_response(view(*words, **named))
        if response.status_code == 404:
            missed()
        return response

    return looked_up


def _missed() -> None:
    """What is limited: one more code that is no order's. Raises `RateLimitExceeded` once it is."""


def _endpoint(
    app: Flask,
    room: str,
    method: str,
    path: str,
) -> str:
    for rule in app.url_map.iter_rules():
        if (
            rule.subdomain == room
            and method in (rule.methods or ())
            and re.sub("<[^>]+>", "<>", rule.rule) == path
        ):
            return str(rule.endpoint)
    raise LookupError(
        f"edge/limits.py limits {method} {path} of {room}, which no room serves"
    )
