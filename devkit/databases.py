"""A database of Makola on a private PostgreSQL, and its roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import psycopg
from psycopg import sql

from core.base.rights import DEFINER_ROLE

OWNER_ROLE = "makola_owner"
STORE_ROLE = "makola_store"
PLATFORM_ROLE = "makola_platform"
YESTERDAYS_ROLE = "makola_app"
"""The one role that the application had before it had two."""


@dataclass(frozen=True)
class Database:
    """One database with its three addresses: `admin_url` owns and migrates, the application's two
    own nothing."""

    name: str
    admin_url: str
    store_url: str
    platform_url: str


class Server(Protocol):
    """What is asked of the server that the database is on."""

    port: int
    password: str

    @property
    def superuser_url(self) -> str: ...


def prepare_database(
    pg: Server,
    name: str,
    *,
    owner_password: str,
    store_password: str,
    platform_password: str,
) -> Database:
    """Make the roles and the database `name` if missing, and set the roles' passwords. Safe to
    repeat.

    `makola_owner` owns the database and its public schema and runs the migrations; `makola_store`
    and `makola_platform` own nothing, are neither superuser nor BYPASSRLS, and get only what the
    migrations grant them. Nobody logs in as the role that owns the functions, nor any more as the
    one role of before.
    """
    passwords = {
        OWNER_ROLE: owner_password,
        STORE_ROLE: store_password,
        PLATFORM_ROLE: platform_password,
    }
    database = sql.Identifier(name)
    owner = sql.Identifier(OWNER_ROLE)
    applications = sql.SQL(", ").join(
        [sql.Identifier(STORE_ROLE), sql.Identifier(PLATFORM_ROLE)]
    )
    definer = sql.Identifier(DEFINER_ROLE)
    with psycopg.connect(pg.superuser_url, autocommit=True) as connection:
        there = {role for (role,) in connection.execute("SELECT rolname FROM pg_roles")}
        for role, password in passwords.items():
            make_role(
                connection,
                role,
                password,
                exists=role in there,
            )
        if DEFINER_ROLE not in there:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(definer))
        connection.execute(sql.SQL("GRANT {} TO {}").format(definer, owner))
        if YESTERDAYS_ROLE in there:
            connection.execute(
                sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(YESTERDAYS_ROLE))
            )
        if not connection.execute(
            "SELECT 1 FROM pg_database WHERE datname = %s", (name,)
        ).fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner)
            )
        connection.execute(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database)
        )
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, applications)
        )
    with psycopg.connect(
        url("postgres", pg.password, pg.port, name), autocommit=True
    ) as connection:
        connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner))
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        connection.execute(
            sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(applications)
        )
    urls = [url(role, password, pg.port, name) for role, password in passwords.items()]
    return Database(name, *urls)


def make_role(
    connection: psycopg.Connection[Any], role: str, password: str, *, exists: bool
) -> None:
    """A role that may log in and has no power of its own; of one that exists, the password is
    set."""
    # Sent as a SCRAM verifier, so that no log of the server can ever hold the password.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL(
            "{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION"
            " PASSWORD {}"
        ).format(
            sql.SQL("ALTER" if exists else "CREATE"),
            sql.Identifier(role),
            sql.Literal(verifier.decode()),
        )
    )


def url(
    user: str,
    password: str,
    port: int,
    database: str,
) -> str:
    return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{port}/{database}"
