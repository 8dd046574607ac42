"""What a worker left behind when it was stopped, as one text: what comes after can depend on nothing
else.

Two workers that were stopped at different points and left the same world end in the same way, so one
end of each world is walked. Decides what belongs to a world and which differences between two runs
mean nothing: references and numbers that nobody had before, and how long a call lasted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ][0-9:.]+(?:[+-]\d\d:\d\d|Z)?")
_STEADY = re.compile(r"\b\d+\.\d{4,}\b")
"""A moment of the clock that nobody sets."""
_DRAWN = re.compile(
    r'"(?:duration_ms|written_by)": [^,}]*'
    # the supplier's numbers, alone, in a text of JSON, and their ends in our sentences
    r'|(?<=")[0-9a-f]{24}(?=")|(?<=\\")[0-9a-f]{24}|…[0-9a-f]{4}'
)


def watch(superuser: psycopg.Connection[Any], tables: Iterable[str]) -> None:
    """Make the function that tells what changed in `tables`: one, because its statements are planned
    once."""
    told = " ".join(
        f"RETURN QUERY SELECT '{table}', to_jsonb(x)::text FROM public.{table} x"
        " WHERE x.xmin::text::bigint >= the_start;"
        f" RETURN QUERY SELECT '{table}', count(*)::text FROM public.{table};"
        for table in tables
    )
    superuser.execute(
        "CREATE FUNCTION released.left_behind(the_start bigint)"
        " RETURNS TABLE (place text, line text)"
        f" LANGUAGE plpgsql AS $$ BEGIN {told} END $$"
    )


class Numbers:
    """The sequences of the database: set back, what is made gets the numbers that it got before."""

    def __init__(self, superuser: psycopg.Connection[Any]) -> None:
        self._superuser = superuser
        names = superuser.execute(
            "SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences"
            " WHERE schemaname = 'public'"
        ).fetchall()
        calls = []
        for (name,) in names:
            at = superuser.execute(
                f"SELECT last_value, is_called FROM {name}"
            ).fetchone()
            assert at is not None
            calls.append(f"setval('{name}', {at[0]}, {at[1]})")
        self._set_back = f"SELECT {', '.join(calls)}"

    def set_back(self) -> None:
        self._superuser.execute(self._set_back)


class Start:
    """The moment before a worker begins; what is written later was written by it or after it."""

    def __init__(self, superuser: psycopg.Connection[Any]) -> None:
        self._superuser = superuser
        row = superuser.execute(
            "SELECT now(), pg_current_xact_id()::text::bigint"
        ).fetchone()
        assert row is not None
        self._at: datetime = row[0]
        self._transaction: int = row[1]

    def left_behind(self, references: Sequence[str]) -> str:
        """Each row that was written since, and how many rows each table has.

        Moments are whole seconds since the start; those before it are all one.
        """
        rows = self._superuser.execute(
            "SELECT place, line FROM released.left_behind(%s)", (self._transaction,)
        )
        text = "\n".join(f"{table} {line}" for table, line in sorted(rows))
        for at, reference in enumerate(references):
            text = text.replace(reference, f"reference {at}")
        text = _MOMENT.sub(self._seconds_since, _DRAWN.sub("", text))
        return _STEADY.sub("steady", text)

    def _seconds_since(self, found: re.Match[str]) -> str:
        moment = datetime.fromisoformat(found[0])
        seconds = (moment - self._at).total_seconds()
        return f"after {seconds // 1:.0f} s" if seconds >= 0 else "before"
