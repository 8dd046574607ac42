"""After every upgrade: each role gets what `core.base.rights` lists and nothing else, and the
program's keys are made known.

Run as the owner of the tables, in the transaction of the upgrade. Safe to repeat; corrects rights
that are missing or in excess, but does not touch roles of before, which work on until they are
dropped (docs/operate.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, text

from core.base import rights, signed


class MissingRole(RuntimeError):
    """A role of the database is not there; the message is a sentence with the lines to run."""


def run(
    connection: Connection, roles: rights.Roles, secret_keys: Sequence[str]
) -> None:
    """Grant, and write the keys of `secret_keys`: the program's own and those it still accepts."""
    owner = connection.scalar(text("SELECT current_user"))
    _refuse_missing(connection, roles, str(owner))
    _database(connection, roles)
    _functions(connection, roles)
    _policies(connection, roles, str(owner))
    for role, table_rights in (
        (roles.store, rights.STORE),
        (roles.platform, rights.PLATFORM),
        (rights.DEFINER_ROLE, rights.DEFINER),
    ):
        _tables(connection, role, table_rights)
    _keys(connection, secret_keys)


def _refuse_missing(connection: Connection, roles: rights.Roles, owner: str) -> None:
    names = {"DATABASE_STORE_URL": roles.store, "DATABASE_URL": roles.platform}
    if len({*names.values(), owner, rights.DEFINER_ROLE}) < 4:
        raise MissingRole(
            "DATABASE_STORE_URL, DATABASE_URL and DATABASE_ADMIN_URL must name three different roles; see "
            "docs/operate.md, 'Roles of the database'."
        )
    there = set(connection.scalars(text("SELECT rolname FROM pg_roles")))
    for setting, name in names.items():
        if name not in there:
            raise MissingRole(
                f"{setting} names the role {name}, which does not exist. As a superuser: CREATE ROLE {_quoted(name)} LOGIN "
                "PASSWORD '…' NOSUPERUSER NOBYPASSRLS; then run this again."
            )
    is_member = text(
        "SELECT pg_has_role(current_user, rolname, 'SET') FROM pg_roles WHERE rolname = :name"
    )
    if not connection.scalar(is_member, {"name": rights.DEFINER_ROLE}):
        raise MissingRole(
            f"The role {rights.DEFINER_ROLE}, which owns the functions, does not exist or is not granted to {owner}. As a "
            f"superuser: CREATE ROLE {rights.DEFINER_ROLE} NOLOGIN; GRANT {rights.DEFINER_ROLE} TO {_quoted(owner)}; then "
            "run this again."
        )


