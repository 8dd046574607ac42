"""What must hold before a function is called, said above it and checked at each call.

Decides nothing but that: a call against it is a mistake of the program, never of a person, and ends
in an error that names the function. The checks look at what this work knows already; they ask the
database nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from core.base.db import in_transaction
from core.base.tenancy import sees_everything

P = ParamSpec("P")
T = TypeVar("T")


class NoUseCase(RuntimeError):
    """A part of a use case was called where none is open: what it locks would not stay locked, and
    what it writes nobody would save."""


class NotEveryStore(RuntimeError):
    """What speaks of all stores was called by work that does not see them: it would hold by seeing
    nothing."""


def inside_use_case(part: Callable[P, T]) -> Callable[P, T]:
    """For a part of a use case: its caller has opened one. Raises `NoUseCase` when not."""

    @wraps(part)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        if not in_transaction():
            raise NoUseCase(
                f"{_name(part)} is a part of a use case: call it inside `transaction()`"
            )
        return part(*args, **kwargs)

    return checked


def needs_across_stores(verb: Callable[P, T]) -> Callable[P, T]:
    """For what speaks of all stores: its caller sees them. Raises `NotEveryStore` when not."""

    @wraps(verb)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        if not sees_everything():
            raise NotEveryStore(
                f"{_name(verb)} speaks of all stores: call it inside `across_stores()`"
            )
        return verb(*args, **kwargs)

    return checked


def _name(function: Callable[..., object]) -> str:
    return f"{function.__module__}.{function.__qualname__}"
