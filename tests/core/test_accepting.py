"""Whether a payment is the one that was asked for: the rule of the contract (§4.2) as a table, and what
must hold of whatever a gateway may say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.online import Asked, Verdict, Verified, judge

REF = "MK-P-0123456789ABCDEF"
ASKED = Asked(REF, "live", 500, is_paid=False, awaits=True, is_paid_by_other=False)
FOUND = Verified(REF, "paid", "success", "GHS", "live", 500, 500, 10)

TABLE: list[tuple[str, dict[str, Any], dict[str, Any], Verdict]] = [
    ("whole and in time", {}, {}, "accept"),
    ("no fee yet", {}, {"fees_pesewas": None}, "accept"),
    ("raised by the fee", {}, {"charged_pesewas": 510}, "accept"),
    ("older record, no requested amount", {}, {"requested_pesewas": None}, "accept"),
    ("more, and nobody says what was asked", {},
     {"charged_pesewas": 510, "requested_pesewas": None}, "short"),
    ("less than asked", {}, {"charged_pesewas": 499}, "short"),
    ("another sum was asked for", {}, {"requested_pesewas": 499}, "short"),
    ("another sum was asked for, more", {},
     {"requested_pesewas": 600, "charged_pesewas": 600}, "short"),
    ("another currency", {}, {"currency": "NGN"}, "unfit"),
    ("no currency", {}, {"currency": ""}, "unfit"),
    ("of the other world", {}, {"mode": "test"}, "unfit"),
    ("of no world", {}, {"mode": None}, "unfit"),
    ("of no amount", {}, {"charged_pesewas": None}, "unreadable"),
    ("of nothing", {}, {"charged_pesewas": 0}, "unreadable"),
    ("another reference", {}, {"reference": "MK-P-OTHER"}, "unreadable"),
    ("a word nobody knows", {}, {"is_odd": True}, "unreadable"),
    ("not yet", {}, {"word": "waiting"}, "wait"),
    ("failed", {}, {"word": "failed"}, "failed"),
    ("taken back", {}, {"word": "reversed"}, "reversed"),
    ("in the books", {"is_paid": True}, {}, "known"),
    ("in the books, and taken back", {"is_paid": True}, {"word": "reversed"}, "reversed"),
    ("the order is over", {"awaits": False}, {}, "late"),
    ("another has paid", {"awaits": False, "is_paid_by_other": True}, {}, "double"),
    ("short and late is short", {"awaits": False}, {"charged_pesewas": 1}, "short"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found", "verdict"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_the_table(
    asked: dict[str, Any], found: dict[str, Any], verdict: Verdict
) -> None:
    assert judge(replace(ASKED, **asked), replace(FOUND, **found)) == verdict


def test_every_verdict_stands_in_the_table() -> None:
    assert {row[3] for row in TABLE} == set(get_args(Verdict))


amounts = st.none() | st.integers(0, 10**6) | st.sampled_from([499, 500, 501])
records = st.builds(
    Verified,
    reference=st.sampled_from([REF, "MK-P-OTHER", ""]),
    word=st.sampled_from(["paid", "failed", "waiting", "reversed"]),
    raw_word=st.text(max_size=8),
    currency=st.sampled_from(["GHS", "NGN", "USD", ""]),
    mode=st.sampled_from(["live", "test", None]),
    charged_pesewas=amounts,
    requested_pesewas=amounts,
    fees_pesewas=amounts,
    is_odd=st.booleans(),
)
attempts = st.builds(
    Asked,
    reference=st.just(REF),
    mode=st.sampled_from(["live", "test"]),
    amount_pesewas=st.integers(1, 10**6) | st.just(500),
    is_paid=st.booleans(),
    awaits=st.booleans(),
    is_paid_by_other=st.booleans(),
)


@given(attempts, records)
def test_nothing_is_accepted_but_the_whole_sum_of_our_own_question(
    asked: Asked, found: Verified
) -> None:
    verdict = judge(asked, found)
    assert verdict in get_args(Verdict)
    if verdict != "accept":
        return
    assert (found.reference, found.word, found.is_odd) == (
        asked.reference,
        "paid",
        False,
    )
    assert (found.currency, found.mode) == ("GHS", asked.mode)
    assert found.charged_pesewas is not None
    assert found.charged_pesewas >= asked.amount_pesewas
    assert found.requested_pesewas in (None, asked.amount_pesewas)
    assert asked.awaits and not asked.is_paid and not asked.is_paid_by_other


@given(attempts, records)
def test_money_that_came_in_is_never_waited_for(asked: Asked, found: Verified) -> None:
    """Whoever has paid us is never told to wait, or that it failed."""
    if found.word == "paid" and found.reference == asked.reference and not found.is_odd:
        assert judge(asked, found) not in ("wait", "failed", "reversed")