def _database(connection: Connection, roles: rights.Roles) -> None:
    """PostgreSQL lets everybody make tables of their own in a new database. Not ours, if it is the
    owner's to say."""
    name = text(
        "SELECT datname FROM pg_database WHERE datname = current_database() AND pg_has_role(datdba, 'USAGE')"
    )
    if database := connection.scalar(name):
        _do(
            connection,
            f"REVOKE CREATE, TEMPORARY ON DATABASE {_quoted(database)} FROM PUBLIC",
        )
    _do(
        connection,
        f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {_listed([roles.store, roles.platform])}",
    )
    _do(connection, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC")


def _functions(connection: Connection, roles: rights.Roles) -> None:
    """They belong to the definer, and only those named may call them. PostgreSQL lets everybody
    call a new function."""
    definer = rights.DEFINER_ROLE
    _do(
        connection, f"GRANT USAGE, CREATE ON SCHEMA public TO {definer}"
    )  # to be given a function, for this moment
    names = {"store": roles.store, "platform": roles.platform}
    found = connection.execute(
        text(
            "SELECT f.oid::regprocedure::text, pg_get_userbyid(f.proowner) FROM pg_proc f "
            "WHERE f.pronamespace = 'public'::regnamespace"
        )
    ).all()
    for function, owner in found:
        if function not in rights.FUNCTIONS:
            _do(connection, f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
            continue
        if owner != definer:
            _do(connection, f"ALTER FUNCTION {function} OWNER TO {definer}")
        who = rights.FUNCTIONS[function].split()
        callers = [names[kind] for kind in who if kind in names]
        _do(
            connection,
            f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC, {_listed(names.values())}",
        )
        if callers:
            _do(
                connection,
                f"GRANT EXECUTE ON FUNCTION {function} TO {_listed(callers)}",
            )
        if "public" in who:  # the default of a column, which roles of before write too
            _do(connection, f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")
    _do(connection, f"REVOKE CREATE ON SCHEMA public FROM {definer}")


def _policies(connection: Connection, roles: rights.Roles, owner: str) -> None:
    """One for each role on each table of a store. An existing one is left alone, since making it
    anew locks the table."""
    who = {
        "store_wall": roles.store,
        "platform_wall": roles.platform,
        "definer_wall": rights.DEFINER_ROLE,
        "owner_wall": owner,
    }
    there = {
        (row.tablename, row.policyname): list(row.roles)
        for row in connection.execute(
            text(
                "SELECT tablename, policyname, roles::text[] FROM pg_policies WHERE schemaname = 'public'"
            )
        )
    }
    _own_row(connection, roles.store, there.get(("stores", "own_store")))
    for table in rights.STORE_TABLES:
        for name, condition in rights.POLICIES.items():
            if there.get((table, name)) != [who[name]]:
                _do(connection, f"DROP POLICY IF EXISTS {name} ON {table}")
                _do(
                    connection,
                    f"CREATE POLICY {name} ON {table} TO {_quoted(who[name])} USING ({condition}) WITH CHECK ({condition})",
                )
        if (table, "yesterday_wall") in there:
            _yesterday(
                connection, table, {*who.values()}, there[table, "yesterday_wall"]
            )


def _own_row(connection: Connection, store_role: str, now: list[str] | None) -> None:
    """Beside the policy that shows every store to everybody: what a store changes there is its own
    row."""
    if now == [store_role]:
        return
    _do(connection, "DROP POLICY IF EXISTS own_store ON stores")
    _do(
        connection,
        f"CREATE POLICY own_store ON stores AS RESTRICTIVE FOR UPDATE TO {_quoted(store_role)} USING ({rights.OWN_ROW})",
    )


def _yesterday(
    connection: Connection, table: str, ours: set[str], now: list[str]
) -> None:
    """The wall of one role that could widen its own sight, for roles of before alone, as long as
    there are any."""
    before = sorted(
        connection.scalars(
            text(
                "SELECT DISTINCT pg_get_userbyid(a.grantee) FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a "
                "WHERE c.oid = to_regclass(:name) AND a.grantee <> 0 AND pg_get_userbyid(a.grantee) <> ALL (:ours)"
            ),
            {"name": f"public.{table}", "ours": list(ours)},
        )
    )
    if not before:
        _do(connection, f"DROP POLICY yesterday_wall ON {table}")
    elif before != sorted(now):
        _do(connection, f"ALTER POLICY yesterday_wall ON {table} TO {_listed(before)}")


def _tables(connection: Connection, role: str, table_rights: dict[str, str]) -> None:
    """Take everything back, then give what is listed: so what is in excess goes too."""
    to = _quoted(role)
    _do(connection, f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {to}")
    _do(connection, f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {to}")
    _do(connection, f"GRANT USAGE ON SCHEMA public TO {to}")
    sequences = set(
        connection.scalars(
            text("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")
        )
    )
    for table, words in table_rights.items():
        parsed = list(rights.columns_of(words))
        if parsed:
            _do(
                connection,
                f"GRANT {', '.join(f'{what} {columns}' for what, columns in parsed)} ON {table} TO {to}",
            )
        if f"{table}_id_seq" in sequences and any(
            what == "INSERT" for what, _ in parsed
        ):
            _do(connection, f"GRANT USAGE ON SEQUENCE {table}_id_seq TO {to}")


def _keys(connection: Connection, secret_keys: Sequence[str]) -> None:
    """Those of `secret_keys` and no others: words signed with a key that was given up are
    nobody's."""
    pads = [signed.pads(key) for key in secret_keys]
    for inner, outer in pads:
        connection.execute(
            text(
                "INSERT INTO signing_keys (inner_pad, outer_pad) VALUES (:inner, :outer) ON CONFLICT DO NOTHING"
            ),
            {"inner": inner, "outer": outer},
        )
    connection.execute(
        text("DELETE FROM signing_keys WHERE inner_pad <> ALL (:kept)"),
        {"kept": [inner for inner, _ in pads]},
    )


def _do(connection: Connection, statement: str) -> None:
    connection.execute(text(statement.replace(":", r"\:")))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
