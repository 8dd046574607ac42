"""How often one address may ask for what: one table, endpoint to limit.

Decides only crude limits against floods and guessing. Business limits (orders per number, log-in attempts per
account) live in `core`, in PostgreSQL. With Valkey down each process counts in memory, and pages answer as before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, Response, g, request
from flask_limiter import Limiter
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core import addresses
from core.config import Config
from door import hosts

VALKEY_S = 0.2
"""Connect and read timeout of the client that rings."""
COUNT_S = 0.1
"""The same for counting. When Valkey freezes, a page waits for it twice here and once to ring: within half a second."""
NO_RETRY = Retry(NoBackoff(), 0)


@dataclass(frozen=True)
class Limit:
    """`amount` per window in the notation of Flask-Limiter. `counts` says which answers use it up; None: all."""

    amount: str
    counts: Callable[[Response], bool] | None = None
    per_host: bool = False
    """Counted per store and address instead of per address alone."""


def _made_an_order(_response: Response) -> bool:
    return bool(g.get("order_created"))


def _not_found(response: Response) -> bool:
    return response.status_code == 404


def _looked_up(_response: Response) -> bool:
    return any(request.args.values())


def table(config: Config) -> dict[tuple[str, str, str], Limit]:
    """Every limited address, by room, method and path. An order counts only when new, so a repeated form never does.

    Webhooks have no limit here: a refused one may never come again, and what a ring may cause is limited in `core`.
    """
    guesses = Limit("60 per 10 minutes", counts=_not_found, per_host=True)
    return {
        (hosts.STORE, "POST", "/orders"): Limit(
            f"{config.orders_per_address_minute} per minute", counts=_made_an_order
        ),
        (hosts.STORE, "GET", "/orders/<>"): guesses,
        (hosts.STORE, "GET", "/orders/<>/status"): guesses,
        (hosts.STORE, "GET", "/track"): Limit("30 per 10 minutes", counts=_looked_up, per_host=True),
    }


def install(app: Flask, config: Config) -> None:
    """Put the table's limits on the registered endpoints. Raises `LookupError` for an address no room serves."""
    limiter = Limiter(
        caller,
        storage_uri=config.redis_url,
        storage_options={"socket_timeout": COUNT_S, "socket_connect_timeout": COUNT_S, "retry": NO_RETRY},  # type: ignore[dict-item]
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        key_prefix="makola",
    )
    limiter.init_app(app)
    for (room, method, path), limit in table(config).items():
        endpoint = _endpoint(app, room, method, path)
        app.view_functions[endpoint] = limiter.limit(
            limit.amount,
            key_func=caller_of_host if limit.per_host else caller,
            methods=[method],
            deduct_when=limit.counts,
        )(app.view_functions[endpoint])


def caller() -> str:
    """The key of this request's client."""
    return addresses.key(request.remote_addr)


def caller_of_host() -> str:
    place = hosts.place()
    return f"{place.slug or place.room} {caller()}"


def valkey(url: str) -> Redis:
    """A client that gives up at once: no retries, short timeouts."""
    return Redis.from_url(url, socket_timeout=VALKEY_S, socket_connect_timeout=VALKEY_S, retry=NO_RETRY)


def _endpoint(app: Flask, room: str, method: str, path: str) -> str:
    for rule in app.url_map.iter_rules():
        if rule.subdomain == room and method in (rule.methods or ()) and re.sub("<[^>]+>", "<>", rule.rule) == path:
            return rule.endpoint
    raise LookupError(f"door/limits.py limits {method} {path} of {room}, which no room serves")
