"""The picture with every price, for the status of a chat program: as high as a phone's screen.

Decides how many prices have a place on it and where. Letters are those of `drawing`.
"""

from __future__ import annotations

from collections.abc import Sequence

import segno
from PIL import Image, ImageDraw

from core.base import colours
from storefront.drawing import (
    GREY,
    INK,
    PALETTE,
    PALETTE_OF_LOGO,
    cut,
    drawable,
    fitted,
    letters,
    opened,
    png,
    rounded,
)

WIDTH, HEIGHT = 720, 1280
MOST_LINES = 22
"""Prices that can be read on a phone; each network keeps its share, its smallest sizes first."""
_LEFT, _RIGHT = 52, WIDTH - 52
_HEAD = 220
_FOOT = HEIGHT - 220
_QR = 170
_LOGO = 132
_RULE = "#ddd8cc"
Line = tuple[str, str, str]
"""Network, size and price in cedis."""


def draw(
    name: str,
    host: str,
    address: str,
    colour: str,
    lines: Sequence[Line],
    day: str,
    logo: bytes | None = None,
) -> bytes:
    """A PNG. `host` is in ASCII: it stands in for a name that cannot be drawn. `address` is where
    the code leads."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), colours.PAPER)
    pen = ImageDraw.Draw(picture)
    _head(pen, drawable(name) or host, colour, _RIGHT - (_LOGO + 26 if logo else 0))
    if logo:
        rounded(picture, opened(logo, _LOGO), (_RIGHT - _LOGO, 28), 24)
    _prices(pen, lines)
    _foot(picture, pen, host, address, day)
    return png(picture, PALETTE_OF_LOGO if logo else PALETTE)


def _head(pen: ImageDraw.ImageDraw, title: str, colour: str, right: int) -> None:
    on = colours.text_on(colour)
    pen.rectangle((0, 0, WIDTH, _HEAD - 32), fill=colour)
    small, rows = fitted(title, (right - _LEFT) * 2 // 3)
    large = letters(round(small.size * 1.5))
    pen.multiline_text((_LEFT, 82), "\n".join(rows), on, large, anchor="lm", spacing=8)
    pen.text((_LEFT, _HEAD - 50), "Data bundles, GHS", on, letters(28), anchor="ls")


def _prices(pen: ImageDraw.ImageDraw, lines: Sequence[Line]) -> None:
    shown = _shares(lines)
    many = sum(1 + len(own) for _network, own, _more in shown)
    step = min(54, (_FOOT - _HEAD) // max(many, 1))
    row, head = letters(min(30, step * 3 // 5)), letters(min(25, step // 2))
    y = _HEAD
    for network, own, more in shown:
        told = f"{network}, and {more} more" if more else network
        pen.text((_LEFT, y + step * 3 // 4), told, GREY, head, anchor="ls")
        y += step
        for size, price in own:
            base = y + step * 2 // 3
            pen.text((_LEFT, base), size, INK, row, anchor="ls", stroke_width=0.7)
            pen.text((_RIGHT, base), price, INK, row, anchor="rs", stroke_width=0.7)
            pen.line((_LEFT, y + step - 2, _RIGHT, y + step - 2), _RULE, 2)
            y += step


def _shares(
    lines: Sequence[Line],
) -> list[tuple[str, list[tuple[str, str]], int]]:
    """Each network, what of it has a place, and how many have none."""
    found: dict[str, list[tuple[str, str]]] = {}
    for network, size, price in lines:
        found.setdefault(network, []).append((size, price))
    left, waiting = MOST_LINES, len(found)
    places: dict[str, int] = {}
    for network in sorted(found, key=lambda one: len(found[one])):
        places[network] = min(len(found[network]), left // waiting)
        left, waiting = left - places[network], waiting - 1
    return [
        (network, own[: places[network]], len(own) - places[network])
        for network, own in found.items()
    ]


def _foot(
    picture: Image.Image,
    pen: ImageDraw.ImageDraw,
    host: str,
    address: str,
    day: str,
) -> None:
    matrix = segno.make(address, error="m", micro=False).matrix
    border = 4
    scale = _QR // (len(matrix) + 2 * border)
    side = scale * (len(matrix) + 2 * border)
    code = Image.new("RGB", (side, side), "#fff")
    squares = ImageDraw.Draw(code)
    for y, line in enumerate(matrix):
        for x, is_dark in enumerate(line):
            if is_dark:
                left, top = (x + border) * scale, (y + border) * scale
                squares.rectangle(
                    (left, top, left + scale - 1, top + scale - 1), "#000"
                )
    picture.paste(code, (_RIGHT - side, _FOOT + 26))
    wide = _RIGHT - _LEFT - side - 26
    top = _FOOT + 76
    pen.text((_LEFT, top), "Order at", GREY, letters(24), anchor="ls")
    large = next(
        (letters(n) for n in (38, 33, 28, 24) if letters(n).getlength(host) <= wide),
        letters(21),
    )
    pen.text(
        (_LEFT, top + 48),
        cut(host, large, wide),
        INK,
        large,
        anchor="ls",
        stroke_width=1,
    )
    pen.text((_LEFT, top + 90), f"Prices of {day}", GREY, letters(21), anchor="ls")
