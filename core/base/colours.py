"""Colours and whether text in them can be read: the contrast of WCAG 2.2.

Decides which colour a shop may have, and the shade of one that can be read on a ground.
"""

from __future__ import annotations

import re

from core.base.refusal import Refusal

PAPER = "#faf7f0"
INK = "#171b1e"
"""The darkest paper and the lightest ink of store.css: text readable on these is readable on every
ground."""
READABLE = 4.5
"""WCAG 2.2 AA for text of normal size."""
_STEPS, _FINE = 20, 200


class BadColour(Refusal):
    """A colour that a shop may not have. `sentence` names the nearest that it may."""


def check(typed: str) -> str:
    """The colour as it may be used: text in it can be read on the light page, and white text on
    it. On the dark page a shade of it stands (`readable`). Raises `BadColour`."""
    colour = typed.strip().lower()
    if not re.fullmatch(r"#[0-9a-f]{6}", colour):
        raise BadColour(
            "Give the colour as # and six digits 0-9 or letters a-f, like #0b6e4f."
        )
    ratio = contrast(colour, PAPER)
    if ratio < READABLE:
        # down, so that no ratio reads as what it does not reach
        raise BadColour(
            f"Text in {colour} cannot be read on your page: its contrast is"
            f" {int(ratio * 10) / 10} to 1, and {READABLE} to 1 is the least. The nearest colour"
            f" that can be read is {readable(colour, PAPER, _FINE)}."
        )
    return colour


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two `#rrggbb` colours, 1.0 to 21.0."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def text_on(colour: str) -> str:
    """White where it can be read on `colour`, else black: one of them always reaches 4.5 : 1."""
    return "#ffffff" if contrast("#ffffff", colour) >= READABLE else "#000000"


def readable(colour: str, ground: str, steps: int = _STEPS) -> str:
    """`colour`, moved towards black or white only as far as text in it needs to reach 4.5 : 1 on
    `ground`, in so many steps."""
    goal = 255 if _luminance(ground) < 0.18 else 0
    channels = _channels(colour)
    for step in range(steps + 1):
        shade = "#" + "".join(
            f"{round(c + (goal - c) * step / steps):02x}" for c in channels
        )
        if contrast(shade, ground) >= READABLE:
            return shade
    return "#ffffff" if goal else "#000000"


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
