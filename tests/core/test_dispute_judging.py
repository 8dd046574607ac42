"""What a record of a dispute means: a table for what fits, one for how it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.disputes.judging import About, End, PaymentIs, due_of, end_of, misfit
from integrations.payments_port import Dispute

OPENED = datetime(2026, 12, 4, 18, tzinfo=UTC)
OF_RULE = datetime(2026, 12, 8, 18, tzinfo=UTC)
ABOUT = About("MK-P-1", 700, is_refunded_by_us=False, was_contested=False)
SAID = Dispute(
    gateway_id="7",
    status="needs_answer",
    raw_status="awaiting-merchant-feedback",
    resolution="",
    category="fraud",
    amount_pesewas=700,
    currency="GHS",
    payment_id="3",
    payment_reference="MK-P-1",
    due_at=None,
    resolved_at=None,
    created_at=OPENED,
)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, ""),
        ({"amount_pesewas": 1}, ""),
        ({"payment_reference": None}, ""),
        ({"payment_reference": "MK-P-2"}, "another payment"),
        ({"currency": "NGN"}, "NGN"),
        ({"currency": ""}, "no currency"),
        ({"amount_pesewas": None}, "no amount"),
        ({"amount_pesewas": 0}, "no amount"),
        ({"amount_pesewas": -5}, "no amount"),
        ({"amount_pesewas": 701}, "more than was paid"),
        ({"needs_person": True, "raw_status": "odd"}, "the word odd"),
    ],
)
def test_a_record_that_does_not_fit_is_for_a_person(
    changes: dict[str, Any], word: str
) -> None:
    said = misfit(replace(SAID, **changes), ABOUT)
    assert word in said if word else said == ""


@pytest.mark.parametrize(
    ("resolution", "payment", "changes", "end"),
    [
        ("auto-accepted", "reversed", {}, "auto_accepted"),
        ("merchant-accepted", "reversed", {}, "accepted"),
        ("merchant-accepted", "reversed", {"was_contested": True}, "lost"),
        # the word of the dispute alone takes nothing
        ("auto-accepted", "paid", {}, None),
        ("merchant-accepted", "paid", {}, None),
        ("merchant-accepted", "waiting", {}, None),
        # a part leaves the payment as it is
        ("merchant-accepted", "paid", {"charged_pesewas": 900}, "accepted"),
        ("declined", "paid", {}, "won"),
        ("declined", "waiting", {}, None),
        # our side was declined, and the money is gone all the same
        ("declined", "reversed", {}, "lost"),
        ("declined", "reversed", {"is_refunded_by_us": True}, "won"),
        ("", "paid", {}, None),
        ("", "reversed", {}, "lost"),
        ("nobody-knows", "paid", {}, None),
    ],
)
def test_how_a_dispute_ended_is_seen_at_its_payment_too(
    resolution: str, payment: PaymentIs, changes: dict[str, Any], end: End | None
) -> None:
    said = replace(SAID, status="resolved", resolution=resolution)
    assert end_of(said, payment, replace(ABOUT, **changes)) == end


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (None, OF_RULE),
        (OPENED + timedelta(hours=30), OPENED + timedelta(hours=30)),
        (OPENED - timedelta(hours=1), OF_RULE),
        (OPENED + timedelta(days=4_000), OF_RULE),
    ],
)
def test_the_gateway_s_deadline_counts_when_it_can_be_one(
    due: datetime | None, expected: datetime
) -> None:
    assert due_of(replace(SAID, due_at=due), OPENED, 48) == expected
    assert due_of(replace(SAID, created_at=None), OPENED, 48) == OF_RULE
