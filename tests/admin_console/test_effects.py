"""What the page that asks a second time says of a press: something of whatever moves money."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from admin_console import effects
from core.settling import Choice
from core.settling.table import TABLE

MOVING = sorted({way.action for way in TABLE if way.posts})


@pytest.mark.parametrize("action", MOVING)
def test_every_press_that_moves_money_says_what_it_does(
    action: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "was_never_bought", lambda _facts: False)
    monkeypatch.setattr(effects.ledger, "commit_is_open", lambda _id: True)
    monkeypatch.setattr(effects.reconcile, "funding_amounts", lambda: (1_234,))
    order = SimpleNamespace(id=1, order_ref="MK-1", bundle_text="MTN 1 GB")
    for of in (order, None):
        facts: Any = SimpleNamespace(order=of)
        said = effects.effects(Choice(action, 1_234), facts)
        if action == "money_came_back" or (action == "deliver" and of is None):
            continue  # its button says it; only an order is delivered
        assert any("GH₵\N{NO-BREAK SPACE}12.34" in line for line in said), action
    assert effects.effects(Choice("close", None), facts) == []
