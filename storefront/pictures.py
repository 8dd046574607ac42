"""The pictures of a store, and the manifest that names its icons: made by us of its logo or its
letter, the same for everybody.

Decides what they show, and that each is drawn once a content and process. How it is drawn is in
`drawing`, which is imported by the first picture, so that a process that draws none stays light.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence

from cachetools import LRUCache, cached
from flask import Response, abort, g, jsonify, request

from core import logos
from core.base import clock, colours, config, money, phones
from core.base.language import later
from core.catalog import ShelfLine
from core.stores import Store
from storefront import bp, theme
from storefront.addresses import own

PREVIEW_KEPT_S = 3_600
ICON_KEPT_S = 86_400
MOST_BYTES = 2 * 1024 * 1024
"""Of the pictures of one process, some three hundred stores; the least lately shown goes first."""
SIDES = (192, 512)
Cheapest = Sequence[tuple[str, ShelfLine]]
"""The name of each network that sells, with its cheapest bundle."""

_drawn: LRUCache[tuple[object, ...], bytes] = LRUCache(MOST_BYTES, getsizeof=len)
_in_turn = threading.Condition()


@bp.get("/icon-192.png", defaults={"side": 192})
@bp.get("/icon-512.png", defaults={"side": 512})
@bp.get("/icon-maskable.png", defaults={"side": 512, "is_whole": True})
def icon(side: int, is_whole: bool = False) -> Response:
    """The store's tile, for a phone's home screen; whole, for phones that cut a shape of their
    own."""
    store: Store = g.store
    picture = _icon(
        store.name,
        _host(store),
        theme.valid(store.colour),
        side,
        is_whole,
        *_logo(store),
    )
    return _answer(picture, ICON_KEPT_S)


@bp.get("/manifest.webmanifest")
def manifest() -> Response:
    """What a phone needs to put the store on its home screen."""
    store: Store = g.store
    colour = theme.valid(store.colour)
    mark = _mark(store.name, colour, *filter(None, [store.logo]))
    icons = [
        {
            "src": f"/icon-{side}.png?v={mark}",
            "sizes": f"{side}x{side}",
            "type": "image/png",
        }
        for side in SIDES
    ]
    whole = {
        "src": f"/icon-maskable.png?v={mark}",
        "sizes": "512x512",
        "type": "image/png",
        "purpose": "maskable",
    }
    response = jsonify(
        name=store.name,
        short_name=store.name[:12],
        start_url=own("/"),
        display="standalone",
        theme_color=colour,
        background_color=colours.PAPER,
        icons=[*icons, whole],
    )
    response.mimetype = "application/manifest+json"
    return response


def preview_address(store: Store, cheapest: Cheapest) -> str:
    """Of the picture for previews of links, as strangers' programs need it. It changes with what
    the picture shows, since they keep a picture by its address."""
    shown = (store.name, theme.valid(store.colour), *_lines(cheapest))
    mark = _mark(*shown, *filter(None, [store.logo]))
    return f"{config.current().address(store.slug)}/preview.png?v={mark}"


def preview(store: Store, cheapest: Cheapest) -> Response:
    """That picture as it is now, whatever its address says."""
    picture = _preview(
        store.name,
        _host(store),
        theme.valid(store.colour),
        _lines(cheapest),
        *_logo(store),
    )
    return _answer(picture, PREVIEW_KEPT_S)


def price_list(store: Store, shelf: Sequence[ShelfLine]) -> Response:
    """A picture of the shape of a phone, with what everything costs today."""
    today = clock.now().astimezone(clock.ACCRA)
    picture = _price_list(
        store.name,
        _host(store),
        config.current().address(store.slug),
        theme.valid(store.colour),
        tuple(
            (phones.NETWORKS[line.network].name, line.size_text, line.price_pesewas)
            for line in shelf
        ),
        f"{today.day} {today:%b %Y}",
        *_logo(store),
    )
    return _answer(picture, PREVIEW_KEPT_S)


def _but_the_logo(*shown: object) -> tuple[object, ...]:
    """By what a picture is kept: the mark, which comes before it, says which logo it is."""
    return shown[:-1]


@cached(_drawn, key=_but_the_logo, condition=_in_turn)
def _price_list(
    name: str,
    host: str,
    address: str,
    colour: str,
    lines: tuple[tuple[str, str, int], ...],
    day: str,
    mark: str,
    logo: bytes | None,
) -> bytes:
    from storefront import price_picture

    _begin_drawing()
    priced = [(net, size, money.format_ghs(pesewas)) for net, size, pesewas in lines]
    return price_picture.draw(name, host, address, colour, priced, day, logo)


@cached(_drawn, key=_but_the_logo, condition=_in_turn)
def _preview(
    name: str,
    host: str,
    colour: str,
    lines: tuple[str, ...],
    mark: str,
    logo: bytes | None,
) -> bytes:
    from storefront import drawing

    _begin_drawing()
    return drawing.preview(name, host, colour, lines, logo)


@cached(_drawn, key=_but_the_logo, condition=_in_turn)
def _icon(
    name: str,
    host: str,
    colour: str,
    side: int,
    is_whole: bool,
    mark: str,
    logo: bytes | None,
) -> bytes:
    from storefront import drawing

    _begin_drawing()
    if logo:
        return drawing.icon_of_logo(logo, side, is_whole=is_whole)
    letter = drawing.initial(name, host)
    return drawing.icon(letter, colour, side, is_whole=is_whole)


def _logo(store: Store) -> tuple[str, bytes | None]:
    """Its mark and the picture; an empty mark and none where a letter is drawn."""
    found = logos.large(store.logo) if store.logo else None
    return (store.logo or "", found) if found else ("", None)


def _begin_drawing() -> None:
    """Drawing takes as long as ten pages: who goes through shop after shop is told to wait."""
    if "slow_down_s" in g:
        abort(429, later("Too many pictures were asked for. Wait a minute."))
    g.picture_drawn = True


def _lines(cheapest: Cheapest) -> tuple[str, ...]:
    """GHS, since the typeface has no sign for the cedi."""
    return tuple(
        f"{name} from GHS {money.format_ghs(line.price_pesewas)}"
        for name, line in cheapest
    )


def _host(store: Store) -> str:
    return config.current().address(store.slug).partition("://")[2]


def _mark(*shown: str) -> str:
    return f"{zlib.crc32('|'.join(shown).encode()):08x}"


def _answer(picture: bytes, kept_s: int) -> Response:
    response = Response(picture, mimetype="image/png")
    response.cache_control.public = True
    response.cache_control.max_age = kept_s
    response.add_etag()
    response.make_conditional(request)
    return response
