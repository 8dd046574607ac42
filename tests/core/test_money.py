"""Money is whole pesewas: what is read, written and rounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import money

amounts = st.integers(min_value=0, max_value=money.MOST_PESEWAS)


@given(amounts)
def test_what_is_written_is_read_back(pesewas: int) -> None:
    assert money.parse_ghs(money.format_ghs(pesewas)) == pesewas
    assert money.parse_ghs(money.cedis(pesewas)) == pesewas


@given(amounts, st.integers(min_value=0, max_value=100_000))
def test_a_percentage_is_rounded_up_and_never_by_more_than_one(
    pesewas: int, bp: int
) -> None:
    exact_times_10_000 = pesewas * (10_000 + bp)
    rounded = money.add_percent_rounding_up(pesewas, bp)
    assert 0 <= rounded * 10_000 - exact_times_10_000 < 10_000


@pytest.mark.slow(seconds=1)
@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_a_sentence(text: str) -> None:
    try:
        assert 0 <= money.parse_ghs(text) <= money.MOST_PESEWAS
    except money.BadAmount as bad:
        assert bad.sentence.endswith(".")


@pytest.mark.parametrize(
    ("typed", "pesewas"),
    [
        ("24", 2400),
        ("24.5", 2450),
        ("24.50", 2450),
        ("1,250.00", 125_000),
        ("GHS 24", 2400),
        ("GH₵24.00", 2400),
        ("0", 0),
    ],
)
def test_cedis_as_people_type_them(typed: str, pesewas: int) -> None:
    assert money.parse_ghs(typed) == pesewas


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  ",
        "-1",
        "1.234",
        "1,2",
        "1e3",
        "NaN",
        "inf",
        "24,50",
        "٢٤",
        "12.",
        "1000000.01",
    ],
)
def test_what_cannot_be_read_says_how_to_fix_it(typed: str) -> None:
    with pytest.raises(money.BadAmount) as bad:
        money.parse_ghs(typed)
    assert len(bad.value.sentence) > 15


def test_negative_amounts_are_shown_with_a_true_minus_sign() -> None:
    assert money.format_ghs(-2450) == "\N{MINUS SIGN}24.50"
