"""The proof of the books: each kind of damage is found and named, and no posting is sealed twice,
forgotten or changed.

Damage is done past triggers and references, by a superuser, and undone inside each test.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import undefer

from core import cases, ledger, orders, proof
from core.audit import SYSTEM
from core.base import config, preconditions, tenancy
from core.base.db import db, transaction
from core.base.locks import Lock
from core.ledger import Account, Entry, Posting
from core.orders import Order
from core.proof import Proof, proving, rules, seals
from tests.support.claims import claim_one
from tests.support.kept import Keep

pytestmark = pytest.mark.slow(seconds=0.15)

Super = psycopg.Connection[Any]
IN_FLIGHT_LIMIT = "CONSTRAINT ck_accounts_in_flight"


@pytest.fixture
def meddler(
    context: Flask, postgres: dict[str, str], restore: Callable[[], None]
) -> Iterator[Super]:
    """A connection that no trigger, reference or policy binds. What it broke is put back before the
    books are judged."""
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection
        restore()


@pytest.fixture
def no_limit(meddler: Super) -> Iterator[None]:
    """The database does not refuse a negative balance of what is in flight."""
    meddler.execute(f"ALTER TABLE accounts DROP {IN_FLIGHT_LIMIT}")  # type: ignore[call-overload]
    meddler.execute(f"ALTER TABLE accounts ADD {IN_FLIGHT_LIMIT} CHECK (true)")  # type: ignore[call-overload]
    yield
    meddler.execute(f"ALTER TABLE accounts DROP {IN_FLIGHT_LIMIT}")  # type: ignore[call-overload]
    meddler.execute("UPDATE accounts SET balance_pesewas = 0 WHERE name = 'in_flight'")
    meddler.execute(
        f"ALTER TABLE accounts ADD {IN_FLIGHT_LIMIT} CHECK (name <> 'in_flight' OR"  # type: ignore[call-overload]
        " balance_pesewas >= 0)"
    )


@pytest.fixture
def other(context: Flask, postgres: dict[str, str]) -> Iterator[Super]:
    """A second transaction, which may write the books: as the tables' owner."""
    with psycopg.connect(postgres["admin"]) as connection:
        yield connection
        connection.rollback()


def prove(*, whole: bool = False) -> Proof:
    with tenancy.across_stores():
        found = proof.prove(whole)
        return db.session.scalars(
            select(Proof)
            .where(Proof.id == found.id)
            .options(undefer(Proof.members), undefer(Proof.gaps))
        ).one()


def found_by(made: Proof) -> dict[str, list[str]]:
    return {item["rule"]: item["subjects"] for item in made.findings}


def ids(ranges: Any) -> set[int]:
    return {id_ for part in ranges for id_ in range(part.lower, part.upper)}


def fund() -> int:
    """One more posting; its id."""
    with tenancy.across_stores(), transaction():
        return ledger.fund_float(1, "one more", SYSTEM)


def open_posting(connection: Super) -> int:
    """A posting in a transaction that stays open. Like `ledger.post` it has its transaction id
    before it draws an id."""
    connection.execute("SELECT pg_current_xact_id()")
    row = connection.execute(
        "INSERT INTO postings (kind, n, note, actor_name, at) VALUES ('fund_float', 1, '', 'late',"
        " now()) RETURNING id"
    ).fetchone()
    assert row is not None
    return int(row[0])


def taken_to(state: str, order: Order) -> Order:
    if state == "pending":
        return order
    orders.release(order.code, SYSTEM)
    if state == "cancelled":
        orders.cancel(order.code, SYSTEM)
    if state in ("submitting", "processing", "completed", "failed", "refunded"):
        assert claim_one(order.id)
    if state in ("processing", "completed", "failed", "refunded"):
        assert orders.advance(order.id, "processing", text="Accepted.")
    if state == "completed":
        assert orders.advance(order.id, "completed", text="Delivered.")
    if state in ("failed", "refunded"):
        assert orders.advance(order.id, "failed", text="Failed.")
    if state == "refunded":
        assert orders.advance(
            order.id, "refunded", text="Reversed.", news=orders.News(money_back=True)
        )
    return order


