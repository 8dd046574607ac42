"""The ways of a search: each goes by an index to a bounded number of rows, however many orders
there are. What no index answers, a part out of the middle, is looked for among the newest orders.

Under row-level security an index is used by what cannot leak, `=` and `~<~` for two; LIKE can.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    collate,
    func,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from core.base import phones
from core.orders import pay_codes
from core.orders.model import Order
from core.orders.words import END_DIGITS, OrderWord, words_of_end

LONGEST_NAMED = 100
"""Characters of a search that may be a name, a number or a reference; longer ones are pasted texts
with a code in them."""
LOOKED_THROUGH = 1_000
"""So many of the newest orders are looked through for a part out of the middle, and so many of the
rows that an index leads to."""
FEWEST_DIGITS = 3
FEWEST_FIRST = 4
"""Digits after the zero that a number begins with to be found by index; a sixth of all numbers
begin with the same two."""
_AFTER_DIGITS = ":"
"""Comes after every digit."""
_AFTER_WORDS = "\U0010ffff"
_HIDDEN = re.compile(r"(\d+)\s*[•x*]{3,}\s*(\d{4})$")
"""A number as pages show it when it was forgotten: `024 ••• 4567`."""


@dataclass(frozen=True)
class Reach:
    """Where a search looks, and how much of it is wanted."""

    limit: int
    before: int | None
    store_id: int | None

    def of(self, table: type[Order | OrderWord]) -> list[ColumnElement[bool]]:
        order_id = table.id if issubclass(table, Order) else table.order_id
        conditions: list[ColumnElement[bool]] = []
        if self.store_id is not None:
            conditions.append(table.store_id == self.store_id)
        if self.before is not None:
            conditions.append(order_id < self.before)
        return conditions


Ids = Select[int]


def ways(text: str, reach: Reach) -> list[Ids]:
    """`akosua`, `024 123`, `Akosua 4567`, `tel:0241234567`, or a pasted line with whole numbers in
    it."""
    bare = re.sub(r"(?i)(tel:|(https?://)?wa\.me/)", "", text)
    hidden = _HIDDEN.search(bare)
    if hidden:
        begins = "+233" + _national(hidden[1])
        return [_by_end(hidden[2], [Order.recipient_msisdn.startswith(begins)], reach)]
    words = [word for word in bare.split() if any(sign.isalpha() for sign in word)]
    digits = re.sub(
        r"\D", "", "".join(word for word in bare.split() if word not in words)
    )
    whole = _whole_numbers(bare)
    ways = [*_references(text, reach), *(_by_number(number, reach) for number in whole)]
    ways += _told(text, whole, reach)
    if whole and not words:
        return ways
    named = [_has(Order.customer_name, word) for word in words]
    if len(digits) >= FEWEST_DIGITS:
        ways.append(_by_end(digits, named, reach))
        if len(_national(digits)) >= FEWEST_FIRST:
            ways.append(_by_beginning(_national(digits), named, reach))
    elif words:
        ways += _by_name(words, named, reach)
    return [*ways, _among_newest(text, digits, words, reach)]


def _references(text: str, reach: Reach) -> list[Ids]:
    """By ours, the supplier's, and in one store by that of its payment."""
    references = [
        select(Order.id).where(*reach.of(Order), Order.order_ref == text.upper()),
        select(Order.id).where(*reach.of(Order), Order.supplier_ref == text),
    ]
    if reach.store_id is not None and (pay_code := pay_codes.read(text)):
        references.append(
            select(Order.id).where(*reach.of(Order), Order.pay_code == pay_code)
        )
    return references


def _told(text: str, whole: Sequence[str], reach: Reach) -> list[Ids]:
    """In one store, by what customers say of payments that still wait to be looked at, as the
    message of one names it: a part of the payer, the payer's number, or the transaction id."""
    if reach.store_id is None:
        return []
    payers = [text, *(_in_groups(number) for number in whole)]
    fits = [_has(func.coalesce(Order.told_payer, ""), payer) for payer in payers]
    is_waiting = and_(Order.state == "pending", Order.told_at.is_not(None))
    return [
        select(Order.id)
        .where(*reach.of(Order), is_waiting)
        .where(or_(Order.told_transaction == text, *fits))
        .order_by(Order.id.desc())
        .limit(reach.limit)
    ]


def _in_groups(msisdn: str) -> str:
    """As a told payment keeps the payer's number."""
    return phones.show(phones.Msisdn(msisdn)).replace("\N{NO-BREAK SPACE}", " ")


