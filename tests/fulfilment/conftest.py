"""A desk with a fresh sandbox supplier for every test of fulfilment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from desk import Desk
from flask import Flask
from seed import FLOAT_PESEWAS

from integrations.sandbox import app as sandbox_app
from integrations.sandbox.store import Store


@pytest.fixture
def make_desk(app: Flask, tmp_path: Path, jump: Callable[[float], None]) -> Iterator[Callable[..., Desk]]:
    made: list[sandbox_app.Supplier] = []

    def build(profile: str = "documented", *, wallet_pesewas: int = FLOAT_PESEWAS, **knobs: object) -> Desk:
        store = Store(tmp_path / f"supplier-{len(made)}.db", wallet_pesewas=wallet_pesewas)
        made.append(sandbox_app.create_sandbox(store, profile, dropped=httpx.ReadError, **knobs))
        return Desk(app, made[-1], jump)

    with app.app_context():
        yield build
    for sandbox in made:
        sandbox.sandbox.webhooks.drain()
        sandbox.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A documented supplier whose wallet is what our books say."""
    return make_desk()