@pytest.fixture
def three(
    ama: int, place: Callable[..., Order], kept: Keep[dict[str, int]]
) -> dict[str, Order]:
    def build() -> dict[str, int]:
        states = ("queued", "processing", "completed")
        return {state: taken_to(state, place()).id for state in states}

    return {name: orders.by_id(id_) for name, id_ in kept("three", build).items()}


@pytest.mark.slow(seconds=0.2)
def test_books_in_every_state_hold(ama: int, place: Callable[..., Order]) -> None:
    for state in orders.STATES:
        if state not in ("awaiting_payment", "expired"):
            taken_to(state, place())
    first, second = prove(), prove()
    assert (first.ok, first.findings) == (True, [])
    assert first.counts["postings"] == first.sealed == len(ids(first.members))
    assert (second.ok, second.sealed, second.previous, second.counts["verified"]) == (
        True,
        0,
        first.hash,
        1,
    )
    assert first.previous == seals.FIRST


PROCESSING, COMPLETED, QUEUED = "{processing}", "{completed}", "{queued}"
HOLD = "SELECT id FROM postings WHERE kind = 'hold' AND order_id = {processing}"
LEG = (
    "SELECT e.id FROM entries e JOIN accounts a ON a.id = account_id AND name = 'held' WHERE"
    f" posting_id = ({HOLD})"
)
PAYMENT = """INSERT INTO online_payments (id, store_id, purpose, order_id, reference, mode, amount_pesewas, state,
  charged_pesewas, owed_pesewas, created_at, paid_at)
  SELECT 77, store_id, 'order', id, 'R', 'live', 500, 'paid', 500, {0}, created_at, created_at FROM orders
  WHERE id = {{queued}}"""
PAYOUT = """INSERT INTO payouts (id, store_id, reference, amount_pesewas, fee_pesewas, way, account, account_name,
  requested_by, requested_at) SELECT 77, id, 'mk-w-0000000000000077', 1, 0, 'momo', '1', 'x', 'x', now() FROM stores
  WHERE slug = 'ama'"""
