"""A process of its own that holds a lock in PostgreSQL and so is in the way of a page.

`python lock_holder.py URL HOLD THEN` takes the lock of the statement HOLD, says "held", waits until
a session waits for it, and then: THEN "release" lets go at once; "keep" holds on until its standard
input ends; any other THEN is a second statement, which wants what the waiting session holds, so
that they wait in a circle and PostgreSQL ends one of them.
"""

from __future__ import annotations

import sys
import time

import psycopg

PATIENCE_S = 20


def main() -> None:
    url, hold, then = sys.argv[1:]
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as look:

        def somebody_waits() -> bool:
            row = look.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))",
                (holder.info.backend_pid,),
            ).fetchone()
            return bool(row and row[0])

        def until_somebody_waits() -> None:
            deadline = time.monotonic() + PATIENCE_S
            while not somebody_waits():
                if time.monotonic() > deadline:
                    sys.exit("nobody came")
                time.sleep(0.005)

        holder.execute(hold)
        print("held", flush=True)
        if then == "keep":
            sys.stdin.read()
        else:
            until_somebody_waits()
            if then != "release":
                holder.execute(then)
        holder.rollback()


if __name__ == "__main__":
    main()
