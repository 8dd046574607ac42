"""Who sends: a token for one push service (RFC 8292), signed with ES256."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from integrations.webpush import keys
from integrations.webpush.coding import encoded

GOOD_FOR_S = 6 * 3_600
"""A token says until when it is good; more than a day is refused."""


def authorization(pair: str, endpoint: str, contact: str, now_s: float) -> str:
    """The header of that name. `contact` is a mailto: or https: address at which the push service
    finds us. Raises `keys.BadKey`."""
    private = keys.read(pair)
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int(now_s) + GOOD_FOR_S,
        "sub": contact,
    }
    words = f"{_part({'typ': 'JWT', 'alg': 'ES256'})}.{_part(claims)}"
    signature = private.sign(words.encode(), ec.ECDSA(hashes.SHA256()))
    both = b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(signature))
    return f"vapid t={words}.{encoded(both)}, k={pair.partition('.')[2]}"


def _part(said: dict[str, object]) -> str:
    return encoded(json.dumps(said, separators=(",", ":")).encode())
