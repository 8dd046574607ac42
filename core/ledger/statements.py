"""A wallet's statement: its lines newest first, between two days or all of them, with the balance
before the first and after the last.

Decides where a day begins: at the first line that was booked in it. Lines are walked by their
order in the account, in which balances follow from each other, so opening balance and lines always
make the closing balance, also where a clock went back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from sqlalchemy import TextClause, text

from core.base import config
from core.base.db import db
from core.base.tenancy import current_store_id
from core.ledger.reading import KIND_TEXT

_AFTER_ALL = 2**63 - 1
_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
LOOKED_THROUGH = 500
"""Lines of a wallet that are looked through for when it became low."""
CHOSEN_KINDS = ("fund_wallet", "take_back", "hold", "release")
"""Kinds of posting by which pages narrow a wallet's lines."""
WALLET_KINDS = (*CHOSEN_KINDS, "fund_online", "fund_reversed")
"""Kinds of posting that move a wallet, in the words of its index."""


@dataclass(frozen=True)
class StatementLine:
    """One movement of a wallet: + came in, − went out; the balance after it."""

    id: int
    at: datetime
    kind: str
    kind_text: str
    order_code: str | None
    amount_pesewas: int
    balance_pesewas: int
    note: str


@dataclass(frozen=True)
class Span:
    """The wallet's lines between two moments: from the line `first` on, before the line `end`
    (None: no line is that late yet), and what was in the wallet before and after them."""

    since: datetime
    until: datetime
    first: int | None
    end: int | None
    opening_pesewas: int
    closing_pesewas: int


def span(since: datetime | None, until: datetime | None) -> Span:
    """The lines of the current store's wallet from one moment on and before another; None: all that
    there are on that side."""
    since, until = since or _EVER, until or _NEVER
    row = db.session.execute(
        _span(),
        {
            "store": current_store_id(),
            "since": since,
            "until": until,
            "after_all": _AFTER_ALL,
        },
    ).one()
    return Span(since, until, row.first_id, row.end_id, -row.opening, -row.closing)


def statement(
    before_id: int | None = None,
    limit: int | None = None,
    within: Span | None = None,
) -> list[StatementLine]:
    """The current store's wallet movements, newest first, `limit` of them before an entry id
    (keyset)."""
    begins, ends = _bounds(within, before_id or _AFTER_ALL)
    return _lines(_LINES, limit, begins=begins, before=ends)


def statement_of(
    kind: str,
    within: Span,
    before_id: int | None = None,
    limit: int | None = None,
) -> list[StatementLine]:
    """The same of one kind of posting alone, of `WALLET_KINDS`."""
    return _lines(
        _of_kind(kind),
        limit,
        since=within.since,
        until=within.until,
        before=before_id or 0,
    )


def low_since(least_pesewas: int) -> datetime | None:
    """Since when the current store's wallet has had less free than this, as far as its newest
    lines say; None when it has that much, or nothing ever moved in it."""
    found: datetime | None = db.session.scalar(
        _LOW,
        {
            "store": current_store_id(),
            "least": -least_pesewas,
            "looked_through": LOOKED_THROUGH,
        },
    )
    return found


def _bounds(within: Span | None, before_id: int) -> tuple[int, int]:
    """The first id and the one that is too late. A span that no line has reached has none."""
    if within is None:
        return 0, before_id
    begins = _AFTER_ALL if within.first is None else within.first
    return begins, min(before_id, within.end or _AFTER_ALL)


def _lines(
    statement: TextClause, limit: int | None, **values: object
) -> list[StatementLine]:
    values |= {
        "store": current_store_id(),
        "limit": limit or config.current().page_size,
    }
    return [
        StatementLine(id_, at, kind, KIND_TEXT[kind], code, -amount, -balance, note)
        for id_, at, kind, code, amount, balance, note in db.session.execute(
            statement, values
        )
    ]


_WALLET = "(SELECT id FROM accounts WHERE store_id = :store AND name = 'wallet')"
_COLUMNS = "e.id, p.at, p.kind, o.code, e.amount_pesewas, e.balance_pesewas, p.note"
_LINES = text(
    # its lines first: joined as one they are sorted, however many there are
    f"SELECT {_COLUMNS} FROM (SELECT * FROM entries WHERE store_id = :store"  # noqa: S608
    f" AND account_id = {_WALLET} AND id < :before AND id >= :begins"
    " ORDER BY id DESC LIMIT :limit) e JOIN postings p ON p.id = e.posting_id"
    " LEFT JOIN orders o ON o.id = p.order_id ORDER BY e.id DESC"
)


