"""The edge: every request comes through: which host, which store, whose log-in, which headers, how
many tries.

Decides what is refused before a room sees it and what every answer carries. What a page says and
does is decided in the rooms; `wsgi.create_app` puts edge and rooms together.
"""

from __future__ import annotations

from core.base.config import Config
from edge import (
    account,
    bind,
    compression,
    devices,
    entrance,
    errors,
    filters,
    for_server,
    health,
    kept,
    languages,
    limits,
    logs,
    metrics,
    pages,
    security,
    static,
    stored_pages,
    waits,
    wellknown,
)
from edge.hosts import Makola


def install(app: Makola, config: Config) -> None:
    """Register the edge on `app`: settings, filters, error pages, and the checks in the order a
    request meets them."""
    logs.configure(config)
    filters.install(app)
    errors.install(app)
    languages.install(app)
    logs.install(app)  # first before_request: a request id for everything that follows
    stored_pages.install(app)
    waits.install(app)  # before anything asks the database
    kept.install(app)  # before anything is refused
    devices.install(app)  # a log-in is read with its device
    security.install(app, config)  # host, origin, cross-site forgery
    bind.install(app, config)  # store and log-in
    entrance.install(app)
    pages.install(app)
    compression.install(app)


def finish(app: Makola, config: Config) -> None:
    """After the rooms are registered: the pages of one's own log-in, limits on their endpoints,
    then what answers before Flask does."""
    account.install(app)
    limits.install(app, config)
    health.install(app)
    metrics.install(app)
    static.install(app, config)
    wellknown.install(app, config)
    # around all that answers before Flask does
    security.install_strict_transport(app, config)
    security.trust_proxies(app, config)
    for_server.install(app)
