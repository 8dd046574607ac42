"""Who counts as one caller: the key under which everything that counts by address counts.

Decides only what one address is. How often it may do what is decided where it is counted.
"""

from __future__ import annotations

import ipaddress

NOBODY = "nobody"
"""The key of a request whose address is not known, such as one through a Unix socket."""
_V6_PREFIX = 64
"""What one line is given at least (RFC 6177): its owner may use each address of it."""


def key(text: str | None) -> str:
    """The key of a client's address: IPv4 as it is, also when mapped into IPv6; of IPv6 its /64.

    A text that is no address is its own key, cut to 64 characters.
    """
    text = (text or "").strip()
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text[:64] or NOBODY
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _V6_PREFIX), strict=False).network_address)
