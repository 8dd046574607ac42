"""Whom a limit counts, and which answers use it up; which limits there are stands in `limits`."""

from __future__ import annotations

import hashlib
import hmac

from flask import Response, g, request

from core.accounts import users
from core.base import config as settings
from core.base import phones, text_input
from edge import hosts
from edge.counting import caller


def confirms() -> bool:
    return request.form.get("confirm") == "1"


def made_an_order(_response: Response | None) -> bool:
    return bool(g.get("order_created"))


def made_a_draft(_response: Response | None) -> bool:
    return bool(g.get("draft_made"))


def guessed_wrong(_response: Response | None) -> bool:
    return bool(g.get("pay_code_missed"))


def asked_for_a_log_in(_response: Response | None) -> bool:
    return bool(g.get("log_in_asked"))


def drew_a_picture(_response: Response | None) -> bool:
    return bool(g.get("picture_drawn"))


def sent_a_code(_response: Response | None) -> bool:
    return bool(g.get("code_sent"))


def number_asked_for() -> str:
    """The number of the form, however it is spelt, in this store alone."""
    return _hashed("asked", hosts.place().slug or "", _number("number"))


def where_the_code_goes() -> str:
    """The number or e-mail address that a code is asked for; of a sign-up, the number."""
    kind = (request.view_args or {}).get("kind")
    if kind is None:
        return _hashed("sent", _number("phone"))
    if kind == "phone":
        return _hashed("sent", _number("address"))
    typed = text_input.one_line(request.form.get("address", ""), 300)
    return _hashed("sent", users.plain_email(typed))


def _number(field: str) -> str:
    """Empty for what is no number: that form is refused, and nothing comes of it."""
    try:
        return phones.parse(request.form.get(field, ""))
    except phones.BadNumber:
        return ""


def _hashed(*named: str) -> str:
    """Keyed, since what is counted is kept where numbers and addresses do not stand."""
    key = settings.current().secret_key.encode()
    said = "/".join(("makola", *named)).encode()
    return hmac.new(key, said, hashlib.sha256).hexdigest()[:32]


def caller_of_store() -> str:
    """The same, in this store alone."""
    return f"{hosts.place().slug} {caller()}"
