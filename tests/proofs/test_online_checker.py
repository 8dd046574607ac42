"""The judge of runs with online payments sees each lie: a small world in which all is well, and what
breaks each invariant in it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.proofs import online_checker
from tests.proofs.online_checker import INVARIANTS, Ours, Theirs

BEGAN = 1_800_000_000.0
World = tuple[dict[str, Any], Theirs, Ours]


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(BEGAN + seconds, UTC)


def there(number: int, **more: Any) -> dict[str, Any]:
    """A payment as the gateway has it."""
    return {
        "id": number,
        "reference": f"P{number}",
        "amount": 500,
        "charged": 500,
        "fees": 10,
        "paid_at": BEGAN + 5,
        **more,
    }


def here(number: int, **more: Any) -> dict[str, Any]:
    """The same as we have it."""
    return {
        "id": number,
        "reference": f"P{number}",
        "state": "paid",
        "created_at": moment(0),
        "paid_at": moment(6),
        "pays_order_id": number,
        "fees_pesewas": 10,
        "is_watched": False,
        **more,
    }


def order(number: int, state: str) -> dict[str, Any]:
    return {
        "id": number,
        "code": f"CODE{number}",
        "state": state,
        "order_ref": f"MK-{number}",
        "price_pesewas": 500,
    }


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Order 1 was delivered, 2 refunded, 3 never paid; one payout went."""
    placed = [
        {"what": "placed", "code": f"CODE{n}", "fate": "returns"} for n in (1, 2, 3)
    ]
    book = tmp_path / "diary.jsonl"
    book.write_text("".join(json.dumps(line) + "\n" for line in placed))
    run = {
        "seed": 1,
        "mutant": None,
        "scale": 10.0,
        "expires_s": 1_800,
        "ladder_s": [60, 180, 300],
        "watch_ladder_s": [300, 600],
        "diary": str(book),
        "proof": {"status": 0, "said": ""},
        "plan": {"kills": 1},
        "kills": [{"kind": "web"}],
        "acts": {},
        "fired": {},
        "calls": {},
        "times_s": {},
    }
    theirs = Theirs.__new__(Theirs)
    theirs.payments = theirs.paid = {"P1": there(1), "P2": there(2)}
    theirs.refunds = defaultdict(list)
    theirs.refunds[2] = [{"id": 20, "amount": 500, "status": "processed", "of": 2}]
    theirs.transfers = {
        "mk-w-1": {"amount": 300, "fee": 100, "status": "success"},
    }
    theirs.books = {
        "topped_up": 9_000,
        "taken": 1_000,
        "fee": -20,
        "refunded": -500,
        "paid_out": -300,
        "payout_fee": -100,
    }
    theirs.webhooks = {}
    theirs.bought = Counter({"MK-1": 1})
    ours = Ours.__new__(Ours)
    ours.orders = {
        1: order(1, "completed"),
        2: order(2, "refunded"),
        3: order(3, "expired"),
    }
    ours.attempts = {
        "P1": here(1),
        "P2": here(2),
        "P3": here(
            3, state="watched", is_watched=True, pays_order_id=None, paid_at=None
        ),
    }
    ours.pays = {1: ours.attempts["P1"], 2: ours.attempts["P2"]}
    ours.refunds = [
        {
            "payment_id": 2,
            "reference": "P2",
            "n": 1,
            "state": "done",
            "gateway_refund_id": 20,
            "amount_pesewas": 500,
        }
    ]
    ours.payouts = {"mk-w-1": {"amount_pesewas": 300, "state": "paid"}}
    ours.cases, ours.settled_cases = [], Counter()
    ours.in_case, ours.asked_about = set(), set()
    ours.balances = {"gateway": 9_080}
    ours.total, ours.entries, ours.unbalanced, ours.drifted = 0, 10, [], []
    ours.calls, ours.called_at, ours.topped_up_pesewas = {}, [BEGAN, BEGAN + 70], 9_000
    return run, theirs, ours


def lie(path: str, value: Any) -> Callable[[World], None]:
    """Put a value at `who.attribute[key]…`."""

    def tell(world: World) -> None:
        name, *keys = path.split("/")
        target: Any = dict(zip(("run", "theirs", "ours"), world, strict=True))[name]
        for key in keys[:-1]:
            target = _part(target, key)
        if isinstance(target, dict):
            target[_key(target, keys[-1])] = value
        elif isinstance(target, list):
            target[int(keys[-1])] = value
        else:
            setattr(target, keys[-1], value)

    return tell


def _part(target: Any, key: str) -> Any:
    if isinstance(target, dict):
        return target[_key(target, key)]
    return target[int(key)] if isinstance(target, list) else getattr(target, key)


def _key(target: dict[Any, Any], key: str) -> Any:
    return int(key) if any(isinstance(one, int) for one in target) else key