def _has(
    name: ColumnElement[str] | InstrumentedAttribute[str], typed: str
) -> ColumnElement[bool]:
    """Whether a name has this part, in small letters of any script as the words' trigger makes
    them."""
    small = func.lower(collate(name, "pg_c_utf8"))
    return small.contains(typed.lower(), autoescape=True)


def _whole_numbers(text: str) -> list[str]:
    found = phones.found_in(text)
    if found:
        return found
    try:
        return [phones.parse(text)]
    except phones.BadNumber:
        return []


def _national(digits: str) -> str:
    """The digits of a number's beginning without country and zero."""
    return digits.removeprefix("00").removeprefix("233").lstrip("0") or digits


def _by_number(recipient_msisdn: str, reach: Reach) -> Ids:
    return (
        select(Order.id)
        .where(*reach.of(Order), Order.recipient_msisdn == recipient_msisdn)
        # as the index has them: by id, the planner may walk all orders for a rare number
        .order_by(Order.created_at.desc())
        .limit(reach.limit)
    )


def _by_end(
    digits: str, conditions: Sequence[ColumnElement[bool]], reach: Reach
) -> Ids:
    """Orders whose number ends so and that meet the conditions."""
    ends = [
        select(
            select(OrderWord.order_id)
            .where(*reach.of(OrderWord), OrderWord.word == word)
            .order_by(OrderWord.order_id.desc())
            .limit(LOOKED_THROUGH)
            .subquery()
            .c.order_id
        )
        for word in words_of_end(digits)
    ]
    checks = list(conditions)
    if len(digits) > END_DIGITS:
        checks.append(Order.recipient_msisdn.endswith(digits, autoescape=True))
    return _those(union_all(*ends).subquery(), checks, reach)


def _by_beginning(
    national: str, conditions: Sequence[ColumnElement[bool]], reach: Reach
) -> Ids:
    """Orders whose number begins so: `~<~` may go by the index under row-level security, LIKE may
    not."""
    first = f"+233{national}"
    number = Order.recipient_msisdn
    candidates = (
        select(Order.id)
        .where(
            *reach.of(Order),
            number.op("~>=~", is_comparison=True)(first),
            number.op("~<~", is_comparison=True)(first + _AFTER_DIGITS),
        )
        .limit(LOOKED_THROUGH)
        .subquery()
    )
    return _those(candidates, conditions, reach)


def _by_name(
    typed: Sequence[str], conditions: Sequence[ColumnElement[bool]], reach: Reach
) -> list[Ids]:
    """Orders with the longest of these words, whole or as the beginning of one, in their name, and
    all others anywhere in it."""
    words = re.findall(r"[^\W_]+", " ".join(typed).lower())
    longest = max(words, key=len)
    others = conditions if len(words) > 1 else []
    of_word = select(OrderWord.order_id).where(*reach.of(OrderWord))
    whole = of_word.where(OrderWord.word == longest).order_by(OrderWord.order_id.desc())
    begun = of_word.where(
        OrderWord.word > longest, OrderWord.word < longest + _AFTER_WORDS
    )
    return [
        _those(found.limit(LOOKED_THROUGH).subquery(), others, reach)
        for found in (whole, begun)
    ]


def _those(
    candidates: Subquery,
    conditions: Sequence[ColumnElement[bool]],
    reach: Reach,
) -> Ids:
    """Those of the candidates, whose first column is an order's id, that meet the conditions. Each
    is looked up by itself: a join may read the whole store, whose size a plan for any store does
    not know."""
    if not conditions:
        first = candidates.c[0]
        return select(first).order_by(first.desc()).limit(reach.limit)
    one = (
        select(Order.id)
        .where(*reach.of(Order), Order.id == candidates.c[0], *conditions)
        .limit(1)
        .lateral()
    )
    query = select(one.c.id).select_from(candidates).join(one, true())
    return query.order_by(one.c.id.desc()).limit(reach.limit)


def _among_newest(text: str, digits: str, words: Sequence[str], reach: Reach) -> Ids:
    """A part of a number or a name, wherever it stands, in the newest orders."""
    everywhere = Reach(reach.limit, None, reach.store_id)
    newest = (
        select(Order.id, Order.recipient_msisdn, Order.customer_name)
        .where(*everywhere.of(Order))
        .order_by(Order.id.desc())
        .limit(LOOKED_THROUGH)
        .subquery()
    )
    fits = _has(newest.c.customer_name, text)
    if len(digits) >= FEWEST_DIGITS:
        is_part = newest.c.recipient_msisdn.contains(_national(digits), autoescape=True)
        for word in words:
            is_part &= _has(newest.c.customer_name, word)
        fits = or_(fits, is_part)
    found = select(newest.c.id).where(fits)
    if reach.before is not None:
        found = found.where(newest.c.id < reach.before)
    return found
