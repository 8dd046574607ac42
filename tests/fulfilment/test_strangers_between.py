"""Somebody between us and the supplier answers in its place; and how a stop for refused credentials
ends."""

from __future__ import annotations

import pytest
from desk import Desk

from core import outbox
from core.audit import SYSTEM
from core.base import clock, config, tenancy
from core.base.db import transaction
from core.supplier import supply

pytestmark = pytest.mark.slow(seconds=0.2)

STRANGERS = ("html_403", "json_403", "empty_401", "html_407", "html_451", "html_200")


def link() -> supply.SupplierState:
    with tenancy.across_stores():
        return supply.state()


def read_balance(desk: Desk) -> str:
    """Press *Refresh balance* and work; what it says."""
    with tenancy.across_stores():
        asked = outbox.request("refresh_balance", SYSTEM)
    desk.work()
    with tenancy.across_stores():
        row = outbox.requested(asked.id)
    assert row is not None and row.result_text is not None
    return row.result_text


@pytest.mark.slow(seconds=0.4)
@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("endpoint", ["balance", "products", "status"])
def test_a_stranger_s_answer_to_a_read_stops_no_buying(
    desk: Desk, stranger: str, endpoint: str
) -> None:
    known = desk.release()
    desk.work()
    desk.plan(stranger, endpoint, times=3)
    with tenancy.across_stores():
        outbox.request("refresh_balance", SYSTEM)
        outbox.request("sync_catalogue", SYSTEM)
    desk.jump(61)
    desk.work()
    assert desk.sandbox.sandbox.faults.fired[stranger] >= 1
    state = link()
    assert (state.credentials_refused_since, state.breaker_open_until) == (None, None)
    order = desk.release()
    desk.work()
    assert desk.read(order).state == "processing"
    assert desk.read(known).state == "processing"


@pytest.mark.slow(seconds=0.4)
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_s_answer_to_a_purchase_is_unclear_and_buys_once(
    desk: Desk, stranger: str
) -> None:
    desk.plan(stranger, "purchase")
    order = desk.release()
    desk.work()
    assert desk.read(order).unknown_since is not None
    assert link().credentials_refused_since is None
    assert desk.work_until(order, "processing").attempt == 2
    assert len(desk.charges(order)) == 1


def test_the_person_who_pressed_reads_what_happened(desk: Desk) -> None:
    desk.plan("html_403", "balance")
    said = read_balance(desk)
    assert (
        "not the supplier's own answer" in said
        and "403" in said
        and "credentials" not in said
    )
    desk.plan("http_401", "balance")
    assert "refuses our credentials" in read_balance(desk)


@pytest.mark.parametrize("refused", ["purchase", "balance", "status"])
def test_any_good_answer_ends_the_stop_that_refused_credentials_caused(
    desk: Desk, refused: str
) -> None:
    first = desk.release()
    if refused != "purchase":
        desk.work()
    if refused == "status":
        desk.jump(61)  # the first order's look falls due
    desk.plan("http_401", refused)
    if refused == "balance":
        read_balance(desk)
    desk.work()
    waiting = desk.release() if refused != "purchase" else first
    desk.work()
    assert (desk.read(waiting).state, desk.read(waiting).wait_reason) == (
        "queued",
        "credentials",
    )
    assert link().credentials_refused_since is not None
    assert "Balance read" in read_balance(desk)
    state = link()
    assert (
        state.credentials_refused_since,
        state.breaker_open_until,
        state.breaker_reason,
    ) == (
        None,
        None,
        None,
    )
    desk.work()  # woken, minutes before its own moment
    assert desk.read(waiting).state == "processing"


@pytest.mark.parametrize(
    "code", ["API_RULE_VIOLATION", "MAX_GB_PER_ORDER", "BENEFICIARY_BLOCKED"]
)
def test_a_rule_that_one_order_broke_stops_no_other_order(
    desk: Desk, code: str
) -> None:
    desk.plan("refused", status=403, says=code)
    struck, other = desk.release(), desk.release()
    desk.work()
    assert desk.read(other).state == "processing"
    assert (link().credentials_refused_since, link().breaker_open_until) == (None, None)
    assert (desk.read(struck).state, desk.read(struck).unknown_since is not None) == (
        "submitting",
        True,
    )
    assert desk.work_until(struck, "processing").attempt == 2
    assert len(desk.charges(struck)) == 1


