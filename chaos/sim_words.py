"""The words of SQL that our own queries use, read in Python: columns, conditions and functions.

Each stand-in takes what the real word takes and knows only what our shipped functions say. Anything else raises
`NotSpoken`, so a query in new words stops the simulation instead of being answered wrongly. The statements made of them
are in `sim_statements`; what rows there are, and what a transaction is, is decided in `sim_memory`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import isfunction
from typing import Any, NoReturn

Row = dict[str, Any]
Env = Mapping["Table", Row]
"""One row of each table of a join."""


class NotSpoken(NotImplementedError):
    """A query says something that is not known here. Teach it, or replace the whole function in `sim_seams`."""


class Table:
    """Stands in for a mapped class, and for its table, in queries. Calling it makes a row, as the class would.

    Rows are plain objects with the mapped class's own properties and methods. `by` is a column with an index.
    """

    def __init__(self, cls: type, *, by: str | None = None) -> None:
        columns = cls.__table__.columns  # type: ignore[attr-defined]
        self.cls, self.by = cls, by
        self.__name__ = cls.__name__
        self.c = self.__table__ = self
        self.primary: str = cls.__table__.primary_key.columns.keys()[0]  # type: ignore[attr-defined]
        self.names = frozenset(columns.keys())
        self.blank: Row = {}
        self.made_anew: list[tuple[str, Callable[[Any], Any]]] = []
        for column in columns:
            self.blank[column.key] = None
            if column.default is not None and column.default.is_callable:
                self.made_anew.append((column.key, column.default.arg))
            elif column.default is not None:
                self.blank[column.key] = column.default.arg
            assert not hasattr(self, column.key), f"{self.__name__}.{column.key} would hide something of this class"
            setattr(self, column.key, Column(column.key, self))
        own = {
            name: value
            for name, value in vars(cls).items()
            if isinstance(value, property) or (isfunction(value) and not name.startswith("__"))
        }
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
    """One condition on one table. `keep` picks the rows for which it holds; `among` are the only values its column may
    have, if known.
    """

    __slots__ = ("among", "columns", "keep")

    def __init__(
        self, keep: Callable[[list[Row]], list[Row]], columns: tuple[Column, ...], among: Sequence[Any] | None = None
    ) -> None:
        self.keep, self.columns, self.among = keep, columns, among

    @property
    def tables(self) -> set[Table]:
        return {column.table for column in self.columns}

    def holds(self, env: Env) -> bool:
        """Whether it holds for one row of a join."""
        return bool(self.keep([env[self.columns[0].table]]))

    def rank(self, env: Env) -> bool:
        """For `order_by`: false comes first."""
        return self.holds(env)


class Across(Test):
    """A condition on rows of several tables of a join."""

    __slots__ = ("_holds",)

    def __init__(self, holds: Callable[[Env], bool], columns: tuple[Column, ...]) -> None:
        super().__init__(self._cannot, columns)
        self._holds = holds

    def holds(self, env: Env) -> bool:
        return self._holds(env)

    @staticmethod
    def _cannot(_rows: list[Row]) -> NoReturn:
        raise NotSpoken("a condition on several tables without a join")


class Expression:
    """Something with a value for each row of one table. As in SQL a comparison with NULL holds for nothing."""

    __slots__ = ()
    __hash__ = object.__hash__
    name = ""

    @property
    def columns(self) -> tuple[Column, ...]:
        raise NotImplementedError

    @property
    def table(self) -> Table:
        return self.columns[0].table

    def of(self, rows: list[Row]) -> list[Any]:
        """Its value for each of these rows."""
        raise NotImplementedError

    def rank(self, env: Env) -> Any:
        """For `order_by`: the smallest comes first."""
        return self.of([env[self.table]])[0]

    def __eq__(self, value: object) -> Any:
        return self._compared(operator.eq, value)

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

    def _compared(self, how: Callable[[Any, Any], Any], value: Any) -> Test:
        def keep(rows: list[Row]) -> list[Row]:
            found = zip(rows, self.of(rows), strict=True)
            return [row for row, its in found if its is not None and how(its, value)]

        return Test(keep, self.columns)


class Column(Expression):
    """A column in a query."""

    __slots__ = ("name", "table")
    __hash__ = object.__hash__

    def __init__(self, name: str, table: Table) -> None:
        self.name, self.table = name, table  # type: ignore[misc]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self,)

    def of(self, rows: list[Row]) -> list[Any]:
        name = self.name
        return [row[name] for row in rows]

    def __eq__(self, value: object) -> Any:
        name = self.name
        if isinstance(value, Column):
            return Matched(self, value)
        if value is None:
            return Test(lambda _rows: [], (self,))
        if isinstance(value, Asked):
            return value.equal_to(self)
        return Test(lambda rows: [row for row in rows if row[name] == value], (self,), (value,))

    def __add__(self, more: int) -> Plus:
        return Plus(self.name, more)

    def is_(self, value: bool | None) -> Test:
        name = self.name
        return Test(lambda rows: [row for row in rows if row[name] is value], (self,))

    def is_not(self, value: bool | None) -> Test:
        name = self.name
        return Test(lambda rows: [row for row in rows if row[name] is not value], (self,))

    def is_not_distinct_from(self, value: Any) -> Test:
        name = self.name
        return Test(lambda rows: [row for row in rows if row[name] == value], (self,))

    def in_(self, values: Iterable[Any]) -> Test:
        name, wanted = self.name, list(values)
        return Test(lambda rows: [row for row in rows if row[name] in wanted], (self,), wanted)

    def not_in(self, values: Iterable[Any]) -> Test:
        name, unwanted = self.name, [None, *values]
        return Test(lambda rows: [row for row in rows if row[name] not in unwanted], (self,))

    def startswith(self, beginning: str) -> Test:
        return self._compared(str.startswith, beginning)

    def desc(self) -> Descending:
        return Descending(self)

    def _compared(self, how: Callable[[Any, Any], Any], value: Any) -> Test:
        name = self.name
        return Test(
            lambda rows: [row for row in rows if (found := row[name]) is not None and how(found, value)], (self,)
        )


class Coalesce(Expression):
    """The first of these columns that is not NULL."""

    __slots__ = ("columns",)
    __hash__ = object.__hash__

    def __init__(self, *columns: Column) -> None:
        self.columns = columns  # type: ignore[misc]

    def of(self, rows: list[Row]) -> list[Any]:
        names = [column.name for column in self.columns]
        return [next((row[name] for name in names if row[name] is not None), None) for row in rows]


class Choice(Expression):
    """Stands in for `case((condition, value), …, else_=value)`."""

    __slots__ = ("_else", "_ways")
    __hash__ = object.__hash__

    def __init__(self, *ways: tuple[Test, Any], else_: Any) -> None:
        self._ways, self._else = ways, else_

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for test, _value in self._ways for column in test.columns)

    def of(self, rows: list[Row]) -> list[Any]:
        return [next((value for test, value in self._ways if test.keep([row])), self._else) for row in rows]


class Together:
    """Stands in for `tuple_(…)`: columns on the left, values on the right."""

    __slots__ = ("_items",)

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __lt__(self, values: Together) -> Test:
        names, bound = [column.name for column in self._items], values._items

        def keep(rows: list[Row]) -> list[Row]:
            found = [(row, tuple(row[name] for name in names)) for row in rows]
            return [row for row, its in found if None not in its and its < bound]

        return Test(keep, self._items)


class Descending:
    """A column of `order_by`, largest first."""

    __slots__ = ("column",)

    def __init__(self, column: Column) -> None:
        self.column = column

    def rank(self, env: Env) -> Any:
        return self.column.rank(env)


class Plus:
    """A column's own value and something more, in `update`."""

    __slots__ = ("more", "name")

    def __init__(self, name: str, more: int) -> None:
        self.name, self.more = name, more


