"""What customers tell: that they have paid, and that nothing came. From the customer's page to the
agent's, and to the owner when nobody answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from store_customers import (
    NUMBER,
    OTHER_NUMBER,
    Shop,
    fields,
    parse_clean,
    plain,
    set_order,
)

from admin_console.evidence import facts_in_words
from benchmarks import plans
from core import audit, cases, orders
from core.base import clock, tenancy
from core.base.db import db
from core.orders import Order, not_received, pay_codes, telling, unanswered
from storefront.telling import moment_of

pytestmark = pytest.mark.slow(seconds=0.1)

AGENT = audit.Actor("agent", "Ama")


@pytest.fixture
def store(shop: Callable[[str], Shop]) -> Shop:
    return shop("ama")


@pytest.fixture
def row(in_store: Callable[..., Any]) -> Callable[..., Order]:
    def read(code: str, slug: str = "ama") -> Order:
        return in_store(slug, lambda: orders.by_code(code))

    return read


@pytest.fixture
def later() -> Iterator[Callable[[timedelta], None]]:
    """Move the present on."""
    was = clock.offset_source

    def move(by: timedelta) -> None:
        clock.offset_source = by.total_seconds

    yield move
    clock.offset_source = was


def tell(store: Shop, code: str, **typed: str) -> Any:
    page = store.get(f"/orders/{code}/paid")
    form = {"time": "10:04", "payer": "055 123 4567", "transaction": "", **typed}
    return store.post(f"/orders/{code}/paid", {**fields(page.text), **form})


def report(store: Shop, code: str, **typed: str) -> Any:
    page = store.get(f"/orders/{code}/not-received")
    form = {"balance": "none", "words": "", "contact": "", **typed}
    return store.post(f"/orders/{code}/not-received", {**fields(page.text), **form})


# ------------------------------------------------------------------ pay codes


@given(st.integers(0, 99_999), st.integers(0, 5), st.integers(1, 9))
def test_a_wrong_digit_is_no_pay_code(number: int, place: int, more: int) -> None:
    digits = f"{number:05}"
    code = digits + pay_codes.check_digit(digits)
    assert pay_codes.read(code) == code
    wrong = str((int(code[place]) + more) % 10)
    assert pay_codes.read(code[:place] + wrong + code[place + 1 :]) is None


@given(st.integers(0, 99_999), st.integers(0, 4))
def test_two_digits_swapped_are_no_pay_code(number: int, place: int) -> None:
    digits = f"{number:05}"
    code = digits + pay_codes.check_digit(digits)
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert swapped == code or pay_codes.read(swapped) is None


@pytest.mark.parametrize("typed", ["{a} {b}", "{a}-{b}", " {a}{b} ", "{a}.{b}"])
def test_a_pay_code_is_read_as_people_type_it(typed: str) -> None:
    code = pay_codes.new()
    assert pay_codes.read(typed.format(a=code[:3], b=code[3:])) == code
    assert pay_codes.read("12345") is None and pay_codes.read("O12345") is None


def test_an_order_gets_a_pay_code_that_its_page_and_its_agent_show(
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    change_store: Callable[..., None],
) -> None:
    change_store("ama", momo_name="Ama Mensah")
    code = store.order(bundle())
    order = row(code)
    assert order.pay_code is not None and pay_codes.read(order.pay_code)
    page = plain(store.get(f"/orders/{code}").text)
    assert f"{order.pay_code[:3]} {order.pay_code[3:]}" in page
    assert f'data-copy="{order.pay_code}"' in page and "Ama Mensah" in page


def test_a_taken_pay_code_is_not_given_again(
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All that are tried are taken: the order goes without, and its own code is the reference."""
    monkeypatch.setattr(pay_codes, "new", lambda: "000000")
    first, second = store.order(bundle()), store.order(bundle(), OTHER_NUMBER)
    assert row(first).pay_code == "000000" and row(second).pay_code is None
    assert orders_shown_code(second) in store.get(f"/orders/{second}").text


def orders_shown_code(code: str) -> str:
    return f"{code[:4]}-{code[4:8]}-{code[8:]}"


def test_two_stores_may_use_one_pay_code(
    shop: Callable[[str], Shop],
    bundle: Callable[..., int],
    row: Callable[..., Order],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pay_codes, "new", lambda: "000000")
    ours = shop("ama").order(bundle())
    theirs = shop("kofi").order(bundle(slug="kofi"))
    assert row(ours).pay_code == row(theirs, "kofi").pay_code == "000000"


