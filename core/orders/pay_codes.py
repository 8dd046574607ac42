"""Pay codes: six digits that the customer types as the reference of a MoMo payment, so that the
agent finds the order.

A help for matching, not a secret. The last digit is a check digit, so a digit mistyped, or two
swapped, is no code at all. Random, and unique in a store for `KEPT`.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Index,
    Select,
    Text,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.orm import aliased

from core.base import clock, config, text_input
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.orders.model import Order

KEPT = timedelta(days=90)
DIGITS = 6
TRIED_FIRST, TRIED = 8, 64
"""Codes that are tried for one order: a few with what is read anyway, and more when none of them is
free. There are 100,000; an order of a store that is almost out of them goes without: its own code
is a reference too."""
_DAMM = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)
"""H. Michael Damm's quasigroup of order 10: it finds every single wrong digit and every swap of
neighbours."""

_HAS_ONE = Order.pay_code.is_not(None)
Index(
    "uq_orders_pay_code",
    Order.store_id,
    Order.pay_code,
    unique=True,
    postgresql_where=_HAS_ONE,
)
Index("ix_orders_pay_code_age", Order.created_at, postgresql_where=_HAS_ONE)


def check_digit(digits: str) -> str:
    """The digit that makes `digits` whole; `0` for what is whole already."""
    row = 0
    for digit in digits:
        row = int(_DAMM[row][int(digit)])
    return str(row)


def new() -> str:
    """A code of random digits and their check digit."""
    digits = f"{secrets.randbelow(10 ** (DIGITS - 1)):0{DIGITS - 1}d}"
    return digits + check_digit(digits)


def some(many: int) -> list[str]:
    """About so many codes."""
    return list({new() for _ in range(many)})


def read(typed: str) -> str | None:
    """A code as people type it (`482 913`), or None when it is none."""
    plain = re.sub(r"[.·-]", "", text_input.compact(typed))
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", plain) or check_digit(plain) != "0":
        return None
    return plain


def shown(code: str) -> str:
    """`482913` -> `482 913`, kept together."""
    return f"{code[:3]}\N{NO-BREAK SPACE}{code[3:]}"


def free_of(tried: ColumnElement[Any], store_id: ColumnElement[int]) -> Select[Any]:
    """The first of these codes that no order of the store has, as `code`; no row when all are
    taken."""
    one = func.unnest(tried).table_valued("code").render_derived()
    has_it = aliased(Order)
    taken = select(has_it.id).where(
        has_it.store_id == store_id, has_it.pay_code == one.c.code
    )
    return select(one.c.code).where(~taken.exists()).limit(1)


@inside_use_case
def one_of_many(store_id: int) -> str | None:
    """A code that no order of the store has, when the first few were all taken; None when these are
    taken too."""
    asked = free_of(literal(some(TRIED), ARRAY(Text)), literal(store_id))
    found: str | None = db.session.scalar(asked)
    return found


@needs_across_stores
def free_old() -> int:
    """Take the codes of orders older than `KEPT` back, at most `relay_batch`. Returns how many."""
    old = (
        select(Order.id)
        .where(Order.pay_code.is_not(None), Order.created_at < clock.now() - KEPT)
        .order_by(Order.created_at)
        .limit(config.current().relay_batch)
        .with_for_update(key_share=True, skip_locked=True)
    )
    with transaction() as session:
        found = session.scalars(old).all()
        if found:
            db.session.execute(
                update(Order).where(Order.id.in_(found)).values(pay_code=None)
            )
        return len(found)
