"""A link that names its store, as notices to devices carry it: whoever works in several stores
lands in the one that it is about.

Decides when such a link may go on in another store by itself. Which stores are theirs, and what
changes with another, is decided in `core.accounts.users` and `g.entrance`.
"""

from __future__ import annotations

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from agent_portal import bp
from core.accounts import users
from core.base.text_input import own_path

OWN = frozenset({"same-origin", "none"})
"""What `Sec-Fetch-Site` says of a link that our own worker opened, or the person typed. One on
another site may not put them into a store that they did not choose."""


@bp.get("/stores/<slug>")
def go_to_store(slug: str) -> ResponseReturnValue:
    """A page of one of this person's stores; any other store is 404. A link from elsewhere asks for
    one press first, where it leads out of the store that they are in."""
    of_theirs = users.memberships_of(current_user.user)
    found = [one for one in of_theirs if one[1].slug == slug]
    if not found:
        abort(404)
    target = own_path(request.args.get("next")) or url_for(".home")
    _, store = found[0]
    if store.id == current_user.store_id:
        return redirect(target, 303)
    if request.headers.get("Sec-Fetch-Site") not in OWN:
        return render_template(
            "portal/stores.html", memberships=found, target=target, named=True
        )
    g.entrance.work_in(store.id)
    flash(f"You are in {store.name} now.")
    return redirect(target, 303)
