"""Finding orders by what somebody typed or pasted: a code, a number, a name, a reference."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, or_, select

from core.base import phones, text_input
from core.base.db import db
from core.orders.codes import LONGEST_PASTED, codes_in, read_code
from core.orders.model import Order

LONGEST_NAMED = 100
"""Characters of a search that may be a name, a number or a reference; longer ones are pasted texts
with a code in them."""


def by_code(text: str) -> Order | None:
    """The order whose code stands in a typed or pasted text, in what this work may see; the
    likeliest of several."""
    codes = codes_in(text)
    found = (
        list(db.session.scalars(select(Order).where(Order.code.in_(codes))))
        if codes
        else []
    )
    return min(found, key=lambda order: codes.index(order.code), default=None)


def by_codes(texts: Sequence[str]) -> list[Order]:
    """The orders of these codes, oldest first, in what this work may see. What is no code is left
    out."""
    codes = [code for text in texts if (code := read_code(text))]
    return list(
        db.session.scalars(
            select(Order).where(Order.code.in_(codes)).order_by(Order.id)
        )
    )


def with_proof(
    recipient_msisdn: str, own_codes: Sequence[str], pay_code: str | None
) -> list[Order]:
    """Orders for a number, newest first, to whoever proves that they are theirs: those of
    `own_codes`, and the one of this pay code. It asks the same whatever the number is."""
    theirs = select(Order).where(
        or_(Order.code.in_(own_codes), Order.pay_code == (pay_code or ""))
    )
    found = [
        order
        for order in db.session.scalars(theirs)
        if order.recipient_msisdn == recipient_msisdn
    ]
    return sorted(found, key=lambda order: order.id, reverse=True)


def find_any(asked: str, limit: int) -> list[Order]:
    """Orders by code, reference, number, supplier reference or name, newest first, in what this
    work may see."""
    return list(
        db.session.scalars(
            searched(select(Order), asked).order_by(Order.id.desc()).limit(limit)
        )
    )


def searched(query: Select[Order], asked: str) -> Select[Order]:
    """What a search finds. A code finds its order and nothing else; no digit of a code ever finds a
    number."""
    text = text_input.one_line(asked, LONGEST_PASTED)
    if not text:
        return query
    named = text[:LONGEST_NAMED]
    ways = [
        *_by_name_or_number(named),
        Order.order_ref == named.upper(),
        Order.supplier_ref == named,
    ]
    codes = codes_in(text)
    if not codes:
        return query.where(or_(*ways))
    # Ten digits may be a number too, unless somebody wrote them like a code.
    sure = [
        code
        for code in codes
        if not (code.isdigit() and text.replace(" ", "").isdigit())
    ]
    # a question of its own: together they would be one that no index answers
    found = db.session.execute(
        select(Order.id, Order.code).where(Order.code.in_(codes))
    ).all()
    if any(code in sure for _, code in found):
        return query.where(Order.id.in_([order_id for order_id, _ in found]))
    return query.where(or_(Order.code.in_(codes), *ways))


def _by_name_or_number(text: str) -> list[ColumnElement[bool]]:
    """`akosua`, `024 123`, `Akosua 4567`, `tel:0241234567`, or a pasted line with whole numbers in
    it."""
    ways: list[ColumnElement[bool]] = [
        Order.customer_name.icontains(text, autoescape=True)
    ]
    bare = re.sub(r"(?i)(tel:|(https?://)?wa\.me/)", "", text)
    words = [word for word in bare.split() if any(sign.isalpha() for sign in word)]
    digits = re.sub(
        r"\D", "", "".join(word for word in bare.split() if word not in words)
    )
    if len(digits) >= 3:
        is_number = Order.recipient_msisdn.contains(
            digits.removeprefix("00").removeprefix("233").lstrip("0") or digits,
            autoescape=True,
        )
        ways.append(
            and_(
                is_number,
                *(
                    Order.customer_name.icontains(word, autoescape=True)
                    for word in words
                ),
            )
        )
    if words and (whole := phones.found_in(bare)):
        ways.append(Order.recipient_msisdn.in_(whole))
    return ways
