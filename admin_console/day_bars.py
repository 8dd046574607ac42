"""Draws the three columns of a day as bars on one scale: our payments, the gateway's list, what is
settled of it.

Decides shapes only. Colours are the stylesheet's, words and numbers the template's.
"""

from __future__ import annotations

from markupsafe import Markup

from core.online.listed import GatewayDay

WIDTH = 1_000
HIGH = 10
GAP = 5
CLASSES = ("day-ours", "day-theirs", "day-settled")


def columns(day: GatewayDay) -> tuple[int, int, int]:
    """What each column sums to, in pesewas."""
    return day.ours_pesewas, day.theirs_pesewas, day.settled_pesewas


def draw(pesewas: tuple[int, ...], most_pesewas: int, first: int = 0) -> Markup:
    """Bars one below the other, as long as their share of `most_pesewas`. `first` is the place of
    the first in the three. The numbers stand beside them, so no reader is told of the picture."""
    high = len(pesewas) * (HIGH + GAP) - GAP
    box = f'viewBox="0 0 {WIDTH} {high}" preserveAspectRatio="none" aria-hidden="true"'
    parts = [f'<svg class="day-bars" {box}>']
    for place, one in enumerate(pesewas):
        y, length = place * (HIGH + GAP), WIDTH * one // max(1, most_pesewas)
        parts.append(f'<path class="day-rail" d="M0 {y}h{WIDTH}v{HIGH}h-{WIDTH}z"/>')
        if one:
            length = max(length, 4)
            shape = f"M0 {y}h{length}v{HIGH}h-{length}z"
            parts.append(f'<path class="{CLASSES[first + place]}" d="{shape}"/>')
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 - numbers of ours
