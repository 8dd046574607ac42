"""The chain over the books: each seal is a hash of the one before and of every posting sealed
since, with all its legs.

Decides which postings a seal covers and finds the seal, and the posting, that no longer match. Ids
of postings come from a sequence, so a transaction still open may hold a lower id than one already
visible. Ids passed by and not seen are the seal's `gaps`: one that shows up later is sealed then,
and one whose transaction has surely ended without it is closed, so that nothing can be slipped in
there afterwards. Membership is kept as ids, never as transaction ids: those start anew when a dump
is restored into another cluster.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, Row, select, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB, Range
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model, db
from core.base.preconditions import inside_use_case
from core.proof.rules import NAMED, Finding, finding

FIRST = "0" * 64
"""`previous` of the first seal."""
_MARK = 4
"""Bytes kept of each posting's digest: too few to prove anything, enough to name the posting that
was changed."""
_BATCH = 20_000
"""Postings verified in one statement, unless a single seal holds more."""
_AT_ONCE = 300_000
"""Postings whose seals are all verified by each proof; of the seals of older ones, each proof
verifies its turn."""
TURNS = 24
"""So many proofs verify every seal there is: a day of them."""


class Proof(Model):
    """One run of the proof and the seal it set. Append only, also for the application."""

    __tablename__ = "proofs"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    ok: Mapped[bool]
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    counts: Mapped[dict[str, int]] = mapped_column(JSONB)

    sealed: Mapped[int]
    """How many postings this seal covers."""
    last_id: Mapped[int]
    """The highest id of a posting seen up to here."""
    members: Mapped[Sequence[Range[int]]] = mapped_column(INT8MULTIRANGE, deferred=True)
    gaps: Mapped[Sequence[Range[int]]] = mapped_column(INT8MULTIRANGE, deferred=True)
    """Ids up to `last_id` that no seal covers and whose transactions may still be open."""
    horizon: Mapped[int]
    """The first transaction id not yet given out: when all before it have ended, the gaps will
    never be filled."""
    cluster: Mapped[str]
    """Where `horizon` was read; transactions of another cluster have all ended."""
    marks: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    previous: Mapped[str] = mapped_column(unique=True)
    """The hash of the seal before. Unique, so that the chain cannot fork."""
    hash: Mapped[str] = mapped_column(unique=True)

    @property
    def short_hash(self) -> str:
        return self.hash[:12]


@dataclass(frozen=True)
class Cut:
    """What a new seal covers, as `Proof` has it."""

    previous: str
    sealed: int
    last_id: int
    members: str
    gaps: str
    horizon: int
    cluster: str


# Every column of the tables, in words that no setting of a session changes. A new column must be
# added here, under a new number of the recipe, or it is outside the seals; a test compares the
# lists.
POSTING_COLUMNS = (
    "id",
    "store_id",
    "order_id",
    "kind",
    "n",
    "note",
    "actor_name",
    "at",
)
ADDED_COLUMNS = ("subject",)
"""Sealed behind the legs, and where there is one alone: postings of before have the seals of
before."""
ENTRY_COLUMNS = (
    "id",
    "store_id",
    "posting_id",
    "account_id",
    "amount_pesewas",
    "balance_pesewas",
)


def _listed(alias: str, columns: Sequence[str]) -> str:
    return ", ".join(
        f"extract(epoch FROM {alias}.at)" if name == "at" else f"{alias}.{name}"
        for name in columns
    )


# The account's name is sealed with its leg: what an id means must not change either. OFFSET 0 and
# the subquery keep the planner from reading whole tables for each seal: it misjudges what the
# policies of row-level security let through.
_DIGESTS = f"""
  SELECT x.id, x.digest FROM unnest(s.members) AS r(ids) CROSS JOIN LATERAL (
    SELECT p.id, sha256(convert_to((CASE WHEN p.subject IS NULL
      THEN json_build_array({_listed("p", POSTING_COLUMNS)}, legs.legs)
      ELSE json_build_array({_listed("p", POSTING_COLUMNS)}, legs.legs, {_listed("p", ADDED_COLUMNS)})
    END)::text, 'UTF8')) AS digest
    FROM (SELECT * FROM postings WHERE id >= lower(r.ids) AND id < upper(r.ids) OFFSET 0) p
    LEFT JOIN (
      SELECT posting_id, json_agg(json_build_array({_listed("e", ENTRY_COLUMNS)},
        (SELECT name FROM accounts a WHERE a.id = e.account_id)) ORDER BY e.id) AS legs
      FROM (SELECT * FROM entries WHERE posting_id >= lower(r.ids) AND posting_id < upper(r.ids) OFFSET 0) e
      GROUP BY posting_id
    ) AS legs ON legs.posting_id = p.id
  ) AS x
