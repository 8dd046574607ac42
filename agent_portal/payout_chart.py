"""Draws how far a store's earnings have come, as one bar of parts that follow each other: free now,
delivered a short while ago, paid for and not delivered, on the way to the agent.

Decides shapes only, as `bars` does.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT = 1000, 40
_LEAST = 8
"""So wide is what is there at all: one pesewa can be seen."""
_GAP = 3


def draw(parts: Sequence[tuple[str, int]], summary: str) -> Markup:
    """`parts` are (class, pesewas), the leftmost first; none below nothing is drawn. `summary` is
    what a screen reader says instead. Empty when there is nothing to draw."""
    there = [(name, pesewas) for name, pesewas in parts if pesewas > 0]
    if not there:
        return Markup("")
    room = WIDTH - _GAP * (len(there) - 1) - _LEAST * len(there)
    whole = sum(pesewas for _, pesewas in there)
    shapes, left = [], 0
    for name, pesewas in there:
        wide = _LEAST + room * pesewas // whole
        shapes.append(
            f'<rect class="{name}" x="{left}" width="{wide}" height="{HEIGHT}"/>'
        )
        left += wide + _GAP
    return Markup(  # noqa: S704 - numbers and classes of ours, the summary is escaped
        f'<svg class="far" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"'
        f' role="img"><title>{escape(summary)}</title>{"".join(shapes)}</svg>'
    )
