"""A browser that takes notices, and a push service that keeps what it is handed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.base import clock
from integrations.webpush import WebPush
from integrations.webpush.coding import encoded
from integrations.webpush.keys import CURVE, point_of

HOST = "https://updates.push.services.mozilla.com"
PUBLIC = "142.250.74.10"


class Phone:
    """A browser: its address and keys, and what it reads of a body."""

    def __init__(self, path: str = "/wpush/v2/one") -> None:
        self._private = ec.generate_private_key(CURVE)
        self._secret = bytes(range(16))
        self.endpoint = HOST + path
        self.p256dh = encoded(point_of(self._private.public_key()))
        self.auth = encoded(self._secret)

    @property
    def form(self) -> dict[str, str]:
        return {"endpoint": self.endpoint, "p256dh": self.p256dh, "auth": self.auth}

    def read(self, body: bytes) -> dict[str, Any]:
        """By RFC 8291 alone: nothing of ours is used."""
        salt, point = body[:16], body[21 : 21 + body[20]]
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)
        shared = self._private.exchange(ec.ECDH(), theirs)
        mine = point_of(self._private.public_key())
        key = _hkdf(self._secret, shared, b"WebPush: info\0" + mine + point, 32)
        content = _hkdf(salt, key, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _hkdf(salt, key, b"Content-Encoding: nonce\0", 12)
        text = AESGCM(content).decrypt(nonce, body[21 + body[20] :], None)
        found: dict[str, Any] = json.loads(text.rstrip(b"\0")[:-1])
        return found


def _hkdf(salt: bytes, key: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(key)


class Service:
    """A push service that answers with `status`; what it was handed, in their order."""

    def __init__(
        self, status: int = 201, headers: dict[str, str] | None = None
    ) -> None:
        self.status = status
        self.headers = headers or {}
        self.handed: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.handed.append(request)
        return httpx.Response(self.status, headers=self.headers)

    def push(self, pair: str, may_call: Callable[[str], bool], **more: Any) -> WebPush:
        more.setdefault("look", lambda _host: [PUBLIC])
        transport = httpx.MockTransport(self)
        return WebPush(
            pair,
            "mailto:x@example.test",
            may_call,
            clock.now,
            transport=transport,
            **more,
        )
