"""The picture with every price: drawn for any name and any number of bundles, once a content."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from visitors import Visitor

from storefront import pictures, price_picture
from storefront.price_picture import MOST_LINES

MOST_BYTES = 30_000
ADDRESS = "https://ama.makola.shop"
LINES = st.lists(st.sampled_from(["MTN", "Telecel", "AT"]), max_size=60)


def drawn(name: str, lines: list[tuple[str, str, str]]) -> Image.Image:
    made = price_picture.draw(
        name, "ama.makola.shop", ADDRESS, "#0b6e4f", lines, "30 Nov 2026"
    )
    assert len(made) <= MOST_BYTES
    return Image.open(io.BytesIO(made))


@pytest.mark.parametrize(
    "name",
    [
        "W" * 60,
        "Ama's Data",
        "\u202eatad s'amA\u202c",
        "数据商店",
        "...",
        "",
        "a\nb\nc",
    ],
)
@pytest.mark.parametrize("many", [0, 1, 60])
def test_any_name_and_any_number_of_prices(name: str, many: int) -> None:
    lines = [("MTN", f"{at + 1} GB", "9,999.00") for at in range(many)]
    assert drawn(name, lines).size == (720, 1280)


@given(LINES)
def test_each_network_keeps_its_share(networks: list[str]) -> None:
    lines = [(network, str(at), "1.00") for at, network in enumerate(networks)]
    shares = price_picture._shares(lines)
    assert sum(len(own) for _n, own, _m in shares) == min(len(lines), MOST_LINES)
    for network, own, more in shares:
        assert len(own) + more == networks.count(network)
        assert own or not networks.count(network)


def test_the_store_s_picture_is_drawn_once_a_content(
    visitor: Callable[[str], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures._drawn.clear()
    made: list[Any] = []
    draw = price_picture.draw
    monkeypatch.setattr(
        price_picture, "draw", lambda *words: made.append(words) or draw(*words)
    )
    ama = visitor("ama")
    answers = [ama.get("/prices.png") for _ in range(3)]
    assert {answer.mimetype for answer in answers} == {"image/png"}
    assert len(made) == 1 and made[0][0] == "Ama's Data" and len(made[0][4]) == 9
    assert "public" in answers[0].headers["Cache-Control"]
