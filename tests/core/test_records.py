"""What is kept for people to read: calls, webhooks, cases, the audit; and the small rules of stores
and time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import tables_owner
from flask import Flask
from seed import FLOAT_PESEWAS
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from core import (
    audit,
    cases,
    catalog,
    ledger,
    onboarding,
    orders,
    reconcile,
    settling,
    stores,
    subdomains,
)
from core.accounts import logins, users
from core.audit import SYSTEM, Actor
from core.base import clock, tenancy
from core.base.db import STORE, db, transaction
from core.catalog import Bundle
from core.orders import Order
from core.supplier import records, supply, webhook_events
from tests.support.settings import Using

OWNER = Actor("owner", "Owner")


def keep_call(endpoint: str, *refs: str, status: int = 200) -> None:
    records.record_call(
        endpoint=endpoint,
        order_refs=refs,
        values={
            "at": clock.now(),
            "supplier": "datamart",
            "method": "GET",
            "path": f"/v1/{endpoint}",
            "http_status": status,
            "outcome": "ok",
        },
    )


def test_the_call_log_is_read_by_endpoint_by_reference_and_page_by_page(
    across: Flask,
) -> None:
    for endpoint, ref in (
        ("balance", ()),
        ("status", ("MK-ONE",)),
        ("status", ("MK-TWO",)),
    ):
        keep_call(endpoint, *ref)
    assert [line.endpoint for line in records.calls()] == [
        "status",
        "status",
        "balance",
    ]
    assert [line.order_refs for line in records.calls(endpoint="status")] == [
        ["MK-TWO"],
        ["MK-ONE"],
    ]
    assert [line.order_refs for line in records.calls(search=" mk-one ")] == [
        ["MK-ONE"]
    ]
    first = records.calls(limit=2)
    assert [line.endpoint for line in records.calls(before_id=first[-1].id)] == [
        "balance"
    ]


def test_the_answer_of_a_purchase_completes_the_line_written_before_it(
    across: Flask,
) -> None:
    with transaction():
        records.open_purchase_call(["MK-ONE"], 1)
    assert [(line.outcome, line.answered_at) for line in records.calls()] == [
        ("no answer yet", None)
    ]
    keep_call("purchase", "MK-ONE", status=201)
    assert [
        (line.http_status, line.attempt, line.answered_at is None)
        for line in records.calls()
    ] == [(201, 1, False)]
    keep_call("purchase", "MK-ONE", status=409)  # a second answer is a line of its own
    assert [line.http_status for line in records.calls()] == [409, 201]


def test_webhooks_are_read_page_by_page(across: Flask) -> None:
    for n in range(3):
        with transaction():
            assert webhook_events.keep(
                {
                    "event_key": str(n),
                    "body": b"\xff{}",
                    "headers": {},
                    "event": f"e{n}",
                }
            )
    first = webhook_events.newest(limit=2)
    assert [event.event for event in first] == ["e2", "e1"]
    assert [event.event for event in webhook_events.newest(before_id=first[-1].id)] == [
        "e0"
    ]
    assert first[0].body_text == "\ufffd{}"


def test_a_jump_of_the_clock_back_does_not_close_the_line_for_ever(
    across: Flask, jump: Callable[[float], None]
) -> None:
    jump(10_000)
    for _ in range(50):
        supply.take_call("purchase")
    assert supply.take_call("purchase") > 0
    jump(-10_000)
    assert supply.take_call("purchase") == 0.0


def broken_twice(difference: int, jump: Callable[[float], None]) -> int:
    reconcile.note_balance(FLOAT_PESEWAS + difference)
    jump(61)
    reconcile.note_balance(FLOAT_PESEWAS + difference)
    return cases.open_cases(1)[0].id


def test_funding_is_booked_once_whatever_is_pressed_after(
    context: Flask, jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        case_id = broken_twice(5_000, jump)
        assert reconcile.confirm_funding(case_id, OWNER) == 5_000
        reconcile.note_balance(
            FLOAT_PESEWAS + 9_000
        )  # more came meanwhile: a closed case must not book it
        with pytest.raises(reconcile.NotConfirmable):
            reconcile.confirm_funding(case_id, OWNER)
        assert ledger.platform_balances()["supplier_float"] == FLOAT_PESEWAS + 5_000


def test_a_rise_that_is_gone_again_cannot_be_booked(
    context: Flask, jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        case_id = broken_twice(5_000, jump)
        reconcile.note_balance(FLOAT_PESEWAS - 100)
        with pytest.raises(reconcile.NotConfirmable):
            reconcile.confirm_funding(case_id, OWNER)
        assert ledger.platform_balances()["supplier_float"] == FLOAT_PESEWAS


def test_a_missing_sum_is_no_question_about_funding(
    context: Flask, jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        case_id = broken_twice(-5_000, jump)
        with pytest.raises(reconcile.NotConfirmable):
            reconcile.confirm_funding(case_id, OWNER)
        with pytest.raises(reconcile.NotConfirmable):
            reconcile.confirm_funding(999_999, OWNER)


def test_a_case_keeps_its_first_twenty_pieces_of_evidence(context: Flask) -> None:
    with tenancy.across_stores():
        for n in range(25):
            with transaction():
                case = cases.open_case(
                    "unexpected_charge", "float", {"difference_pesewas": n}
                )
        assert [entry["difference_pesewas"] for entry in case.evidence] == list(
            range(20)
        )


def test_a_settled_case_may_open_again(context: Flask) -> None:
    with tenancy.across_stores():
        with transaction():
            first = cases.open_case(
                "unexpected_charge", "float", {"difference_pesewas": 1}
            )
        assert (
            settling.settle(first.id, "close", OWNER, words="  counted  ")
            == "Closed with words."
        )
        with transaction():
            second = cases.open_case(
                "unexpected_charge", "float", {"difference_pesewas": 1}
            )
        assert second.id != first.id
        assert [line.action for line in audit.recent(1)] == ["close_case"]


def test_who_acts_is_told_by_the_door_they_came_through(
    context: Flask, ama: int
) -> None:
    user = users.by_email("ama@example.test")
    assert user is not None
    for door, kind in (("portal", "agent"), ("console", "owner")):
        assert Actor.of_login(logins.Login("t", user, door, None, None)) == Actor(
            kind, "Ama", user.id
        )  # type: ignore[arg-type]


def test_the_audit_has_its_own_use_case_or_joins_the_open_one(across: Flask) -> None:
    audit.write(OWNER, "looked", "x")
    with pytest.raises(ZeroDivisionError), transaction():
        audit.write(OWNER, "undone", "x")
        1 / 0  # noqa: B018
    assert [line.action for line in audit.recent(1)] == ["looked"]


def test_working_in_a_store_from_outside_ends(context: Flask, kofi_id: int) -> None:
    with tenancy.inside(kofi_id):
        assert tenancy.current_store_id() == kofi_id
    with pytest.raises(tenancy.NoStore):
        tenancy.current_store_id()


def test_the_setting_of_a_store_does_not_stay_on_its_connection(
    app: Flask, as_store: Callable[..., Any], place: Callable[..., Order]
) -> None:
    as_store("ama", place)
    with app.app_context():
        for _ in range(5):
            as_store("ama", orders.tab_counts)
            with db.engines[
                STORE
            ].connect() as connection:  # no session, so nothing sets the store anew
                assert (
                    connection.execute(text("SELECT count(*) FROM orders")).scalar_one()
                    == 0
                )


def test_a_row_for_another_store_is_refused_also_when_nothing_is_read_back(
    ama: int, kofi_id: int
) -> None:
    bundle_id = catalog.shelf()[0].bundle_id
    with (
        pytest.raises(DBAPIError, match="row-level security"),
        transaction() as session,
    ):
        session.execute(
            text(
                "INSERT INTO cases (store_id, kind, subject, title, evidence, opened_at) "
                "VALUES (:store, 'wrong_answer', 'x', 'x', '[]', :now)"
            ),
            {"store": kofi_id, "now": clock.now()},
        )
    with pytest.raises(DBAPIError, match="permission denied"), transaction() as session:
        session.execute(
            text(
                "UPDATE store_bundles SET store_id = :store WHERE bundle_id = :bundle"
            ),
            {"store": kofi_id, "bundle": bundle_id},
        )


@pytest.mark.parametrize(
    "slug",
    ["portal", "mtn", "xn--mtn", "a", "-ama", "ama-", "ama_data", "", "a" * 33, "Ämä"],
)
def test_addresses_that_no_store_may_have(slug: str) -> None:
    with pytest.raises(subdomains.BadStore):
        subdomains.check_slug(slug)


@pytest.mark.parametrize(
    ("slug", "read"), [("Ama-Data ", "ama-data"), ("a1b", "a1b"), ("x" * 32, "x" * 32)]
)
def test_addresses_as_people_type_them(slug: str, read: str) -> None:
    assert subdomains.check_slug(slug) == read


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"name": "x" * 61}, {"colour": "green"}, {"slug": "admin"}]
)
def test_a_store_that_cannot_be_opened_leaves_nothing(
    context: Flask, wrong: dict[str, str]
) -> None:
    owner = users.by_email("nobody@example.test")
    assert owner is not None
    wish = {"slug": "esi", "name": "Esi", "owner": owner, "actor": SYSTEM} | wrong
    with tenancy.across_stores(), pytest.raises(subdomains.BadStore):
        onboarding.open_store(**wish)  # type: ignore[arg-type]
    assert stores.by_slug("esi") is None
    assert users.memberships_of(owner) == []


def test_a_store_opened_today_can_sell_today(context: Flask) -> None:
    owner = users.by_email("nobody@example.test")
    assert owner is not None
    with tenancy.across_stores():
        store = onboarding.open_store(slug="esi", name="Esi", owner=owner, actor=SYSTEM)
    tenancy.use(store.id)
    assert (store.whatsapp, store.momo_number, ledger.wallet()) == (
        None,
        None,
        ledger.Wallet(0, 0),
    )
    assert all(
        line.price_pesewas >= line.agent_price_pesewas
        for line in catalog.price_table()
        if line.price_pesewas
    )
    assert len(catalog.shelf()) == len(catalog.all_bundles())


def test_a_store_is_open_closed_or_suspended_and_nothing_else(ama: int) -> None:
    version = onboarding.set_store_status(ama, "suspended", "", SYSTEM).version
    assert onboarding.set_store_status(ama, "open", "", SYSTEM).version == version + 1
    with pytest.raises(subdomains.BadStore):
        onboarding.set_store_status(ama, "sold", "", SYSTEM)


@pytest.mark.parametrize(
    ("mb", "said"),
    [
        (500, "500 MB"),
        (1_023, "1023 MB"),
        (1_024, "1 GB"),
        (1_536, "1.5 GB"),
        (51_200, "50 GB"),
    ],
)
def test_sizes_read_as_people_say_them(mb: int, said: str) -> None:
    assert catalog.size_text(mb) == said


def test_the_price_table_shows_what_is_not_sold_and_why(ama: int) -> None:
    first, second, third = (line.bundle_id for line in catalog.price_table()[:3])
    catalog.save_price(first, 9_999, True, OWNER)
    tables_owner.execute(update(Bundle).where(Bundle.id == second).values(active=False))
    tables_owner.execute(
        "DELETE FROM store_bundles WHERE bundle_id IN (:a, :b)", a=second, b=third
    )
    lines = {line.bundle_id: line for line in catalog.price_table()}
    assert (
        lines[first].hidden,
        lines[first].price_pesewas,
        lines[first].below_floor,
    ) == (
        True,
        9_999,
        False,
    )
    assert second not in lines  # gone, and never priced by this store
    assert (
        lines[third].price_pesewas,
        lines[third].hidden,
        lines[third].below_floor,
    ) == (
        None,
        True,
        False,
    )
    assert catalog.save_prices({third: (5_000, False)}, OWNER) == {}
    assert third in [line.bundle_id for line in catalog.shelf()]


def test_a_price_that_is_a_typing_mistake_is_asked_about(ama: int) -> None:
    bundle_id = catalog.shelf()[0].bundle_id
    assert (
        "too high"
        in catalog.save_prices({bundle_id: (1_000_001, False)}, OWNER)[bundle_id]
    )


def test_saving_what_is_saved_already_leaves_no_line(ama: int) -> None:
    line = catalog.shelf()[0]
    before = len(audit.recent(100))
    assert (
        catalog.save_prices({line.bundle_id: (line.price_pesewas, False)}, OWNER) == {}
    )
    assert len(audit.recent(100)) == before


def test_a_store_opened_before_the_first_list_has_nothing_to_price(ama: int) -> None:
    with transaction() as session:
        session.execute(update(Bundle).values(active=False))
        assert catalog.price_new_bundles(ama, 800) == 0


def test_a_pause_says_since_when_and_why_until_it_ends(across: Flask) -> None:
    assert catalog.sales_paused_since() is None
    catalog.pause_sales("float empty", OWNER)
    first = catalog.sales_paused()
    assert first is not None
    assert (first.reason, catalog.sales_paused_since()) == ("float empty", first.since)
    catalog.pause_sales("again", OWNER)
    assert catalog.sales_paused() == first  # the first pause stands
    catalog.resume_sales(OWNER)
    assert catalog.sales_paused() is None


def test_what_is_held_over_all_stores_is_one_sum(
    ama: int, place: Callable[..., Order]
) -> None:
    with tenancy.across_stores():
        assert ledger.held_total() == 0
    tenancy.use(ama)
    order = orders.release(place().code, OWNER)
    with tenancy.across_stores():
        assert ledger.held_total() == order.agent_price_pesewas


def test_a_posting_to_an_account_that_does_not_exist_is_our_mistake(
    context: Flask,
) -> None:
    with (
        tenancy.across_stores(),
        pytest.raises(LookupError, match="wallet"),
        transaction(),
    ):
        ledger.post(
            "fund_wallet", [("bank", 5), ("wallet", -5)], SYSTEM, store_id=999_999
        )


def test_a_day_begins_at_midnight_in_accra(context: Flask) -> None:
    moment = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC)
    assert clock.accra_midnight(moment) == datetime(2026, 11, 23, tzinfo=UTC)
    assert clock.accra_midnight(moment + timedelta(seconds=1)) == datetime(
        2026, 11, 24, tzinfo=UTC
    )


def test_the_scale_divides_durations_and_nothing_else(
    context: Flask, using: Using
) -> None:

    using(time_scale=60.0)
    assert clock.seconds(300) == 5
    assert 4.9 < (clock.after(300) - clock.now()).total_seconds() <= 5
    for _ in range(50):
        assert 4.4 < (clock.jittered(300) - clock.now()).total_seconds() < 5.6
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 1