def test_old_pay_codes_are_taken_back(
    app: Flask, store: Shop, bundle: Callable[..., int], row: Callable[..., Order]
) -> None:
    old, young = store.order(bundle()), store.order(bundle(), OTHER_NUMBER)
    long_ago = clock.now() - pay_codes.KEPT - timedelta(minutes=1)
    set_order(app, "ama", old, created_at=long_ago)
    with app.app_context(), tenancy.across_stores():
        assert pay_codes.free_old() == 1
    assert row(old).pay_code is None and row(young).pay_code is not None


# ------------------------------------------------------------------ "I have paid"


def test_a_told_payment_moves_nothing_and_shows_to_both(
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    in_store: Callable[..., Any],
) -> None:
    code = store.order(bundle())
    assert "I have paid" in store.get(f"/orders/{code}").text
    answer = tell(store, code, payer="0551234567", transaction="12345678901")
    assert answer.status_code == 303 and answer.location.endswith(f"/orders/{code}")
    order = row(code)
    assert order.state == "pending" and order.told_payer == "055 123 4567"
    page = plain(store.get(f"/orders/{code}").text)
    assert "You told Ama&#39;s Data at" in page and "I have paid" not in page
    parse_clean(page)
    words = in_store("ama", lambda: orders.agent_words(order)).sentence
    assert "055 123 4567" in words and "12345678901" in words
    assert in_store("ama", orders.tab_counts)["paid"] == 1
    events = in_store("ama", lambda: orders.timeline(order))
    assert events[-1].text.startswith("The customer says they have paid at ")
    assert "055" not in events[-1].text, "a timeline is never forgotten"


def test_the_same_told_twice_is_told_once(
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    in_store: Callable[..., Any],
) -> None:
    code = store.order(bundle())
    payment = telling.Payment(clock.now(), "Kwame")
    for _ in range(3):
        in_store("ama", lambda: telling.tell(code, payment))
    order = row(code)
    events = in_store("ama", lambda: orders.timeline(order))
    told = [event for event in events if event.kind == "told"]
    assert len(told) == 1


def test_two_presses_without_a_time_are_told_once(
    store: Shop, bundle: Callable[..., int], in_store: Callable[..., Any], row: Any
) -> None:
    """No time means now, and now is a minute, as for one who types it."""
    code = store.order(bundle())
    moment = moment_of("")
    assert moment is not None and (moment.second, moment.microsecond) == (0, 0)
    form = fields(store.get(f"/orders/{code}/paid").text)
    for _ in range(2):
        store.post(f"/orders/{code}/paid", {**form, "time": "", "payer": "Kwame"})
    order = row(code)
    if clock.now() - order.told_paid_at < timedelta(minutes=1):
        events = in_store("ama", lambda: orders.timeline(order))
        assert [event.kind for event in events].count("told") == 1


def test_one_who_tells_again_and_again_is_sent_to_the_store(
    store: Shop, bundle: Callable[..., int], in_store: Callable[..., Any]
) -> None:
    code = store.order(bundle())
    say = lambda who: in_store(
        "ama", lambda: telling.tell(code, telling.Payment(clock.now(), who))
    )
    for at in range(telling.MOST_TOLD):
        say(f"Kwame {at}")
    with pytest.raises(orders.OrderRefused, match="several times"):
        say("Kwame again")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"time": "25:99"}, "like 10:04"),
        ({"time": "soon"}, "like 10:04"),
        ({"time": "9"}, "like 10:04"),
        ({"time": "13pm"}, "like 10:04"),
        ({"payer": ""}, "from which number"),
        ({"transaction": "12 34"}, "letters and digits"),
        ({"transaction": "<script>"}, "letters and digits"),
    ],
)
def test_what_cannot_be_read_is_asked_for_again_and_kept(
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    typed: dict[str, str],
    says: str,
) -> None:
    code = store.order(bundle())
    answer = tell(store, code, **{"payer": "Kwame Ofori", **typed})
    assert answer.status_code == 422 and says in answer.text
    parse_clean(answer.text)
    for value in (typed.get("payer", "Kwame Ofori"), typed.get("time", "10:04")):
        assert f'value="{value}"' in answer.text
    assert row(code).told_at is None


