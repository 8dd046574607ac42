"""Putting another function in the place of a shipped one, in every module that knows it by name,
and taking it out again.

For the simulation's seams and for the mutants. The shipped rooms hold no hook for this and do not
know of it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

ROOMS = (
    "core",
    "fulfilment",
    "operations",
    "edge",
    "storefront",
    "agent_portal",
    "admin_console",
    "wsgi",
)
Undo = Callable[[], None]


class Drifted(AssertionError):
    """What was to be replaced is gone or is called otherwise now: the stand-in must be looked at
    first."""


def everywhere(original: Any, replacement: Any) -> Undo:
    """Replace an object in every module of ours that has it as a global; importing it later finds
    the new one too."""
    places = [
        (module, name)
        for module in _modules()
        for name, value in list(vars(module).items())
        if value is original
    ]
    if not places:
        raise Drifted(
            f"nothing of ours knows {getattr(original, '__qualname__', original)!r}"
        )
    for module, name in places:
        setattr(module, name, replacement)
    return lambda: [setattr(module, name, original) for module, name in places] and None


def attribute(owner: Any, name: str, replacement: Any) -> Undo:
    """Replace one attribute of a module or class. Raises `Drifted` when it has none of that
    name."""
    if name not in vars(owner):
        raise Drifted(f"{owner.__name__} has no {name!r} any more")
    original = vars(owner)[name]
    setattr(owner, name, replacement)
    return lambda: setattr(owner, name, original)


def same_signature(
    original: Callable[..., Any], replacement: Callable[..., Any]
) -> None:
    """Raise `Drifted` unless both take the same parameters, by name, kind and default."""
    theirs, ours = (_parameters(function) for function in (original, replacement))
    if theirs != ours:
        name = f"{original.__module__}.{original.__qualname__}"
        raise Drifted(f"{name} takes {theirs} now, and its stand-in {ours}")


def undo_all(undos: list[Undo]) -> None:
    """Take replacements out again, the last one first."""
    while undos:
        undos.pop()()


def _parameters(function: Callable[..., Any]) -> list[tuple[str, str, Any]]:
    return [
        (
            item.name,
            item.kind.name,
            item.default if item.default is not item.empty else "-",
        )
        for item in inspect.signature(function).parameters.values()
    ]


def _modules() -> list[ModuleType]:
    return [
        module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in ROOMS and isinstance(module, ModuleType)
    ]
