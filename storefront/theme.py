"""A store's own look: its one colour made readable, and the stylesheet that goes into every page.

Decides the text colour on the store's colour and the shade of it that can be read on paper and on
dark ink. Leaves the stylesheet's text to `static/inline/store.css` and its place in the
policy header to the edge.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from flask import current_app
from flask.blueprints import BlueprintSetupState

from core.base import phones
from core.stores import Store

PAPER = "#faf7f0"
INK = "#171b1e"
"""The darkest paper and the lightest ink of store.css: text readable on these is readable on every
ground."""
READABLE = 4.5
"""WCAG 2.2 AA for text of normal size."""

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


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two `#rrggbb` colours, 1.0 to 21.0."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def text_on(colour: str) -> str:
    """White where it can be read on `colour`, else black: one of them always reaches 4.5 : 1."""
    return "#ffffff" if contrast("#ffffff", colour) >= READABLE else "#000000"


def readable(colour: str, ground: str) -> str:
    """`colour`, moved towards black or white only as far as text in it needs to reach 4.5 : 1 on
    `ground`."""
    goal = 255 if _luminance(ground) < 0.18 else 0
    channels = _channels(colour)
    for step in range(21):
        shade = "#" + "".join(
            f"{round(c + (goal - c) * step / 20):02x}" for c in channels
        )
        if contrast(shade, ground) >= READABLE:
            return shade
    return "#ffffff" if goal else "#000000"


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


def _channels(colour: str) -> tuple[int, int, int]:
    red = int(colour[1:3], 16)
    green = int(colour[3:5], 16)
    blue = int(colour[5:7], 16)
    return red, green, blue


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: int) -> float:
    """The light of one channel, 0 to 1, by the curve of sRGB."""
    if channel <= 10:
        return channel / 255 / 12.92
    light: float = ((channel / 255 + 0.055) / 1.055) ** 2.4
    return light
