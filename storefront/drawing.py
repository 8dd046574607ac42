"""The pictures of a store, drawn from its name, its colour and its cheapest prices: for the preview
of a link, and for a phone's home screen.

Decides how they look, and what of a name can be drawn: the one typeface here, which comes with
Pillow, knows the letters of English. Imported by who draws only, since Pillow is large.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from core.base import colours, text_input

WIDTH, HEIGHT = 600, 315
"""Of a preview: the least that chat programs show large."""
_LEFT, _NAME_LEFT, _RIGHT = 40, 158, WIDTH - 40
INK, GREY = "#191c1f", "#5b6064"
_NAME_SIZES = (52, 46, 40, 34, 30)
PALETTE = 24
"""Colours of a picture. More than edges of letters need only make it heavier."""
PALETTE_OF_LOGO = 128
_WHOLE = 0.6
"""Side of a logo by that of an icon whose edges a phone cuts off."""
_LETTER = 0.62
"""Height of an icon's letter by its side; what a phone cuts off round is outside of it."""


def preview(
    name: str,
    address: str,
    colour: str,
    lines: Sequence[str],
    logo: bytes | None = None,
) -> bytes:
    """A PNG of `WIDTH` by `HEIGHT`. `address` is in ASCII: it stands in for a name that cannot be
    drawn."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), colours.PAPER)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, WIDTH, 11), fill=colour)
    if logo:
        rounded(picture, opened(logo, 96), (_LEFT, 44), 20)
    else:
        _tile(pen, initial(name, address), colour)
    font, rows = fitted(drawable(name) or address, _RIGHT - _NAME_LEFT)
    pen.multiline_text(
        (_NAME_LEFT, 93),
        "\n".join(rows),
        INK,
        font,
        anchor="lm",
        spacing=6,
        stroke_width=0.7,
    )
    pen.text((_LEFT, 188), "Data bundles", INK, letters(28), anchor="ls")
    small = letters(19)
    pen.text((_RIGHT, 188), cut(address, small, 300), GREY, small, anchor="rs")
    for row, line in enumerate(lines):
        pen.text((_LEFT, 224 + row * 31), line, GREY, letters(23), anchor="ls")
    return png(picture, PALETTE_OF_LOGO if logo else PALETTE)


def icon(letter: str, colour: str, side: int, *, is_whole: bool) -> bytes:
    """A square PNG. `is_whole` fills it to its edges, for phones that cut a shape of their own."""
    picture = Image.new("RGBA", (side, side), colour if is_whole else "#0000")
    pen = ImageDraw.Draw(picture)
    if not is_whole:
        pen.rounded_rectangle((0, 0, side - 1, side - 1), side * 7 // 32, fill=colour)
    pen.text(
        (side / 2, side / 2),
        letter,
        colours.text_on(colour),
        letters(round(side * (_LETTER - 0.12 * is_whole))),
        anchor="mm",
        stroke_width=side / 110,
    )
    return png(picture)


def icon_of_logo(logo: bytes, side: int, *, is_whole: bool) -> bytes:
    """The same of a logo: to the edges, or on white within what no phone cuts off."""
    if is_whole:
        inner = round(side * _WHOLE)
        picture = Image.new("RGB", (side, side), "#fff")
        picture.paste(opened(logo, inner), ((side - inner) // 2,) * 2)
    else:
        picture = Image.new("RGBA", (side, side), "#0000")
        rounded(picture, opened(logo, side), (0, 0), side * 7 // 32)
    return png(picture, PALETTE_OF_LOGO)


def initial(name: str, address: str) -> str:
    """The letter on a store's tile: of its name, else of its address, which has one that can be
    drawn."""
    words = drawable(name) + address.upper()
    return next(sign for sign in words.upper() if sign.isalnum())


@lru_cache(maxsize=256)
def drawable(name: str) -> str:
    """`name` in letters that the typeface has, accents left out and signs it lacks too; empty where
    a letter or digit would be missing, since what is left would be another name."""
    spelt = text_input.one_line(name)
    plain = "".join(
        sign
        for sign in unicodedata.normalize("NFKD", spelt)
        if not unicodedata.combining(sign)
    )
    if any(sign.isalnum() and not _has(sign) for sign in plain):
        return ""
    kept = " ".join("".join(filter(_has, plain)).split())
    return kept if any(map(str.isalnum, kept)) else ""


@lru_cache(maxsize=1_024)
def _has(sign: str) -> bool:
    """Whether the typeface has a shape of its own for this character."""
    if sign == " ":
        return True
    shape, lacking = (letters(20).getmask(one) for one in (sign, "\uffff"))
    return shape.size != lacking.size or bytes(shape) != bytes(lacking)


def _tile(pen: ImageDraw.ImageDraw, letter: str, colour: str) -> None:
    pen.rounded_rectangle((_LEFT, 44, _LEFT + 96, 140), 20, fill=colour)
    pen.text(
        (_LEFT + 48, 92),
        letter,
        colours.text_on(colour),
        letters(58),
        anchor="mm",
        stroke_width=1,
    )


def opened(logo: bytes, side: int) -> Image.Image:
    """A logo as `core.logos` keeps it, in another size."""
    with Image.open(io.BytesIO(logo), formats=("WEBP",)) as kept:
        return kept.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)


def rounded(
    picture: Image.Image, logo: Image.Image, place: tuple[int, int], radius: int
) -> None:
    """Put it there, its corners cut round."""
    shape = Image.new("L", logo.size)
    edges = (0, 0, logo.width - 1, logo.height - 1)
    ImageDraw.Draw(shape).rounded_rectangle(edges, radius, fill=255)
    picture.paste(logo, place, shape)


def fitted(text: str, width: int) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """The largest letters in which a name fits into one line or, smaller, into two; cut where none
    does."""
    for size in _NAME_SIZES:
        font = letters(size)
        most = 1 if size > 40 else 2
        rows = _rows(text, font, width)
        if len(rows) <= most and all(font.getlength(row) <= width for row in rows):
            return font, rows
    font = letters(_NAME_SIZES[-1])
    first, *rest = _rows(text, font, width)
    if not rest:
        return font, [cut(first, font, width)]
    return font, [cut(first, font, width), cut(" ".join(rest), font, width)]


def _rows(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """The words of a text in lines; a word that is too long stands alone."""
    rows = [""]
    for word in text.split():
        longer = f"{rows[-1]} {word}".strip()
        if rows[-1] and font.getlength(longer) > width:
            rows.append(word)
        else:
            rows[-1] = longer
    return rows


def cut(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """As much of a text as the width holds."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


@lru_cache(maxsize=16)
def letters(size: int) -> ImageFont.FreeTypeFont:
    """The typeface, so many pixels high."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def png(picture: Image.Image, colours_kept: int = PALETTE) -> bytes:
    """A picture of few colours, as a file."""
    few = picture.quantize(
        colours_kept, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True)
    return file.getvalue()
