"""Which offer is bought for each bundle, what that costs, and when the owner is asked first.

An offer in the newest list beats one that is not; of those the cheaper one wins. What counts for
selling is settled here at once; what agents pay moves with it unless the step is so large that the
owner decides (`approving`).
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from core.base import clock
from core.base.db import db
from core.base.phones import NETWORKS
from core.base.preconditions import inside_use_case
from core.catalog import validity
from core.catalog.bundles import (
    Bundle,
    SupplierOffer,
    SyncReport,
    agent_price,
    size_text,
)
from core.catalog.steps import Rules, rules

Meaning = tuple[str, int, str]


@inside_use_case
def choose(
    report: SyncReport,
    *,
    reads_list: bool,
    only: Meaning | None = None,
) -> None:
    """Settle every bundle, or `only` one, by the offers as they are now, under its lock.

    `reads_list`: the offers are those of a list read just now. What changed is written into
    `report`.
    """
    session = db.session
    wanted = rules()
    # Not the stronger lock: an order being placed refers to its bundle while it holds its store,
    # which we want next.
    bundles = by_meaning(
        session.scalars(
            select(Bundle).order_by(Bundle.id).with_for_update(key_share=True)
        )
    )
    best = _best_offers(report)
    for key, offer in best.items():
        if only not in (None, key):
            continue
        bundle = bundles.get(key)
        if bundle is None:
            session.add(_new(offer))
            report.new.append(name(offer))
            continue
        before = _state(bundle)
        _settle(
            bundle,
            offer,
            wanted,
            report,
            reads_list=reads_list,
        )
        if _state(bundle) != before:
            bundle.changed_at = clock.now()
    for key, bundle in bundles.items():
        if key not in best and bundle.active and only in (None, key):
            _lose(bundle, wanted, report)


def _best_offers(report: SyncReport) -> dict[Meaning, SupplierOffer]:
    """The offer that is bought for each bundle. What it beats in the newest list is written into
    `report`."""
    offers = db.session.scalars(select(SupplierOffer).where(SupplierOffer.active))
    best: dict[Meaning, SupplierOffer] = {}
    for offer in sorted(
        offers, key=lambda one: (not one.is_listed, one.known_cost_pesewas, one.id)
    ):
        chosen = best.setdefault(meaning(offer), offer)
        if chosen is not offer and offer.is_listed:
            report.beaten.append(
                f"{offer.product_code} ({offer.known_cost_pesewas}) loses to {chosen.product_code}"
            )
    return best


def meaning(thing: SupplierOffer | Bundle) -> Meaning:
    """What a bundle is: network, MB, validity, however spelled."""
    return thing.network, thing.mb, validity.meaning(thing.validity)


def name(thing: SupplierOffer | Bundle) -> str:
    return f"{NETWORKS[thing.network].name} {size_text(thing.mb)} · {thing.validity}"


def pay_by(bundle: Bundle, cost_pesewas: int) -> None:
    """From now on this is what the bundle costs, and what the agent price is made of. An open
    question about it is closed."""
    bundle.cost_pesewas = cost_pesewas
    bundle.agent_price_pesewas = agent_price(cost_pesewas)
    bundle.approved_cost_pesewas = bundle.newest_cost_pesewas = None
    bundle.asked_at = bundle.kept_at = None


def _settle(
    bundle: Bundle,
    offer: SupplierOffer,
    wanted: Rules,
    report: SyncReport,
    *,
    reads_list: bool,
) -> None:
    was_pesewas = bundle.last_cost_pesewas
    bundle.offer_id = offer.id
    if offer.is_listed:
        bundle.unlisted_since = None
    else:
        bundle.unlisted_since = bundle.unlisted_since or clock.now()
    was_gone = bundle.is_gone
    bundle.is_gone = offer.missing_since is not None
    if bundle.is_gone:
        _ask_about_absence(bundle, wanted)
        return
    if not offer.is_listed:
        return  # refused: nothing is known of it but that
    if not bundle.active:
        bundle.active = True
        pay_by(bundle, offer.known_cost_pesewas)
        report.new.append(name(offer))
    else:
        if was_gone and bundle.newest_cost_pesewas is None:
            # it was asked about its absence, which is over
            bundle.asked_at = bundle.kept_at = None
        _move_cost(bundle, offer, wanted, reads_list=reads_list)
    if bundle.last_cost_pesewas != was_pesewas:
        report.moved.append(
            {
                "bundle": name(bundle),
                "from_pesewas": was_pesewas,
                "to_pesewas": bundle.last_cost_pesewas,
            }
        )


def _move_cost(
    bundle: Bundle,
    offer: SupplierOffer,
    wanted: Rules,
    *,
    reads_list: bool,
) -> None:
    paid_pesewas = bundle.paid_cost_pesewas
    known_pesewas = offer.known_cost_pesewas
    is_disproved = known_pesewas > offer.cost_pesewas
    if not is_disproved:
        newest_pesewas = offer.cost_pesewas
        may_pass = wanted.may_pass(paid_pesewas, newest_pesewas)
    elif known_pesewas > paid_pesewas:
        # it has been charged: no question any more
        newest_pesewas = known_pesewas
        may_pass = True
    elif known_pesewas < paid_pesewas:
        newest_pesewas = known_pesewas
        may_pass = False
    elif reads_list:
        newest_pesewas = offer.cost_pesewas
        may_pass = False
    else:
        return
    if may_pass or newest_pesewas == paid_pesewas:
        pay_by(bundle, newest_pesewas)
    else:
        _ask_about_cost(bundle, paid_pesewas, newest_pesewas)


def _ask_about_cost(
    bundle: Bundle,
    paid_pesewas: int,
    newest_pesewas: int,
) -> None:
    """Agents pay by `paid_pesewas` until the owner has answered about the newest cost."""
    if newest_pesewas != bundle.newest_cost_pesewas:
        bundle.kept_at = None
    bundle.approved_cost_pesewas = paid_pesewas
    bundle.newest_cost_pesewas = newest_pesewas
    bundle.cost_pesewas = max(paid_pesewas, newest_pesewas)
    if bundle.kept_at is None:
        bundle.asked_at = bundle.asked_at or clock.now()


def _ask_about_absence(bundle: Bundle, wanted: Rules) -> None:
    if bundle.active and bundle.kept_at is None and not wanted.by_itself:
        bundle.asked_at = bundle.asked_at or clock.now()


def _lose(bundle: Bundle, wanted: Rules, report: SyncReport) -> None:
    """It was missing long enough to be hidden: by itself, or when the owner says so."""
    bundle.unlisted_since = bundle.unlisted_since or clock.now()
    bundle.is_gone = True
    if not wanted.by_itself:
        _ask_about_absence(bundle, wanted)
        return
    hide(bundle)
    report.gone.append(name(bundle))


def hide(bundle: Bundle) -> None:
    """Take it away: no store sells it until a list has it again."""
    bundle.active = False
    bundle.changed_at = clock.now()
    bundle.asked_at = bundle.kept_at = None


def _new(offer: SupplierOffer) -> Bundle:
    return Bundle(
        network=offer.network,
        mb=offer.mb,
        validity=offer.validity,
        offer_id=offer.id,
        cost_pesewas=offer.known_cost_pesewas,
        agent_price_pesewas=agent_price(offer.known_cost_pesewas),
    )


def by_meaning(bundles: Iterable[Bundle]) -> dict[Meaning, Bundle]:
    """Each bundle under what it is. Of two that mean the same, kept from before, the one on sale
    counts."""
    on_sale_last = sorted(bundles, key=lambda bundle: (bundle.active, -bundle.id))
    return {meaning(bundle): bundle for bundle in on_sale_last}


def _state(bundle: Bundle) -> tuple[object, ...]:
    return (
        bundle.cost_pesewas, bundle.agent_price_pesewas, bundle.newest_cost_pesewas,
        bundle.offer_id, bundle.active,
        bundle.unlisted_since, bundle.is_gone,
    )  # fmt: skip
