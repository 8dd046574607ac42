"""Finding orders by what somebody typed or pasted: a code, a number, a name, a reference. How each
is found is said in `search_ways`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ARRAY, BigInteger, any_, cast, or_, select, union_all

from core.base import tenancy, text_input
from core.base.db import db
from core.orders.codes import LONGEST_PASTED, codes_in, read_code
from core.orders.model import Order
from core.orders.search_ways import LONGEST_NAMED, Reach, ways


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


def by_ids(ids: Sequence[int]) -> list[Order]:
    """The orders of these ids, oldest first, in what this work may see."""
    return list(
        db.session.scalars(select(Order).where(Order.id.in_(ids)).order_by(Order.id))
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


def find_any(
    asked: str, limit: int, before: int | None = None, store_id: int | None = None
) -> list[Order]:
    """Orders by code, reference, number, supplier reference, name or, in one store, by what its
    customers say of payments that wait to be looked at; newest first, in what this
    work may see or in one store of it. `before` is the id to continue from.

    A code finds its order and nothing else; no digit of a code ever finds a number. An empty search
    finds everything.
    """
    text = text_input.one_line(asked, LONGEST_PASTED)
    if store_id is None and not tenancy.sees_everything():
        store_id = tenancy.current_store_id()
    reach = Reach(limit, before, store_id)
    query = select(Order).where(*reach.of(Order)).order_by(Order.id.desc())
    if text:
        # one array, of which a plan for any values expects few: of a list of fifty it may expect
        # more than of the whole store, and read that
        ids = cast(_found(text, reach), ARRAY(BigInteger))
        query = query.where(Order.id == any_(ids))
    return list(db.session.scalars(query.limit(limit)))


def _found(text: str, reach: Reach) -> list[int]:
    """The ids of the newest orders that a search finds, read in one statement or, with a code in
    it, two."""
    by_its_code: list[int] = []
    codes = codes_in(text)
    if codes:
        # Ten digits may be a number too, unless somebody wrote them like a code.
        sure = [
            code
            for code in codes
            if not (code.isdigit() and text.replace(" ", "").isdigit())
        ]
        rows = db.session.execute(
            select(Order.id, Order.code).where(Order.code.in_(codes))
        ).all()
        by_its_code = [order_id for order_id, _ in rows]
        if any(code in sure for _, code in rows):
            return by_its_code
    # each has its own order and limit, which a UNION takes from a subquery alone
    found = ways(text[:LONGEST_NAMED], reach)
    together = union_all(*(select(way.subquery().c[0]) for way in found)).subquery()
    ids = (select(together.c[0]).distinct().order_by(together.c[0].desc())).limit(
        reach.limit
    )
    return by_its_code + list(db.session.scalars(ids))
