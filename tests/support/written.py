"""What is written in our files, read and parsed once a process."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def text(path: Path) -> str:
    return path.read_text()


@cache
def tree(path: Path) -> ast.Module:
    """Its syntax tree. Whoever looks for a word asks for the text first: parsing is the dear part."""
    return ast.parse(text(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of its tree."""
    return tuple(ast.walk(tree(path)))


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a name as `ast.unparse` would write it; of what is called on an expression, the end:
    `.c`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


@cache
def names_in(path: Path) -> frozenset[str]:
    """`test_name` and `Class::test_name` of a file, by its text."""
    found: set[str] = set()
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef)
            }
    return frozenset(found)
