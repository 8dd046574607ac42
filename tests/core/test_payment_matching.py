"""Payment messages find their orders: once, by code and amount, and otherwise by a person's word."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import func, select, update

from core import audit, orders, payments, pruning
from core.audit import Actor
from core.base import clock, config, phones, tenancy
from core.base.db import db
from core.orders import Order, telling
from core.payments import NotMatched, PaymentMessage
from tests.support.messages import Inbox, received, telecel

AMA, KOFI = Actor("agent", "Ama"), Actor("agent", "Kofi")
OWN = "024 000 0000"
DAY_S = 86_400
InStore = Callable[[str, Callable[[], Any]], Any]

pytestmark = pytest.mark.slow(seconds=0.1)


@pytest.fixture
def ours(as_store: InStore) -> Callable[[Callable[[], Any]], Any]:
    """Do something as a page of ama's does: by the stores' role."""
    return lambda deed: as_store("ama", deed)


@pytest.fixture
def paste(ours: Any) -> Callable[..., payments.Outcome]:
    def paste_(*texts: str, to: str = OWN, actor: Actor = AMA) -> payments.Outcome:
        found: payments.Outcome = ours(
            lambda: payments.paste("\n".join(texts), to, actor)
        )
        return found

    return paste_


@pytest.fixture
def inbox(paste: Any) -> Inbox:
    """One whose balance is known from two messages of before."""
    box = Inbox()
    paste(box.went(100), box.went(200))
    return box


@pytest.fixture
def order(ours: Any, place: Callable[..., Order]) -> Callable[..., Order]:
    return lambda *args, **wish: ours(lambda: place(*args, **wish))  # type: ignore[no-any-return]


def again(ours: Any, one: Order) -> Order:
    found: Order = ours(lambda: orders.by_code(one.code))
    return found


def messages(ours: Any) -> list[PaymentMessage]:
    query = (
        select(PaymentMessage).where(PaymentMessage.is_in).order_by(PaymentMessage.id)
    )
    return ours(lambda: list(db.session.scalars(query)))  # type: ignore[no-any-return]


def only(ours: Any) -> payments.Undecided:
    (one,) = ours(payments.undecided)
    return one  # type: ignore[no-any-return]


def test_code_and_amount_match_and_nothing_moves(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    one, other = order(), order()
    before = ours(lambda: orders.going_pesewas())
    outcome = paste(inbox.came(one.price_pesewas, one.pay_code))
    assert (outcome.new, outcome.seen, outcome.matched) == (1, 0, 1)
    after = again(ours, one)
    assert after.state == "pending" and after.confirmed_at is not None
    assert ours(lambda: orders.going_pesewas()) == before
    assert again(ours, other).confirmed_at is None
    (paid,) = ours(lambda: payments.matched(10))
    assert (paid.order.id, paid.doubts) == (one.id, ())
    kinds = [line.kind for line in ours(lambda: orders.timeline(after))]
    assert kinds.count("matched") == 1


def test_a_code_is_read_however_it_was_typed(
    paste: Any, inbox: Inbox, order: Any
) -> None:
    for typed in ("{0}", "data {0} pls", "{1} {2}", "{1}-{2}", "code:{0}"):
        one = order()
        code = one.pay_code
        reference = typed.format(code, code[:3], code[3:])
        assert paste(inbox.came(one.price_pesewas, reference)).matched == 1, typed
    one = order()
    assert paste(inbox.came(one.price_pesewas, one.shown_code)).matched == 1


def test_pasted_again_it_is_known(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    one = order()
    text = inbox.came(one.price_pesewas, one.pay_code)
    assert paste(text, text).new == 1
    for _ in range(2):
        outcome = paste(text, actor=KOFI)
        assert (outcome.new, outcome.seen, outcome.matched) == (0, 1, 0)
    assert len(messages(ours)) == 1


def test_two_people_who_paste_the_same_at_once_match_it_once(
    app: Flask, inbox: Inbox, order: Any, as_store: InStore, ours: Any
) -> None:
    placed = [order() for _ in range(12)]
    texts = [inbox.came(one.price_pesewas, one.pay_code) for one in placed]
    barrier, outcomes = threading.Barrier(2), []

    def run(actor: Actor, mine: list[str]) -> None:
        barrier.wait(10)
        deed = lambda: payments.paste("\n".join(mine), OWN, actor)
        outcomes.append(as_store("ama", deed))

    threads = [
        threading.Thread(target=run, args=pair)
        for pair in ((AMA, texts), (KOFI, texts[::-1]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (
        sum(one.new for one in outcomes) == sum(one.matched for one in outcomes) == 12
    )
    for one in placed:
        kinds = [line.kind for line in ours(lambda one=one: orders.timeline(one))]
        assert kinds.count("matched") == 1


def test_over_under_and_double_are_said_and_kept(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    over, under, double = order(), order(), order()
    paste(
        inbox.came(over.price_pesewas + 100, over.pay_code),
        inbox.came(under.price_pesewas - 100, under.pay_code),
        inbox.came(double.price_pesewas, double.pay_code),
        inbox.came(double.price_pesewas, double.pay_code),
    )
    said = {one.named.words.partition(":")[0] for one in ours(payments.undecided)}
    assert said == {"Over", "Under", "Double"}
    assert again(ours, over).confirmed_at is None
    assert again(ours, under).confirmed_at is None
    (paid,) = ours(lambda: payments.matched(10))
    assert paid.order.id == double.id
    which = next(
        one for one in ours(payments.undecided) if one.named.words.startswith("Under")
    )
    ours(lambda: payments.accept(which.message.id, under.code, AMA))
    doubted = next(
        one for one in ours(lambda: payments.matched(10)) if one.order.id == under.id
    )
    assert "less came" in doubted.doubts[0] and not doubted.is_sure


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("break", "must have been there"),
        ("fork", "does not fit"),
        ("chat", "copied out of a chat"),
        ("number", "looks like a number of MTN"),
        ("old", "It is old"),
        ("to come", "still to come"),
    ],
)
def test_what_speaks_against_a_message_is_said_and_it_is_not_matched(
    paste: Any, inbox: Inbox, order: Any, ours: Any, what: str, sentence: str
) -> None:
    one = order()
    price, code = one.price_pesewas, one.pay_code
    accra = clock.now().astimezone(clock.ACCRA)
    day = lambda days: f"{accra + timedelta(days=days):%Y-%m-%d at %H:%M:%S}"
    texts = {
        "break": [received(price, 999_000, code)],
        "fork": [
            received(price, inbox.balance + price, code),
            received(700, inbox.balance + 700),
        ],
        "chat": ["[10:04, 30/11/2026] Efua: " + inbox.came(price, code)],
        "number": [telecel(price, 50_000, day(0), code), telecel(1, 50_001, day(0))],
        "old": [telecel(price, 50_000, day(-2), code), telecel(1, 50_001, day(0))],
        "to come": [telecel(price, 50_000, day(1), code), telecel(1, 50_001, day(0))],
    }[what]
    to = OWN if what in ("break", "fork", "chat", "number") else "050 000 0000"
    assert paste(*texts, to=to).matched == 0
    assert again(ours, one).confirmed_at is None
    found = next(found for found in ours(payments.undecided) if found.named)
    assert any(sentence in doubt for doubt in found.doubts), found.doubts


@pytest.mark.parametrize("way", ["there and back", "fee", "a longer way"])
def test_what_is_made_up_around_a_known_balance_is_not_matched(
    paste: Any, inbox: Inbox, order: Any, ours: Any, way: str
) -> None:
    known, one = order(), order()
    assert paste(inbox.came(known.price_pesewas, known.pay_code)).matched == 1
    paste(inbox.went(300), inbox.came(700))
    price, made_up = one.price_pesewas, Inbox(inbox.balance - 700)
    if way == "fee":
        text = received(price, made_up.balance, one.pay_code)
        fee = f"FEE: {price // 100}.{price % 100:02}"
        texts = [text.replace("FEE: 0.00", fee)]
    else:
        texts = [made_up.went(5)] if way == "a longer way" else []
        texts += [made_up.came(price, one.pay_code)]
        texts += [made_up.went(price - 5 if len(texts) == 2 else price)]
    assert paste(*texts).matched == 0
    assert again(ours, one).confirmed_at is None
    assert len(ours(lambda: payments.matched(10))) == 1


def test_a_transaction_of_another_number_of_the_store_is_doubted(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    first, second = order(), order()
    text = inbox.came(first.price_pesewas, first.pay_code)
    assert paste(text).matched == 1
    box = Inbox()
    again_ = text.replace(str(first.pay_code), str(second.pay_code))
    assert paste(box.went(1), again_, to="054 000 0000").matched == 0
    assert any("another number" in doubt for doubt in only(ours).doubts)


@pytest.mark.parametrize("first", ["forged", "true"])
@pytest.mark.parametrize("differs", ["amount", "balance"])
def test_a_transaction_that_says_two_things_is_doubted_both_times(
    paste: Any, inbox: Inbox, order: Any, ours: Any, first: str, differs: str
) -> None:
    one = order()
    price, id_ = one.price_pesewas, 87_100_000_001
    true = received(price, inbox.balance + price, str(one.pay_code), transaction=id_)
    forged = {
        "amount": received(
            price + 100, inbox.balance + price, str(one.pay_code), transaction=id_
        ),
        "balance": received(price, 999_000, str(one.pay_code), transaction=id_),
    }[differs]
    texts = [forged, true] if first == "forged" else [true, forged]
    outcome = paste(*texts)
    assert (outcome.new, outcome.seen, outcome.matched) == (2, 0, 0)
    both = ours(payments.undecided)
    assert len(both) == 2 and again(ours, one).confirmed_at is None
    for found in both:
        assert any("another amount or balance" in doubt for doubt in found.doubts)
    assert (paste(*texts).seen, len(messages(ours))) == (2, 2)


def test_what_was_matched_is_doubted_once_its_transaction_says_something_else(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    one = order()
    text = inbox.came(one.price_pesewas, one.pay_code)
    assert paste(text).matched == 1
    (paid,) = ours(lambda: payments.matched(10))
    assert paid.is_sure
    balance = f"{inbox.balance // 100}.{inbox.balance % 100:02}"
    assert paste(text.replace(f"GHS {balance}", "GHS 777.77")).new == 1
    (paid,) = ours(lambda: payments.matched(10))
    assert not paid.is_sure and "another amount" in " ".join(paid.doubts)


def test_one_transaction_pays_one_order_whatever_its_messages_say(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    one, other = order(), order()
    paste(
        received(700, inbox.balance + 700, transaction=87_200_000_001),
        received(800, inbox.balance + 800, transaction=87_200_000_001),
    )
    first, second = messages(ours)
    ours(lambda: payments.accept(first.id, one.code, AMA))
    for code in (one.code, other.code):
        with pytest.raises(NotMatched, match="same transaction pays an order"):
            ours(lambda code=code: payments.accept(second.id, code, AMA))
    ours(lambda: payments.take_back(first.id, AMA))
    ours(lambda: payments.accept(second.id, other.code, AMA))
    with pytest.raises(Exception, match="pays_once"):
        tables_owner.execute(
            update(PaymentMessage)
            .where(PaymentMessage.id == first.id)
            .values(order_id=one.id)
        )


def test_the_first_messages_of_a_number_prove_each_other(
    paste: Any, order: Any, ours: Any
) -> None:
    one, other = order(), order()
    box = Inbox()
    assert paste(box.came(one.price_pesewas, one.pay_code)).matched == 0
    assert "no other message" in only(ours).doubts[0]
    assert paste(box.came(other.price_pesewas, other.pay_code)).matched == 2


def test_a_persons_word_about_one_proves_those_that_follow(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    """Money went out meanwhile, and nobody pasted that."""
    known, *placed = [order() for _ in range(4)]
    paste(inbox.came(known.price_pesewas, known.pay_code))
    inbox.went(500)
    texts = [inbox.came(one.price_pesewas, one.pay_code) for one in placed]
    assert paste(*texts).matched == 0
    first = min(ours(payments.undecided), key=lambda one: one.message.id)
    ours(lambda: payments.accept(first.message.id, first.named.order.code, AMA))
    assert ours(payments.undecided) == []
    assert len(ours(lambda: payments.matched(10))) == 4


@pytest.mark.parametrize("by", ["transaction", "number", "name", "nothing"])
def test_without_a_code_it_is_suggested_by_payer_and_amount(
    paste: Any, inbox: Inbox, order: Any, ours: Any, by: str
) -> None:
    one, other = order(customer_name="Kwesi"), order(customer_name="Abena")
    text = received(
        one.price_pesewas,
        inbox.balance + one.price_pesewas,
        name={"number": "X (0551230000)", "name": "EFUA SAMPLE"}.get(by, "YAW"),
        transaction=87_000_000_001,
    )
    payment = telling.Payment(
        clock.now(),
        {"number": "055 123 0000", "name": "Efua"}.get(by, ""),
        "87000000001" if by == "transaction" else "",
    )
    ours(lambda: telling.tell(one.code, payment))
    assert paste(text).matched == 0
    found = only(ours)
    assert found.named is None
    assert [likely.order.id for likely in found.likely] == (
        [] if by == "nothing" else [one.id]
    )
    ours(lambda: payments.accept(found.message.id, str(one.pay_code), KOFI))
    assert again(ours, one).confirmed_at and again(ours, other).confirmed_at is None


def test_one_payment_never_pays_two_orders(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    one, other = order(), order()
    paste(inbox.came(one.price_pesewas, one.pay_code))
    (message,) = messages(ours)
    with pytest.raises(NotMatched, match="pays another order"):
        ours(lambda: payments.accept(message.id, other.code, AMA))
    ours(lambda: payments.accept(message.id, one.code, AMA))
    ours(lambda: orders.process(one.code, AMA))
    with pytest.raises(NotMatched, match="must not pay for two"):
        ours(lambda: payments.take_back(message.id, AMA))


def test_a_match_is_taken_back_while_nothing_was_processed(
    paste: Any, inbox: Inbox, order: Any, ours: Any, using: Any
) -> None:
    using(undo_s=5)
    one = order()
    paste(inbox.came(one.price_pesewas, one.pay_code))
    (message,) = messages(ours)
    ours(lambda: orders.process(one.code, AMA))
    with pytest.raises(NotMatched, match="undo that first"):
        ours(lambda: payments.take_back(message.id, AMA))
    ours(lambda: orders.undo(one.code, AMA))
    assert again(ours, one).confirmed_at is not None
    for _ in range(2):
        ours(lambda: payments.take_back(message.id, AMA))
    assert again(ours, one).confirmed_at is None
    assert only(ours).message.order_id is None


def test_put_away_it_is_for_no_order_until_that_is_taken_back(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    one = order()
    paste(inbox.came(700))
    message = only(ours).message
    for _ in range(2):
        ours(lambda: payments.put_away(message.id, AMA))
    assert ours(payments.undecided) == [] and ours(payments.open_count) == 0
    ours(lambda: payments.take_back(message.id, AMA))
    assert only(ours).message.id == message.id
    ours(lambda: payments.accept(message.id, one.code, AMA))
    with pytest.raises(NotMatched, match="take that back first"):
        ours(lambda: payments.put_away(message.id, AMA))


@pytest.mark.parametrize("typed", ["", "482 914", "no code", "K7QM-2XR9-4T"])
def test_a_code_that_is_none_changes_nothing(
    paste: Any, inbox: Inbox, ours: Any, typed: str
) -> None:
    paste(inbox.came(700))
    message = only(ours).message
    with pytest.raises((NotMatched, orders.NoSuchOrder)) as refused:
        ours(lambda: payments.accept(message.id, typed, AMA))
    assert len(refused.value.sentence) > 20
    assert only(ours).message.order_id is None


def test_money_that_went_out_pays_nothing(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    one = order()
    went = select(PaymentMessage.id).where(~PaymentMessage.is_in).limit(1)
    message_id = ours(lambda: db.session.scalar(went))
    with pytest.raises(NotMatched, match="went out"):
        ours(lambda: payments.accept(message_id, one.code, AMA))


def test_a_matched_order_does_not_expire(
    paste: Any, inbox: Inbox, order: Any, ours: Any, jump: Any, app: Flask
) -> None:
    one, other = order(), order()
    paste(inbox.came(one.price_pesewas, one.pay_code))
    jump(config.current().pending_expires_s + 60)
    with app.app_context(), tenancy.across_stores():
        assert orders.expire_pending() == 1
    assert again(ours, one).state == "pending"
    assert again(ours, other).state == "expired"


@pytest.mark.parametrize("when", ["before", "after"])
def test_matched_and_cancelled_the_customer_is_owed(
    paste: Any, inbox: Inbox, order: Any, ours: Any, when: str
) -> None:
    one = order()
    text = inbox.came(one.price_pesewas, one.pay_code)
    if when == "before":
        paste(text)
        ours(lambda: orders.cancel(one.code, AMA))
    else:
        ours(lambda: orders.cancel(one.code, AMA))
        assert not again(ours, one).owes_back
        assert paste(text).matched == 0
        found = only(ours)
        assert "Give back" in found.named.words
        ours(lambda: payments.accept(found.message.id, one.code, AMA))
    assert again(ours, one).owes_back
    assert ours(lambda: orders.tab_counts())["back"] == 1


def test_what_was_processed_by_hand_before_is_matched_and_stays(
    paste: Any, inbox: Inbox, order: Any, ours: Any
) -> None:
    """Else a second payment for it would look like the first."""
    one = order()
    ours(lambda: orders.release(one.code, AMA))
    assert paste(inbox.came(one.price_pesewas, one.pay_code)).matched == 1
    paste(inbox.came(one.price_pesewas, one.pay_code))
    assert only(ours).named.words.startswith("Double")


def test_each_store_has_its_own(
    paste: Any, inbox: Inbox, order: Any, as_store: InStore, ours: Any
) -> None:
    one = order()
    text = inbox.came(one.price_pesewas, one.pay_code)
    outcome = as_store("kofi", lambda: payments.paste(text, OWN, KOFI))
    assert (outcome.new, outcome.matched) == (1, 0)
    assert paste(text).matched == 1
    (message,) = messages(ours)
    theirs = as_store("kofi", payments.undecided)
    assert [one.message.id for one in theirs] != [message.id]
    with pytest.raises(payments.NoSuchMessage):
        as_store("kofi", lambda: payments.put_away(message.id, KOFI))
    with pytest.raises(orders.NoSuchOrder):
        as_store(
            "kofi",
            lambda: payments.accept(theirs[0].message.id, one.code, KOFI),
        )


def test_every_act_is_one_line_of_the_audit_and_names_nobody(
    paste: Any, inbox: Inbox, order: Any, ours: Any, app: Flask
) -> None:
    one = order()
    paste(
        inbox.came(one.price_pesewas, "nothing", name="YAW EXAMPLE (0551230000)"),
        "no message",
    )
    message = only(ours).message
    ours(lambda: payments.accept(message.id, one.code, AMA))
    ours(lambda: payments.take_back(message.id, AMA))
    ours(lambda: payments.put_away(message.id, AMA))
    ours(lambda: payments.take_back(message.id, AMA))
    with app.app_context():
        lines = audit.recent(20)[::-1]
    said = [line.action for line in lines if line.actor_name == "Ama"]
    assert said[-5:] == [
        "paste_messages", "match_message", "unmatch_message", "put_message_away",
        "take_message_out",
    ]  # fmt: skip
    told = " ".join(str(line.detail) for line in lines) + str(
        [line.text for line in ours(lambda: orders.timeline(one))]
    )
    assert "YAW" not in told and "0551230000" not in told and "551230000" not in told


def test_who_paid_is_forgotten_with_the_orders_number(
    paste: Any, inbox: Inbox, order: Any, ours: Any, app: Flask
) -> None:
    one = order()
    paste(
        inbox.came(one.price_pesewas, f"{one.pay_code} efua", name="YAW X (0551230000)")
    )
    ours(lambda: orders.cancel(one.code, AMA))
    with app.app_context(), tenancy.across_stores():
        orders.forget_number(one.recipient_msisdn, AMA)
    (message,) = messages(ours)
    assert (message.payer_name, message.payer_msisdn, message.reference) == ("", "", "")
    assert message.order_id == one.id and message.amount_pesewas
    assert again(ours, one).is_masked


def test_who_paid_for_no_order_is_forgotten_as_late(
    paste: Any, inbox: Inbox, ours: Any, jump: Any, app: Flask
) -> None:
    text = inbox.came(700, "for you", name="YAW X (0551230000)")
    paste(text)
    jump((config.current().retention_days - 1) * DAY_S)
    with app.app_context(), tenancy.across_stores():
        pruning.prune()
    assert messages(ours)[0].payer_name == "YAW X"
    jump(2 * DAY_S)
    with app.app_context(), tenancy.across_stores():
        pruning.prune()
    (message,) = messages(ours)
    assert (message.payer_name, message.payer_msisdn, message.reference) == ("", "", "")
    assert paste(text).new == 0


def test_a_number_that_is_none_reads_nothing(
    paste: Any, inbox: Inbox, ours: Any
) -> None:
    with pytest.raises(phones.BadNumber):
        paste(inbox.came(700), to="12")
    assert messages(ours) == []


def test_the_database_itself_keeps_a_transaction_from_being_kept_twice(
    paste: Any, inbox: Inbox, ours: Any
) -> None:
    paste(inbox.came(700), inbox.came(800))
    (one, other) = messages(ours)
    with pytest.raises(Exception, match="uq_payment_messages"):
        tables_owner.execute(
            update(PaymentMessage)
            .where(PaymentMessage.id == one.id)
            .values(
                transaction_id=other.transaction_id,
                amount_pesewas=other.amount_pesewas,
                balance_pesewas=other.balance_pesewas,
            )
        )
    count = select(func.count()).select_from(PaymentMessage)
    assert ours(lambda: db.session.scalar(count)) == 4
