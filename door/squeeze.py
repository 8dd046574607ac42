"""Compresses the customers' pages, because their data costs them money.

Only storefront HTML: those pages are reachable by nobody else's script (exact Origin, host-only cookies) and hold no
secret worth guessing bit by bit. A proxy in front may do it better; it finds `Content-Encoding` and leaves them alone.
"""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

from door import hosts

LEVEL = 6
"""What one page costs at this level is under 0.1 ms; higher levels save next to nothing on pages this small."""
SMALLEST = 500


def install(app: Flask) -> None:
    app.after_request(squeeze)


def squeeze(response: Response) -> Response:
    """Gzip an HTML answer of a store when the browser takes it and it is worth it."""
    if hosts.place().room != hosts.STORE or response.mimetype != "text/html" or response.is_streamed:
        return response
    response.vary.add("Accept-Encoding")
    if "gzip" not in request.accept_encodings or "Content-Encoding" in response.headers:
        return response
    body = response.get_data()
    if len(body) < SMALLEST:
        return response
    response.set_data(gzip.compress(body, LEVEL, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    return response
