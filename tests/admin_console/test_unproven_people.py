"""Roles given by command to who signed up: nobody else's password opens them."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from visitors import Visitor

from core.base import tenancy
from core.base.db import transaction

EMAIL, PASSWORD = "books@example.test", "river stone lamp seven"
FORM = {
    "name": "Some Body",
    "phone": "024 555 0101",
    "email": EMAIL,
    "password": PASSWORD,
    "store_name": "Some Shop",
}
ACTS = [
    ("user", "role", EMAIL, "finance"),
    ("store", "member", "ama", EMAIL, "--role", "cashier"),
    ("store", "open", "new-shop", "--name", "New Shop", "--agent", EMAIL),
]


def run(app: Flask, *words: str) -> str:
    result = app.test_cli_runner().invoke(args=list(words))
    assert result.exit_code == 0, result.output
    return result.output


def enters(visitor: Any, room: str) -> bool:
    form = {"email": EMAIL, "password": PASSWORD}
    return bool(visitor(room).post("/login", form).status_code == 303)


def confirm(app: Flask, kind: str) -> None:
    with app.app_context(), tenancy.across_stores(), transaction() as session:
        said = text("UPDATE confirmations SET confirmed_at = now() WHERE kind = :kind")
        session.execute(said, {"kind": kind})


@pytest.mark.parametrize("words", ACTS, ids=["role", "member", "open"])
@pytest.mark.parametrize("confirmed", ["", "phone"])
def test_a_stranger_s_password_opens_no_role(
    app: Flask, visitor: Any, words: tuple[str, ...], confirmed: str
) -> None:
    stranger: Visitor = visitor("portal")
    assert stranger.post("/sign-up", FORM).status_code == 303
    confirm(app, confirmed)
    assert enters(visitor, "portal")
    said = run(app, *words)
    assert "signed up, log-in not confirmed" in said and "/reset/" in said
    assert not enters(visitor, "portal") and not enters(visitor, "admin")
    assert stranger.get("/").location.startswith("/login")


@pytest.mark.parametrize("words", ACTS, ids=["role", "member", "open"])
def test_who_confirmed_their_log_in_keeps_their_password(
    app: Flask, visitor: Any, words: tuple[str, ...]
) -> None:
    visitor("portal").post("/sign-up", FORM)
    confirm(app, "email")
    assert "not confirmed" not in run(app, *words)
    assert enters(visitor, "portal")


def test_who_was_added_and_who_loses_a_role_keep_their_password(
    app: Flask, visitor: Any
) -> None:
    said = run(app, "store", "member", "ama", "kofi@example.test", "--role", "viewer")
    assert "not confirmed" not in said
    visitor("portal").post("/sign-up", FORM)
    said = run(app, "store", "member", "some-shop", EMAIL, "--role", "none")
    assert "not confirmed" not in said
