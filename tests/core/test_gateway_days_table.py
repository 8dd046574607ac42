"""One payment three ways: every cause there is, by its plainest case, and that nothing is left
unexplained."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from core import cases
from core.gateway_days.causes import CAUSES
from core.gateway_days.comparing import Frame, Ours, Row, Theirs, judge

DAY = date(2026, 11, 30)
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
LATE, EARLY = NOON.replace(hour=23, minute=59), NOON + timedelta(hours=13)
FRAME = Frame(DAY, True, NOON - timedelta(days=4))
OLD = replace(FRAME, settled_by=NOON + timedelta(days=1))
TEST = replace(OLD, settles=False)
OURS = Ours("live", False, 500, 10, NOON, 0, 0)
THEIRS = Theirs("paid", "live", "GHS", 500, 10, NOON, True)
REF = "MK-P-1"
UNHEARD = replace(OURS, charged_pesewas=None, fees_pesewas=None, paid_at=None)
WAITS = replace(THEIRS, is_settled=False)
GONE = replace(THEIRS, word="absent", charged_pesewas=None, paid_at=None)
BACK = replace(THEIRS, word="reversed")

TABLE = [
    (None, REF, OURS, THEIRS, FRAME),
    ("lost", REF, None, THEIRS, FRAME),
    ("lost", REF, None, BACK, FRAME),
    ("foreign", "order-1", None, THEIRS, FRAME),
    ("unheard", REF, UNHEARD, THEIRS, FRAME),
    ("refused", REF, replace(UNHEARD, is_refused=True), THEIRS, FRAME),
    ("not_there", REF, OURS, None, FRAME),
    ("not_there", REF, OURS, replace(GONE, is_settled=False), FRAME),
    ("settled_unlisted", REF, OURS, GONE, FRAME),
    ("not_paid_there", REF, OURS, replace(THEIRS, word="failed"), FRAME),
    ("not_paid_there", REF, OURS, replace(THEIRS, word="waiting"), FRAME),
    ("other_world", REF, OURS, replace(THEIRS, mode="test"), FRAME),
    ("other_world", REF, OURS, replace(THEIRS, mode=""), FRAME),
    ("other_currency", REF, OURS, replace(THEIRS, currency="NGN"), FRAME),
    ("other_amount", REF, OURS, replace(THEIRS, charged_pesewas=501), FRAME),
    ("other_amount", REF, OURS, replace(THEIRS, charged_pesewas=None), FRAME),
    ("given_back", REF, replace(OURS, refunded_pesewas=500), BACK, FRAME),
    ("given_back", REF, replace(OURS, refunded_pesewas=500), replace(THEIRS, word="waiting"), FRAME),
    ("taken_back", REF, replace(OURS, taken_pesewas=500), BACK, FRAME),
    (
        "taken_back",
        REF,
        replace(OURS, refunded_pesewas=200, taken_pesewas=300),
        BACK,
        FRAME,
    ),
    ("taken_there", REF, OURS, BACK, FRAME),
    ("taken_there", REF, replace(OURS, refunded_pesewas=499), BACK, FRAME),
    ("fee_unknown", REF, replace(OURS, fees_pesewas=None), replace(THEIRS, fees_pesewas=None), FRAME),
    (None, REF, OURS, replace(THEIRS, fees_pesewas=None), FRAME),
    ("fee_late", REF, replace(OURS, fees_pesewas=None), THEIRS, FRAME),
    ("other_fee", REF, OURS, replace(THEIRS, fees_pesewas=11), FRAME),
    ("other_day", REF, replace(OURS, paid_at=EARLY), replace(THEIRS, paid_at=LATE), FRAME),
    ("not_settled_yet", REF, OURS, WAITS, FRAME),
    ("not_settled", REF, OURS, WAITS, OLD),
    ("never_settled", REF, replace(OURS, mode="test"), replace(WAITS, mode="test"), TEST),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "reference", "ours", "theirs", "frame"), TABLE)
def test_each_difference_has_one_named_cause(
    cause: str | None,
    reference: str,
    ours: Ours | None,
    theirs: Theirs | None,
    frame: Frame,
) -> None:
    assert judge(Row(reference, ours, theirs), frame).cause == cause


def test_the_table_above_has_every_cause() -> None:
    assert {cause for cause, *_ in TABLE} - {None} == set(CAUSES)


def test_what_asks_names_its_kind_of_case() -> None:
    for one in CAUSES.values():
        assert bool(one.case) == (one.way == "ask")
        assert not one.case or one.case in cases.KINDS


def test_nothing_fits_that_differs() -> None:
    """Whatever the three say: what counts another sum in our column than in theirs has a cause, and
    the differences of the causes are the difference of the columns."""
    moments = (LATE, EARLY)
    some_ours = [None, UNHEARD, *(replace(OURS, paid_at=at) for at in moments)]
    some_theirs: list[Theirs | None] = [None]
    for word, pesewas, fee, at, settled in itertools.product(
        ("paid", "reversed", "failed", "absent"),
        (500, 400, None),
        (10, None),
        moments,
        (True, False),
    ):
        some_theirs.append(Theirs(word, "live", "GHS", pesewas, fee, at, settled))
    for reference in (REF, "order-1"):
        for ours, theirs in itertools.product(some_ours, some_theirs):
            if ours is None and (theirs is None or not theirs.is_money):
                continue  # in nobody's books: no page has it
            found = judge(Row(reference, ours, theirs), FRAME)
            if found.cause is None:
                assert found.differs_pesewas == 0
                assert found.ours_pesewas == found.theirs_pesewas
            assert found.settled_pesewas in (None, found.theirs_pesewas)
            if found.cause == "foreign":
                assert found.theirs_pesewas is None
