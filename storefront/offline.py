"""A store without a network: the service worker, and the one page that it keeps.

Decides what they are and when a browser takes a new version: whenever the page, the worker or a
static file has changed. What the worker does is in `static/inline/sw.js`; only the order page asks
for it.
"""

from __future__ import annotations

import hashlib
import json

from flask import Response, current_app, make_response, render_template, request

from core.base.sms import message
from storefront import bp
from storefront.addresses import own

LOOK_AGAIN_S = 15
"""Its page is loaded again so often, while somebody looks at it."""
WORKER_KEPT_S = 3_600
"""Each visit of a page would ask for the worker anew; nothing it holds can be old."""


@bp.get("/offline")
def show_offline() -> Response:
    return make_response(_page())


@bp.get("/sw.js")
def service_worker() -> Response:
    """The service worker of this store, with its page in the language of the address. Only one
    worker serves a browser: that of the order page seen last, in whatever language."""
    script: str = current_app.extensions["service_worker_js"]
    names: dict[str, str] = current_app.extensions["static_names"]
    kept = f"{_page()}{script}{sorted(names.values())}"
    version = hashlib.sha256(kept.encode()).hexdigest()[:12]
    needs = [own(f"/offline?v={version}"), f"/static/{names['store.js']}"]
    response = Response(
        f"var KEPT={json.dumps(version)},FIRST={json.dumps(needs)};{script}",
        mimetype="text/javascript",
    )
    response.cache_control.max_age = WORKER_KEPT_S
    response.headers["Service-Worker-Allowed"] = (
        "/"  # that of /tw, too, serves the whole store
    )
    response.add_etag()
    response.make_conditional(request)
    return response


def _page() -> str:
    return render_template(
        "storefront/offline.html",
        look_again_s=LOOK_AGAIN_S,
        chat_text=message("Hello, about my order:"),
    )
