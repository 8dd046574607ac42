"""Binds a request to its store and its log-in, and undoes it afterwards.

Decides which store's rows a request may see: the slug's on a storefront, the log-in's in the
portal, all of them for a logged-in owner in the console. What a role may do inside its room is
decided in the room.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import quote

from flask import (
    Response,
    abort,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    request,
)
from flask_login import LoginManager, current_user
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as BaseResponse

from core import order_view, shop, slugs, stores
from core.accounts import logins
from core.base import addresses, db, tenancy
from core.base.config import Config
from core.base.language import later
from edge import hosts, kept, moved_shops, sessions
from edge.filters import wants_fragment

PUBLIC = {
    hosts.PORTAL: frozenset(
        {
            "/login",
            "/login/code",
            "/theme",
            "/reset/<token>",
            "/join/<token>",
            "/sign-up",
            "/sign-up/address",
            "/notices.js",
        }
    ),
    hosts.CONSOLE: frozenset({"/login", "/login/code", "/theme", "/reset/<token>"}),
}
"""Pages of the guarded rooms that need no log-in, by rule. Every other page there asks for one."""

DOOR_OF_ROOM: dict[str, logins.Door] = {
    hosts.PORTAL: "portal",
    hosts.CONSOLE: "console",
}
ASKED_UNSEEN = frozenset({"/orders/news", "/notices.js"})
"""What a page or a browser asks for while nobody sees it: that keeps no log-in alive."""
FRONT_PAGE = "storefront.show_store"
OF_THE_SHELF = frozenset({FRONT_PAGE, "storefront.preview", "storefront.price_list"})
"""What shows the shelf."""
OF_ONE_ORDER = {
    "storefront.show_order": True,
    "storefront.order_status": False,
    "storefront.show_receipt": False,
}
"""Pages of an order, and whether they show all of it."""
ReadsStore = Callable[[str], stores.Store | None]
READS_STORE = "reads_store"
"""Under this name an extension of the application says how a room reads the store of a page with
whatever else that page shows: by endpoint, what finds the store of a subdomain or None."""
NOT_YET = later(
    "No shop is open at this address yet. If it is yours, log in to the portal to see what is"
    " missing."
)
KEPT = "Log in: what you had chosen is kept, and goes with one more press."
AGAIN = "Log in and press once more."
LOGGED_OUT = (
    '<p class="note stopped" role="status">You have been logged out. <a href="/login">Log in'
    " again</a></p>"
)


def install(app: hosts.Makola, config: Config) -> None:
    manager = LoginManager()
    # sessions live in the database; a phone's address changes all day
    manager.session_protection = None
    manager.user_loader(_login_of)
    manager.unauthorized_handler(ask_to_log_in)
    # Not init_app: its hook for "remember me" cookies, which we have none of, reads the session on
    # every answer and so marks the anonymous store page as varying by cookie.
    app.login_manager = app.extensions["login_manager"] = manager
    app.before_request(lambda: db.retry_on_conflict(bind_store))
    app.teardown_request(unbind_store)


def bind_store() -> Response | BaseResponse | None:
    """Set the store of this request, or refuse it: 404 for an unknown one, to the new address for
    one that has moved, a log-in for a guarded page."""
    tenancy.clear()  # a worker thread may have been left mid-request by a crash
    g.store = None
    place = hosts.place()
    if place.room == hosts.NOWHERE:
        g.no_shop = True
        abort(404, "There is no shop at this address.")
    if place.room == hosts.STORE and place.slug is not None:
        g.store = store = _store_of(place.slug)
        if store is None:
            if (moved := moved_shops.answer(place.slug)) is not None:
                return moved
            g.no_shop = True
            slugs.look()
            abort(404, "There is no shop at this address.")
        if store.is_hidden:
            # nothing of it, its name neither: who asked for it is known to nobody yet
            g.store = None
            abort(404, NOT_YET)
        tenancy.use(store.id)
    elif place.room in PUBLIC and request.url_rule is not None:
        return _bind_login(place.room, request.url_rule.rule)
    return None


def _store_of(slug: str) -> stores.Store | None:
    """The store of this host. For what is asked most of all, everything the page shows comes with
    it: as `g.shop`, or as `g.view`."""
    request = hosts.present()
    endpoint = request.endpoint or ""
    if request.method == "GET" and endpoint in OF_THE_SHELF:
        g.shop = shown = shop.by_slug(slug)
        return shown.store if shown is not None else None
    if endpoint in OF_ONE_ORDER:
        code = (request.view_args or {})["code"]
        is_whole = OF_ONE_ORDER[endpoint]
        g.view = view = order_view.by_code(slug, code, is_whole=is_whole)
        return view.store if view is not None else None
    of_its_room: dict[str, ReadsStore] = current_app.extensions.get(READS_STORE, {})
    if endpoint in of_its_room:
        return of_its_room[endpoint](slug)
    return _entered(slug) or stores.by_slug(slug)


def _entered(slug: str) -> stores.Store | None:
    """The store of a subdomain that this process has met: read inside that store's own walls, so
    in the transaction that reads the rest of the page."""
    store_id = stores.known_id(slug)
    if store_id is None:
        return None
    tenancy.use(store_id)
    store = stores.by_id(store_id)
    if store is not None and store.slug == slug:
        return store
    tenancy.clear()
    return None


def _bind_login(room: str, rule: str) -> Response | BaseResponse | None:
    sessions.take_live(lambda token: _login_of(token) is not None)
    login = current_user._get_current_object()  # type: ignore[attr-defined]
    if not login.is_authenticated:
        if rule in PUBLIC[room]:
            return None
        return ask_to_log_in()
    if room == hosts.CONSOLE:
        g.scope = ExitStack()
        g.scope.enter_context(tenancy.across_stores())
    elif login.store_id is not None:
        tenancy.use(login.store_id)
        g.store = login.store
    return None


def unbind_store(_error: BaseException | None = None) -> None:
    """Forget the store at the end of the request, also after an error."""
    scope: ExitStack | None = g.pop("scope", None)
    if scope is not None:
        scope.close()
    tenancy.clear()
    db.end_read()


def ask_to_log_in() -> Response | BaseResponse:
    """To the log-in page and back. A press is kept for its person and does nothing; an htmx form is
    sent there as a whole, and a poll gets a note without a trigger.
    """
    if request.method == "GET":
        if wants_fragment():
            return make_response(LOGGED_OUT, 401)
        return redirect(_log_in_and(request.full_path.rstrip("?")), 303)
    flash(
        f"You were logged out, so nothing was done. {KEPT if g.kept.keep() else AGAIN}",
        "waiting",
    )
    return _send_to(_log_in_and(kept.return_path()))


def answer_old_page() -> Response | BaseResponse | None:
    """To a press whose page is older than its log-in: nothing is done, and the page comes back as
    it was, drawn anew.

    None where no log-in is asked for, or when the page does not show that it was drawn for this
    person and store.
    """
    room = hosts.place().room
    rule = request.url_rule
    if room not in PUBLIC or rule is None or rule.rule in PUBLIC[room]:
        return None
    if not current_user.is_authenticated:
        return ask_to_log_in()
    if not g.kept.fits() or not g.kept.keep():
        return None
    flash(
        "This page was older than your log-in, so nothing was done. Look it over and press once"
        " more.",
        "waiting",
    )
    return _send_to(kept.return_path())


def _send_to(path: str) -> Response | BaseResponse:
    if not wants_fragment():
        return redirect(path, 303)
    response = make_response(LOGGED_OUT, 401)
    response.headers["HX-Redirect"] = iri_to_uri(path)
    return response


def _log_in_and(back: str) -> str:
    if back == "/":
        return "/login"
    return f"/login?next={quote(back, safe='/')}"


def _login_of(token: str) -> logins.Login | None:
    door = DOOR_OF_ROOM.get(hosts.place().room)
    if door:
        rule = request.url_rule.rule if request.url_rule else ""
        return logins.login_of(
            token,
            door,
            renews=rule not in ASKED_UNSEEN,
            device=g.get("device_token") or "",
            seen_from=addresses.key(request.remote_addr),
        )
    return None
