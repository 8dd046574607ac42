"""A store's own look: its one colour made readable, and the stylesheet that goes into every page.

Decides where the colour and its shades stand; which can be read is decided in `core.base.colours`.
Leaves the stylesheet's text to `static/inline/store.css` and its place in the
policy header to the edge.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from flask import current_app
from flask.blueprints import BlueprintSetupState

from core.base import phones
from core.base.colours import INK, PAPER, readable, text_on
from core.stores import Store

_PLAIN = "#1f4d3a"


def register(state: BlueprintSetupState) -> None:
    """Give templates the words of this module; the edge's error pages wear the store's theme
    too."""
    state.app.jinja_env.globals.update(
        store_stylesheet=stylesheet,
        store_favicon=favicon,
        store_colour=valid,
        chat_url=chat_url,
        local=phones.local,
    )


def valid(colour: str | None) -> str:
    """`colour` if it is `#rrggbb`, else the plain green of a store that chose none."""
    return colour if colour and re.fullmatch(r"#[0-9a-fA-F]{6}", colour) else _PLAIN


@lru_cache(maxsize=512)
def stylesheet(colour: str | None, name: str = "store.css") -> str:
    """The whole stylesheet of a store page, with the store's colour as its custom
    properties."""
    own = valid(colour)
    light = readable(own, PAPER)
    dark = readable(own, INK)
    properties = f":root{{--c:{own};--on:{text_on(own)};--l:{light};--d:{dark}}}"
    sheet: str = current_app.extensions["inline_css"][name]
    return properties + sheet


@lru_cache(maxsize=512)
def favicon(name: str, colour: str | None) -> str:
    """A data address of a tile in the store's colour with its initial: no request, no file."""
    own = valid(colour)
    initial = next((c for c in name.upper() if c.isalnum()), "•")
    tile = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32'"
        f" rx='7' fill='{own}'/><text x='16' y='23' font-family='sans-serif' font-size='20'"
        f" font-weight='700' text-anchor='middle' fill='{text_on(own)}'>{initial}</text></svg>"
    )
    return "data:image/svg+xml," + quote(tile, safe=" =:/'")


def chat_url(store: Store, text: str = "") -> str:
    """The WhatsApp address of the store's agent, built from validated digits, with `text` filled
    in."""
    digits = re.sub(r"[^0-9]", "", store.whatsapp or "")
    address = f"https://wa.me/{digits}"
    if text:
        return f"{address}?text={quote(text)}"
    return address
