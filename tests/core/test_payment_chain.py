"""Balances that follow from each other, and made-up ones that do not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from core.payments.chain import Link, doubts

_ids = itertools.count(1)


def link(before: int, after: int, *, is_known: bool = False) -> Link:
    return Link(next(_ids), before, after, is_known)


def road(start: int, steps: Sequence[int], *, is_known: bool = False) -> list[Link]:
    """True messages: each begins where the one before it ended."""
    balances = list(itertools.accumulate(steps, initial=start))
    return [link(a, b, is_known=is_known) for a, b in itertools.pairwise(balances)]


def test_a_road_is_true_in_whatever_order_it_was_pasted() -> None:
    true = road(9_000, [2_400, 500, -3_000, 2_400])
    assert doubts(true) == doubts(true[::-1]) == {}


def test_a_road_that_comes_back_to_where_it_was_is_doubted_as_far() -> None:
    """A true one too: nobody can tell it from one that was made up."""
    there, back, on = true = road(10_000, [2_400, -2_400, 1_000])
    assert set(doubts(true)) == {there.id, back.id} and on.id not in doubts(true)


def test_a_message_that_leads_nowhere_is_doubted_at_each_known_balance() -> None:
    true = road(9_000, [2_400, 500, -3_000], is_known=True)
    for balance in (9_000, 11_400, 11_900, 8_900):
        made_up = link(balance, balance)
        assert "made-up" in doubts([*true, made_up])[made_up.id]


def test_there_and_back_is_doubted_at_each_known_balance() -> None:
    true = road(9_000, [2_400, 500, -3_000], is_known=True)
    for balance in (9_000, 11_400, 11_900, 8_900):
        for steps in ([700, -700], [-1, 701, -700], [300, 400, -700]):
            made_up = road(balance, steps)
            assert set(doubts([*true, *made_up])) == {one.id for one in made_up}


def test_a_loop_that_a_known_message_is_part_of_vouches_for_nothing() -> None:
    """Away from its end, back to its beginning."""
    true = road(9_000, [2_400, 500], is_known=True)
    made_up = road(11_400, [700, -3_100])
    assert set(doubts([*true, *made_up])) >= {one.id for one in made_up}
    unknown = road(11_400, [700, -3_100])
    assert set(doubts([true[0], *unknown])) >= {one.id for one in unknown}


def test_one_message_alone_says_nothing() -> None:
    (alone,) = road(9_000, [2_400])
    assert "no other message" in doubts([alone])[alone.id]


def test_what_begins_nowhere_is_doubted_with_all_that_hangs_on_it() -> None:
    true, made_up = road(9_000, [2_400, 500]), road(50_000, [2_400])
    assert set(doubts([*true, *made_up])) == {one.id for one in made_up}
    known, made_up = (
        road(9_000, [500], is_known=True),
        road(50_000, [2_400, 2_400, 500]),
    )
    assert set(doubts([*known, *made_up])) == {one.id for one in made_up}


def test_of_two_roads_as_long_none_is_known() -> None:
    both = [*road(9_000, [2_400, 500]), *road(50_000, [2_400, 500])]
    assert len(doubts(both)) == 4


def test_what_begins_where_a_true_one_does_too_is_doubted() -> None:
    true = road(9_000, [1_000, 1_000])
    made_up = link(10_000, 12_400)
    assert set(doubts([*true, made_up])) == {true[1].id, made_up.id}
    assert set(doubts([link(9_000, 11_400), *true])) >= {true[0].id}


def test_what_ends_where_a_true_one_does_too_is_doubted() -> None:
    true = road(9_000, [1_000, 1_000])
    made_up = link(7_600, 10_000)
    assert made_up.id in doubts([*true, made_up])


def test_a_payment_larger_than_the_balance_after_it_cannot_be() -> None:
    (odd,) = road(-100, [2_400])
    assert "smaller than the payment" in doubts([odd])[odd.id]


STEPS = st.lists(st.integers(-50_000, 50_000).filter(bool), min_size=2, max_size=40)


@given(STEPS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_no_true_road_is_doubted(steps: list[int], chance: object) -> None:
    true = road(3_000_000, steps)
    if len({one.after for one in true} | {3_000_000}) <= len(true):
        return  # it comes back to a balance
    chance.shuffle(true)  # type: ignore[attr-defined]
    assert doubts(true) == {}


@given(STEPS, STEPS, st.data())
@settings(max_examples=60, deadline=None)
def test_a_made_up_loop_at_any_known_balance_is_doubted_whole(
    steps: list[int], loop: list[int], data: st.DataObject
) -> None:
    true = road(3_000_000, steps, is_known=True)
    start = data.draw(st.sampled_from([one.after for one in true] + [3_000_000]))
    made_up = road(start, [*loop, -sum(loop)])
    assert set(doubts([*true, *made_up])) >= {one.id for one in made_up}


@given(STEPS, st.integers(0, 10_000_000), st.integers(1, 50_000))
@settings(max_examples=60, deadline=None)
def test_whoever_does_not_know_a_balance_makes_up_nothing(
    steps: list[int], before: int, amount: int
) -> None:
    true = road(3_000_000, steps, is_known=True)
    if len({one.after for one in true} | {3_000_000}) <= len(true):
        return  # it comes back to a balance
    named = {one.before for one in true} | {one.after for one in true}
    if before in named or before + amount in named:
        return
    made_up = link(before, before + amount)
    assert set(doubts([*true, made_up])) == {made_up.id}
