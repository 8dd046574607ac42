"""What must hold before a purchase, and what an answer that is no plain yes does to the line of
orders."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from desk import AMA, Desk
from seed import FLOAT_PESEWAS, WALLET_PESEWAS
from sqlalchemy.exc import OperationalError

from core import catalog, leases, ledger, orders, outbox, reconcile
from core.audit import SYSTEM
from core.base import clock, config, tenancy
from core.base.db import transaction
from core.orders import Order
from core.supplier import records, supply
from fulfilment import jobs
from fulfilment.buying import balance, call_log, schedule, supplier_link
from integrations.ports import (
    Absent,
    Accepted,
    Balance,
    CallRecord,
    Found,
    NoAnswer,
    NotSent,
    Rejected,
    Unknown,
)

pytestmark = pytest.mark.slow(seconds=0.2)

COST, AGENT = 460, 470


def purchases(desk: Desk) -> int:
    """How often the purchase endpoint was called, by our own log."""
    with tenancy.across_stores():
        return len(
            [
                line
                for line in records.calls(endpoint="purchase")
                if line.answered_at is not None
            ]
        )


def balance_reads(desk: Desk) -> int:
    with tenancy.across_stores():
        return len(records.calls(endpoint="balance"))


def test_what_the_float_cannot_pay_is_not_even_tried(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(wallet_pesewas=100)
    order = desk.release()
    desk.work()
    assert desk.read(order).wait_reason == "float"
    assert purchases(desk) == 0


def test_our_own_books_decide_even_when_the_supplier_says_there_is_more(
    desk: Desk,
) -> None:
    with tenancy.across_stores(), transaction():
        ledger.fund_float(-(FLOAT_PESEWAS - COST + 1), "spent elsewhere", SYSTEM)
    order = desk.release()
    desk.work()
    assert (desk.read(order).wait_reason, purchases(desk)) == ("float", 0)


@pytest.mark.slow(seconds=0.4)
def test_the_balance_is_read_first_when_the_last_read_is_old_or_the_order_large(
    desk: Desk,
) -> None:
    desk.release()
    desk.work()
    assert balance_reads(desk) == 1  # never read before
    desk.release()
    desk.work()
    assert balance_reads(desk) == 1  # fresh, and the order is small
    desk.jump(config.current().balance_fresh_s + 1)
    desk.release()
    desk.work()
    assert balance_reads(desk) == 2
    with tenancy.across_stores(), transaction():
        left = ledger.platform_balances()["supplier_float"] - COST * 5
        ledger.fund_float(-left, "spent elsewhere", SYSTEM)
    desk.release()
    desk.work()
    assert balance_reads(desk) == 3  # fresh, but the order is over a tenth of the float


def test_no_call_left_leaves_the_decision_to_the_books(desk: Desk) -> None:
    while supply.take_call("other") == 0.0:
        pass
    order = desk.release()
    desk.work()
    assert balance_reads(desk) == 0
    assert desk.read(order).state == "processing"


def test_the_supplier_s_own_refusal_for_lack_of_float_parks_and_refunds_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    monkeypatch.setattr(
        desk.client,
        "submit",
        lambda _r: Rejected("insufficient_balance", "INSUFFICIENT_BALANCE", "no"),
    )
    desk.work()
    order = desk.read(order)
    assert (order.state, order.wait_reason, order.ever_unknown) == (
        "queued",
        "float",
        False,
    )
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, AGENT)
    monkeypatch.undo()
    assert desk.work_until(order, "processing").attempt == 2


def test_an_order_on_a_paused_network_waits_and_goes_when_it_is_resumed(
    desk: Desk,
) -> None:
    order = desk.release()
    with tenancy.across_stores():
        catalog.pause_network("mtn", "backlog", SYSTEM)
    desk.work()
    assert (desk.read(order).state, desk.read(order).wait_reason, purchases(desk)) == (
        "queued",
        "paused",
        0,
    )
    with tenancy.across_stores():
        catalog.resume_network("mtn", SYSTEM)
    assert desk.work_until(order, "processing").wait_reason is None


def test_an_order_cancelled_in_line_is_never_bought_and_its_row_closes(
    desk: Desk,
) -> None:
    order = desk.release()
    with desk.inside("ama"):
        orders.cancel(order.code, AMA)
    desk.work()
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
    assert row is not None
    assert (row.done_at is not None, purchases(desk)) == (True, 0)


def test_with_no_call_left_a_purchase_waits_for_the_window(desk: Desk) -> None:
    while supply.take_call("purchase") == 0.0:
        pass
    order = desk.release()
    desk.work()
    order = desk.read(order)
    assert (order.state, purchases(desk)) == ("queued", 0)
    assert order.next_look_at is not None
    assert order.next_look_at > clock.now()
    assert desk.work_until(order, "processing").attempt == 1


def test_with_no_call_left_a_look_waits_for_the_window(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    desk.jump(61)
    while supply.take_call("other") == 0.0:
        pass
    desk.work()
    assert desk.read(order).looked_at is None


class Held:
    """The supplier's wallet, held by somebody else for as long as the block lasts."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.taken, self.let_go = desk, threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._hold)

    def _hold(self) -> None:
        with self.desk.app.app_context(), supplier_link.wallet_turn() as turn:
            assert turn
            self.taken.set()
            self.let_go.wait(30)

    def __enter__(self) -> None:
        self.thread.start()
        assert self.taken.wait(10)

    def __exit__(self, *_error: object) -> None:
        self.let_go.set()
        self.thread.join(10)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supplier_link, "_TURN_WAIT_MS", 50)


