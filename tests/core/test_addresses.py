"""One function says what one caller is."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import addresses


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("", addresses.NOBODY),
        (None, addresses.NOBODY),
        ("203.0.113.7:49152", "203.0.113.7"),
        ("[2001:db8:1:2::9]:49152", "2001:db8:1:2::"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::"),
        ("[::ffff:203.0.113.7]:1", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
        ("64:ff9b::203.0.113.8", "203.0.113.8"),
        ("unix:", "unix:"),
        ("x" * 500, "x" * 64),
    ],
)
def test_key(text: str | None, key: str) -> None:
    assert addresses.key(text) == key


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_all_addresses_of_one_line_are_one_caller(
    line: int, one: int, other: int
) -> None:
    keys = {
        addresses.key(str(ipaddress.IPv6Address((line << 64) | end)))
        for end in (one, other)
    }
    mapped = line == 0 and any(end >> 32 == 0xFFFF for end in (one, other))
    assert len(keys) == 1 or mapped
