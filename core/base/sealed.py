"""Secrets that the program has to read again, encrypted with a key derived from the secret key.

Fernet (AES-128-CBC and HMAC-SHA256), with a key of its own for each purpose. What an earlier key
sealed is opened as long as that stands among the fallbacks.
"""

from __future__ import annotations

import base64
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING

from core.base import config

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Unreadable(Exception):
    """Sealed with a key that this program has no more, for something else, or not by us."""


def seal(text: str, purpose: str) -> str:
    """`text`, for whoever has the key and says the same purpose, such as `second step of 3`."""
    return _keys(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, purpose: str) -> str:
    """What `seal` was given. Raises `Unreadable`."""
    from cryptography.fernet import InvalidToken

    try:
        return _keys(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Unreadable from None


def _keys(purpose: str) -> MultiFernet:
    # newest first: that one seals
    keys = tuple(reversed(config.current().signing_keys))
    return _made(keys, purpose)


@lru_cache(maxsize=64)
def _made(keys: tuple[str, ...], purpose: str) -> MultiFernet:
    # a process that seals nothing stays light
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(_derived(key, purpose)) for key in keys])


def _derived(secret_key: str, purpose: str) -> bytes:
    said = f"makola: sealed for {purpose}".encode()
    return base64.urlsafe_b64encode(hmac.digest(secret_key.encode(), said, "sha256"))