def test_two_purchases_are_never_in_flight_on_one_wallet(
    desk: Desk, impatient: None
) -> None:
    order = desk.release()
    with Held(desk):
        desk.work()
        assert (desk.read(order).state, purchases(desk)) == ("queued", 0)
    assert desk.work_until(order, "processing").attempt == 1


def test_a_balance_is_not_compared_while_a_purchase_is_in_flight(
    desk: Desk, impatient: None
) -> None:
    with tenancy.across_stores():
        asked = outbox.request("refresh_balance", SYSTEM)
    with Held(desk):
        desk.work()
        assert balance_reads(desk) == 0
    desk.jump(3)
    desk.work()
    with tenancy.across_stores():
        done = outbox.requested(asked.id)
    assert done is not None
    assert done.result_text == "Balance read: fits."


def test_a_connection_that_breaks_while_it_waits_for_its_turn_is_an_error_and_no_answer(
    desk: Desk, postgres: dict[str, str]
) -> None:
    errors: list[Exception] = []

    def wait() -> None:
        try:
            with desk.app.app_context(), supplier_link.wallet_turn():
                pass
        except OperationalError as error:
            errors.append(error)

    waiter = threading.Thread(target=wait)
    with Held(desk), psycopg.connect(postgres["super"], autocommit=True) as connection:
        waiter.start()
        ended = None
        while ended is None and waiter.is_alive():
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE wait_event = 'advisory' AND query LIKE '%pg_advisory_lock%' LIMIT 1"
            ).fetchone()
        waiter.join(10)
    assert len(errors) == 1


def test_a_claim_lost_to_another_job_is_left_to_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    monkeypatch.setattr(orders, "claim_together", lambda _ids: [])
    desk.work()
    assert (desk.read(order).state, purchases(desk)) == ("queued", 0)
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
    assert row is not None
    assert row.due_at <= clock.now()


@pytest.mark.parametrize("kind", ["sync_catalogue", "refresh_balance"])
def test_a_timed_read_waits_when_no_call_is_left(desk: Desk, kind: Any) -> None:
    supply.close_until(clock.after(40))
    with tenancy.across_stores():
        asked = outbox.request(kind, SYSTEM)
    desk.work()
    with tenancy.across_stores():
        row = outbox.requested(asked.id)
    assert row is not None
    assert row.done_at is None
    assert 35 < (row.due_at - clock.now()).total_seconds() <= 40


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            NoAnswer("unreachable", "refused"),
            "the supplier cannot be reached (refused)",
        ),
        (NoAnswer("credentials", "401"), "the supplier refuses our credentials (401)"),
        (
            NoAnswer("rate_limited", "429", 20.0),
            "the supplier's rate limit is used up (429)",
        ),
        (
            NoAnswer("broken", "http_500"),
            "the supplier's answer was an error (http 500)",
        ),
        (
            NoAnswer("endpoint_gone", "404"),
            "the supplier has no such endpoint any more (404)",
        ),
        (
            NoAnswer("unclear", "html"),
            "what came back was not the supplier's own answer, so it says nothing (html)",
        ),
    ],
)
def test_a_balance_that_cannot_be_read_says_why_to_who_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, answer: NoAnswer, says: str
) -> None:
    monkeypatch.setattr(desk.client, "balance", lambda: answer)
    with tenancy.across_stores():
        asked = outbox.request("refresh_balance", SYSTEM)
    desk.work()
    with tenancy.across_stores():
        row, state = outbox.requested(asked.id), supply.state()
    assert row is not None
    assert (row.result_ok, row.result_text) == (
        False,
        f"The balance could not be read: {says}.",
    )
    assert (state.unreachable_since is not None) == (answer.kind == "unreachable")
    assert (state.credentials_refused_since is not None) == (
        answer.kind == "credentials"
    )
    assert (state.closed_until is not None) == (answer.kind == "rate_limited")


