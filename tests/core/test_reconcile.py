"""The supplier's balance beside our books: what is in doubt, what a rise speaks of, whom to ask,
when buying stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from seed import FLOAT_PESEWAS
from sqlalchemy import select

from core import (
    audit,
    cases,
    catalog,
    ledger,
    orders,
    outbox,
    reconcile,
    settling,
    stores,
)
from core.audit import SYSTEM, Actor
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.cases import Case
from core.orders import News, Order
from core.reconcile import Doubts, returned, suspects
from core.supplier import balances, supply
from tests.support.claims import claim_one

AMA = Actor("agent", "Ama")
COST = 460
FAILED = News("failed")


@pytest.fixture
def make(context: Flask, place: Callable[..., Order]) -> Callable[..., Order]:
    """An order of ama's store taken through `states`, bought for `charged` pesewas; `gb` chooses
    the bundle."""

    def made(
        *states: str, gb: int = 1, charged: int | None = None, **news: Any
    ) -> Order:
        store = stores.by_slug("ama")
        assert store is not None
        with tenancy.inside(store.id):
            line = next(
                item
                for item in catalog.shelf()
                if (item.network, item.mb) == ("mtn", gb * 1024)
            )
            order = orders.release(place(bundle_id=line.bundle_id).code, AMA)
            for state in states:
                if state == "submitting":
                    assert claim_one(order.id) is not None
                else:
                    said = News(state, amount_pesewas=charged, **news)
                    assert orders.advance(
                        order.id, state, text=f"Now {state}.", news=said
                    )  # type: ignore[arg-type]
            return db.session.scalars(select(Order).where(Order.id == order.id)).one()

    return made


PROCESSING = ("submitting", "processing")
WATCHED = (*PROCESSING, "failed")


def note(balance: int, **how: Any) -> str:
    with tenancy.across_stores():
        return reconcile.note_balance(balance, **how)


def float_now() -> int:
    with tenancy.across_stores():
        return reconcile.float_pesewas()


def open_kinds() -> list[str]:
    with tenancy.across_stores():
        return [case.kind for case in cases.open_cases(50)]


def postings(order: Order) -> list[str]:
    with tenancy.across_stores():
        return [posting.kind for posting, _ in ledger.postings_of(order.id)]


def told(order: Order) -> list[str]:
    with tenancy.across_stores():
        return [line.text for line in orders.timeline(order)]


def open_case(kind: str, order: Order) -> None:
    with tenancy.across_stores(), transaction():
        cases.open_case(
            kind,
            f"order:{order.id}",
            {"n": 1},
            store_id=order.store_id,
            order_id=order.id,
        )


def is_the_range(low: int, high: int, rounding: int = 0) -> None:
    """By reads told with a purchase, which book no refund. `rounding`: what it may explain
    besides."""
    assert note(low, by_purchase=True) == "fits"
    assert note(high, by_purchase=True) == "fits"
    assert "less" in note(low - 1 - rounding, by_purchase=True)
    assert "more" in note(high + 1 + rounding, by_purchase=True)


# What is in doubt


def test_an_order_sent_and_not_answered_for_may_have_been_charged(
    make: Callable[..., Order],
) -> None:
    make("submitting")
    is_the_range(FLOAT_PESEWAS - COST, FLOAT_PESEWAS)


def test_the_charge_of_a_failed_order_may_be_back(make: Callable[..., Order]) -> None:
    make(*WATCHED)
    is_the_range(FLOAT_PESEWAS - COST, FLOAT_PESEWAS)


def test_a_failed_order_whose_refund_is_booked_may_have_been_charged_again(
    make: Callable[..., Order],
) -> None:
    make(*WATCHED)
    assert note(FLOAT_PESEWAS).startswith("fits")
    assert float_now() == FLOAT_PESEWAS
    is_the_range(FLOAT_PESEWAS - COST, FLOAT_PESEWAS)


def test_an_order_only_ever_seen_as_failed_may_have_been_charged(
    make: Callable[..., Order],
) -> None:
    make("submitting", "failed")
    assert float_now() == FLOAT_PESEWAS - COST, (
        "booked as charged: it took the order before it failed it"
    )
    is_the_range(FLOAT_PESEWAS - COST, FLOAT_PESEWAS)


def test_a_refunded_order_is_in_doubt_while_a_person_is_asked_about_its_money(
    make: Callable[..., Order],
) -> None:
    order = make(*WATCHED, "refunded")
    assert open_kinds() == ["supplier_money"]
    is_the_range(FLOAT_PESEWAS - COST, FLOAT_PESEWAS)
    with tenancy.across_stores():
        settling.settle(
            cases.of_order(order.id)[0].id,
            "close",
            SYSTEM,
            words="It will not come back.",
        )
    is_the_range(FLOAT_PESEWAS - COST, FLOAT_PESEWAS - COST)


def test_a_success_after_our_refund_explains_its_charge_while_its_case_is_open(
    make: Callable[..., Order],
) -> None:
    order = make(*PROCESSING, "refunded", money_back=True)
    is_the_range(FLOAT_PESEWAS, FLOAT_PESEWAS)
    open_case("contradiction", order)
    is_the_range(FLOAT_PESEWAS - COST, FLOAT_PESEWAS)


def test_a_completed_order_the_supplier_contradicts_may_have_been_paid_back(
    make: Callable[..., Order],
) -> None:
    order = make(*PROCESSING, "completed")
    is_the_range(FLOAT_PESEWAS - COST, FLOAT_PESEWAS - COST)
    open_case("contradiction", order)
    is_the_range(FLOAT_PESEWAS - COST, FLOAT_PESEWAS)


@pytest.mark.parametrize(("charged", "low", "high"), [(500, 0, 40), (0, -COST, 0)])
def test_of_a_charge_off_the_quote_the_supplier_may_have_taken_the_quote(
    make: Callable[..., Order], charged: int, low: int, high: int
) -> None:
    order = make(*PROCESSING, charged=charged)
    open_case("amount_differs", order)
    assert float_now() == FLOAT_PESEWAS - charged
    is_the_range(float_now() + low, float_now() + high)


def test_an_order_proven_absent_that_only_may_not_be_sent_again_is_no_doubt(
    make: Callable[..., Order],
) -> None:
    order, failed = make("submitting"), make(*WATCHED)
    with tenancy.across_stores(), transaction():
        db.session.scalars(
            select(Order).where(Order.id == order.id)
        ).one().absent_since = clock.now()
    is_the_range(float_now() - COST, float_now() + COST, rounding=1)
    assert note(FLOAT_PESEWAS) == "fits", (
        "an order unanswered might have taken what another gave back"
    )
    open_case("resend_limit", order)
    assert note(FLOAT_PESEWAS) == "fits: money came back for 1 failed order"
    assert postings(failed)[-1] == "supplier_refund"
    is_the_range(
        FLOAT_PESEWAS - COST, FLOAT_PESEWAS
    )  # a failed order may be revived and charged again


# Money that came back


def test_the_whole_sum_of_the_failed_orders_is_booked_for_all_of_them(
    make: Callable[..., Order],
) -> None:
    made = [make(*WATCHED, gb=gb) for gb in (1, 1, 2)]
    assert note(FLOAT_PESEWAS) == "fits: money came back for 3 failed orders"
    assert float_now() == FLOAT_PESEWAS
    for order in made:
        assert postings(order) == ["hold", "commit", "supplier_refund"]
        assert (
            "The supplier's balance rose by what this order cost: the money is back in the float."
            in told(order)
        )


def test_a_part_that_only_one_order_explains_is_booked_for_that_one(
    make: Callable[..., Order],
) -> None:
    small, large = make(*WATCHED), make(*WATCHED, gb=2)
    assert note(float_now() + 900) == "fits: money came back for 1 failed order"
    assert (postings(small), postings(large)) == (
        ["hold", "commit"],
        ["hold", "commit", "supplier_refund"],
    )


def test_of_equal_charges_the_oldest_order_has_its_money_back(
    make: Callable[..., Order],
) -> None:
    made = [make(*WATCHED) for _ in range(3)]
    assert "for 2 failed orders" in note(float_now() + 2 * COST)
    assert [len(postings(order)) for order in made] == [3, 3, 2]


def test_a_part_that_several_orders_explain_books_nothing_and_is_tried_again(
    make: Callable[..., Order],
) -> None:
    five, one, four = (
        make(*WATCHED, gb=5),
        make(*WATCHED),
        make(*WATCHED, charged=2_320 - COST),
    )
    assert note(float_now() + 2_320) == "fits"
    assert [len(postings(order)) for order in (five, one, four)] == [2, 2, 2]
    assert "for 3 failed orders" in note(FLOAT_PESEWAS)


def test_a_part_that_no_order_explains_books_nothing(
    make: Callable[..., Order],
) -> None:
    order = make(*WATCHED)
    assert note(float_now() + COST - 3) == "fits", (
        "a charge and a pesewa of rounding for it and for its refund"
    )
    assert postings(order) == ["hold", "commit"]


def test_nothing_is_booked_while_an_order_is_not_answered_for(
    make: Callable[..., Order],
) -> None:
    order = make(*WATCHED)
    make("submitting", gb=2)
    assert note(FLOAT_PESEWAS) == "fits"
    assert postings(order) == ["hold", "commit"]


def test_nothing_is_booked_from_a_balance_as_old_as_a_purchase(
    make: Callable[..., Order],
) -> None:
    order = make(*WATCHED)
    assert note(FLOAT_PESEWAS, by_purchase=True) == "fits"
    assert postings(order) == ["hold", "commit"]


def test_a_difference_says_nothing_when_the_books_moved_while_the_supplier_was_asked(
    make: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        mark = reconcile.books_mark()
    order = make(*WATCHED)
    assert note(FLOAT_PESEWAS, mark=mark) == "fits"
    assert postings(order) == ["hold", "commit"]
    for _ in range(2):
        assert "not counted" in note(FLOAT_PESEWAS - 2 * COST - 1, mark=mark)
        jump(61)
    assert open_kinds() == []
    with tenancy.across_stores():
        assert supply.state().break_since is None


def test_the_question_about_the_money_closes_itself(make: Callable[..., Order]) -> None:
    order = make(*WATCHED, "refunded")
    assert open_kinds() == ["supplier_money"]
    note(FLOAT_PESEWAS)
    assert open_kinds() == []
    with tenancy.across_stores():
        closed = cases.of_order(order.id)[0]
    assert closed.resolution == (
        "The supplier's balance rose by what this order cost: the money is back in the float."
    )
    assert closed.closed_by == "Makola"
    assert "The question about the supplier's money has closed itself." in told(order)
    with tenancy.across_stores():
        assert [line.action for line in audit.recent(1)] == ["close_case"]


def test_a_later_refund_of_the_agent_asks_nobody_when_the_money_is_back(
    make: Callable[..., Order],
) -> None:
    order = make(*WATCHED)
    note(FLOAT_PESEWAS)
    with tenancy.across_stores():
        assert orders.advance(
            order.id, "refunded", text="The watch is over.", news=FAILED
        )
    assert postings(order) == ["hold", "commit", "supplier_refund", "release"]
    assert open_kinds() == []
    assert ledger_balance("in_flight") == 0


def test_an_order_charged_again_after_its_refund_is_booked_twice_and_once_back(
    make: Callable[..., Order],
) -> None:
    order = make(*WATCHED)
    note(FLOAT_PESEWAS)
    with tenancy.across_stores():
        for state in ("processing", "completed"):
            assert orders.advance(order.id, state, text="Revived.", news=News(state))  # type: ignore[arg-type]
    assert postings(order) == ["hold", "commit", "supplier_refund", "commit", "capture"]
    assert float_now() == FLOAT_PESEWAS - COST


def ledger_balance(account: str) -> int:
    with tenancy.across_stores():
        return ledger.platform_balances()[account]


amounts = st.lists(st.sampled_from([100, 200, 300, 460, 500, 900]), max_size=6)


@pytest.mark.slow(seconds=0.4)
@settings(max_examples=200, deadline=None)
@given(
    back=amounts,
    otherwise=st.lists(st.sampled_from([100, 460]), max_size=2),
    again=amounts.map(lambda made: made[:2]),
    picked=st.lists(st.booleans(), min_size=10, max_size=10),
)
def test_a_rise_is_told_apart_exactly_when_one_explanation_is_left(
    back: list[int], otherwise: list[int], again: list[int], picked: list[bool]
) -> None:
    """The oracle tries every choice of charges and counts those that differ in more than which of
    two equals it took."""
    signed = [*back, *otherwise, *(-amount for amount in again)]
    rise = max(
        sum(amount for amount, chosen in zip(signed, picked, strict=False) if chosen), 1
    )
    doubt = Doubts(
        returnable=tuple(enumerate(back)),
        back_otherwise=tuple(otherwise),
        charged_again=tuple(again),
    )
    ways = {
        (tuple(sorted(a)), tuple(sorted(b)), tuple(sorted(c)))
        for a in choices(back)
        for b in choices(otherwise)
        for c in choices(again)
        if sum(a) + sum(b) - sum(c) == rise
    }
    chosen = returned.told_apart(rise, doubt)
    if len(ways) == 1 and not next(iter(ways))[1] and not next(iter(ways))[2]:
        assert Counter(back[n] for n in chosen) == Counter(next(iter(ways))[0])
        for n in chosen:
            assert all(m in chosen for m in range(n) if back[m] == back[n]), (
                "the oldest of equals come first"
            )
    else:
        assert chosen == []


def choices(items: Sequence[int]) -> list[tuple[int, ...]]:
    return [
        chosen for size in range(len(items) + 1) for chosen in combinations(items, size)
    ]


def test_too_many_to_tell_apart_are_given_up_soon_but_the_whole_sum_is_no_riddle() -> (
    None
):
    many = Doubts(returnable=tuple((n, 1 + 2 ** (n % 24) * 37) for n in range(200)))
    began = clock.steady_s()
    assert returned.told_apart(123_456_789, many) == []
    assert clock.steady_s() - began < 5
    more = Doubts(returnable=tuple((n, 460) for n in range(500)))
    assert returned.told_apart(460, more) == []
    assert returned.told_apart(460 * 500, more) == list(range(500))


# Whom to ask


def rung() -> set[int]:
    """Orders whose row is due now."""
    with tenancy.across_stores():
        rows = db.session.scalars(
            select(outbox.OutboxRow).where(
                outbox.OutboxRow.done_at.is_(None),
                outbox.OutboxRow.due_at <= clock.now(),
            )
        )
        return {row.order_id for row in rows if row.order_id is not None}


def put_off(*made: Order, done: bool = False) -> None:
    """As after a look: the next one is an hour away, or the row's work is over."""
    with tenancy.across_stores(), transaction():
        for order in made:
            row = outbox.of_order(order.id, lock=True)
            assert row is not None
            row.due_at = clock.after(3_600)
            row.done_at = clock.now() if done else None


