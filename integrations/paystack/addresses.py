"""Which addresses of Paystack's answers people or files may be sent to.

Decides by the address that the API itself is at: the real one leads to Paystack over TLS, a fake on
this machine to this machine.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

REAL = "https://api.paystack.co"
CHECKOUT_HOSTS = ("paystack.com", "paystack.co", "paystack.shop")
"""And whatever is below them."""
_PLAIN = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII without blank and backslash, at which browsers and we would read differently."""


@dataclass(frozen=True)
class Addresses:
    """What the API at `base_url` may name."""

    base_url: str

    def may_lead_to(self, url: str) -> bool:
        """Whether a customer may be sent there to pay."""
        host = self._host(url)
        if host is None or self._is_fake:
            return host is not None
        return any(host == name or host.endswith(f".{name}") for name in CHECKOUT_HOSTS)

    def may_take_files(self, url: str) -> bool:
        """Whether a file of evidence may be put there. Whose store it is, is not documented."""
        return self._host(url) is not None

    @property
    def _is_fake(self) -> bool:
        return _is_loopback(urlsplit(self.base_url).hostname or "")

    def _host(self, url: str) -> str | None:
        """The host of an address that may be used at all: over TLS, or on this machine when the API
        is there too."""
        if not _PLAIN.fullmatch(url):
            return None
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            return None
        host = parts.hostname
        if not host or "@" in parts.netloc:
            return None
        if self._is_fake:
            return host if _is_loopback(host) and parts.scheme == "http" else None
        return host if parts.scheme == "https" and not _is_loopback(host) else None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
