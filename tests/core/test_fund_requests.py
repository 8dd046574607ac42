"""Requests for money: asked by agents, decided once by the owner, booked by one posting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from core import audit, fund_requests, ledger
from core.audit import Actor
from core.base import tenancy
from core.base.db import db
from core.fund_requests import Ask, BadRequest, FundRequest, NoSuchRequest, asking
from core.ledger import Posting
from core.proof import rules

AMA, OWNER = Actor("agent", "Ama"), Actor("owner", "Owner")
WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"
InStore = Callable[[str, Callable[[], Any]], Any]


@pytest.fixture
def ask(as_store: InStore) -> Callable[..., int]:
    """Ask as a page of a store does, and the id of the request."""

    def deed(amount: str = "500", reference: str = "MP12345", slug: str = "ama") -> int:
        one = Ask.parse(amount, reference)
        assert not one.problems
        as_store(slug, lambda: fund_requests.ask(one, AMA))
        return int(as_store(slug, lambda: fund_requests.newest()[0].id))

    return deed


@pytest.fixture
def console(app: Flask) -> Callable[[Callable[[], Any]], Any]:
    """Do something as a page of the console does."""

    def act(deed: Callable[[], Any]) -> Any:
        with app.app_context(), tenancy.across_stores():
            found = deed()
            db.session.remove()
            return found

    return act


def wallet(as_store: InStore, slug: str = "ama") -> int:
    return int(as_store(slug, ledger.wallet).available_pesewas)


def fundings() -> int:
    return len(tables_owner.read("SELECT id FROM postings WHERE kind = 'fund_wallet'"))


def acts(console: Any) -> list[str]:
    lines = console(lambda: audit.recent(20))
    return [line.action for line in lines if "fund" in line.action]


def at_once(app: Flask, *deeds: Callable[[], Any]) -> list[Any]:
    """Each in a thread and a context of its own, begun together; what came of each."""
    start, found = threading.Barrier(len(deeds)), list[Any]()

    def run(deed: Callable[[], Any]) -> None:
        with app.app_context(), tenancy.across_stores():
            start.wait(10)
            try:
                found.append(deed())
            except BadRequest as refusal:
                found.append(refusal)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_asking_moves_nothing_and_approving_books_it(
    ask: Any, console: Any, as_store: InStore
) -> None:
    before, many = wallet(as_store), fundings()
    one = ask("1,250.50")
    assert (wallet(as_store), fundings()) == (before, many)
    assert console(lambda: fund_requests.approve(one, OWNER))
    assert wallet(as_store) == before + 125_050 and fundings() == many + 1
    found = as_store("ama", fund_requests.newest)[0]
    posting = console(lambda: db.session.get(Posting, found.posting_id))
    assert (found.decision, found.decided_by) == ("approved", "Owner")
    assert (posting.kind, posting.note) == ("fund_wallet", f"Request {one}: MP12345")


def test_approved_twice_it_is_booked_once(
    ask: Any, console: Any, as_store: InStore
) -> None:
    before, one = wallet(as_store), ask()
    said = [console(lambda: fund_requests.approve(one, OWNER)) for _ in range(2)]
    assert said == [True, False] and wallet(as_store) == before + 50_000


@pytest.mark.slow(seconds=0.3)
def test_two_people_who_approve_at_once_book_it_once(
    app: Flask, ask: Any, as_store: InStore
) -> None:
    for round_ in range(3):
        before, one = wallet(as_store), ask("10", f"twins {round_}")
        said = at_once(app, *[lambda one=one: fund_requests.approve(one, OWNER)] * 4)
        assert sorted(said) == [False, False, False, True]
        assert wallet(as_store) == before + 1_000


@pytest.mark.slow(seconds=0.3)
def test_one_payment_shown_by_two_stores_is_booked_once(
    app: Flask, ask: Any, console: Any, as_store: InStore
) -> None:
    for round_ in range(3):
        before = wallet(as_store) + wallet(as_store, "kofi")
        mine, theirs = ask("10", f"MP-{round_}77"), ask("10", f"mp {round_}77", "kofi")
        said = at_once(
            app,
            lambda: fund_requests.approve(mine, OWNER),  # noqa: B023
            lambda: fund_requests.approve(theirs, OWNER),  # noqa: B023
        )
        refused = [one for one in said if isinstance(one, BadRequest)]
        assert len(refused) == 1 and "before" in refused[0].sentence
        assert wallet(as_store) + wallet(as_store, "kofi") == before + 1_000


def test_another_payment_with_the_same_words_is_booked_when_a_person_says_so(
    ask: Any, console: Any, as_store: InStore
) -> None:
    mine, theirs = ask("10", "cash monday"), ask("20", "Cash, Monday", "kofi")
    console(lambda: fund_requests.approve(mine, OWNER))
    before = wallet(as_store, "kofi")
    with pytest.raises(BadRequest, match="before"):
        console(lambda: fund_requests.approve(theirs, OWNER))
    assert wallet(as_store, "kofi") == before
    assert console(lambda: fund_requests.approve(theirs, OWNER, is_another=True))
    assert wallet(as_store, "kofi") == before + 2_000


@pytest.mark.parametrize("by", ["refuse", "withdraw"])
def test_what_was_decided_is_not_approved(
    ask: Any, console: Any, as_store: InStore, by: str
) -> None:
    one, before = ask(), wallet(as_store)
    if by == "refuse":
        assert console(lambda: fund_requests.refuse(one, "No such payment", OWNER))
        assert not console(lambda: fund_requests.refuse(one, "Once more", OWNER))
    else:
        for _ in range(2):
            as_store("ama", lambda: fund_requests.withdraw(one, AMA))
    with pytest.raises(BadRequest, match="Somebody decided meanwhile"):
        console(lambda: fund_requests.approve(one, OWNER))
    assert wallet(as_store) == before


def test_what_was_approved_is_neither_refused_nor_taken_back(
    ask: Any, console: Any, as_store: InStore
) -> None:
    one = ask()
    console(lambda: fund_requests.approve(one, OWNER))
    with pytest.raises(BadRequest):
        console(lambda: fund_requests.refuse(one, "Changed my mind", OWNER))
    with pytest.raises(BadRequest, match="decided already: it was approved"):
        as_store("ama", lambda: fund_requests.withdraw(one, AMA))


def test_a_refusal_says_why(ask: Any, console: Any, as_store: InStore) -> None:
    one = ask()
    with pytest.raises(BadRequest, match="Say why"):
        console(lambda: fund_requests.refuse(one, "  ", OWNER))
    console(lambda: fund_requests.refuse(one, "No such payment", OWNER))
    assert as_store("ama", fund_requests.newest)[0].words == "No such payment"


def test_the_same_form_twice_is_one_request(as_store: InStore) -> None:
    one = Ask.parse("500", "MP 123-45")
    assert as_store("ama", lambda: fund_requests.ask(one, AMA))
    assert not as_store("ama", lambda: fund_requests.ask(one, AMA))
    other = Ask.parse("600", "mp12345")
    with pytest.raises(BadRequest, match=r"waits already, for GH₵.500\.00"):
        as_store("ama", lambda: fund_requests.ask(other, AMA))
    assert len(as_store("ama", fund_requests.newest)) == 1


def test_a_reference_that_was_booked_is_not_asked_for_again(
    ask: Any, console: Any, as_store: InStore
) -> None:
    one = ask()
    console(lambda: fund_requests.approve(one, OWNER))
    with pytest.raises(BadRequest, match="in your wallet already"):
        as_store("ama", lambda: fund_requests.ask(Ask.parse("9", "mp 12345"), AMA))


def test_few_of_a_store_wait_at_a_time(ask: Any, as_store: InStore) -> None:
    for number in range(fund_requests.MOST_WAITING):
        ask("5", f"reference {number}")
    with pytest.raises(BadRequest, match="wait already"):
        as_store("ama", lambda: fund_requests.ask(Ask.parse("5", "one more"), AMA))
    assert len(tables_owner.read("SELECT id FROM fund_requests")) == 5


@pytest.mark.parametrize(
    ("amount", "reference", "field"),
    [
        ("", "MP12345", "amount"), ("0", "MP12345", "amount"), ("-5", "MP12345", "amount"),
        ("100,000.01", "MP12345", "amount"), ("=1+1", "MP12345", "amount"),
        ("5", "", "reference"), ("5", "\u202e..--", "reference"), ("5", "a b", "reference"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_by_its_field(
    amount: str, reference: str, field: str
) -> None:
    assert list(Ask.parse(amount, reference).problems) == [field]


def test_every_act_is_one_line_of_the_audit(
    ask: Any, console: Any, as_store: InStore
) -> None:
    first = acts(console)
    one, two, three = ask(reference="one"), ask(reference="two"), ask(reference="three")
    console(lambda: fund_requests.approve(one, OWNER))
    console(lambda: fund_requests.refuse(two, "No such payment", OWNER))
    as_store("ama", lambda: fund_requests.withdraw(three, AMA))
    new = acts(console)[: -len(first) or None]
    assert sorted(new) == sorted(
        [*["ask_funding"] * 3, "fund_wallet", "refuse_funding", "withdraw_funding"]
    )


def test_each_store_has_its_own(ask: Any, as_store: InStore) -> None:
    one = ask(slug="kofi")
    assert as_store("ama", fund_requests.newest) == []
    with pytest.raises(NoSuchRequest):
        as_store("ama", lambda: fund_requests.withdraw(one, AMA))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fund_requests SET posting_id = (SELECT max(id) FROM postings)",
        "UPDATE fund_requests SET decision = 'approved', decided_at = now(), decided_by = 'x'",
        "UPDATE fund_requests SET amount_pesewas = 1",
        (
            "INSERT INTO fund_requests (store_id, asked_at, asked_by, amount_pesewas, reference,"
            " reference_key, decision) SELECT store_id, asked_at, 'x', 1, 'x', 'x', 'refused'"
            " FROM fund_requests"
        ),
    ],
)
def test_no_statement_of_a_page_approves_a_request(
    ask: Any, as_store: InStore, statement: str
) -> None:
    ask()
    with pytest.raises(DBAPIError):
        as_store("ama", lambda: db.session.execute(text(statement)))


@pytest.fixture
def mended() -> Iterator[None]:
    yield
    tables_owner.execute("UPDATE fund_requests SET amount_pesewas = 50000")


def test_the_proof_finds_a_request_booked_with_another_amount(
    ask: Any, console: Any, mended: None
) -> None:
    one = ask()
    console(lambda: fund_requests.approve(one, OWNER))
    assert "funded_as_asked" not in {found.rule for found in console(rules.broken)[1]}
    tables_owner.execute("UPDATE fund_requests SET amount_pesewas = 50001")
    found = {each.rule: each.subjects for each in console(rules.broken)[1]}
    assert found["funded_as_asked"] == (str(one),)


def test_requests_are_found_by_all_that_wait(
    ask: Any, console: Any, as_store: InStore
) -> None:
    one, two = ask("5", "first"), ask("7", "second", "kofi")
    listed = console(lambda: fund_requests.waiting(10))
    assert [each.request.id for each in listed] == [one, two]
    assert [each.store.slug for each in listed] == ["ama", "kofi"]
    console(lambda: fund_requests.refuse(one, "No such payment", OWNER))
    assert console(fund_requests.waiting_in_all) == fund_requests.Waiting(1, 700)
    query = select(FundRequest.id).where(FundRequest.decision.is_(None))
    assert console(lambda: list(db.session.scalars(query))) == [two]


def test_two_who_ask_at_once_are_not_one_too_many(
    ask: Any, as_store: InStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(fund_requests.MOST_WAITING - 1):
        ask("5", f"reference {number}")
    counted, refused = asking._waiting, []
    seen: list[int] = []

    def slowly() -> list[FundRequest]:
        found = counted()
        seen.append(len(found))
        # the other one has counted too, or waits for its turn
        for _ in range(500):
            if len(seen) == 2 or tables_owner.read(WAITING):
                break
            time.sleep(0.01)
        return found

    def one_more(number: int) -> None:
        try:
            asked = Ask.parse("5", f"one more {number}")
            as_store("ama", lambda: fund_requests.ask(asked, AMA))
        except BadRequest as refusal:
            refused.append(refusal.sentence)

    monkeypatch.setattr(asking, "_waiting", slowly)
    at_once = [threading.Thread(target=one_more, args=(number,)) for number in (1, 2)]
    for each in at_once:
        each.start()
    for each in at_once:
        each.join(10)
    waiting = tables_owner.read("SELECT id FROM fund_requests WHERE decision IS NULL")
    assert len(waiting) == fund_requests.MOST_WAITING and len(refused) == 1