"""  # noqa: S608 - columns from above


def digested(digests: str) -> str:
    """SQL: the digests of what a seal `s` covers in id order, and the marks kept of each. `digests`
    gives them by id."""
    return f"""
  SELECT coalesce(string_agg(d.digest, ''::bytea ORDER BY d.id), '') AS digests,
    coalesce(string_agg(substr(d.digest, 1, {_MARK}), ''::bytea ORDER BY d.id), '') AS marks
  FROM ({digests}) d
"""  # noqa: S608 - words of this room


_DIGESTED = digested(_DIGESTS)
_HASH = """
  encode(sha256(decode(s.previous, 'hex') || convert_to(json_build_array(extract(epoch FROM s.at), s.ok, s.findings,
  s.counts, s.sealed, s.last_id, s.members::text, s.gaps::text, s.horizon, s.cluster)::text, 'UTF8') || d.digests), 'hex')
"""


def cut_of(seals: str, rows: str) -> str:
    """SQL: what the next row of the table `seals` covers of the table `rows`, as `Cut` has it."""
    return f"""
WITH newest AS (
  SELECT hash, last_id, gaps, horizon, cluster FROM {seals} ORDER BY id DESC LIMIT 1
), before AS (
  SELECT * FROM newest UNION ALL SELECT :first, 0, '{{}}', 0, '' WHERE NOT EXISTS (SELECT FROM newest)
), fresh AS (
  SELECT p.id FROM before b JOIN {rows} p ON p.id > b.last_id
  UNION ALL
  SELECT p.id FROM before b, unnest(b.gaps) AS r JOIN {rows} p ON p.id >= lower(r) AND p.id < upper(r)
), took AS (
  SELECT count(*) AS sealed, coalesce(range_agg(int8range(id, id, '[]')), '{{}}') AS members, max(id) AS top FROM fresh
), here AS (
  SELECT pg_snapshot_xmin(snap)::text::bigint AS xmin, pg_snapshot_xmax(snap)::text::bigint AS xmax, cluster
  FROM (SELECT pg_current_snapshot() AS snap, system_identifier::text AS cluster FROM pg_control_system()) x
)
SELECT b.hash AS previous, t.sealed, greatest(b.last_id, t.top) AS last_id, t.members::text AS members,
  (CASE WHEN b.cluster = h.cluster AND h.xmin < b.horizon THEN b.gaps ELSE '{{}}' END
   + int8multirange(int8range(b.last_id, greatest(b.last_id, t.top), '(]')) - t.members)::text AS gaps,
  h.xmax AS horizon, h.cluster
FROM before b, took t, here h
"""  # noqa: S608 - names of this room


def behind_of(seals: str, rows: str) -> str:
    """SQL: the ids of `rows` that no seal covers and none will, `NAMED` of them, and how many there
    are."""
    return f"""
