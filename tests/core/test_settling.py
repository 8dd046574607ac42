"""What a person does about a case: only what is legal, once, with its postings, its line and its
audit."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable

import pytest
from case_scenes import WORDS, Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seed import FLOAT_PESEWAS, WALLET_PESEWAS

from core import audit, cases, orders, reconcile, settling, stores
from core.base import clock, config, tenancy
from core.base.db import transaction
from core.orders import News, Order
from core.settling import ActionRefused, acting, legality
from core.supplier import supply
from fulfilment.buying import schedule

KINDS = tuple(cases.KINDS)
PLATFORM_KINDS = (
    "unexpected_charge",
    "float_funded",
    "unknown_reference",
    "restored",
    "books_broken",
    "rounding",
    "payout_differs",
    "payout_contradicts",
    "payout_needs_owner",
    "payout_slow",
    "payout_broken",
    "payouts_refused",
    "gateway_balance",
    "payments_lost",
    "payments_unlisted",
    "payments_differ",
    "settlement_differs",
)
PAYMENT_KINDS = (
    "paid_late",
    "paid_twice",
    "paid_short",
    "paid_unfit",
    "payment_reversed",
    "payment_odd",
    "payment_broken",
    "payment_disputed",
    "payment_unwatched",
    "funding_reversed",
    "dispute_unknown",
    "dispute_odd",
    "refund_failed",
    "refund_details",
    "refund_poor",
    "refund_strange",
    "refund_late",
)
"""Of online payments: settled in fulfilment/test_taking.py, test_refunding.py and
test_late_and_short.py, test_funding_online.py, test_refunds_adopted.py and test_disputing.py,
where they come about."""
ORDER_KINDS = tuple(
    kind for kind in KINDS if kind not in (*PLATFORM_KINDS, *PAYMENT_KINDS)
)
STATES = (
    "submitting",
    "unknown",
    "processing",
    "completed",
    "failed",
    "given_back",
    "reversed",
    "refunded",
)


@pytest.fixture
def desk(ama: int, place: Callable[..., Order], jump: Callable[[float], None]) -> Desk:
    return Desk(ama, place, jump)


def refused(
    desk: Desk, case_id: int, action: str, seen: int | None = None, words: str = WORDS
) -> str:
    """Press, expect a refusal and see that nothing changed. Returns the sentence."""
    (sentence,) = all_refused(desk, case_id, [action], seen, words)
    return sentence


def all_refused(
    desk: Desk,
    case_id: int,
    actions: Iterable[str],
    seen: int | None = None,
    words: str = WORDS,
) -> list[str]:
    """As `refused`, for one press after another."""
    before, sentences = desk.everything(), []
    for action in actions:
        with pytest.raises(ActionRefused) as refusal:
            desk.press(case_id, action, seen, words)
        assert refusal.value.sentence.endswith((".", "”"))
        sentences.append(refusal.value.sentence)
    assert desk.everything() == before
    return sentences


# The table


def test_every_kind_and_every_action_is_in_the_table_and_can_be_done() -> None:
    pairs = {(way.kind, way.action) for way in settling.TABLE}
    assert {kind for kind, _ in pairs} == set(KINDS)
    assert (
        {action for _, action in pairs} == set(settling.ACTIONS) == set(legality._RULES)
    )
    assert set(acting._DEEDS) == set(settling.ACTIONS) - {
        "look_again",
        "confirm_funding",
    }
    for kind in KINDS:
        assert (kind, "close") in pairs
        assert ((kind, "look_again") in pairs) == (kind in ORDER_KINDS)
    assert {(way.kind, way.action) for way in settling.TABLE if way.posts} == {
        ("late_success", "accept_loss"),
        *(
            (kind, "give_back")
            for kind in KINDS
            if ("give_back" in [way.action for way in settling.ways_of(kind)])
        ),
        ("supplier_money", "money_came_back"),
        ("supplier_money", "write_off"),
        ("paid_late", "owe_back"),
        ("paid_late", "deliver"),
        ("payment_reversed", "book_taken"),
        ("settlement_differs", "settled_less"),
        ("settlement_differs", "settled_more"),
        ("payment_disputed", "take_funding"),
        ("funding_reversed", "settle_debt"),
        ("refund_strange", "adopt_refund"),
        ("unexpected_charge", "accept_loss"),
        ("float_funded", "confirm_funding"),
        ("float_funded", "accept_gain"),
    }


@pytest.mark.slow(seconds=0.6)
def test_the_table_can_be_printed() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "core.settling"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    for kind, title in cases.KINDS.items():
        assert f"{kind}: {title}" in printed
    assert "commit if none is open, write_off" in printed


def strange_to(kind: str) -> list[str]:
    """What is pressed, and the table does not have for a case of this kind."""
    pressed = (*settling.ACTIONS, "advance", "")
    return [action for action in pressed if settling.way_of(kind, action) is None]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_in_the_table_is_no_way(kind: str) -> None:
    case = cases.Case(kind=kind)
    for action in strange_to(kind):
        with pytest.raises(ActionRefused, match="cannot be done about a case of this"):
            acting._way(case, action, WORDS)
    for way in settling.ways_of(kind):
        assert acting._way(case, way.action, WORDS) == way


def opened(desk: Desk, kind: str) -> int:
    """A case of this kind; its id."""
    if kind in ORDER_KINDS:
        return desk.open(desk.order("unknown"), kind, seen="x")
    if kind in ("unexpected_charge", "float_funded"):
        return desk.float_off_by(-300 if kind == "unexpected_charge" else 300)
    with tenancy.across_stores(), transaction():
        return cases.open_case(kind, "platform", {"said": "x"}).id


@pytest.mark.slow(seconds=0.4)
@pytest.mark.parametrize(
    "kind", ["broken", "unexpected_charge", "float_funded", "rounding", "paid_late"]
)
def test_what_is_not_in_the_table_is_refused(desk: Desk, kind: str) -> None:
    case_id = opened(desk, kind)
    desk.jump(100_000)
    all_refused(desk, case_id, strange_to(kind), 300)


@pytest.mark.slow(seconds=1)
def test_a_funding_is_confirmed_in_a_case_of_one_alone(desk: Desk) -> None:
    """That press is judged elsewhere than the others."""
    others = [
        opened(desk, kind)
        # the break first: an order in doubt would explain it
        for kind in sorted(KINDS, key="unexpected_charge".__ne__)
        if settling.way_of(kind, "confirm_funding") is None
    ]
    desk.jump(100_000)
    before = desk.everything()
    for case_id in others:
        with pytest.raises(ActionRefused):
            desk.press(case_id, "confirm_funding", 300)
    assert desk.everything() == before
    assert len(others) == len(KINDS) - 1


def test_a_case_that_is_not_there(desk: Desk) -> None:
    with pytest.raises(settling.NoSuchCase):
        desk.press(999_999, "close")


OF_PAYMENTS = {"owe_back", "deliver", "refund", "expire", "adopt_refund", "book_taken"}
OF_PAYMENTS |= {"take_funding", "settle_debt", "bear_loss"}
OF_PAYMENTS |= {"settled_less", "settled_more", "take_word", "disown"}


@pytest.mark.parametrize("action", sorted(settling.NEEDS_WORDS - OF_PAYMENTS))
def test_a_person_says_why(desk: Desk, action: str) -> None:
    kind = next(way.kind for way in settling.TABLE if way.action == action)
    state = {"late_success": "reversed", "supplier_money": "given_back"}.get(
        kind, "unknown"
    )
    if kind == "float_funded":
        case_id = desk.float_off_by(300)
    else:
        case_id = desk.open(desk.order(state), kind, seen="x")
    desk.jump(400)
    amount = desk.choices(case_id)[action]
    assert "few words" in refused(desk, case_id, action, amount, words="  ")
    desk.press(case_id, action, amount)


@pytest.mark.slow(seconds=1.5)
@pytest.mark.parametrize("state", STATES)
def test_the_buttons_are_what_a_press_allows(desk: Desk, state: str) -> None:
    """Every way of every kind in every state: offered and done, or not offered and refused without a
    trace."""
    made = []
    for kind in ORDER_KINDS:
        order = desk.order(state)
        made.append((kind, desk.open(order, kind, seen="x"), order.cost_pesewas))
    desk.jump(400)
    is_unanswered = state in ("submitting", "unknown")
    for kind, case_id, cost_pesewas in made:
        offered = desk.choices(case_id)
        assert "close" in offered and "look_again" in offered, kind
        may_resend = kind in ("unknown_too_long", "resend_limit") and is_unanswered
        assert ("send_again" in offered) == may_resend, kind
        never_bought = is_unanswered and (may_resend or kind == "broken")
        has_give_back = settling.way_of(kind, "give_back") is not None
        may_give_back = never_bought or (has_give_back and state == "failed")
        assert ("give_back" in offered) == may_give_back, kind
        ways = [way.action for way in settling.ways_of(kind)]
        others = [action for action in ways if action not in offered]
        all_refused(desk, case_id, others, cost_pesewas)


# Look again


def test_looking_again_rings_once_and_keeps_the_case(desk: Desk) -> None:
    order = desk.order("given_back")
    case_id = desk.case_of(order, "supplier_money").id
    assert "the case stays open" in desk.press(case_id, "look_again", words="")
    assert desk.row(order).due_at <= clock.now()
    assert desk.told(order)[-1] == "Esi asked for a check."
    assert [line.action for line in audit.recent(1)] == ["look_again"]
    before = desk.everything()
    assert "asked already" in desk.press(case_id, "look_again")
    assert desk.everything() == before
    assert desk.case(case_id).closed_at is None


def test_what_was_never_sent_cannot_be_looked_up(desk: Desk) -> None:
    case_id = desk.open(desk.order("queued"), "broken", error="KeyError")
    assert "never sent" in refused(desk, case_id, "look_again")
    assert list(desk.choices(case_id)) == ["close"]


# Never bought


def test_a_person_s_word_that_it_was_never_bought_sends_it_again(desk: Desk) -> None:
    # a worker that died in its call marked nothing as unclear
    order = desk.order("submitting")
    assert (order.ever_unknown, order.unknown_since) == (False, None)
    case_id = desk.open(order, "unknown_too_long", since="x")
    desk.jump(config.current().grace_s + 1)
    desk.press(case_id, "send_again")
    after = desk.read(order)
    assert (after.state, after.order_ref, after.attempt, after.resends) == (
        "queued",
        order.order_ref,
        1,
        1,
    )
    assert after.ever_unknown, (
        "looked up once more before it is sent, and a refusal proves nothing"
    )
    assert (
        after.claimed_at,
        after.lease_until,
        after.unknown_since,
        after.absent_since,
    ) == (
        None,
        None,
        None,
        None,
    )
    assert desk.row(order).due_at <= clock.now()
    assert (
        desk.told(order)[-1]
        == "Esi asked the supplier: it was never bought. It is sent again under the same"
        f" reference. “{WORDS}”"
    )
    assert desk.kinds(order) == ["hold"]
    case = desk.case(case_id)
    assert (case.action, case.closed_by, case.posting_ids) == ("send_again", "Esi", [])
    assert WORDS in (case.resolution or "")


@pytest.mark.parametrize("action", ["send_again", "give_back"])
@pytest.mark.parametrize("kind", ["unknown_too_long", "resend_limit"])
def test_nothing_is_decided_while_a_call_may_still_buy(
    desk: Desk, action: str, kind: str
) -> None:
    order = desk.order("unknown")
    case_id = desk.open(order, kind, since="x")
    desk.jump(config.current().grace_s - 2)
    assert "may still be under way" in refused(
        desk, case_id, action, order.agent_price_pesewas
    )
    assert action not in desk.choices(case_id)
    desk.jump(3)
    assert action in desk.choices(case_id)


@pytest.mark.parametrize("clock_name", ["offset_source", "steady_source"])
def test_one_clock_alone_proves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, clock_name: str
) -> None:
    case_id = desk.open(desk.order("unknown"), "resend_limit", attempt=1)
    ahead = {
        "offset_source": lambda: 3_600.0,
        "steady_source": lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + 3_600,
    }
    monkeypatch.setattr(clock, clock_name, ahead[clock_name])
    assert "may still be under way" in refused(desk, case_id, "send_again")


def test_a_machine_that_did_not_see_the_claim_watches_first(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = desk.open(desk.order("unknown"), "unknown_too_long", since="x")
    desk.jump(100_000)
    monkeypatch.setattr(clock, "boot", lambda: "another machine")
    assert "Press “Look again”" in refused(desk, case_id, "send_again")
    desk.press(case_id, "look_again")
    assert "may still be under way" in refused(desk, case_id, "send_again")
    desk.jump(config.current().grace_s + 1)
    desk.press(case_id, "send_again")


def test_a_look_of_a_worker_starts_the_watch_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.order("unknown")
    monkeypatch.setattr(clock, "boot", lambda: "after a restart")
    orders.note_look(order.id, "no answer (unclear)")
    desk.jump(config.current().grace_s + 1)
    case_id = desk.open(order, "unknown_too_long", since="x")
    assert "give_back" in desk.choices(case_id)


def test_what_was_never_bought_is_given_back_and_goes_on_being_looked_at(
    desk: Desk,
) -> None:
    order = desk.order("submitting")
    case_id = desk.open(order, "resend_limit", attempt=2)
    desk.jump(config.current().grace_s + 1)
    desk.press(case_id, "give_back", order.agent_price_pesewas)
    after = desk.read(order)
    assert (after.state, after.ever_unknown) == ("refunded", True)
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    assert desk.kinds(order) == ["hold", "release"]
    assert "Esi asked the supplier: it was never bought." in desk.told(order)[-1]
    next_check_at = schedule.next_check(after)
    assert next_check_at is not None and next_check_at > clock.now(), (
        "a person may have been told wrongly"
    )
    case = desk.case(case_id)
    with tenancy.across_stores():
        from core import ledger

        assert [
            posting.kind for posting, _ in ledger.legs_of(case.posting_ids).values()
        ] == ["release"]
    assert audit.recent(1)[0].detail["action"] == "give_back"


def test_a_failed_order_is_given_back_by_a_person_and_its_money_is_asked_about(
    desk: Desk,
) -> None:
    order = desk.order("failed")
    case_id = desk.open(order, "unknown_too_long", watched_until="x")
    desk.press(case_id, "give_back", order.agent_price_pesewas)
    assert desk.read(order).state == "refunded"
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    assert desk.balances()["in_flight"] == order.cost_pesewas
    assert desk.case_of(order, "supplier_money").closed_at is None
    assert desk.told(order)[-1].startswith("Esi ended the watch.")


# The supplier's money


def test_the_supplier_s_money_came_back(desk: Desk) -> None:
    order = desk.order("given_back")
    case_id = desk.case_of(order, "supplier_money").id
    assert desk.choices(case_id)["money_came_back"] == order.cost_pesewas
    desk.press(case_id, "money_came_back", order.cost_pesewas)
    books = desk.balances()
    assert (books["in_flight"], books["supplier_float"], books["write_off"]) == (
        0,
        FLOAT_PESEWAS,
        0,
    )
    assert desk.kinds(order)[-1] == "supplier_refund"
    assert "closed already, by Esi" in refused(
        desk, case_id, "money_came_back", order.cost_pesewas
    )
    assert "closed already" in refused(desk, case_id, "write_off", order.cost_pesewas)


def test_the_supplier_s_money_is_written_off(desk: Desk) -> None:
    order = desk.order("given_back", charged=475)
    case_id = desk.case_of(order, "supplier_money").id
    assert "GH₵\N{NO-BREAK SPACE}4.75 now" in refused(
        desk, case_id, "write_off", order.cost_pesewas
    )
    desk.press(case_id, "write_off", 475)
    books = desk.balances()
    assert (books["in_flight"], books["supplier_float"], books["write_off"]) == (
        0,
        FLOAT_PESEWAS - 475,
        475,
    )
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    assert "4.75" not in desk.told(order)[-1], (
        "what the supplier takes is not the agent's business"
    )
    assert WORDS in desk.told(order)[-1]


def test_money_given_up_is_no_money_that_may_have_come_back(desk: Desk) -> None:
    """The balance is expected to be higher only while the supplier may have returned something
    without a word."""
    order = desk.order("given_back")
    with tenancy.across_stores():
        assert reconcile.doubts().may_be_back_pesewas == order.cost_pesewas
    desk.press(
        desk.case_of(order, "supplier_money").id, "write_off", order.cost_pesewas
    )
    desk.open(order, "supplier_money", charged_pesewas=460)
    with tenancy.across_stores():
        assert "more than expected" in reconcile.note_balance(FLOAT_PESEWAS)


# Late successes


def late(desk: Desk, state: str, **evidence: object) -> tuple[Order, int]:
    order = desk.order(state)
    said = {
        "order_is": "refunded",
        "supplier_says": "successful",
        "delivered": True,
        **evidence,
    }
    return order, desk.open(order, "late_success", **said)


def test_a_late_success_that_was_charged_again_is_booked_and_given_up(
    desk: Desk,
) -> None:
    order, case_id = late(desk, "reversed")
    assert desk.balances()["supplier_float"] == FLOAT_PESEWAS
    assert desk.choices(case_id)["accept_loss"] == order.cost_pesewas
    desk.press(case_id, "accept_loss", order.cost_pesewas)
    assert desk.kinds(order) == [
        "hold",
        "commit",
        "supplier_refund",
        "release",
        "commit",
        "write_off",
    ]
    books = desk.balances()
    assert (books["in_flight"], books["write_off"]) == (0, order.cost_pesewas)
    assert books["supplier_float"] == FLOAT_PESEWAS - order.cost_pesewas
    assert desk.read(order).state == "refunded"
    assert desk.wallet() == (WALLET_PESEWAS, 0)
    assert len(desk.case(case_id).posting_ids) == 2
    assert desk.case(case_id).seen[0]["supplier_says"] == "successful"


def test_a_late_success_whose_money_never_came_back_is_given_up(desk: Desk) -> None:
    order, case_id = late(desk, "given_back")
    desk.press(case_id, "accept_loss", order.cost_pesewas)
    assert desk.kinds(order) == ["hold", "commit", "release", "write_off"]
    other = desk.case_of(order, "supplier_money").id
    assert "nothing in flight" in refused(desk, other, "write_off", order.cost_pesewas)
    desk.press(other, "close")


def test_money_given_up_before_is_not_lost_again_by_a_late_success(desk: Desk) -> None:
    order, case_id = late(desk, "given_back")
    desk.press(
        desk.case_of(order, "supplier_money").id, "write_off", order.cost_pesewas
    )
    assert "written off already" in refused(
        desk, case_id, "accept_loss", order.cost_pesewas
    )


def test_the_amount_the_supplier_named_last_is_what_it_took(desk: Desk) -> None:
    order, case_id = late(desk, "refunded", charged_pesewas=480)
    desk.open(
        order,
        "late_success",
        supplier_says="delivered",
        delivered=True,
        charged_pesewas=481,
    )
    desk.press(case_id, "accept_loss", 481)
    assert desk.balances()["write_off"] == 481
    assert desk.read(order).charged_pesewas == 481


def test_a_loss_is_accepted_once(desk: Desk) -> None:
    order, case_id = late(desk, "reversed", delivered=False)
    desk.press(case_id, "accept_loss", order.cost_pesewas)
    again = desk.open(
        order,
        "late_success",
        order_is="refunded",
        supplier_says="delivered",
        delivered=True,
    )
    assert again != case_id
    assert "written off already" in refused(
        desk, again, "accept_loss", order.cost_pesewas
    )
    desk.press(again, "close")
    assert desk.balances()["write_off"] == order.cost_pesewas


def test_the_same_news_does_not_ask_twice_and_other_news_does(desk: Desk) -> None:
    order, case_id = late(desk, "reversed")
    desk.press(case_id, "close")
    assert (
        desk.open(
            order,
            "late_success",
            order_is="refunded",
            supplier_says="successful",
            delivered=True,
        )
        == case_id
    )
    assert desk.told(order)[-1].startswith("Esi: looked at it and closed the case")
    assert (
        desk.open(
            order,
            "late_success",
            order_is="refunded",
            supplier_says="sent",
            delivered=False,
        )
        != case_id
    )
    lost = desk.order("unknown")
    first = desk.open(lost, "unknown_too_long", since="x")
    desk.press(first, "close")
    assert desk.open(lost, "unknown_too_long", since="x") != first, (
        "its cause still stands"
    )


def test_the_customer_and_the_agent_read_what_is_true_of_a_late_success(
    desk: Desk,
) -> None:
    order = desk.order("reversed")
    with tenancy.across_stores():
        store = stores.by_slug("ama")
        assert store is not None
        assert orders.customer_words(order, store).label.startswith("Not delivered: ")
    case_id = desk.open(order, "late_success", supplier_says="sent", delivered=False)
    with tenancy.across_stores():
        assert "may still come" in orders.customer_words(order, store).sentence
        assert "may still deliver it" in orders.agent_words(order).sentence
        assert "waits for a person" in (orders.person_words(order) or "")
    desk.open(order, "late_success", supplier_says="successful", delivered=True)
    desk.press(case_id, "accept_loss", order.cost_pesewas)
    with tenancy.across_stores():
        words = orders.customer_words(order, store)
        assert (words.label, words.icon) == ("Delivered late", "done")
        assert "Not delivered" not in orders.agent_words(order).sentence
        assert "stays there" in orders.agent_words(order).sentence
        assert orders.person_words(order) is None


def test_a_delivery_that_did_not_come_after_all_reads_as_before(desk: Desk) -> None:
    order, case_id = late(desk, "reversed", delivered=False)
    desk.press(case_id, "close")
    with tenancy.across_stores():
        store = stores.by_slug("ama")
        assert store is not None
        assert orders.customer_words(order, store).label.startswith("Not delivered: ")


# The float


def test_a_charge_nobody_can_explain_is_accepted_as_a_loss(desk: Desk) -> None:
    case_id = desk.float_off_by(-900)
    assert desk.choices(case_id) == {"accept_loss": 900, "close": None}
    desk.press(case_id, "accept_loss", 900)
    books = desk.balances()
    assert (books["supplier_float"], books["write_off"]) == (FLOAT_PESEWAS - 900, 900)
    assert "closed already" in refused(desk, case_id, "accept_loss", 900)
    with tenancy.across_stores():
        assert (supply.state().break_pesewas, supply.state().break_since) == (
            None,
            None,
        )
        assert reconcile.note_balance(FLOAT_PESEWAS - 900) == "fits"
        assert cases.open_cases(9) == []
    assert len(desk.case(case_id).posting_ids) == 1


@pytest.mark.parametrize("action", ["accept_loss", "close"])
def test_buying_goes_on_as_soon_as_the_case_is_settled(desk: Desk, action: str) -> None:
    order = desk.order("queued")
    case_id = desk.float_off_by(-900)
    with tenancy.across_stores():
        assert reconcile.buying_stopped()
    desk.waits(order, "balance_break", 60)
    desk.press(case_id, action, 900)
    assert desk.row(order).due_at <= clock.now(), (
        "and not only when its turn to look comes"
    )
    with tenancy.across_stores():
        assert not reconcile.buying_stopped()


def test_a_rise_that_is_no_funding_is_accepted_as_a_gain(desk: Desk) -> None:
    case_id = desk.float_off_by(700)
    assert desk.choices(case_id) == {
        "confirm_funding": 700,
        "accept_gain": 700,
        "close": None,
    }
    desk.press(case_id, "accept_gain", 700)
    books = desk.balances()
    assert (books["supplier_float"], books["write_off"], books["bank"]) == (
        FLOAT_PESEWAS + 700,
        -700,
        2 * WALLET_PESEWAS - FLOAT_PESEWAS,
    )


def test_a_funding_is_booked_when_its_amount_is_the_one_seen(desk: Desk) -> None:
    case_id = desk.float_off_by(700)
    for seen in (None, 0, 699):
        refused(desk, case_id, "confirm_funding", seen)
    desk.press(case_id, "confirm_funding", 700, words="")
    assert desk.balances()["supplier_float"] == FLOAT_PESEWAS + 700
    assert desk.case(case_id).action == "confirm_funding"
    assert len(desk.case(case_id).posting_ids) == 1


def test_a_difference_is_judged_anew_at_the_press(desk: Desk) -> None:
    case_id = desk.float_off_by(-900)
    with tenancy.across_stores():
        reconcile.note_balance(FLOAT_PESEWAS - 1_000)
    assert "GH₵\N{NO-BREAK SPACE}10.00 now" in refused(
        desk, case_id, "accept_loss", 900
    )
    with tenancy.across_stores():
        reconcile.note_balance(FLOAT_PESEWAS)
    assert "Closed itself" in refused(desk, case_id, "accept_loss", 900)
    case_id = desk.float_off_by(-900)
    with tenancy.across_stores():
        reconcile.note_balance(FLOAT_PESEWAS + 50)
    assert "seen only once" in refused(desk, case_id, "accept_loss", 900)
    assert desk.choices(case_id) == {"close": None}
    with tenancy.across_stores():
        desk.jump(61)
        reconcile.note_balance(FLOAT_PESEWAS + 50)
    assert "no less than our books" in refused(desk, case_id, "accept_loss", 900)


def test_what_is_bought_between_the_read_and_the_press_is_no_loss(desk: Desk) -> None:
    case_id = desk.float_off_by(-900)
    order = desk.order("processing")
    desk.press(case_id, "accept_loss", 900)
    assert desk.balances()["supplier_float"] == FLOAT_PESEWAS - 900 - order.cost_pesewas


def test_a_late_delivery_explains_its_part_first(desk: Desk) -> None:
    order, late_id = late(desk, "reversed")
    with tenancy.across_stores():
        assert reconcile.note_balance(FLOAT_PESEWAS - order.cost_pesewas) == "fits", (
            "its case is open: it may be that"
        )
    case_id = desk.float_off_by(-order.cost_pesewas - 300)
    assert f"Case {late_id}" in refused(desk, case_id, "accept_loss", 300)
    desk.press(late_id, "accept_loss", order.cost_pesewas)
    assert "Refresh the balance" in refused(desk, case_id, "accept_loss", 300)
    with tenancy.across_stores():
        desk.jump(1)
        assert "less than expected" in reconcile.note_balance(
            FLOAT_PESEWAS - order.cost_pesewas - 300
        )
    desk.press(case_id, "accept_loss", 300)
    assert desk.balances()["write_off"] == order.cost_pesewas + 300, (
        "one charge, one loss"
    )


def test_a_charge_accepted_as_a_difference_is_not_lost_again_when_its_order_is_found(
    desk: Desk,
) -> None:
    order = desk.order("reversed")
    desk.press(
        desk.float_off_by(-order.cost_pesewas), "accept_loss", order.cost_pesewas
    )
    case_id = desk.open(
        order, "late_success", supplier_says="successful", delivered=True
    )
    assert "may be this very charge" in " ".join(
        refused(desk, case_id, "accept_loss", order.cost_pesewas).split()
    )
    assert desk.balances()["write_off"] == order.cost_pesewas


# Close with words


def test_closing_with_words_moves_nothing_and_says_what_still_stands(
    desk: Desk,
) -> None:
    order = desk.order("given_back")
    case_id = desk.case_of(order, "supplier_money").id
    before = (desk.balances(), desk.wallet(), desk.kinds(order))
    with tenancy.across_stores():
        still = settling.still_stands(settling.facts_of(desk.case(case_id)))
    assert "stays in flight" in still
    assert desk.press(case_id, "close") == "Closed with words."
    assert (desk.balances(), desk.wallet(), desk.kinds(order)) == before
    case = desk.case(case_id)
    assert (case.action, case.resolution) == (None, f"Closed with words. “{WORDS}”")


@pytest.mark.parametrize(
    ("kind", "state", "stands"),
    [
        ("unknown_too_long", "unknown", True),
        ("unknown_too_long", "completed", False),
        ("resend_limit", "unknown", True),
        ("never_fulfilled", "processing", True),
        ("never_fulfilled", "completed", False),
        ("broken", "processing", True),
        ("broken", "completed", False),
        ("late_success", "reversed", True),
        ("contradiction", "completed", False),
    ],
)
def test_a_cause_that_stands_is_said(
    desk: Desk, kind: str, state: str, stands: bool
) -> None:
    case_id = desk.open(desk.order(state), kind, seen="x")
    with tenancy.across_stores():
        assert (
            bool(settling.still_stands(settling.facts_of(desk.case(case_id)))) == stands
        )


def test_a_difference_that_stands_is_said(desk: Desk) -> None:
    case_id = desk.float_off_by(-900)
    with tenancy.across_stores():
        assert settling.still_stands(settling.facts_of(desk.case(case_id)))
        reconcile.note_balance(FLOAT_PESEWAS)
        assert not settling.still_stands(settling.facts_of(desk.case(case_id)))
    assert desk.case(case_id).closed_at is not None


# The agent


def test_the_agent_reads_that_a_person_is_asked_and_the_page_is_drawn_anew(
    desk: Desk,
) -> None:
    order = desk.order("processing")
    case_id = desk.open(order, "never_fulfilled", since="x")
    asked = desk.read(order)
    assert asked.version > order.version
    with tenancy.inside(desk.store_id):
        words = orders.person_words(asked) or ""
    assert "waits for a person at Makola" in words and "stays set aside" in words
    desk.press(case_id, "close")
    settled = desk.read(order)
    assert settled.version > asked.version
    with tenancy.inside(desk.store_id):
        assert orders.person_words(settled) is None
    assert (
        f"closed the case “{cases.KINDS['never_fulfilled']}”. “{WORDS}”"
        in desk.told(order)[-1]
    )


# Any sequence

_presses = st.tuples(
    st.sampled_from(ORDER_KINDS), st.sampled_from(settling.ACTIONS), st.booleans()
)
_news = st.sampled_from(["processing", "completed", "failed", "refunded"])


@pytest.mark.matrix
@pytest.mark.slow(seconds=14)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    state=st.sampled_from(STATES),
    steps=st.lists(st.one_of(_presses, _news), max_size=6),
)
def test_any_sequence_of_actions_and_news_keeps_the_books_and_wakes_no_settled_money(
    desk: Desk, state: str, steps: list[tuple[str, str, bool] | str]
) -> None:
    before = desk.wallet()
    order = desk.order(state)
    desk.jump(400)
    for step in steps:
        was, wallet, in_flight = (
            desk.read(order),
            desk.wallet(),
            desk.balances()["in_flight"],
        )
        if isinstance(step, str):
            with tenancy.inside(desk.store_id):
                orders.advance(
                    order.id,
                    step,
                    text="news",
                    news=News(money_back=step == "refunded"),
                )  # type: ignore[arg-type]
        else:
            kind, action, reads_right = step
            case_id = desk.open(order, kind, seen=len(desk.told(order)), delivered=True)
            seen = desk.choices(case_id).get(action) if reads_right else 1
            try:
                desk.press(case_id, action, seen)
            except ActionRefused:
                assert desk.balances()["in_flight"] == in_flight
        now = desk.read(order)
        if was.is_final:
            assert (now.state, desk.wallet()) == (
                was.state,
                wallet,
            ), "a final order's money never moves again"
    final, kinds = desk.read(order), desk.kinds(order)
    held = order.agent_price_pesewas if final.state in orders.WORK else 0
    spent = order.agent_price_pesewas if final.state == "completed" else 0
    assert desk.wallet() == (before[0] - held - spent, before[1] + held)
    assert kinds.count("hold") == 1 and kinds.count("capture") + kinds.count(
        "release"
    ) == (1 if final.is_final else 0)
    closings = (
        kinds.count("capture")
        + kinds.count("supplier_refund")
        + kinds.count("write_off")
    )
    assert kinds.count("commit") - closings in (0, 1)
    assert desk.balances()["in_flight"] >= 0
