"""The words of SQL that our own queries use, read in Python: `select`, `insert`, `update`, `or_`, `func` and columns.

Each stand-in takes what the real word takes and knows only what our shipped functions say. Anything else raises
`NotSpoken`, so a query in new words stops the simulation instead of being answered wrongly. What rows there are, and
what a transaction is, is decided in `sim_memory`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

Row = dict[str, Any]


class NotSpoken(NotImplementedError):
    """A query says something that is not known here. Teach it, or replace the whole function in `sim_seams`."""


class Table:
    """Stands in for a mapped class, and for its table, in queries. Calling it makes a row, as the class would.

    Rows are plain objects with the mapped class's own properties. `by` is a column with an index.
    """

    def __init__(self, cls: type, *, by: str | None = None) -> None:
        columns = cls.__table__.columns  # type: ignore[attr-defined]
        self.cls, self.by = cls, by
        self.__name__ = cls.__name__
        self.c = self.__table__ = self
        self.key: str = cls.__table__.primary_key.columns.keys()[0]  # type: ignore[attr-defined]
        self.names = frozenset(columns.keys())
        self.blank: Row = {}
        self.made_anew: list[tuple[str, Callable[[Any], Any]]] = []
        for column in columns:
            self.blank[column.key] = None
            if column.default is not None and column.default.is_callable:
                self.made_anew.append((column.key, column.default.arg))
            elif column.default is not None:
                self.blank[column.key] = column.default.arg
            setattr(self, column.key, Column(column.key, self))
        own = {name: value for name, value in vars(cls).items() if isinstance(value, property)}
        self.plain = type(cls.__name__, (), dict.fromkeys(self.names) | own | {"_table": self})

    def __call__(self, **values: Any) -> Any:
        made = self.plain()
        made.__dict__.update(values)
        return made

    def filled(self, values: Mapping[str, Any]) -> Row:
        """All columns, those not given as the mapped class would default them."""
        row = self.blank | values
        for name, make in self.made_anew:
            if name not in values:
                row[name] = make(None)
        return row


class Test:
    """One condition. `keep` picks the rows for which it holds; `among` are the only values its column may have, if known."""

    __slots__ = ("among", "columns", "keep")

    def __init__(
        self, keep: Callable[[list[Row]], list[Row]], columns: tuple[Column, ...], among: Sequence[Any] | None = None
    ) -> None:
        self.keep, self.columns, self.among = keep, columns, among


class Column:
    """A column in a query. As in SQL a comparison with NULL holds for nothing."""

    __slots__ = ("name", "table")
    __hash__ = object.__hash__

    def __init__(self, name: str, table: Table) -> None:
        self.name, self.table = name, table

    def __eq__(self, value: object) -> Any:
        name = self.name
        if isinstance(value, Column):
            return Matched(self, value)
        if value is None:
            return Test(lambda _rows: [], (self,))
        return Test(lambda rows: [row for row in rows if row[name] == value], (self,), (value,))

    def __ne__(self, value: object) -> Any:
        return self._compared(operator.ne, value)

    def __le__(self, value: Any) -> Test:
        return self._compared(operator.le, value)

    def __lt__(self, value: Any) -> Test:
        return self._compared(operator.lt, value)

    def __ge__(self, value: Any) -> Test:
        return self._compared(operator.ge, value)

    def __gt__(self, value: Any) -> Test:
        return self._compared(operator.gt, value)

    def __add__(self, more: int) -> Plus:
        return Plus(self.name, more)

    def is_(self, value: bool | None) -> Test:
        name = self.name
        return Test(lambda rows: [row for row in rows if row[name] is value], (self,))

    def is_not(self, value: bool | None) -> Test:
        name = self.name
        return Test(lambda rows: [row for row in rows if row[name] is not value], (self,))

    def in_(self, values: Sequence[Any]) -> Test:
        name, wanted = self.name, list(values)
        return Test(lambda rows: [row for row in rows if row[name] in wanted], (self,), wanted)

    def not_in(self, values: Sequence[Any]) -> Test:
        name, unwanted = self.name, [None, *values]
        return Test(lambda rows: [row for row in rows if row[name] not in unwanted], (self,))

    def startswith(self, beginning: str) -> Test:
        return self._compared(str.startswith, beginning)

    def desc(self) -> Descending:
        return Descending(self.name)

    def of(self, rows: list[Row]) -> list[Any]:
        name = self.name
        return [row[name] for row in rows]

    def _compared(self, how: Callable[[Any, Any], Any], value: Any) -> Test:
        name = self.name
        return Test(
            lambda rows: [row for row in rows if (found := row[name]) is not None and how(found, value)], (self,)
        )


class Descending:
    """A column of `order_by`, largest first."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Plus:
    """A column's own value and something more, in `update`."""

    __slots__ = ("more", "name")

    def __init__(self, name: str, more: int) -> None:
        self.name, self.more = name, more


