"""Notices: which of this person's devices are told of the store's news, and of what.

Decides what the page asks of a browser and how its answer is read. Which addresses a notice may go
to, and how many devices there may be, is `core.notices.devices`'s.
"""

from __future__ import annotations

from flask import (
    Response,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import access_no, actor
from core import notices
from core.base import browsers, config
from core.base.text_input import row_id
from core.notices import devices


@bp.get("/notices")
def show_notices() -> ResponseReturnValue:
    """This person's devices in this store, and the button for the one they hold."""
    return _page()


@bp.post("/notices")
def switch_notices_on() -> ResponseReturnValue:
    """Tell this browser; its address comes from the browser itself, by the page's script."""
    said = request.form
    try:
        devices.switch_on(
            actor(),
            access_no(),
            said.get("endpoint", ""),
            said.get("p256dh", ""),
            said.get("auth", ""),
            browsers.words(request.headers.get("User-Agent", "")),
        )
    except devices.BadDevice as refusal:
        return _page(refusal.sentence), 422
    flash("Switched on: this device is told. Choose below what of.")
    return redirect(url_for(".show_notices"), 303)


@bp.post("/notices/<device_id>")
def choose_notices(device_id: str) -> ResponseReturnValue:
    """Tell this device of these kinds and no others."""
    try:
        device = devices.choose(_id(device_id), request.form.getlist("kind"), actor())
    except devices.NoSuchDevice:
        abort(404)
    flash("Saved." if device.kinds else "Saved: this device is told nothing.")
    return redirect(url_for(".show_notices"), 303)


@bp.post("/notices/<device_id>/remove")
def remove_notices(device_id: str) -> ResponseReturnValue:
    """Tell this device nothing any more, and keep nothing of it."""
    try:
        devices.remove(_id(device_id), actor())
    except devices.NoSuchDevice:
        abort(404)
    flash("Removed: that device is told nothing any more.")
    return redirect(url_for(".show_notices"), 303)


@bp.get("/notices.js")
def notices_worker() -> Response:
    """The service worker that shows notices. It keeps no page and answers no request; browsers ask
    for it anew without a log-in."""
    script: str = current_app.extensions["notices_worker_js"]
    return Response(script, mimetype="text/javascript")


def _id(device_id: str) -> int:
    found = row_id(device_id)
    if found is None:
        abort(404)
    return found


def _page(problem: str = "") -> str:
    found = actor().user_id
    assert found is not None
    return render_template(
        "portal/notices.html",
        devices=devices.of_person(found),
        kinds=list(notices.KINDS.values()),
        key=config.current().push_public_key,
        most=devices.MOST,
        problem=problem,
    )
