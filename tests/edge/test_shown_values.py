"""A value is shown in a page as Jinja's own `escape` would show it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, render_template_string
from markupsafe import Markup, escape

from edge.templates import OwnTemplate, shown

NASTY = """<b>&amp; "x" 'y'</b>"""


class Text(str):
    """A text of another kind."""


class Drawn:
    def __html__(self) -> str:
        return "<i>drawn</i>"


@pytest.mark.parametrize(
    "value",
    [NASTY, Markup(NASTY), Text(NASTY), Drawn(), 1, -2.5, None, True, [NASTY], b"<"],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_shown_as_it_is_escaped(value: Any) -> None:
    assert str(shown(value)) == str(escape(value))


def test_what_is_put_together_is_escaped_once(app: Flask) -> None:
    page = (
        "{% macro one(text) %}<p>{{ text }}</p>{% endmacro %}"
        "{% macro two() %}<div>{{ caller() }}</div>{% endmacro %}"
        "{% set kept %}{{ text }}{% endset %}"
        '{{ text }}|{{ one(text) }}|{{ kept }}|{{ kept ~ text }}|{{ [text]|join("<") }}'
        "|{% call two() %}{{ text }}{% endcall %}|{% filter upper %}{{ text }}{% endfilter %}"
    )
    with app.test_request_context():
        made = render_template_string(page, text="<&>")
    safe = "&lt;&amp;&gt;"
    assert made == (
        f"{safe}|<p>{safe}</p>|{safe}|{safe}{safe}|{safe}"
        f"|<div>{safe}</div>|{safe.upper()}"
    )
    with app.app_context():
        template = app.jinja_env.get_template("portal/home.html")
    assert isinstance(template, OwnTemplate)
