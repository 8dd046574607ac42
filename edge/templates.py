"""Templates with the texts of a language in them: each is compiled once for each language.

Decides how `_("…")` and `{% trans %}` become part of a template. A page that is drawn looks nothing
up, so an English one costs what it cost when its texts stood in it as they are.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from flask import Flask
from flask.templating import Environment
from jinja2 import Template, nodes
from jinja2.environment import TemplateModule
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, _escape_inner, escape  # type: ignore[attr-defined]

from core.base import language

FUNCTIONS = frozenset({"_", "gettext"})


class OwnTemplate(Template):
    """A template whose macros are read by others, which all know the same names beside them."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        # Jinja's own compares every name that is known at each import: a tenth of a small page.
        return super()._get_default_module()

    @classmethod
    def _from_namespace(
        cls, environment: Any, namespace: MutableMapping[str, Any], names: Any
    ) -> Template:
        # what its compiled text calls for each value that it shows
        namespace["escape"] = shown
        made: Template = super()._from_namespace(environment, namespace, names)
        return made


def shown(value: Any) -> str:
    """A value as it stands in a page, which is put together of texts: what `escape` makes of it,
    but for a sign that it is safe, which nobody looks at any more."""
    if type(value) is str:
        return _escape_inner(value)
    if type(value) is Markup:
        return value
    return escape(value)


class SpokenEnvironment(Environment):
    """Flask's, in English, and beside it one for each other language."""

    spoken = language.ENGLISH
    template_class = OwnTemplate

    def __init__(self, app: Flask, **options: Any) -> None:
        super().__init__(app, **options)
        self.add_extension("jinja2.ext.i18n")
        self.policies["ext.i18n.trimmed"] = True
        # values go into a text by name
        self.newstyle_gettext = True
        self._others: dict[str, SpokenEnvironment] = {}
        self._found: dict[str | Template, Template] = {}
        """What was asked for, before Jinja's own cache: a page asks for up to twelve."""

    def get_template(self, name: str | Template, *more: Any, **named: Any) -> Template:
        """The template in the language of now."""
        spoken = language.current()
        if spoken != self.spoken:
            return self._in(spoken).get_template(name, *more, **named)
        found = self._found.get(name)
        if found is None:
            found = super().get_template(name, *more, **named)
            if not self.auto_reload:
                self._found[name] = found
        return found

    def forget(self) -> None:
        """Have every template compiled anew, in every language."""
        if self.cache is not None:
            self.cache.clear()
        self._found.clear()
        self._others.clear()

    def _in(self, spoken: str) -> SpokenEnvironment:
        if spoken not in self._others:
            other = self.overlay()
            assert isinstance(other, SpokenEnvironment)
            other.spoken = spoken
            other._others = {language.ENGLISH: self}
            other._found = {}
            self._others[spoken] = other
        return self._others[spoken]

    def _parse(self, *source: Any) -> nodes.Template:
        tree: nodes.Template = Texts().visit(super()._parse(*source))
        return tree


_FILLED = re.compile(r"%\((\w+)\)s")


class Texts(NodeTransformer):
    """Puts the text of now in place of each call that asks for one; what is filled in is
    escaped."""

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        """A text that is shown as it is becomes its parts and what stands between them: nothing
        has to be filled in when the page is drawn."""
        self.generic_visit(node)
        shown: list[nodes.Expr] = []
        for one in node.nodes:
            shown += _parts(one) or [one]
        node.nodes = shown
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        asked = node.node
        if not isinstance(asked, nodes.Name) or asked.name not in FUNCTIONS:
            return node
        (msgid,) = node.args
        assert isinstance(msgid, nodes.Const), "a text stands in the template"
        # of a template, or of a language: ours, and so may have markup
        text = Markup(language.wording(msgid.value))  # noqa: S704
        values = [
            nodes.Pair(nodes.Const(one.key, lineno=node.lineno), one.value)
            for one in node.kwargs
        ]
        said = nodes.Const(text if values else text % {}, lineno=node.lineno)
        if not values:
            return said
        return nodes.Mod(
            said, nodes.Dict(values, lineno=node.lineno), lineno=node.lineno
        )


def _parts(node: nodes.Expr) -> list[nodes.Expr]:
    """What `Texts` made of a text with values, piece by piece; none for anything else, or for a
    text in which something stands twice."""
    if not (
        isinstance(node, nodes.Mod)
        and isinstance(node.left, nodes.Const)
        and isinstance(node.left.value, Markup)
        and isinstance(node.right, nodes.Dict)
    ):
        return []
    values = {pair.key.as_const(): pair.value for pair in node.right.items}
    # text, name, text, name, …, text
    pieces = _FILLED.split(str(node.left.value))
    names = pieces[1::2]
    if any("%" in text for text in pieces[::2]) or len(set(names)) < len(names):
        return []
    return [
        values[piece] if at % 2 else nodes.TemplateData(piece, lineno=node.lineno)
        for at, piece in enumerate(pieces)
    ]
