"""What is done in one store, but not by the store's own role.

A store's role may not write everything that is a store's: what is smuggled into one of its pages
must not be able to move its earnings, for one. A verb that may stands above such a right, and works
as the platform inside that one store, with both layers of the separation standing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Concatenate, ParamSpec, TypeVar

from core.base import tenancy

P = ParamSpec("P")
T = TypeVar("T")


def as_platform_in_store(
    verb: Callable[Concatenate[int, P], T],
) -> Callable[Concatenate[int, P], T]:
    """For verbs whose first argument is the store. Raises `tenancy.ForeignRow` for another than the
    one that this work is in."""

    def inside(store_id: int, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if _current() not in (None, store_id):
            raise tenancy.ForeignRow(
                f"store {store_id} in the work of store {_current()}"
            )
        with tenancy.inside(store_id):
            return verb(store_id, *args, **kwargs)

    return update_wrapper(inside, verb)


def _current() -> int | None:
    try:
        return tenancy.current_store_id()
    except tenancy.NoStore:
        return None
