"""The supplier's answers in other spellings: what means the same moves the order, what is another
size does not."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from desk import Desk
from seed import WALLET_PESEWAS, WEBHOOK_TOKEN

from core import outbox
from core.base import clock, phones, tenancy
from core.orders import Order
from core.supplier import supply, webhook_events
from fulfilment.buying import sizes
from integrations.sandbox.store import DEFAULT_SECRET

pytestmark = pytest.mark.matrix

SAME = ("size_bare", "size_in_mb", "size_in_words", "size_as_number", "size_left_out")
REFERENCES = ("reference_lower", "reference_padded")


@pytest.mark.parametrize(
    "said",
    [
        "5",
        "5.0",
        "",
        "5GB",
        "5 gb",
        "5120MB",
        "5,120 MB",
        "5000mb",
        "5Gig",
        "5 Gigabytes",
    ],
)
def test_a_size_that_means_the_same_or_says_no_unit_contradicts_nothing(
    said: str,
) -> None:
    assert not sizes.contradicts(said, "5GB")


@pytest.mark.parametrize(
    "said", ["5MB", "6GB", "50 GB", "500MB", "5.5GB", "10240MB", "0,5 GB"]
)
def test_another_size_contradicts(said: str) -> None:
    assert sizes.contradicts(said, "5GB")


def test_half_a_gigabyte_is_five_hundred_megabytes_either_way() -> None:
    assert not any(
        sizes.contradicts(said, "500MB")
        for said in ("0.5GB", "512MB", "0,5 GB", "５００ＭＢ")
    )
    assert not sizes.contradicts(None, "500MB")
    assert sizes.contradicts("500GB", "500MB")


@pytest.mark.slow(seconds=0.5)
@pytest.mark.parametrize("spelling", [*SAME, *REFERENCES])
def test_a_look_up_in_another_spelling_completes_the_order(
    desk: Desk, spelling: str
) -> None:
    order = desk.release(gb=5)
    desk.work()
    desk.plan(spelling, "status", times=20)
    desk.settle(order, "successful")
    order = desk.work_until(order, "completed")
    assert (desk.cases(), order.attempt) == ([], 1)


def test_a_look_up_of_another_size_completes_nothing_and_is_a_case(desk: Desk) -> None:
    order = desk.release(gb=5)
    desk.work()
    desk.plan("size_of_another", "status", times=3)
    desk.settle(order, "successful")
    for _ in range(3):
        desk.work()
        desk.jump_to_next()
    assert (desk.read(order).state, desk.cases()) == ("processing", ["wrong_answer"])
    assert (
        desk.work_until(order, "completed").attempt == 1
    )  # the right answer is believed after wrong ones


@pytest.mark.slow(seconds=1.7)
@pytest.mark.parametrize("spelling", REFERENCES)
def test_purchases_answered_in_another_spelling_are_accepted_and_open_no_breaker(
    desk: Desk, spelling: str
) -> None:
    desk.plan(spelling, "purchase", times=6)
    placed = [desk.release() for _ in range(6)]
    desk.work()
    assert {desk.read(order).state for order in placed} == {"processing"}
    with tenancy.across_stores():
        link = supply.state()
    assert (link.unknown_streak, link.breaker_open_until, desk.cases()) == (0, None, [])
    assert len(desk.charges()) == 6


@pytest.mark.slow(seconds=0.3)
@pytest.mark.parametrize("spelling", REFERENCES)
def test_not_found_in_another_spelling_proves_absence_like_any(
    desk: Desk, spelling: str
) -> None:
    desk.plan("http_500_before")
    order = desk.release()
    desk.work()
    desk.sandbox.sandbox.faults.install([])
    desk.plan(spelling, "status", times=20)
    assert desk.work_until(order, "processing").attempt == 2
    assert desk.charges(order) == [desk.read(order).order_ref]


@pytest.mark.parametrize(
    "shape", [str.lower, lambda ref: f" {ref} "], ids=["lower", "padded"]
)
def test_a_webhook_in_another_spelling_rings_for_the_order(
    desk: Desk, shape: Callable[[str], str]
) -> None:
    order = desk.release()
    desk.work()
    data = {"reference": shape(desk.read(order).order_ref), "new_status": "successful"}
    signature = hmac.new(
        DEFAULT_SECRET.encode(), json.dumps(data).encode(), hashlib.sha256
    ).hexdigest()
    body = {"event": "transaction.status_update", "data": data, "signature": signature}
    answer = desk.app.test_client().post(
        f"/datamart/{WEBHOOK_TOKEN}",
        data=json.dumps(body),
        base_url="http://hooks.localhost",
    )
    assert answer.status_code == 204
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        assert row is not None and row.due_at <= clock.now()
        assert [
            event.verified_by for event in webhook_events.of_order(order.order_ref)
        ] == ["platform_data_secret"]


# -- numbers


@pytest.mark.parametrize(
    "said",
    [
        "0241234567", "024****567", "024 ••• 4567", "024...567", "024XXX4567", "23324***4567",
        "4567", "N/A", "hidden",
        "241234567.0", "MTN 0241234567", "0241234567 (MTN)",
    ],
)  # fmt: skip
def test_a_number_partly_hidden_or_not_named_contradicts_nothing(said: str) -> None:
    assert phones.may_be_meant("+233241234567", said)


@pytest.mark.parametrize(
    "said", ["0241234568", "024****568", "025****567", "24123456", "4568", "233***4568"]
)
def test_another_number_contradicts_as_far_as_it_is_shown(said: str) -> None:
    assert not phones.may_be_meant("+233241234567", said)


@pytest.mark.parametrize("hidden", ["024****567", "N/A"])
def test_an_order_answered_with_its_number_hidden_is_bought_and_completed(
    desk: Desk, hidden: str
) -> None:
    order = desk.release(number="+233241234567")
    desk.plan("edited_answer", "any", times=20, members={"beneficiary": hidden})
    desk.work()
    assert desk.read(order).state == "processing"
    desk.settle(order, "successful")
    order = desk.work_until(order, "completed")
    assert (desk.cases(), order.attempt) == ([], 1)


def test_a_purchase_answered_without_a_reference_is_ours_when_it_names_our_number(
    desk: Desk,
) -> None:
    order = desk.release()
    desk.plan("edited_answer", "purchase", members={"reference": None})
    desk.work()
    assert (desk.read(order).state, desk.cases()) == ("processing", [])


def test_a_purchase_answered_without_a_reference_or_number_is_unclear_and_no_stranger_s(
    desk: Desk,
) -> None:
    order = desk.release()
    desk.plan(
        "edited_answer", "purchase", members={"reference": None, "beneficiary": None}
    )
    desk.work()
    assert (desk.read(order).state, desk.cases()) == ("submitting", [])
    assert desk.work_until(order, "processing").attempt == 1


# -- a look-up that names no reference


AGENT = 470
NAMELESS = [None, "", "N/A", "MK-****", "••••"]
NUMBER = "+233241234567"


def lost(desk: Desk, *, times: int | None = None, **members: Any) -> Order:
    """An order the supplier took, whose answer was lost, and whose look-ups come with these members
    instead of its own."""
    order = desk.release(number=NUMBER)
    desk.plan("http_500_after", "purchase")
    desk.work()
    desk.plan("edited_answer", "status", times=times, members=members)
    return order


def looks(desk: Desk, order: Order, times: int = 12) -> Order:
    for _ in range(times):
        desk.jump_to_next()
        desk.work()
    return desk.read(order)


@pytest.mark.parametrize("nameless", NAMELESS)
def test_look_ups_without_a_reference_that_say_number_and_size_deliver_the_order(
    desk: Desk, nameless: str | None
) -> None:
    order = lost(desk, reference=nameless)
    order = desk.work_until(order, "processing")
    desk.settle(order, "successful")
    order = desk.work_until(order, "completed")
    assert (order.attempt, len(desk.charges(order)), desk.cases()) == (1, 1, [])
    assert order.supplier_ref is None, (
        "a number that came without our reference is nothing to go by"
    )


@pytest.mark.slow(seconds=0.3)
@pytest.mark.parametrize("word", ["failed", "reversed"])
def test_a_look_up_without_a_reference_never_fails_an_order_nobody_gave_a_number(
    desk: Desk, word: str
) -> None:
    order = lost(desk, reference=None, status=word)
    order = looks(desk, order)
    assert (order.state, order.attempt, len(desk.charges(order))) == (
        "submitting",
        1,
        1,
    )
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, AGENT)


@pytest.mark.parametrize(
    ("status", "state"), [("failed", "failed"), ("successful", "completed")]
)
def test_a_look_up_with_the_number_that_the_purchase_was_given_settles_either_way(
    desk: Desk, status: str, state: str
) -> None:
    order = desk.release(number=NUMBER)
    desk.work()
    assert desk.read(order).supplier_ref
    desk.plan(
        "edited_answer",
        "status",
        times=None,
        members={"reference": None, "beneficiary": "024****567"},
    )
    desk.settle(order, status)
    assert desk.work_until(order, state).state == state


STRANGE: list[dict[str, Any]] = [
    {"beneficiary": "0240000009"},
    {"beneficiary": "024****567"},
    {"beneficiary": None},
    {"product": {"capacity": "2GB"}},
    {"product": {"capacity": "1"}},
    {"product": {"capacity": None}},
    {"product": {"name": "TELECEL"}},
    {"amount": 9.9},
    {"created_at": "2020-01-01T00:00:00.000Z"},
    {"status": "teleported"},
]


@pytest.mark.slow(seconds=1.1)
@pytest.mark.parametrize("strange", STRANGE, ids=str)
@pytest.mark.parametrize("status", ["sent", "successful"])
def test_a_look_up_without_a_reference_that_may_be_of_another_order_is_no_answer(
    desk: Desk, strange: dict[str, Any], status: str
) -> None:
    order = lost(desk, **({"reference": None, "status": status} | strange))
    order = looks(desk, order)
    assert (order.state, order.attempt, len(desk.charges(order))) == (
        "submitting",
        1,
        1,
    )
    assert "wrong_answer" not in desk.cases()
    desk.sandbox.sandbox.faults.install([])
    assert desk.work_until(order, "processing").attempt == 1


@pytest.mark.slow(seconds=0.3)
@pytest.mark.parametrize("placed_at", [True, False])
def test_of_two_orders_alike_a_look_up_without_a_reference_settles_neither(
    desk: Desk, placed_at: bool
) -> None:
    """The record may be the other one's: it was delivered, and nobody knows of this one."""
    twin = desk.release("kofi", number=NUMBER)
    desk.work()
    desk.settle(twin, "successful")
    desk.work_until(twin, "completed")
    order = lost(
        desk,
        reference=None,
        status="successful",
        **({} if placed_at else {"created_at": None}),
    )
    order = looks(desk, order)
    assert (order.state, order.attempt) == ("submitting", 1)


def test_an_order_alike_of_long_before_stands_in_no_way_when_the_record_says_when(
    desk: Desk,
) -> None:
    twin = desk.release("kofi", number=NUMBER)
    desk.work()
    desk.settle(twin, "successful")
    desk.work_until(twin, "completed")
    desk.jump(7_200)
    order = lost(desk, reference=None, created_at=clock.now().isoformat())
    assert desk.work_until(order, "processing").attempt == 1


def test_a_purchase_answered_with_its_reference_hidden_is_ours_when_it_names_our_number(
    desk: Desk,
) -> None:
    order = desk.release()
    desk.plan("edited_answer", "purchase", members={"reference": "MK-****"})
    desk.work()
    assert (desk.read(order).state, desk.cases()) == ("processing", [])
