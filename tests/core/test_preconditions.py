"""What a function says must hold before it is called is checked at each call, in an error that names
it, and asks the database nothing."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache, reduce
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from test_architecture import ROOT, sources

from core import ledger
from core.base import tenancy
from core.base.db import transaction
from core.base.preconditions import (
    NotEveryStore,
    NoUseCase,
    inside_use_case,
    needs_across_stores,
)
from tests.fulfilment.counting import counted
from tests.support.written import text, tree

PROSE = re.compile(
    r"needs\s+`?across_stores|(?<!or )\binside\s+(the|its|their)\s+(open\s+)?use\s+case",
    re.IGNORECASE,
)
BOTH_WAYS = {"core/audit.py: write"}
"""Functions that work inside an open use case and outside, and say so."""


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """(dotted name inside its module, function)"""

    def walk(node: ast.AST, names: tuple[str, ...]) -> Iterator[Any]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield ".".join((*names, child.name)), child
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, (*names, child.name))

    yield from walk(tree(path), ())


@cache
def marked(decorator: str) -> list[str]:
    """module:function of all that carry it."""
    return [
        f"{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}:{name}"
        for path in sources()
        if f"@{decorator}" in text(path)
        for name, function in functions(path)
        if decorator in [ast.unparse(one) for one in function.decorator_list]
    ]


def found(address: str) -> Callable[..., Any]:
    module, _, name = address.partition(":")
    function: Callable[..., Any] = reduce(
        getattr, name.split("."), importlib.import_module(module)
    )
    return function


@pytest.mark.slow(seconds=0.7)
def test_many_functions_say_what_they_need() -> None:
    assert len(marked("inside_use_case")) > 50
    assert len(marked("needs_across_stores")) > 35


@pytest.mark.slow(seconds=3)
@pytest.mark.parametrize("address", marked("inside_use_case"))
def test_a_part_of_a_use_case_is_refused_where_none_is_open(
    context: Flask, address: str
) -> None:
    with tenancy.across_stores(), counted() as cost:
        name = address.replace(":", ".")
        with pytest.raises(NoUseCase, match=rf"^{re.escape(name)} is a part of a use"):
            found(address)()
    assert cost.statements == []


@pytest.mark.parametrize("address", marked("needs_across_stores"))
def test_what_speaks_of_all_stores_is_refused_inside_one(
    ama: int, address: str
) -> None:
    with counted() as cost:
        name = address.replace(":", ".")
        with pytest.raises(NotEveryStore, match=rf"^{re.escape(name)} speaks of all"):
            found(address)()
    assert cost.statements == []


def test_where_it_holds_the_function_runs_and_nothing_is_asked(context: Flask) -> None:
    @needs_across_stores
    @inside_use_case
    def both(first: int, *, second: str = "") -> tuple[int, str]:
        """Says something."""
        return first, second

    with tenancy.across_stores(), counted() as cost:
        with transaction():
            assert both(1, second="2") == (1, "2")
        with pytest.raises(NoUseCase):
            both(1)
    with pytest.raises(NotEveryStore):
        both(1)
    assert cost.statements == []
    assert (both.__name__, both.__doc__) == ("both", "Says something.")
    assert list(inspect.signature(both).parameters) == ["first", "second"]


def test_the_books_of_one_store_are_never_taken_for_all_books(ama: int) -> None:
    with pytest.raises(NotEveryStore):
        ledger.books()
    tenancy.clear()
    with tenancy.across_stores():
        assert ledger.books().total_pesewas == 0


def test_a_precondition_stands_above_a_function_and_not_in_its_prose() -> None:
    told = [
        place
        for path in sources()
        if PROSE.search(text(path))
        for name, function in functions(path)
        if PROSE.search(ast.get_docstring(function) or "")
        and (place := f"{path.relative_to(ROOT).as_posix()}: {name}") not in BOTH_WAYS
    ]
    assert told == []
