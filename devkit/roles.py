"""The roles of a database that is not ours: taken as they are, made where the owner may, or asked
for in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg import sql

from core.base.rights import DEFINER_ROLE
from devkit import databases
from devkit.plan import Addresses, Refusal


def complete(environ: Mapping[str, str], store_password: str) -> Addresses:
    """The addresses a person set, with the stores' role and the functions' role made when they are
    missing.

    Raises `Refusal` with the lines to run when the owner may not make roles, or the database does
    not answer.
    """
    platform_url = environ["DATABASE_URL"]
    admin_url = environ["DATABASE_ADMIN_URL"]
    store_url = environ.get("DATABASE_STORE_URL") or _as_store(
        platform_url, store_password
    )
    try:
        with psycopg.connect(
            _plain(admin_url), autocommit=True, connect_timeout=5
        ) as owner:
            _make_missing(owner, "DATABASE_STORE_URL" in environ, store_password)
    except psycopg.errors.InsufficientPrivilege as error:
        raise Refusal(
            _lines(
                urlsplit(admin_url).username or "",
                urlsplit(platform_url).path.lstrip("/"),
            )
        ) from error
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise Refusal(
            f"DATABASE_ADMIN_URL does not answer ({reason}): start that server, or correct it."
        ) from error
    return Addresses(platform_url, store_url, admin_url)


def _make_missing(
    owner: psycopg.Connection, has_store: bool, store_password: str
) -> None:
    there = {role for (role,) in owner.execute("SELECT rolname FROM pg_roles")}
    definer = sql.Identifier(DEFINER_ROLE)
    me = sql.SQL("CURRENT_USER")
    if DEFINER_ROLE not in there:
        owner.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(definer))
    mine = owner.execute(
        "SELECT pg_has_role(current_user, %s, 'SET')", (DEFINER_ROLE,)
    ).fetchone()
    if not (mine and mine[0]):
        owner.execute(sql.SQL("GRANT {} TO {}").format(definer, me))
    if has_store:
        return
    store = sql.Identifier(databases.STORE_ROLE)
    # whoever is no superuser may set its password and nothing else
    if databases.STORE_ROLE in there:
        verifier = owner.pgconn.encrypt_password(
            store_password.encode(), databases.STORE_ROLE.encode(), b"scram-sha-256"
        )
        owner.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                store, sql.Literal(verifier.decode())
            )
        )
    else:
        databases.make_role(owner, databases.STORE_ROLE, store_password, exists=False)
    may = owner.execute(
        "SELECT has_database_privilege(%s, current_database(), 'CONNECT')",
        (databases.STORE_ROLE,),
    ).fetchone()
    if not (may and may[0]):
        owner.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                sql.Identifier(owner.info.dbname), store
            )
        )


def _as_store(platform_url: str, password: str) -> str:
    """The same database at the same place, as the stores' role."""
    parts = urlsplit(platform_url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(
        netloc=f"{databases.STORE_ROLE}:{quote(password, safe='')}@{place}"
    ).geturl()


def _lines(owner: str, database: str) -> str:
    return (
        "DATABASE_STORE_URL is not set, or a role is missing, and the owner may not make roles. As"
        " a superuser run: "
        f"CREATE ROLE {databases.STORE_ROLE} LOGIN PASSWORD '…' NOSUPERUSER NOBYPASSRLS; "
        f'CREATE ROLE {DEFINER_ROLE} NOLOGIN; GRANT {DEFINER_ROLE} TO "{unquote(owner)}"; '
        f'GRANT CONNECT ON DATABASE "{unquote(database)}" TO {databases.STORE_ROLE}; '
        "then set DATABASE_STORE_URL to that role's address."
    )


def _plain(url: str) -> str:
    return "postgresql://" + url.partition("://")[2]