@pytest.mark.parametrize(
    "kind", ["credentials", "rate_limited", "unreachable", "broken"]
)
def test_a_list_that_cannot_be_read_changes_nothing_and_tells_the_line(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    monkeypatch.setattr(desk.client, "offers", lambda: NoAnswer(kind, "why", 20.0))
    with tenancy.across_stores():
        asked = outbox.request("sync_catalogue", SYSTEM)
    desk.work()
    with tenancy.across_stores():
        row, state = outbox.requested(asked.id), supply.state()
    assert row is not None
    said = supplier_link.in_words(NoAnswer(kind, "why"))
    assert (
        row.result_text
        == f"The supplier's list could not be read: {said}. Nothing was changed."
    )
    assert (state.unreachable_since is not None) == (kind == "unreachable")
    assert (state.credentials_refused_since is not None) == (kind == "credentials")
    assert (state.closed_until is not None) == (kind == "rate_limited")


def test_a_call_to_a_gateway_ends_no_stop_of_the_supplier(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = NoAnswer("credentials", "Invalid API key")
    monkeypatch.setattr(desk.client, "balance", lambda: refused)
    with tenancy.across_stores():
        outbox.request("refresh_balance", SYSTEM)
    desk.work()
    desk.jump(1)
    for name, is_stopped in (("paystack", True), ("datamart", False)):
        call_log.record(
            CallRecord(
                name,
                "verify",
                "GET",
                "/x",
                ("MK-P-1",),
                "",
                200,
                "",
                "ok",
                clock.now(),
                5,
            )
        )
        with tenancy.across_stores():
            state = supply.state()
        assert (state.credentials_refused_since is not None) is is_stopped, name


@pytest.fixture
def no_float_booked(desk: Desk, postgres: dict[str, str]) -> None:
    """The books before anything of the float was booked."""
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "DELETE FROM entries WHERE posting_id IN (SELECT id FROM postings WHERE kind ="
            " 'fund_float'); UPDATE accounts a SET balance_pesewas = coalesce((SELECT"
            " sum(amount_pesewas) FROM entries e WHERE e.account_id = a.id), 0)"
        )


@pytest.mark.parametrize("opening", [5_000, -1_250])
def test_the_first_balance_of_empty_books_opens_them_and_only_the_first(
    desk: Desk, no_float_booked: None, monkeypatch: pytest.MonkeyPatch, opening: int
) -> None:
    answers = iter([0, opening, opening, opening + 2_000])
    monkeypatch.setattr(desk.client, "balance", lambda: Balance(next(answers)))
    said = [balance.read(desk.client) for _ in range(3)]
    assert said == ["fits", "opening balance booked", "fits"]
    assert "more than expected" in str(balance.read(desk.client))
    with tenancy.across_stores():
        assert reconcile.float_pesewas() == opening


def unclear_then_proven(desk: Desk) -> Order:
    """An order whose first attempt got no clear answer and was then proven absent: *queued* for its
    second."""
    desk.plan("http_500_before", times=1)
    order = desk.release()
    desk.work()
    for _ in range(20):
        desk.jump_to_next()
        leased = lease(desk)
        for one in leased:
            jobs.run(*one)
        if desk.read(order).state == "queued":
            return order
    raise AssertionError(f"still {desk.read(order).state}")


def lease(desk: Desk) -> list[tuple[int, int]]:
    with tenancy.across_stores():
        return leases.lease_due(100)


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize("budget", ["none left", "no answer"])
def test_without_a_fresh_absent_nothing_is_sent_again(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, budget: str
) -> None:
    desk = make_desk(dedupe=False)
    order = unclear_then_proven(desk)
    before = purchases(desk)
    taken: list[tuple[str, int]] = []
    if budget == "none left":

        def take(share: str, calls: int = 1) -> float:
            taken.append((share, calls))
            return 30.0 if calls == 2 else 0.0

        monkeypatch.setattr(supply, "take_call", take)
    else:
        monkeypatch.setattr(
            desk.client, "status", lambda _ref: NoAnswer("broken", "500")
        )
    desk.jump_to_next()
    desk.work()
    now = desk.read(order)
    assert (now.state, now.wait_reason) == (
        "queued",
        "rate" if budget == "none left" else "supplier_unreachable",
    )
    assert purchases(desk) == before
    if budget == "none left":
        assert (taken[-1], now.attempt) == (
            ("purchase", 2),
            1,
        ), "nothing is spent on a purchase that cannot be made"
    monkeypatch.undo()
    assert desk.work_until(order, "processing").resends == 1
    assert len(desk.charges(order)) == 1


def test_an_answer_that_is_no_not_found_between_two_of_them_starts_the_proof_anew(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make_desk(dedupe=False)
    desk.plan("http_500_before", times=1)
    order = desk.release()
    desk.work()
    desk.jump(config.current().grace_s + 2)
    said: list[Any] = [Absent("?"), NoAnswer("broken", "500"), Absent("?"), Absent("?")]
    monkeypatch.setattr(desk.client, "status", lambda _ref: said.pop(0))
    desk.work()
    assert desk.read(order).absent_since is not None
    desk.jump(61)
    desk.work()
    assert desk.read(order).absent_since is None
    desk.jump(67)  # the proof begins anew within a minute, not at the next rung
    desk.work()
    now = desk.read(order)
    assert (now.state, now.resends) == ("submitting", 0)
    assert now.absent_since is not None


@pytest.mark.parametrize(
    ("status", "renewed"),
    [(NoAnswer("broken", "500"), False), (None, False), (Absent("?"), True)],
)
def test_a_taken_reference_is_given_up_only_when_the_supplier_denies_it_to_us(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, status: Any, renewed: bool
) -> None:
    order = desk.release()
    ref = order.order_ref
    monkeypatch.setattr(
        desk.client,
        "submit",
        lambda _r: Rejected("duplicate_reference", "DUPLICATE", "exists"),
    )
    if status is None:
        take = supply.take_call
        monkeypatch.setattr(balance, "too_low_for", lambda *_: False)
        monkeypatch.setattr(
            supply,
            "take_call",
            lambda share, calls=1: 30.0 if share == "other" else take(share),
        )
    else:
        monkeypatch.setattr(desk.client, "status", lambda _ref: status)
    with tenancy.across_stores():
        leased = leases.lease_due(10)
    for one in leased:
        jobs.run(*one)
    now = desk.read(order)
    assert (now.order_ref != ref) == renewed
    assert (now.state, now.unknown_since is not None) == (
        ("queued", False) if renewed else ("submitting", True)
    )


def test_an_answer_about_another_reference_moves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    monkeypatch.setattr(
        desk.client,
        "submit",
        lambda _r: Accepted("pending", "pending", order_ref="MK-SOMEBODY-ELSE"),
    )
    desk.work()
    assert (desk.read(order).state, desk.cases()) == ("submitting", ["wrong_answer"])
    assert desk.books()["in_flight"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipient": "0209999999"},
        {"capacity": "5GB"},
        {"order_ref": "MK-SOMEBODY-ELSE"},
    ],
)
def test_a_record_that_does_not_fit_the_order_completes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    order = desk.release()
    desk.work()
    found = {
        "order_ref": order.order_ref,
        "status": "completed",
        "raw_status": "successful",
    } | wrong
    monkeypatch.setattr(desk.client, "status", lambda _ref: Found(**found))  # type: ignore[arg-type]
    desk.jump_to_next()
    desk.work()
    assert (desk.read(order).state, desk.cases()) == ("processing", ["wrong_answer"])


def test_a_supplier_that_forgets_what_it_accepted_is_a_case(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work()
    monkeypatch.setattr(desk.client, "status", Absent)
    desk.jump(61)
    desk.work()
    assert desk.cases() == []  # too early to mean anything
    desk.jump(config.current().grace_s)
    desk.work()
    assert (desk.read(order).state, desk.cases()) == ("processing", ["wrong_answer"])


@pytest.mark.parametrize(
    ("kind", "state"),
    [("never_fulfilled", "processing"), ("unknown_too_long", "submitting")],
)
def test_a_day_without_an_end_is_shown_to_a_person(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: str, state: str
) -> None:
    order = desk.release()
    if state == "submitting":
        monkeypatch.setattr(desk.client, "submit", lambda _r: Unknown("read timeout"))
    desk.work()
    if state == "submitting":
        monkeypatch.setattr(
            desk.client, "status", lambda _ref: NoAnswer("broken", "500")
        )
    desk.jump(86_000)
    desk.work()
    assert desk.cases() == []
    desk.jump(4_000)
    desk.work()
    assert (desk.read(order).state, desk.cases()) == (state, [kind])


def test_a_look_up_told_to_wait_is_not_asked_again_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work()
    monkeypatch.setattr(
        desk.client, "status", lambda _ref: NoAnswer("rate_limited", "429", 500.0)
    )
    desk.jump(61)
    desk.work()
    order = desk.read(order)
    assert order.next_look_at is not None
    assert (order.next_look_at - clock.now()).total_seconds() > 490
    with tenancy.across_stores():
        assert supply.take_call("purchase") > 490


def test_a_look_up_with_refused_credentials_stops_purchases(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.release()
    desk.work()
    monkeypatch.setattr(
        desk.client, "status", lambda _ref: NoAnswer("credentials", "401")
    )
    desk.jump(61)
    desk.work()
    second = desk.release()
    desk.work()
    assert (desk.read(second).state, desk.read(second).wait_reason) == (
        "queued",
        "credentials",
    )


@pytest.mark.parametrize(
    "late",
    [
        NotSent("connection refused"),
        Rejected("invalid", "INVALID_PHONE_NUMBER", "Not a number"),
        Rejected("insufficient_balance", "INSUFFICIENT_BALANCE", "no"),
    ],
    ids=lambda answer: getattr(answer, "code", "not sent"),
)
def test_a_late_answer_of_the_first_worker_changes_nothing_after_another_found_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, late: Any
) -> None:
    order = desk.release()

    def slow(_request: object) -> Any:
        assert orders.advance(order.id, "processing", text="found by the other worker")
        return late

    monkeypatch.setattr(desk.client, "submit", slow)
    desk.work()
    assert desk.read(order).state == "processing"
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, AGENT)


def test_a_call_that_cannot_be_logged_for_a_database_that_is_down_is_no_error(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(**_values: object) -> None:
        raise OperationalError("INSERT", {}, Exception("gone"))

    monkeypatch.setattr(records, "record_call", down)
    assert isinstance(desk.client.balance(), Balance)
    assert [line for line in records.calls() if line.endpoint == "balance"] == []


def test_the_ladder_of_every_state_has_a_next_moment_or_an_end(desk: Desk) -> None:
    order = desk.release()
    with desk.inside("ama"):
        assert schedule.next_check(desk.read(order)) is not None
        assert schedule.next_check(orders.cancel(order.code, AMA)) is None


def test_an_order_whose_money_the_books_do_not_hold_is_not_bought_and_eats_no_calls(
    desk: Desk, superuser: psycopg.Connection[Any]
) -> None:
    """A person is asked, and it is tried every five minutes, as what an error of ours keeps."""
    desk.look_anew()
    order = desk.release()
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute(
            "UPDATE postings SET kind = 'release' WHERE kind = 'hold' AND order_id = %s",
            (order.id,),
        )
    assert desk.work(3) == 1, "once, not round after round"
    assert desk.read(order).state == "queued"
    assert desk.cases() == ["broken"] and purchases(desk) == 0
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        assert row is not None
        assert (row.due_at - clock.now()).total_seconds() > 290