@pytest.mark.parametrize(
    ("typed", "hour", "minute"),
    [
        ("10:04", 10, 4),
        ("1004", 10, 4),
        ("9.30", 9, 30),
        ("9:30 pm", 21, 30),
        ("12:05am", 0, 5),
        ("9pm", 21, 0),
        ("12 a.m.", 0, 0),
    ],
)
def test_a_time_is_read_as_people_write_it(typed: str, hour: int, minute: int) -> None:
    moment = moment_of(typed)
    assert moment is not None
    local = moment.astimezone(clock.ACCRA)
    assert (local.hour, local.minute) == (hour, minute)
    assert moment <= clock.now() + timedelta(minutes=10)
    assert moment > clock.now() - timedelta(days=1)


@given(st.text(max_size=12))
def test_no_text_breaks_the_reader_of_times(typed: str) -> None:
    moment = moment_of(typed)
    assert moment is None or isinstance(moment, datetime)


def test_the_store_did_not_find_it_and_the_customer_tells_it_once_more(
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    in_store: Callable[..., Any],
) -> None:
    code = store.order(bundle())
    tell(store, code)
    in_store("ama", lambda: telling.note_not_found(code, AGENT))
    page = store.get(f"/orders/{code}").text
    assert "did not find your payment" in page and "Tell it once more" in page
    tell(store, code)
    assert (
        "did not find"
        not in store.get(f"/orders/{code}").text.partition("What has happened")[0]
    )
    assert not telling.is_not_found(row(code))


def test_a_told_order_does_not_expire_and_one_that_is_cancelled_owes(
    app: Flask,
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    in_store: Callable[..., Any],
) -> None:
    told, silent = store.order(bundle()), store.order(bundle(), OTHER_NUMBER)
    tell(store, told)
    for code in (told, silent):
        old = clock.now() - timedelta(days=2)
        set_order(app, "ama", code, created_at=old, pending_since=old)
    with app.app_context(), tenancy.across_stores():
        orders.expire_pending()
    assert (row(told).state, row(silent).state) == ("pending", "expired")
    in_store("ama", lambda: orders.cancel(told, AGENT))
    assert row(told).owes_back and not row(silent).owes_back
    page = plain(store.get(f"/orders/{told}").text)
    assert "Nothing was sent. If your" in page
    assert "gives your money back" not in page, "nobody has seen that money"
    assert in_store("ama", orders.tab_counts)["back"] == 1


def test_who_has_told_is_not_asked_to_pay_again_unless_nothing_was_found(
    store: Shop, bundle: Callable[..., int], in_store: Callable[..., Any]
) -> None:
    code, folded = store.order(bundle()), "<summary>How to pay</summary>"
    assert folded not in store.get(f"/orders/{code}").text
    tell(store, code)
    page = store.get(f"/orders/{code}").text
    assert folded in page and "You pay" in page.partition(folded)[2]
    in_store("ama", lambda: telling.note_not_found(code, AGENT))
    assert folded not in store.get(f"/orders/{code}").text


def test_whoever_is_to_message_the_store_has_the_button_with_the_code(
    store: Shop,
    bundle: Callable[..., int],
    change_store: Callable[..., None],
    in_store: Callable[..., Any],
) -> None:
    change_store("ama", whatsapp="+233240000002")
    code, button = store.order(bundle()), "Message Ama"
    assert button not in store.get(f"/orders/{code}").text
    tell(store, code)
    assert button in store.get(f"/orders/{code}").text
    in_store("ama", lambda: orders.cancel(code, AGENT))
    page = store.get(f"/orders/{code}").text
    assert "gives it back" in page and button in page


def test_what_may_be_told_only_by_its_device(
    shop: Callable[[str], Shop], bundle: Callable[..., int], row: Callable[..., Order]
) -> None:
    """Another phone, another store, and a form whose token is not this browser's."""
    ours, stranger = shop("ama"), shop("ama")
    code = ours.order(bundle())
    for path in ("paid", "not-received"):
        assert stranger.get(f"/orders/{code}/{path}").status_code == 403
        assert shop("kofi").get(f"/orders/{code}/{path}").status_code == 404
        assert ours.post(f"/orders/{code}/{path}", {"payer": "x"}).status_code == 400
    other = stranger.order(bundle(), OTHER_NUMBER)
    token = fields(stranger.get(f"/orders/{other}/paid").text)
    assert (
        stranger.post(f"/orders/{code}/paid", {**token, "payer": "x"}).status_code
        == 403
    )
    assert row(code).told_at is None