DAMAGE = [
    ("customer_funds", PAYMENT.format(0), "SELECT 'ama'"),
    (
        "earnings_pending",
        "UPDATE orders SET paid_online = true, price_pesewas = price_pesewas + 1 WHERE id = {queued}",
        "SELECT 'ama'",
    ),
    ("refund_due", PAYMENT.format(500), "SELECT 'ama'"),
    ("refund_due_of_payment", PAYMENT.format(500), "SELECT 77"),
    ("payouts_open", PAYOUT, "SELECT 'ama'"),
    ("payments_booked", PAYMENT.format(500), "SELECT 77"),
    (
        "fundings_taken_back",
        PAYMENT.format(500)
        + """; INSERT INTO disputes (store_id, payment_id, amount_pesewas, taken_pesewas, owed_pesewas, category, state,
        made_at) SELECT id, 77, 1, 1, 1, 'x', 'lost', now() FROM stores WHERE slug = 'ama'""",
        "SELECT 77",
    ),
    (
        "refunds_booked",
        """INSERT INTO gateway_refunds (id, store_id, payment_id, n, amount_pesewas, reason, state, asked_by, asked_at)
        SELECT 77, id, 77, 1, 1, 'late', 'done', 'x', now() FROM stores WHERE slug = 'ama'""",
        "SELECT 77",
    ),
    ("payouts_booked", PAYOUT, "SELECT 77"),
    (
        "payments_taken_back",
        PAYMENT.format(0)
        + """; INSERT INTO disputes (store_id, payment_id, amount_pesewas, taken_pesewas, category, state, made_at)
        SELECT id, 77, 300, 300, 'x', 'lost', now() FROM stores, generate_series(1, 2) WHERE slug = 'ama'""",
        "SELECT 77",
    ),
    (
        "settlements_booked",
        """INSERT INTO gateway_settlements (gateway_id, raw_word, currency, settled_at, read_at, went, booked_pesewas,
        closed_at) VALUES ('77', 'success', 'GHS', now(), now(), 'bank', 1, now())""",
        "SELECT 77",
    ),
    (
        "gateway_differences",
        """INSERT INTO gateway_settlements (gateway_id, raw_word, currency, settled_at, read_at, went, ours_pesewas,
        accepted_pesewas, closed_at) VALUES ('77', 'success', 'GHS', now(), now(), 'nowhere', 5, 5, now())""",
        "SELECT 77",
    ),
    (
        "paid_orders",
        "UPDATE orders SET paid_online = true WHERE id = {queued}",
        QUEUED,
    ),
    # rule, the damage, the query for the subject that must be named
    (
        "total",
        f"UPDATE entries SET amount_pesewas = amount_pesewas + 5 WHERE id = ({LEG})",
        None,
    ),
    (
        "posting_sum",
        f"UPDATE entries SET amount_pesewas = amount_pesewas + 5 WHERE id = ({LEG})",
        HOLD,
    ),
    (
        "balance",
        "UPDATE accounts SET balance_pesewas = balance_pesewas - 5 WHERE name = 'bank'",
        "SELECT 'bank'",
    ),
    (
        "entries_without_posting",
        f"DELETE FROM postings WHERE id = ({HOLD})",
        "SELECT {leg}",
    ),
    (
        "earned",
        "UPDATE store_days SET sales_pesewas = sales_pesewas + 1",
        "SELECT 'ama'",
    ),
    (
        "funded_as_asked",
        """
        INSERT INTO fund_requests (id, store_id, asked_at, asked_by, amount_pesewas, reference, reference_key, decision,
          decided_at, decided_by, posting_id)
        SELECT 77, store_id, at, 'x', 1, 'x', 'x', 'approved', at, 'x', id FROM postings WHERE id = ({hold})
        """,
        "SELECT 77",
    ),
    (
        "running_balance",
        f"UPDATE entries SET balance_pesewas = balance_pesewas - 1 WHERE id = ({LEG})",
        LEG,
    ),
    (
        "limit",
        "UPDATE accounts SET balance_pesewas = -1 WHERE name = 'in_flight'",
        "SELECT 'in_flight'",
    ),
    (
        "sums",
        """UPDATE accounts SET debits_pesewas = debits_pesewas + 1, credits_pesewas = credits_pesewas + 1
        WHERE name = 'bank'""",
        "SELECT 'bank'",
    ),
    (
        "charges_alternate",
        """INSERT INTO postings (store_id, order_id, kind, n, note, actor_name, at)
        SELECT store_id, id, 'commit', 2, '', 'x', now() FROM orders WHERE id = {processing}""",
        PROCESSING,
    ),
    (
        "money_of_no_order",
        f"UPDATE postings SET order_id = NULL WHERE id = ({HOLD})",
        "SELECT {hold}",
    ),
    (
        "held_of_store",
        "UPDATE orders SET agent_price_pesewas = agent_price_pesewas + 1 WHERE id = {queued}",
        "SELECT 'ama'",
    ),
    (
        "taken_back",
        """UPDATE entries SET amount_pesewas = -amount_pesewas WHERE posting_id IN (
        SELECT id FROM postings WHERE kind = 'fund_wallet' AND store_id = (SELECT id FROM stores WHERE slug = 'ama'))""",
        "SELECT 'ama'",
    ),
    (
        "rounding",
        "UPDATE postings SET kind = 'rounding' WHERE kind = 'fund_float'",
        "SELECT min(id) FROM postings WHERE kind = 'fund_float'",
    ),
    (
        "people",
        "UPDATE users SET platform_role = 'owner' WHERE email = 'ama@example.test'",
        "SELECT 'user:' || id FROM users WHERE email = 'ama@example.test'",
    ),
    (
        "test_without_money",
        """UPDATE orders SET is_test = true, test_ending = 'delivered', order_ref = 'TEST-1', pay_code = NULL,
        recipient_msisdn = '+233000000000', estimate_minutes = NULL WHERE id = {queued}""",
        QUEUED,
    ),
    (
        "completed",
        "UPDATE orders SET state = 'completed' WHERE id = {processing}",
        PROCESSING,
    ),
    (
        "completed",
        "DELETE FROM postings WHERE kind = 'capture' AND order_id = {completed}",
        COMPLETED,
    ),
    (
        "refunded",
        "UPDATE orders SET state = 'refunded' WHERE id = {processing}",
        PROCESSING,
    ),
    (
        "under_way",
        "UPDATE orders SET state = 'processing' WHERE id = {completed}",
        COMPLETED,
    ),
    ("cancelled", "UPDATE orders SET state = 'cancelled' WHERE id = {queued}", QUEUED),
    ("not_released", "UPDATE orders SET state = 'pending' WHERE id = {queued}", QUEUED),
    (
        "open_charges",
        "UPDATE orders SET state = 'queued' WHERE id = {processing}",
        PROCESSING,
    ),
    (
        "open_charges",
        "UPDATE orders SET state = 'processing' WHERE id = {queued}",
        QUEUED,
    ),
    (
        "held_of_order",
        "UPDATE orders SET agent_price_pesewas = agent_price_pesewas + 1 WHERE id = {queued}",
        QUEUED,
    ),
    (
        "in_flight_of_order",
        """UPDATE entries SET amount_pesewas = amount_pesewas + 5
        WHERE posting_id = (SELECT id FROM postings WHERE kind = 'commit' AND order_id = {completed})
        AND account_id = (SELECT id FROM accounts WHERE name = 'in_flight')""",
        COMPLETED,
    ),
]


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize(
    ("rule", "damage", "subject"),
    DAMAGE,
    ids=[f"{rule}-{n}" for n, (rule, *_) in enumerate(DAMAGE)],
)
def test_each_kind_of_damage_is_found_and_named(
    request: pytest.FixtureRequest,
    three: dict[str, Order],
    meddler: Super,
    rule: str,
    damage: str,
    subject: str | None,
) -> None:
    if rule == "limit":
        request.getfixturevalue("no_limit")
    assert prove().ok
    names = {state: order.id for state, order in three.items()}
    for word, query in (("hold", HOLD), ("leg", LEG)):
        row = meddler.execute(query.format(**names)).fetchone()  # type: ignore[call-overload]
        names[word] = row[0]
    wanted = None
    if subject is not None and subject.startswith("SELECT"):
        wanted = str(meddler.execute(subject.format(**names)).fetchone()[0])  # type: ignore[call-overload,index]
    elif subject is not None:
        wanted = three[subject.strip("{}")].shown_code
    meddler.execute(damage.format(**names))  # type: ignore[call-overload]
    made = prove()
    assert not made.ok
    assert rule in found_by(made)
    if wanted is not None:
        assert wanted in found_by(made)[rule]
        assert wanted in next(
            item["sentence"] for item in made.findings if item["rule"] == rule
        )


