"""How a refusal of core is said at the command line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from core import stores
from core.accounts import people
from core.base import passwords, phones


def in_sentences(command: Callable[..., None]) -> Callable[..., None]:
    """A refusal of core is printed as its sentence, and the command leaves with 1."""

    @functools.wraps(command)
    def told(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (
            people.PersonRefused,
            passwords.BadPassword,
            stores.BadStore,
            phones.BadNumber,
        ) as refusal:
            raise click.ClickException(refusal.sentence) from None

    return told
