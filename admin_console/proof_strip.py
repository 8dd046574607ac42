"""Draws the proofs of the last days as a strip of bars: an hour without a bar is a proof that was
not made.

Decides shapes only: a proof that held is a filled bar as high as the postings it sealed, one that
failed is a hollow bar of full height. Colours are the stylesheet's, words the template's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from markupsafe import Markup, escape

from core.proof import Proof

WIDTH = 1000
HEIGHT = 60
LEAST_H = 12
"""The strip begins with the first proof, but is never shorter: two bars alone would be two
layers."""
_LEAST = 8
"""A proof that sealed nothing is still a bar one can see."""


@dataclass(frozen=True)
class Strip:
    svg: Markup
    hours: int
    """How far back it goes."""


def draw(
    proofs: Sequence[Proof],
    end: datetime,
    hours: int,
    summary: str,
) -> Strip:
    """The proofs of the last `hours` before `end`, or since the first. `summary` is what a screen
    reader says instead of the picture."""
    first = min((proof.at for proof in proofs), default=end)
    since_first = ceil((end - first) / timedelta(hours=1)) + 1
    hours = min(hours, max(LEAST_H, since_first))
    start = end - timedelta(hours=hours)
    width = WIDTH * 3 // (hours * 4)
    most = max((proof.sealed for proof in proofs), default=0) or 1
    bars: dict[bool, list[str]] = {True: [], False: []}
    for proof in proofs:
        part = (proof.at - start) / (end - start)
        x = round(part * (WIDTH - width))
        if x < 0 or x > WIDTH - width:
            continue
        high = HEIGHT
        if proof.ok:
            high = _LEAST + (HEIGHT - _LEAST) * proof.sealed // most
        bars[proof.ok].append(f"M{x} {HEIGHT}h{width}v-{high}h-{width}z")
    parts = [
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img">',
        f"<title>{escape(summary)}</title>",
        f'<path class="chart-grid" d="M0 {HEIGHT}H{WIDTH}" vector-effect="non-scaling-stroke"/>',
    ]
    for ok, css_class in ((True, "strip-held"), (False, "strip-failed")):
        if bars[ok]:
            parts.append(
                f'<path class="{css_class}" d="{"".join(bars[ok])}"'
                ' vector-effect="non-scaling-stroke"/>'
            )
    return Strip(Markup("".join([*parts, "</svg>"])), hours)  # noqa: S704 - numbers of ours, the summary is escaped