def test_a_store_that_usually_answers_soon_says_so(
    app: Flask,
    store: Shop,
    shop: Callable[[str], Shop],
    bundle: Callable[..., int],
) -> None:
    said = "usually answers within"
    now = clock.now()
    others = [shop("ama").order(bundle(), f"024 123 45{at:02}") for at in range(5)]
    codes = [store.order(bundle()), *others]
    for at, code in enumerate(codes[1:]):
        told = now - timedelta(hours=1)
        queued = told + timedelta(minutes=10 + at)
        set_order(
            app, "ama", code, state="completed", told_at=told, told_first_at=told,
            queued_at=queued, completed_at=queued, final_at=queued,
        )  # fmt: skip
        if at == 3:
            tell(store, codes[0])
            assert said not in store.get(f"/orders/{codes[0]}").text, "four are too few"
    assert f"{said} 12 min" in store.get(f"/orders/{codes[0]}").text
    set_order(app, "ama", codes[0], told_at=now - timedelta(minutes=30))
    assert "It takes longer than usual" in store.get(f"/orders/{codes[0]}").text


# ------------------------------------------------------------------ "it has not come"


def delivered(app: Flask, store: Shop, bundle_id: int, ago: timedelta) -> str:
    code = store.order(bundle_id)
    done = clock.now() - ago
    set_order(
        app,
        "ama",
        code,
        state="completed",
        queued_at=done,
        completed_at=done,
        final_at=done,
    )
    return code


def test_it_opens_a_while_after_the_delivery_and_closes_after_days(
    app: Flask, store: Shop, bundle: Callable[..., int]
) -> None:
    code = delivered(app, store, bundle(), timedelta(minutes=5))
    page = store.get(f"/orders/{code}").text
    assert "The data has not come" not in page and "on you can say so here" in page
    for ago, offered in ((timedelta(minutes=16), True), (timedelta(days=8), False)):
        done = clock.now() - ago
        set_order(app, "ama", code, completed_at=done, final_at=done)
        assert ("The data has not come" in store.get(f"/orders/{code}").text) is offered


def test_a_report_is_answered_and_the_customer_reads_it(
    app: Flask,
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    in_store: Callable[..., Any],
) -> None:
    code = delivered(app, store, bundle(), timedelta(hours=1))
    answer = report(store, code, words="No message came", contact="050 111 2222")
    assert answer.status_code == 303
    order = row(code)
    assert order.missing_since is not None and order.state == "completed"
    assert "it has not come" in store.get(f"/orders/{code}").text
    assert in_store("ama", orders.tab_counts)["missing"] == 1
    report(store, code)
    one = in_store("ama", lambda: not_received.last_of(order))
    assert (one.words, one.contact) == ("No message came", "050 111 2222")
    in_store("ama", lambda: not_received.answer(code, "asked", "More by 14:00", AGENT))
    page = store.get(f"/orders/{code}").text
    assert "The store answered: the supplier has been asked." in page
    assert "More by 14:00" in page
    assert in_store("ama", orders.tab_counts)["missing"] == 0
    assert in_store("ama", lambda: not_received.reported(order.store_id)) == 1


def test_a_report_needs_the_balance_and_keeps_what_was_typed(
    app: Flask, store: Shop, bundle: Callable[..., int], row: Callable[..., Order]
) -> None:
    code = delivered(app, store, bundle(), timedelta(hours=1))
    answer = report(store, code, balance="lots", words="No <b>message</b>")
    assert answer.status_code == 422 and "Choose what the balance" in answer.text
    assert "No &lt;b&gt;message&lt;/b&gt;" in answer.text
    parse_clean(answer.text)
    assert row(code).missing_since is None


def test_what_was_never_sent_cannot_be_missing(
    store: Shop, bundle: Callable[..., int], in_store: Callable[..., Any]
) -> None:
    code = store.order(bundle())
    assert store.get(f"/orders/{code}/not-received").status_code == 303
    with pytest.raises(orders.OrderRefused, match="Nothing has been sent"):
        in_store("ama", lambda: not_received.report(code, "none", "", ""))


# ------------------------------------------------------------------ nobody answers


