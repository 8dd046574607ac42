"""The share kit: the store's link, its QR code, a poster to print, words for WhatsApp, and a
picture with prices.

Decides what they say. The picture is the store's own page (`/prices.png`): it shows what anybody
may see there.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

from flask import Response, g, render_template
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from agent_portal import bp
from core import catalog
from core.base import config, money, phones
from core.base.sms import spelt
from core.catalog import ShelfLine

POSTER_LINES = 5
"""Of each network, the smallest."""
TEXT_LINES = 3
_BORDER = 4
"""Empty squares round a QR code: what readers ask for."""


@bp.get("/share")
def share() -> ResponseReturnValue:
    """Everything by which a store is made known."""
    address = _address()
    return render_template("portal/share.html", address=address, text=words(address))


@bp.get("/share/qr.svg")
def share_qr() -> Response:
    """The QR code by itself, to be put on anything."""
    picture = _qr(_address(), inline=False)
    response = Response(picture, mimetype="image/svg+xml")
    name = f"{g.store.slug}-qr.svg"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@bp.get("/share/poster")
def share_poster() -> ResponseReturnValue:
    """A sheet of A4 for a wall or a counter."""
    address = _address()
    return render_template(
        "portal/poster.html",
        shown=address.partition("://")[2],
        qr=Markup(_qr(address, inline=True)),  # noqa: S704 - made of numbers only
        shelves=[
            (key, lines[:POSTER_LINES], len(lines) - POSTER_LINES)
            for key, lines in _shelf()
        ],
    )


def words(address: str) -> str:
    """What is sent on, in signs that a message holds many of: the cheapest of each network, and the
    link."""
    lines = [
        f"{phones.NETWORKS[key].name}: "
        + ", ".join(
            f"{line.size_text} GHS {money.format_ghs(line.price_pesewas)}"
            for line in own[:TEXT_LINES]
        )
        for key, own in _shelf()
    ]
    return spelt("\n".join([f"Data bundles from {g.store.name}", *lines, address]))


def _shelf() -> list[tuple[str, list[ShelfLine]]]:
    found: dict[str, list[ShelfLine]] = {}
    for line in catalog.shelf():
        found.setdefault(line.network, []).append(line)
    return [(key, found[key]) for key in phones.NETWORKS if key in found]


def _address() -> str:
    return config.current().address(g.store.slug)


@lru_cache(maxsize=256)
def _qr(address: str, *, inline: bool) -> str:
    """An SVG: of a page, or a file."""
    import segno  # a process that shares no store stays light

    code = segno.make(address, error="m", micro=False)
    plain: dict[str, Any] = {"border": _BORDER, "light": "#fff"}
    if inline:
        drawn: str = code.svg_inline(
            omitsize=True, svgclass=None, lineclass=None, **plain
        )
        return drawn
    file = io.BytesIO()
    code.save(file, kind="svg", scale=10, **plain)
    return file.getvalue().decode()
