"""Printing must never hold up what is watched."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devkit.console import Console


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe: to read from, to write to."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def unread(pipe: tuple[int, int]) -> int:
    return pipe[0]


@pytest.fixture
def console(pipe: tuple[int, int], tmp_path: Path) -> Iterator[Console]:
    console = Console(tmp_path / "up.log", {}, pipe[1])
    yield console
    console.close()


def test_a_pipe_that_nobody_reads_holds_nothing_up_and_loses_nothing_from_the_log(
    console: Console, tmp_path: Path
) -> None:
    began = time.monotonic()
    for number in range(3_000):
        console.line("web", f"{number} " + "x" * 100)
    console.flush(wait_s=0.1)
    assert time.monotonic() - began < 5
    assert (tmp_path / "up.log").read_text().count("\n") == 3_000


def test_what_waited_comes_when_somebody_reads(console: Console, unread: int) -> None:
    for number in range(1_000):
        console.line("web", f"{number} " + "x" * 100)
    seen = b""
    while b"\nweb       | 999 " not in seen:
        console.flush()
        seen += os.read(unread, 65_536)
    assert seen.startswith(b"web       | 0 x")


def test_a_reader_that_left_is_no_reason_to_fail(
    unread: int, console: Console, tmp_path: Path
) -> None:
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), unread)
    console.say("one")
    console.say("two")
    assert (tmp_path / "up.log").read_text() == "up        | one\nup        | two\n"


def test_log_ins_stay_out_of_the_log(
    console: Console, tmp_path: Path, unread: int
) -> None:
    console.banner("owner  secret-word")
    assert b"secret-word" in os.read(unread, 1_000)
    assert (tmp_path / "up.log").read_text() == ""
    assert (tmp_path / "up.log").stat().st_mode & 0o777 == 0o600


def test_colours_are_for_terminals_and_those_who_ask(
    pipe: tuple[int, int], tmp_path: Path
) -> None:
    console = Console(tmp_path / "up.log", {"FORCE_COLOR": "1"}, pipe[1])
    console.line("web", "hello")
    console.close()
    assert os.read(pipe[0], 1_000) == b"\033[32mweb       |\033[0m hello\n"
