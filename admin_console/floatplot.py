"""The float of the last hours: our books and the supplier's answers, as a picture and as rows.

Decides which points are shown. Drawing is `chart`, the points come from `float_history`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from admin_console import chart, float_history
from core.base import clock, money

TABLE_ROWS = 200


Row = tuple[datetime, int | None, int | None]
"""A moment, our books then, and what the supplier said."""


def draw(hours: int, platform: dict[str, int]) -> tuple[chart.Chart, list[Row]]:
    """The float of the last hours as a picture and as rows (time, our books, the supplier), newest
    first."""
    end = clock.now()
    start = end - timedelta(hours=hours)
    ours = float_history.float_points(start, end)
    reads = float_history.balance_points(start, end)
    theirs = [chart.Point(read.at, read.balance_pesewas) for read in reads]
    begins = chart.begins((ours, theirs), start)
    shown = {point.at for point in chart.thin(theirs, begins, end)}
    rows: list[Row] = [(point.at, point.pesewas, None) for point in ours]
    rows += [
        (read.at, read.float_pesewas, read.balance_pesewas)
        for read in reads
        if read.at in shown
    ]
    rows.sort(key=lambda row: row[0], reverse=True)
    summary = (
        f"The float over the last {hours} hours: our books say"
        f" {money.cedis(platform['supplier_float'])} now"
    )
    if reads:
        summary += f", the supplier last said {money.cedis(reads[-1].balance_pesewas)}"
    plot = chart.draw(
        ours,
        theirs,
        start,
        end,
        f"{summary}.",
    )
    return plot, rows[:TABLE_ROWS]
