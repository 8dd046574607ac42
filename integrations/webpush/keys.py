"""Our key pair, by which push services know who sends (RFC 8292).

It is written `PRIVATE.PUBLIC` in base64url: pages need the public half, and no cryptography.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from integrations.webpush.coding import decoded, encoded

CURVE = ec.SECP256R1()


class BadKey(ValueError):
    """The setting holds no key pair."""


def make() -> str:
    """A new key pair."""
    private = ec.generate_private_key(CURVE)
    scalar = private.private_numbers().private_value.to_bytes(32, "big")
    return f"{encoded(scalar)}.{encoded(point_of(private.public_key()))}"


def read(pair: str) -> ec.EllipticCurvePrivateKey:
    """Raises `BadKey`, which does not say what was read."""
    scalar, _, point = pair.partition(".")
    try:
        private = ec.derive_private_key(int.from_bytes(decoded(scalar), "big"), CURVE)
    except ValueError:
        raise BadKey("the private half is no key") from None
    if encoded(point_of(private.public_key())) != point:
        raise BadKey("the two halves do not belong together")
    return private


def point_of(public: ec.EllipticCurvePublicKey) -> bytes:
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
