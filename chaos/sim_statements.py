"""The statements that our own queries are made of, read in Python: `select`, `insert` and `update`.

Each knows only what our shipped functions say; anything else raises `NotSpoken`. The words inside them, columns and
conditions, are in `sim_words`; what rows there are, and what a transaction is, is decided in `sim_memory`.
"""

from __future__ import annotations

from typing import Any, NoReturn

from chaos.sim_words import Asked, Column, Matched, NotSpoken, Row, Table, Test


class Select:
    """Stands in for `select(…)`, of one table or of two that are joined."""

    __slots__ = ("asks", "limited", "matched", "order", "table", "tests", "ties", "wanted")

    def __init__(self, *wanted: Any) -> None:
        self.wanted = wanted
        first = wanted[0]
        self.table: Table | None = first if type(first) is Table else getattr(first, "table", None)
        self.tests: tuple[Test | Asked, ...] = ()
        self.asks = False
        """Whether a condition needs an inner query answered first."""
        self.ties: tuple[Matched, ...] = ()
        """What ties this query, as an inner one, to the outer one."""
        self.order: tuple[Any, ...] = ()
        self.limited: int | None = None
        self.matched: Matched | None = None

    def where(self, *tests: Any) -> Select:
        for test in tests:
            if type(test) is Matched:
                self.ties += (test,)
            else:
                self.tests += (test,)
                self.asks = self.asks or type(test) is Asked
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

    def with_for_update(self, **_how: Any) -> Select:
        return self

    def scalar_subquery(self) -> Asked:
        """The one value this query finds, to compare a column with."""
        return Asked(lambda session: session.scalars(self)[:1])

    def exists(self) -> Asked:
        """Whether this query finds anything for a row of the outer one."""
        if len(self.ties) != 1:
            raise NotSpoken("an inner query that is tied by more or less than one column")
        (tie,) = self.ties
        inner, outer = (tie.left, tie.right) if tie.left.table is self.table else (tie.right, tie.left)
        plain = Select(inner).where(*self.tests)
        return Asked(lambda session: session.scalars(plain), outer)

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
        self.clash = self.table.primary
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
