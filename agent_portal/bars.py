"""Draws what was earned as bars, one a period, the oldest left. A bar below the line is a loss; the
last is hollow, since its period is not over.

Decides shapes only. Colours are the stylesheet's, words the template's, numbers the table's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 1000
HEIGHT = 240
_LEAST = 3
"""A profit of a pesewa is still a bar one can see."""
_ROUND = (10, 15, 20, 30, 40, 50, 60, 80, 100)
"""Tenths of a one with noughts that an edge may be."""


@dataclass(frozen=True)
class Bars:
    """The picture, and what its upper and its lower edge stand for."""

    svg: Markup
    edges_pesewas: tuple[int, int]


def draw(pesewas: Sequence[int], summary: str, *, is_over: bool = False) -> Bars:
    """`summary` is what a screen reader says instead of the picture. `is_over`: the last period
    is."""
    top, bottom = _above(max(*pesewas, 0)), -_above(-min(*pesewas, 0))
    if top == bottom:
        top = 100
    zero = _place(0, top, bottom)
    step = WIDTH / len(pesewas)
    wide = round(step * 0.7)
    shapes = [
        f"M{round(at * step + (step - wide) / 2)} {zero}h{wide}v{_high(one, top, bottom)}h-{wide}z"
        for at, one in enumerate(pesewas)
        if one
    ]
    last = [shapes.pop()] if pesewas[-1] and shapes and not is_over else []
    svg = "".join(
        [
            f'<svg class="bars" viewBox="0 0 {WIDTH} {HEIGHT}"',
            ' preserveAspectRatio="none" role="img">',
            f"<title>{escape(summary)}</title>",
            f'<path class="bars-grid" d="M0 1H{WIDTH}M0 {zero}H{WIDTH}"/>',
            *(f'<path class="bars-held" d="{"".join(shapes)}"/>' for _ in shapes[:1]),
            *(f'<path class="bars-now" d="{one}"/>' for one in last),
            "</svg>",
        ]
    )
    return Bars(Markup(svg), (top, bottom))  # noqa: S704 - numbers of ours, the summary is escaped


def _above(pesewas: int) -> int:
    """The least round number that is not below."""
    if pesewas <= 0:
        return 0
    power = int("1" + "0" * (len(str(pesewas)) - 1))
    rounds = (power * tenths // 10 for tenths in _ROUND)
    return next(one for one in rounds if one >= pesewas)


def _place(pesewas: int, top: int, bottom: int) -> int:
    return 1 + round((top - pesewas) * (HEIGHT - 2) / (top - bottom))


def _high(pesewas: int, top: int, bottom: int) -> int:
    """How far its end is below the line of nothing: less than none for a profit."""
    high = _place(pesewas, top, bottom) - _place(0, top, bottom)
    if abs(high) < _LEAST:
        return -_LEAST if pesewas > 0 else _LEAST
    return high