def test_more_than_expected_asks_about_what_may_have_been_given_back(
    make: Callable[..., Order],
) -> None:
    fits, large, done, line = (
        make(*PROCESSING),
        make(*PROCESSING, gb=5),
        make(*PROCESSING, "completed"),
        make(),
    )
    put_off(fits, large, line)
    put_off(done, done=True)
    assert "seen once" in note(float_now() + 500)
    assert rung() == {fits.id, done.id}
    assert (
        "Asked about again: the supplier's balance moved, and this order could be why."
        in told(done)
    )
    assert told(large)[-1].startswith("Now")


def test_less_than_expected_asks_about_what_may_have_been_bought_after_all(
    make: Callable[..., Order],
) -> None:
    failed = make("submitting", "failed")
    refunded, refused = (
        make(*PROCESSING, "refunded", money_back=True),
        make("submitting", "refunded"),
    )
    large, paid = (
        make(*PROCESSING, "refunded", gb=5, money_back=True),
        make(*PROCESSING),
    )
    unclear = make("submitting", gb=10)
    put_off(failed, paid, unclear)
    put_off(refunded, refused, large, done=True)
    with tenancy.across_stores():
        low = float_now() - reconcile.doubts().may_be_gone_pesewas
    assert "seen once" in note(low - COST)
    assert rung() == {failed.id, refunded.id, refused.id, unclear.id}


