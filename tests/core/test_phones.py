"""Numbers of product.md §6, with a widely used library as a second opinion."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import carrier

from core.base import phones

prefixes = st.sampled_from(
    [prefix for network in phones.NETWORKS.values() for prefix in network.prefixes]
)
numbers = st.builds(
    lambda prefix, rest: prefix + f"{rest:07}",
    prefixes,
    st.integers(min_value=0, max_value=9_999_999),
)
separators = st.sampled_from(["", " ", "-", ".", "  ", "\u00a0", "\u2011"])


@pytest.mark.slow(seconds=0.5)
@given(
    numbers,
    st.sampled_from(["0", "+233", "00233", "233", "", "+233 (0)", "+2330"]),
    separators,
)
def test_every_usual_spelling_is_the_same_number(
    local: str, start: str, gap: str
) -> None:
    typed = start + gap + gap.join([local[1:3], local[3:6], local[6:]])
    if start == "" and local[1] not in "25":
        return
    assert phones.parse(typed) == "+233" + local[1:]


@given(numbers)
def test_showing_and_masking(local: str) -> None:
    msisdn = phones.parse(local)
    assert phones.parse(phones.show(msisdn)) == msisdn
    assert phones.local(msisdn) == local
    masked = phones.mask(msisdn)
    assert masked.startswith(local[:3])
    assert masked.endswith(local[-4:])
    assert local[3:6] not in masked.replace(local[:3], "", 1).replace(local[-4:], "")


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_a_sentence(text: str) -> None:
    try:
        assert phones.network_of(phones.parse(text)) is not None
    except phones.BadNumber as bad:
        assert bad.sentence.endswith((".", "4567."))


def test_our_table_agrees_with_the_library_except_where_we_know_better() -> None:
    names = {
        "mtn": {"MTN"},
        "telecel": {"Telecel", "Vodafone"},
        "at": {"AT", "AirtelTigo", "Glo", "at"},
    }
    for key, network in phones.NETWORKS.items():
        for prefix in network.prefixes:
            number = phonenumbers.parse(prefix + "1234567", "GH")
            if prefix == "025":  # the library does not know MTN's newest prefix
                assert not phonenumbers.is_valid_number(number)
                continue
            assert phonenumbers.is_valid_number(number), prefix
            assert carrier.name_for_number(number, "en") in names[key], prefix


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Type the number"),
        ("O24 123 4567", "letter O"),
        ("024 123 456", "9 digits"),
        ("024 123 45678", "11 digits"),
        ("0302 123 456", "landline"),
        ("+233302123456", "landline"),
        ("028 123 4567", "028"),
        ("029 123 4567", "029"),
        ("022 123 4567", "022"),
        ("024-abc-4567", "digits only"),
        ("+1 212 555 0100", "Ghana"),
        ("0044 7700 900123", "Ghana"),
        ("024+1234567", "plus sign"),
        ("1241234567", "starts with 0"),
        ("0241234567 0551234567 0201234567 0271234567", "too long"),
        ("2412345678901", "digits"),
        ("+233 24 123 456", "9 digits"),
        ("00233 24 123 45678", "11 digits"),
    ],
)
def test_what_cannot_be_read_says_how_to_fix_it(typed: str, says: str) -> None:
    with pytest.raises(phones.BadNumber) as bad:
        phones.parse(typed)
    assert says in bad.value.sentence


def test_digits_of_other_scripts_are_digits() -> None:
    assert phones.parse("٠٢٤١٢٣٤٥٦٧") == "+233241234567"
