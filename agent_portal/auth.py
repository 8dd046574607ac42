"""Who may stand in the portal: log in and out, which store, which role may press what.

Decides who passes each route of this blueprint. Leaves passwords, tries and sessions to
`edge.entrance`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import (
    abort,
    current_app,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField, ValidationError
from wtforms.validators import InputRequired, Length

from agent_portal import bp, standing
from core import orders
from core.accounts import users
from core.audit import Actor
from core.base import phones
from core.base.text_input import own_path

PUBLIC = frozenset(
    {
        "portal.login",
        "portal.log_in",
        "portal.show_reset_form",
        "portal.use_reset_link",
        "portal.show_code_form",
        "portal.give_code",
        "portal.show_invitation",
        "portal.join",
        "portal.sign_up_form",
        "portal.sign_up",
        "portal.check_address",
        "portal.notices_worker",
    }
)
OWN_LOG_IN = (
    "show_password_form",
    "change_password",
    "show_sessions",
    "end_session",
    "saw_devices",
    "log_out_elsewhere",
    "log_out_everywhere",
    "show_confirm_form",
    "confirm_self",
    "show_second_step",
    "begin_second_step",
    "first_code",
    "new_codes",
    "end_second_step",
)
STORELESS = frozenset(
    {
        "portal.stores",
        "portal.choose_store",
        "portal.go_to_store",
        "portal.logout",
        "portal.show_confirm",
        "portal.confirm",
        "portal.send_code",
        *(f"portal.{n}" for n in OWN_LOG_IN),
    }
)
RANK = {"viewer": 0, "cashier": 1, "owner": 2}
WHO_MAY = {
    "viewer": "Somebody of this store may do this.",
    "cashier": "Its cashiers and its owner may do this: ask one of them.",
    "owner": "Its owner may do this: ask them.",
}
NO_MATCH = (
    "This e-mail or phone number and this password do not belong together. Check both and try"
    " again."
)
NO_STORE = "This log-in has no store. Ask the platform's owner to add you to one."


class LoginForm(FlaskForm):
    """E-mail or phone number, password, and where to go afterwards."""

    email = StringField(
        "E-mail or phone number",
        [
            InputRequired("Type your e-mail address or phone number."),
            Length(max=254, message="No e-mail address is that long."),
        ],
    )
    password = PasswordField(
        "Password",
        [
            InputRequired("Type your password."),
            Length(max=256, message="A password has at most 256 characters."),
        ],
    )
    next = HiddenField()

    def validate_email(self, field: StringField) -> None:
        """Refuse what can be neither an address nor a number, with the fix."""
        text = users.login_name(field.data or "")
        is_number = text.startswith("+233")
        if not is_number and ("@" not in text or not text.isprintable() or " " in text):
            raise ValidationError(
                "Type the whole e-mail address, like ama@example.com, or your phone number, like"
                " 024 123 4567."
            )


@bp.before_request
def guard() -> ResponseReturnValue | None:
    """Nobody passes without a log-in and a store, except to the log-in page and the chooser."""
    if request.endpoint in PUBLIC:
        return None
    if not current_user.is_authenticated:
        manager: LoginManager = current_app.extensions["login_manager"]
        return manager.unauthorized()
    if current_user.store_id is None and request.endpoint not in STORELESS:
        wanted = (
            own_path(request.full_path.rstrip("?")) if request.method == "GET" else None
        )
        return redirect(
            url_for(".stores", next=None if wanted == url_for(".home") else wanted), 303
        )
    return None


def needs(role: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let only agents of at least this role pass; others read 403, and who may."""

    def wrap(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if not may(role):
                mine = current_user.role
                abort(403, f"You are a {mine} of this store. {WHO_MAY[role]}")
            return g.entrance.must_confirm() or view(*args, **kwargs)

        return checked

    return wrap


def may(role: str) -> bool:
    """Whether the agent of this request has at least this role in the store."""
    return RANK.get(str(current_user.role), -1) >= RANK[role]


def looks_like(order: orders.Order) -> str:
    """The network a number's prefix hints at, by name. A hint only: numbers can be moved."""
    hint = phones.network_of(order.recipient_msisdn)
    if hint:
        return phones.NETWORKS[hint].name
    return ""


def actor() -> Actor:
    """The agent of this request, as core writes him into timelines."""
    return Actor.of_login(current_user)


def access_no() -> int:
    """The number that the log-in of this request was made under: see `logins.end_logins_of`."""
    return int(current_user.user.access_no)


@bp.get("/login")
def login() -> ResponseReturnValue:
    """The log-in page."""
    if current_user.is_authenticated:
        return redirect(own_path(request.args.get("next")) or url_for(".home"), 303)
    form = LoginForm(
        formdata=None,
        next=own_path(request.args.get("next")) or "",
    )
    return _login_page(form)


@bp.post("/login")
def log_in() -> ResponseReturnValue:
    """Check e-mail and password; wrong ones and unknown ones read the same."""
    form = LoginForm()
    if not form.validate():
        return _login_page(form), 422
    asked = g.entrance.ask(form.email.data.strip(), form.password.data, NO_MATCH)
    if asked.person is None:
        return _login_page(form, asked.sentence), asked.status, asked.headers
    ids = [store.id for _, store in users.memberships_of(asked.person)]
    target = own_path(form.next.data)
    is_invited = (target or "").startswith("/join/")
    if not ids and not is_invited:
        return _login_page(form, NO_STORE), 422
    only = _store_to_enter(asked.person, ids)
    own_device = "shared" not in request.form
    if not only and not is_invited:
        target = url_for(".stores", next=target)
    to = target or url_for(".home")
    return redirect(
        g.entrance.begin(asked.person, only, to, own_device=own_device), 303
    )


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """End this log-in on the server too, not only the cookie."""
    g.entrance.leave()
    return redirect(url_for(".login"), 303)


@bp.get("/stores")
def stores() -> ResponseReturnValue:
    """Choose among the stores of this agent; `next` is where somebody wanted to go before they had
    one."""
    target = own_path(request.args.get("next"))
    return render_template(
        "portal/stores.html",
        memberships=users.memberships_of(current_user.user),
        target=target,
        named=False,
    )


@bp.post("/stores")
def choose_store() -> ResponseReturnValue:
    """Switch to another store of this agent; 404 for any other store."""
    slug = request.form.get("store", "")
    for _, store in users.memberships_of(current_user.user):
        if store.slug == slug:
            g.entrance.work_in(store.id)
            return redirect(own_path(request.form.get("next")) or url_for(".home"), 303)
    return abort(404)


@bp.context_processor
def words_of_the_agent() -> dict[str, Any]:
    """What the portal's templates ask about the agent; functions, so that a template pays only for
    what it calls."""
    return {
        "may": may,
        "waiting": lambda: standing.counts()["new"],
        "agent_links": _agent_links,
        "free_pesewas": standing.free_pesewas,
        "goes_in_s": orders.goes_in_s,
        "going_pesewas": orders.going_pesewas,
        "press_mark": orders.press_mark,
        "local": phones.local,
        "looks_like": looks_like,
    }


def _login_page(form: LoginForm, refusal: str | None = None) -> str:
    problems = {name: found[0] for name, found in form.errors.items() if name and found}
    return render_template(
        "portal/login.html",
        form=form,
        problems=problems,
        refusal=refusal,
        shared="shared" in request.form,
    )


def _store_to_enter(person: users.User, ids: list[int]) -> int | None:
    """The store where a form of theirs waits, else their only one; None when they have to
    choose."""
    waiting = g.kept.of_person(person.id)
    if waiting and waiting["store"] in ids:
        return int(waiting["store"])
    if len(ids) == 1:
        return ids[0]
    return None


def _agent_links() -> list[tuple[str, str, str]]:
    if not current_user.is_authenticated:
        return []
    links = []
    if current_user.store_id is not None:
        links.append(("News", url_for(".show_news"), "audit"))
        links.append(("Your store", url_for(".show_own_store"), "store"))
        links.append(("People", url_for(".show_people"), "people"))
    if current_user.stores > 1:
        links.append(("Switch store", url_for(".stores"), "store"))
    return links