@pytest.mark.parametrize("kind", ["told_unanswered", "not_received"])
def test_a_day_without_an_answer_makes_a_case_of_the_owner_once(
    app: Flask,
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    in_store: Callable[..., Any],
    kind: str,
) -> None:
    if kind == "not_received":
        code = delivered(app, store, bundle(), timedelta(hours=1))
        report(store, code)
    else:
        code = store.order(bundle())
        tell(store, code)
    since = "missing_since" if kind == "not_received" else "told_at"
    for hours, open_cases in ((23, 0), (25, 1), (26, 1)):
        set_order(app, "ama", code, **{since: clock.now() - timedelta(hours=hours)})
        with app.app_context(), tenancy.across_stores():
            orders.ask_owner()
            found = cases.open_of_kind(kind)
            assert len(found) == open_cases
            for case in found:
                facts = facts_in_words(case.evidence[0])
                assert [fact.name for fact in facts if fact.moment] == [
                    "The customer waits since"
                ]
            db.session.remove()
    order = row(code)
    assert order.owner_asked_at is not None
    lines = in_store("ama", lambda: orders.timeline(order))
    assert [line.kind for line in lines].count("owner_asked") == 1
    words = in_store("ama", lambda: orders.person_words(order))
    assert "yours to answer" in words and "set aside" not in words
    assert "Makola was asked" in store.get(f"/orders/{code}").text


def test_one_that_was_looked_for_goes_to_the_owner_after_two_days(
    app: Flask, store: Shop, bundle: Callable[..., int], in_store: Callable[..., Any]
) -> None:
    code = store.order(bundle())
    tell(store, code)
    in_store("ama", lambda: telling.note_not_found(code, AGENT))
    for hours, asked in ((30, 0), (49, 1)):
        ago = clock.now() - timedelta(hours=hours)
        set_order(app, "ama", code, told_at=ago, told_first_at=ago)
        with app.app_context(), tenancy.across_stores():
            assert orders.ask_owner() == asked
            db.session.remove()
    lines = in_store("ama", lambda: orders.timeline(orders.by_code(code)))
    last = lines[-1]
    assert last.kind == "owner_asked" and "not answered" not in last.text
    assert "not answered" not in (last.customer_text or ""), "the store looked"


def test_the_owner_is_not_asked_anew_before_the_store_had_a_day_to_look(
    app: Flask, store: Shop, bundle: Callable[..., int], in_store: Callable[..., Any]
) -> None:
    """Pending for two days and asked about: said anew, it is the store's turn again."""
    code = store.order(bundle())
    tell(store, code)
    ago = clock.now() - timedelta(hours=49)
    set_order(app, "ama", code, told_at=ago, told_first_at=ago)
    for hours, asked in ((0, 1), (0, 0), (25, 1)):
        if asked == 0:
            in_store("ama", lambda: telling.note_not_found(code, AGENT))
            assert tell(store, code, payer="Akosua").status_code == 303
        elif hours:
            since = clock.now() - timedelta(hours=hours)
            set_order(app, "ama", code, told_at=since)
        with app.app_context(), tenancy.across_stores():
            assert orders.ask_owner() == asked, hours
            db.session.remove()


@pytest.mark.parametrize(
    ("first_h", "last_h", "asked_in_h"),
    [(2, 2, 22), (47, 1, 1), (72, 1, 23)],
    ids=["told once", "told anew before the two days", "told anew after them"],
)
def test_the_page_says_when_the_owner_is_asked(
    app: Flask,
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    later: Callable[[timedelta], None],
    first_h: int,
    last_h: int,
    asked_in_h: int,
) -> None:
    """And then he is: not a minute before."""
    code = store.order(bundle())
    tell(store, code)
    now = clock.now()
    first, last = (now - timedelta(hours=hours) for hours in (first_h, last_h))
    set_order(app, "ama", code, told_first_at=first, told_at=last)
    until = now + timedelta(hours=asked_in_h)
    page = store.get(f"/orders/{code}").text
    assert f"If there is no answer by {clock.shown(until)}, Makola is asked." in page
    for moves_on, asked in (
        (timedelta(hours=asked_in_h, minutes=-1), 0),
        (timedelta(hours=asked_in_h, minutes=1), 1),
    ):
        later(moves_on)
        with app.app_context(), tenancy.across_stores():
            assert orders.ask_owner() == asked
            db.session.remove()
    assert "If there is no answer" not in store.get(f"/orders/{code}").text


