"""The audit is sealed by the proof: whoever changes, removes or slips in a line past the
application is found.

Damage is done past triggers and policies, by the meddler, and undone inside each test.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from core import audit, proof
from core.audit import SYSTEM, Actor, AuditLine
from core.base import tenancy
from core.base.db import db, transaction
from core.proof import audit_seals
from core.proof.audit_seals import AuditSeal
from devkit import daemons

pytestmark = pytest.mark.slow(seconds=0.2)

Super = psycopg.Connection[Any]


@pytest.fixture
def meddler(
    across: Flask, postgres: dict[str, str], restore: Callable[[], None]
) -> Iterator[Super]:
    with psycopg.connect(postgres["super"], autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection
        restore()


def line(note: str = "x") -> int:
    """One more line; its id."""
    audit.write(Actor("owner", "Owner", 1), "pause", "paused.mtn", {"reason": note})
    return int(
        db.session.scalar(select(AuditLine.id).order_by(AuditLine.id.desc()).limit(1))
        or 0
    )


def prove(whole: bool = False) -> dict[str, list[str]]:
    """The findings about the audit: rule and subjects."""
    with tenancy.across_stores():
        found = proof.prove(whole)
        return {item["rule"]: item["subjects"] for item in found.findings}


def newest() -> AuditSeal:
    return db.session.scalars(
        select(AuditSeal).order_by(AuditSeal.id.desc()).limit(1)
    ).one()


def test_every_line_is_sealed_once_and_nothing_is_written_when_there_is_nothing_new(
    across: Flask,
) -> None:
    line()
    assert prove() == {}
    lines = db.session.scalar(text("SELECT count(*) FROM audit"))
    assert db.session.scalar(select(func.sum(AuditSeal.sealed))) == lines
    # A gap stays open while a transaction of before runs, be it one of the server's own.
    assert daemons.until(lambda: prove() == {} and not newest().gaps, 20)
    first = newest()
    assert prove() == {}
    assert newest().id == first.id
    line()
    assert prove() == {}
    assert (newest().sealed, newest().previous) == (1, first.hash)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET actor_name = 'Nobody' WHERE id = {}",
        "UPDATE audit SET actor_kind = 'system' WHERE id = {}",
        "UPDATE audit SET user_id = NULL WHERE id = {}",
        "UPDATE audit SET action = 'resume' WHERE id = {}",
        "UPDATE audit SET subject = 'paused.at' WHERE id = {}",
        "UPDATE audit SET detail = '{{}}' WHERE id = {}",
        "UPDATE audit SET at = at - interval '1 day' WHERE id = {}",
        "UPDATE audit SET id = id + 1000000 WHERE id = {}",
        "DELETE FROM audit WHERE id = {}",
    ],
)
def test_a_changed_or_removed_line_is_found_and_named(
    across: Flask, meddler: Super, change: str
) -> None:
    line()
    changed = line()
    line()
    assert prove() == {}
    line()
    meddler.execute(change.format(changed))  # type: ignore[call-overload]
    assert prove()["audit_seal"] == [str(changed)]
    assert prove()["audit_seal"] == [str(changed)], "it stays said"


def test_a_line_slipped_in_behind_the_seals_is_found_and_named(
    across: Flask, meddler: Super
) -> None:
    first = line()
    db.session.execute(text("SELECT nextval('audit_id_seq')"))
    db.session.rollback()
    line()
    prove()
    line()
    assert prove() == {}, "the number that was drawn for nothing is closed now"
    for id_ in (first + 1, -5):
        meddler.execute(
            "INSERT INTO audit (id, at, actor_kind, actor_name, action, subject, detail) "
            f"VALUES ({id_}, now(), 'owner', 'Owner', 'fund_wallet', 'store:1', '{{}}')"  # type: ignore[call-overload]
        )
    assert prove()["audit_behind"] == ["-5", str(first + 1)]


def test_a_line_of_an_open_transaction_is_sealed_by_the_next_proof(
    across: Flask, postgres: dict[str, str]
) -> None:
    with psycopg.connect(postgres["app"]) as other:
        late = other.execute(
            "INSERT INTO audit (at, actor_kind, actor_name, action, subject, detail) "
            "VALUES (now(), 'owner', 'Owner', 'pause', 'x', '{}') RETURNING id"
        ).fetchone()
        line()
        assert prove() == prove() == {}
        other.commit()
    assert prove() == {}
    assert late is not None
    members = db.session.scalar(
        select(AuditSeal.members).order_by(AuditSeal.id.desc()).limit(1)
    )
    assert members is not None
    assert [(part.lower, part.upper) for part in members] == [(late[0], late[0] + 1)]


def test_an_id_is_drawn_only_by_a_transaction_that_has_a_number(
    across: Flask, postgres: dict[str, str]
) -> None:
    """Or a gap could be closed while its line is still to come."""
    with psycopg.connect(postgres["app"]) as connection:
        assert connection.execute(
            "SELECT pg_current_xact_id_if_assigned()"
        ).fetchone() == (None,)
        connection.execute("SELECT makola_next_audit_id()")
        assert connection.execute(
            "SELECT pg_current_xact_id_if_assigned()"
        ).fetchone() != (None,)
        default = connection.execute(
            "SELECT column_default FROM information_schema.columns WHERE table_name = 'audit' AND"
            " column_name = 'id'"
        ).fetchone()
    assert default == ("makola_next_audit_id()",)


def test_a_changed_or_removed_seal_breaks_the_chain(
    across: Flask, meddler: Super
) -> None:
    line()
    prove()
    first = newest()
    behind = line()
    prove()
    second = newest()
    line()
    prove()
    meddler.execute(f"UPDATE audit_seals SET sealed = 70 WHERE id = {first.id}")  # type: ignore[call-overload]
    assert prove() == {"audit_seal": []}
    meddler.execute(f"DELETE FROM audit_seals WHERE id = {second.id}")  # type: ignore[call-overload]
    found = prove()
    assert found["audit_behind"] == [str(behind)]
    assert found["audit_chain"] == [str(second.id + 1)]


def test_the_newest_seal_removed_is_missed(across: Flask, meddler: Super) -> None:
    """Its lines would be sealed anew, and what they said before would be forgotten."""
    line()
    prove()
    line()
    prove()
    last = newest().id
    meddler.execute(f"DELETE FROM audit_seals WHERE id = {last}")  # type: ignore[call-overload]
    assert prove()["audit_chain"] == [str(last)]


@pytest.mark.parametrize("table", ["audit", "audit_seals"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET at = now()", "DELETE FROM {}"])
def test_neither_lines_nor_seals_are_changed_by_us(
    across: Flask, postgres: dict[str, str], table: str, statement: str
) -> None:
    line()
    prove()
    with pytest.raises(DBAPIError, match="permission denied"), transaction():
        db.session.execute(text(statement.format(table)))
    with (
        psycopg.connect(postgres["admin"]) as owner,
        pytest.raises(psycopg.Error, match="append only"),
    ):
        owner.execute(statement.format(table))  # type: ignore[call-overload]


def test_a_hash_can_be_worked_out_by_anybody(across: Flask) -> None:
    audit.write(SYSTEM, "say", 'a "quoted" \\ subject', {"note": "GH₵", "n": 1})
    prove()
    made = newest()
    head = db.session.execute(
        text(
            "SELECT extract(epoch FROM at)::text, members::text, gaps::text FROM audit_seals WHERE"
            " id = :id"
        ),
        {"id": made.id},
    ).one()
    digests = b""
    for id_, at, detail in db.session.execute(
        text(
            "SELECT id, extract(epoch FROM at)::text, detail::text FROM audit ORDER BY id"
        )
    ).all():
        row = db.session.get_one(AuditLine, id_)
        words = [getattr(row, name) for name in audit_seals.COLUMNS[2:-1]]
        said = ", ".join(json.dumps(word, ensure_ascii=False) for word in words)
        digests += hashlib.sha256(f"[{id_}, {at}, {said}, {detail}]".encode()).digest()
    said = (
        f"[{head[0]}, {made.sealed}, {made.last_id}, {json.dumps(head[1])}, {json.dumps(head[2])}, "
        f'{made.horizon}, "{made.cluster}"]'
    )
    assert (
        made.hash
        == hashlib.sha256(
            bytes.fromhex(made.previous) + said.encode() + digests
        ).hexdigest()
    )


def test_every_column_of_the_audit_is_sealed() -> None:
    assert set(audit_seals.COLUMNS) == {
        column.name for column in AuditLine.__table__.columns
    }


def test_the_look_without_a_proof_sees_it_too(across: Flask, meddler: Super) -> None:
    changed = line()
    prove()
    meddler.execute(f"UPDATE audit SET subject = 'y' WHERE id = {changed}")  # type: ignore[call-overload]
    with tenancy.across_stores():
        assert any(
            f"Lines changed or removed: {changed}" in sentence
            for sentence in proof.look()
        )
