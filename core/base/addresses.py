"""Who counts as one caller: the key under which everything that counts by address counts.

Decides only what one address is. How often it may do what is decided where it is counted.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

NOBODY = "nobody"
"""The key of a request whose address is not known, such as one through a Unix socket."""
_V6_PREFIX = 64
"""What one line is given at least (RFC 6177): its owner may use each address of it."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Where translators put an IPv4 address into the last 32 bits (RFC 6052): all of IPv4 is one /64
there."""
_WITH_PORT = re.compile(
    r"\[([0-9a-fA-F:.%\w]+)\](?::[0-9]+)?|([0-9]+(?:\.[0-9]+){3}):[0-9]+"
)
"""As some proxies write X-Forwarded-For. The port is another one at each connection."""


@lru_cache(maxsize=4_096)
def key(text: str | None) -> str:
    """The key of a client's address: IPv4 as it is, also inside an IPv6 one; of IPv6 its /64. A
    port does not count.

    A text that is no address is its own key, cut to 64 characters.
    """
    text = (text or "").strip()
    if match := _WITH_PORT.fullmatch(text):
        text = match[1] or match[2]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text[:64] or NOBODY
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address in _NAT64:
        return str(ipaddress.IPv4Address(address.packed[-4:]))
    return str(
        ipaddress.ip_network((address, _V6_PREFIX), strict=False).network_address
    )
