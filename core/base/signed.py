"""Words of the program that the database can tell from anybody else's: HMAC-SHA256 with a key
derived from the secret.

`flask --app wsgi db upgrade` writes the key into a table that no role of the application reads. So
a statement smuggled into one of ours can neither name another store nor do what only signed words
may do.
"""

from __future__ import annotations

import hmac
import json
from functools import lru_cache
from typing import Any

from core.base import config

_PURPOSE = b"makola: words of the program to its database"
_BLOCK = 64
"""Block size of SHA-256 in bytes: HMAC hashes the key padded to it, twice."""


_agreed: dict[str, str] = {}
"""Secret key of the program → the one the database knows: an earlier one, between a change of keys
and `db upgrade`."""


def mac(words: str, secret_key: str | None = None) -> str:
    """HMAC of `words`, 64 hexadecimal digits: it proves to the database that this program says
    them."""
    ours = config.current().secret_key
    return hmac.new(
        _key(secret_key or _agreed.get(ours, ours)), words.encode(), "sha256"
    ).hexdigest()


def agree(secret_key: str) -> None:
    """Sign with this key from now on: of ours and those we still accept, the one that the database
    knows."""
    _agreed[config.current().secret_key] = secret_key


def say(act: str, **words: Any) -> dict[str, str]:
    """The two parameters, `said` and `mac`, of the database's function `act`, which hears signed
    words alone.

    Values are what JSON knows; moments and bytes are given as text.
    """
    said = json.dumps(words, separators=(",", ":"))
    return {"said": said, "mac": mac(f"{act}:{said}")}


def pads(secret_key: str) -> tuple[bytes, bytes]:
    """The key as the database keeps it: inner and outer pad of HMAC, so that its `sha256` is all it
    takes."""
    padded = _key(secret_key).ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)


@lru_cache(maxsize=8)
def _key(secret_key: str) -> bytes:
    return hmac.digest(secret_key.encode(), _PURPOSE, "sha256")
