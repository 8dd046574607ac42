"""A run of the benchmark beside the committed one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import compare, figures


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (4.0, 4.9, None),
        (4.0, 5.0, "store: 4.00 H, now 5.00 H, dearer"),
        (4.0, 3.3, None),
        (4.0, 3.2, "store: 4.00 H, now 3.20 H, cheaper"),
        (0.02, 0.09, None),
        (0.02, 0.2, "store: 0.02 H, now 0.20 H, dearer"),
    ],
)
def test_what_moved_by_a_quarter_is_said(
    before: float, after: float, said: str | None
) -> None:
    lines, is_dearer = compare.compared({"store": after}, {"store": before})
    assert lines == ([said] if said else [])
    assert is_dearer == bool(said and said.endswith("dearer"))


def test_a_page_that_came_or_went_is_said() -> None:
    assert compare.compared({"new one": 1.0}, {"old one": 1.0}) == (
        ["old one: gone", "new one: new"],
        False,
    )


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    figures.write(file, {"store": 1.23456})
    assert figures.read(file) == {"store": 1.235}
    assert figures.read(figures.COMMITTED)["store, stored"] < 1


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"in_h": {"store": "x"}}', '{"in_h": 1}']
)
def test_what_holds_no_figures_is_a_sentence(
    tmp_path: Path,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "figures.json"
    file.write_text(text)
    monkeypatch.setattr(sys, "argv", ["compare", str(file)])
    assert compare.main() == 2
    assert "write them by" in capsys.readouterr().err
