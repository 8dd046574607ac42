"""Whether a restored database is whole: its tables, the layers that separate stores, the guards of
the books, the books and their seals.

Looks as the application's roles, since those have to be bound. Changes nothing; the marking of open
orders is `orders.note_restore`, which the relay calls by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from core import proof
from core.base import database_identity, rights, tenancy
from core.base.db import PLATFORM, STORE, db

APPEND_ONLY = ("postings", "entries", "audit", "order_events", "proofs", "audit_seals")
WITHOUT_TEST = ("postings", "payment_messages", "not_received", "online_payments")
EVIDENCE = ("supplier_calls_answered_once", "webhook_events_only_counted")
PEOPLE = (
    "memberships_noted",
    "users_noted",
    *(f"{table}_permitted" for table in rights.PEOPLE_TABLES),
)
GUARDS = frozenset(
    {
        "entries_balanced",
        "gateway_refunds_within_payment",
        "orders_kind_kept",
        "orders_sum_day",
        "orders_sum_placed",
        "orders_words",
        "orders_words_of_name",
        "outbox_subject",
        *EVIDENCE,
        *PEOPLE,
        *(f"{table}_of_real_orders" for table in WITHOUT_TEST),
        *(f"{table}_frozen" for table in APPEND_ONLY),
    }
)
"""The triggers that refuse an unbalanced posting, a change of what is append only, and people
written by others, and those that name an outbox row's subject and sum what a store earns. A test
compares."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is as it must be, and a sentence."""

    ok: bool
    sentence: str


ROLES = (
    ("The stores' role", STORE, rights.STORE, "store", "DATABASE_STORE_URL"),
    ("The platform's role", PLATFORM, rights.PLATFORM, "platform", "DATABASE_URL"),
)


def look(migrations: str) -> list[Finding]:
    """Everything that a restore could have lost. `migrations` is the folder of the migrations."""
    with db.engine.connect() as connection:
        found = [
            Finding(not problem, problem or good)
            for good, problem in _structure(connection, migrations)
        ]
    found += [_rights(*role) for role in ROLES]
    with tenancy.across_stores():
        broken = proof.look()
        found.append(
            Finding(
                not broken,
                " ".join(["The books do not hold.", *broken])
                if broken
                else "The books hold.",
            )
        )
        found += [Finding(True, sentence) for sentence in _what_is_open()]
    return found


def _structure(connection: Connection, migrations: str) -> Iterator[tuple[str, str]]:
    """What is good in words, and what is wrong with it: empty when nothing is."""
    yield (
        "The tables are those of this program.",
        _wrong_version(connection, migrations),
    )
    looks: tuple[tuple[str, str, Callable[[Connection], list[str]]], ...] = (
        (
            "Every table of a store has row-level security.",
            "Tables without their row-level security",
            _without_row_security,
        ),
        ("The guards of the books stand.", "Missing triggers", _unguarded),
    )
    for good, bad, look_at in looks:
        names = look_at(connection)
        yield good, f"{bad}: {', '.join(names)}." if names else ""


def _rights(
    who: str, engine: str | None, role_rights: dict[str, str], kind: str, setting: str
) -> Finding:
    """Whether one of the two roles is bound by row-level security, and knows the program."""
    try:
        with db.engines[engine].connect() as connection:
            rights.refuse_wrong(connection, role_rights, kind, setting)
            rights.refuse_stranger(connection)
    except rights.WrongRights as problem:
        return Finding(False, str(problem))
    return Finding(True, f"{who} may do what it should and no more.")


def _wrong_version(connection: Connection, migrations: str) -> str:
    if connection.scalar(text("SELECT to_regclass('public.alembic_version')")) is None:
        return "There are no tables of Makola here."
    # here, since no other process needs it: see `operations.schema_commands`
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", migrations)
    head = ScriptDirectory.from_config(config).get_current_head()
    here = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if here == head:
        return ""
    return f"The tables are of version {here}, this program needs {head}: run `db upgrade`."


def _without_row_security(connection: Connection) -> list[str]:
    """Tables of a store without their policies. `rights` names them; a new one with a `store_id`
    must be among them."""
    return _names(
        connection,
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname ="
        " 'store_id' WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND"
        " c.relname <> ALL (:free) AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND"
        " :policies <@ ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid))",
        free=list(rights.GLOBAL_WITH_STORE),
        policies=list(rights.POLICIES),
    )


def _unguarded(connection: Connection) -> list[str]:
    standing = _names(
        connection,
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'",
    )
    return sorted(GUARDS - set(standing))


def _names(
    connection: Connection,
    query: str,
    **values: object,
) -> list[str]:
    return sorted(connection.execute(text(query), values).scalars())


def _what_is_open() -> Iterator[str]:
    states = db.session.execute(
        text(
            "SELECT state, count(*) FROM orders WHERE state NOT IN ('completed', 'refunded',"
            " 'cancelled', 'expired') AND NOT is_test GROUP BY 1 ORDER BY 1"
        )
    ).all()
    yield (
        "Open orders: "
        + (", ".join(f"{count} {state}" for state, count in states) or "none")
        + "."
    )
    newest = db.session.scalar(
        text("SELECT max(created_at) FROM orders WHERE NOT is_test")
    )
    yield (
        f"The newest order is from {newest:%Y-%m-%d %H:%M:%S} UTC."
        if newest
        else "There are no orders."
    )
    copy = database_identity.differences(db.session)
    if copy:
        yield (
            f"This is a copy ({', '.join(copy)}): when the relay starts, it makes every order that"
            " may have been bought since be asked about before it is bought."
        )
    else:
        yield "This is the database that Makola wrote to last."
