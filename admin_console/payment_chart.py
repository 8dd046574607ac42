"""Draws what moved at the gateway by day: above the line what payers paid, with the gateway's fee
on top; below it what went back to payers and out to agents.

Decides shapes only, as `chart` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from admin_console.chart import HEIGHT, WIDTH, ticks
from core.taking.by_day import Day

_LEAST = 2
"""So high is what is there at all."""


@dataclass(frozen=True)
class Bars:
    svg: Markup
    ticks_pesewas: tuple[int, ...]
    """Labels of the vertical axis, from the top down."""


def draw(days: Sequence[Day], summary: str) -> Bars:
    """`summary` is what a screen reader says instead of the picture."""
    out = [-one.paid_out_pesewas - one.given_back_pesewas for one in days]
    marks = ticks([0, *out, *(one.taken_pesewas for one in days)])
    low, high = marks[0], marks[-1]

    def y(pesewas: int) -> int:
        return round((high - pesewas) * HEIGHT / (high - low))

    step = WIDTH / len(days)
    wide = round(step * 0.7)
    shapes: dict[str, list[str]] = {}
    for at, one in enumerate(days):
        left = round(at * step + (step - wide) / 2)
        for name, start, end in _parts(one):
            top, bottom = sorted((y(start), y(end)))
            tall = max(bottom - top, _LEAST)
            shapes.setdefault(name, []).append(f"M{left} {top}h{wide}v{tall}h-{wide}z")
    grid = "".join(f"M0 {y(mark)}H{WIDTH}" for mark in marks)
    drawn = "".join(
        f'<path class="{name}" d="{"".join(paths)}"/>' for name, paths in shapes.items()
    )
    svg = (
        f'<svg class="chart-plot" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"'
        f' role="img"><title>{escape(summary)}</title>'
        f'<path class="chart-grid" d="{grid}" vector-effect="non-scaling-stroke"/>{drawn}</svg>'
    )
    return Bars(
        Markup(svg),  # noqa: S704 - numbers and classes of ours, the summary is escaped
        tuple(reversed(marks)),
    )


def _parts(one: Day) -> list[tuple[str, int, int]]:
    """A day's bars: class, and the amounts between which each lies."""
    left = one.taken_pesewas - one.fees_pesewas
    out = -one.paid_out_pesewas
    parts = [
        ("day-taken", 0, left),
        ("day-fee", left, one.taken_pesewas),
        ("day-out", 0, out),
        ("day-back", out, out - one.given_back_pesewas),
    ]
    return [part for part in parts if part[1] != part[2]]
