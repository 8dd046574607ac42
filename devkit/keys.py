"""The random secrets of one data folder: made on first use, the same ever after, gone with
`--reset`.

Decides what is secret and how long it is. Leaves the roles behind the database passwords to
`servers`, and the accounts behind the log-ins to `flask seed`, which reads the same file.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"  # nothing that looks like something else
_PEOPLE = {
    "owner": "owner@makola.example",
    "ama": "ama@makola.example",
    "kofi": "kofi@makola.example",
}


def load(path: Path) -> dict[str, Any]:
    """Read the secrets at `path`, adding what is missing. The file is for its owner's eyes only
    (0600).

    Raises `OSError` when it cannot be read or written, `ValueError` when it is not JSON.
    """
    known: dict[str, Any] = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    )
    fresh = {
        "secret_key": secrets.token_urlsafe(48),
        "webhook_token": secrets.token_urlsafe(24),
        "database_owner_password": secrets.token_urlsafe(24),
        "database_store_password": secrets.token_urlsafe(24),
        "database_platform_password": secrets.token_urlsafe(24),
        "sandbox_api_key": "sandbox-" + secrets.token_hex(16),
        "sandbox_api_secret": secrets.token_hex(32),
        "paystack_key": "sk_test_" + secrets.token_hex(20),
        **{
            name: {"email": email, "password": _password()}
            for name, email in _PEOPLE.items()
        },
    }
    every = fresh | known
    if every != known:
        save(path, every)
    return every


def save(path: Path, value: dict[str, Any]) -> None:
    """Replace the JSON file at `path` in one step, readable by its owner only."""
    half = path.with_name(f"{path.name}.{os.getpid()}")
    half.unlink(missing_ok=True)
    with os.fdopen(
        os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600),
        "w",
        encoding="utf-8",
    ) as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def _password() -> str:
    """About 78 random bits that a person can read off a screen and type."""
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4)
    )
