"""A worker that dies while it looks after a payment: after the gateway's answer, before the commit, in
the middle of it. Whatever was done, the next look asks about the same reference."""

from __future__ import annotations

from typing import Any

import pytest

from core import leases, online, orders, outbox, taking
from core.base.db import db
from core.online import OnlinePayment
from core.orders import releasing
from tests.support.till import Till

pytestmark = pytest.mark.slow(seconds=0.2)


class Killed(BaseException):
    """As kill -9: nothing of the program runs after it."""


def killed_at(
    monkeypatch: pytest.MonkeyPatch, till: Till, where: Any, name: str, *, after: bool
) -> None:
    """The next call of `where.name` is the last that this worker does, before or `after` it."""
    shipped = getattr(where, name)

    def dies(*args: Any, **more: Any) -> Any:
        monkeypatch.setattr(where, name, shipped)
        if after:
            shipped(*args, **more)
        raise Killed

    monkeypatch.setattr(where, name, dies)
    with pytest.raises(Killed):
        till.work()


def lease_ends(till: Till) -> None:
    """Its lease runs out, and the row falls due again."""
    till.pass_by(121)


def test_killed_after_the_page_was_made_and_before_it_was_written_down(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = till.order()
    killed_at(monkeypatch, till, taking, "opened", after=False)
    (first,) = till.attempts(order)
    assert (first.state, till.initialised()) == ("asked", 1)
    lease_ends(till)
    second, old = till.attempts(order)
    assert (second.state, old.state) == ("open", "watched")
    assert old.reference == first.reference
    assert old.authorization_url is None, "nobody can pay at a page nobody knows"
    for reference in (old.reference, second.reference):
        till.pay(reference)
    till.pass_by(1_300)
    assert till.state(order) == "queued"
    assert till.cases() == ["paid_twice"], "and if somebody did, it is noticed"
    till.proven()


def test_killed_before_the_page_was_asked_for(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = till.order()
    killed_at(monkeypatch, till, till.client, "initialise", after=False)
    lease_ends(till)
    (only,) = till.attempts(order)
    assert (only.state, till.initialised()) == ("open", 1)


@pytest.mark.parametrize(
    ("where", "name", "after"),
    [
        (taking, "take", False),  # the answer is there, nothing is written
        (online, "pay_in", True),  # the money is booked, in a transaction that is open
        (orders, "advance", True),
        (releasing, "put_in_line", True),  # all is done but the commit
        (taking, "take", True),  # committed; the row does not know it
        (leases, "finish", False),
    ],
    ids=["answer", "pay_in", "pending", "in line", "committed", "row"],
)
def test_killed_between_the_answer_and_the_end(
    till: Till, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, after: bool
) -> None:
    order = till.opened()
    till.pay(till.reference(order))
    till._jump_to(till.next_at() + 0.1)  # type: ignore[operator]
    killed_at(monkeypatch, till, where, name, after=after)
    with till.inside():
        db.session.rollback()
    is_done = after and where is taking or where is leases
    assert till.state(order) == ("queued" if is_done else "awaiting_payment")
    till.proven()
    lease_ends(till)
    assert till.state(order) == "queued"
    assert till.balances()["held"] == -order.agent_price_pesewas, "held once"
    assert till.cases() == []
    till.proven()


def test_killed_between_the_old_attempt_and_the_new_one(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.plan("http_500_after", "initialize")
    order = till.order()
    till.work()
    till._jump_to(till.next_at() + 0.1)  # type: ignore[operator]
    killed_at(monkeypatch, till, online, "ask", after=True)
    (only,) = till.attempts(order)
    assert only.state == "asked", "both or none"
    lease_ends(till)
    assert [one.state for one in till.attempts(order)] == ["open", "watched"]


def test_two_workers_at_one_answer_book_it_once(till: Till) -> None:
    """A lease that ran out while its worker still lived."""
    from fulfilment import paying

    order = till.opened()
    till.pay(till.reference(order))
    look = till.attempts(order)[0].id
    with till.inside():
        said = paying.verified(till.client.verify(till.reference(order)))  # type: ignore[arg-type]
    verdicts = []
    for _ in range(2):
        with till.inside():
            verdicts.append(taking.take(look, said))
    assert verdicts == ["accept", "known"]
    assert till.balances()["held"] == -order.agent_price_pesewas
    till.proven()


def test_an_error_of_ours_is_a_case_and_the_payment_is_looked_at_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = till.opened()
    till.pay(till.reference(order))
    till._jump_to(till.next_at() + 0.1)  # type: ignore[operator]
    shipped = taking.take

    def broken(*_args: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(taking, "take", broken)
    with pytest.raises(KeyError):
        till.work()
    monkeypatch.setattr(taking, "take", shipped)
    assert till.cases() == ["broken"]
    till.pass_by(301)
    assert till.state(order) == "queued"


def test_a_row_that_was_lost_is_no_reason_to_fall_over(till: Till) -> None:
    order = till.opened()
    with till.across():
        row = db.session.query(outbox.OutboxRow).filter_by(kind="watch_payment").one()
        assert row.store_id == order.store_id, "the job works inside its store"
        assert db.session.get(OnlinePayment, row.subject_id) is not None
