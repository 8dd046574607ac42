"""Compresses our pages, because their data costs people money, where no secret of a page can be
guessed by its length.

Whoever sees lengths on the way and can make a browser ask for a page with words of his own in it
could find out, word by word, what else is there (BREACH). A store's pages hold nothing worth it. In
portal and console the one secret of a page, the token of its forms, is masked anew each time; and a
page that carries words of its request back goes out as it is, unless a page of this very host, or
the person, asked for it.
"""

from __future__ import annotations

import gzip
from functools import lru_cache

import brotli
from flask import Flask, Response, g, request
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from edge import hosts, origins

GZIP_LEVEL = 6
BROTLI_LEVEL = 5
"""What one page costs at these levels is about 0.1 ms; Brotli's is an eighth smaller. Browsers name
Brotli over TLS only."""
KINDS = ("text/html", "text/javascript")
"""The script is a store's service worker; all others are static files."""
SMALLEST = 500


def install(app: Flask) -> None:
    app.after_request(compress)


def compress(response: Response) -> Response:
    """Compress a page or a script when the browser accepts it and it is long enough. Pages of the
    portal and the console that show words another site may have chosen stay as they are."""
    if response.mimetype not in KINDS or response.is_streamed:
        return response
    room = hosts.place().room
    if room not in (hosts.STORE, hosts.PORTAL, hosts.CONSOLE) or (
        room != hosts.STORE and may_hold_words_of_others()
    ):
        return response
    response.vary.add("Accept-Encoding")
    encoding = best(hosts.present().headers.get("Accept-Encoding", ""))
    if not encoding or "Content-Encoding" in response.headers:
        return response
    body = response.get_data()
    if len(body) < SMALLEST:
        return response
    # of a page that was shown before: its bytes, and what they were compressed to then
    kept: dict[str, tuple[bytes, bytes]] = g.get("compressed", {})
    if encoding not in kept or kept[encoding][0] != body:
        kept[encoding] = body, _smaller(body, encoding)
    response.set_data(kept[encoding][1])
    response.headers["Content-Encoding"] = encoding
    return response


def _smaller(body: bytes, encoding: str) -> bytes:
    if encoding == "br":
        smaller: bytes = brotli.compress(body, quality=BROTLI_LEVEL)
        return smaller
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


@lru_cache(maxsize=256)
def best(accept_encoding: str) -> str:
    """The encoding to answer with; empty for none."""
    accepted = parse_accept_header(accept_encoding, Accept)
    return accepted.best_match(("br", "gzip")) or ""


def may_hold_words_of_others() -> bool:
    """Whether this request carries words that its page may show, and another site may have chosen
    them."""
    carries = (
        request.url_rule is None
        or request.view_args
        or request.query_string
        or request.method != "GET"
    )
    return (
        bool(carries)
        and request.headers.get("Sec-Fetch-Site") not in origins.OF_OUR_OWN
    )
