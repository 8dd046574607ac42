"""The float chart is drawn by us, so its scale, its steps and its escaping are ours to get
right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from admin_console import chart
from admin_console.chart import Point

END = datetime(2026, 11, 23, 16, tzinfo=UTC)
START = END - timedelta(hours=24)


def draw(ours: list[Point], theirs: list[Point], summary: str = "float") -> chart.Chart:
    return chart.draw(ours, theirs, START, END, summary)


def paths(drawn: chart.Chart, css_class: str) -> list[str]:
    return [
        p.get("d", "")
        for p in ElementTree.fromstring(drawn.svg)
        if p.get("class") == css_class
    ]


def test_a_step_holds_until_the_next_posting() -> None:
    ours = [Point(START, 40_000), Point(START + timedelta(hours=12), 20_000)]
    (line,) = paths(draw(ours, []), "chart-ours")
    assert line == "M0 0H500V120H1000"


def test_reads_are_dots_at_their_own_time_and_height() -> None:
    theirs = [
        Point(START, 40_000),
        Point(START + timedelta(hours=6), 40_000),
        Point(END, 0),
    ]
    (dots,) = paths(draw([], theirs), "chart-theirs")
    assert dots == "M0 0h0M250 0h0M1000 240h0"


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([], [10_000, 5_000, 0]),
        ([0], [10_000, 5_000, 0]),
        ([40_000, 10_000], [40_000, 30_000, 20_000, 10_000, 0]),
        ([40_000], [41_000, 40_500, 40_000, 39_500, 39_000]),
        ([481_200], [495_000, 490_000, 485_000, 480_000, 475_000, 470_000]),
        ([200_000, 193_040], [205_000, 200_000, 195_000, 190_000, 185_000]),
        ([-5_000, 15_000], [15_000, 10_000, 5_000, 0, -5_000]),
        ([100_000_000, 0], [100_000_000, 50_000_000, 0]),
    ],
)
def test_ticks_are_round_amounts_that_hold_every_value_from_zero_unless_all_are_far_above_it(
    values: list[int], ticks: list[int]
) -> None:
    drawn = draw([Point(START, v) for v in values], [])
    assert list(drawn.ticks_pesewas) == ticks
    assert all(ticks[-1] <= v <= ticks[0] for v in values)


def test_nothing_known_draws_an_empty_plot() -> None:
    drawn = draw([], [])
    assert paths(drawn, "chart-ours") == paths(drawn, "chart-theirs") == []
    assert len(paths(drawn, "chart-grid")) == len(drawn.ticks_pesewas)


def test_the_summary_is_escaped_and_no_inline_style_is_used() -> None:
    drawn = draw([Point(START, 1)], [], summary='<script>"&')
    assert "<script>" not in drawn.svg
    assert "style=" not in drawn.svg
    title = ElementTree.fromstring(drawn.svg).find("title")
    assert title is not None
    assert title.text == '<script>"&'


def test_a_day_of_reads_is_thinned_and_keeps_the_newest() -> None:
    many = [Point(START + timedelta(minutes=n), n) for n in range(1_440)]
    kept = chart.thin(many, START, END)
    assert len(kept) == chart.DOTS
    assert kept[-1] == many[-1]
    assert {after.at - before.at for before, after in pairwise(kept)} == {
        timedelta(hours=24) / chart.DOTS
    }


def test_a_crowd_of_reads_is_one_dot_and_lonely_ones_stay() -> None:
    crowd = [Point(START + timedelta(seconds=n), n) for n in range(300)]
    alone = [Point(START + timedelta(hours=n), n) for n in (5, 20)]
    assert chart.thin([*crowd, *alone], START, END) == [crowd[-1], *alone]


def test_the_plot_begins_where_its_data_begin() -> None:
    opened = END - timedelta(minutes=10)
    drawn = draw(
        [Point(opened, 200_000), Point(END - timedelta(minutes=5), 195_000)],
        [Point(opened, 200_000)],
    )
    assert drawn.moments == (opened, END - timedelta(minutes=5), END)
    (line,) = paths(drawn, "chart-ours")
    assert line.startswith("M0 ") and "H500V" in line and line.endswith("H1000")
    assert paths(drawn, "chart-theirs")[0].startswith("M0 ")


def test_our_line_lies_over_the_dots() -> None:
    drawn = draw([Point(START, 5)], [Point(START, 5)])
    assert drawn.svg.index("chart-theirs") < drawn.svg.index("chart-ours")
