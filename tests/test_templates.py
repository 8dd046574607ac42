"""No template imports a name it does not use, and no macro stands there for nobody.

A name that is imported says what a page is made of; one that is not used sends its reader the wrong
way. Jinja's own parser reads every template, so a name in a sentence or a comment does not count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

TESTS = Path(__file__).resolve().parent
TEMPLATES = TESTS.parent / "templates"
GALLERY = TESTS / "edge" / "gallery" / "gallery.html"


@dataclass
class Page:
    """What one template brings in, defines and uses."""

    used: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    macros: set[str] = field(default_factory=set)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Of `from`: the name here → its file and its name there."""
    modules: dict[str, str] = field(default_factory=dict)
    """Of `import`: the name here → its file."""
    asked: set[tuple[str, str]] = field(default_factory=set)
    """Of `module.name`: both."""

    def unused(self) -> set[str]:
        return {*self.names, *self.modules} - self.used

    def reaches(self) -> set[tuple[str, str]]:
        """The macros of other files that it uses, as file and name."""
        by_name = {there for here, there in self.names.items() if here in self.used}
        by_module = {
            (self.modules[module], name)
            for module, name in self.asked
            if module in self.modules
        }
        return by_name | by_module


def read(text: str) -> Page:
    page = Page()
    tree = Environment(autoescape=True).parse(text)
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.Name) and node.ctx == "load":
            page.used.add(node.name)
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
            page.called.add(node.node.name)
        elif isinstance(node, nodes.Macro):
            page.macros.add(node.name)
        elif isinstance(node, nodes.Import):
            page.modules[node.target] = _file(node.template)
        elif isinstance(node, nodes.FromImport):
            for name in node.names:
                there, here = name if isinstance(name, tuple) else (name, name)
                page.names[here] = (_file(node.template), there)
        elif isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
            page.asked.add((node.node.name, node.attr))
    return page


def _file(template: nodes.Expr) -> str:
    assert isinstance(template, nodes.Const), "a file's name stands in the template"
    return str(template.value)


def borrowed(them: dict[str, Page]) -> list[str]:
    """Macros that a template calls without importing them: whoever includes it has to know."""
    macros = {name for page in them.values() for name in page.macros}
    return [
        f"{file}: {name}"
        for file, page in sorted(them.items())
        for name in sorted((page.called & macros) - page.macros - set(page.names))
    ]


def idle_macros(them: dict[str, Page]) -> list[str]:
    """Macros that neither their own file nor another one uses."""
    reached = {macro for page in them.values() for macro in page.reaches()}
    return [
        f"{file}: {name}"
        for file, page in sorted(them.items())
        for name in sorted(page.macros - page.used)
        if (file, name) not in reached
    ]


@cache
def pages() -> dict[str, Page]:
    """Every file of the templates, by its name."""
    return {
        path.relative_to(TEMPLATES).as_posix(): read(path.read_text())
        for path in sorted(TEMPLATES.rglob("*"))
        if path.is_file()
    }


def test_every_imported_name_is_used() -> None:
    assert len(pages()) > 90 and sum(len(page.names) for page in pages().values()) > 90
    found = {
        file: sorted(page.unused())
        for file, page in {**pages(), "gallery": read(GALLERY.read_text())}.items()
    }
    assert {file: names for file, names in found.items() if names} == {}


def test_every_imported_name_is_there() -> None:
    """A macro that is gone is found here, not by who opens the page."""
    missing = [
        f"{file}: {there} of {source}"
        for file, page in pages().items()
        for source, there in page.names.values()
        if there not in pages()[source].macros
    ]
    assert missing == []


def test_every_template_imports_the_macros_it_calls() -> None:
    assert borrowed(pages()) == []
    atoms = read("{% macro one() %}{% endmacro %}")
    two = {"a.html": atoms, "part.html": read("{{ one() }}{{ other() }}")}
    assert borrowed(two) == ["part.html: one"]


def test_every_macro_is_used() -> None:
    assert sum(len(page.macros) for page in pages().values()) > 20
    assert idle_macros(pages()) == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('{% from "a.html" import one, two %}{{ one() }}', {"two"}),
        ('{% from "a.html" import one as other %}{{ one() }}', {"other"}),
        ('{% from "a.html" import one %}{# one() #} one', {"one"}),
        ('{% import "a.html" as atoms %}{{ one() }}', {"atoms"}),
        ('{% from "a.html" import one %}{% call one() %}x{% endcall %}', set()),
        ('{% import "a.html" as atoms %}{{ atoms.one() }}', set()),
    ],
)
def test_an_unused_name_is_seen(text: str, names: set[str]) -> None:
    assert read(text).unused() == names


@pytest.mark.parametrize(
    ("page", "idle"),
    [
        ("", ["a.html: one", "a.html: two"]),
        ('{% from "a.html" import one %}{{ one() }}', ["a.html: two"]),
        ('{% from "a.html" import one, two %}{{ one() }}', ["a.html: two"]),
        ('{% import "a.html" as atoms %}{{ atoms.two() }}', ["a.html: one"]),
        ('{% from "b.html" import one %}{{ one() }}', ["a.html: one", "a.html: two"]),
    ],
)
def test_an_idle_macro_is_seen(page: str, idle: list[str]) -> None:
    atoms = (
        "{% macro one() %}1{% endmacro %}{% macro two() %}{{ inner() }}{% endmacro %}"
        "{% macro inner() %}{% endmacro %}"
    )
    assert idle_macros({"a.html": read(atoms), "page.html": read(page)}) == idle
