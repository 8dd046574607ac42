"""Running the proof: one snapshot, one seal, one prover at a time; and how the last proof stands.

A proof that fails is written like one that holds, and asks a person by a case. Who is told louder,
and when the next one is due, is decided by `fulfilment`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.exc import OperationalError

from core import cases
from core.base import clock, config
from core.base.db import db, transaction
from core.base.locks import Lock
from core.base.preconditions import needs_across_stores
from core.base.tenancy import as_platform
from core.ledger import Posting
from core.proof import audit_seals, rules, seals
from core.proof.seals import Proof

_TURN_WAIT_MS = 5_000
CASE = ("books_broken", "books")


class UnderWay(Exception):
    """Another proof is running; two at once would only do the work twice."""


@dataclass(frozen=True)
class Standing:
    """The newest proof (for agents only its `at` and `ok`), if there is one, and whether the next
    is late by more than the interval itself."""

    newest: Any
    overdue: bool


@needs_across_stores
def prove(whole: bool = False) -> Proof:
    """Prove the books, seal what is new and keep the result. Opens a case when they do not hold.

    With `whole`, verify every seal of large books too (see `seals.broken`). Raises `UnderWay` while
    another proof runs.
    """
    with _turn():
        proof = _prove(whole)
    if not proof.ok:
        with transaction():
            for found in proof.findings:
                cases.open_case(*CASE, {"found": found["sentence"]})
    return proof


@needs_across_stores
def look() -> list[str]:
    """What a proof would find now, every seal verified, without keeping one: a sentence for each
    thing that is wrong."""
    with transaction() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        broken_seals, _ = seals.broken(True)
        _, broken_rules = rules.broken()
        return [
            found.sentence
            for found in (*broken_rules, *broken_seals, *audit_seals.broken(True))
        ]


@as_platform
def newest(limit: int) -> list[Proof]:
    """The newest proofs first."""
    return list(
        db.session.scalars(select(Proof).order_by(Proof.id.desc()).limit(limit))
    )


def standing() -> Standing:
    """How the proof of the books stands now, for pages and the metrics. Books nothing was ever
    written in need none."""
    return _standing(seals.newest_proof())


def standing_for_agents() -> Standing:
    """The same without what was found, which is of all stores: no store may read that."""
    return _standing(
        db.session.execute(
            select(Proof.at, Proof.ok).order_by(Proof.id.desc()).limit(1)
        ).first()
    )


def _standing(proof: Proof | Row[datetime, bool] | None) -> Standing:
    since = (
        proof.at
        if proof
        else db.session.scalar(select(Posting.at).order_by(Posting.id).limit(1))
    )
    late = since is not None and clock.now() - since > 2 * clock.delta(
        config.current().proof_every_s
    )
    return Standing(proof, late)


def _prove(whole: bool) -> Proof:
    started = time.monotonic()
    with transaction() as session:
        # Before anything is read: one snapshot for the rules, the chain and what the new seal
        # covers.
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        session.execute(
            text("SELECT set_config('statement_timeout', :ms, true)"),
            {"ms": str(config.current().job_timeout_s * 1_000)},
        )
        found = seals.cut()
        broken_seals, verified = seals.broken(whole)
        books, broken_rules = rules.broken()
        findings = [*broken_rules, *broken_seals, *audit_seals.broken(whole)]
        counts = {
            "entries": books.entries,
            "postings": books.postings,
            "verified": verified,
            "audit_seal": audit_seals.seal(),
            "took_ms": round((time.monotonic() - started) * 1_000),
        }
        return seals.seal(found, not findings, findings, counts)


@contextmanager
def _turn() -> Iterator[None]:
    """One prover at a time, on a connection of its own: the snapshot of the proof must be taken
    after this lock."""
    with db.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        try:
            connection.execute(text(f"SET lock_timeout = {_TURN_WAIT_MS}"))
            try:
                connection.execute(
                    text("SELECT pg_advisory_lock(:key)"), {"key": Lock.PROOF}
                )
            except OperationalError as error:
                # lock_not_available
                if getattr(error.orig, "sqlstate", None) != "55P03":
                    raise
                raise UnderWay from error
            yield
        finally:
            # Closed, not returned to the pool: the lock ends with it, whatever happened.
            connection.invalidate()
