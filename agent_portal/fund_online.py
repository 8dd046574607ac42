"""Funding the wallet online: the amount and who bears the fee, the press, the page that leads to
the gateway and the way back.

Decides what is shown and where it leads. No call is made here: an attempt is opened, and looked up,
by a worker. Nothing that comes back in an address is believed; it only has the gateway asked.
"""

from __future__ import annotations

from datetime import timedelta

from flask import (
    Response,
    abort,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, may, needs
from core import online, taking
from core.base import clock, config, money, tenancy
from core.base.text_input import row_id
from core.online import OnlinePayment
from core.taking.funding import Ask, NoFunding

PATH = "/wallet/online"
STATES = {
    "asked": ("waiting", "Being opened"),
    "open": ("waiting", "Not paid yet"),
    "paid": ("done", "In your wallet"),
    "failed": ("stopped", "Not paid"),
    "refused": ("stopped", "Not taken"),
    "watched": ("moving", "Not seen yet"),
    "ended": ("stopped", "Never paid"),
}
"""How a state of an attempt looks and reads."""
OWED = ("returned", "Goes back to you")
TAKEN = ("stopped", "Taken back")
REFRESH_S = 2
SLOW = timedelta(seconds=20)
"""Longer than opening a payment usually takes, by far."""


@bp.get(PATH)
def show_fund_online() -> ResponseReturnValue:
    """What is paid, what the wallet gets, and the fee, before the press."""
    kept = g.kept.take(PATH) if may("cashier") else None
    typed = request.args.get("amount") or (kept or {}).get("amount", "")
    if not typed:
        return _page(Ask())
    asked = Ask.parse(typed)
    return _page(asked), 422 if asked.problems else 200


@bp.post(PATH)
@needs("cashier")
def fund_online() -> ResponseReturnValue:
    """Pay so much into the wallet. Pressed twice it is one payment."""
    asked = Ask.parse(request.form.get("amount", ""))
    if asked.problems:
        return _page(asked), 422
    try:
        payment = taking.funding.ask(g.store, asked, actor())
    except NoFunding as refusal:
        asked.problems["online"] = refusal.sentence
        return _page(asked), 422
    return redirect(url_for(".show_funding_attempt", payment_id=payment.id), 303)


@bp.get(f"{PATH}/<payment_id>")
def show_funding_attempt(payment_id: str) -> ResponseReturnValue:
    """Leads to the page at the gateway once there is one, and says what came of it afterwards.
    Loaded again by itself meanwhile.

    A form's answer must lead to pages of ours alone, so the first look never leads away; who came
    back is led there only by a press.
    """
    payment = _of(payment_id)
    then = taking.funding.leads_to(payment)
    if then.id != payment.id:
        return redirect(url_for(".show_funding_attempt", payment_id=then.id), 303)
    may_pay = may("cashier") and taking.funding.why_not(g.store) is None
    address = payment.authorization_url if payment.state == "open" and may_pay else None
    if address and "go" in request.args:
        return _kept_by_nobody(make_response(redirect(address, 303)))
    is_back = "back" in request.args
    here = f"{PATH}/{payment.id}"
    page = make_response(
        render_template(
            "portal/fund_online_going.html",
            payment=payment,
            state=state_of(payment),
            goes_to=f"{here}?go=1" if address else None,
            is_back=is_back,
            is_slow=clock.now() - payment.created_at > SLOW,
        )
    )
    if address and not is_back:
        page.headers["Refresh"] = f"0;url={here}?go=1"
    elif payment.state in online.OPEN:
        page.headers["Refresh"] = (
            f"{REFRESH_S};url={here}{'?back=1' if is_back else ''}"
        )
    return _kept_by_nobody(page)


@bp.get(f"{PATH}/<payment_id>/back")
def come_back_from_gateway(payment_id: str) -> ResponseReturnValue:
    """Where the gateway sends who paid: it is asked, and the next page says what came of it."""
    payment = _of(payment_id)
    taking.funding.returned(payment)
    there = url_for(".show_funding_attempt", payment_id=payment.id, back=1)
    return _kept_by_nobody(make_response(redirect(there, 303)))


def state_of(payment: OnlinePayment) -> tuple[str, str]:
    """The icon and the words of an attempt's state."""
    if payment.state == "paid" and payment.funded_at is None:
        return OWED
    return STATES[payment.state]


def offered() -> dict[str, object]:
    """What the wallet's page shows of this: whether it can be done now, and the newest attempts."""
    newest = taking.funding.newest(tenancy.current_store_id())
    settings = config.current()
    taken = online.taken_of([one.id for one in newest])
    return {
        "is_offered": taking.funding.why_not(g.store) is None,
        "newest": [
            (one, TAKEN if one.id in taken else state_of(one)) for one in newest
        ],
        "least": money.cedis(settings.fund_least_pesewas),
        "most": money.cedis(settings.fund_most_pesewas),
    }


def _of(payment_id: str) -> OnlinePayment:
    store_id = tenancy.current_store_id()
    id_ = row_id(payment_id) or abort(404)
    return taking.funding.one(store_id, id_) or abort(404)


def _page(asked: Ask) -> str:
    return render_template(
        "portal/fund_online.html",
        ask=asked,
        why_not=taking.funding.why_not(g.store),
        offer=offered(),
    )


def _kept_by_nobody(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
