"""Draws the float chart: our books and the supplier's reads of the same money in one plot.

Decides scale, ticks and shapes: the plot begins where its data begin and shows the heights they
have, so that the first day is no flat line in an empty grid. Leaves colours to the stylesheet
(classes only: our CSP forbids inline styles) and the words of the axes to the template, so that
they keep their size when the plot is squeezed onto a phone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from markupsafe import Markup, escape

WIDTH = 1000
HEIGHT = 240
DOTS = 60
"""More reads than this are thinned out; the table below the plot has the same points as the
plot."""
SHORTEST = timedelta(seconds=10)
"""A plot of less than this would show nothing but its end."""


@dataclass(frozen=True)
class Point:
    """So much money at that moment, in pesewas."""

    at: datetime
    pesewas: int


@dataclass(frozen=True)
class Chart:
    svg: Markup
    ticks_pesewas: tuple[int, ...]
    """Labels of the vertical axis, from the top down."""
    moments: tuple[datetime, ...]
    """Labels of the horizontal axis: start, middle, end."""


def draw(
    ours: Sequence[Point],
    theirs: Sequence[Point],
    start: datetime,
    end: datetime,
    summary: str,
) -> Chart:
    """One plot of `ours` (a stepped line: it holds until the next posting) and `theirs` (single
    reads: dots).

    Points are oldest first and inside start..end; before the first there is nothing, so the plot
    begins with it. `summary` is what a screen reader says instead of the picture.
    """
    first = begins((ours, theirs), start)
    start = max(start, min(first, end - SHORTEST))
    marks = ticks([p.pesewas for p in (*ours, *theirs)])
    frame = _Frame(
        start,
        end,
        marks[0],
        marks[-1],
    )
    parts = [
        (
            f'<svg class="chart-plot" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"'
            ' role="img">'
        ),
        f"<title>{escape(summary)}</title>",
        *(_line("chart-grid", f"M0 {frame.y(tick)}H{WIDTH}") for tick in marks),
    ]
    if ours:
        steps = _steps(frame, ours)
        parts.append(
            '<path class="chart-area"'
            f' d="{steps}V{frame.y(max(0, marks[0]))}H{frame.x(ours[0].at)}Z"/>'
        )
    if theirs:
        dots = thin(theirs, start, end)
        parts.append(
            _line(
                "chart-theirs",
                "".join(f"M{frame.x(p.at)} {frame.y(p.pesewas)}h0" for p in dots),
            )
        )
    if ours:  # over the dots: where both say the same, the line is what one reads
        parts.append(_line("chart-ours", steps))
    parts.append("</svg>")
    return Chart(
        Markup("".join(parts)),  # noqa: S704 numbers of ours, the summary is escaped
        tuple(reversed(marks)),
        (start, start + (end - start) / 2, end),
    )


def begins(lines: Iterable[Sequence[Point]], otherwise: datetime) -> datetime:
    """When the earliest of the lines begins; `otherwise` when none has a point."""
    firsts = [points[0].at for points in lines if points]
    return min(firsts, default=otherwise)


def thin(
    points: Sequence[Point],
    start: datetime,
    end: datetime,
) -> list[Point]:
    """The newest of `points` in each of `DOTS` equal parts of the time, so that no two dots lie on
    each other."""
    part = max(end - start, SHORTEST) / DOTS
    newest = {}
    for point in points:
        number = (point.at - start) // part
        newest[min(number, DOTS - 1)] = point
    return list(newest.values())


@dataclass(frozen=True)
class _Frame:
    start: datetime
    end: datetime
    low: int
    high: int

    def x(self, at: datetime) -> int:
        span = max(self.end - self.start, timedelta(seconds=1))
        part = (at - self.start) / span
        return round(min(max(part, 0.0), 1.0) * WIDTH)

    def y(self, pesewas: int) -> int:
        span = self.high - self.low
        return round((self.high - pesewas) * HEIGHT / span)


def _line(css_class: str, path: str) -> str:
    return f'<path class="{css_class}" d="{path}" vector-effect="non-scaling-stroke"/>'


def _steps(frame: _Frame, points: Sequence[Point]) -> str:
    first = points[0]
    path = f"M{frame.x(first.at)} {frame.y(first.pesewas)}"
    for _, after in pairwise(points):
        path += f"H{frame.x(after.at)}V{frame.y(after.pesewas)}"
    return path + f"H{WIDTH}"


def ticks(values: Sequence[int]) -> list[int]:
    """Round amounts from below the lowest to above the highest, lowest first, 2 to 7 of them.

    From zero on, unless all values are so far above it that they would be a flat line at the top.
    """
    low = min(values, default=0)
    high = max(values, default=0)
    if low <= 0 or low * 5 < high * 3:
        low = min(0, low)
        high = max(0, high)
    else:
        room = max((high - low) // 10, high // 50, 100)
        low = low - room
        high = high + room
    if low == high:
        high = low + 10_000
    step = _round_up(-(-(high - low) // 4))
    first = low // step
    last = -(-high // step)
    return [n * step for n in range(first, last + 1)]


def _round_up(pesewas: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 … cedis: axis labels are whole cedis."""
    unit = 100
    while True:
        for factor in (1, 2, 5):
            if unit * factor >= pesewas:
                return unit * factor
        unit *= 10