def test_a_rule_that_an_order_always_breaks_ends_with_a_person(desk: Desk) -> None:
    struck = desk.release()
    desk.plan(
        "refused",
        status=403,
        says="API_RULE_VIOLATION",
        times=99,
        match_reference=desk.read(struck).order_ref,
    )
    other = desk.release()
    for _ in range(40):
        desk.work()
        if desk.cases():
            break
        desk.jump_to_next()
    assert desk.cases() == ["resend_limit"]
    assert desk.read(other).state != "queued"
    assert (desk.charges(struck), link().breaker_reason) == ([], None)


@pytest.mark.parametrize(
    "code", ["API_IP_NOT_ALLOWED", "INVALID_API_KEY", "ACCOUNT_SUSPENDED"]
)
def test_a_403_that_speaks_of_us_stops_buying(desk: Desk, code: str) -> None:
    desk.plan("refused", status=403, says=code)
    order = desk.release()
    desk.work()
    assert (desk.read(order).state, desk.read(order).wait_reason) == (
        "queued",
        "credentials",
    )
    assert link().breaker_reason == "credentials"


def test_reads_do_not_send_purchase_after_purchase_to_be_refused(desk: Desk) -> None:
    desk.plan("http_401", "purchase", times=9)
    order = desk.release()
    desk.work()
    for _ in range(5):
        assert "Balance read" in read_balance(desk)
        desk.work()
    assert (desk.read(order).attempt, desk.read(order).wait_reason) == (
        2,
        "credentials",
    )
    assert link().breaker_reason == "credentials"
    desk.jump(config.current().credentials_wait_s + 1)
    desk.work()
    assert desk.read(order).attempt == 3
    desk.sandbox.sandbox.faults.install([])
    assert "Balance read" in read_balance(
        desk
    )  # one refusal in this wait: a read ends the stop again
    desk.work()
    assert desk.read(order).state == "processing"


def test_not_found_in_the_supplier_s_words_is_a_good_answer_too(desk: Desk) -> None:
    desk.plan("http_500_before")
    order = desk.release()
    desk.work()  # unclear: it will be looked up and not found
    desk.plan("http_401", "balance")
    read_balance(desk)
    assert link().breaker_reason == "credentials"
    desk.jump_to_next()
    desk.work()
    assert desk.read(order).looked_at is not None
    assert link().breaker_reason is None


def test_an_answer_of_a_stranger_ends_no_stop(desk: Desk) -> None:
    desk.plan("http_401", "balance")
    read_balance(desk)
    for stranger in (*STRANGERS, "html_502", "text_429", "http_500_auth"):
        desk.plan(stranger, "balance")
        read_balance(desk)
        assert link().breaker_reason == "credentials", stranger
        desk.jump(61)


def test_a_good_read_does_not_end_a_stop_for_unclear_purchases(desk: Desk) -> None:
    desk.plan("http_500_before", times=5)
    for _ in range(5):
        desk.release()
    desk.work()
    assert link().breaker_reason == "breaker"
    with tenancy.across_stores(), transaction():
        supply.locked_state().unreachable_since = clock.now()
    assert "Balance read" in read_balance(desk)
    assert (link().breaker_reason, link().unreachable_since) == ("breaker", None)
    assert link().unknown_streak == config.current().breaker_unknowns


def test_a_good_read_ends_the_pause_for_a_supplier_nobody_could_reach(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations.ports import NotSent

    order = desk.release()
    with monkeypatch.context() as away:
        away.setattr(
            desk.client, "submit", lambda _request: NotSent("connection refused")
        )
        desk.work()
    assert (desk.read(order).wait_reason, link().breaker_reason) == (
        "supplier_unreachable",
    ) * 2
    assert "Balance read" in read_balance(desk)
    assert link().unreachable_since is None
    desk.work()
    assert desk.read(order).state == "processing"