class Matched:
    """Two columns that must be equal: the ON of a join."""

    __slots__ = ("left", "right")

    def __init__(self, left: Column, right: Column) -> None:
        self.left, self.right = left, right


class Over:
    """An aggregate of all rows found: count, sum, min or max, also of some of them, also with a default."""

    __slots__ = ("column", "default", "only", "what")

    def __init__(self, what: str, column: Column | None = None) -> None:
        self.what, self.column = what, column
        self.default: Any = None
        self.only: tuple[Test, ...] = ()

    def filter(self, *tests: Test) -> Over:
        self.only = tests
        return self

    @property
    def table(self) -> Table | None:
        return None if self.column is None else self.column.table

    def of(self, rows: list[Row]) -> Any:
        for test in self.only:
            rows = test.keep(rows)
        if self.what == "count":
            return len(rows)
        assert self.column is not None
        name = self.column.name
        values = [row[name] for row in rows if row[name] is not None]
        return {"sum": sum, "min": min, "max": max}[self.what](values) if values else self.default


class Functions:
    """Stands in for `sqlalchemy.func`."""

    def count(self, column: Column | None = None) -> Over:
        return Over("count", column)

    def sum(self, column: Column) -> Over:
        return Over("sum", column)

    def min(self, column: Column) -> Over:
        return Over("min", column)

    def max(self, column: Column) -> Over:
        return Over("max", column)

    def coalesce(self, found: Over, default: Any) -> Over:
        found.default = default
        return found

    def pg_advisory_xact_lock(self, *_key: Any) -> None:
        """Nothing to wait for: transactions never overlap here."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NotSpoken(f"func.{name}")


class Select:
    """Stands in for `select(…)`."""

    __slots__ = ("limited", "matched", "order", "table", "tests", "wanted")

    def __init__(self, *wanted: Any) -> None:
        self.wanted = wanted
        first = wanted[0]
        self.table: Table | None = first if type(first) is Table else getattr(first, "table", None)
        self.tests: tuple[Test, ...] = ()
        self.order: tuple[Any, ...] = ()
        self.limited: int | None = None
        self.matched: Matched | None = None

    def where(self, *tests: Test) -> Select:
        self.tests += tests
        if self.table is None:
            self.table = tests[0].columns[0].table
        return self

    def join(self, table: Table, on: Matched) -> Select:
        if self.matched is not None or self.table not in (on.left.table, on.right.table):
            raise NotSpoken("a join of more than two tables")
        self.matched = on if on.left.table is self.table else Matched(on.right, on.left)
        if self.matched.right.table is not table:
            raise NotSpoken(f"a join on {on.left.name} and {on.right.name}")
        return self

    def order_by(self, *columns: Any) -> Select:
        self.order = columns
        return self

    def limit(self, most: int) -> Select:
        self.limited = most
        return self

    def select_from(self, table: Table) -> Select:
        self.table = table
        return self

    def with_for_update(self, **_how: bool) -> Select:
        return self

    def __getattr__(self, name: str) -> NoReturn:
        raise NotSpoken(f"select().{name}")


class Insert:
    """Stands in for `insert(…)`, PostgreSQL's ON CONFLICT on one unique column included."""

    __slots__ = ("clash", "instead", "lines", "table", "wanted")

    def __init__(self, table: Table) -> None:
        self.table, self.lines = table, [{}]
        self.clash: str | None = None
        self.instead: dict[str, Any] = {}
        self.wanted: Column | None = None

    def values(self, lines: list[Row] | None = None, **columns: Any) -> Insert:
        self.lines = [columns] if lines is None else lines
        return self

    def on_conflict_do_nothing(self) -> Insert:
        self.clash = self.table.key
        return self

    def on_conflict_do_update(self, *, index_elements: list[Column], set_: dict[str, Any]) -> Insert:
        (column,) = index_elements
        self.clash, self.instead = column.name, set_
        return self

    def returning(self, column: Column) -> Insert:
        self.wanted = column
        return self


class Update:
    """Stands in for `update(…)`."""

    __slots__ = ("changes", "table", "tests")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.tests: tuple[Test, ...] = ()
        self.changes: dict[str, Any] = {}

    def where(self, *tests: Test) -> Update:
        self.tests += tests
        return self

    def values(self, **changes: Any) -> Update:
        self.changes = changes
        return self


def either(*tests: Test) -> Test:
    """Stands in for `or_`."""
    columns = tuple(column for test in tests for column in test.columns)

    def keep(rows: list[Row]) -> list[Row]:
        found = {id(row) for test in tests for row in test.keep(rows)}
        return [row for row in rows if id(row) in found]

    return Test(keep, columns)
