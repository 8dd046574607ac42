"""What a line of a list says: every usual spelling, and nothing that could be read in two ways."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base import phones
from core.batches import reading, splitting
from core.batches.reading import BadLine, Wish

NUMBER = "+233241234567"
FIVE = 5 * 1024


@pytest.mark.parametrize(
    "text",
    [
        "0241234567 5",
        "0241234567 5GB",
        "0241234567 5gb",
        "0241234567 5 gb",
        "0241234567 5G",
        "0241234567 5 gigs",
        "0241234567,5",
        "0241234567, 5GB",
        "0241234567;5",
        "0241234567|5",
        "0241234567\t5",
        '"0241234567","5GB"',
        "'0241234567\t5",
        "241234567 5",
        "241234567.0\t5.0",
        "241234567.00,5.00",
        "233241234567 5",
        "+233241234567 5",
        "+233 24 123 4567 5GB",
        "00233241234567 5",
        "024 123 4567 5",
        "024-123-4567 5",
        "24 123 4567 5",
        "0241 234 567 5",
        "024 1234567 5GB",
        "024 12 34 567, 5",
        "0241234567-5GB",
        "0241234567 - 5GB",
        "0241234567=5",
        "0241234567: 5GB",
        "5GB 0241234567",
        "1. 0241234567 5GB",
        "- 0241234567 5GB",
        "• 0241234567 5GB",
        "pls send 5GB to 0241234567",
        "0241234567 5GB GHS 24",
        "0241234567 5GB 24 cedis",
        "0241234567 5GB ₵24.50",
        "[10:04, 30/11/2026] +233 20 111 2222: 0241234567 5GB",
        "30/11/2026, 10:04 - +233 20 111 2222: 0241234567 5GB",
        "[30/11/2026, 10:04:09 AM] Kofi: 0241234567 5GB",
        "\u202a+233 24 123 4567\u202c 5GB",
        "٠٢٤١٢٣٤٥٦٧ ٥",
        "0241234567\u00a05",
        "0241234567 5120 MB",
    ],
)
def test_usual_spellings_mean_the_same(text: str) -> None:
    wish = reading.read(text)
    assert (wish.recipient_msisdn, wish.mb) == (NUMBER, FIVE)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("0241234567 500MB", Wish(NUMBER, 500, None, "")),
        ("0241234567 1.5GB", Wish(NUMBER, 1_536, None, "")),
        ("MTN 0241234567 5", Wish(NUMBER, FIVE, "mtn", "")),
        ("0241234567 vodafone 5GB", Wish(NUMBER, FIVE, "telecel", "")),
        ("0241234567 5 AirtelTigo", Wish(NUMBER, FIVE, "at", "")),
        ("0241234567 5GB Kofi Mensah", Wish(NUMBER, FIVE, None, "Kofi Mensah")),
        ("Kofi\t0241234567\t5", Wish(NUMBER, FIVE, None, "Kofi")),
        (f"0241234567 5 {'x' * 90}", Wish(NUMBER, FIVE, None, "x" * 60)),
    ],
)
def test_sizes_networks_and_names(text: str, wish: Wish) -> None:
    assert reading.read(text) == wish


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0241234567", "no size"),
        ("good morning", "no phone number"),
        ("=1+1", "no phone number"),
        ("024123456 5", "9 digits"),
        ("02412345678 5", "11 digits"),
        ("24123456 75", "8 digits"),
        ("024123456 5,5GB", "9 digits"),
        ("02 41 23 45 67 5", "one piece"),
        ("0241234567.5", "one piece"),
        ("0302123456 5", "landline"),
        ("0281234567 5", "028"),
        ("O241234567 5", "letter O"),
        ("0241234567 0551234567 5", "two numbers"),
        ("0241234567 5 10", "Which is the size, 5 and 10?"),
        ("0241234567 5GB 24", "Which is the size, 5GB and 24?"),
        ("0241234567 1,5GB", "Which is the size, 1 and 5GB?"),
        ("0241234567,5,2026-11-30", "Which is the size"),
        ("0241234567 0", "no bundle of 0 GB"),
        ("0241234567 0.001", "no bundle of 0.001 GB"),
        ("0241234567 5x2", "no size"),
        ("0241234567 5 b2b", "neither a number nor a size"),
        ("0241234567 mtn telecel 5", "two networks"),
        ("2.41235E+08 5", "shortened the number"),
        ("0241234567 5" + " x" * 100, "200 is the most"),
    ],
)
def test_what_cannot_be_told_is_asked_and_never_guessed(text: str, says: str) -> None:
    with pytest.raises(BadLine) as bad:
        reading.read(text)
    assert says in bad.value.sentence


@settings(max_examples=40)
@given(st.text(max_size=250))
def test_any_line_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        wish = reading.read(text)
    except BadLine as bad:
        assert bad.sentence
    else:
        assert phones.network_of(wish.recipient_msisdn) and wish.mb > 0


PIECES = st.sampled_from(
    ["0241234567", "024 123 456", "5", "7", "10GB", "24", " ", ",", "\t", ".0", "-", "mtn", "Kofi"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_number_that_is_read_stood_there_digit_by_digit(text: str) -> None:
    """Digits of a size are never taken into a number, nor the other way round."""
    try:
        wish = reading.read(text)
    except BadLine:
        return
    digits = re.sub(r"\D", "", text)
    national = wish.recipient_msisdn.removeprefix("+233")
    assert national in digits
    size = wish.mb // 1024
    assert str(size) in digits.replace(national, "", 1)


class TestSplitting:
    def test_empty_lines_keep_the_places_of_the_others(self) -> None:
        found = splitting.split("\n0241234567 5\n\n  \n,,,\n0551234567 2\r\n")
        assert found.lines == {2: "0241234567 5", 6: "0551234567 2"}

    def test_heads_put_columns_in_order_and_name_what_is_left_out(self) -> None:
        text = (
            "Client;Price;Data (GB);Phone No.\nKofi;24;5;0241234567\n;10;2.0;551234567"
        )
        found = splitting.split(text)
        wishes = [reading.read(line) for line in found.lines.values()]
        assert wishes == [
            Wish(NUMBER, FIVE, None, "Kofi"),
            Wish("+233551234567", 2_048, None, ""),
        ]
        assert list(found.lines) == [2, 3] and "“Price”" in found.note

    def test_heads_in_mb_are_heads_in_mb(self) -> None:
        found = splitting.split("msisdn,MB\n0241234567,500")
        assert reading.read(found.lines[2]).mb == 500

    def test_a_head_by_blanks_is_left_out(self) -> None:
        assert splitting.split("number size\n0241234567 5").lines == {2: "0241234567 5"}

    def test_a_row_that_does_not_fit_under_the_heads_stays_as_it_is(self) -> None:
        found = splitting.split("name,number,size\n0241234567 5")
        assert found.lines == {2: "0241234567 5"}

    @pytest.mark.parametrize(
        "line", ["024 123 4567 5 GB", "+233 24 123 4567 5", "0241234567 5 gigs please"]
    )
    def test_nor_one_whose_number_has_blanks_and_that_has_no_columns(
        self, line: str
    ) -> None:
        found = splitting.split(f"number,size\n0551234567,2\n{line}")
        wish = reading.read(found.lines[3])
        assert (wish.recipient_msisdn, wish.mb) == (NUMBER, FIVE)
        in_mb = splitting.split("number,MB\n0241234567 500").lines[2]
        assert reading.read(in_mb).mb == 500

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "nothing in this list"),
            (" \n\t\n;;\n\u200b", "nothing in this list"),
            ("number,size\n", "no line below"),
            ("0241234567 5\n" * 1_001, "1,001 lines; 1,000 is the most"),
            ("0241234567 5\n" * 100_000, "100,000 lines"),
        ],
    )
    def test_what_is_no_list_says_so(self, text: str, says: str) -> None:
        with pytest.raises(splitting.BadList) as bad:
            splitting.split(text)
        assert says in bad.value.sentence

    @given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
    def test_any_text_is_split_or_refused(self, text: str) -> None:
        try:
            found = splitting.split(text)
        except splitting.BadList as bad:
            assert bad.sentence
        else:
            assert found.lines and all(n >= 1 for n in found.lines)