_LOW = text(
    "WITH few AS (SELECT id, posting_id, balance_pesewas FROM entries"  # noqa: S608
    f" WHERE store_id = :store AND account_id = {_WALLET} ORDER BY id DESC"
    " LIMIT :looked_through) SELECT p.at FROM few e JOIN postings p ON p.id = e.posting_id"
    " WHERE (SELECT balance_pesewas FROM few ORDER BY id DESC LIMIT 1) > :least"
    " AND e.id > coalesce((SELECT max(id) FROM few WHERE balance_pesewas <= :least), 0)"
    " ORDER BY e.id LIMIT 1"
)


_MOVES = (
    "EXISTS (SELECT FROM entries w WHERE w.posting_id = {0}.id"
    f" AND w.account_id = {_WALLET})"
)
"""A hold or release of an order that is paid online moves no wallet."""


@cache
def _of_kind(kind: str) -> TextClause:
    assert kind in WALLET_KINDS
    last = (
        "(SELECT b.{0} FROM entries x JOIN postings b ON b.id = x.posting_id"
        " WHERE x.store_id = :store AND x.id = :before)"
    )
    return text(
        f"SELECT {_COLUMNS} FROM (SELECT * FROM postings WHERE store_id = :store"  # noqa: S608
        f" AND kind = '{kind}' AND at >= :since AND (at, id) <"
        f" (coalesce({last.format('at')}, :until), coalesce({last.format('id')}, 0))"
        f" AND {_MOVES.format('postings')}"
        # each line by itself: joined, all of the account's are read beside a few
        " ORDER BY at DESC, id DESC LIMIT :limit) p CROSS JOIN LATERAL (SELECT * FROM entries"
        f" WHERE posting_id = p.id AND account_id = {_WALLET} OFFSET 0) e"
        " LEFT JOIN orders o ON o.id = p.order_id"
        " ORDER BY p.at DESC, p.id DESC"
    )


def _first_from(moment: str) -> str:
    """The first line that was booked at a moment or later. Each kind is asked by itself, in words:
    so each is one look into the index."""
    looks = " UNION ALL ".join(
        # the line of one posting, after it was found
        "(SELECT (SELECT e.id FROM entries e WHERE e.posting_id = p.id"  # noqa: S608
        f" AND e.account_id = {_WALLET}) AS id FROM postings p WHERE p.store_id = :store"
        f" AND p.kind = '{kind}' AND p.at >= :{moment} AND {_MOVES.format('p')}"
        " ORDER BY p.at, p.id LIMIT 1)"
        for kind in WALLET_KINDS
    )
    return f"(SELECT min(id) FROM ({looks}) found)"  # noqa: S608 - words from above


@cache
def _span() -> TextClause:
    """The bounds are found first (OFFSET 0), with what is compared as they are: a COALESCE in the
    look for a balance would keep it from its index, under the policies of the rows."""
    before = (
        "coalesce((SELECT balance_pesewas FROM entries WHERE store_id = :store"  # noqa: S608
        f" AND account_id = {_WALLET} AND id < bounds.{{}} ORDER BY id DESC LIMIT 1), 0)"
    )
    found = f"SELECT {_first_from('since')} AS first_id, {_first_from('until')} AS end_id OFFSET 0"
    # an end before the beginning is none: a clock had run ahead
    bounds = (
        "SELECT first_id, greatest(end_id, CASE WHEN end_id IS NOT NULL THEN first_id END)"  # noqa: S608
        " AS end_id, coalesce(first_id, :after_all) AS from_id, coalesce(greatest(end_id,"
        f" CASE WHEN end_id IS NOT NULL THEN first_id END), :after_all) AS to_id FROM ({found})"
        " found OFFSET 0"
    )
    return text(
        f"SELECT first_id, end_id, {before.format('from_id')} AS opening,"  # noqa: S608
        f" {before.format('to_id')} AS closing FROM ({bounds}) bounds"
    )