WITH newest AS (SELECT last_id, gaps FROM {seals} ORDER BY id DESC LIMIT 1),
known AS (SELECT coalesce(range_agg(members), '{{}}') + (SELECT gaps FROM newest) AS ids FROM {seals}),
closed AS (
  SELECT int8multirange(int8range({-(2**63)}, last_id, '[]')) - ids AS ids FROM newest, known
)
SELECT p.id::text, count(*) OVER () FROM closed, unnest(closed.ids) AS r
JOIN {rows} p ON p.id >= lower(r) AND p.id < upper(r) ORDER BY p.id LIMIT {NAMED}
"""  # noqa: S608 - names and numbers of ours


_CUT = cut_of("proofs", "postings")
_BEHIND = behind_of("proofs", "postings")


def newest_proof() -> Proof | None:
    """The newest proof; None before the first."""
    return db.session.scalar(select(Proof).order_by(Proof.id.desc()).limit(1))


def cut() -> Cut:
    """Decide what the next seal covers, from this snapshot alone. The caller lets nobody else seal
    meanwhile.

    A gap is closed once no transaction is open that was there when it was last written down. That
    rests on every writer of postings having a transaction id before it draws a posting's id:
    `ledger.post` locks rows first.
    """
    return Cut(**db.session.execute(text(_CUT), {"first": FIRST}).one()._mapping)


@inside_use_case
def seal(
    found: Cut, ok: bool, findings: Sequence[Finding], counts: dict[str, int]
) -> Proof:
    """Write the proof with its seal."""
    values = {
        **vars(found),
        "at": clock.now(),
        "ok": ok,
        "findings": json.dumps([item.as_json() for item in findings]),
        "counts": json.dumps(counts),
    }
    proof_id = db.session.execute(
        text(
            "INSERT INTO proofs (at, ok, findings, counts, sealed, last_id, members, gaps, horizon, cluster, previous, "  # noqa: S608 - from above
            f"hash, marks) SELECT s.*, {_HASH}, d.marks FROM (SELECT CAST(:at AS timestamptz) AS"
            " at, CAST(:ok AS boolean) AS ok, CAST(:findings AS jsonb) AS findings, CAST(:counts AS"
            " jsonb) AS counts, "
            "CAST(:sealed AS bigint) AS sealed, CAST(:last_id AS bigint) AS last_id, "
            "CAST(:members AS int8multirange) AS members, CAST(:gaps AS int8multirange) AS gaps, "
            "CAST(:horizon AS bigint) AS horizon, CAST(:cluster AS text) AS cluster, "
            f"CAST(:previous AS text) AS previous) s CROSS JOIN LATERAL ({_DIGESTED}) d"
            " RETURNING id"
        ),
        values,
    ).scalar_one()
    return db.session.get_one(Proof, proof_id)


def broken(whole: bool = False) -> tuple[list[Finding], int]:
    """Verify the chain against the books this snapshot shows: links, seals, and what was put in
    behind them.

    Every link each time; every seal as long as they are few or `whole` is asked for, else the
    newest and a turn of the older ones. Returns what does not hold and how many seals were
    verified.
    """
    heads = db.session.execute(
        text("SELECT id, at, sealed, previous, hash FROM proofs ORDER BY id")
    ).all()
    found = []
    if wrong := loose(heads):
        what = "Seals that do not follow the one before, which was changed or removed"
        found.append(finding("chain", what, wrong[:NAMED], len(wrong)))
    asked = heads if whole else turn_of(heads)
    for head in [head for batch in batches(asked) for head in _unsound(batch)][:NAMED]:
        found.append(_named(head))
    behind = db.session.execute(text(_BEHIND)).all()
    if behind:
        found.append(
            finding(
                "behind",
                "Postings put in behind the seals",
                [id_ for id_, _ in behind],
                behind[0][1],
            )
        )
    return found, len(asked)


def loose(heads: Sequence[Row[Any]]) -> list[str]:
    """The ids of seals that do not follow the one before."""
    hashes = [FIRST, *(head.hash for head in heads)]
    return [
        str(head.id)
        for head, before in zip(heads, hashes, strict=False)
        if head.previous != before
    ]


def turn_of(heads: Sequence[Row[Any]]) -> list[Row[Any]]:
    """The seals one proof verifies, oldest first: the newest `_AT_ONCE` postings, and one in
    `TURNS` of those before."""
    asked: list[Row[Any]] = []
    postings = 0
    for age, head in enumerate(reversed(heads)):
        postings += head.sealed
        if postings <= _AT_ONCE or (len(heads) - age) % TURNS == len(heads) % TURNS:
            asked.append(head)
    return asked[::-1]


def batches(heads: Sequence[Row[Any]]) -> Iterator[list[Row[Any]]]:
    """The same seals in pieces, each of which one statement verifies."""
    batch: list[Row[Any]] = []
    size = 0
    for head in heads:
        if batch and size + head.sealed >= _BATCH:
            yield batch
            batch = []
            size = 0
        batch.append(head)
        size += 1 + head.sealed
    if batch:
        yield batch


def _unsound(batch: Sequence[Row[Any]]) -> list[Row[Any]]:
    """The seals of a batch whose hash is not that of what they cover."""
    wrong = set(
        db.session.scalars(
            text(
                f"SELECT s.id FROM proofs s CROSS JOIN LATERAL ({_DIGESTED}) d "  # noqa: S608 - from above
                f"WHERE s.id = ANY(:ids) AND s.hash <> {_HASH}"
            ),
            {"ids": [head.id for head in batch]},
        )
    )
    return [head for head in batch if head.id in wrong]


def _named(head: Row[Any]) -> Finding:
    """Which posting of a seal that does not match was changed or removed, by the marks kept of
    each."""
    changed = changed_of("proofs", _DIGESTS, head.id)
    what = (
        f"Seal {head.id} of {head.at.astimezone(clock.ACCRA):%d %b %Y %H:%M} does not match the"
        " books any more"
    )
    if not changed:
        return Finding("seal", f"{what}: the seal itself was changed.", ())
    return finding(
        "seal", f"{what}. Postings changed or removed", changed[:NAMED], len(changed)
    )


def changed_of(seals: str, digests: str, seal_id: int) -> list[str]:
    """The ids of the rows a seal covers whose digest is not the one it kept a mark of."""
    ids, marks = db.session.execute(
        text(
            "SELECT ARRAY(SELECT i FROM unnest(members) r, "  # noqa: S608 - a name of ours
            "generate_series(lower(r), upper(r) - 1) AS i ORDER BY i), "
            f"marks FROM {seals} WHERE id = :id"
        ),
        {"id": seal_id},
    ).one()
    now: dict[int, bytes] = dict(
        db.session.execute(
            text(
                f"SELECT d.id, substr(d.digest, 1, {_MARK}) FROM {seals} s CROSS JOIN LATERAL ({digests}) d "  # noqa: S608 - from above
                "WHERE s.id = :id"
            ),
            {"id": seal_id},
        ).all()
    )
    kept = [marks[i : i + _MARK] for i in range(0, len(marks), _MARK)]
    return [
        str(id_) for id_, mark in zip(ids, kept, strict=False) if now.get(id_) != mark
    ]
