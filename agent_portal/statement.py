"""Which part of the wallet's statement somebody asks for, by the address, and the same part as a
file for a spreadsheet.

Decides how days are typed and what the file says. Leaves each amount to `core.ledger`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from agent_portal.sheet import Cell, Sheet, amount
from core import ledger
from core.base import clock, text_input
from core.ledger import Span, StatementLine

CSV_PAGE = 500
CSV_PAGES = 40  # 20,000 lines a file; the last row says where the rest begins
HEAD = ("Date", "Time", "What", "Order", "In GHS", "Out GHS", "Balance GHS", "Note")
ODD_DAY = "Type a day like 2026-11-30 or 30/11/2026."


@dataclass
class Asked:
    """Days, both included, and a kind of line, as typed; what is wrong with them, by field."""

    from_text: str = ""
    to_text: str = ""
    kind: str = ""
    first: date | None = None
    last: date | None = None
    problems: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, args: Mapping[str, str]) -> Asked:
        one = cls(
            text_input.one_line(args.get("from", ""), 40),
            text_input.one_line(args.get("to", ""), 40),
        )
        if args.get("kind", "") in ledger.WALLET_KINDS:
            one.kind = args["kind"]
        one.first = one._day("from", one.from_text)
        one.last = one._day("to", one.to_text)
        if one.first and one.last and one.first > one.last:
            one.problems["from"] = "The first day is after the last one. Change one."
        if one.problems:
            one.first = one.last = None
        return one

    def _day(self, name: str, typed: str) -> date | None:
        if not typed:
            return None
        found = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", typed)
        turned = re.fullmatch(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", typed)
        if turned:
            parts = turned[3], turned[2], turned[1]
        elif found:
            parts = found[1], found[2], found[3]
        else:
            self.problems[name] = ODD_DAY
            return None
        try:
            day = date(*map(int, parts))
        except ValueError:
            self.problems[name] = ODD_DAY
            return None
        if not 1970 < day.year < 9000:
            self.problems[name] = ODD_DAY
        return day

    @property
    def has_days(self) -> bool:
        return self.first is not None or self.last is not None

    @property
    def is_part(self) -> bool:
        """Whether not all lines are asked for."""
        return self.has_days or bool(self.kind)

    def span(self) -> Span:
        return ledger.span(_midnight(self.first), _midnight(self.last, days=1))

    def lines(
        self, before: int | None, limit: int, within: Span | None
    ) -> list[StatementLine]:
        """The newest of them, before an entry id."""
        if within is None:
            return ledger.statement(before_id=before, limit=limit)
        if self.kind:
            return ledger.statement_of(self.kind, within, before, limit)
        return ledger.statement(before_id=before, limit=limit, within=within)

    def query(self, before: int | None = None) -> str:
        """The same part in an address, with its `?`; empty for all of it."""
        said = {
            "from": self.first.isoformat() if self.first else "",
            "to": self.last.isoformat() if self.last else "",
            "kind": self.kind,
            "before": before or "",
        }
        kept = urlencode({name: value for name, value in said.items() if value})
        return f"?{kept}" if kept else ""


def as_sheet(asked: Asked, before: int | None) -> Sheet:
    """The part as a file, newest first. With days, and no kind left out, it begins with the closing
    balance and ends with the opening one."""
    sheet = Sheet(*HEAD)
    within = asked.span() if asked.is_part else None
    told = within if asked.has_days and not asked.kind else None
    if told and not before:
        _balance_row(sheet, "Closing balance", told.closing_pesewas, asked.last)
    for _ in range(CSV_PAGES):
        lines = asked.lines(before, CSV_PAGE, within)
        for line in lines:
            sheet.row(*_cells(line))
        if len(lines) < CSV_PAGE:
            if told:
                opening = told.opening_pesewas
                _balance_row(sheet, "Opening balance", opening, asked.first)
            return sheet
        before = lines[-1].id
    sheet.row(f"Older lines follow: open /wallet.csv{asked.query(before)}")
    return sheet


def _cells(line: StatementLine) -> list[Cell]:
    local = line.at.astimezone(clock.ACCRA)
    came, went = max(0, line.amount_pesewas), max(0, -line.amount_pesewas)
    return [
        f"{local:%Y-%m-%d}",
        f"{local:%H:%M:%S}",
        line.kind_text,
        line.order_code or "",
        amount(came) if came else "",
        amount(went) if went else "",
        amount(line.balance_pesewas),
        line.note,
    ]


def _balance_row(sheet: Sheet, what: str, pesewas: int, day: date | None) -> None:
    when = day.isoformat() if day else ""
    sheet.row(when, "", what, "", "", "", amount(pesewas), "")


def _midnight(day: date | None, days: int = 0) -> datetime | None:
    """When a day begins in Accra, or one so many days later."""
    if day is None:
        return None
    later = day + timedelta(days=days)
    return datetime(later.year, later.month, later.day, tzinfo=clock.ACCRA)
