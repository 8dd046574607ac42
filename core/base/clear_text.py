"""Which addresses may carry a secret in clear: those of this machine.

Decides what is refused and what is only said. An API's address is refused, because keys go with
every call; a database or a Valkey across a private network is its operator's decision, and said in
the log.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

_NOT_IN_AN_ADDRESS = re.compile(r"[\s?#\x00-\x1f\x7f]")
"""What would end up in each path that is joined to the supplier's address, or be dropped from it in
silence."""


def problem_of_supplier(address: str) -> str | None:
    """Why DATA_MART_API_URL cannot be used, with the fix; None when it can."""
    return problem_of_api("DATA_MART_API_URL", address, "the supplier's", "/api")


def problem_of_api(
    name: str, address: str, whose: str = "the", path: str = ""
) -> str | None:
    """Why the address of an API that is called with keys cannot be used, with the fix; None when it
    can."""
    like = f"https://api.example.com{path}"
    if _NOT_IN_AN_ADDRESS.search(address):
        return f"{name} has a blank, a ? or a # in it: write it like {like}."
    try:
        parts = urlsplit(address)
        host = parts.hostname
        _port = parts.port
    except ValueError:  # an unclosed bracket, or a port that is no number
        return f"{name} is not an address: write it like {like}."
    if (
        parts.scheme not in ("http", "https")
        or not host
        or "@" in parts.netloc
        or "\\" in address
    ):
        return f"{name} must be an http(s) address without a user name."
    if parts.scheme == "http" and not is_loopback(host):
        return (
            f"{name} would send {whose} keys to {host} in clear: use https://. Only addresses of"
            f" this machine, such as http://127.0.0.1:8080{path}, may do without."
        )
    return None


def is_of_this_machine(address: str) -> bool:
    """Whether an address that may be used leads to this machine."""
    return is_loopback(urlsplit(address).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own, whatever a name server says."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def cautions(
    *,
    databases: Mapping[str, str],
    redis_url: str,
    public_scheme: str,
    base_domain: str,
) -> list[str]:
    """What is allowed and yet tells secrets to a network, each with its fix. `databases`: setting →
    address."""
    found = [
        f"{name} leaves this machine, perhaps in clear: add sslmode=verify-full, or keep it private"
        for name, url in databases.items()
        if _is_far_in_clear(url)
    ]
    try:
        valkey = urlsplit(redis_url)
    except ValueError:
        return found  # whoever connects says what is wrong with it
    if (
        valkey.scheme == "redis"
        and valkey.hostname
        and not is_loopback(valkey.hostname)
    ):
        found.append(
            "REDIS_URL leaves this machine in clear: use rediss://, or keep that network private"
        )
    if (
        public_scheme == "http"
        and base_domain != "localhost"
        and not base_domain.endswith(".localhost")
    ):
        found.append(
            "MAKOLA_PUBLIC_SCHEME is http: log-ins do not work, and reset links go in clear; set"
            " https"
        )
    return found


def _is_far_in_clear(database_url: str) -> bool:
    """Whether a database is on another machine and nothing in its address asks for TLS."""
    try:
        address = urlsplit(database_url)
    except ValueError:
        return False
    host = parse_qs(address.query).get("host", [address.hostname or ""])[0]
    far = bool(host) and not host.startswith("/") and not is_loopback(host)
    return far and not re.search(
        r"[?&]sslmode=(require|verify-ca|verify-full)\b", database_url
    )
