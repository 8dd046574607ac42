"""Log in and out of the console, and who may press what.

Every route of the console needs a log-in except those of `PUBLIC`; everyone with a platform role
may look at everything, and acts are named in `MAY`. How one gets in is decided in
`edge.entrance`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import (
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_login import LoginManager, current_user
from werkzeug.wrappers import Response

from admin_console import bp, figures
from core.base.text_input import one_line, own_path

PUBLIC = frozenset(
    {
        "console.login",
        "console.start_login",
        "console.show_reset_form",
        "console.use_reset_link",
        "console.show_code_form",
        "console.give_code",
    }
)

MAY = {
    "owner": frozenset(
        {
            "fund",
            "supplier",
            "catalogue",
            "stores",
            "orders",
            "cases",
            "books",
            "people",
            "payments",
        }
    ),
    "finance": frozenset({"fund", "books"}),
    "support": frozenset(),
}
"""Acts by platform role. Looking needs no entry here."""

NO_MATCH = "That e-mail and password do not open the console. Check both and try again."


@bp.before_request
def guard() -> Any:
    """Only people of the platform, whatever the route."""
    if request.endpoint in PUBLIC:
        return None
    if not current_user.is_authenticated:
        manager: LoginManager = current_app.extensions["login_manager"]
        return manager.unauthorized()
    if current_user.user.platform_role not in MAY:
        g.entrance.leave()
        return redirect(url_for(".login"), 303)
    return None


def may(act: str) -> bool:
    """Whether the person logged in may do `act` (a word of `MAY`)."""
    return act in MAY.get(current_user.user.platform_role, frozenset())


def needs(act: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view below is for roles that may `act`; others get 403 with a sentence."""

    def guarded(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if not may(act):
                role = current_user.user.platform_role
                who = " or ".join(name for name in MAY if act in MAY[name])
                abort(
                    403,
                    f"Your role, {role}, may look at this but not change it. Ask somebody whose"
                    f" role is {who}.",
                )
            return g.entrance.must_confirm() or view(*args, **kwargs)

        return checked

    return guarded


@bp.context_processor
def what_may() -> dict[str, Any]:
    """Templates ask `may('fund')` to show or leave out a button; the navigation counts the open
    cases."""
    return {"may": may, "open_case_count": figures.open_case_count}


@bp.get("/login")
def login() -> Any:
    """The form; a person already logged in goes on."""
    if current_user.is_authenticated and current_user.user.platform_role in MAY:
        return redirect(_next_path(), 303)
    return _login_page()


@bp.post("/login")
def start_login() -> Any:
    """One answer for an unknown e-mail, a wrong password and an agent: nobody learns which it
    was."""
    email = one_line(request.form.get("email", ""), 254)
    password = request.form.get("password", "")[:1024]
    asked = g.entrance.ask(email, password, NO_MATCH)
    if asked.person is None:
        return _login_page(email, asked.sentence), asked.status, asked.headers
    return redirect(g.entrance.begin(asked.person, None, _next_path()), 303)


@bp.post("/logout")
def logout() -> Response:
    """Ends the log-in on the server, not only in this browser."""
    g.entrance.leave()
    flash("You are logged out.")
    return redirect(url_for(".login"), 303)


def _login_page(email: str = "", problem: str | None = None) -> str:
    return render_template(
        "console/login.html", next=_next_path(), email=email, problem=problem
    )


def _next_path() -> str:
    """Where to go after the log-in: a path of this host and nothing else (reliability §5.3)."""
    return own_path(request.values.get("next")) or url_for(".overview")
