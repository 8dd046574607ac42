"""A shop's former address: who reads is led to the new one, who sends something is told of it.

Decides only how that is answered. Which address leads where is decided in
`core.former_addresses`.
"""

from __future__ import annotations

from urllib.parse import quote

from flask import Response, abort, g, make_response, redirect
from werkzeug.wrappers import Response as BaseResponse

from core import former_addresses
from core.base import config
from core.base.language import say
from edge import hosts
from edge.filters import wants_fragment

READS = ("GET", "HEAD")


def answer(slug: str) -> Response | BaseResponse | None:
    """To the same path of the shop that was at this subdomain; None where there was none.

    A form is not passed on: browsers do not send one to another host than its page may, and its
    page showed prices of before. Nothing is done, and the answer names the address (410).
    """
    store = former_addresses.leads_to(slug)
    if store is None:
        return None
    request = hosts.present()
    address = config.current().address(store.slug)
    if request.method not in READS:
        g.moved_to = address
        host = address.partition("://")[2]
        said = say("This shop is at %(host)s now, so nothing was done here.", host=host)
        abort(410, said)
    path = quote(request.root_path + request.path)
    if wants_fragment():
        response = make_response("")
        # the page that asked, anew
        response.headers["HX-Redirect"] = address + path.removesuffix("/status")
        return response
    query = request.query_string.decode("latin-1")
    # for good, and yet asked about again: a shop may come back to its address
    return redirect(f"{address}{path}?{query}" if query else address + path, 301)
