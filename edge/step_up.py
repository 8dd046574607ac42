"""What a person is asked for once more although they are logged in: that it is them, by a code of
their second step, or by their password.

Decides before which acts, in one table; how long an answer counts is `fresh_s`. What was pressed
does nothing, is kept (`edge.kept`) and goes with one more press. Rooms ask it by
`g.entrance.must_confirm`, once they know that the person may.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from flask import flash, g, make_response, redirect, request
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.urls import iri_to_uri

from edge import hosts, kept
from edge.filters import wants_fragment

PATH = "/account/confirm"
OWN = frozenset(
    {
        "/account/second-step",
        "/account/second-step/first",
        "/account/second-step/codes",
        "/account/second-step/off",
    }
)
"""What changes how one gets in, at both doors."""
MONEY_AND_PEOPLE = {
    hosts.PORTAL: frozenset(
        {
            "/wallet/funding",
            "/wallet/online",
            "/store",  # to which number customers pay
            "/store/pay-online",
            "/people",
            "/people/<member_id>/role",
            "/people/<member_id>/remove",
            "/payouts",
            "/payouts/number",
            "/payouts/schedule",
        }
    ),
    hosts.CONSOLE: frozenset(
        {
            "/funding/<request_id>/approve",
            "/disputes/<dispute_id>/accept",
            "/disputes/<dispute_id>/contest",
            "/refunds/<refund_id>/send-to",
            "/stores/<slug>/fund",
            "/stores/<slug>/take-back",
            "/cases/<case_id>/<action>",
            "/payments/on",
            "/payments/cards",
            "/payments/prompts/on",
            "/people/<user_id>/reset",
            "/people/<user_id>/second-step-off",
            "/payouts/<payout_id>/approve",
            "/payouts/numbers/<account_id>/accept",
            "/payouts/go",
            "/payouts/book",
        }
    ),
}
"""Forms are sent there; by rule, without converters. A press that only takes back what was asked
for is not among them."""
SENTENCE = (
    "Nothing was done yet. Before money and people we ask once more that it is you."
)
KEPT = "What you had typed is kept, and goes with one more press."
AGAIN = "Then press once more."
NOTE = (
    f'<p class="note waiting" role="status">Nothing was done yet. <a href="{PATH}">Show that it is'
    " you</a>, then press once more.</p>"
)


def missing() -> ResponseReturnValue | None:
    """To the page that asks, when this act needs it and the last answer is too old; else None."""
    if request.method != "POST" or not is_listed() or current_user.is_fresh:
        return None
    flash(f"{SENTENCE} {KEPT if g.kept.keep() else AGAIN}", "waiting")
    path = f"{PATH}?next={quote(_way_back(), safe='/')}"
    if not wants_fragment():
        return redirect(path, 303)
    response = make_response(NOTE, 401)
    response.headers["HX-Redirect"] = iri_to_uri(path)
    return response


def is_listed() -> bool:
    """Whether this request is one of the acts."""
    rule = _plain(request.url_rule.rule if request.url_rule else "")
    return rule in OWN or rule in MONEY_AND_PEOPLE[hosts.place().room]


def _way_back() -> str:
    """Where the press came from, if that can be looked at."""
    path = kept.return_path()
    adapter = request_ctx.url_adapter
    is_page = adapter is not None and adapter.test(path.partition("?")[0], "GET")
    return path if is_page else "/"


@lru_cache(maxsize=512)
def _plain(rule: str) -> str:
    return re.sub(r"<[^>]*:", "<", rule)
