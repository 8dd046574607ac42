"""The shop itself: bundles by network, closed and paused said before anyone orders, and what
strangers' programs read of it.

`GET /` is the same bytes for everyone: no cookie, no token. What is on the shelf is decided by
`core.catalog`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import (
    Response,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
)
from werkzeug.wrappers import Response as BaseResponse

from core import availability, catalog, logos, opening_hours, orders, shop
from core.availability import Now, SoldOut, Stop
from core.base import money, phones
from core.base.language import ROOTS, later, say
from core.delivery_times import Estimate, Record
from core.stores import Store
from storefront import bp, drawn, pictures
from storefront.addresses import own
from storefront.forms import OrderForm

FOLLOW = later("The order page always says where your data is.")

LOOK_AGAIN_S = 60
"""A shop that sells nothing just now is loaded again so often, so that it opens before the eyes of
who waits."""
CHOSEN_IS_GONE = later("The bundle you chose is not on sale here now. Choose another.")


@dataclass(frozen=True)
class Group:
    """One network on the shelf: what can be bought of it, what cannot and why, or why nothing of it
    can."""

    key: str
    name: str
    prefixes: tuple[str, ...]
    lines: list[catalog.ShelfLine]
    sold_out: SoldOut | None
    stop: Stop | None
    usual: Estimate | None
    """How long its deliveries take; None when that is not known or unsure."""


@bp.get("/")
def show_store() -> Response:
    """The shop. `?bundle=` chooses a bundle beforehand, for links of "buy again"."""
    shown: shop.Shop | None = None if request.query_string else g.get("shop")
    page = drawn.found(shown) if shown is not None else None
    if page is not None:
        orders.look()
        return _as_response(page, 200)
    form = OrderForm(bundle_text=request.args.get("bundle", "")[:9])
    return store_page(form, keep_as=shown)


@bp.get("/orders")
def orders_home() -> BaseResponse:
    """A reload of the address the review page was posted to."""
    return redirect(own("/"), 303)


@bp.get("/robots.txt")
def robots() -> Response:
    private = "\n".join(
        f"Disallow: {root}/{page}"
        for root in ROOTS.values()
        for page in ("orders", "review", "track")
    )
    return Response(f"User-agent: *\n{private}\n", mimetype="text/plain")


@bp.get("/preview.png")
def preview() -> Response:
    """The picture that chat programs show beside a link to the shop."""
    open_groups = _open(shelf_groups(*_what_is_shown()[:2]))
    return pictures.preview(g.store, _cheapest(open_groups))


@bp.get("/prices.png")
def price_list() -> Response:
    """The picture with every price, to be posted where no link can be."""
    _now, shelf, _record = _what_is_shown()
    return pictures.price_list(g.store, shelf)


def store_page(
    form: OrderForm,
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    *,
    keep_as: shop.Shop | None = None,
) -> Response:
    """The shop with what was typed. `errors` maps field names, or "" for the whole page, to
    sentences. `keep_as`: what the page is drawn from, if it may be shown again."""
    orders.look()
    now, shelf, record = _what_is_shown()
    groups = shelf_groups(now, shelf)
    values = _values(g.store, form, now, groups, record)
    if values["can_order"] and not errors and _has_chosen_what_is_gone(form, groups):
        errors = {"bundle": say(CHOSEN_IS_GONE)}
    page = render_template("storefront/store.html", **values, errors=errors or {})
    if keep_as is not None and not _shows_a_moment(now, groups):
        drawn.keep(keep_as, page)
    return _as_response(page, status)


def drawn_as(store: Store, problems: list[str]) -> str:
    """The front page as it would be if the store were so, with what is wrong above it; nothing on
    it can be pressed. For its agent, inside their store."""
    groups = shelf_groups(availability.now(), catalog.shelf())
    values = _values(store, OrderForm(), availability.now(), groups, None)
    errors = {f"p{n}": sentence for n, sentence in enumerate(problems)}
    return render_template(
        "storefront/store.html",
        **values,
        store=store,
        errors=errors,
        is_preview=True,
        logo_address=_as_data(store),
    )


def _as_data(store: Store) -> str:
    """The logo in the page itself: what stands in a frame without rights may load nothing."""
    picture = logos.picture(store.logo) if store.logo else None
    if picture is None:
        return ""
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}"


def _values(
    store: Store,
    form: OrderForm,
    now: Now,
    groups: list[Group],
    record: Record | None,
) -> dict[str, Any]:
    """What the page is drawn from."""
    open_groups = _open(groups)
    chosen_id = _chosen_id(form)
    is_open = store.is_open and not opening_hours.is_shut(store)
    can_order = is_open and now.everything is None and bool(open_groups)
    return {
        "form": form,
        "groups": groups,
        "chosen_id": chosen_id,
        "can_order": can_order,
        "away": opening_hours.away(store),
        "stop": now.everything,
        "unsure_since": now.unsure_since,
        "look_again_s": LOOK_AGAIN_S,
        "look_again_at": "" if request.method == "GET" else own("/"),
        "working": _working(open_groups),
        "from_prices": _from_prices(open_groups),
        "preview_address": pictures.preview_address(store, _cheapest(open_groups)),
        "follow": say(FOLLOW),
        "record": record,
        "is_timed": record is not None or any(group.usual for group in groups),
    }


def _shows_a_moment(now: Now, groups: list[Group]) -> bool:
    """Whether the page says since when something is so."""
    return bool(
        now.everything
        or now.unsure_since
        or any(group.stop or group.sold_out for group in groups)
    )


def _open(groups: list[Group]) -> list[Group]:
    return [group for group in groups if group.lines and not group.stop]


def _chosen_id(form: OrderForm) -> int | None:
    if re.fullmatch(r"[0-9]{1,9}", form.bundle_text):
        return int(form.bundle_text)
    return None


def _has_chosen_what_is_gone(form: OrderForm, groups: list[Group]) -> bool:
    if not form.bundle_text:
        return False
    return not _is_offered(_chosen_id(form), _open(groups))


def _as_response(page: str, status: int) -> Response:
    """The page as the browser may keep it."""
    response = make_response(page, status)
    g.back_may_show_it = True  # also when it answers a post
    if request.method == "POST":
        # The door has read the session for the form's token; the page shows nothing of it. Were it
        # to vary by cookie, Back would find no copy of it once any cookie has changed, and the
        # browser would ask to send the form again.
        session.accessed = False
    if status == 200 and request.method == "GET":
        response.add_etag()  # `edge.stored_pages` answers by it
    return response


def _what_is_shown() -> tuple[Now, list[catalog.ShelfLine], Record | None]:
    """What can be bought now, the shelf, the shop's record; of a front page they came with its
    store. A form that comes back with an error goes without the record."""
    shown: shop.Shop | None = g.pop("shop", None)
    if shown is None:
        return availability.now(), catalog.shelf(), None
    return shown.now, shown.shelf, shown.record


def shelf_groups(now: Now, shelf: list[catalog.ShelfLine]) -> list[Group]:
    """The shelf by network, in the order of `phones.NETWORKS`; a paused network stays, with since
    when.

    While nothing at all can be bought the whole shelf stays to be read: the page says why, above
    it.
    """
    named = ((line.bundle_id, line.network, line.size_text) for line in shelf)
    if now.everything is None:
        sold_out = {one.network: one for one in availability.sold_out(now, named)}
    else:
        sold_out = {}
    groups = []
    for key, network in phones.NETWORKS.items():
        stop = now.why_not(key) if now.everything is None else None
        own = [line for line in shelf if line.network == key]
        lines = [line for line in own if not _is_sold_out(now, line)]
        if own or stop:
            groups.append(
                Group(
                    key,
                    network.name,
                    network.prefixes,
                    lines,
                    sold_out.get(key),
                    stop,
                    now.estimate(key),
                )
            )
    return groups


def _is_sold_out(now: Now, line: catalog.ShelfLine) -> bool:
    why = now.why_not(line.network, line.bundle_id)
    return why is not None and why.reason == "float"


def _is_offered(bundle_id: int | None, open_groups: list[Group]) -> bool:
    return any(
        line.bundle_id == bundle_id for group in open_groups for line in group.lines
    )


def _working(open_groups: list[Group]) -> str:
    """The networks that still sell, as a sentence; empty for none."""
    names = [group.name for group in open_groups]
    return orders.working(names) if names else ""


def _from_prices(open_groups: list[Group]) -> str:
    """One line for link previews: the cheapest bundle of each network."""
    cheapest = _cheapest(open_groups)
    if not cheapest:
        return say("Data bundles for MTN, Telecel and AT.")
    return " · ".join(
        f"{name} {line.size_text} GH₵ {money.format_ghs(line.price_pesewas)}"
        for name, line in cheapest
    )


def _cheapest(open_groups: list[Group]) -> list[tuple[str, catalog.ShelfLine]]:
    return [
        (group.name, min(group.lines, key=lambda line: line.price_pesewas))
        for group in open_groups
    ]
