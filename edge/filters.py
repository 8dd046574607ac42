"""The words of templates: money, numbers, codes and times as people read them, icons, and links to
other hosts.

Decides only how a value looks; what it is comes from `core`. Rooms need no filters of their own for
these.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

import flask_login
from flask import Flask, g, has_request_context, request
from markupsafe import Markup, escape

from core import catalog
from core.base import clock, money, phones
from edge import hosts, pages, security, static

_NUMBER = re.compile(
    "((?:GH₵\N{NO-BREAK SPACE}[0-9.,]*[0-9]|[+0-9][0-9x•]*(?:\N{NO-BREAK SPACE}[0-9x•]+)+)"
    "[.,;:?!)]*)"
)


def install(app: Flask) -> None:
    env = app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    env.filters.update(
        ghs=money.format_ghs,
        cedis=money.cedis,
        phone=phones.show,
        masked=phones.mask,
        loose=loose,
        whole=whole,
        code=shown_code,
        at=at,
        age=age,
        size=catalog.size_text,
    )
    env.globals.update(
        static_url=static.static_url,
        inline_css=static.inline_css,
        icon=icon,
        inline_style=security.inline_style,
        store_url=hosts.address,
        portal_url=lambda: hosts.address("portal"),
        console_url=lambda: hosts.address("admin"),
        wants_fragment=wants_fragment,
        networks=phones.NETWORKS,
        # A proxy: the log-in is read only by templates that use it.
        current_user=flask_login.current_user,
        theme=theme,
    )
    app.context_processor(
        lambda: {"store": g.get("store")} if has_request_context() else {}
    )


def shown_code(code: str) -> str:
    """`K7QM2XR94T` -> `K7QM-2XR9-4T`."""
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))


def loose(text: str) -> str:
    """A number or an amount that may go on in the next line between its groups, where it stands
    alone and large."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def whole(text: str) -> Markup:
    """A sentence whose sums and numbers are not torn: they keep together in one line, or, in a line
    shorter than they are, go on in the next between their groups. So do they with the sign that
    follows, which would stand alone in the next line."""
    parts = _NUMBER.split(text)
    kept = [
        Markup('<span class="w">{}</span>').format(loose(part))
        if at % 2
        else escape(part)
        for at, part in enumerate(parts)
    ]
    return Markup("").join(kept)


def at(moment: datetime | None) -> Markup:
    """`10:04` today, `23 Nov 10:04` this year, `23 Nov 2025 10:04` before, in Accra, inside a
    `<time>` element."""
    if moment is None:
        return Markup("–")
    local = moment.astimezone(clock.ACCRA)
    today = clock.now().astimezone(clock.ACCRA)
    if local.date() == today.date():
        day = ""
    else:
        day = f"{local.day} {local:%b}\N{NO-BREAK SPACE}"
    if local.year != today.year:
        day = f"{local.day} {local:%b %Y}\N{NO-BREAK SPACE}"
    # as `strftime` writes it, which takes six times as long
    stamp = local.isoformat(timespec="seconds")
    machine = stamp[:-3] + stamp[-2:]
    shown = f"{day}{local.hour:02}:{local.minute:02}"
    # figures and a month's name: nothing to escape
    return Markup(f'<time datetime="{machine}">{shown}</time>')  # noqa: S704


def age(moment: datetime | None) -> str:
    """How long ago, in the largest whole unit: `just now`, `4 min`, `3 h`, `2 days`."""
    if moment is None:
        return "–"
    seconds = max(0, int((clock.now() - moment).total_seconds()))
    if seconds < 60:
        return "just now"
    if seconds < 3_600:
        return f"{seconds // 60}\N{NO-BREAK SPACE}min"
    if seconds < 86_400:
        return f"{seconds // 3_600}\N{NO-BREAK SPACE}h"
    days = seconds // 86_400
    return f"{days}\N{NO-BREAK SPACE}day{'' if days == 1 else 's'}"


def icon(name: str) -> Markup:
    """One symbol of `static/icons.svg`, hidden from screen readers: it always stands beside a
    word."""
    return _icon(static.static_url("icons.svg"), name)


@lru_cache(maxsize=200)
def _icon(drawings: str, name: str) -> Markup:
    return Markup(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>'
    ).format(drawings, name)


def wants_fragment() -> bool:
    """Whether htmx asks for a part of a page. The answer then varies by that, and says so."""
    g.asked_fragment = True
    return (
        request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-Request-Type") != "full"
    )


def theme() -> str:
    """The look this person chose on this device: `light`, `dark`, or `auto` for the system's."""
    chosen = request.cookies.get(pages.THEME_COOKIE, "")
    if chosen in ("light", "dark"):
        return chosen
    return "auto"