def test_whom_to_ask_about_is_found_by_what_is_open(app: Flask) -> None:
    """Asked each round of the relay: never by a walk through all orders, whatever plan is kept."""
    with app.app_context(), tenancy.across_stores():
        connection = db.session.connection()
        for walk in (
            "seqscan",
            "indexscan",
        ):  # of the whole table, as dear as in a large one
            connection.exec_driver_sql(f"SET LOCAL enable_{walk} = off")
        statement = str(unanswered.left_alone().compile(dialect=connection.dialect))
        raw = connection.connection.driver_connection
        assert raw is not None
        used, _ = plans.walked(plans.for_any_values(raw, statement))
        db.session.remove()
    # either of the two, of what is told or of that and what is matched, is of open orders alone
    assert used - {"ix_orders_paid"} <= {"ix_orders_told", "ix_orders_missing"}
    assert len(used) == 2


# ------------------------------------------------------------------ tracking by number


def find(store: Shop, number: str, pay_code: str = "") -> Any:
    page = store.get("/track/number")
    form = {"number": number, "pay_code": pay_code}
    return store.post("/track/number", {**fields(page.text), **form})


def masked(html: str) -> str:
    """Without what was typed and the token."""
    return re.sub(r'value="[^"]*"', "", html)


def test_a_number_shows_orders_only_with_proof(
    shop: Callable[[str], Shop], bundle: Callable[..., int], row: Callable[..., Order]
) -> None:
    ours, stranger = shop("ama"), shop("ama")
    code = ours.order(bundle())
    pay_code = row(code).pay_code or ""
    link = f'href="/orders/{code}"'
    assert link in find(ours, NUMBER).text
    assert link in find(stranger, NUMBER, pay_code).text
    assert link not in find(stranger, OTHER_NUMBER, pay_code).text
    assert link not in find(ours, OTHER_NUMBER).text
    assert link not in find(shop("kofi"), NUMBER, pay_code).text
    known, unknown = find(stranger, NUMBER), find(stranger, "020 999 8888")
    assert known.status_code == unknown.status_code == 200
    assert masked(known.text) == masked(unknown.text)


def test_a_number_is_not_guessed_at(
    shop: Callable[[str], Shop], bundle: Callable[..., int], row: Callable[..., Order]
) -> None:
    """Five wrong pay codes for one number, from wherever, and the sixth is not looked at, even if
    it is right; another number still is."""
    code = shop("ama").order(bundle())
    guesser = shop("ama")
    for _ in range(5):
        wrong = next(c for c in iter(pay_codes.new, "") if c != row(code).pay_code)
        assert find(guesser, NUMBER, wrong).status_code == 200
    over = find(guesser, "+233 24 123 4567", row(code).pay_code or "")
    assert over.status_code == 429 and code not in over.text
    assert over.headers["Retry-After"] == "3600"
    assert find(guesser, OTHER_NUMBER, pay_codes.new()).status_code == 200


def test_who_guesses_at_one_number_after_the_other_is_stopped(
    shop: Callable[[str], Shop], bundle: Callable[..., int], row: Callable[..., Order]
) -> None:
    """Twenty an hour for an address, right ones alike; who shares it and types a number alone is
    neither counted nor refused."""
    code = shop("ama").order(bundle())
    guesser = shop("ama")
    for last in range(20):
        assert find(guesser, f"020 765 43{last:02}").status_code == 200
        wrong = next(c for c in iter(pay_codes.new, "") if c != row(code).pay_code)
        assert find(guesser, f"020 765 43{last:02}", wrong).status_code == 200
    over = find(guesser, NUMBER, row(code).pay_code or "")
    assert over.status_code == 429 and code not in over.text
    assert find(guesser, NUMBER).status_code == 200


def test_no_number_stands_where_tries_are_counted(app: Flask, store: Shop) -> None:
    find(store, NUMBER, pay_codes.new())
    counted = [key.decode() for key in app.extensions["redis"].scan_iter()]
    assert any("numbers_of_one" in key for key in counted)
    assert not [key for key in counted if "241234567" in key]