def test_the_best_matches_are_asked_first_and_nobody_twice(
    make: Callable[..., Order],
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suspects, "AT_ONCE", 3)
    match = make(*PROCESSING, "refunded", gb=2, money_back=True)
    others = [
        make(*PROCESSING, "refunded", money_back=True) for _ in range(suspects.AT_ONCE)
    ]
    more = [make(*PROCESSING, "refunded", money_back=True) for _ in range(1)]
    put_off(*others, match, *more, done=True)
    note(float_now() - 900, by_purchase=True)
    first = rung()
    assert len(first) == suspects.AT_ONCE and match.id in first
    with tenancy.across_stores():
        for order_id in first:
            orders.note_look(order_id, "asked")
    put_off(*others, match, *more, done=True)
    jump(1)
    note(float_now() - 900, by_purchase=True)
    assert rung() == set(), "too soon to ask again"
    jump(60)
    note(float_now() - 900, by_purchase=True)
    assert rung() == {order.id for order in (*others, *more)} - first


def test_a_funding_nobody_confirms_asks_no_more_orders(
    make: Callable[..., Order],
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else each read would cost ten look-ups for as long as the owner is asleep."""
    monkeypatch.setattr(suspects, "AT_ONCE", 1)
    made = [make(*PROCESSING) for _ in range(3)]
    asked: list[int] = []
    for _ in range(4):
        put_off(*made)
        note(FLOAT_PESEWAS + 5_000)
        for order_id in rung():
            asked.append(order_id)
            with tenancy.across_stores():
                orders.note_look(order_id, "asked")
        jump(61)
    assert open_kinds() == ["float_funded"]
    assert len(asked) == len(set(asked)) == 2


def test_what_fits_asks_nobody(make: Callable[..., Order]) -> None:
    order = make(*PROCESSING)
    put_off(order)
    assert note(float_now()) == "fits"
    assert rung() == set()


def test_an_old_order_explains_nothing(
    make: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    order = make(*PROCESSING, "completed")
    put_off(order, done=True)
    jump(8 * 86_400)
    note(float_now() + COST)
    assert rung() == set()


# The named break


def break_seen_twice(balance: int, jump: Callable[[float], None]) -> Case:
    assert "seen once" in note(balance)
    jump(61)
    assert "a break" in note(balance)
    with tenancy.across_stores():
        return cases.open_cases(1)[0]


def test_missing_money_that_no_order_explains_stops_buying_until_it_fits_again(
    context: Flask, jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        assert not reconcile.buying_stopped()
    case = break_seen_twice(FLOAT_PESEWAS - COST, jump)
    assert case.kind == "unexpected_charge"
    assert case.title == "The supplier took money that no order of ours explains"
    with tenancy.across_stores():
        assert reconcile.buying_stopped()
    assert note(FLOAT_PESEWAS) == "fits"
    with tenancy.across_stores():
        assert not reconcile.buying_stopped()
        closed = db.session.get_one(Case, case.id)
        assert closed.resolution is not None and closed.resolution.startswith(
            "Closed itself: at "
        )
        assert (closed.closed_by, [line.action for line in audit.recent(1)]) == (
            "Makola",
            ["close_case"],
        )


def test_a_rise_that_goes_away_closes_its_question(
    context: Flask, jump: Callable[[float], None]
) -> None:
    assert break_seen_twice(FLOAT_PESEWAS + 5_000, jump).kind == "float_funded"
    with tenancy.across_stores():
        assert not reconcile.buying_stopped()
    note(FLOAT_PESEWAS)
    assert open_kinds() == []


def test_a_case_names_the_orders_that_could_be_why(
    make: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    order = make(*PROCESSING, "refunded", money_back=True)
    case = break_seen_twice(FLOAT_PESEWAS - COST, jump)
    assert case.evidence[0]["could_be"] == order.shown_code


def test_a_drop_after_a_rise_is_another_difference(
    context: Flask, jump: Callable[[float], None]
) -> None:
    note(FLOAT_PESEWAS + 5_000)
    jump(61)
    assert "seen once" in note(FLOAT_PESEWAS - COST)
    assert open_kinds() == []


def test_a_break_closed_with_words_alone_stops_buying_again(
    context: Flask, jump: Callable[[float], None]
) -> None:
    case = break_seen_twice(FLOAT_PESEWAS - COST, jump)
    with tenancy.across_stores():
        settling.settle(case.id, "close", SYSTEM, words="Never mind.")
        assert not reconcile.buying_stopped()
    assert "a break" in note(FLOAT_PESEWAS - COST)
    assert open_kinds() == ["unexpected_charge"]


def test_a_loss_that_a_person_accepts_lets_buying_go_on(
    context: Flask, jump: Callable[[float], None]
) -> None:
    case = break_seen_twice(FLOAT_PESEWAS - COST, jump)
    with tenancy.across_stores():
        settling.settle(
            case.id, "accept_loss", SYSTEM, words="Found nothing.", seen_pesewas=COST
        )
        assert not reconcile.buying_stopped()
    assert note(FLOAT_PESEWAS - COST) == "fits"


@pytest.mark.parametrize("action", ["accept_loss", "close"])
def test_a_late_success_is_in_doubt_until_it_is_settled(
    make: Callable[..., Order], action: str
) -> None:
    order = make(*PROCESSING, "refunded", money_back=True)
    open_case("late_success", order)
    with tenancy.across_stores():
        case = cases.of_order(order.id)[0]
        seen = COST if action == "accept_loss" else None
        settling.settle(
            case.id, action, SYSTEM, words="Delivered after all.", seen_pesewas=seen
        )
    loss = COST if action == "accept_loss" else 0
    is_the_range(FLOAT_PESEWAS - loss, FLOAT_PESEWAS - loss)


def test_a_balance_told_with_a_purchase_is_kept_as_such(context: Flask) -> None:
    note(FLOAT_PESEWAS, by_purchase=True)
    note(FLOAT_PESEWAS)
    with tenancy.across_stores():
        assert [read.verdict for read in balances.newest(2)] == [
            "fits",
            "fits (told with a purchase)",
        ]