LIES: list[tuple[str, Callable[[World], None]]] = [
    ("paid_is_taken", lie("ours/attempts/P1/state", "watched")),
    ("paid_is_taken", lie("theirs/paid", {"P2": there(2)})),
    ("paid_is_taken", lie("theirs/paid/P9", there(9))),
    ("beyond_the_ladder", lie("ours/attempts/P1/paid_at", moment(90))),
    ("one_delivery", lie("theirs/bought/MK-1", 2)),
    ("one_delivery", lie("theirs/bought/MK-9", 1)),
    ("paid_before_delivered", lie("theirs/bought/MK-3", 1)),
    ("paid_before_delivered", lie("ours/orders/3/state", "queued")),
    ("paid_before_delivered", lie("theirs/paid/P1/charged", 499)),
    ("paid_before_delivered", lie("theirs/paid/P1/amount", 499)),
    ("paid_before_delivered", lie("theirs/paid/P1/currency", "NGN")),
    ("order_has_an_end", lie("ours/orders/1/state", "processing")),
    ("lost_order", lie("ours/orders/3/code", "ANOTHER")),
    ("attempt_has_an_end", lie("ours/attempts/P3/is_watched", False)),
    ("attempt_has_an_end", lie("ours/attempts/P3/state", "open")),
    (
        "one_refund",
        lie("theirs/refunds/2", [{"id": n, "amount": 250, "status": "processed"} for n in (20, 21)]),
    ),
    ("one_refund", lie("theirs/refunds/2/0/amount", 501)),
    ("refund_is_ours", lie("ours/refunds/0/gateway_refund_id", 99)),
    ("refund_is_ours", lie("ours/refunds/0/state", "submitting")),
    ("refund_is_ours", lie("theirs/refunds/2/0/status", "pending")),
    ("owed_goes_back", lie("ours/refunds/0/state", "failed")),
    ("one_payout", lie("theirs/transfers/mk-w-1/amount", 301)),
    ("one_payout", lie("ours/payouts/mk-w-1/state", "failed")),
    ("payout_is_ours", lie("theirs/transfers/mk-w-2", {"amount": 1, "fee": 1, "status": "success"})),
    ("payout_has_an_end", lie("ours/payouts/mk-w-1/state", "submitting")),
    ("ledger", lie("ours/total", 1)),
    ("ledger", lie("ours/unbalanced", [7])),
    ("ledger", lie("ours/drifted", ["bank"])),
    ("self_proof", lie("run/proof/status", 1)),
    ("gateway_account", lie("ours/balances/gateway", 9_081)),
    ("gateway_account", lie("theirs/books/taken", 1_001)),
    ("case_reason", lie("ours/cases", [{"kind": "broken", "order_id": 1, "subject": "x", "evidence": []}])),
    ("enough_happened", lie("run/kills", [])),
    ("enough_happened", lie("run/plan", {"paid": 3})),
    ("enough_happened", lie("run/plan", {"bought": 2})),
]  # fmt: skip


def test_where_all_is_well_nothing_is_broken(world: World) -> None:
    run, theirs, ours = world
    found = online_checker.check(*world)
    assert found.broken == {}
    figures = online_checker.report(run, theirs, ours, found)
    assert figures["green"]
    assert online_checker.told(figures).endswith(
        f"verdict  GREEN: {len(INVARIANTS)} of {len(INVARIANTS)} invariants hold"
    )


def test_each_invariant_has_a_lie() -> None:
    assert {name for name, _tell in LIES} == set(INVARIANTS)


@pytest.mark.parametrize(("name", "tell"), LIES)
def test_a_lie_is_seen(name: str, tell: Callable[[World], None], world: World) -> None:
    tell(world)
    assert name in online_checker.check(*world).broken


def test_what_is_under_way_is_a_cause_with_a_name(world: World) -> None:
    _run, theirs, ours = world
    ours.refunds[0]["state"] = "open"
    ours.payouts["mk-w-1"]["state"] = "in_transit"
    ours.balances["gateway"] += 500 + 400
    assert online_checker.causes(theirs, ours) == {
        "refund under way": -500,
        "payout under way": -400,
    }
    assert "gateway_account" not in online_checker.check(*world).broken


def test_the_time_in_which_nobody_could_look_is_not_counted(world: World) -> None:
    run, _theirs, ours = world
    ours.attempts["P1"]["paid_at"] = moment(90)
    with Path(run["diary"]).open("a") as book:
        book.write(
            json.dumps({"at": BEGAN + 10, "what": "killed", "kind": "payments"}) + "\n"
        )
    assert "beyond_the_ladder" not in online_checker.check(*world).broken
    ours.called_at = [BEGAN, BEGAN + 11]
    assert "beyond_the_ladder" in online_checker.check(*world).broken


def test_what_was_there_before_us_is_named_until_it_is_booked(world: World) -> None:
    _run, theirs, ours = world
    ours.topped_up_pesewas, ours.balances["gateway"] = 0, 80
    assert online_checker.causes(theirs, ours) == {
        "there before us, and not booked": 9_000
    }
    assert "gateway_account" not in online_checker.check(*world).broken
