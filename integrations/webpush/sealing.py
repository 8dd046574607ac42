"""A notice, encrypted for one browser: `aes128gcm` of RFC 8188 with the keys of RFC 8291."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from integrations.webpush.coding import decoded
from integrations.webpush.keys import CURVE, point_of

RECORD_BYTES = 4_096
"""The longest body that push services must take, and our record size: there is one record."""
STEP_BYTES = 256
"""Each text is filled up to a multiple of this, so that its length tells nothing."""
_HEAD_BYTES = 16 + 4 + 1 + 65
_LAST = b"\x02"
LONGEST = RECORD_BYTES - _HEAD_BYTES - 16 - len(_LAST)


class BadBrowserKey(ValueError):
    """What a browser gave is no point of the curve."""


def seal(text: bytes, p256dh: str, auth: str) -> bytes:
    """The body of the request. Raises `BadBrowserKey`; `ValueError` for a text that is too
    long."""
    filled = text + _LAST
    return seal_with(
        filled.ljust(
            min(-(-len(filled) // STEP_BYTES) * STEP_BYTES, LONGEST + 1), b"\0"
        ),
        p256dh,
        auth,
        ec.generate_private_key(CURVE),
        os.urandom(16),
    )


def seal_with(
    filled: bytes,
    p256dh: str,
    auth: str,
    ours: ec.EllipticCurvePrivateKey,
    salt: bytes,
) -> bytes:
    """The same of a text that ends with its delimiter and padding, with this key and salt."""
    if len(filled) > LONGEST + len(_LAST):
        raise ValueError(f"a notice has at most {LONGEST} bytes")
    try:
        point, secret = decoded(p256dh), decoded(auth)
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)
    except ValueError:
        raise BadBrowserKey("the browser's key is no point of the curve") from None
    mine = point_of(ours.public_key())
    shared = ours.exchange(ec.ECDH(), theirs)
    key = _derived(shared, secret, b"WebPush: info\0" + point + mine, 32)
    content_key = _derived(key, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(key, salt, b"Content-Encoding: nonce\0", 12)
    head = salt + RECORD_BYTES.to_bytes(4, "big") + bytes([len(mine)]) + mine
    return head + AESGCM(content_key).encrypt(nonce, filled, None)


def _derived(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)
