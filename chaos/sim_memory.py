"""The database of the simulation: rows as dictionaries, and a session that reads, writes, commits and rolls back.

The shipped functions run on it as they are: `outbox.take`, `orders.ring`, `ledger.post`. As in PostgreSQL, what was read
outside a transaction goes stale, only changed columns are written, and an exception takes everything back. Transactions
never overlap here: what row locks decide is tested on the real database. Which tables there are and which rules they
keep is written in `sim_tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import TextClause

from chaos.sim_statements import Insert, Select, Update
from chaos.sim_words import Asked, Column, Descending, Env, NotSpoken, Over, Plus, Row, Table, Test

Rule = Callable[["Database", list[Row]], None]
"""Looks at the rows of one table that one statement wrote, and raises when the real database would refuse them."""
Listener = Callable[[Row | None, Row], None]
Twin = Callable[[str, Any], Exception]
"""What a second row of a table with the same value of a unique column raises: (table and column, the value)."""
Reading = Callable[["Session", Mapping[str, Any]], "Found"]
"""What a statement written as text does, given the values bound in it."""


class Database:
    """All rows, the rules of each table, and who is told what a commit wrote to it: (row before or None, row after)."""

    def __init__(
        self,
        tables: Sequence[Table],
        rules: Mapping[str, Rule],
        unique: Mapping[str, str],
        twin: Twin,
        texts: Mapping[str, Reading],
    ) -> None:
        self.by_class = {table.cls: table for table in tables}
        self.rows: dict[Table, dict[Any, Row]] = {table: {} for table in tables}
        self.index: dict[Table, dict[Any, list[Any]]] = {table: {} for table in tables}
        self.numbers: dict[Table, int] = dict.fromkeys(tables, 0)
        self.rules = {table: rules.get(table.__name__) for table in tables}
        self.unique = {table: unique.get(table.__name__) for table in tables}
        self._twin, self.texts = twin, texts
        self.tell: dict[Table, list[Listener]] = {table: [] for table in tables}

    def all(self, cls: type) -> dict[Any, Row]:
        """The committed rows of a table by their key."""
        return self.rows[self.by_class[cls]]

    def of(self, cls: type, value: Any) -> list[Row]:
        """The rows of a table whose indexed column has this value."""
        table = self.by_class[cls]
        rows = self.rows[table]
        return [rows[key] for key in self.index[table].get(value, ())]

    def refuse(self, table: Table, written: list[Row], columns: Any) -> None:
        """Hold what a statement wrote to these columns against the rules of its table."""
        rule, unique = self.rules[table], self.unique[table]
        if rule is not None:
            rule(self, written)
        if unique is not None and unique in columns:
            values = {row[unique] for row in written} - {None}
            for row in self.rows[table].values():
                if row[unique] in values and not any(row is one for one in written):
                    raise self._twin(f"{table.__name__}.{unique}", row[unique])


class Named(tuple[Any, ...]):
    """A row of chosen columns: by place and by name."""

    names: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        return self[self.names.index(name)]


class Found(list[Any]):
    """What was found, with the endings our queries use."""

    rowcount = 0
    """How many rows were changed."""

    def all(self) -> list[Any]:
        return list(self)

    def one(self) -> Any:
        if len(self) != 1:
            raise LookupError(f"{len(self)} rows instead of one")
        return self[0]

    def first(self) -> Any:
        return self[0] if self else None

    def scalar_one(self) -> Any:
        return self.one()[0]

    def scalars(self) -> Found:
        return Found(row[0] for row in self)


class Session:
    """One worker's session: what it has read, what it writes, and how to take that back."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.info: dict[str, Any] = {}
        self.dirty = self.new = self.deleted = ()
        self._seen: dict[tuple[Table, Any], tuple[Any, Row]] = {}
        """Each object loaded, with the row it was loaded from."""
        self._added: list[Any] = []
        self._undo: list[Callable[[], object]] = []
        self._written: list[tuple[list[Listener], Row | None, Row]] = []

    def __call__(self) -> Session:
        return self

    def add(self, row: Any) -> None:
        self._added.append(row)

    def flush(self) -> None:
        """Write what was changed and added, so that the queries of this transaction see it."""
        for place, (loaded, base) in self._seen.items():
            if loaded.__dict__ != base:
                changed = {name: value for name, value in loaded.__dict__.items() if base[name] != value}
                self._seen[place] = (loaded, base | changed)
                self.update(*place, changed)
        if self._added:
            added, self._added = self._added, []
            for row in added:
                self._add_now(row)

    def commit(self) -> None:
        self.flush()
        self._undo.clear()
        written, self._written = self._written, []
        for listeners, before, after in written:
            for tell in listeners:
                tell(before, after)

    def close(self) -> None:
        """Forget what was read and take back what was not committed."""
        while self._undo:
            self._undo.pop()()
        self._written.clear()
        self._seen.clear()
        self._added.clear()

    remove = close

    def get(self, table: Table, key: Any) -> Any:
        row = self.database.rows[table].get(key)
        return None if row is None else self._object(table, row)

    def get_one(self, table: Table, key: Any) -> Any:
        found = self.get(table, key)
        if found is None:
            raise LookupError(f"no {table.__name__} {key}")
        return found

    def scalars(self, query: Select) -> Found:
        if query.matched is None and query.table is not None and query.wanted[0] is query.table:
            return Found([self._object(query.table, row) for row in self._find(query)])
        return self.execute(query).scalars()

    def scalar(self, query: Select) -> Any:
        found = self.scalars(query)
        return found[0] if found else None

    def execute(self, query: Any, values: Mapping[str, Any] | None = None) -> Found:
        if isinstance(query, Select):
            return self._select(query)
        if isinstance(query, Insert):
            return self._insert_or(query)
        if isinstance(query, Update):
            rows = self._matching(query.table, query.tests)
            for row in rows:
                self.update(
                    query.table,
                    row[query.table.primary],
                    {name: _valued(new, row) for name, new in query.changes.items()},
                )
            return changed(len(rows))
        if isinstance(query, TextClause) and query.text in self.database.texts:
            if self.info.get("writing"):
                self.flush()
            return self.database.texts[query.text](self, values or {})
        raise NotSpoken(f"session.execute({query})")

    def _select(self, query: Select) -> Found:
        if query.wanted[0] is None:
            return Found()  # a lock
        if query.table is None:
            raise NotSpoken(f"select({query.wanted})")
        names = tuple(getattr(wanted, "name", "") for wanted in query.wanted)
        if query.matched is not None:
            found = self._joined(query)
            return Found([named(names, [self._wanted(one, env) for one in query.wanted]) for env in found])
        rows = self._find(query)
        columns = [wanted.of(rows) for wanted in query.wanted]
        if isinstance(query.wanted[0], Over):
            return Found([named(names, columns)])
        return Found([named(names, values) for values in zip(*columns, strict=True)])

    def _wanted(self, wanted: Any, env: Env) -> Any:
        if type(wanted) is Table:
            return self._object(wanted, env[wanted])
        if isinstance(wanted, Column):
            return env[wanted.table][wanted.name]
        raise NotSpoken(f"{wanted!r} of a join")

    def _find(self, query: Select) -> list[Row]:
        assert query.table is not None
        if self.info.get("writing"):
            self.flush()
        found = self._matching(query.table, self._bound(query.tests) if query.asks else query.tests)
        for term in reversed(query.order):
            if isinstance(term, Column):
                found.sort(key=itemgetter(term.name))
            else:
                table = query.table
                found.sort(key=lambda row, term=term: term.rank({table: row}), reverse=isinstance(term, Descending))  # type: ignore[misc]
        return found if query.limited is None else found[: query.limited]

    def _bound(self, tests: Sequence[Test | Asked]) -> Sequence[Test]:
        return [test.bound(self) if isinstance(test, Asked) else test for test in tests]

    def _matching(self, table: Table, tests: Sequence[Any]) -> list[Row]:
        rows = self.database.rows[table]
        for test in tests:
            if test.among is None:
                continue
            if test.columns[0].name == table.primary:
                found = [rows[key] for key in test.among if key in rows]
                break
            if test.columns[0].name == table.by:
                index = self.database.index[table]
                found = [rows[key] for value in test.among for key in index.get(value, ())]
                break
        else:
            found = list(rows.values())
        for test in tests:
            if not found:
                break
            found = test.keep(found)
        return found

    def _joined(self, query: Select) -> list[Env]:
        """Pairs of rows of the two tables of a join. What is asked of one table alone is asked before they are paired."""
        assert query.table is not None and query.matched is not None
        if self.info.get("writing"):
            self.flush()
        left, right = query.matched.left, query.matched.right
        alone: dict[Table, list[Test]] = {left.table: [], right.table: []}
        across = []
        for test in self._bound(query.tests):
            tables = test.tables
            if len(tables) == 1:
                alone[tables.pop()].append(test)
            else:
                across.append(test)
        theirs: dict[Any, list[Row]] = {}
        for row in self._matching(right.table, alone[right.table]):
            theirs.setdefault(row[right.name], []).append(row)
        if not theirs:
            return []
        ours = self._matching(left.table, [left.in_(theirs), *alone[left.table]])
        found: list[Env] = [{left.table: row, right.table: other} for row in ours for other in theirs[row[left.name]]]
        for test in across:
            found = [env for env in found if test.holds(env)]
        for term in reversed(query.order):
            found.sort(key=term.rank, reverse=isinstance(term, Descending))
        return found if query.limited is None else found[: query.limited]

    def _object(self, table: Table, row: Row) -> Any:
        place = (table, row[table.primary])
        seen = self._seen.get(place)
        if seen is None:
            made = table.plain()
            made.__dict__.update(row)
            self._seen[place] = (made, row)
            return made
        return seen[0]

    def update(self, table: Table, key: Any, values: Row) -> None:
        """Write these columns of one row, and hold them against the table's rules."""
        rows = self.database.rows[table]
        before = rows[key]
        after = rows[key] = {**before, **values}
        self._undo.append(lambda: rows.__setitem__(key, before))
        if self.database.tell[table]:
            self._written.append((self.database.tell[table], before, after))
        self.database.refuse(table, [after], values)

    def _insert_or(self, query: Insert) -> Found:
        table = query.table
        if query.clash is not None:
            (line,) = query.lines
            wanted = line[query.clash]
            for key, row in self.database.rows[table].items():
                if row[query.clash] == wanted:
                    if query.instead:
                        self.update(table, key, {name: _valued(new, row) for name, new in query.instead.items()})
                        row = self.database.rows[table][key]
                        return Found([(row[query.wanted.name],)] if query.wanted else [])
                    return Found()
        rows = [self._insert(table, line) for line in query.lines]
        self.database.refuse(table, rows, table.names)
        return Found([(row[query.wanted.name],) for row in rows] if query.wanted else [])

    def _add_now(self, made: Any) -> None:
        table = made._table
        row = self._insert(table, made.__dict__)
        self.database.refuse(table, [row], table.names)
        made.__dict__.update(row)
        self._seen[table, row[table.primary]] = (made, row)

    def _insert(self, table: Table, values: Row) -> Row:
        row = table.filled(values)
        if row[table.primary] is None:
            self.database.numbers[table] += 1  # as a sequence: never given back
            row[table.primary] = self.database.numbers[table]
        key, rows = row[table.primary], self.database.rows[table]
        rows[key] = row
        self._undo.append(lambda: rows.pop(key))
        if table.by is not None:
            keys = self.database.index[table].setdefault(row[table.by], [])
            keys.append(key)
            self._undo.append(keys.pop)
        if self.database.tell[table]:
            self._written.append((self.database.tell[table], None, row))
        return row


def changed(rows: int) -> Found:
    """What a statement that changed so many rows gives back."""
    found = Found()
    found.rowcount = rows
    return found


def named(names: tuple[str, ...], values: Sequence[Any]) -> Named:
    """A row of chosen columns."""
    row = Named(values)
    row.names = names
    return row


def _valued(new: Any, row: Row) -> Any:
    return row[new.name] + new.more if isinstance(new, Plus) else new
