"""The state table: complete against product.md, refused moves change nothing, every walk keeps the
books at zero."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seed import WALLET_PESEWAS
from sqlalchemy import update

from core import catalog, ledger, orders, stores
from core.audit import Actor
from core.base import tenancy
from core.base.db import db, transaction
from core.orders import FINAL, STATES, TRANSITIONS, Order, State, states
from fulfilment.buying import interpret
from tests.support.claims import claim_one

AMA = Actor("agent", "Ama")
_keys = itertools.count()


def new_order(number: str = "+233241234567") -> Order:
    line = catalog.shelf()[0]
    return orders.place(
        bundle_id=line.bundle_id,
        recipient_msisdn=number,
        idempotency_key=f"state-{next(_keys):020}",
        repeat_confirmed=True,
    ).order


def read(order: Order) -> Order:
    found = db.session.get(Order, order.id, populate_existing=True)
    assert found is not None
    return found


def test_the_table_is_the_one_the_product_describes() -> None:
    wanted = {
        ("awaiting_payment", "pending"): "",
        ("pending", "queued"): "hold",
        ("submitting", "queued"): "",
        ("queued", "submitting"): "",
        ("submitting", "processing"): "commit",
        ("failed", "processing"): "commit",
        ("submitting", "completed"): "commit capture",
        ("processing", "completed"): "commit capture",
        ("failed", "completed"): "commit capture",
        ("submitting", "failed"): "commit",  # docs/decisions.md, 30
        ("processing", "failed"): "",
        ("failed", "refunded"): "supplier_refund release",
        ("submitting", "refunded"): "supplier_refund release",
        ("processing", "refunded"): "supplier_refund release",
        ("pending", "cancelled"): "owe",  # docs/decisions.md, 289
        ("awaiting_payment", "cancelled"): "",
        ("queued", "cancelled"): "release",
        ("awaiting_payment", "expired"): "",
        ("pending", "expired"): "",
    }
    have = {
        (move.frm, move.to): " ".join(
            re.sub(r"_if_.*", "", posting) for posting in move.postings
        )
        for move in TRANSITIONS
    }
    assert have == wanted


def test_no_move_leaves_a_final_state_and_every_other_state_has_a_way_out() -> None:
    assert not [move for move in TRANSITIONS if move.frm in FINAL]
    assert {move.frm for move in TRANSITIONS} == set(STATES) - FINAL


def test_the_table_can_be_printed() -> None:
    assert len({(move.frm, move.to) for move in TRANSITIONS}) == len(TRANSITIONS) == 19
    assert Path(states.__file__).read_text().count("Move(") == len(TRANSITIONS)


def test_every_state_a_supplier_can_be_asked_in_has_an_answer_for_every_word() -> None:
    words = ("pending", "processing", "completed", "failed", "refunded")
    asked = ("submitting", "processing", "failed", "completed", "refunded", "cancelled")
    assert set(interpret.TABLE) == set(itertools.product(asked, words))
    for (state, _word), effect in interpret.TABLE.items():
        assert effect in ("same", "case") or states.move_of(state, effect) is not None
        if state in FINAL:
            assert effect in ("same", "case")


@pytest.mark.slow(seconds=0.1)
@pytest.mark.parametrize(
    ("frm", "to"),
    [
        pair
        for pair in itertools.product(STATES, STATES)
        if states.move_of(*pair) is None
    ],
)
def test_a_move_that_is_not_in_the_table_changes_nothing(
    ama: int, frm: State, to: State
) -> None:
    order = new_order()
    with transaction() as session:
        session.execute(update(Order).where(Order.id == order.id).values(state=frm))
    events = len(orders.timeline(order))
    assert orders.advance(order.id, to, text="late news") is False
    after = read(order)
    assert (after.state, after.version) == (frm, order.version)
    assert len(orders.timeline(order)) == events


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_words_for_both_readers(ama: int, state: State) -> None:
    order = new_order()
    with transaction() as session:
        session.execute(update(Order).where(Order.id == order.id).values(state=state))
    store = stores.by_slug("ama")
    assert store is not None
    customer, agent = (
        orders.customer_words(read(order), store),
        orders.agent_words(read(order)),
    )
    assert customer.label
    assert customer.sentence.endswith(".")
    assert agent.sentence.endswith(".")
    for jargon in ("API", "webhook", "queue", "unknown", "supplier"):
        assert jargon.lower() not in (customer.label + customer.sentence).lower()
    if state != "refunded":
        assert "fail" not in customer.sentence.lower()


@pytest.mark.slow(seconds=8.8)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    walk=st.lists(
        st.tuples(
            st.sampled_from(STATES), st.booleans(), st.sampled_from([None, 460, 500])
        ),
        max_size=8,
    )
)
def test_any_walk_keeps_the_books(
    ama: int, walk: list[tuple[str, bool, int | None]]
) -> None:
    order = new_order(f"+23324{next(_keys) + 2_000_000}")
    before = ledger.wallet()
    for to, money_back, amount in walk:
        orders.advance(
            order.id,
            cast(State, to),
            text="walk",
            news=orders.News(amount_pesewas=amount, money_back=money_back),
        )
    after, final = ledger.wallet(), read(order)
    held = order.agent_price_pesewas if final.state in orders.WORK else 0
    spent = order.agent_price_pesewas if final.state == "completed" else 0
    assert after.held_pesewas - before.held_pesewas == held
    assert before.available_pesewas - after.available_pesewas == held + spent
    with tenancy.across_stores():
        assert ledger.books().hold
        kinds = [posting.kind for posting, _legs in ledger.postings_of(order.id)]
        in_flight = ledger.count(order.id, "commit") - ledger.count(
            order.id, "supplier_refund"
        )
    assert kinds.count("hold") == (1 if final.queued_at else 0)
    assert kinds.count("capture") + kinds.count("release") <= 1
    assert in_flight in (0, 1)
    tenancy.use(order.store_id, as_platform=True)


def test_the_customer_may_cancel_only_while_pending_and_the_agent_until_the_claim(
    ama: int,
) -> None:
    from core.audit import CUSTOMER

    first, second, third = new_order(), new_order(), new_order()
    assert orders.cancel(first.code, CUSTOMER).state == "cancelled"
    orders.release(second.code, AMA)
    with pytest.raises(orders.WrongState):
        orders.cancel(second.code, CUSTOMER)
    assert orders.cancel(second.code, AMA).state == "cancelled"
    assert ledger.wallet().available_pesewas == WALLET_PESEWAS
    orders.release(third.code, AMA)
    assert claim_one(third.id) is not None
    for actor in (CUSTOMER, AMA):
        with pytest.raises(orders.WrongState):
            orders.cancel(third.code, actor)