def test_every_rule_has_damage_that_breaks_it() -> None:
    assert {rule for rule, *_ in DAMAGE} == {
        *rules.ROWS,
        *rules.ORDERS,
        "total",
        "posting_sum",
        "balance",
    }


CHANGES = [
    "UPDATE postings SET subject = 'payment:1' WHERE id = {0}",
    "UPDATE postings SET note = note || '.' WHERE id = {0}",
    "UPDATE postings SET at = at + interval '1 microsecond' WHERE id = {0}",
    "UPDATE postings SET actor_name = 'Somebody' WHERE id = {0}",
    "UPDATE postings SET n = 2 WHERE id = {0}",
    (
        "UPDATE entries SET account_id = (SELECT max(id) FROM accounts) WHERE id = (SELECT max(id)"
        " FROM entries WHERE posting_id = {0})"
    ),
    (
        "UPDATE entries SET id = id + 1000000 WHERE id = (SELECT max(id) FROM entries WHERE"
        " posting_id = {0})"
    ),
    """INSERT INTO entries (posting_id, account_id, amount_pesewas, balance_pesewas)
    SELECT {0}, max(id), 5, 5 FROM accounts WHERE name = 'margin'""",
    "DELETE FROM entries WHERE posting_id = {0}",
    "DELETE FROM entries WHERE posting_id = {0}; DELETE FROM postings WHERE id = {0}",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_old_row_breaks_the_chain_and_the_posting_is_named(
    context: Flask, meddler: Super, change: str
) -> None:
    fund()
    changed = fund()
    sealed = prove()
    fund()
    assert prove().ok
    meddler.execute(change.format(changed))  # type: ignore[call-overload]
    broken = next(item for item in prove().findings if item["rule"] == "seal")
    assert broken["subjects"] == [str(changed)]
    assert f"Seal {sealed.id} of" in broken["sentence"]
    assert not prove().ok, "it stays said until the row is what it was"


@pytest.mark.parametrize(
    "change",
    [
        "ok = false",
        "findings = '[1]'",
        "at = at - interval '1 day'",
        "sealed = 7",
        "gaps = '{[1,2)}'",
    ],
)
def test_a_changed_seal_breaks_the_chain(
    context: Flask, meddler: Super, change: str
) -> None:
    first = prove()
    prove()
    meddler.execute(f"UPDATE proofs SET {change} WHERE id = {first.id}")  # type: ignore[call-overload]
    made = prove()
    sentence = next(
        item["sentence"] for item in made.findings if item["rule"] == "seal"
    )
    assert sentence.endswith("the seal itself was changed.")


def test_a_removed_seal_breaks_the_chain_and_leaves_its_postings_behind_it(
    context: Flask, meddler: Super
) -> None:
    prove()
    posting = fund()
    second, third = prove(), prove()
    meddler.execute(f"DELETE FROM proofs WHERE id = {second.id}")  # type: ignore[call-overload]
    assert found_by(prove()) == {"chain": [str(third.id)], "behind": [str(posting)]}


def test_what_an_account_is_called_is_sealed_with_its_legs(
    context: Flask, meddler: Super
) -> None:
    assert prove().ok
    # one after the other: names are unique, and rows are met in any order
    meddler.execute("UPDATE accounts SET name = 'bank2' WHERE name = 'gateway'")
    meddler.execute("UPDATE accounts SET name = 'gateway' WHERE name = 'bank'")
    assert "seal" in found_by(prove())


def test_a_posting_of_an_open_transaction_waits_for_the_next_seal(
    context: Flask, other: Super
) -> None:
    late = open_posting(other)
    early = fund()
    assert late < early
    first = prove()
    assert early in ids(first.members) and late not in ids(first.members)
    assert late in ids(first.gaps)
    again = prove()
    assert late in ids(again.gaps), "it is still open"
    other.commit()
    second = prove()
    assert ids(second.members) == {late}
    assert late not in ids(second.gaps)
    assert (first.ok, second.ok, prove(whole=True).ok) == (True, True, True)


def test_a_gap_of_a_transaction_rolled_back_is_closed_and_nothing_can_be_slipped_in(
    context: Flask, other: Super, meddler: Super
) -> None:
    gone = open_posting(other)
    fund()
    assert gone in ids(prove().gaps)
    other.rollback()
    assert gone not in ids(prove().gaps)
    meddler.execute(
        f"INSERT INTO postings (id, kind, n, note, actor_name, at) VALUES ({gone}, 'fund_float', 1, '', 'x', now())"  # type: ignore[call-overload]
    )
    assert found_by(prove()) == {"behind": [str(gone)]}


def test_gaps_do_not_outlive_the_cluster_they_were_seen_in(
    context: Flask, other: Super, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump restored elsewhere brings no open transactions along, and transaction ids there start
    anew."""
    gone = open_posting(other)
    fund()
    monkeypatch.setattr(
        seals, "_CUT", seals._CUT.replace("system_identifier::text", "'elsewhere'")
    )
    assert gone in ids(prove().gaps)
    monkeypatch.undo()
    assert gone not in ids(prove().gaps)


def test_a_hash_can_be_worked_out_by_anybody(context: Flask) -> None:
    ledger_note = 'a "quoted" note \\ with GH₵, a\ttab'
    with tenancy.across_stores(), transaction():
        ledger.fund_float(7, ledger_note, SYSTEM)
    prove()
    fund()
    made = prove()
    with tenancy.across_stores():
        head = db.session.execute(
            text(
                "SELECT extract(epoch FROM at)::text, findings::text, counts::text, members::text,"
                f" gaps::text FROM proofs WHERE id = {made.id}"
            )
        ).one()
        names = dict(db.session.execute(select(Account.id, Account.name)).all())
        digests = b""
        for posting in db.session.scalars(select(Posting).order_by(Posting.id)):
            if posting.id not in ids(made.members):
                continue
            at = db.session.scalar(
                text(
                    "SELECT extract(epoch FROM at)::text FROM postings WHERE id = :id"
                ),
                {"id": posting.id},
            )
            legs = [
                [
                    *(getattr(entry, name) for name in seals.ENTRY_COLUMNS),
                    names[entry.account_id],
                ]
                for entry in db.session.scalars(
                    select(Entry)
                    .where(Entry.posting_id == posting.id)
                    .order_by(Entry.id)
                )
            ]
            row = [getattr(posting, name) for name in seals.POSTING_COLUMNS[:-1]]
            words = ", ".join(json.dumps(value, ensure_ascii=False) for value in row)
            listed = (
                "["
                + ", ".join(json.dumps(leg, ensure_ascii=False) for leg in legs)
                + "]"
            )
            digests += hashlib.sha256(f"[{words}, {at}, {listed}]".encode()).digest()
    quoted = [json.dumps(part) for part in (head[3], head[4])]
    said = (
        f"[{head[0]}, true, {head[1]}, {head[2]}, {made.sealed}, {made.last_id},"
        f" {', '.join(quoted)}, "
        f'{made.horizon}, "{made.cluster}"]'
    )
    assert (
        made.hash
        == hashlib.sha256(
            bytes.fromhex(made.previous) + said.encode() + digests
        ).hexdigest()
    )


def test_every_column_of_the_books_is_sealed() -> None:
    """A new column needs its place in the seals, under a recipe that leaves the old ones
    verifiable."""
    assert {*seals.POSTING_COLUMNS, *seals.ADDED_COLUMNS} == {
        column.name for column in Posting.__table__.columns
    }
    assert set(seals.ENTRY_COLUMNS) == {
        column.name for column in Entry.__table__.columns
    }


def test_what_moves_during_a_proof_is_left_to_the_next(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules, the chain and the cut look at one moment, or purchases under way would look like
    damage."""
    verify = seals.broken

    def meanwhile(whole: bool) -> Any:
        def post() -> None:
            with context.app_context():
                fund()

        thread = threading.Thread(target=post)
        thread.start()
        thread.join(timeout=20)
        return verify(whole)

    monkeypatch.setattr(seals, "broken", meanwhile)
    first = prove()
    assert (first.ok, first.counts["postings"], first.sealed) == (True, 3, 3)
    monkeypatch.undo()
    second = prove()
    assert (second.ok, second.counts["postings"], second.sealed) == (True, 4, 1)


def test_two_provers_at_once_make_one_chain(context: Flask) -> None:
    fund()
    gate, made = threading.Barrier(4), []

    def run() -> None:
        with context.app_context():
            gate.wait()
            made.append(prove())
            db.session.remove()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert [one.ok for one in made] == [True] * 4
    assert sum(one.sealed for one in made) == 4, "each posting once"
    last = prove(whole=True)
    assert last.ok and last.counts["verified"] == 4


def test_a_second_prover_waits_its_turn_and_gives_up_in_words(
    context: Flask, other: Super, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "_TURN_WAIT_MS", 50)
    other.execute("SELECT pg_advisory_lock(%s)", (Lock.PROOF,))
    with pytest.raises(proof.UnderWay):
        prove()
    other.execute("SELECT pg_advisory_unlock(%s)", (Lock.PROOF,))
    other.commit()
    assert prove().ok


def test_the_chain_cannot_fork(context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is for speed; this is what holds when it is gone."""
    prove()
    monkeypatch.setattr(
        seals,
        "_CUT",
        seals._CUT.replace("SELECT b.hash AS previous", "SELECT :first AS previous"),
    )
    with pytest.raises(IntegrityError, match="uq_proofs_previous"):
        prove()


@pytest.mark.parametrize(
    "statement", ["UPDATE proofs SET ok = true", "DELETE FROM proofs"]
)
def test_a_proof_is_never_changed(
    context: Flask, postgres: dict[str, str], statement: str
) -> None:
    prove()
    with pytest.raises(DBAPIError, match="permission denied"), transaction():
        db.session.execute(text(statement))
    with (
        psycopg.connect(postgres["admin"]) as owner,
        pytest.raises(psycopg.Error, match="append only"),
    ):
        owner.execute(statement)  # type: ignore[call-overload]


def test_a_proof_that_may_not_see_everything_is_no_proof(ama: int) -> None:
    with pytest.raises(preconditions.NotEveryStore):
        proof.prove()


def test_a_failed_proof_asks_a_person_once_for_each_finding(
    context: Flask, meddler: Super
) -> None:
    meddler.execute(
        "UPDATE accounts SET balance_pesewas = balance_pesewas - 5 WHERE name = 'bank'"
    )
    prove()
    prove()
    with tenancy.across_stores():
        (case,) = cases.open_cases(10)
    assert (case.kind, case.store_id) == ("books_broken", None)
    assert [entry["found"] for entry in case.evidence] == [
        "Balances that are not the sum of their entries: bank."
    ]


@pytest.mark.slow(seconds=0.4)
def test_large_books_are_verified_in_turns_within_a_day(
    context: Flask, meddler: Super, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seals, "_AT_ONCE", 1)
    monkeypatch.setattr(seals, "TURNS", 4)
    changed = fund()
    prove()
    for _ in range(5):
        fund()
        assert prove().counts["verified"] < 4
    meddler.execute(f"UPDATE postings SET note = 'x' WHERE id = {changed}")  # type: ignore[call-overload]
    made = [prove().ok for _ in range(4)]
    assert made.count(False) == 1
    assert not prove(whole=True).ok


def test_a_long_list_names_twenty_and_counts_the_rest() -> None:
    found = rules.finding("x", "Things", ["a", "b"], 5)
    assert found.sentence == "Things: a, b and 3 more."


def test_a_proof_is_overdue_after_twice_its_interval(
    ama: int, jump: Callable[[float], None]
) -> None:
    assert proof.standing() == proof.Standing(None, overdue=False)
    every_s = config.current().proof_every_s
    jump(2 * every_s + 1)
    assert proof.standing().overdue, "there are postings and nobody ever proved them"
    made = prove()
    assert not proof.standing().overdue
    jump(2 * every_s - 1)
    assert not proof.standing().overdue
    jump(2)
    newest = proof.standing().newest
    assert proof.standing().overdue and newest is not None and newest.id == made.id


@pytest.mark.slow(seconds=1.5)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.sampled_from(["post", "post", "seal", "open", "commit", "roll back"]),
        max_size=12,
    )
)
def test_postings_sealed_in_any_grouping_are_sealed_once_and_verify(
    context: Flask,
    postgres: dict[str, str],
    restore: Callable[[], None],
    steps: list[str],
) -> None:
    restore()
    db.session.remove()
    waiting: list[Super] = []
    try:
        for step in steps:
            if step == "post":
                fund()
            elif step == "seal":
                assert prove().findings == []
            elif step == "open":
                waiting.append(psycopg.connect(postgres["admin"]))
                open_posting(waiting[-1])
            elif waiting:
                connection = waiting.pop(0)
                connection.commit() if step == "commit" else connection.rollback()
                connection.close()
    finally:
        for connection in waiting:
            connection.close()
    assert prove().findings == []
    assert prove(whole=True).findings == []
    with tenancy.across_stores():
        sealed = [
            id_ for one in db.session.scalars(select(Proof.members)) for id_ in ids(one)
        ]
        assert sorted(sealed) == list(
            db.session.scalars(select(Posting.id).order_by(Posting.id))
        )
