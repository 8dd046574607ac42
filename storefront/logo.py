"""The store's logo, at an address that changes with it: a browser asks for each once."""

from __future__ import annotations

from flask import Response, abort, make_response

from core import logos
from storefront import bp

KEPT_S = 31_536_000


@bp.get("/logo/<mark>.webp")
def logo(mark: str) -> Response:
    """The picture of this mark, while it is the store's."""
    found = logos.picture(mark)
    if found is None:
        abort(404)
    response = make_response(found)
    response.mimetype = "image/webp"
    response.cache_control.public = True
    response.cache_control.max_age = KEPT_S
    response.cache_control.immutable = True
    return response
