"""A code is found in whatever was pasted, and nothing that is no code is taken for one."""

from __future__ import annotations

import random

import pytest

from core import orders
from core.orders.codes import ALPHABET

CODE = "K7QM2XR94T"


@pytest.mark.parametrize(
    "text",
    [
        CODE, "K7QM-2XR9-4T", "k7qm 2xr9 4t", "k7 qm2x r9.4t", " (K7QM2XR94T) ", "K7QM2XR94T)",
        "K7QM2XR94T,", "*K7QM-2XR9-4T*",
        "_K7QM-2XR9-4T_", "~K7QM2XR94T~", "“K7QM-2XR9-4T”.", "K7QM\u20132XR9\u20134T",
        "K7QM\u20112XR9\u20114T!",
        "\u202aK7QM-2XR9-4T\u202c", "K7\u200bQM2X\u200dR94T", "K7QM\u00ad2XR94T",
        "K7QM\u00a02XR9\u00a04T", "K7QM\n2XR9\n4T",
        "\uff2b\uff17\uff31\uff2d2XR94T", "K\u0667QM2XR9\u06644T"[:-2] + "T",
        "Order K7QM-2XR9-4T at Ama's Data: https://ama.example.com/orders/K7QM2XR94T",
        "Hello, about my order K7QM-2XR9-4T.", "my code:K7QM2XR94T thanks",
        "code K7QM 2XR9 4T for 024 123 4567",
        "https://ama.example.com/orders/K7QM2XR94T?v=3", "ama.example.com/orders/k7qm-2xr9-4t/",
        "/orders/K7QM2XR94T).",
        "https://wa.me/233241234567?text=Hello%20K7QM-2XR9-4T%3A%20http%3A//ama.localhost/orders/K7QM2XR94T",
        "[10:02, 29/11/2026] Ama: K7QM-2XR9-4T", "Send the data to K7QM-2XR9-4T please",
    ],
)  # fmt: skip
def test_a_code_is_found_in_whatever_was_pasted(text: str) -> None:
    assert CODE in orders.codes_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "K7QM2XR94",
        "K7QM2XR94TT",
        "K7QM-2XR9-4U",
        "MK-" + "A" * 17,
        "\u202d",
        "Ü" * 10,
    ],
)
def test_what_cannot_be_a_code_is_none(text: str) -> None:
    assert orders.codes_in(text) == [] and orders.read_code(text) is None


def test_read_code_takes_a_code_and_nothing_else() -> None:
    assert orders.read_code("*K7QM-2XR9-4T*,") == CODE
    assert orders.read_code("K7QM-2XR9-4T please") is None


def test_letters_that_look_like_digits_are_those_digits() -> None:
    assert orders.codes_in("order oil0-0000-0o.") == ["0110000000"]


def test_no_text_takes_long_or_breaks_it() -> None:
    luck = random.Random(7)
    signs = ALPHABET + "oil-–_. \n/*%4\u202d\u0301\ud800é🙂"
    for _ in range(300):
        text = "".join(luck.choices(signs, k=luck.choice((9, 10, 12, 40, 3_000))))
        found = orders.codes_in(text)
        assert len(found) <= 8 and all(
            len(code) == 10 and set(code) <= set(ALPHABET) for code in found
        )
