"""What waits for the owner after a list, and his two answers.

Decides what agents pay and what is taken away. What counts for selling is never his to wait for:
see `choosing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select, text

from core import audit
from core.audit import Actor
from core.base import clock
from core.base.db import db, transaction
from core.base.preconditions import needs_across_stores
from core.base.tenancy import as_platform
from core.catalog import choosing, sync
from core.catalog.bundles import Bundle, SupplierOffer, agent_price, shelf_order
from core.catalog.steps import LOCK


@dataclass(frozen=True)
class Question:
    """One line that waits for the owner, or that he kept as it is. Amounts in pesewas."""

    bundle: Bundle
    stores_below: int
    """Stores whose price the new agent price would pass."""
    is_disproved: bool = False
    """The list only repeats its cost: what agents pay now was charged by a purchase."""
    left_out: str = ""
    """It is on the list, and why it cannot be offered; empty when the list has it not, or not on
    sale."""

    @property
    def seen(self) -> str:
        """What the owner decides about: a press that carries another word is too late."""
        if self.bundle.is_gone:
            return "gone"
        return str(self.bundle.last_cost_pesewas)

    @property
    def absence(self) -> str:
        """Why a bundle that no list offers is not sold."""
        if self.left_out:
            return f"On the list, but left out: {self.left_out}"
        return "Gone from the list, or not on sale there"

    @property
    def name(self) -> str:
        return choosing.name(self.bundle)

    @property
    def agent_price_pesewas(self) -> int:
        """What agents would pay."""
        return agent_price(self.bundle.last_cost_pesewas)

    @property
    def is_kept(self) -> bool:
        return self.bundle.kept_at is not None


@dataclass(frozen=True)
class Answered:
    """What a press did, by name of bundle: `moved_on` are lines that say something else by now, or
    nothing any more."""

    done: list[str]
    moved_on: list[str]


@needs_across_stores
def questions() -> list[Question]:
    """What waits for the owner and what he kept, by network and size."""
    waiting = select(Bundle).where(
        (Bundle.asked_at.is_not(None)) | (Bundle.kept_at.is_not(None))
    )
    found = sorted(db.session.scalars(waiting), key=shelf_order)
    floors = {bundle.id: agent_price(bundle.last_cost_pesewas) for bundle in found}
    rows = db.session.execute(
        _BELOW, {"ids": list(floors), "floors": list(floors.values())}
    ).all()
    below = {row.id: row.stores for row in rows}
    offers = select(SupplierOffer).where(
        SupplierOffer.id.in_([bundle.offer_id for bundle in found])
    )
    disproved = {
        one.id
        for one in db.session.scalars(offers)
        if one.known_cost_pesewas > one.cost_pesewas
    }
    why = _why_left_out()
    return [
        Question(
            bundle,
            below.get(bundle.id, 0),
            not bundle.is_gone and bundle.offer_id in disproved,
            why.get(choosing.meaning(bundle), "") if bundle.is_gone else "",
        )
        for bundle in found
    ]


def _why_left_out() -> dict[choosing.Meaning, str]:
    """Of what the newest list has and we cannot offer: what it was sold as, and why not now; what
    was bought last counts."""
    reasons = sync.left_out_reasons()
    query = (
        select(SupplierOffer)
        .where(SupplierOffer.product_code.in_(reasons))
        .order_by(SupplierOffer.seen_at)
    )
    return {
        choosing.meaning(offer): reasons[offer.product_code]
        for offer in db.session.scalars(query)
    }


@as_platform
def count_asked() -> int:
    """How many lines wait for the owner's first word."""
    return len(
        db.session.scalars(select(Bundle.id).where(Bundle.asked_at.is_not(None))).all()
    )


def approve(seen: Mapping[int, str], actor: Actor) -> Answered:
    """Let agents pay by the newest cost, or take away what is gone: bundle id -> `Question.seen`.
    The same press a second time changes nothing."""
    return _answer(seen, actor, keep=False)


def keep(seen: Mapping[int, str], actor: Actor) -> Answered:
    """Leave what agents pay, or what is gone, as it is until a list says something else. What
    counts for selling (`Bundle.cost_pesewas`) does not change."""
    return _answer(seen, actor, keep=True)


@as_platform
def _answer(seen: Mapping[int, str], actor: Actor, *, keep: bool) -> Answered:
    answered = Answered([], [])
    with transaction() as session:
        session.execute(LOCK)
        query = (
            select(Bundle)
            .where(Bundle.id.in_(seen))
            .order_by(Bundle.id)
            .with_for_update(key_share=True)
        )
        why = _why_left_out()
        for bundle in session.scalars(query):
            question = Question(
                bundle, 0, left_out=why.get(choosing.meaning(bundle), "")
            )
            if (
                bundle.asked_at is None and bundle.kept_at is None
            ) or question.seen != seen[bundle.id]:
                answered.moved_on.append(question.name)
                continue
            answered.done.append(question.name)
            detail: dict[str, object] = {"before_pesewas": bundle.paid_cost_pesewas}
            detail |= (
                {"is": question.absence}
                if bundle.is_gone
                else {"cost_pesewas": bundle.newest_cost_pesewas}
            )
            paid = bundle.agent_price_pesewas
            _carry_out(bundle, keep=keep)
            detail |= {
                "agents_paid_pesewas": paid,
                "agents_pay_pesewas": None
                if bundle.is_gone
                else bundle.agent_price_pesewas,
            }
            audit.write(
                actor,
                "keep_cost" if keep else "approve_cost",
                f"bundle:{bundle.id}",
                detail,
            )
    return answered


def _carry_out(bundle: Bundle, *, keep: bool) -> None:
    if keep:
        bundle.asked_at = None
        bundle.kept_at = bundle.kept_at or clock.now()
    elif bundle.is_gone:
        choosing.hide(bundle)
    else:
        offer = db.session.get_one(SupplierOffer, bundle.offer_id)
        if offer.cost_pesewas == bundle.last_cost_pesewas:
            offer.charged_pesewas = None  # he believes the list again
        choosing.pay_by(bundle, bundle.last_cost_pesewas)
        bundle.changed_at = clock.now()


_BELOW = text(
    "SELECT f.id, count(*) AS stores FROM unnest(CAST(:ids AS bigint[]), CAST(:floors AS bigint[]))"
    " f (id, floor) JOIN store_bundles s ON s.bundle_id = f.id WHERE NOT s.hidden AND"
    " s.price_pesewas < f.floor GROUP BY f.id"
)
