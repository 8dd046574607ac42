"""The chain over the audit: each seal is a hash of the one before and of every line written since.

Made and verified by each proof of the books, by the same rules as the chain over the postings
(`seals`). So nothing is hashed or locked when a line is written, and a line that is changed,
removed or slipped in later is found and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, Row, select, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model, db
from core.base.preconditions import inside_use_case
from core.proof import seals
from core.proof.rules import NAMED, Finding, finding


class AuditSeal(Model):
    """One seal. Append only, also for the application. The columns are those of `seals.Proof`."""

    __tablename__ = "audit_seals"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    sealed: Mapped[int]
    last_id: Mapped[int]
    members: Mapped[Sequence[Range[int]]] = mapped_column(INT8MULTIRANGE, deferred=True)
    gaps: Mapped[Sequence[Range[int]]] = mapped_column(INT8MULTIRANGE, deferred=True)
    horizon: Mapped[int]
    cluster: Mapped[str]
    marks: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    previous: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[str] = mapped_column(unique=True)


COLUMNS = (
    "id",
    "at",
    "actor_kind",
    "actor_name",
    "user_id",
    "action",
    "subject",
    "detail",
)
"""Every column of the audit. A new one must be added here under a new recipe, or it is outside the
seals."""

_WORDS = ", ".join(
    f"extract(epoch FROM a.{name})" if name == "at" else f"a.{name}" for name in COLUMNS
)
_DIGESTS = f"""
  SELECT x.id, x.digest FROM unnest(s.members) AS r(ids) CROSS JOIN LATERAL (
    SELECT a.id, sha256(convert_to(json_build_array({_WORDS})::text, 'UTF8')) AS digest
    FROM (SELECT * FROM audit WHERE id >= lower(r.ids) AND id < upper(r.ids) OFFSET 0) a
  ) AS x
"""  # noqa: S608 - columns from above
_DIGESTED = seals.digested(_DIGESTS)
_HASH = """
  encode(sha256(decode(s.previous, 'hex') || convert_to(json_build_array(extract(epoch FROM s.at), s.sealed, s.last_id,
  s.members::text, s.gaps::text, s.horizon, s.cluster)::text, 'UTF8') || d.digests), 'hex')
"""
_CUT = seals.cut_of("audit_seals", "audit")
_BEHIND = seals.behind_of("audit_seals", "audit")


@inside_use_case
def seal() -> int:
    """Seal the lines written since the last seal, as a part of a proof, and return the newest
    seal's id.

    No seal is made when there is nothing to seal and no gap to close; 0 when there never was. An id
    of the audit is drawn by a transaction that has a number already (the default of the column sees
    to it), so a gap that is closed stays one.
    """
    found = db.session.execute(text(_CUT), {"first": seals.FIRST}).one()._mapping
    last = newest()
    if not found["sealed"] and (last is None or not last.gaps):
        return last.id if last else 0
    seal_id: int = db.session.execute(
        text(
            "INSERT INTO audit_seals (at, sealed, last_id, members, gaps, horizon, cluster, previous, hash, marks) "  # noqa: S608 - from above
            f"SELECT s.*, {_HASH}, d.marks FROM (SELECT CAST(:at AS timestamptz) AS at, "
            "CAST(:sealed AS bigint) AS sealed, CAST(:last_id AS bigint) AS last_id, "
            "CAST(:members AS int8multirange) AS members, CAST(:gaps AS int8multirange) AS gaps, "
            "CAST(:horizon AS bigint) AS horizon, CAST(:cluster AS text) AS cluster, "
            f"CAST(:previous AS text) AS previous) s CROSS JOIN LATERAL ({_DIGESTED}) d"
            " RETURNING id"
        ),
        {**found, "at": clock.now()},
    ).scalar_one()
    return seal_id


def newest() -> AuditSeal | None:
    """The newest seal of the audit; None before the first."""
    return db.session.scalar(select(AuditSeal).order_by(AuditSeal.id.desc()).limit(1))


def broken(whole: bool = False) -> list[Finding]:
    """Verify the chain against the audit this snapshot shows. `whole` as in `seals.broken`."""
    heads = db.session.execute(
        text("SELECT id, at, sealed, previous, hash FROM audit_seals ORDER BY id")
    ).all()
    found = []
    if wrong := seals.loose(heads):
        what = "Seals of the audit that do not follow the one before, which was changed or removed"
        found.append(finding("audit_chain", what, wrong[:NAMED], len(wrong)))
    known = db.session.scalar(
        text("SELECT max((counts ->> 'audit_seal')::bigint) FROM proofs")
    )
    if known and known not in {head.id for head in heads}:
        found.append(
            finding("audit_chain", "Seals of the audit that were removed", [str(known)])
        )
    asked = heads if whole else seals.turn_of(heads)
    for head in [head for batch in seals.batches(asked) for head in _unsound(batch)][
        :NAMED
    ]:
        found.append(_named(head))
    behind = db.session.execute(text(_BEHIND)).all()
    if behind:
        what = "Lines of the audit put in behind the seals"
        found.append(
            finding("audit_behind", what, [id_ for id_, _ in behind], behind[0][1])
        )
    return found


def _unsound(batch: Sequence[Row[Any]]) -> list[Row[Any]]:
    wrong = set(
        db.session.scalars(
            text(
                f"SELECT s.id FROM audit_seals s CROSS JOIN LATERAL ({_DIGESTED}) d "  # noqa: S608 - from above
                f"WHERE s.id = ANY(:ids) AND s.hash <> {_HASH}"
            ),
            {"ids": [head.id for head in batch]},
        )
    )
    return [head for head in batch if head.id in wrong]


def _named(head: Row[Any]) -> Finding:
    changed = seals.changed_of("audit_seals", _DIGESTS, head.id)
    day = f"{head.at.astimezone(clock.ACCRA):%d %b %Y %H:%M}"
    what = f"Seal {head.id} of the audit, of {day}, does not match it any more"
    if not changed:
        return Finding("audit_seal", f"{what}: the seal itself was changed.", ())
    return finding(
        "audit_seal", f"{what}. Lines changed or removed", changed[:NAMED], len(changed)
    )
