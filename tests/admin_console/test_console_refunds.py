"""Refunds in the console: what is under way, and the number for one that could not reach its
payer."""

from __future__ import annotations

import pytest
from console_scenes import Scene
from visitors import Visitor

from core.online import GatewayRefund


def kept(scene: Scene, refund: int) -> GatewayRefund:
    from core.base.db import db

    return scene.ask(lambda: db.session.get_one(GatewayRefund, refund))


def test_what_is_on_its_way_back_is_listed_with_its_order(
    owner: Visitor, scene: Scene
) -> None:
    code = scene.order("cancelled")
    scene.refund(code, "open")
    page = owner.get("/refunds").text
    assert "On its way" in page and f"/orders/{code}" in page and "Cancelled" in page
    assert "Send it to a number" not in page


def test_a_number_is_read_in_any_spelling_and_kept_for_the_worker(
    owner: Visitor, scene: Scene
) -> None:
    refund = scene.refund(scene.order("cancelled"))
    form = {"number": "+233 24 123 4567", "network": "telecel"}
    assert owner.post(f"/refunds/{refund}/send-to", form).status_code == 303
    row = kept(scene, refund)
    assert (row.to_number, row.to_network) == ("0241234567", "telecel")
    assert "It is sent to the number you gave" in owner.get("/refunds").text


@pytest.mark.parametrize(
    ("number", "network", "said"),
    [
        ("twelve", "mtn", "number"),
        ("024123456", "mtn", "digit"),
        ("0241234567", "moon", "Choose the network"),
        ("", "mtn", "number"),
    ],
)
def test_bad_input_gets_a_sentence_and_keeps_what_was_typed(
    owner: Visitor, scene: Scene, number: str, network: str, said: str
) -> None:
    refund = scene.refund(scene.order("cancelled"))
    form = {"number": number, "network": network}
    answer = owner.post(f"/refunds/{refund}/send-to", form)
    assert answer.status_code == 422
    assert said in answer.text and f'value="{number}"' in answer.text
    assert kept(scene, refund).to_number is None


@pytest.mark.parametrize("state", ["requested", "submitting", "open"])
def test_only_one_that_needs_a_number_takes_one(
    owner: Visitor, scene: Scene, state: str
) -> None:
    refund = scene.refund(scene.order("cancelled"), state)
    form = {"number": "0241234567", "network": "mtn"}
    answer = owner.post(f"/refunds/{refund}/send-to", form)
    assert answer.status_code == 422
    assert kept(scene, refund).to_number is None


@pytest.mark.parametrize("named", ["0", "999999", "x", "9" * 30])
def test_one_that_is_not_there_is_not_found(owner: Visitor, named: str) -> None:
    form = {"number": "0241234567", "network": "mtn"}
    assert owner.post(f"/refunds/{named}/send-to", form).status_code == 404