def test_who_ordered_finds_it_however_much_others_guess(
    shop: Callable[[str], Shop], bundle: Callable[..., int], row: Callable[..., Order]
) -> None:
    """The device is proof enough: a stranger's tries must not shut out who ordered. A pay code is
    not looked at any more."""
    ours, guesser = shop("ama"), shop("ama")
    code = ours.order(bundle())
    theirs = row(guesser.order(bundle(), OTHER_NUMBER)).pay_code or ""
    wrong = next(
        c for c in iter(pay_codes.new, "") if c not in (row(code).pay_code, theirs)
    )
    for _ in range(5):
        find(guesser, NUMBER, wrong)
    answer = find(ours, NUMBER)
    assert answer.status_code == 200 and f'href="/orders/{code}"' in answer.text
    over = find(guesser, NUMBER, row(code).pay_code or "")
    assert over.status_code == 429 and "for this number" in over.text


@pytest.mark.parametrize(
    ("number", "pay_code", "says"),
    [("024", "", "digits"), (NUMBER, "123", "six digits"), ("", "", "number")],
)
def test_a_number_that_cannot_be_read_is_asked_for_again(
    store: Shop, number: str, pay_code: str, says: str
) -> None:
    answer = find(store, number, pay_code)
    assert answer.status_code == 422 and says in answer.text
    parse_clean(answer.text)


def test_every_new_page_is_clean_and_small(
    app: Flask, store: Shop, bundle: Callable[..., int]
) -> None:
    code = delivered(app, store, bundle(), timedelta(hours=1))
    waiting = store.order(bundle(), OTHER_NUMBER)
    for path in (
        "/track/number",
        f"/orders/{waiting}/paid",
        f"/orders/{code}/not-received",
    ):
        answer = store.get(path, headers={"Accept-Encoding": "br"})
        assert answer.status_code == 200 and len(answer.data) <= 3_500, path
        parse_clean(store.get(path).text)


def test_forgetting_a_number_forgets_what_was_told(
    app: Flask,
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    in_store: Callable[..., Any],
) -> None:
    code = store.order(bundle())
    tell(store, code, payer="Kwame Ofori", transaction="QX998877")
    done = clock.now() - timedelta(hours=1)
    set_order(
        app, "ama", code, state="completed", queued_at=done, completed_at=done, final_at=done
    )  # fmt: skip
    report(store, code, words="Ring 055 123 4567", contact="055 123 4567")
    in_store("ama", lambda: not_received.answer(code, "came", "", AGENT))
    with app.app_context(), tenancy.across_stores():
        orders.forget_number("+233241234567", audit.SYSTEM)
        one = db.session.scalars(select(not_received.Report)).one()
        assert (one.words, one.contact) == ("", "")
        db.session.remove()
    order = row(code)
    assert (
        order.is_masked and order.told_payer is None and order.told_transaction is None
    )
    lines = in_store("ama", lambda: orders.timeline(order))
    assert [line.kind for line in lines].count("told") == 1
    left = " ".join(f"{line.text} {line.customer_text} {line.detail}" for line in lines)
    assert "Ofori" not in left and "998877" not in left and "055" not in left


def test_nothing_is_told_of_an_order_whose_number_is_forgotten(
    app: Flask,
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
) -> None:
    """It would never be forgotten: an order is masked once."""
    code = delivered(app, store, bundle(), timedelta(hours=1))
    form = fields(store.get(f"/orders/{code}/not-received").text)
    with app.app_context(), tenancy.across_stores():
        orders.forget_number("+233241234567", audit.SYSTEM)
        db.session.remove()
    assert store.get(f"/orders/{code}/not-received").status_code == 303
    assert "/not-received" not in store.get(f"/orders/{code}").text
    said = {**form, "balance": "none", "words": "", "contact": "055 123 4567"}
    store.post(f"/orders/{code}/not-received", said)
    assert "has been forgotten" in store.get(f"/orders/{code}").text
    with app.app_context(), tenancy.across_stores():
        assert not db.session.scalars(select(not_received.Report)).all()
        db.session.remove()
    assert row(code).missing_since is None


def test_an_order_is_found_by_its_pay_code(
    store: Shop,
    bundle: Callable[..., int],
    row: Callable[..., Order],
    in_store: Callable[..., Any],
) -> None:
    code = store.order(bundle())
    pay_code = row(code).pay_code or ""
    for typed in (pay_code, f"{pay_code[:3]} {pay_code[3:]}"):
        found = in_store("ama", lambda typed=typed: orders.find_any(typed, 10))
        assert code in [order.code for order in found]
    assert code not in [
        order.code for order in in_store("kofi", lambda: orders.find_any(pay_code, 10))
    ]
