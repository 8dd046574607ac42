"""The tables of words and amounts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from integrations.datamart import status, transactions
from integrations.datamart.money import pesewas, signed_pesewas
from integrations.datamart.sizes import megabytes
from integrations.strict_json import loads, text, whole

TABLE = {
    "pending": "pending created queued waiting",
    "processing": "sent submitted processing accepted on exported partial",
    "completed": "successful success completed complete delivered done",
    "failed": "failed error rejected cancelled canceled",
    "refunded": "reversed refunded refund",
}


def test_table_is_the_contracts_and_nothing_more() -> None:
    assert status.WORDS == {
        theirs: ours for ours, words in TABLE.items() for theirs in words.split()
    }


def test_every_word_names_its_source() -> None:
    lines = Path(status.__file__).read_text().splitlines()
    rows = [line for line in lines if re.match(r'    "\w+": "', line)]
    assert len(rows) == len(status.WORDS)
    assert all(
        re.search(r"  # (vendor code|vendor docs|developer API|clients|ours)", row)
        for row in rows
    )


@pytest.mark.parametrize("spelling", [str.upper, str.title, lambda word: f"  {word}\n"])
@pytest.mark.parametrize("word", sorted(status.WORDS))
def test_spelling_does_not_matter(word: str, spelling: Any) -> None:
    assert status.meaning(spelling(word)).word == status.WORDS[word]


@pytest.mark.parametrize(
    "raw",
    [None, "", " ", "lost", 7, True, [], {}, "failed!", "not failed", "f\u0430iled"],
)
def test_unknown_word_is_for_a_person_and_never_failed(raw: Any) -> None:
    for said in (status.meaning(raw), status.meaning_at_purchase(raw)):
        assert (said.word, said.needs_person) == ("processing", True)


@pytest.mark.parametrize("word", sorted(status.WORDS))
def test_a_purchase_answer_never_completes_fails_or_refunds(word: str) -> None:
    said = status.meaning_at_purchase(word)
    assert said.word == ("pending" if status.WORDS[word] == "pending" else "processing")
    assert said.needs_person == (
        status.WORDS[word] in ("failed", "refunded") or word == "partial"
    )


@pytest.mark.parametrize(
    ("cedis", "expected"),
    [
        (0, 0),
        (10, 1000),
        (9.2, 920),
        (0.29, 29),
        (1.15, 115),
        (4990.000000000001, 499000),
        (803.1999999999999, 80320),
        (0.005, 1),
        (0.004, 0),
        (1e-30, 0),
        (10_000_000, 1_000_000_000),
        ("9.20", 920),
        (" 9 ", 900),
        ("0.000", 0),
        (10_000_000.01, None),
        pytest.param(10**400, None, id="huge"),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        (-0.01, None),
        (-1, None),
        (True, None),
        (None, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("1_000", None),
        ("1,000", None),
        (".5", None),
        ("5.", None),
        ("NaN", None),
        ("\u0663", None),
        ("9" * 30, None),
        ("10000000.01", None),
        ("GHS 9.20", 920),
        ("1,234.50", 123_450),
        ("GHS 1 234.50", 123_450),
        ("GH₵\u00a01\u202f234,50", 123_450),
        ("1.234,50", 123_450),
        ("12.50 GHS", 1250),
        ("1,234,567", 123_456_700),
        ("1.234", 123),
        ("12,5", 1250),
        ("1,234", None),
        ("1,23,456.00", None),
        ("12.5-", None),
        ("(12.50)", None),
        ("GHS", None),
        ("GHS 9.20 GHS", None),
        ("GHS -9.20", None),
        (Decimal("808.3349999999999"), 80833),
        (Decimal("0.00" + "4" * 40), 0),
        (Decimal("0.004" + "9" * 40), 0),
        (Decimal("1E-999999999"), 0),
        (Decimal("1E+999999999"), None),
        (Decimal("NaN"), None),
        ([], None),
        ({}, None),
    ],
)
def test_pesewas(cedis: Any, expected: int | None) -> None:
    assert pesewas(cedis) == expected


@pytest.mark.parametrize(
    ("cedis", "expected"),
    [
        (-12.5, -1250),
        (Decimal("-0.005"), -1),
        ("-12.50", -1250),
        ("GHS -1,234.50", -123_450),
        ("\N{MINUS SIGN}GHS 1", -100),
        ("--1", None),
        ("-GHS-1", None),
        (-10_000_001, None),
    ],
)
def test_a_balance_may_be_below_zero(cedis: Any, expected: int | None) -> None:
    assert signed_pesewas(cedis) == expected


def test_a_fraction_is_read_digit_by_digit() -> None:
    body = b'{"a": 812.4350000000000001, "b": 0.00499999999999999999999}'
    read = loads(body)
    assert str(read["a"]) == "812.4350000000000001"
    assert pesewas(read["b"]) == 0, "as a float it would be 0.005 and round up"


def test_no_pesewa_is_lost_to_a_float() -> None:
    for expected in range(50_000):
        assert pesewas(expected / 100) == pesewas(expected / 100 + 1e-12) == expected


@pytest.mark.parametrize(
    ("capacity", "mb"),
    [
        ("1GB", 1024),
        ("1gb", 1024),
        ("500MB", 500),
        ("2.5 GB", 2560),
        ("1TB", None),
        ("GB", None),
        ("-1GB", None),
    ],
)
def test_megabytes(capacity: str, mb: int | None) -> None:
    assert megabytes(capacity) == mb


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("Ɛno ✓", "Ɛno ✓"),
        ("a\x00\n\x1b[31mb", "a\ufffd\ufffd\ufffd[31mb"),
        ("\ud800", "\ufffd"),
        (7, "7"),
        (9.2, "9.2"),
        (True, ""),
        (None, ""),
        ([], ""),
        pytest.param(10**5000, "", id="huge"),
        ("x" * 500, "x" * 200),
    ],
)
def test_text_a_database_can_hold(value: Any, expected: str) -> None:
    assert text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (41, 41),
        (2**31 - 1, 2**31 - 1),
        (2**31, None),
        (-1, None),
        (True, None),
        (4.5, None),
    ],
)
def test_whole(value: Any, expected: int | None) -> None:
    assert whole(value) == expected


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (
            "2026-02-03T09:15:26.980Z",
            datetime(2026, 2, 3, 9, 15, 26, 980_000, tzinfo=UTC),
        ),
        ("2026-02-03T10:15:26+01:00", datetime(2026, 2, 3, 9, 15, 26, tzinfo=UTC)),
        ("2026-02-03", datetime(2026, 2, 3, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (1738574126, None),
        (None, None),
    ],
)
def test_moment(written: Any, moment: datetime | None) -> None:
    assert transactions._moment(written) == moment