class Matched:
    """Two columns that must be equal: the ON of a join, or what ties an inner query to the outer one."""

    __slots__ = ("left", "right")

    def __init__(self, left: Column, right: Column) -> None:
        self.left, self.right = left, right

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.left, self.right)


class Asked:
    """A condition that needs an inner query answered first: `bound` asks it and gives the plain condition.

    `values` asks for one value of each row it finds; with a `column` the condition is that the column is among them, or
    not among them.
    """

    __slots__ = ("among", "column", "values")

    def __init__(
        self, values: Callable[[Any], Iterable[Any]], column: Column | None = None, *, among: bool = True
    ) -> None:
        self.values, self.column, self.among = values, column, among

    def equal_to(self, column: Column) -> Asked:
        return Asked(self.values, column)

    def __invert__(self) -> Asked:
        return Asked(self.values, self.column, among=not self.among)

    @property
    def columns(self) -> tuple[Column, ...]:
        assert self.column is not None
        return (self.column,)

    def bound(self, session: Any) -> Test:
        assert self.column is not None
        values = self.values(session)
        return self.column.in_(values) if self.among else self.column.not_in(values)


class Over:
    """An aggregate of all rows found: count, sum, min or max, also of some of them, also with a default."""

    __slots__ = ("default", "only", "term", "what")

    def __init__(self, what: str, term: Expression | None = None) -> None:
        self.what, self.term = what, term
        self.default: Any = None
        self.only: tuple[Test, ...] = ()

    def filter(self, *tests: Test) -> Over:
        self.only = tests
        return self

    @property
    def table(self) -> Table | None:
        return None if self.term is None else self.term.table

    def of(self, rows: list[Row]) -> Any:
        for test in self.only:
            rows = test.keep(rows)
        if self.what == "count":
            return len(rows)
        assert self.term is not None
        values = [value for value in self.term.of(rows) if value is not None]
        return {"sum": sum, "min": min, "max": max}[self.what](values) if values else self.default


class Functions:
    """Stands in for `sqlalchemy.func`."""

    def count(self, column: Column | None = None) -> Over:
        return Over("count", column)

    def sum(self, term: Expression) -> Over:
        return Over("sum", term)

    def min(self, column: Column) -> Over:
        return Over("min", column)

    def max(self, column: Column) -> Over:
        return Over("max", column)

    def coalesce(self, found: Any, default: Any) -> Any:
        if isinstance(found, Over):
            found.default = default
            return found
        return Coalesce(found, default)

    def pg_advisory_xact_lock(self, *_key: Any) -> None:
        """Nothing to wait for: transactions never overlap here."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NotSpoken(f"func.{name}")


def either(*tests: Test) -> Test:
    """Stands in for `or_`."""
    columns = tuple(column for test in tests for column in test.columns)
    if len({column.table for column in columns}) > 1:
        return Across(lambda env: any(test.holds(env) for test in tests), columns)

    def keep(rows: list[Row]) -> list[Row]:
        found = {id(row) for test in tests for row in test.keep(rows)}
        return [row for row in rows if id(row) in found]

    return Test(keep, columns)


def both(*tests: Test) -> Test:
    """Stands in for `and_`."""
    columns = tuple(column for test in tests for column in test.columns)
    if len({column.table for column in columns}) > 1:
        return Across(lambda env: all(test.holds(env) for test in tests), columns)

    def keep(rows: list[Row]) -> list[Row]:
        for test in tests:
            rows = test.keep(rows)
        return rows

    return Test(keep, columns)
